#!/usr/bin/env python3
"""What goes wrong from outside gets one clear line, the documented exit code, and loses nothing.

Every message is printed, so that a person can judge it. Asserted of each: there is one, of one or two lines, it is no
bare errno or code, it names what it is about; the exit code is that of the contract; files are as they were; and the
report works again when the cause is gone.
"""
import fcntl
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import time

from lab import BINARY, TOP, check, main, need, notes_of, read, say, skip, write

SEED = int(os.environ.get("E2E_SEED", random.randrange(1 << 30)))
chance = random.Random(SEED)
SHARED = os.environ.get("RAPPORT_SHARED") or os.path.join(TOP, "..", "shared")
NOBODY = 65534


def told(r, code, names, what):
    """The one clear line. `names` is a pattern that the message must contain."""
    lines = [line for line in r.err.splitlines() if line.strip()]
    codes = (code,) if isinstance(code, int) else code
    say(f"   {what}: exit {r.code}: {' / '.join(lines)[:300]}")
    check(r.code in codes, f"{what}: exit {r.code}, expected {code}")
    check(1 <= len(lines) <= 2, f"{what}: {len(lines)} lines on stderr: {lines[:4]}")
    text = " ".join(lines)
    bare = re.sub(r"^rapport( \w+)?: ", "", text)
    check(re.search(names, text, re.I), f"{what}: the message says nothing of {names!r}: {text!r}")
    check(bare.count(" ") >= 3, f"{what}: the message is no sentence: {text!r}")
    check(not re.search(r"errno|\berror -?\d+|\bRAPPORT_|0x[0-9a-f]{4}|Assertion|Sanitizer|core dumped", text),
          f"{what}: the message speaks to programmers: {text!r}")
    check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", r.err), f"{what}: control characters in {r.err!r}")


def report_with_notes(lab, name="Ada"):
    person = lab.person(name)
    person.init()
    person.write("notes/one.md", "# One\n\nfirst note\n")
    person.write("notes/two.md", "# Two\n\nsecond note\n")
    person.run("ls", code=0)
    return person


def works_again(person, files, what):
    """After the cause is gone: the notes are there, and a new line can be written."""
    r = person.run("jot", f"after {what}", code=0)
    s = person.status()
    check(s["failure"] == "" and s["unsaved"] == 0, f"{what}: well again: {s}")
    now = notes_of(person.dir)
    changed = [p for p in files if now.get(p) != files[p] and not p.startswith("notes/jots-")]
    check(not changed, f"{what}: files are as they were: {changed}")
    check(any(f"after {what}".encode() in text for text in now.values()), f"{what}: the new line is there: {r}")


def bad_tickets(lab):
    """Tickets: wrong, cut at each length, expired, used twice, one that nobody answers, one of another report."""
    ada = report_with_notes(lab)
    ada.up()
    ticket = ada.ticket()
    bram = lab.person("Bram")

    def join(text, person=bram, timeout=40, *more):
        return person.run("join", text, person.dir, "--name", person.name, *more, cwd=lab.path, timeout=timeout)
    told(join("hello"), 65, "ticket", "a word")
    told(join(""), (2, 65), "ticket", "nothing")
    told(join(ticket + ticket), 65, "ticket", "two in one")
    wrong = ticket[:40] + ("q" if ticket[40] != "q" else "p") + ticket[41:]
    told(join(wrong), 65, "ticket", "one letter wrong")
    told(join(ticket[:len(ticket) // 2]), 65, "ticket", "the first half")
    bad = [n for n in range(len(ticket)) if bram.run("join", ticket[:n], bram.dir, cwd=lab.path).code not in (2, 65)] \
        if os.environ.get("E2E_ALL") else \
        [n for n in sorted(chance.sample(range(len(ticket)), 40)) + [len(ticket) - 1]
         if bram.run("join", ticket[:n], bram.dir, cwd=lab.path).code not in (2, 65)]
    check(not bad, f"cut at each length: 65; not at {bad}")
    swapped = [n for n in chance.sample(range(len(ticket)), 20)
               if bram.run("join", ticket[:n] + ("x" if ticket[n] != "x" else "y") + ticket[n + 1:], bram.dir,
                           cwd=lab.path).code != 65]
    check(not swapped, f"each letter counts: {swapped}")
    check(not os.path.exists(bram.dir), f"no folder is left of joins that failed: {bram.dir}")

    short = ada.ticket("--expires", "1s")
    time.sleep(1.2)
    told(join(short), 65, "valid|expired", "expired")

    need(join(ticket).code == 0, "the ticket itself works")
    chloe = lab.person("Chloe")
    told(join(ticket, chloe), (1, 3, 65), "used|ticket", "used twice")
    told(join(ada.ticket()), (1, 3), "report", "into a folder that has a report")
    unused = ada.ticket()
    ada.down()
    told(join(unused, chloe, 40, "--wait", "2"), 5, "friend|reach", "nobody answers")
    check(not os.path.exists(os.path.join(chloe.dir, ".rapport")), "nothing is left of it")

    # A ticket of a report that lives elsewhere now: its address answers, but is another report.
    dora = lab.person("Dora", port=ada.port)
    dora.init("Another report")
    dora.up()
    told(join(unused, chloe, 40, "--wait", "3"), (1, 3, 5), "friend|reach|refused|ticket", "for another report")
    dora.down()
    ada.up()
    chloe.write("notes/own.md", "# Own\n")
    need(join(unused, chloe).code == 0, "and in the end it works")
    check(chloe.read("notes/own.md") == b"# Own\n" and chloe.read("notes/one.md"), "a folder with files is merged")
    ada.down()


def bad_schedules(lab):
    """A schedule cut at random bytes, and what is none: 65; what was imported before stays."""
    ada = report_with_notes(lab)
    path = os.path.join(SHARED, "schedules", "fosdem-2023.xml")
    if os.path.exists(path):
        whole = read(path)
    else:
        talks = "".join(f"<event id='{i}'><title>Talk {i}</title><date>2023-02-04T{9 + i % 9:02}:00:00+01:00</date><start>"
                        f"{9 + i % 9:02}:00</start><duration>00:30</duration><room>K</room></event>" for i in range(200))
        whole = ("<?xml version='1.0'?><schedule><conference><title>C</title><start>2023-02-04</start></conference>"
                 f"<day index='1' date='2023-02-04'><room name='K'>{talks}</room></day></schedule>").encode()
    ada.run("schedule", "import", "-", data=whole, code=0)
    talks = len(ada.run("--json", "schedule", "ls", code=0).lines())
    check(talks > 100, f"the whole one is read: {talks}")
    cuts = [0, 1, 5, len(whole) - 1, len(whole) - 12] + [chance.randrange(len(whole)) for _ in range(12)]
    end = whole.rindex(b">") + 1
    for n, cut in enumerate(cuts):
        r = ada.run("schedule", "import", "-", data=whole[:cut])
        if cut >= end:
            continue
        if n < 4:
            told(r, 65, "schedule|XML", f"cut at {cut}")
        else:
            check(r.code == 65 and r.err.strip(), f"cut at {cut}: 65 and a message: {r}")
    told(ada.run("schedule", "import", "-", data=b"Dear all, the talks are on Saturday.\n"), 65, "schedule", "a letter")
    told(ada.run("schedule", "import", "-", data=chance.randbytes(5000)), 65, "schedule", "random bytes")
    bomb = b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><schedule>&j;</schedule>"
    told(ada.run("schedule", "import", "-", data=bomb), 65, "schedule|XML", "a bomb of entities")
    told(ada.run("schedule", "import", os.path.join(lab.path, "none.xml")), (1, 4, 65), r"none\.xml", "no such file")
    told(ada.run("schedule", "import", lab.path), (1, 65), re.escape(lab.path), "a folder")
    check(len(ada.run("--json", "schedule", "ls", code=0).lines()) == talks, "the first import is still there")


def bad_files(lab):
    """In the folder: 20 MB, invalid UTF-8, NUL, FIFO, symlinks, hard link, socket-like names: refused by name, kept as they are."""
    ada = report_with_notes(lab)
    outside = os.path.join(lab.path, "outside.md")
    write(outside, "# Outside\n\nsecret\n")
    ada.write("notes/huge.md", b"# Huge\n" + b"0123456789abcde\n" * (20 * 65536))
    ada.write("notes/latin.md", b"# Caf\xe9\n")
    ada.write("notes/nul.md", b"# Nul\n\0\n")
    os.mkfifo(ada.file("notes/fifo.md"))
    os.symlink(outside, ada.file("notes/link.md"))
    os.symlink("/etc", ada.file("notes/folder"))
    os.symlink("/etc/passwd", ada.file("notes/passwd.md"))
    os.symlink("loop.md", ada.file("notes/loop.md"))
    other = os.path.join(lab.path, "hard.md")
    write(other, "# Hard\n")
    os.link(other, ada.file("notes/hard.md"))
    ada.write("notes/two.md", b"# Two\n\nnot UTF-8 now: \xff\xfe\n")
    before = {p: os.lstat(ada.file(p)) for p in os.listdir(ada.file("notes")) for p in ["notes/" + p]}
    bytes_before = {p: ada.read(p) for p, st in before.items() if stat.S_ISREG(st.st_mode)}

    r = ada.run("ls", timeout=20)
    say("   ls says: " + " / ".join(r.err.splitlines()))
    check(r.code == 0, f"verbs go on with the rest: {r}")
    s = ada.status()
    why = {p["path"]: p["why"] for p in s["problems"]}
    for path in ("huge", "latin", "nul", "fifo", "link", "passwd", "hard", "two"):
        say(f"   {path}.md: {why.get(f'notes/{path}.md')}")
        check(why.get(f"notes/{path}.md"), f"{path}.md is named as a problem")
    rows = {row["path"] for row in ada.run("--json", "ls", code=0).lines()}
    check(rows == {"notes/one.md", "notes/two.md"}, f"none of them became a note: {rows}")
    check("secret" not in ada.run("log").out and not any("passwd" in p for p in rows), "no symlink was followed")
    check(ada.run("show", "two", code=0).out == "# Two\n\nsecond note\n", "the note keeps its last good text")
    ada.run("jot", "--note", "one", "meanwhile", code=0)
    ada.run("jot", "--note", "two", "a friend's line", code=(0, 1, 3))
    for path, st in before.items():
        now = os.lstat(ada.file(path)) if os.path.lexists(ada.file(path)) else None
        if path != "notes/one.md":
            check(now and stat.S_IFMT(now.st_mode) == stat.S_IFMT(st.st_mode), f"{path} is still of its kind")
    changed = [p for p, b in bytes_before.items() if p != "notes/one.md" and ada.read(p) != b]
    check(not changed, f"files that were refused are as they were: {changed}")

    ada.write("notes/latin.md", "# Café\n")
    ada.write("notes/two.md", "# Two\n\nsecond note\n\nmended\n")
    for path in ("huge", "nul", "fifo", "link", "passwd", "loop", "hard", "folder"):
        os.unlink(ada.file(f"notes/{path}" + (".md" if path != "folder" else "")))
    ada.run("ls", code=0)
    s = ada.status()
    check(not s["problems"], f"when they are mended or gone, no problem is left: {s['problems']}")
    check("mended" in ada.run("show", "two", code=0).out, "the mended file is taken in")
    check(ada.run("show", "latin", code=0).out == "# Café\n", "so is the other")
    big = "0123456789abcde\n" * (20 * 65536)
    one = ada.read("notes/one.md")
    told(ada.run("jot", "--note", "one", "-", data=big), (1, 2, 65), "large|limit|16", "jot of 20 MB")
    check(ada.read("notes/one.md") == one, "the note is as it was")
    check(read(outside) == b"# Outside\n\nsecret\n" and read(other) == b"# Hard\n", "files outside are as they were")


def outside_paths(lab):
    """Paths that lead out of the folder, names that cannot be, and -C to nowhere."""
    ada = report_with_notes(lab)
    before = notes_of(ada.dir)
    for path in ("../y.md", "/tmp/y.md", "notes/../../y.md", "notes/../../../etc/passwd", ".rapport/report.db", ".git/x.md",
                 "notes/x\ny.md", "notes/" + "x" * 300 + ".md", "x/" * 2000 + "y.md"):
        told(ada.run("mv", "one", path), (1, 2, 65), "path|name|folder|outside|note", f"mv one {path[:40]!r}")
    told(ada.run("mv", "one", ""), (1, 2, 65), "path|name", "mv one ''")
    told(ada.run("show", "../../../etc/passwd"), 4, "note", "show ../../../etc/passwd")
    told(ada.run("show", "n" * 100000), 4, "note", "show with a name of 100 KB")
    told(ada.run("show", "\x1b[31mred\x07"), 4, "note", "show with control characters")
    r = ada.run("show", "o")
    say("   show of a name that two have: " + " / ".join(r.err.splitlines()))
    check(r.code == 3 and r.err.count("one.md") == 1 and r.err.count("two.md") == 1, f"each candidate is named once: {r}")
    told(ada.run("-C", os.path.join(lab.path, "nowhere"), "ls"), (1, 4), "nowhere", "-C to a folder that is not there")
    told(ada.run("-C", "/", "ls"), 4, "report", "-C to a folder without a report")
    told(ada.run("-C"), 2, "-C|directory", "-C without a folder")
    told(ada.run("frobnicate"), 2, "frobnicate", "a verb that is none")
    told(ada.run("stauts"), 2, "status", "a slip of the finger")
    told(ada.run("ls", "--frobnicate"), 2, "frobnicate", "an option that is none")
    told(ada.run("show"), 2, "NOTE|note", "too few words")
    told(ada.run("invite", "--expires", "soon"), 2, "soon|expires", "a time that is none")
    told(ada.run("invite", "--uses", "0"), 2, "uses|0", "a number that is too small")
    told(ada.run("publish", "--to", "paper"), (2, 1), "paper", "a target that is none")
    told(ada.run("up", "--listen", "nonsense"), 2, "nonsense", "an address that is none")
    told(ada.run("up", "--listen", "127.0.0.1:0", "--peer", ":::", timeout=10), 2, ":::", "a peer's address that is none")
    ada.env["RAPPORT_LAN"] = "maybe"
    r = ada.run("up", "--listen", "127.0.0.1:0", timeout=10)
    check(r.code == 2 and "RAPPORT_LAN" in r.err and "passive" in r.err, f"a word in the environment that is none: {r}")
    ada.env["RAPPORT_LAN"] = "off"
    told(ada.run("up", "--listen", "192.0.2.77:7171", timeout=10), 1, r"192\.0\.2\.77", "an address of another machine")
    told(ada.run("new", "", "--no-edit"), (1, 2, 65), "title", "a note without a title")
    told(ada.run("init", "Again", "--dir", ada.dir), (1, 3), "report", "init where there is a report")
    told(ada.run("init", "X", "--dir", ada.file("notes/one.md")), 1, r"one\.md", "init in a file")
    told(ada.run("init", "X", "--dir", "/proc/nothing"), (1, 3), "/proc/nothing", "init where nothing can be made")
    check(notes_of(ada.dir) == before, "nothing was changed by any of it")
    check(not os.path.exists(os.path.join(lab.path, "y.md")), "nothing was written outside")
    works_again(ada, before, "bad paths")


def database(lab):
    """The database locked by another process, flipped, cut, empty, none at all: said, files kept, repair works."""
    ada = report_with_notes(lab)
    before = notes_of(ada.dir)
    path = ada.file(".rapport/report.db")
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    db.execute("begin exclusive")
    told(ada.run("jot", "x", timeout=40), (1, 3), "database|process|use|locked", "locked by another process")
    told(ada.run("up", "--listen", "127.0.0.1:0", timeout=40), (1, 3), "database|process|use|locked", "up, locked by another")
    db.execute("rollback")
    db.close()
    works_again(ada, before, "a lock")
    before = notes_of(ada.dir)

    lock = open(ada.file(".rapport/lock"), "r+")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.seek(0)
    lock.truncate()
    lock.write("4242\n\n")
    lock.flush()
    told(ada.run("jot", "x", timeout=40), (1, 3), "4242|process|open", "the report's lock held by a stranger")
    lock.close()
    works_again(ada, before, "the report's lock")
    before = notes_of(ada.dir)

    good = read(path)
    check(not read(path + "-wal"), "nothing is left outside of the database between verbs")
    damaged = {
        "flipped in the middle": good[:len(good) // 2] + bytes(b ^ 0xff for b in good[len(good) // 2:len(good) // 2 + 4096])
        + good[len(good) // 2 + 4096:],
        "flipped everywhere": good[:100] + bytes(b ^ (chance.random() < 0.01) for b in good[100:]),
        "the first page overwritten": b"\0" * 4096 + good[4096:],
        "cut to half": good[:len(good) // 2],
        "cut to 50 bytes": good[:50],
        "of length zero": b"",
        "a letter": b"Dear all, this is no database.\n" * 300,
    }
    for what, data in damaged.items():
        write(path, data)
        r = ada.run("jot", "into a damaged database", timeout=40)
        if r.code == 0:  # where it was turned nothing was read; then nothing may be lost
            say(f"   {what}: exit 0: the damage was not where anything is read")
            check("flipped" in what, f"{what}: is noticed: {r}")
            check(ada.run("show", "one").out.encode() == before["notes/one.md"], f"{what}: the notes are right all the same")
        else:
            code = 4 if "zero" in what else (1, 3)
            told(r, code, "database|report", f"database {what}")
            told(ada.run("status", timeout=40), code, "database|report", f"status, database {what}")
            p = ada.run("up", "--listen", "127.0.0.1:0", timeout=20)
            check(p.code in (1, 3, 4) and p.err.strip(), f"up, database {what}: {p}")
            now = notes_of(ada.dir)
            check(now == before, f"{what}: the files are as they were: {[x for x in before if now.get(x) != before[x]]}")
        for name in ("-wal", "-shm"):
            if os.path.exists(path + name):
                os.unlink(path + name)
        write(path, good)
        for note, data in before.items():
            ada.write(note, data)
        extra = set(notes_of(ada.dir)) - set(before)
        check(ada.run("ls").code == 0 and not extra, f"{what}: with the good database all is there")
    before = notes_of(ada.dir)
    works_again(ada, before, "repair")

    # Not repairable, but not lost: a folder without a database becomes a new report from its files.
    shutil.rmtree(ada.file(".rapport"))
    told(ada.run("ls"), 4, "report", "no .rapport at all")
    before = notes_of(ada.dir)
    ada.init("Again")
    check(notes_of(ada.dir) == before, "init takes the files as they are")
    check({r["path"] for r in ada.run("--json", "ls", code=0).lines()} == set(before), "and they are notes")


def two_daemons(lab):
    """Two daemons on one report, a verb while a daemon starts, a port that is taken."""
    ada = report_with_notes(lab)
    ada.up()
    told(ada.run("up", "--listen", "127.0.0.1:0", timeout=20), 0, "already|runs", "a second up of the same user")
    other = lab.person("Other")
    other.dir = ada.dir
    told(other.run("up", "--listen", "127.0.0.1:0", timeout=20), (0, 1, 3), "open|process|already|runs", "up by another home")
    dora = lab.person("Dora")
    dora.init("Another")
    told(dora.run("up", "--listen", f"127.0.0.1:{ada.port}", timeout=20), (1, 3), str(ada.port), "a port that is taken")
    other.run("jot", "from another home", code=0)
    check(ada.daemon.poll() is None, "the first daemon lives")
    before = notes_of(ada.dir)
    ada.down()
    works_again(ada, before, "two daemons")
    told(ada.run("down"), 0, "no daemon", "down without a daemon")


def homes(lab):
    """RAPPORT_HOME that cannot be written or is a file, a device key that others can read, that is cut or a symlink."""
    ada = report_with_notes(lab)
    before = notes_of(ada.dir)
    home = ada.env["RAPPORT_HOME"]
    key = os.path.join(home, "device.key")
    good = read(key)
    os.chmod(key, 0o644)
    told(ada.run("jot", "x"), (1, 3), r"device\.key", "device.key with mode 0644")
    os.chmod(key, 0o600)
    for n in (0, 31, 33, 4096):
        write(key, (good * 200)[:n])
        told(ada.run("jot", "x"), (1, 3, 65), r"device\.key", f"device.key of {n} bytes")
    write(key, good)
    moved = os.path.join(lab.path, "moved.key")
    os.rename(key, moved)
    os.symlink(moved, key)
    told(ada.run("jot", "x"), (1, 3), r"device\.key", "device.key is a symlink")
    os.unlink(key)
    os.mkfifo(key, 0o600)
    told(ada.run("jot", "x", timeout=15), (1, 3), r"device\.key", "device.key is a FIFO")
    os.unlink(key)
    os.rename(moved, key)
    works_again(ada, before, "a bad key")
    check(read(key) == good, "the key is as it was")

    ada.env["RAPPORT_HOME"] = os.path.join(lab.path, "file")
    write(ada.env["RAPPORT_HOME"], "a file")
    told(ada.run("jot", "x"), (1, 3), "/file", "RAPPORT_HOME is a file")
    ada.env["RAPPORT_HOME"] = "/proc/nothing"
    told(ada.run("jot", "x"), (1, 3), "/proc/nothing", "RAPPORT_HOME cannot be made")
    ada.env["RAPPORT_HOME"] = home
    open_home = os.path.join(lab.path, "open-home")
    shutil.copytree(home, open_home)
    os.chmod(open_home, 0o777)
    ada.env["RAPPORT_HOME"] = open_home
    r = ada.run("jot", "x")
    say(f"   RAPPORT_HOME with mode 0777: exit {r.code}: {r.err.strip()}")
    check(r.code != 0 or not os.stat(open_home).st_mode & 0o022, "a home that others can write is refused or closed")
    ada.env["RAPPORT_HOME"] = home
    works_again(ada, notes_of(ada.dir), "bad homes")


def as_nobody(lab):
    """As a plain user: a folder, a file, a home that are read-only."""
    prefix = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            return skip("read-only folders: root can write everywhere, and there is no setpriv")
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        os.chmod(lab.path, 0o755)
        if subprocess.run([*prefix, BINARY, "version"], capture_output=True).returncode:
            return skip("read-only folders: an unprivileged user cannot run the program here")
    ada = lab.person("Ada")
    os.makedirs(ada.dir)
    if prefix:
        os.chown(ada.home, NOBODY, NOBODY)
        os.chown(ada.dir, NOBODY, NOBODY)

    def run(*args, **more):
        return ada.run(*args, prefix=prefix, **more)
    told(run("init", "X", "--dir", "/rapport-cannot-be-here", cwd="/"), (1, 3), "/rapport-cannot-be-here", "init in /")
    need(run("init", "FOSDEM", "--dir", ada.dir, "--name", "Ada", cwd=lab.path).code == 0, "init as a plain user")
    run("jot", "the first", code=0)
    before = notes_of(ada.dir)
    inner = ada.file(".rapport")

    def closed(path, mode, args, code, names, what):
        old = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, mode)
        before = notes_of(ada.dir)
        r = run(*args, timeout=20)
        told(r, code, names, what)
        os.chmod(path, old)
        now = notes_of(ada.dir)
        check(r.code == 0 or now == before, f"{what}: files are as they were")
    closed(inner, 0o500, ("jot", "x"), (1, 3), r"rapport|read|permi", ".rapport read-only")
    closed(ada.file(".rapport/report.db"), 0o400, ("jot", "x"), (1, 3), "read|permi|database", "database read-only")
    closed(ada.file(".rapport/report.db"), 0o000, ("ls",), (1, 3), "read|permi|database", "database not readable")
    closed(ada.env["RAPPORT_HOME"], 0o500, ("jot", "x"), (0, 1, 3), "home|read|permi|nothing is running", "RAPPORT_HOME read-only")
    closed(ada.env["RAPPORT_HOME"], 0o000, ("jot", "x"), (1, 3), "home|read|permi", "RAPPORT_HOME closed")
    before = notes_of(ada.dir)
    # The notes' folder: the note is safe in the database, and the file follows when it can.
    notes = ada.file("notes")
    os.chmod(notes, 0o500)
    r = run("jot", "into a read-only folder")
    say(f"   jot, notes read-only: exit {r.code}: {' / '.join(r.err.splitlines())}")
    check(r.code in (0, 1, 3) and re.search("permi|read-only|notes", r.err, re.I), f"it is said that the file is not written: {r}")
    os.chmod(notes, 0o700)
    run("ls", code=0)
    if r.code == 0:
        check(any(b"into a read-only folder" in t for t in notes_of(ada.dir).values()), "the file follows when it can be written")
    run("new", "Closed", "--no-edit", code=0)
    path = ada.file("notes/closed.md")
    os.chmod(path, 0)
    r = run("ls")
    say(f"   a note's file without permission: exit {r.code}: {' / '.join(r.err.splitlines())}")
    s = run("--json", "status")
    check("closed.md" in s.out[s.out.find("problems"):], f"it is named as a problem: {s.out}")
    os.chmod(path, 0o600)
    check("closed.md" in run("ls", code=0).out, "and is there again")


def full_disk(lab):
    """A full disk: said, exit 1 or 3, what was saved stays, and it works again when there is room."""
    if os.geteuid() != 0:
        return skip("full disk: needs root for a tmpfs")
    folder = os.path.join(lab.path, "small")
    os.makedirs(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True).returncode:
        return skip("full disk: no tmpfs can be mounted here")
    try:
        ada = lab.person("Ada")
        ada.dir = os.path.join(folder, "report")
        ada.init()
        ada.write("notes/one.md", "# One\n")
        ada.run("jot", "before", code=0)
        before = notes_of(ada.dir)
        filler = os.path.join(folder, "filler")

        def fill(leave):
            fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(fd, b"x" * 4096):
                    pass
            except OSError:
                pass
            os.close(fd)
            os.truncate(filler, max(0, os.path.getsize(filler) - leave))
        for leave in (0, 8192, 40960):
            fill(leave)
            text = "y" * 120000 + f" {leave}"
            r = ada.run("jot", "--note", "one", "-", data=text)
            told(r, (1, 3), "space|full|disk|room", f"disk full, {leave} bytes left")
            now = notes_of(ada.dir)
            check(all(now.get(p) == before[p] for p in before), f"disk full, {leave} left: files are as they were")
            s = ada.run("status")
            say(f"   status: exit {s.code}: {' / '.join(s.err.splitlines())}")
            os.unlink(filler)
            shown = ada.run("show", "one", code=0).out
            check(text[-40:] not in shown, "what was refused is not there")
        fill(8192)
        ada.write("notes/small.md", "# Small\n") if os.statvfs(folder).f_bavail > 1 else None
        os.unlink(filler)
        works_again(ada, before, "a full disk")

        # The same under a daemon that runs on.
        ada.up()
        before = notes_of(ada.dir)
        fill(8192)
        r = ada.run("jot", "--note", "one", "-", data="z" * 300000)
        told(r, (1, 3), "space|full|disk|room", "disk full, with a daemon")
        s = ada.run("status")
        say(f"   status of the daemon: exit {s.code}: {' / '.join((s.out + s.err).splitlines())[:400]}")
        check(s.code == 3 and re.search("space|full|disk", s.out + s.err), "status says so too, with exit 3")
        os.unlink(filler)
        ada.run("down")
        ada.daemon.wait(20)
        ada.daemon = None
        now = notes_of(ada.dir)
        check(all(now.get(p) == before[p] for p in before), "with a daemon: files are as they were")
        works_again(ada, before, "a full disk with a daemon")
    finally:
        for p in lab.processes:
            if p.poll() is None:
                p.kill()
                p.wait(10)
        subprocess.run(["umount", "-l", folder], capture_output=True)


say(f"seed {SEED}")
main(bad_tickets, bad_schedules, bad_files, outside_paths, database, two_daemons, homes, as_nobody, full_disk)
