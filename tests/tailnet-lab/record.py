#!/usr/bin/env python3
"""Writes what a real tailscaled answers: record.py FOLDER makes FOLDER/<version>/*.json for the fake LocalAPI's tests.

Each file is one request and its answer: `request`, `code`, `header`, and `body` (JSON) or `text`, or for the bus
`lines`. Keys, ports that the system chose and the build's name are replaced; names and addresses are the lab's own.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lab_headscale
from lab import Lab, say, wait_for
from lab_headscale import Tailnet, http

LEFT_OUT = {"PacketFilter", "PacketFilterRules", "DERPMap", "DNS", "SSHPolicy", "Hostinfo"}
HOST = "Host: local-tailscaled.sock\r\n"
GRANT = {"tagOwners": {"tag:notes": ["ada@"]},
         "grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"], "app": {"example.org/cap/notes": [{"role": "friend"}]}}]}


class Recorder:
    def __init__(self, folder, version):
        self.folder, self.keys = os.path.join(folder, version), {}
        os.makedirs(self.folder, exist_ok=True)

    def scrub(self, text):
        def key(match):
            n = self.keys.setdefault(match[0], len(self.keys) + 1)
            return f"{match[1]}:{n:064x}"
        text = re.sub(r"\b([a-z]+(?:key|pub)):[0-9a-f]{64}\b", key, text)
        text = re.sub(r"(http://(?:100\.[0-9.]+|\[[0-9a-f:]+\])):\d+", r"\1:40000", text)
        text = re.sub(r'("(?:BackendLogID|OSVersion|SessionID)": )"[^"]*"', r'\1"left out"', text)
        return re.sub(r"-ERR-BuildInfo", "", text)

    def write(self, name, record):
        with open(os.path.join(self.folder, f"{name}.json"), "w") as f:
            f.write(self.scrub(json.dumps(record, indent=1, ensure_ascii=False)) + "\n")
        say(f"   {name}: {record.get('code')} {str(record.get('text', ''))[:90]!r}")

    def ask(self, name, node, first, headers=HOST, seconds=3):
        code, header, body = http(node.socket, f"{first}\r\n{headers}\r\n", seconds)
        record = {"request": f"{first}\r\n{headers}".strip().split("\r\n"), "code": code,
                  "header": header.split("\r\n")}
        try:
            record["body"] = json.loads(body)
        except ValueError:
            record["text"] = body.decode("utf-8", "replace")
        self.write(name, record)

    def get(self, name, node, path):
        self.ask(name, node, f"GET /localapi/v0/{path} HTTP/1.0")

    def bus(self, name, node, mask, seconds=20):
        """Starts listening; returns what ends it and writes the lines."""
        begin, got = time.monotonic(), {}

        def listen():
            got["answer"] = http(node.socket, f"GET /localapi/v0/watch-ipn-bus?mask={mask} HTTP/1.0\r\n{HOST}\r\n",
                                 seconds)
        thread = threading.Thread(target=listen)
        thread.start()
        time.sleep(0.5)

        def end():
            thread.join()
            code, header, body = got["answer"]
            lines = [line for line in body.splitlines() if line.strip().startswith(b"{")]
            record = {"request": [f"GET /localapi/v0/watch-ipn-bus?mask={mask} HTTP/1.0"], "code": code,
                      "header": header.split("\r\n"), "seconds": round(time.monotonic() - begin),
                      "lines": [shorten(json.loads(line)) for line in lines]}
            if not record["lines"]:
                record["text"] = body.decode("utf-8", "replace")
            self.write(name, record)
        return end


def shorten(value):
    """A network map without the lists that say nothing to us (the packet filter, relays)."""
    if isinstance(value, dict):
        return {k: "left out" if k in LEFT_OUT and v else shorten(v) for k, v in value.items()}
    return [shorten(v) for v in value[:4]] if isinstance(value, list) else value


def answers(rec, node, peer):
    rec.get("status", node, "status")
    rec.get("status-no-peers", node, "status?peers=false")
    rec.ask("status-chunked", node, "GET /localapi/v0/status?peers=false HTTP/1.1", HOST + "Connection: close\r\n")
    rec.get("whois-peer", node, f"whois?addr={peer}:7171&proto=tcp")
    rec.get("whois-peer-v6", node, "whois?addr=[fd7a:115c:a1e0::2]:7171&proto=tcp")
    rec.get("whois-mapped", node, f"whois?addr=[::ffff:{peer}]:7171&proto=tcp")
    rec.get("whois-self", node, "whois?addr=100.64.0.1:7171&proto=tcp")
    rec.get("whois-nobody", node, "whois?addr=10.99.0.3:7171&proto=tcp")
    rec.get("whois-loopback", node, "whois?addr=127.0.0.1:7171&proto=tcp")
    rec.get("whois-bad", node, "whois?addr=nonsense&proto=tcp")
    rec.get("whois-none", node, "whois")
    rec.get("unknown", node, "nonsense")
    rec.ask("host-wrong", node, "GET /localapi/v0/status HTTP/1.0", "Host: example.org\r\n")
    rec.ask("host-empty", node, "GET /localapi/v0/status?peers=false HTTP/1.0", "")
    rec.ask("origin", node, "GET /localapi/v0/status HTTP/1.0", HOST + "Origin: http://example.org\r\n")
    rec.ask("post-status", node, "POST /localapi/v0/status HTTP/1.0")
    for mask in ("nonsense", str(256 + 4096), str(256 + 32768), str(1 << 40)):
        rec.bus(f"bus-mask-{mask}", node, mask, 1)()


def dials(rec, prefix, node, peer, port):
    def dial(name, host, to, extra=""):
        rec.ask(f"{prefix}dial-{name}", node, "POST /localapi/v0/dial HTTP/1.1",
                f"{HOST}Connection: upgrade\r\nUpgrade: ts-dial\r\nDial-Host: {host}\r\nDial-Port: {to}\r\n"
                f"Dial-Network: tcp\r\n{extra}", seconds=12)
    dial("peer", peer, port)
    dial("refused", peer, 1)
    dial("nobody", "100.64.0.99", 1)
    dial("self", "100.64.0.1", 1)
    rec.ask(f"{prefix}dial-no-upgrade", node, "POST /localapi/v0/dial HTTP/1.1", HOST + "Connection: close\r\n")


def greeter(node, port):
    """A program in this node's machine that says one word to whoever connects."""
    code = (f"import socket\ns = socket.create_server(('', {port}))\n"
            "while True:\n c = s.accept()[0]\n c.sendall(b'hello')\n c.close()\n")
    with node.net.inside():
        node.lab.processes.append(subprocess.Popen([sys.executable, "-c", code]))
    time.sleep(1)


def states(rec, tailnet, ada, dirk):
    """What changes when things happen, on the bus by each mask, and in the status afterwards."""
    def watched(what, act, masks=(2, 274, 36882, 18), seconds=20):
        ends = [rec.bus(f"bus-{what}-{mask}", ada, mask, seconds) for mask in masks]
        act()
        for end in ends:
            end()
        rec.get(f"status-{what}", ada, "status")
    watched("peer-lost", lambda: dirk.end(9), seconds=75)
    watched("peer-back", dirk.up)
    watched("policy", lambda: tailnet.server.set_policy(GRANT), seconds=8)
    rec.get("whois-granted", ada, "whois?addr=100.64.0.2:7171&proto=tcp")
    watched("tagged", lambda: tailnet.server.ask("nodes", "tag", "-i", "4", "-t", "tag:notes"), seconds=8)
    rec.get("whois-tagged", ada, "whois?addr=100.64.0.4:7171&proto=tcp")
    watched("down", lambda: cli(ada, "down"), seconds=6)
    watched("up", lambda: cli(ada, "up", "--accept-dns=false", f"--login-server={lab_headscale.URL}", "--hostname=ada"),
            seconds=10)
    watched("peer-expired", lambda: tailnet.server.ask("nodes", "expire", "-i", "3"), seconds=8)
    watched("expired", lambda: tailnet.server.ask("nodes", "expire", "-i", "1"), seconds=8)


def cli(node, *args):
    with node.net.inside():
        r = subprocess.run([lab_headscale.program("tailscale"), f"--socket={node.socket}", *args], capture_output=True,
                           text=True, timeout=40)
    say(f"   tailscale {' '.join(args)}: {r.returncode} {r.stdout.strip()} {r.stderr.strip()}")


def record(lab, folder):
    rec = Recorder(folder, lab_headscale.versions()["tailscaled"].split("-")[0])
    tailnet = Tailnet(lab, ["Ada", "Bram", "Chloe", "Dirk"], at_once=False)
    ada, bram = tailnet.nodes["Ada"], tailnet.nodes["Bram"]
    answers(rec, ada, "100.64.0.2")
    greeter(bram, 7171)
    dials(rec, "", ada, "100.64.0.2", 7171)
    rec.get("status-active", ada, "status")
    fresh = lab_headscale.Node(lab, "fresh", tailnet.underlay.machine())
    fresh.up()
    rec.get("status-needs-login", fresh, "status")
    rec.bus("bus-needs-login-18", fresh, 18, 2)()
    ada.end()
    ada.up("userspace-networking")
    tailnet.all_online()
    rec.get("status-userspace", ada, "status")
    dials(rec, "userspace-", ada, "100.64.0.2", 7171)
    tailnet.server.end()
    wait_for(lambda: not ada.status()["Self"]["Online"], 120, "Ada notices that the server is gone", step=1)
    rec.get("status-server-gone", ada, "status")
    ada.end()
    ada.up()
    time.sleep(5)
    rec.get("status-starting", ada, "status")
    tailnet.server.up()
    tailnet.all_online(90)
    states(rec, tailnet, ada, tailnet.nodes["Dirk"])


if __name__ == "__main__":
    why_not = lab_headscale.missing()
    if why_not or len(sys.argv) != 2:
        sys.exit(why_not or __doc__)
    with Lab() as lab:
        record(lab, sys.argv[1])
