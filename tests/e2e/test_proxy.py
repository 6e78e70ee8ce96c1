#!/usr/bin/env python3
"""Who listens on the wire learns nothing, who knocks gets nothing, and turned bits do no harm.

All in networks of the test's own, with a proxy between the two peers that records, turns bits and cuts.
"""
import base64
import os
import random
import re
import socket
import sqlite3
import threading
import time

import network
from lab import check, main, need, quantile, read, same_files, same_report, say, skip, wait_for

HANDSHAKE_S = 5
STRANGERS = int(os.environ.get("E2E_STRANGERS", 200))
FLIPS = int(os.environ.get("E2E_FLIPS", 12))
TEXTS = ["Zusammenfassung der Xylophonverschwörung", "quetzalcoatl-keepalive", "the speaker said: drawbridge"]


def forms(raw):
    """What bytes look like in clear, as hex, base32 and base64, at each alignment."""
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")[4 if shift else 0:-1]
        if len(text) >= 8:
            yield text
    for shift in range(5):
        text = base64.b32encode(bytes(shift) + raw).rstrip(b"=")[8 if shift else 0:-1]
        if len(text) >= 8:
            yield text
            yield text.lower()


def secrets(ada, bram, ticket):
    """Everything that must not be seen, by name."""
    status = ada.status()
    found = {"note text " + t: t.encode() for t in TEXTS}
    found |= {"report title": b"Chaosgeheimnis 2023", "folder of the report": ada.dir.encode(),
              "name of a person": b"Adalgisa", "name of another": b"Bramwell",
              "title of a note": b"Xylophonnotiz", "file name": b"xylophon-datei", "report id": bytes.fromhex(status["report"]),
              "the ticket": ticket.encode(), "the ticket's payload": ticket[12:60].encode(),
              "digest": bytes.fromhex(status["digest"])}
    for row in ada.run("--json", "member", "ls", code=0).lines():
        found["device " + row["name"]] = bytes.fromhex(row["device"])
    for row in ada.run("--json", "ls", code=0).lines():
        found["note id " + row["path"]] = bytes.fromhex(row["id"])
    for line in ada.run("--json", "log", code=0).lines():
        found["log id, first part " + line["author"]] = bytes.fromhex(line["version"].split("@")[0])
    for person in (ada, bram):
        found["device key of " + person.name] = read(os.path.join(person.env["RAPPORT_HOME"], "device.key"))
    return found


def log_ids(person):
    """Log ids as the database has them: 16-byte blobs in a column called log."""
    db, found = sqlite3.connect(f"file:{person.file('.rapport/report.db')}?mode=ro", uri=True), set()
    try:
        for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            for column in db.execute(f"pragma table_info('{table}')").fetchall():
                if column[1] == "log":
                    found |= {r[0] for r in db.execute(f"select distinct log from '{table}'") if isinstance(r[0], bytes)}
    finally:
        db.close()
    return {x for x in found if len(x) == 16}


def meet(lab, **options):
    ada, bram, to_ada, to_bram = network.pair_with_proxy(lab, **options)
    ada.name, bram.name = "Adalgisa", "Bramwell"
    ada.init("Chaosgeheimnis 2023")
    ada.write("notes/xylophon-datei.md", f"# Xylophonnotiz\n\n{TEXTS[0]}\n")
    ada.up()
    ticket = ada.ticket()
    bram.join(ticket)
    bram.up()
    return ada, bram, to_ada, to_bram, ticket


def nothing_in_clear(lab):
    """A recording proxy during join and sync sees no text, title, name, file name, report id or log id."""
    ada, bram, to_ada, to_bram, ticket = meet(lab, record=True)
    bram.write("notes/xylophon-datei-2.md", f"# Noch eine\n\n{TEXTS[1]}\n")
    ada.run("jot", "--note", "xylophon-datei.md", TEXTS[2], code=0)
    wait_for(lambda: TEXTS[1].encode() in (ada.read("notes/xylophon-datei-2.md") or b"") and
             TEXTS[2].encode() in (bram.read("notes/xylophon-datei.md") or b""), 15, "both directions are used")
    same_report([ada, bram])
    for person in (bram, ada):
        person.down()
    ada.up()
    bram.up()
    same_report([ada, bram])
    streams = [bytes(f.bytes) for p in (to_ada, to_bram) for f in p.flows]
    everything = b"|".join(streams)
    need(len(everything) > 2000, f"the proxies saw the traffic: {len(everything)} bytes")
    hidden = secrets(ada, bram, ticket)
    for person in (ada, bram):
        person.down()
        hidden |= {"log id " + log.hex(): log for log in log_ids(person)}
    seen = [name for name, raw in hidden.items() if raw and any(form in everything for form in forms(raw))]
    seen += [name for name, raw in hidden.items() if raw and raw.isascii() and raw.lower() in everything.lower()]
    check(not seen, f"seen on the wire: {seen}")
    kinds = sorted({re.sub(r" [0-9a-f]{8,}$| notes/.*", "", name) for name in hidden})
    say(f"   {len(everything)} bytes of {len(streams)} streams, {len(hidden)} secrets, each in clear, hex, base32 and base64")
    say(f"   looked for: {', '.join(kinds)}")
    runs = [m.group() for m in re.finditer(rb"[ -~]{16,}", everything)]
    say(f"   longest readable run: {max(map(len, runs), default=0)} characters")
    starts = {s[:8] for s in streams if len(s) > 8}
    check(len(starts) == len([s for s in streams if len(s) > 8]), "no two streams begin alike")


def knock(ada, send, until=HANDSHAKE_S + 6):
    """Connects as a stranger, sends, and gives (bytes that came back, seconds until the close)."""
    with ada.net.inside():
        s = socket.create_connection(("127.0.0.1", ada.port), 3)
    begin = time.monotonic()
    s.settimeout(until)
    got = b""
    try:
        if send:
            s.sendall(send)
        while piece := s.recv(4096):
            got += piece
    except TimeoutError:
        return got, None
    except OSError:
        pass
    finally:
        s.close()
    return got, time.monotonic() - begin


def strangers_get_nothing(lab):
    """Silence, noise, HTTP, a replayed message and huge frames get a close and no byte, in the handshake's time."""
    ada, bram, to_ada, to_bram, _ = meet(lab, record=True)
    same_report([ada, bram])
    first = next(bytes(f.bytes) for f in to_ada.flows if f.towards == "there" and len(f.bytes) > 40)
    length = int.from_bytes(first[:2], "big")
    message1 = first[:2 + length]
    say(f"   message 1 is {length} bytes")
    chance = random.Random(2)
    knocks = {
        "nothing": b"",
        "one byte": b"\0",
        "random bytes": chance.randbytes(600),
        "64 KB of random bytes": chance.randbytes(65537),
        "an HTTP GET": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a TLS hello": bytes.fromhex("1603010200010001fc0303") + chance.randbytes(508),
        "message 1 replayed": message1,
        "the whole recording replayed": first,
        "message 1 with one bit turned": message1[:-1] + bytes([message1[-1] ^ 1]),
        "message 1 cut short": message1[:-1],
        "a 65,535-byte frame": b"\xff\xff" + chance.randbytes(65535),
        "a 65,535-byte frame that never ends": b"\xff\xff" + chance.randbytes(3000),
        "frames of length 0": b"\0\0" * 5000,
    }
    results = {}

    def run(name, data):
        results[name] = knock(ada, data)
    threads = [threading.Thread(target=run, args=item) for item in knocks.items()]
    for i, t in enumerate(threads):
        t.start()
        if i % 4 == 3:
            threads[i - 3].join()
    for t in threads:
        t.join()
    for name, (got, seconds) in results.items():
        if seconds is None:
            say(f"   {name}: {len(got)} bytes back, never closed")
        else:
            say(f"   {name}: {len(got)} bytes back, closed after {seconds:.2f} s")
        check(not got, f"{name} gets {len(got)} bytes back")
        check(seconds is not None and seconds < HANDSHAKE_S + 2, f"{name} is closed in time: {seconds}")

    stop = threading.Event()
    done = [0, 0]

    def pester():
        while not stop.is_set() and done[0] < STRANGERS:
            done[0] += 1
            try:
                with ada.net.inside():
                    s = socket.create_connection(("127.0.0.1", ada.port), 3)
                s.settimeout(3)
                s.sendall(chance.choice([b"GET / HTTP/1.0\r\n\r\n", chance.randbytes(100), message1, b"\xff\xff"]))
                if chance.random() < 0.5:
                    done[1] += len(s.recv(100))
                s.close()
            except OSError:
                pass
    pesterers = [threading.Thread(target=pester) for _ in range(20)]
    for t in pesterers:
        t.start()
    times = []
    while done[0] < STRANGERS or len(times) < 10:
        begin = time.monotonic()
        line = f"line {len(times)} among strangers\n"
        bram.write("notes/calm.md", (bram.read("notes/calm.md") or b"# Calm\n").decode() + line)
        wait_for(lambda: line.encode() in (ada.read("notes/calm.md") or b""), 15, "peers go on syncing", step=0.005)
        times.append((time.monotonic() - begin) * 1000)
    stop.set()
    for t in pesterers:
        t.join(20)
    say(f"   {done[0]} strangers meanwhile; {len(times)} edits: p50 {quantile(times, .5):.0f} ms, max {max(times):.0f} ms")
    check(done[1] == 0, f"strangers got {done[1]} bytes")

    # Connections that just stay, as many as they like, do not keep a friend out.
    with ada.net.inside():
        held = [socket.create_connection(("127.0.0.1", ada.port), 3) for _ in range(60)]
    begin = time.monotonic()
    to_ada.cut()
    to_bram.cut()
    bram.write("notes/calm.md", "# Calm\n\nafter the crowd\n")
    wait_for(lambda: b"after the crowd" in ada.read("notes/calm.md"), 30, "a friend comes in past 60 silent strangers")
    say(f"   reconnected past 60 silent strangers after {time.monotonic() - begin:.1f} s")
    for s in held:
        s.close()
    same_report([ada, bram])
    check(ada.daemon.poll() is None and bram.daemon.poll() is None, "both daemons live")
    ada.down()
    bram.down()


def turned_bits(lab):
    """Bits turned in transit end sessions and nothing wrong is accepted; afterwards all is equal."""
    ada, bram, to_ada, to_bram, _ = meet(lab)
    same_report([ada, bram])
    expected = {}
    for i in range(40):
        for person in (ada, bram):
            path = f"notes/{person.port}-{i}.md"
            expected[path] = f"# {path}\n\n".encode() + b"%032x " % random.getrandbits(128) * 300
    to_ada.flip = to_bram.flip = 0.2
    n = 0
    end = time.monotonic() + 40
    for path, data in expected.items():
        (ada if "7101" in path else bram).write(path, data)
        n += 1
        if n % 10 == 0:
            time.sleep(0.5)
    while to_ada.flipped + to_bram.flipped < FLIPS and time.monotonic() < end:
        ada.write("notes/more.md", f"# More {n}\n")
        n += 1
        time.sleep(0.3)
    flipped = to_ada.flipped + to_bram.flipped
    to_ada.flip = to_bram.flip = 0
    say(f"   {flipped} bits turned")
    check(flipped >= FLIPS // 2, f"bits were turned while the peers spoke: {flipped}")
    begin = time.monotonic()
    same_report([ada, bram], seconds=60)
    wait_for(lambda: all(p.read(path) == data for path, data in expected.items() for p in (ada, bram)), 20,
             "every note is everywhere, to the byte")
    say(f"   equal {time.monotonic() - begin:.1f} s after the line was clean")
    same_files([ada, bram])
    check(ada.daemon.poll() is None and bram.daemon.poll() is None, "both daemons live")
    members = ada.run("--json", "member", "ls", code=0).lines()
    check(len(members) == 2, f"nobody else came in: {members}")
    ada.down()
    bram.down()


why_not = network.available()
if why_not:
    skip(f"proxies between two networks: {why_not}")
main(*(() if why_not else (nothing_in_clear, strangers_get_nothing, turned_bits)))
