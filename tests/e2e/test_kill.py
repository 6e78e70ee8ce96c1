#!/usr/bin/env python3
"""kill -9 in the middle of a transfer and in the middle of verbs: nothing acknowledged is lost, all ends equal.

E2E_KILLS (6) is how many times a daemon is killed, E2E_FILES (200) how many notes of 100 KB are on the way each round.
"""
import os
import random
import subprocess
import time

import network
from lab import check, main, need, notes_of, same_report, say, skip, wait_for

KILLS = int(os.environ.get("E2E_KILLS", 6))
FILES = int(os.environ.get("E2E_FILES", 200))
FILE_BYTES = 100_000
SEED = int(os.environ.get("E2E_SEED", random.randrange(1 << 30)))
chance = random.Random(SEED)
WORDS = [w.encode() for w in "talk slide demo mesh relay node log crypt merge sync café 漢字 review patch".split()]


def prose(size):
    """Text that is like no other, so that no transfer is saved by sameness."""
    lines = bytearray()
    while len(lines) < size:
        lines += b"%s %s %x %s\n" % (chance.choice(WORDS), chance.choice(WORDS), chance.getrandbits(64), chance.choice(WORDS))
    return bytes(lines)


class Transfer:
    """Rounds of many notes from Ada to Bram through a slow link."""

    def __init__(self, ada, bram, to_ada, to_bram):
        self.ada, self.bram, self.to_ada, self.to_bram = ada, bram, to_ada, to_bram
        self.expected = {}
        self.jots = {ada: [], bram: []}
        self.round = 0

    def new_round(self):
        """Makes the notes, and has them acknowledged to a person: `status` says they are saved."""
        self.round += 1
        for i in range(FILES):
            path = f"notes/round-{self.round}/talk-{i:03}.md"
            data = f"# Talk {self.round} {i}\n\n".encode() + prose(FILE_BYTES)
            self.expected[path] = data
            self.ada.write(path, data)
        if self.ada.daemon:
            wait_for(lambda: self.counts(self.ada), 60, "Ada's daemon has taken the notes in", step=0.5)
        s = self.ada.status()
        check(s["notes"] >= len(self.expected) and s["unsaved"] == 0, f"Ada's notes are saved: {s['notes']}, {s['unsaved']}")

    def counts(self, person):
        s = person.status()
        return s["notes"] >= len(self.expected) and s["unsaved"] == 0

    def missing(self):
        return [p for p in self.expected if not os.path.exists(self.bram.file(p))]

    def moved(self):
        return self.to_ada.total() + self.to_bram.total()

    def jot(self, person):
        """A verb's success, or what status says is saved, is a promise."""
        text = f"jot {len(self.jots[person])} of {person.name} {chance.getrandbits(40):x}"
        r = person.run("jot", text)
        if r.code == 0:
            self.jots[person].append(text)
        else:
            say(f"   a jot was refused: {r}")


def finish(t):
    """Everybody has every file of every round, to the byte, and every jot that was acknowledged."""
    ada, bram = t.ada, t.bram
    wait_for(lambda: not t.missing(), 60, "the transfer ends", step=0.2)
    same_report([ada, bram], seconds=60)
    wait_for(lambda: notes_of(ada.dir) == notes_of(bram.dir), 30, "both folders are equal", step=0.5)
    files = notes_of(bram.dir)
    wrong = [p for p in t.expected if files.get(p) != t.expected[p]]
    check(not wrong, f"{len(t.expected)} notes arrive to the byte; wrong: {wrong[:5]} ({len(wrong)})")
    everything = b"\n".join(files.values()).decode()
    lost = [j for p in t.jots for j in t.jots[p] if everything.count(j) != 1]
    check(not lost, f"each acknowledged jot is there once: {lost}")
    say(f"   {len(t.expected)} notes and {sum(map(len, t.jots.values()))} acknowledged jots compared")


def kill_one(t, at):
    """Waits until so many bytes have passed, kills one of the two. True when that was inside of the transfer."""
    wait_for(lambda: t.moved() >= at or not t.missing(), 60, "bytes pass", step=0.005)
    before = t.moved()
    victim = chance.choice([t.ada, t.bram])
    time.sleep(chance.random() * 0.05)
    moving = t.moved() > before
    victim.kill()
    inside = moving and bool(t.missing())
    if chance.random() < 0.5:
        t.jot(victim)  # without a daemon, right on what the dead one left
    victim.up()
    return inside


def killed_daemons(lab):
    """Either daemon is killed at random moments of a transfer held to 20 Mbit/s; then all is equal and whole."""
    say(f"   seed {SEED}")
    ada, bram, to_ada, to_bram = network.pair_with_proxy(lab)
    t = Transfer(ada, bram, to_ada, to_bram)
    ada.init()
    ada.up()
    bram.join(ada.ticket())
    ada.down()
    t.new_round()
    ada.up()
    inside = done = 0
    to_ada.bits_per_s = to_bram.bits_per_s = 20_000_000
    bram.up()
    size = FILES * FILE_BYTES
    while done < KILLS:
        if not t.missing():
            t.new_round()
        left = len(t.missing()) * FILE_BYTES
        rounds = max(1, min(KILLS - done, 8))
        at = t.moved() + int(min(size, left) / (rounds + 1) * (0.2 + 1.2 * chance.random()))
        t.jot(chance.choice([ada, bram]))
        inside += kill_one(t, at)
        done += 1
    say(f"   {inside} of {done} kills inside the transfer, {t.moved() / 1e6:.1f} MB passed for {size * t.round / 1e6:.1f} MB of notes")
    check(inside * 3 >= done * 2, f"most kills hit the transfer: {inside} of {done}")
    to_ada.bits_per_s = to_bram.bits_per_s = 0
    finish(t)
    ada.down()
    bram.down()


def run_and_kill(person, args, after, data=None):
    """Starts a verb and kills it after so many seconds. Returns its exit code, None when it was killed."""
    p = person.start(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        p.wait(after)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait(10)
        return None
    return p.returncode


def killed_jots(lab):
    """kill -9 of jot at random moments: an acknowledged one is there, others wholly or not at all."""
    ada = lab.person("Ada")
    ada.init()
    ada.run("jot", "the first", code=0)
    took = ada.run("jot", "the second", code=0).seconds
    sure, unsure = ["the first", "the second"], []
    for i in range(max(30, KILLS)):
        text = f"jot number {i} {chance.getrandbits(64):x}"
        code = run_and_kill(ada, ["jot", text], chance.random() * took * 1.2)
        (sure if code == 0 else unsure).append(text)
        check(code in (0, None), f"jot after a killed one works: exit {code}")
    s = ada.status()
    check(s["unsaved"] == 0 and not s["problems"] and s["failure"] == "", f"status is well: {s}")
    lines = [x.lstrip("-* ") for x in b"\n".join(notes_of(ada.dir).values()).decode().splitlines()]
    check(all(lines.count(x) == 1 for x in sure), "each acknowledged jot is there once")
    odd = [x for x in lines if x.startswith("jot number") and x not in sure + unsure]
    check(not odd, f"no jot is there in part: {odd}")
    say(f"   {len(sure)} acknowledged, {len(unsure)} killed before, {sum(x in lines for x in unsure)} of these are there")


def killed_take(lab):
    """kill -9 while a verb takes in many files: the files stay as they are, and the next verb has them all."""
    ada = lab.person("Ada")
    ada.init()
    expected = {}
    took = 1.0
    for n in range(max(6, KILLS // 3)):
        for i in range(150):
            path = f"notes/{n}/file-{i}.md"
            expected[path] = f"# File {n} {i}\n\n".encode() + prose(2000)
            ada.write(path, expected[path])
        code = run_and_kill(ada, ["ls"], chance.random() * took)
        if code is None:
            begin = time.monotonic()
            code = ada.run("ls").code
            took = max(0.2, time.monotonic() - begin)
        check(code == 0, f"ls works after a killed one: exit {code}")
    rows = ada.run("--json", "ls", code=0).lines()
    check({r["path"] for r in rows} == set(expected), f"every file is one note: {len(rows)} of {len(expected)}")
    check(notes_of(ada.dir) == expected, "no file was changed")
    wrong = [r["path"] for r in rows[::40] if ada.run("show", r["path"], code=0).out.encode() != expected[r["path"]]]
    check(not wrong, f"notes show what the files say: {wrong}")
    say(f"   {len(expected)} files, one pass takes about {took:.2f} s")


def killed_init_and_join(lab):
    """kill -9 of init and of join: the same command again works, or says what is there; files stay."""
    ada = lab.person("Ada")
    ada.write("notes/mine.md", "# Mine\n")
    for _ in range(6):
        code = run_and_kill(ada, ["init", "FOSDEM", "--dir", ada.dir, "--name", "Ada"], chance.random() * 0.05)
        if code == 0:
            break
    r = ada.run("init", "FOSDEM", "--dir", ada.dir, "--name", "Ada", cwd=lab.path)
    usable = ada.run("status")
    check(usable.code == 0, f"after killed inits there is a report: {r} / {usable}")
    check(ada.read("notes/mine.md") == b"# Mine\n", "the file of the folder is as it was")
    ada.up()
    for i in range(4):
        bram = lab.person(f"Bram{i}")
        bram.write("notes/own.md", f"# Own {i}\n")
        ticket = ada.ticket()
        code = run_and_kill(bram, ["join", ticket, bram.dir, "--name", bram.name], chance.random() * 0.25)
        if code != 0 and bram.run("--json", "status").code != 0:
            r = bram.run("join", ticket, bram.dir, "--name", bram.name, cwd=lab.path)
            if r.code != 0:  # the ticket was used by the one that was killed; that is said, and another one works
                check(r.err.strip(), f"join says why not: {r}")
                say(f"   join again after a kill: exit {r.code}: {r.err.strip()}")
                bram.join(ada.ticket())
        bram.up()
        wait_for(lambda: bram.read("notes/mine.md") and ada.read("notes/own.md"), 15, "both have both notes")
        same_report([ada, bram])
        need(f"# Own {i}\n".encode() in notes_of(bram.dir).values(), "the joiner's own note is as it was")
        bram.down()


why_not = network.available()
if why_not:
    skip(f"kills inside a transfer: {why_not}")
main(*(() if why_not else (killed_daemons,)), killed_jots, killed_take, killed_init_and_join,
     seconds=110 if KILLS <= 6 else 60 + 25 * KILLS)
