#!/usr/bin/env python3
"""A network on which friends see each other and cannot connect: status and doctor say so, a bundle carries the notes."""
import os
import shutil
import subprocess
import time

import network
from lab import check, main, need, read, same_report, say, skip, wait_for, without

SAID_S = 15  # the promise: said within so many seconds
ISOLATED = "table bridge isolation { chain between { type filter hook forward priority 0; meta l4proto tcp drop; }\n}"
WALLED = "table inet wall { chain in { type filter hook input priority 0; iif lo accept; ct state established accept; " \
         "meta l4proto tcp reject with icmpx type admin-prohibited; }\n}"


def nft(net, rules):
    with net.inside():
        done = subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True)
    need(done.returncode == 0, f"nft takes the rules: {done.stderr.strip()}")


def up(person, *options):
    """The daemon as a person starts it, on every address; waits until it listens."""
    person.env["RAPPORT_LAN"] = "on"
    offset = len(read(person.log) or b"")
    with open(person.log, "ab") as log:
        person.daemon = person.start(["up", *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(lambda: b"listening on" in (read(person.log) or b"")[offset:], 20, f"{person.name}'s daemon listens")


def friends(lab):
    """Ada and Bram on one LAN and in one report; their daemons are down."""
    lan = network.Lan(lab)
    one, two = network.nets(lab, 2)
    lan.plug(one)
    lan.plug(two)
    ada, bram = lab.person("Ada", one), lab.person("Bram", two)
    ada.init()
    up(ada)
    bram.join(ada.ticket())
    ada.down()
    return lan, ada, bram


def told(person):
    return [line["text"] for line in person.status()["network"]]


def says_so(ada, bram, what):
    """Both are told within SAID_S; returns the line."""
    begin = time.monotonic()
    seconds = {}
    while len(seconds) < 2 and time.monotonic() - begin < 2 * SAID_S:
        for person in (ada, bram):
            if person not in seconds and any("client isolation" in line for line in told(person)):
                seconds[person] = time.monotonic() - begin
        time.sleep(0.1)
    need(len(seconds) == 2, f"{what}: {[p.name for p in (ada, bram) if p not in seconds]} not told: {told(ada)} {told(bram)}, "
                            f"peers {ada.run('--json', 'peers').out}")
    say(f"   {what}: Ada is told after {seconds[ada]:.1f} s, Bram after {seconds[bram]:.1f} s")
    check(max(seconds.values()) <= SAID_S, f"{what}: said within {SAID_S} s: {seconds}")


def words(person):
    """What status and doctor say to a person: what it is, and what to do."""
    text = person.run("status", code=0).out
    for part in ("1 friend is seen on this network", "client isolation", "firewall", "hotspot", "rapport bundle write",
                 "next: rapport doctor"):
        check(part in text, f"status says {part!r}: {text}")
    said = person.run("--json", "doctor", code=3).json()
    line = next(f for f in said["findings"] if f["area"] == "network")
    check(line["state"] == "problem" and "bundle write" in line["todo"] and said["next"] == line["todo"], f"doctor: {said}")
    say("   " + person.run("doctor", code=3).out.replace("\n", "\n   ").rstrip())


def bundles(lab, ada, bram):
    """What each wrote goes to the other in a file."""
    ada.write("notes/ada.md", "# From Ada\n")
    bram.write("notes/bram.md", "# From Bram\n")
    for writer, reader, name in ((ada, bram, "ada.bundle"), (bram, ada, "bram.bundle")):
        path = os.path.join(lab.path, name)
        writer.run("bundle", "write", path, code=0)
        reader.run("bundle", "read", path, code=0)
        reader.run("bundle", "read", path, code=0)  # twice is harmless
    same_report([ada, bram], 10, "equal digests after the bundles")
    wait_for(lambda: bram.read("notes/ada.md") and ada.read("notes/bram.md"), 10, "both files are there")


def client_isolation(lab):
    """Multicast passes, TCP between the two does not: said within 15 s, bundles carry, and it heals."""
    lan, ada, bram = friends(lab)
    nft(lan.net, ISOLATED)
    up(ada)
    up(bram)
    says_so(ada, bram, "client isolation")
    words(ada)
    words(bram)
    bundles(lab, ada, bram)
    with lan.net.inside():
        subprocess.run(["nft", "delete", "table", "bridge", "isolation"], check=True)
    begin = time.monotonic()
    wait_for(lambda: ada.status()["peers"]["connected"] and bram.status()["peers"]["connected"], 60, "they connect when they may")
    say(f"   connected {time.monotonic() - begin:.1f} s after the network lets them")
    check(told(ada) == [] and told(bram) == [], "and nothing is said any more")
    ada.down()
    bram.down()


@without("asan", "tsan")
def host_firewalls(lab):
    """A firewall on both machines rejects what comes in: said in the same words; one open side is enough."""
    _, ada, bram = friends(lab)
    nft(ada.net, WALLED)
    nft(bram.net, WALLED)
    up(ada)
    up(bram)
    says_so(ada, bram, "firewalls on both machines")
    words(ada)
    with bram.net.inside():
        subprocess.run(["nft", "delete", "table", "inet", "wall"], check=True)
    wait_for(lambda: ada.status()["peers"]["connected"], 60, "Ada dials Bram, who lets in")
    check(told(ada) == [], f"nothing is said any more: {told(ada)}")
    ada.down()
    bram.down()


@without("asan", "tsan")
def isolation_begins(lab):
    """Isolation from one session to the next: that he was here a moment ago hides nothing once he announces himself."""
    lan, ada, bram = friends(lab)
    up(ada)
    up(bram)
    wait_for(lambda: b"Bram is connected" in read(ada.log)[-200:] and b"Ada is connected" in read(bram.log), 20, "they connect")
    bram.down()
    wait_for(lambda: not ada.status()["peers"]["connected"], 10, "Ada hears that he goes")
    check(told(ada) == [], f"no alarm: {told(ada)}")
    nft(lan.net, ISOLATED)
    up(bram)
    says_so(ada, bram, "isolation after a session")
    ada.down()
    bram.down()


@without("asan", "tsan")
def simply_away(lab):
    """A friend who closes the lid is no trouble, though her announcement outlives her."""
    _, ada, bram = friends(lab)
    up(ada)
    up(bram)
    wait_for(lambda: bram.status()["peers"]["connected"], 20, "they connect")
    wait_for(lambda: b"Ada is connected" in read(bram.log), 5, "and Bram's daemon knows")
    ada.net.ip("link", "set", "wlan0", "down")
    wait_for(lambda: not bram.status()["peers"]["connected"], 60, "Bram notices that she is gone")
    end = time.monotonic() + 8  # longer than the first dials take
    while time.monotonic() < end:
        check(told(bram) == [], f"no alarm: {told(bram)}")
        time.sleep(1)
    text = bram.run("status", code=0).out
    check("Ada, not connected, last heard" in text, f"status in words: {text}")
    say("   " + text.replace("\n", "\n   ").rstrip())
    bram.down()


why_not = network.available() or next((f"no {tool} command here" for tool in ("ip", "nft") if not shutil.which(tool)), None)
if not why_not and os.geteuid() != 0:
    why_not = "rules of a network need root"
if why_not:
    skip(f"networks that isolate: {why_not}")
main(*(() if why_not else (client_isolation, isolation_begins, host_firewalls, simply_away)), seconds=300)
