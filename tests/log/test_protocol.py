#!/usr/bin/env python3
"""docs/protocol.md section 2 says what the code does: its examples, read by code that shares nothing with ours."""
import hashlib
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
passed = failed = 0


def check(what, value, expected):
    global passed, failed
    if value == expected:
        passed += 1
    else:
        failed += 1
        print(f"{what}: is {value!r}, expected {expected!r}")


def hash_of(n, use, a, b=b""):
    h = hashlib.blake2b(digest_size=n, person=use.encode().ljust(16, b"\0"))
    h.update(len(a).to_bytes(8, "big") + a + b)
    return h.digest()


def keyed(n, use, key, message, framed=True):
    h = hashlib.blake2b(digest_size=n, key=key, person=use.encode().ljust(16, b"\0"))
    h.update((len(message).to_bytes(8, "big") if framed else b"") + message)
    return h.digest()


def read(b, at):
    """One value of the kinds that deltas use: (value, offset behind it)."""
    tag = b[at]
    if tag < 0x80:
        return tag, at + 1
    if 0x90 <= tag < 0xA0:
        items, at = [], at + 1
        for _ in range(tag & 15):
            item, at = read(b, at)
            items.append(item)
        return items, at
    if tag in (0xC4, 0xC5):
        n = tag - 0xC3
        start = at + 1 + n
        end = start + int.from_bytes(b[at + 1:start], "big")
        return b[start:end], end
    n = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}[tag]
    return int.from_bytes(b[at + 1:at + 1 + n], "big"), at + 1 + n


# Ed25519 (RFC 8032 section 5.1), slow and only for checking.
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x = D * a[0] * b[0] * a[1] * b[1] % P
    return ((a[0] * b[1] + b[0] * a[1]) * pow(1 + x, P - 2, P) % P, (a[1] * b[1] + a[0] * b[0]) * pow(1 - x, P - 2, P) % P)


def times(point, n):
    result = (0, 1)
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def point_of(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 != sign else x, y)


def verifies(key, message, signature):
    base = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    s = int.from_bytes(signature[32:], "little")
    return s < Q and times(base, s) == add(point_of(signature[:32]), times(point_of(key), h))


page = open(os.path.join(TOP, "docs/protocol.md"), encoding="utf-8").read()
frozen = open(os.path.join(TOP, "tests/log/frozen.h"), encoding="utf-8").read()
blocks = [bytes.fromhex("".join(b.split())) for b in re.findall(r"(?:^    [0-9a-f]+\n)+", page, re.M)]
delta, digest, wire, have = blocks[:4]
constants = {m[0]: "".join(re.findall(r'"(\w+)"', m[1])) for m in re.findall(r"#define (FROZEN_\w+)((?:.*\\\n)*.*\n)", frozen)}

check("the page's delta", delta.hex(), constants["FROZEN_DELTA"])
check("the page's hash", digest.hex(), constants["FROZEN_HASH"])

items, ends, at = [], [], 1
while at < len(delta):
    item, at = read(delta, at)
    items.append(item)
    ends.append(at)
check("items", len(items), 12)
for n, name in ((2, "log"), (8, "prev"), (10, "payload"), (11, "signature")):
    row = re.search(rf"^\| (\d+) \|.*\| {name} \|", page, re.M)
    check(f"offset of {name}", int(row[1]), ends[n - 1])
check("length", len(delta), int(re.search(r"one dep, (\d+) bytes", page)[1]))
report = bytes(range(1, 9)) + bytes(24)
header, payload = delta[1:ends[9]], items[10]
check("hash", hash_of(32, "rapport delta", header, hash_of(32, "rapport payload", payload)), digest)
check("log id", hash_of(16, "rapport log", report, items[8]), items[2])
check("log id of the page", items[2].hex(), constants["FROZEN_LOG"])
check("fields", (items[0], items[1], items[4], items[5], items[6], items[7], items[9][0][1]), (1, 1, 0, 5, 2, 1675500000000, 300))
check("signature", verifies(items[8][:32], b"rapport delta 1\0" + report + digest, items[11]), True)
check("signature of another hash", verifies(items[8][:32], b"rapport delta 1\0" + report + bytes(32), items[11]), False)
check("wire form", wire, b"\x9a" + delta[1:ends[1]] + delta[ends[2]:ends[7]] + delta[ends[8]:])
check("length of the wire form", len(wire), int(re.search(r"example above, (\d+) bytes", page)[1]))

rows, end = read(have, 0)
check("have vector", (len(rows), end, rows[0][1], rows[1][1]), (2, len(have), 5, 300))
h = hashlib.blake2b(b"".join(r[0] + r[1].to_bytes(8, "big") for r in rows), digest_size=16, person=b"rapport have".ljust(16, b"\0"))
check("have digest", h.hexdigest() in page, True)

beacon = bytes(range(8)) + (1675500000 // 900).to_bytes(8, "big") + bytes(range(16, 32)) + (7171).to_bytes(2, "big")
tag = keyed(8, "rapport tag", keyed(32, "rapport discover", b"\7" * 32, b""), beacon, framed=False)
check("tag", re.search(r"tag `([0-9a-f]{16})`", page)[1], tag.hex())

section = page[page.index("### 3.8"):]
record, end = bytes.fromhex("".join(re.search(r"(?:^    [0-9a-f]+\n)+", section, re.M)[0].split())), 0
(device, issued, addresses, signature), end = read(record, 0)
check("address record", (end, issued, [a.hex() for a in addresses]),
      (int(re.search(r"(\d+) bytes:", section)[1]), 1675500000000, ["fd" + "00" * 14 + "0b1c03", "0a0000051c03"]))
check("its device", device, hash_of(16, "rapport device", items[8][:32]))
body = b"\x93" + record[1:-66]
check("its signature", verifies(items[8][:32], b"rapport addresses 1\0" + report + body, signature), True)
check("its signature for another report", verifies(items[8][:32], b"rapport addresses 1\0" + bytes(32) + body, signature), False)

peers, end = bytes.fromhex("".join(re.search(r"nobody known:\n\n((?:    [0-9a-f ]+\n)+)", section)[1].split())), 0
rows, end = read(peers, 0)
check("remembered peers", (end, [[r[0], r[2], r[3].hex(), r[4]] for r in rows]),
      (len(peers), [[6, 7171, device.hex(), 7], [4, 7171, "", 0]]))

tests = "".join(open(os.path.join(TOP, "tests/log", f), encoding="utf-8").read() for f in os.listdir(os.path.join(TOP, "tests/log")) if f.endswith(".c"))
section = page[page.index("### 2.8"):]
for name in sorted(set(re.findall(r"`((?:delta|accept|have)_\w+)`", section))):
    check(f"test {name} exists", f"TEST({name}," in tests, True)

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
