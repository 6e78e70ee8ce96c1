#!/usr/bin/env python3
"""Bundles with the real program: two who never connect again, daemons up and down, pipes, damage, kill -9, many events."""
import os
import random
import signal
import subprocess
import time

from lab import check, main, notes_of, read, same_files, same_report, say, wait_for, write


def part(lab):
    """Two people of one report whose daemons have ended."""
    ada, bram = lab.pair()
    same_report([ada, bram])
    ada.down()
    bram.down()
    return ada, bram


def path(lab, name):
    return os.path.join(lab.path, name)


def equal(ada, bram, what):
    check(ada.digest() == bram.digest() != "", f"{what}: equal digests")
    same_files([ada, bram], what)


def both_ways(lab):
    """A bundle each way makes two equal; the answer holds only what was lacking; twice is harmless."""
    ada, bram = part(lab)
    one, two = path(lab, "one.bundle"), path(lab, "two.bundle")
    ada.run("jot", "from Ada", code=0)
    bram.run("jot", "from Bram", code=0)
    r = ada.run("bundle", "write", one, code=0)
    check("for everybody" in r.err, f"it says for whom: {r}")
    check(os.stat(one).st_mode & 0o777 == 0o600, "only its owner may read the file")
    bram.run("bundle", "read", one, code=0)
    check(b"from Ada" in b"".join(notes_of(bram.dir).values()), "the text is in Bram's folder")
    r = bram.run("--json", "bundle", "write", two, "--reply-to", one, code=0).json()
    check(r["notes"] == 1 and r["deltas"] <= 2 and r["for"] == "Ada", f"the answer holds one note, for Ada: {r}")
    ada.run("bundle", "read", two, code=0)
    equal(ada, bram, "both ways")
    check("nothing new" in ada.run("bundle", "read", two, code=0).err, "twice is nothing new")
    bram.run("jot", "later", code=0)
    r = bram.run("--json", "bundle", "write", path(lab, "three"), "--for", "Ada", code=0).json()
    check(r["notes"] == 1 and r["deltas"] <= 3, f"--for leaves out what her bundle told: {r}")
    p = ada.run("bundle", "read", "-", data=read(path(lab, "three")), code=0)
    check("1 new delta" in p.err, f"from a pipe: {p}")
    equal(ada, bram, "after the pipe")
    for word in (b"FOSDEM", b"Ada", b"Bram", bytes.fromhex(ada.status()["report"])):
        check(word not in read(one), f"{word!r} does not stand in the file")
    check(not [f for f in os.listdir(os.path.join(ada.dir, ".rapport")) if f.startswith("bundle-")], "no leftovers")


def with_daemons(lab):
    """With daemons up, through them; what a bundle brings goes on to connected friends."""
    ada, bram = lab.pair()
    cleo = lab.person("Cleo")
    cleo.join(ada.ticket())
    same_report([ada, bram, cleo])
    cleo.run("jot", "from Cleo", code=0)
    file = path(lab, "c.bundle")
    cleo.run("bundle", "write", file, code=0)
    ada.run("bundle", "read", file, code=0)
    wait_for(lambda: b"from Cleo" in b"".join(notes_of(bram.dir).values()), 10, "it goes on to Bram")
    same_report([ada, bram, cleo])
    out = ada.start(["bundle", "write", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data, err = out.communicate(timeout=20)
    check(out.returncode == 0 and data[:8] == b"rapport\x01", f"to a pipe: {err!r}")
    cleo.run("bundle", "read", "-", data=data, code=0)


def refusals(lab):
    """What cannot be done says why, with the right exit code, and changes nothing."""
    ada, bram = part(lab)
    eve = lab.person("Eve")
    eve.init("Another")
    file = path(lab, "a.bundle")
    ada.run("bundle", "write", file, code=0)
    before = eve.digest()
    r = eve.run("bundle", "read", file, code=65)
    check("another report" in r.err, f"another report: {r}")
    check(eve.digest() == before, "nothing changed")
    r = ada.run("bundle", "write", file, code=3)
    check("--force" in r.err, f"a file that is there: {r}")
    ada.run("bundle", "write", file, "--force", code=0)
    ada.run("bundle", "read", path(lab, "none"), code=4)
    ada.run("bundle", "read", lab.path, code=2)
    ada.run("bundle", "write", path(lab, "no/such/x"), code=4)
    ada.run("bundle", "write", path(lab, "x"), "--for", "Nobody", code=4)
    if os.path.exists("/dev/full"):
        check(ada.run("bundle", "write", "/dev/full", code=3).err != "", "a device is no place for a bundle")
    whole = read(file)
    for name, data in (("cut", whole[:-1]), ("flip", whole[:90] + bytes([whole[90] ^ 1]) + whole[91:]),
                       ("more", whole + b"x"), ("text", b"# Notes\n"), ("empty", b""), ("zeros", bytes(1 << 20))):
        write(path(lab, name), data)
        r = bram.run("bundle", "read", path(lab, name), code=65)
    check(not [f for f in os.listdir(lab.path) if f.startswith("a.bundle.")], "no temporary files are left")


def many(lab):
    """A million events in many notes: seconds, little memory; kill -9 while reading, then again."""
    ada, bram = part(lab)
    rng = random.Random(1)
    for i in range(2000):
        write(os.path.join(ada.dir, f"notes/n{i}.md"), f"# Note {i}\n" + "".join(rng.choices("abcdefgh \n", k=500)))
    ada.run("ls", code=0, timeout=60)
    file = path(lab, "big.bundle")
    r = ada.run("bundle", "write", file, code=0, timeout=60)
    say(f"   {r.err.strip()}: {r.seconds:.2f} s")
    for _ in range(4):
        p = bram.start(["bundle", "read", file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.02, 0.5))
        p.send_signal(signal.SIGKILL)
        p.wait(10)
    r = bram.run("bundle", "read", file, code=0, timeout=60)
    say(f"   {r.err.strip()}: {r.seconds:.2f} s")
    equal(ada, bram, "many")
    whole = read(file)
    cleo = lab.person("Cleo")
    ada.up()
    cleo.join(ada.ticket(), timeout=60)
    ada.down()
    write(path(lab, "cut"), whole[:len(whole) // 2])
    r = cleo.run("bundle", "read", path(lab, "cut"), code=65, timeout=60)
    check("kept" in r.err or "nothing" in r.err, f"cut in the middle: {r}")


main(both_ways, with_daemons, refusals, many)
