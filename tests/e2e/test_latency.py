#!/usr/bin/env python3
"""Figures: how long verbs take with 1,000 notes, and how soon status says that a link is cut. Times are printed, not judged.

E2E_NOTES (1000) notes, E2E_RUNS (40) runs of each verb with and without a daemon.
"""
import os
import time

import network
from lab import check, main, need, notes_of, quantile, same_report, say, skip, wait_for

NOTES = int(os.environ.get("E2E_NOTES", 1000))
RUNS = int(os.environ.get("E2E_RUNS", 40))


def measure(person, how):
    """Runs each verb over and over and prints its p50 and p95."""
    verbs = {
        "ls": lambda i: ["ls"],
        "show": lambda i: ["show", f"notes/talk-{i * 7 % NOTES:04}.md"],
        "show by title": lambda i: ["show", f"Talk number {i * 7 % NOTES:04}"],
        "jot": lambda i: ["jot", f"line {i} of {how}"],
        "status": lambda i: ["status"],
        "version": lambda i: ["version"],
    }
    for name, args in verbs.items():
        times = []
        for i in range(RUNS):
            r = person.run(*args(i))
            need(r.code == 0, f"{name} works: {r}")
            times.append(r.seconds * 1000)
        say(f"   {how}, {name}: p50 {quantile(times, .5):.1f} ms, p95 {quantile(times, .95):.1f} ms over {RUNS} runs")


def verbs(lab):
    """ls, show, jot, status with 1,000 notes, daemon down and up."""
    ada = lab.person("Ada")
    ada.init()
    for i in range(NOTES):
        ada.write(f"notes/talk-{i:04}.md", f"# Talk number {i:04}\n\n" + "some words that were said there\n" * 30)
    begin = time.monotonic()
    ada.run("ls", code=0, timeout=60)
    say(f"   the first verb takes {NOTES} new files in: {time.monotonic() - begin:.2f} s")
    check(len(ada.run("--json", "ls", code=0).lines()) == NOTES, "every file is a note")
    measure(ada, "down")
    begin = time.monotonic()
    ada.up()
    say(f"   up listens after {time.monotonic() - begin:.2f} s")
    measure(ada, "up")
    ada.down()
    jots = [t for p, t in notes_of(ada.dir).items() if "jots" in p]
    check(sum(t.count(b" of down") + t.count(b" of up") for t in jots) == 2 * RUNS, "each jot is there once")


def connected(person):
    return person.status()["peers"]["connected"]


def said_after(person, begin, limit=60):
    wait_for(lambda: connected(person) == 0, limit, f"{person.name}'s status says that nobody is connected", step=0.25)
    return time.monotonic() - begin


def silent_link(lab):
    """A link that falls silent without being closed: after how many seconds status says so (aim: 20)."""
    ada, bram, to_ada, to_bram = network.pair_with_proxy(lab)
    ada.init()
    ada.up()
    bram.join(ada.ticket())
    bram.up()
    same_report([ada, bram])
    wait_for(lambda: connected(ada) and connected(bram), 10, "both are connected")
    begin = time.monotonic()
    to_ada.silent = to_bram.silent = True
    times = {p.name: said_after(p, begin) for p in (ada, bram)}
    say("   idle: " + ", ".join(f"{name}'s status says so after {t:.1f} s" for name, t in times.items()))
    check(max(times.values()) <= 25, f"status says within 25 s that an idle link is cut: {times}")
    r = ada.run("status", code=0)
    say("   status then:\n      " + "\n      ".join(r.out.splitlines()))
    check("nobody is connected" in r.out or "not connected" in r.out, f"in words: {r.out}")
    check("reach" in r.out or "answer" in r.out or "time" in r.out, f"and why: {r.out}")
    to_ada.cut()
    to_bram.cut()
    to_ada.silent = to_bram.silent = False
    begin = time.monotonic()
    wait_for(lambda: connected(ada) and connected(bram), 60, "they meet again when the link is back")
    say(f"   connected again {time.monotonic() - begin:.1f} s after the link was back")

    # And while something is under way.
    same_report([ada, bram])
    to_ada.silent = to_bram.silent = True
    ada.write("notes/unsent.md", "# Unsent\n")
    begin = time.monotonic()
    wait_for(lambda: ada.status()["peers"]["unacknowledged"] > 0, 10, "status says that something is not acknowledged", step=0.1)
    say(f"   an edit into the silence: said to be unacknowledged after {time.monotonic() - begin:.2f} s")
    t = said_after(ada, begin)
    say(f"   status says that nobody is connected after {t:.1f} s")
    check(t <= 25, f"with an edit under way too: {t}")
    s = ada.status()
    check(s["peers"]["unacknowledged"] > 0, f"it does not forget what is not acknowledged when the peer is gone: {s['peers']}")
    to_ada.cut()
    to_bram.cut()
    to_ada.silent = to_bram.silent = False
    wait_for(lambda: bram.read("notes/unsent.md") == b"# Unsent\n", 60, "the edit arrives when the link is back")
    same_report([ada, bram])
    ada.down()
    bram.down()


why_not = network.available()
if why_not:
    skip(f"silent link: {why_not}")
main(verbs, *(() if why_not else (silent_link,)), seconds=115)
