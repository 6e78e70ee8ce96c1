#!/usr/bin/env python3
"""Friends on one LAN find each other without an address: how fast, beside avahi, what a listener learns, after sleep
and a change of address, without being found themselves, among strangers and in a flood.

Each person has a network of his own with one cable to a switch in another one; nothing touches the machine's own.

Knobs: E2E_RUNS=3 (starts measured, of each kind), E2E_CAPTURE_S=8 (how long is listened once all are connected),
E2E_SLEEP_S=25 (how long a daemon is stopped)
"""
import base64
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import network
from lab import check, main, need, quantile, read, same_report, say, skip, wait_for, without

RUNS = int(os.environ.get("E2E_RUNS", 3))
CAPTURE_S = int(os.environ.get("E2E_CAPTURE_S", 8))
SLEEP_S = int(os.environ.get("E2E_SLEEP_S", 25))
ALL_PACKETS = 3  # ETH_P_ALL
GROUP4 = "224.0.0.251"
SOURCES = 40  # machines that flood


# ---- people on a LAN ----

def person(lab, lan, name, **kinds):
    net = network.nets(lab, 1)[0]
    lan.plug(net, **kinds)
    p = lab.person(name, net)
    del p.env["RAPPORT_LAN"]
    return p


def up(p, *options, wait=20):
    """The daemon as a person starts it; returns when that was. `p.mark` is where its words begin."""
    p.mark = os.path.getsize(p.log) if os.path.exists(p.log) else 0
    begin = time.monotonic()
    with open(p.log, "ab") as log:
        p.daemon = p.start(["-v", "up", *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(lambda: b"listening on" in said(p) or p.daemon.poll() is not None, wait, f"{p.name}'s daemon listens", 0.002)
    need(p.daemon.poll() is None, f"{p.name}'s daemon starts: {said(p)[-400:]!r}")
    return begin


def said(p):
    return (read(p.log) or b"")[p.mark:]


def meets(p, other, since, seconds=30):
    """Waits until p's daemon says that the other is connected; seconds since then."""
    wait_for(lambda: f"{other.name} is connected".encode() in said(p), seconds, f"{p.name} finds {other.name}", 0.002)
    return time.monotonic() - since


def connected(p):
    return p.status()["peers"]["connected"]


def pair(lab, lan, names=("Ada", "Bram"), **kinds):
    """Two in one report, both down, who know each other's address from joining."""
    a, b = (person(lab, lan, name, **kinds) for name in names)
    a.init()
    up(a)
    b.join(a.ticket())
    a.down()
    return a, b


# ---- finding ----

def measure(lab, kind, **kinds):
    lan = network.Lan(lab)
    ada, bram = pair(lab, lan, **kinds)
    times = []
    for run in range(RUNS):
        # Other addresses than those that they remember, so that nothing but the LAN tells.
        for k, p in enumerate((ada, bram)):
            network.move(p.net, 100 + 2 * run + k)
        up(ada)
        time.sleep(0.3)
        begin = up(bram)
        times.append(meets(bram, ada, begin))
        if run == RUNS - 1:
            bram.write("notes/over-the-lan.md", "# Over the LAN\n")
            wait_for(lambda: ada.read("notes/over-the-lan.md"), 20, "what is written arrives")
            same_report([ada, bram])
            rows = [r for r in bram.run("--json", "peers", code=0).lines() if r["state"] == "connected"]
            say(f"   {kind}: connected by {[r['address'] for r in rows]}")
        bram.down()
        ada.down()
    say(f"   {kind}: from up to the first session, {RUNS} runs: p50 {quantile(times, 0.5) * 1000:.0f} ms, "
        f"p99 {quantile(times, 0.99) * 1000:.0f} ms")


def find_dual(lab):
    """Two who were given no address find each other and sync, over IPv4 and IPv6."""
    measure(lab, "dual")


@without("asan", "tsan")
def find_ipv6(lab):
    """The same where there is IPv6 only."""
    measure(lab, "IPv6 only", v4=False)


@without("asan", "tsan")
def find_ipv4(lab):
    """The same where there is IPv4 only."""
    measure(lab, "IPv4 only", v6=False)


def find_both_at_once(lab):
    """Two who start in the same moment find each other too."""
    ada, bram = pair(lab, network.Lan(lab))
    network.move(ada.net, 100)
    network.move(bram.net, 101)
    begin = up(ada)
    up(bram)
    say(f"   {meets(bram, ada, begin) * 1000:.0f} ms")
    for p in (ada, bram):
        p.down()


def join_without_address(lab):
    """A joiner finds the inviter by the ticket though the addresses in it are old."""
    lan = network.Lan(lab)
    ada, bram = person(lab, lan, "Ada"), person(lab, lan, "Bram")
    ada.init()
    up(ada)
    ticket = ada.ticket()
    ada.down()
    network.move(ada.net, 100)
    up(ada)
    say(f"   joined after {bram.join(ticket).seconds:.1f} s")
    same_report([ada, bram])
    ada.down()


# ---- passive, strangers ----

@without("asan", "tsan")
def passive(lab):
    """Who is passive finds and is not found; two of them do not find each other."""
    ada, bram = pair(lab, network.Lan(lab))
    network.move(ada.net, 100)
    network.move(bram.net, 101)
    up(ada, "--lan", "passive")
    begin = up(bram, "--lan", "passive")
    time.sleep(4)
    check(connected(bram) == 0, "two passive ones do not find each other")
    ada.down()
    begin = up(ada)
    meets(bram, ada, begin)
    check(b"connected to" in said(bram) and b"accepted from" in said(ada), "the passive one has dialled")
    for p in (ada, bram):
        p.down()


# ---- what a listener learns ----

class Listener(threading.Thread):
    """Every packet of the switch, as (time, interface, Ethernet frame)."""

    def __init__(self, lab, lan):
        super().__init__(daemon=True)
        with lan.net.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PACKETS))
        self.socket.settimeout(0.2)
        self.frames, self.over = [], False
        lab.closers.append(self.stop)
        self.start()

    def run(self):
        while not self.over:
            with contextlib.suppress(socket.timeout):
                frame, where = self.socket.recvfrom(65536)
                if where[0].startswith("port") and where[2] != socket.PACKET_OUTGOING:
                    self.frames.append((time.monotonic(), where[0], frame))

    def stop(self):
        if not self.over:
            self.over = True
            self.join(5)
            self.socket.close()


def udp_of(frame):
    """(family, source port, destination, destination port, payload) of a frame, None where it holds no UDP."""
    kind, ip = struct.unpack(">H", frame[12:14])[0], frame[14:]
    if kind == 0x0800 and ip[9] == 17:
        family, to, udp = 4, ip[16:20], ip[(ip[0] & 15) * 4:]
    elif kind == 0x86dd and ip[6] == 17:
        family, to, udp = 6, ip[24:40], ip[40:]
    else:
        return None
    source, port = struct.unpack(">HH", udp[:4])
    return family, source, to, port, udp[8:]


def mdns_of(frames):
    """(time, port, family, unicast, is answer, payload) of mDNS packets."""
    found = []
    for at, where, frame in frames:
        udp = udp_of(frame)
        if udp and 5353 in (udp[1], udp[3]):
            unicast = udp[2][0] not in (224, 0xff)
            found.append((at, where, udp[0], unicast, bool(udp[4][2] & 0x80), udp[4]))
    return found


def pieces_of(p):
    """What must not be seen: names, ids, keys."""
    rows = p.run("--json", "member", "ls", code=0).lines()
    found = {p.name.encode(), b"FOSDEM", socket.gethostname().encode()}
    for row in rows:
        found.add(row["name"].encode())
        for key in ("device", "id", "key"):
            if isinstance(row.get(key), str) and len(row[key]) >= 16:
                found |= {row[key].encode(), bytes.fromhex(row[key])}
    return {f for f in found if len(f) >= 3}


def texts_of(packets):
    """The TXT strings s= and t= that were announced."""
    found = set()
    for packet in packets:
        for mark in (b"s=", b"t="):
            at = packet[5].find(mark)
            if at > 0:
                found.add(packet[5][at:at + packet[5][at - 1]])
    return found


@without("asan", "tsan")
def listen(lab):
    """Two reports on one LAN: no stranger connects, nothing names anybody, and the air is quiet once all are connected."""
    lan = network.Lan(lab)
    one, two = pair(lab, lan), pair(lab, lan, ("Cleo", "Dora"))
    everybody = (*one, *two)
    secrets = set().union(*(pieces_of(p) for p in everybody))
    seen = []
    for day in range(2):
        for k, p in enumerate(everybody):
            network.move(p.net, 100 + 10 * day + k)
        listener = Listener(lab, lan)
        begin = time.monotonic()
        for p in everybody:
            up(p)
        meets(one[1], one[0], begin)
        meets(two[1], two[0], begin)
        time.sleep(6)  # the last of the first announcements has gone out
        quiet = time.monotonic()
        if day == 0:
            time.sleep(CAPTURE_S)
        listener.stop()
        packets = mdns_of(listener.frames)
        need(packets, "mDNS was captured")
        for p in everybody:
            strangers = two if p in one else one
            check(not any(s.name.encode() in said(p) for s in strangers), f"{p.name} is connected to no stranger")
            p.down()
        for secret in secrets:
            check(not any(secret.lower() in packet[5].lower() for packet in packets), f"{secret!r} is not in clear")
        seen.append(texts_of(packets))
        if day == 0:
            tell_quiet([p for p in packets if p[0] >= quiet])
    check(seen[0] and seen[1] and not seen[0] & seen[1], "no salt and no tag is seen on both days")


def tell_quiet(packets):
    """Nobody asks any more, so every multicast is unsolicited, unless somebody asked within the last second."""
    counts = {}
    for at, where, family, unicast, answer, _ in packets:
        if not unicast and not (answer and any(not q[4] and at - 1 <= q[0] <= at for q in packets)):
            counts[where, family] = counts.get((where, family), 0) + 1
    most = 1 + CAPTURE_S // 900
    say(f"   {CAPTURE_S} s once connected: {len(packets)} mDNS packets, unsolicited by interface and family: {counts}")
    check(all(n <= most for n in counts.values()), f"at most {most} unsolicited packets of each: {counts}")


# ---- beside avahi ----

DBUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/><allow user="*"/></policy></busconfig>
"""


def start_avahi(lab, net, env):
    """A bus and an avahi-daemon of our own, with a /run of their own, in that network."""
    bus, conf = os.path.join(lab.path, "bus"), os.path.join(lab.path, "bus.conf")
    with open(conf, "w") as f:
        f.write(DBUS.format(path=bus))
    with open(os.path.join(lab.path, "avahi.conf"), "w") as f:
        f.write("[server]\nhost-name=other-machine\nuse-ipv4=yes\nuse-ipv6=yes\nallow-interfaces=wlan0\n"
                "[publish]\npublish-workstation=yes\npublish-hinfo=no\n")
    env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={bus}"
    run = ("mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot "
           f"--no-proc-title -f {lab.path}/avahi.conf")
    with net.inside():
        log = open(os.path.join(lab.path, "avahi.log"), "wb")
        lab.closers.append(log.close)
        lab.processes.append(subprocess.Popen(["dbus-daemon", f"--config-file={conf}", "--nofork", "--nopidfile"],
                                              stdout=log, stderr=log))
        wait_for(lambda: os.path.exists(bus), 10, "the bus listens")
        avahi = subprocess.Popen(["unshare", "-m", "sh", "-c", run], env=env, stdout=log, stderr=log)
    lab.processes.append(avahi)
    return avahi


def browse(net, env, kind):
    with net.inside():
        done = subprocess.run(["avahi-browse", "-rpt", kind], env=env, capture_output=True, text=True, timeout=20)
    return done.stdout


@without("asan", "tsan")
def beside_avahi(lab):
    """Beside an avahi-daemon both work: friends are found, avahi keeps publishing, avahi-browse shows us."""
    missing = [p for p in ("avahi-daemon", "avahi-browse", "dbus-daemon", "unshare") if not shutil.which(p)]
    if missing:
        return skip(f"beside avahi: there is no {', '.join(missing)} here")
    lan = network.Lan(lab)
    ada, bram = pair(lab, lan)
    env = {**os.environ}
    avahi = start_avahi(lab, ada.net, env)
    log = os.path.join(lab.path, "avahi.log")
    wait_for(lambda: b"Server startup complete" in (read(log) or b"") or avahi.poll() is not None, 20, "avahi starts")
    if avahi.poll() is not None:
        return skip(f"beside avahi: it does not start here: {(read(log) or b'')[-200:]!r}")
    network.move(bram.net, 101)
    up(ada)
    begin = up(bram)
    meets(bram, ada, begin)
    ours = wait_for(lambda: [line for line in browse(ada.net, env, "_rapport._tcp").splitlines() if line[0] == "="],
                    20, "avahi-browse shows rapport")
    say(f"   avahi-browse shows {len(ours)} rows, one: {ours[0][:150]}")
    check(not any(p.name in row for row in ours for p in (ada, bram)), "by no name")
    theirs = browse(ada.net, env, "_workstation._tcp")
    check("other-machine" in theirs, f"avahi still publishes what is its own: {theirs[:200]!r}")
    check(avahi.poll() is None, "avahi runs on")
    for p in (ada, bram):
        p.down()


def port_is_taken(lab):
    """Where another program has port 5353 for itself alone, friends are found all the same, and doctor says so."""
    lan = network.Lan(lab)
    ada, bram = pair(lab, lan)
    network.move(ada.net, 100)
    network.move(bram.net, 101)
    with bram.net.inside():
        holders = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
    holders[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for holder, address in zip(holders, ("0.0.0.0", "::")):
        holder.bind((address, 5353))
    up(ada)
    begin = up(bram)
    say(f"   {meets(bram, ada, begin) * 1000:.0f} ms")
    told = bram.run("doctor").out
    check("port 5353 is not to be had" in told, f"doctor says so: {told[-1500:]}")
    for holder in holders:
        holder.close()
    for p in (ada, bram):
        p.down()


# ---- sleep and roaming ----

def exchange(ada, bram, name, since, seconds=60):
    wait_for(lambda: bram.read(f"notes/{name}-ada.md") and ada.read(f"notes/{name}-bram.md"), seconds,
             f"{name}: what was written meanwhile arrives", 0.005)
    return time.monotonic() - since


def write_both(ada, bram, name):
    ada.write(f"notes/{name}-ada.md", f"# Ada, {name}\n")
    bram.write(f"notes/{name}-bram.md", f"# Bram, {name}\n")


@without("asan", "tsan")
def sleep_and_roam(lab):
    """After sleep, and after a link with another address, the session is back at once and nothing is lost."""
    ada, bram = pair(lab, network.Lan(lab))
    begin = up(ada)
    up(bram)
    meets(bram, ada, begin)
    os.kill(ada.daemon.pid, signal.SIGSTOP)
    write_both(ada, bram, "asleep")
    time.sleep(SLEEP_S)
    gone = connected(bram) == 0
    os.kill(ada.daemon.pid, signal.SIGCONT)
    say(f"   stopped for {SLEEP_S} s (friend {'gone' if gone else 'still there'}): everything there "
        f"{exchange(ada, bram, 'asleep', time.monotonic()):.2f} s after it went on")
    same_report([ada, bram])

    for name, n in (("away", 100), ("back", 2)):
        ada.net.ip("link", "set", "wlan0", "down")
        write_both(ada, bram, name)
        time.sleep(2)
        begin = time.monotonic()
        network.move(ada.net, n)
        settled = time.monotonic()
        exchange(ada, bram, name, settled)
        say(f"   another address ({name}): everything there {time.monotonic() - settled:.2f} s after the link had its "
            f"addresses, {time.monotonic() - begin:.2f} s after it was up")
        same_report([ada, bram])
    for p in (ada, bram):
        p.down()


# ---- a flood ----

def name_of(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def fake(n):
    """An announcement of an instance that does not exist."""
    label = base64.b32encode(n.to_bytes(10, "big")).lower()
    service = (b"_rapport", b"_tcp", b"local")
    text = b"\x03v=1" + bytes([2 + 11]) + b"s=" + label[:11] + bytes([2 + 43]) + b"t=" + (label * 3)[:43]

    def record(name, kind, data):
        return name + struct.pack(">HHIH", kind, 1, 120, len(data)) + data
    answers = [record(name_of(*service), 12, name_of(label, *service)),
               record(name_of(label, *service), 33, struct.pack(">HHH", 0, 0, 7171) + name_of(label, b"local")),
               record(name_of(label, *service), 16, text),
               record(name_of(label, b"local"), 1, bytes([10, 77, 200, n % 250 + 1]))]
    return struct.pack(">HHHHHH", 0, 0x8400, 0, len(answers), 0, 0) + b"".join(answers)


def multicaster(net, address):
    """A socket that sends to the group from that address, which the network gets for it."""
    net.ip("addr", "add", f"{address}/16", "dev", "wlan0")
    with net.inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    s.bind((address, 5353))
    return s


def memory_kb(p):
    for line in open(f"/proc/{p.daemon.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


@without("asan", "tsan")
def flood(lab):
    """10,000 instances that do not exist: memory stays bounded, and a friend is found all the same."""
    lan = network.Lan(lab)
    ada, bram = pair(lab, lan)
    stranger = network.nets(lab, 1)[0]
    lan.plug(stranger)
    network.move(ada.net, 100)
    network.move(bram.net, 101)
    up(ada)
    before = memory_kb(ada)
    sockets = [multicaster(stranger, f"10.77.250.{k + 1}") for k in range(SOURCES)]
    begin = time.monotonic()
    for n in range(10000):
        with contextlib.suppress(BlockingIOError):
            sockets[n % SOURCES].sendto(fake(n), (GROUP4, 5353))
        if n == 5000:
            begin = up(bram)
        if n % 20 == 0:
            time.sleep(0.02)
    took = meets(bram, ada, begin)
    after = memory_kb(ada)
    for s in sockets:
        s.close()
    say(f"   found {took * 1000:.0f} ms after up; memory {before} KB before, {after} KB after")
    say("   " + next(line for line in ada.run("doctor").out.splitlines() if "announced" in line).strip())
    check(after - before < 8192, f"memory grew by less than 8 MB: {before} KB, then {after} KB")
    for p in (ada, bram):
        p.down()


if os.geteuid() != 0:
    skip("people on a LAN: needs root")
    main()
why_not = network.available() or (None if shutil.which("ip") else "no ip command here")
if why_not:
    skip(f"people on a LAN: {why_not}")
main(*(() if why_not else (find_dual, find_ipv6, find_ipv4, find_both_at_once, join_without_address, passive, listen,
                           beside_avahi, port_is_taken, sleep_and_roam, flood)), seconds=300)
