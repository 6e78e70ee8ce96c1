#!/usr/bin/env python3
"""Two daemons in two network namespaces with a veth pair between them: joining over it, link down and up, new address."""
import os
import shutil
import subprocess
import time

import network
from lab import main, need, read, same_files, same_report, say, skip, wait_for


def ip(net, *args):
    with net.inside():
        r = subprocess.run(["ip", *args], capture_output=True, text=True)
    need(r.returncode == 0, f"ip {' '.join(args)}: {r.stderr.strip()}")


def connect(one, two):
    """A cable between two networks, with IPv4 and IPv6 at both ends. Not called veth: such are taken for containers."""
    with one.inside():
        r = subprocess.run(["ip", "link", "add", "wlan-a", "type", "veth", "peer", "name", "wlan-b"],
                           capture_output=True, text=True)
        if r.returncode:
            return r.stderr.strip() or "ip link add failed"
    with two.inside():
        holder = subprocess.Popen(["sleep", "60"])
    try:
        ip(one, "link", "set", "wlan-b", "netns", str(holder.pid))
    finally:
        holder.kill()
        holder.wait()
    for net, name, n in ((one, "wlan-a", 1), (two, "wlan-b", 2)):
        ip(net, "addr", "add", f"10.77.0.{n}/24", "dev", name)
        ip(net, "addr", "add", f"fd77::{n}/64", "dev", name, "nodad")
        ip(net, "link", "set", name, "up")
    return None


def up(person, *addresses):
    """The daemon on all addresses of its machine, as a person starts it."""
    listen = [word for a in addresses for word in ("--listen", a)]
    with open(person.log, "ab") as log:
        person.daemon = person.start(["up", *listen], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(lambda: b"listening on" in (read(person.log) or b""), 20, f"{person.name}'s daemon listens")


def connected(person):
    return person.status()["peers"]["connected"]


def link_down_and_up(lab):
    """Join by the ticket's own addresses, link down for 3 s and for 40 s, back: reconnects, everything arrives."""
    one, two = network.nets(lab, 2)
    why = connect(one, two)
    if why:
        return skip(f"no veth pair here: {why}")
    ada, bram = lab.person("Ada", one), lab.person("Bram", two)
    ada.init()
    up(ada)
    bram.join(ada.ticket())
    up(bram)
    same_report([ada, bram])
    wait_for(lambda: connected(ada) and connected(bram), 10, "both are connected")
    rows = [r["address"] for r in bram.run("--json", "peers", code=0).lines() if r["state"] == "connected"]
    say(f"   connected by {rows}")

    for seconds in (3, 40):
        ip(one, "link", "set", "wlan-a", "down")
        begin = time.monotonic()
        ada.write(f"notes/meanwhile-{seconds}.md", "# Ada, meanwhile\n")
        bram.write(f"notes/offline-{seconds}.md", "# Bram, meanwhile\n")
        said = None
        while time.monotonic() - begin < seconds:
            if said is None and connected(ada) == 0:
                said = time.monotonic() - begin
            time.sleep(0.25)
        ip(one, "link", "set", "wlan-a", "up")
        ip(one, "addr", "replace", "fd77::1/64", "dev", "wlan-a", "nodad")  # the kernel drops it with the link
        begin = time.monotonic()
        wait_for(lambda: bram.read(f"notes/meanwhile-{seconds}.md") and ada.read(f"notes/offline-{seconds}.md"), 60,
                 "what was written meanwhile arrives", step=0.01)
        say(f"   down for {seconds} s: " + (f"status said so after {said:.1f} s, " if said else "") +
            f"everything there {time.monotonic() - begin:.2f} s after the link was up")
        same_report([ada, bram])

    # Ada comes back under other addresses: who she is does not hang on them.
    ip(one, "link", "set", "wlan-a", "down")
    ip(one, "addr", "flush", "dev", "wlan-a")
    ip(one, "addr", "add", "10.77.0.99/24", "dev", "wlan-a")
    ip(one, "addr", "add", "fd77::99/64", "dev", "wlan-a", "nodad")
    ip(one, "link", "set", "wlan-a", "up")
    ada.write("notes/moved.md", "# Moved\n")
    begin = time.monotonic()
    wait_for(lambda: bram.read("notes/moved.md"), 60, "after a change of address too", step=0.01)
    say(f"   other addresses: everything there after {time.monotonic() - begin:.2f} s")
    same_report([ada, bram])
    same_files([ada, bram])
    ada.down()
    bram.down()


if os.geteuid() != 0:
    skip("two namespaces with a cable: needs root")
    main()
why_not = network.available() or (None if shutil.which("ip") else "no ip command here")
if why_not:
    skip(f"two namespaces with a cable: {why_not}")
main(*(() if why_not else (link_down_and_up,)))
