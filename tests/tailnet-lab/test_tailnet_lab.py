#!/usr/bin/env python3
"""Four friends on a real tailnet find each other without an address, and are told what is wrong.

One tailnet serves all steps, in order; after each, all friends have the same report again. What `status` and `doctor`
say is printed, and asserted on by single words, so that texts may be polished without breaking this.
"""
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lab_headscale
from lab import Person, Stop, check, main, read, same_files, same_report, say, skip, wait_for
from lab_headscale import ALLOW_ALL, Tailnet

NAMES = ["Ada", "Bram", "Chloe", "Dirk"]
PORT = 7171
BLOCKED = {"acls": [{"action": "accept", "src": ["*"], "dst": [f"*:1-{PORT - 1},{PORT + 20}-65535"]}]}
MEET_SECONDS = 45
SAY_SECONDS = 40
BACK_SECONDS = 60


class Friend(Person):
    """A person whose machine is on the tailnet."""

    def __init__(self, lab, name, node):
        super().__init__(lab, name, node.net, PORT)
        self.node = node
        self.env.update(RAPPORT_TAILNET="on", RAPPORT_TAILSCALED=node.socket)

    def up(self):
        """As people start it: no address, no port."""
        offset = len(read(self.log) or b"")
        with open(self.log, "ab") as log:
            self.daemon = self.start(["up", "-v"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: b"listening on" in read(self.log)[offset:], 20, f"{self.name}'s daemon listens")

    def forget(self):
        """Takes away the addresses where friends were before (the record local/peers), the daemon being down."""
        with contextlib.closing(sqlite3.connect(self.file(".rapport/report.db"))) as db, db:
            db.execute("DELETE FROM records WHERE key = ?", (b"local/peers",))

    def friends(self):
        """Names of those who are connected."""
        rows = self.run("--json", "peers", code=0).lines()
        return {r["name"] for r in rows if r["state"] == "connected"}

    def says(self):
        """What status and doctor tell."""
        return "\n".join(self.run(verb).out for verb in ("status", "doctor"))

    def wait_says(self, pattern, seconds=SAY_SECONDS):
        """Waits until a line of status or doctor has the pattern; prints such lines, else all that is said."""
        def lines():
            return [line.strip() for line in self.says().splitlines() if re.search(pattern, line, re.I)]
        begin = time.monotonic()
        try:
            found = wait_for(lines, seconds, f"{self.name}'s status or doctor say /{pattern}/", step=0.5)
        except Stop:
            say(f"   {self.name} was told instead:\n{self.says()}")
            return
        check(True, pattern)
        say(f"   {self.name} is told after {time.monotonic() - begin:.1f} s:")
        for line in found:
            say(f"      {line}")


class Story:
    """The tailnet, the friends, and what all steps do."""

    def __init__(self, lab):
        begin = time.monotonic()
        self.tailnet = Tailnet(lab, NAMES)
        say(f"   the tailnet stands after {time.monotonic() - begin:.1f} s")
        self.friends = [Friend(lab, name, self.tailnet.nodes[name]) for name in NAMES]
        self.n = 0

    def write(self, friend):
        """A new note of this friend; gives its path."""
        self.n += 1
        path = f"notes/{self.n:02}-{friend.name.lower()}.md"
        friend.write(path, f"# {self.n} of {friend.name}\n\nwritten at {time.time():.0f}\n")
        return path

    def arrives(self, writer, readers, seconds=30):
        """Writes a note and waits for it at each reader."""
        path, begin = self.write(writer), time.monotonic()
        for reader in readers:
            wait_for(lambda r=reader: r.read(path), seconds, f"{reader.name} gets {writer.name}'s {path}")
        say(f"   from {writer.name} to {', '.join(r.name for r in readers)}: {time.monotonic() - begin:.2f} s")

    def equal(self, seconds=BACK_SECONDS, what="all have the same report again"):
        begin = time.monotonic()
        digest = same_report(self.friends, seconds, what)
        same_files(self.friends)
        say(f"   {what}: {digest}, after {time.monotonic() - begin:.1f} s")

    def mesh(self, seconds=MEET_SECONDS):
        begin = time.monotonic()
        for f in self.friends:
            wait_for(lambda f=f: len(f.friends()) == len(NAMES) - 1, seconds, f"{f.name} is connected to all", step=0.2)
        say(f"   everybody is connected to everybody: {time.monotonic() - begin:.1f} s later")


def one_report(story):
    """One makes a report and hands out tickets; three join."""
    ada, *others = story.friends
    ada.init()
    ada.up()
    for friend in others:
        r = friend.join(ada.ticket())
        say(f"   {friend.name} joined in {r.seconds:.1f} s")
    ada.down()


def they_meet(story):
    """All start at once with no address known to anyone: the tailnet alone brings them together."""
    for friend in story.friends:
        friend.forget()
        story.write(friend)
    begin = time.monotonic()
    for friend in story.friends:
        friend.up()
    same_report(story.friends, MEET_SECONDS, "four notes of four friends are with everybody")
    say(f"   from the first `up` to equal digests: {time.monotonic() - begin:.1f} s")
    story.mesh()
    ada = story.friends[0]
    ada.wait_says(r"^(?!.*not looked for).*(tailnet|tailscale)")
    by_cable = [f.name for f in story.friends for r in f.run("--json", "peers", code=0).lines()
                if r["state"] == "connected" and r["address"].startswith("10.99.")]
    check(not by_cable, f"nobody is connected but by the tailnet: {by_cable}")
    for line in ada.run("peers").out.splitlines():
        say(f"      {line.strip()}")


def node_killed(story):
    """A friend's tailscaled dies: he is told, the others go on, and all is well when it is back."""
    *others, dirk = story.friends
    dirk.node.end(9)
    story.write(dirk)
    dirk.wait_says(r"(not running|nobody answers|no tailscaled|cannot be reached|is not there)")
    story.arrives(others[0], others[1:])
    others[0].wait_says(r"dirk.*not connected")
    dirk.node.up()
    story.equal()


def server_stopped(story):
    """The control server stops: whoever is connected stays so, and is told."""
    ada, bram, chloe, dirk = story.friends
    story.tailnet.server.end()
    story.arrives(ada, [bram, chloe, dirk])
    ada.wait_says(r"control server|coordination|offline", 120)
    story.arrives(dirk, [ada, bram, chloe])
    story.tailnet.server.up()
    story.tailnet.all_online(120)
    story.equal()


def port_blocked(story):
    """The policy blocks our port: who starts then is told the rule to add, and all is well when it is added."""
    ada, *others = story.friends
    ada.down()
    story.tailnet.server.set_policy(BLOCKED)
    wait_for(lambda: not reaches(others[0].node, ada.node), 20, "the policy is in force", step=0.5)
    for friend in others:
        friend.down()
    for friend in story.friends:
        friend.up()
    story.write(ada)
    ada.wait_says(rf"(policy|rule|acl).*|.*{PORT}.*(policy|rule|acl)")
    check(not ada.friends(), "nobody is connected while the port is blocked")
    story.tailnet.server.set_policy(ALLOW_ALL)
    story.equal()


def reaches(from_node, to_node):
    """Whether a connection from one machine to our port of another is answered at all, be it by a refusal."""
    address = to_node.status()["TailscaleIPs"][0]
    code = ("import socket, sys\ns = socket.socket()\ns.settimeout(2)\n"
            "try:\n s.connect((sys.argv[1], int(sys.argv[2])))\nexcept TimeoutError:\n sys.exit(1)\nexcept OSError:\n pass")
    with from_node.net.inside():
        return subprocess.run([sys.executable, "-c", code, address, str(PORT)], timeout=10).returncode == 0


def userspace(story):
    """A node goes over to userspace networking, where its address is on no interface, and back."""
    ada, bram, chloe, dirk = story.friends
    for tun in ("userspace-networking", "tailscale0"):
        chloe.node.end()
        chloe.node.up(tun)
        story.tailnet.all_online(60)
        if tun != "tailscale0":
            chloe.wait_says("userspace")
        story.arrives(chloe, [ada, bram, dirk], BACK_SECONDS)
        story.arrives(ada, [bram, chloe, dirk], BACK_SECONDS)
        story.equal()


def started_anew(story):
    """With userspace networking from the start, and nobody's address known, they meet as well."""
    chloe = story.friends[2]
    for friend in story.friends:
        friend.down()
        friend.forget()
        story.write(friend)
    chloe.node.end()
    chloe.node.up("userspace-networking")
    story.tailnet.all_online(60)
    for friend in story.friends:
        friend.up()
    story.equal(what="all meet again")
    for friend in story.friends:
        friend.down()


def tailnet_lab(lab):
    """Four friends on one tailnet, through its troubles."""
    say("   " + ", ".join(f"{name} {version}" for name, version in lab_headscale.versions().items()))
    story = Story(lab)
    for step in (one_report, they_meet, node_killed, server_stopped, port_blocked, userspace, started_anew):
        say(f"-- {step.__doc__.splitlines()[0]}")
        step(story)


why_not = lab_headscale.missing()
if why_not:
    skip(why_not)
main(*(() if why_not else (tailnet_lab,)), seconds=300)
