#!/usr/bin/env python3
"""Friends on one tailnet find each other without an address, and what is wrong with the tailnet is said in words.

Each person has a network of his own with a tailnet address on a cable to one switch, and a fake LocalAPI (tailscaled.py);
multicast is off. Nothing touches the machine's own network.

Knobs: E2E_NODES=6 (people who find each other)
"""
import collections
import os
import shutil
import socket
import subprocess
import threading
import time

import network
from lab import check, main, need, read, same_files, same_report, say, skip, wait_for, without
from tailscaled import Tailnet

NODES = int(os.environ.get("E2E_NODES", 6))
PORT = 7171
STRANGERS = 12  # machines of the tailnet where no rapport runs
ETH_ALL = 3


# ---- a tailnet ----

class Net:
    """A switch that carries the tailnet's addresses, and the machines on it."""

    def __init__(self, lab):
        self.lab, self.lan, self.tailnet = lab, network.Lan(lab), Tailnet()
        lab.closers.append(self.tailnet.close)

    def machine(self, name, daemon=True, **options):
        """A machine in a network of its own, with its addresses as tailscaled sets them: alone, and a route."""
        net = network.nets(self.lab, 1)[0]
        self.lan.plug(net)
        net.ip("addr", "flush", "dev", "wlan0", "scope", "global")
        machine = self.tailnet.machine(name, socket=os.path.join(self.lab.path, f"{name}.sock") if daemon else None,
                                       net=net, direct=True, **options)
        four, six = machine.ips
        net.ip("addr", "add", f"{four}/32", "dev", "wlan0")
        net.ip("addr", "add", f"{six}/128", "dev", "wlan0", "nodad")
        net.ip("route", "add", "100.64.0.0/10", "dev", "wlan0", "src", four)
        net.ip("-6", "route", "add", "fd7a:115c:a1e0::/48", "dev", "wlan0", "src", six)
        return machine

    def without_interface(self, name):
        """A machine in userspace mode: its network has loopback alone, what is for it comes in at another one."""
        machine = self.machine(name, tun=False)
        machine.outer = machine.net
        machine.net = network.nets(self.lab, 1)[0]
        machine.accept(PORT)
        return machine

    def person(self, name, tun=True):
        machine = self.machine(name.lower()) if tun else self.without_interface(name.lower())
        p = self.lab.person(name, machine.net)
        p.machine = machine
        p.env |= {"RAPPORT_TAILNET": "on", "RAPPORT_TAILSCALED": machine.socket}
        return p


def up(p, wait=20):
    """The daemon as a person starts it."""
    p.mark = os.path.getsize(p.log) if os.path.exists(p.log) else 0
    with open(p.log, "ab") as log:
        p.daemon = p.start(["-v", "up"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(lambda: b"listening on" in said(p) or p.daemon.poll() is not None, wait, f"{p.name}'s daemon listens")
    need(p.daemon.poll() is None, f"{p.name}'s daemon starts: {said(p)[-400:]!r}")


def said(p):
    return (read(p.log) or b"")[p.mark:]


def report(net, names, userspace=()):
    """One report of these people, joined by tickets that hold no address of anybody, all up."""
    people = [net.person(n, n not in userspace) for n in names]
    people[0].init()
    tickets = [people[0].ticket() for _ in people[1:]]  # nobody listens yet
    up(people[0])
    for p, ticket in zip(people[1:], tickets):
        p.join(ticket)
        up(p)
    return people


def connected(p):
    return p.status()["peers"]["connected"]


def doctor(p):
    """All that doctor says about the tailnet, as one text."""
    r = p.run("doctor", timeout=60)
    return r.out + r.err


def hears(p, words, seconds, what):
    """Waits until doctor says these words."""
    last = [""]

    def says():
        last[0] = doctor(p)
        return words in last[0]
    try:
        wait_for(says, seconds, what, 0.3)
    except Exception:
        say("   doctor said:\n" + last[0])
        raise


class Probes(threading.Thread):
    """Who sends the first packet of a connection to our port at whom, seen at the switch: (time, from, to)."""

    def __init__(self, net):
        super().__init__(daemon=True)
        with net.lan.net.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        self.seen, self.over = [], False
        self.socket.settimeout(0.2)
        net.lab.closers.append(self.end)
        self.start()

    def run(self):
        while not self.over:
            try:
                packet, where = self.socket.recvfrom(200)
            except TimeoutError:
                continue
            except OSError:
                return
            if where[2] == socket.PACKET_OUTGOING:
                continue
            kind, ip = packet[12:14], packet[14:]
            if kind == b"\x08\x00" and ip[9] == 6:
                source, target, tcp = ip[15], ip[19], ip[(ip[0] & 15) * 4:]
            elif kind == b"\x86\xdd" and ip[6] == 6:
                source, target, tcp = ip[23], ip[39], ip[40:]
            else:
                continue
            if tcp[13] & 0x12 == 2 and int.from_bytes(tcp[2:4], "big") == PORT:
                self.seen.append((time.monotonic(), source, target))

    def end(self):
        self.over = True
        self.join(5)
        self.socket.close()

    def fastest(self):
        """The most machines that one machine began to ask within any second."""
        asked, most = collections.defaultdict(list), 0
        for at, source, target in self.seen:
            if all(t != target or at - was > 10 for was, t in asked[source]):
                asked[source].append((at, target))
                most = max(most, sum(1 for was, _ in asked[source] if at - was < 1))
        return most


# ---- tests ----

def without_addresses(lab):
    """All who are on one tailnet meet, though no ticket and nobody names an address; strangers are asked once."""
    net = Net(lab)
    strangers = [net.machine(f"stranger{n}", daemon=False) for n in range(2)]
    for n in range(STRANGERS):
        net.tailnet.machine(f"phone{n}", os="android")
    probes = Probes(net)
    begin = time.monotonic()
    people = report(net, [f"Node{n}" for n in range(NODES)])
    say(f"   {NODES} joined within {time.monotonic() - begin:.1f} s")
    for p in people:
        p.write(f"notes/by-{p.name.lower()}.md", f"# Notes of {p.name}\n")
    same_report(people, 60 + 2 * NODES)
    wait_for(lambda: all(p.read(f"notes/by-{q.name.lower()}.md") for p in people for q in people), 60, "all notes are everywhere", 0.2)
    say(f"   all have all after {time.monotonic() - begin:.1f} s")
    same_files(people)
    rows = [r for r in people[-1].run("--json", "peers", code=0).lines() if r["state"] == "connected"]
    check(rows and all(r["path"] == "tailnet-direct" for r in rows), f"peers names the path: {rows}")
    asked = [s.number for s in strangers]
    counts = collections.Counter((source, target) for _, source, target in probes.seen if target in asked)
    check(counts and max(counts.values()) <= 2 * 2, f"a stranger is asked once by each start (join, up), by both families: {counts.most_common(3)}")
    check(not any(m.os == "android" and m.number == target for m in net.tailnet.machines for _, _, target in probes.seen),
          "no phone is asked")
    fastest = probes.fastest()
    check(fastest <= 5 + NODES, f"five machines are asked in a second, and those that friends told of: {fastest}")
    say(f"   {len(probes.seen)} connections begun; most machines that one asked within a second: {fastest}")
    text = doctor(people[0])
    check("phone" in text or "rapport there" in text, f"doctor says who is skipped: {text}")


@without("asan", "tsan")
def faults(lab):
    """Doctor names a port that is dropped and one that is closed, each state of tailscaled, and its restart."""
    net = Net(lab)
    ada, bram, cleo = report(net, ["Ada", "Bram", "Cleo"])
    same_report([ada, bram, cleo])
    wait_for(lambda: connected(ada) == 2, 30, "all are connected")
    if shutil.which("nft"):
        wall = net.machine("wall", daemon=False, online=False)
        with wall.net.inside():
            r = subprocess.run(["nft", "add table inet t; add chain inet t i { type filter hook input priority 0; }; "
                                       f"add rule inet t i tcp dport {PORT} drop"], capture_output=True, text=True)
        if r.returncode:
            skip(f"no firewall here: {r.stderr.strip()}")
        else:
            ada.down()
            wall.set(online=True)
            up(ada)
            hears(ada, "no answer from wall", 40, "doctor names the machine whose port is dropped")
            check(f"tcp:{PORT}" in doctor(ada), "doctor shows the rule to add")
    else:
        skip("there is no nft")
    wait_for(lambda: connected(ada) == 2, 30, "Ada is back")

    ada.machine.set(state="NeedsLogin", auth_url="https://login.example/a/b")
    hears(ada, "open https://login.example/a/b", 20, "doctor says where to log in")
    check(connected(ada) == 2, "sessions live on")
    ada.machine.set(state="Stopped")
    hears(ada, "Tailscale is stopped", 20, "doctor says that it is stopped")
    ada.machine.set(state="NeedsMachineAuth")
    hears(ada, "approve", 20, "doctor says that an administrator has to approve")
    ada.machine.set(state="Running", self_online=False)
    hears(ada, "control server is not reachable", 20, "doctor says that the control server is away")
    ada.machine.set(self_online=True)

    ada.machine.crash()
    hears(ada, "Tailscale is not running", 20, "doctor says that tailscaled is gone")
    check(connected(ada) == 2, "sessions live on without it")
    ada.machine.start()
    wait_for(lambda: "Tailscale is not running" not in doctor(ada), 20, "tailscaled is back", 0.3)


@without("asan", "tsan")
def comes_and_goes(lab):
    """Somebody whose machine goes off line and comes back, with his daemon started anew, is found again."""
    net = Net(lab)
    ada, bram = report(net, ["Ada", "Bram"])
    same_report([ada, bram])
    bram.down()
    bram.machine.set(online=False)
    wait_for(lambda: connected(ada) == 0, 20, "Bram is gone")
    ada.write("notes/meanwhile.md", "# Meanwhile\n")
    bram.machine.set(online=True)
    up(bram)
    begin = time.monotonic()
    wait_for(lambda: bram.read("notes/meanwhile.md"), 30, "Bram has what was written meanwhile")
    say(f"   after {time.monotonic() - begin:.2f} s")
    same_report([ada, bram])


def userspace(lab):
    """Somebody whose tailscaled has no interface is found, finds others, and is known as a machine of the tailnet."""
    net = Net(lab)
    ada, bram, cleo = report(net, ["Ada", "Bram", "Cleo"], userspace=("Bram", "Cleo"))
    for p in (ada, bram, cleo):
        p.write(f"notes/by-{p.name.lower()}.md", f"# Notes of {p.name}\n")
    same_report([ada, bram, cleo])
    wait_for(lambda: all(connected(p) == 2 for p in (ada, bram, cleo)), 40, "all are connected to all")
    for p in (ada, bram, cleo):
        rows = [r for r in p.run("--json", "peers", code=0).lines() if r["state"] == "connected"]
        check(all(r["path"] == "tailnet-direct" for r in rows), f"{p.name} sees the paths of the tailnet: {rows}")
    text = doctor(bram)
    check("userspace" in text and "tailscaled's dial" in text, f"doctor says how it connects: {text}")
    check(bram.machine.count("dial") or cleo.machine.count("dial"), "tailscaled was asked to dial")
    check(bram.machine.count("whois") or cleo.machine.count("whois"), "tailscaled was asked who came in")

    bram.machine.stop()
    wait_for(lambda: connected(ada) == 1, 60, "without tailscaled Bram is gone for Ada")
    bram.machine.start()
    bram.machine.accept(PORT)
    bram.write("notes/after.md", "# After\n")
    begin = time.monotonic()
    wait_for(lambda: ada.read("notes/after.md") and cleo.read("notes/after.md"), 60, "he is found again")
    say(f"   found again after {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    why = network.available()
    if why:
        skip(why)
        main()
    main(without_addresses, faults, comes_and_goes, userspace, seconds=100 + 10 * NODES)
