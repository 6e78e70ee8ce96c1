#!/usr/bin/env python3
"""The fake tailscaled against recordings of a real one: the same fields in the same order, of the same types."""
import contextlib
import json
import os
import socket
import tempfile

from lab import TOP, check, main
from tailscaled import Tailnet

RECORDED = os.path.join(TOP, "tests", "net", "tailscaled")
OF_ITS_OWN = {".User", ".Self.CapMap", ".Node.Hostinfo", ".Self.Capabilities"}  # differ from machine to machine


def recorded(name):
    with open(os.path.join(RECORDED, name), encoding="utf-8") as f:
        return json.load(f)


def ask(path, target, protocol="HTTP/1.0", extra=""):
    """(status line, fields, body) of a GET; the connection is left after a second without a word."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1)
        s.connect(path)
        s.sendall(f"GET {target} {protocol}\r\nHost: local-tailscaled.sock\r\n{extra}\r\n".encode())
        data = b""
        with contextlib.suppress(TimeoutError):
            while piece := s.recv(65536):
                data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return line, dict(f.split(": ", 1) for f in fields), body.decode()


def differences(ours, real, at=""):
    if at in OF_ITS_OWN:
        return
    if at == ".Peer" and ours and real:
        ours, real = next(iter(ours.values())), next(iter(real.values()))
    if isinstance(ours, dict) and isinstance(real, dict):
        keys = [k for k in real if f"{at}.{k}" not in OF_ITS_OWN]
        if [k for k in ours if f"{at}.{k}" not in OF_ITS_OWN] != keys:
            yield f"{at}: fields {list(ours)}, recorded {list(real)}"
        for key in ours.keys() & real.keys():
            yield from differences(ours[key], real[key], f"{at}.{key}")
    elif type(ours) is not type(real):
        yield f"{at}: {ours!r}, recorded {real!r}"


def same_shape(ours, name):
    found = list(differences(ours, recorded(name)))
    check(not found, f"{name}: {'; '.join(found)}")


def shapes(lab):
    """Status in three states, whois, and the first word on the bus."""
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "tailscaled.sock")
        net = Tailnet("1.98.10")
        try:
            ada = net.machine("ada", socket=path)
            bram = net.machine("bram")
            net.grant(bram, ada, "example.org/cap/notes", [{"role": "friend"}])
            for state, name in (("Running", "running"), ("Stopped", "stopped"), ("NeedsLogin", "needs-login")):
                ada.set(state=state)
                same_shape(json.loads(ask(path, "/localapi/v0/status")[2]), f"1.98.10-{name}.status.json")
            ada.set(state="Running")
            whois = "/localapi/v0/whois?addr=100.64.0.2:7171&proto=tcp"
            same_shape(json.loads(ask(path, whois)[2]), "1.98.10-granted.whois.json")
            bram.set(tags=["tag:notes"])
            same_shape(json.loads(ask(path, whois)[2]), "1.98.10-tagged.whois.json")
            ada.set(state="NeedsLogin")
            with open(os.path.join(RECORDED, "1.98.10-needs-login-18.bus"), encoding="utf-8") as f:
                check(ask(path, "/localapi/v0/watch-ipn-bus?mask=18")[2] == f.read(), "the bus says what is recorded")
        finally:
            net.close()


def answers(lab):
    """Heads, refusals and framing."""
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "tailscaled.sock")
        net = Tailnet("1.102.3")
        try:
            net.machine("ada", socket=path)
            line, fields, _ = ask(path, "/localapi/v0/status")
            check(line == "HTTP/1.0 200 OK" and fields["Tailscale-Cap"] == "142", f"head of 1.102: {line} {fields}")
            for target, extra, want in (("/localapi/v0/status", "Origin: http://x\r\n", "403"),
                                        ("/localapi/v0/nonsense", "", "404"),
                                        ("/localapi/v0/whois?addr=192.0.2.1:1", "", "404"),
                                        ("/localapi/v0/whois?addr=x", "", "400"),
                                        ("/localapi/v0/watch-ipn-bus?mask=nonsense", "", "400"),
                                        ("/localapi/v0/watch-ipn-bus?mask=4352", "", "400")):
                line = ask(path, target, extra=extra)[0]
                check(line.split(" ")[1] == want, f"{target}: {line}, expected {want}")
            for n in range(10):
                net.machine(f"peer-{n}")
            check(ask(path, "/localapi/v0/status")[2].startswith("{"), "HTTP/1.0: no chunks")
            _, fields, body = ask(path, "/localapi/v0/status", "HTTP/1.1")
            check(fields.get("Transfer-Encoding") == "chunked" and body.endswith("0\r\n\r\n"), f"HTTP/1.1: {fields}")
        finally:
            net.close()


main(shapes, answers)
