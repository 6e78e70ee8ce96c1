#!/usr/bin/env python3
"""Two and three real daemons on loopback: what one person saves is in the friends' files, fast and in whole."""
import os
import threading
import time

import network
from lab import (check, main, need, notes_of, quantile, same_files, same_report, save_by_rename, say, skip, wait_for)

EDITS = int(os.environ.get("E2E_EDITS", 20))


def seen_after(saver, reader, path, data, save):
    """Saves, and gives the ms until the reader's file holds exactly that."""
    begin = time.monotonic()
    save(saver.file(path), data)
    wait_for(lambda: reader.read(path) == data.encode(), 15, f"{reader.name} sees {path} of {saver.name}", step=0.004)
    return (time.monotonic() - begin) * 1000


def plain(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(data)


def edits_arrive(lab):
    """An edit in one folder is in the other's file, by plain write and by rename, in both directions."""
    ada, bram = lab.pair()
    text = "# Headscale\n\nspeaker: Kristoffer\n"
    plain_new = [seen_after(ada, bram, "notes/headscale.md", text, plain)]
    figures = {}
    for saver, reader in ((ada, bram), (bram, ada)):
        for save in (plain, save_by_rename):
            times = figures.setdefault(f"{saver.name} to {reader.name}, {save.__name__}", [])
            for i in range(EDITS // 2):
                text += f"line {i} of {saver.name} by {save.__name__}, éß漢😀\n"
                times.append(seen_after(saver, reader, "notes/headscale.md", text, save))
    every = sum(figures.values(), [])
    say(f"   a new file: {plain_new[0]:.0f} ms")
    for name, times in figures.items():
        say(f"   {name}: p50 {quantile(times, .5):.0f} ms, max {max(times):.0f} ms over {len(times)} edits")
    say(f"   all: p50 {quantile(every, .5):.0f} ms, max {max(every):.0f} ms over {len(every)} edits")
    check(quantile(every, .5) < 1000, "half of the edits arrive within a second")
    same_report([ada, bram])
    same_files([ada, bram])
    ada.down()
    bram.down()


def files_come_and_go(lab):
    """New files, renames and deletes of files arrive, and so do those of verbs."""
    ada, bram = lab.pair()
    ada.write("notes/one.md", "# One\n\nfirst\n")
    ada.write("notes/deep/two.md", "# Two\n\nsecond\n")
    wait_for(lambda: bram.read("notes/deep/two.md") and bram.read("notes/one.md"), 10, "new files arrive")
    need(bram.read("notes/one.md") == b"# One\n\nfirst\n", "a new file arrives as it is")

    os.rename(ada.file("notes/one.md"), ada.file("notes/uno.md"))
    wait_for(lambda: bram.read("notes/uno.md") == b"# One\n\nfirst\n" and bram.read("notes/one.md") is None, 10,
             "a rename of a file arrives as a rename")
    notes = bram.run("--json", "ls", code=0).lines()
    check(len(notes) == 2, f"a rename makes no second note: {notes}")

    os.unlink(bram.file("notes/uno.md"))
    wait_for(lambda: ada.read("notes/uno.md") is None, 10, "a delete of a file arrives")
    trash = ada.run("--json", "ls", "--trash", code=0).lines()
    check(len(trash) == 1, f"what was deleted is in the trash: {trash}")

    bram.run("mv", "notes/deep/two.md", "notes/zwei.md", code=0)
    wait_for(lambda: ada.read("notes/zwei.md") == b"# Two\n\nsecond\n", 10, "mv arrives")
    check(ada.read("notes/deep/two.md") is None, "the old path is gone")
    bram.run("jot", "--note", "zwei", "a jotted line", code=0)
    wait_for(lambda: b"a jotted line" in (ada.read("notes/zwei.md") or b""), 10, "jot arrives")
    bram.run("rm", "zwei", code=0)
    wait_for(lambda: ada.read("notes/zwei.md") is None, 10, "rm arrives")
    same_report([ada, bram])
    same_files([ada, bram])


def both_in_one_note(lab):
    """Both write into one note at the same moment, over and over: nothing is lost, both get the same."""
    ada, bram = lab.pair()
    ada.write("notes/both.md", "# Both\n\ntop of Ada\n\nmiddle\n\nend of Bram\n")
    wait_for(lambda: bram.read("notes/both.md"), 10, "the note arrives")
    same_report([ada, bram])
    gate = threading.Barrier(2)

    def type_at(person, anchor):
        for i in range(10):
            gate.wait(30)
            text = person.read("notes/both.md").decode()
            save_by_rename(person.file("notes/both.md"),
                           text.replace(anchor, f"{anchor}\n{person.name} {i}", 1))
            time.sleep(0.12)
    threads = [threading.Thread(target=type_at, args=a) for a in ((ada, "top of Ada"), (bram, "end of Bram"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    same_report([ada, bram])
    wait_for(lambda: ada.read("notes/both.md") == bram.read("notes/both.md"), 10, "both files are the same")
    lines = ada.read("notes/both.md").decode().splitlines()
    for person in (ada, bram):
        n = [lines.count(f"{person.name} {i}") for i in range(10)]
        check(n == [1] * 10, f"each line of {person.name} is there once: {n}")
    check(len(lines) == 27, f"and nothing else: {lines}")
    check(len(notes_of(ada.dir)) == 1, f"no conflict file: {sorted(notes_of(ada.dir))}")


def through_the_middle(lab):
    """What was written while one was away comes by a third who met both."""
    ada, bram = lab.pair()
    chloe = lab.person("Chloé")
    chloe.join(ada.ticket())
    chloe.up("--peer", f"127.0.0.1:{bram.port}")
    same_report([ada, bram, chloe])
    ada.down()
    chloe.write("notes/back.md", "# Back\n\nwritten by Chloé\n")
    wait_for(lambda: bram.read("notes/back.md"), 20, "Bram gets Chloé's note, Ada away")
    same_report([bram, chloe])
    chloe.down()
    bram.down()
    ada.up()
    ada.write("notes/far.md", "# Far\n\nwritten by Ada\n")
    bram.up()
    wait_for(lambda: ada.read("notes/back.md") == "# Back\n\nwritten by Chloé\n".encode(), 20,
             "Ada gets Chloé's note from Bram")
    same_report([ada, bram])
    ada.down()
    chloe.up()
    wait_for(lambda: chloe.read("notes/far.md") == b"# Far\n\nwritten by Ada\n", 20, "Chloé gets Ada's from Bram")
    ada.up()
    same_report([ada, bram, chloe])
    same_files([ada, bram, chloe])
    r = chloe.run("--json", "member", "ls", code=0)
    check({m["name"] for m in r.lines()} == {"Ada", "Bram", "Chloé"}, f"everybody is in the roster: {r.out}")


def in_a_row(lab):
    """Three in a row: the outer two never reach each other, and get each other's edits by the middle one."""
    nets = network.nets(lab, 3)
    people = ada, bram, chloe = [lab.person(name, net, port) for name, net, port in
                                 zip(("Ada", "Bram", "Chloe"), nets, (7101, 7102, 7103))]
    between = {}
    for a in people:
        for b in people:
            if a is not b:
                between[a.name, b.name] = network.Proxy(lab, a.net, b.net, b.port)
    ada.init()
    ada.up()
    bram.join(ada.ticket())
    chloe.join(ada.ticket())
    for ends in (("Ada", "Chloe"), ("Chloe", "Ada")):
        between[ends].refusing = True
        between[ends].cut()
    bram.up()
    chloe.up("--peer", f"127.0.0.1:{bram.port}")
    same_report(people)
    times, text = [], "# Relayed\n\n"
    for i in range(10):
        saver, reader = (ada, chloe) if i % 2 else (chloe, ada)
        text += f"line {i} of {saver.name}\n"
        times.append(seen_after(saver, reader, "notes/relayed.md", text, save_by_rename))
    say(f"   through the middle one: p50 {quantile(times, .5):.0f} ms, max {max(times):.0f} ms over {len(times)} edits")
    same_report(people)
    same_files(people)
    direct = [p for p in ada.run("--json", "peers", code=0).lines() if p["name"] == "Chloe" and p["state"] == "connected"]
    check(not direct, f"Ada never reached Chloe herself: {direct}")


def sync_without_daemons(lab):
    """`sync` without a daemon fetches and brings, and says when nobody is there (exit 5)."""
    ada, bram = lab.pair()
    bram.down()
    ada.write("notes/meanwhile.md", "# Meanwhile\n")
    bram.write("notes/offline.md", "# Offline\n")
    r = bram.run("sync", "--wait", "20", code=0)
    check(bram.read("notes/meanwhile.md") == b"# Meanwhile\n", f"sync fetches: {r}")
    wait_for(lambda: ada.read("notes/offline.md") == b"# Offline\n", 5, "sync brings")
    ada.down()
    r = bram.run("sync", "--wait", "2", code=5)
    check(r.err.strip(), f"sync says that nobody is there: {r}")


why_not = network.available()
if why_not:
    skip(f"three in a row: {why_not}")
main(edits_arrive, files_come_and_go, both_in_one_note, through_the_middle, *(() if why_not else (in_a_row,)),
     sync_without_daemons)
