#!/usr/bin/env python3
"""docs/protocol.md section 6 says what the code does: its examples, read by code that shares nothing with ours."""
import base64
import ipaddress
import os
import re
import struct
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TYPES = {1: "A", 12: "PTR", 16: "TXT", 28: "AAAA", 33: "SRV"}
passed = failed = 0


def check(what, value, expected):
    global passed, failed
    if value == expected:
        passed += 1
    else:
        failed += 1
        print(f"{what}: is {value!r}, expected {expected!r}")


def name_at(packet, at):
    """(name, offset behind it)"""
    parts, end = [], None
    while packet[at]:
        if packet[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", packet, at)[0] & 0x3FFF
        else:
            parts.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
    return ".".join(parts), end or at + 1


def data_of(packet, kind, at, length):
    if kind == "PTR":
        return name_at(packet, at)[0]
    if kind == "SRV":
        return struct.unpack_from(">HHH", packet, at) + (name_at(packet, at + 6)[0],)
    data = packet[at:at + length]
    if kind == "TXT":
        strings = []
        while data:
            strings.append(data[1:1 + data[0]].decode())
            data = data[1 + data[0]:]
        return strings
    return str(ipaddress.ip_address(data))


def decode(packet):
    """(flags, questions, records); a record is (offset, name, type, class, TTL, data)"""
    _, flags, *counts = struct.unpack_from(">6H", packet)
    at, questions, records = 12, [], []
    for _ in range(counts[0]):
        name, at = name_at(packet, at)
        questions.append((name, *struct.unpack_from(">HH", packet, at)))
        at += 4
    for _ in range(sum(counts[1:])):
        start = at
        name, at = name_at(packet, at)
        kind, klass, ttl, length = struct.unpack_from(">HHIH", packet, at)
        records.append((start, name, TYPES[kind], klass, ttl, data_of(packet, TYPES[kind], at + 10, length)))
        at += 10 + length
    check("bytes behind the last record", len(packet) - at, 0)
    return flags, questions, records


page = open(os.path.join(TOP, "docs/protocol.md"), encoding="utf-8").read()
section = page[page.index("\n## 6. Discovery on a LAN"):]
announcement, query = [bytes.fromhex("".join(b.split())) for b in re.findall(r"(?:^    [0-9a-f]+\n)+", section, re.M)][:2]
frozen = open(os.path.join(TOP, "tests/net/mdns_frozen.h"), encoding="utf-8").read()
constants = {m[0]: "".join(re.findall(r'"(\w+)"', m[1])) for m in re.findall(r"#define (FROZEN_\w+)((?:.*\\\n)*.*\n)", frozen)}
check("the page's announcement", announcement.hex(), constants["FROZEN_ANNOUNCEMENT"])
check("the page's question", query.hex(), constants["FROZEN_QUERY"])
check("lengths", [int(n) for n in re.findall(r", (\d+) bytes:\n", section)], [len(announcement), len(query)])

label, service = "abcdefghijklmnop", "_rapport._tcp.local"
instance, host = f"{label}.{service}", f"{label}.local"
salt = base64.urlsafe_b64encode(bytes(range(1, 9))).decode().rstrip("=")
tags = base64.urlsafe_b64encode(b"".join(bytes([0x11 * i]) * 8 for i in range(1, 5))).decode().rstrip("=")
flags, questions, records = decode(announcement)
check("flags", flags, 0x8400)
check("questions", questions, [])
check("records", [r[1:] for r in records], [
    (service, "PTR", 1, 120, instance),
    (instance, "SRV", 0x8001, 120, (0, 0, 7171, host)),
    (instance, "TXT", 0x8001, 120, ["v=1", f"s={salt}", f"t={tags}"]),
    (host, "AAAA", 0x8001, 120, "fe80::7"),
    (host, "AAAA", 0x8001, 120, "2001:db8::7"),
    (host, "A", 0x8001, 120, "192.0.2.7"),
])
rows = [int(n) for n in re.findall(r"^\| (\d+) \|", section[section.index("### 6.4"):], re.M)]
check("offsets of records are on the page", [r[0] for r in records if r[0] not in rows], [])
for text in (b"\x03v=1", b"\x0ds=", b"\x2dt="):
    check(f"offset of {text}", announcement.index(text) in rows, True)

flags, questions, records = decode(query)
check("question", (flags, questions), (0, [(service, 12, 1)]))
check("known answer", [r[1:] for r in records], [(service, "PTR", 1, 90, instance)])

source = "".join(open(os.path.join(TOP, "src/net", f), encoding="utf-8").read() for f in ("mdns.h", "mdns_packet.h", "mdns_parts.h"))
limits = {name: int(value) for name, value in re.findall(r"\b(M\w+) = (\d+)\b", source)}
for names, values in re.findall(r"^\| [^|]+ \| (`[^|]+`) \| ([^|]+) \|", section[section.index("### 6.3"):], re.M):
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*\b", values)]
    for name, number in zip(re.findall(r"`(\w+)`", names), numbers):
        check(name, number, limits[name])

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
