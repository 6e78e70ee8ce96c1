#!/usr/bin/env python3
"""A fake tailnet: machines, and for each that has one the LocalAPI socket of its tailscaled.

    net = Tailnet(version="1.98.10")                     # the control server's view; a thread with an event loop
    ada = net.machine("ada", socket="/tmp/a.sock")       # 100.64.0.1; tun=False, net=a network.Net, version=...
    bob = net.machine("bob")                             # only a peer: no daemon
    bob.set(online=False)                                # whoever sees him is rung, as his version rings
    ada.set(state="NeedsLogin"); ada.set(tun=False)      # of the daemon itself
    ada.stop(); ada.start(); ada.crash()                 # socket gone; back; a socket file with nobody behind it
    ada.ring()                                           # the bus says something without a change
    ada.faults["status"] = "hang"                        # see FAULTS; of "status", "whois", "watch", "dial", "any"
    net.grant(bob, ada, "example.org/cap/notes"); net.hide(ada, bob); net.block(ada, bob)
    ada.count("status"); ada.requests                    # what the program asked: (time, kind, target)
    net.close()

Userspace machines (tun=False): `POST dial` at one connects to the other's 127.0.0.1:port in that one's net (or to its
tailnet address when it has a TUN), and whois there answers for that connection, after `whois_misses` times 404.
accept(port) lets others reach a userspace machine: it listens at its tailnet addresses in `outer` (default: its net).

What it says is what tailscaled says (field names and order, headers, texts, the bus by version): taken from its source
and from recordings of 1.98 (tests/net/tailscaled). It stands in for an unprivileged client of the daemon.
By hand: tests/e2e/tailscaled.py SOCKET [--version V] [--peers N] [--fault KIND=NAME]
"""
import argparse
import asyncio
import contextlib
import ipaddress
import itertools
import json
import os
import socket
import struct
import threading
import time
import urllib.parse

CAPS = {80: 113, 90: 130, 94: 131, 96: 133, 98: 138, 100: 141, 102: 142}
STATES = ["NoState", "InUseOtherUser", "NeedsLogin", "NeedsMachineAuth", "Stopped", "Starting", "Running"]
INITIAL_STATE, NO_PRIVATE_KEYS, RATE_LIMIT, PEER_CHANGES, PEER_PATCHES = 2, 16, 256, 4096, 32768
NEW_BITS = 0xf000
ZERO_TIME = "0001-01-01T00:00:00Z"
CREATED = "2026-01-05T10:00:00.123456789Z"
TAGGED_USER = 2147455555
CHUNK_ABOVE = 2048  # Go sends what is larger without Content-Length
CSP = ("default-src 'none'; frame-ancestors 'none'; script-src 'none'; script-src-elem 'none'; "
       "script-src-attr 'none'")
TEXTS = {101: "Switching Protocols", 200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
         404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error", 502: "Bad Gateway"}


class Request:
    def __init__(self, line, headers):
        self.method, self.target, self.protocol = line.split(" ", 2)
        self.headers = headers
        url = urllib.parse.urlsplit(self.target)
        self.kind = {"watch-ipn-bus": "watch"}.get(url.path.rsplit("/", 1)[-1], url.path.rsplit("/", 1)[-1])
        self.path, self.query = url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))


class Reply:
    """Writes an answer as Go's server does: HTTP/1.1 chunked, HTTP/1.0 until the connection ends, short ones by length."""

    def __init__(self, machine, request, writer):
        self.machine, self.request, self.writer = machine, request, writer
        self.chunked = False

    def head(self, status, headers=(), ours=True):
        lines = [f"{self.request.protocol} {status} {TEXTS[status]}"]
        if ours:
            lines += [f"Content-Security-Policy: {CSP}", f"Tailscale-Cap: {self.machine.cap}",
                      f"Tailscale-Version: {self.machine.version}", "X-Frame-Options: DENY"]
        lines += ["X-Content-Type-Options: nosniff", "Date: Mon, 23 Nov 2026 11:06:22 GMT"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send(self, status, body, kind="application/json", headers=(), ours=True):
        body = body.encode() if isinstance(body, str) else body
        self.chunked = len(body) > CHUNK_ABOVE and self.request.protocol == "HTTP/1.1"
        length = [("Content-Length", len(body))] if len(body) <= CHUNK_ABOVE else []
        length += [("Transfer-Encoding", "chunked")] if self.chunked else []
        self.head(status, [("Content-Type", kind), *headers, *length], ours)
        await self.piece(body)
        if self.chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def error(self, status, text, ours=True):
        await self.send(status, text + "\n", "text/plain; charset=utf-8", ours=ours)

    def begin(self, status=200):
        """A body without an end."""
        self.chunked = self.request.protocol == "HTTP/1.1"
        self.head(status, [("Content-Type", "application/json"),
                           *([("Transfer-Encoding", "chunked")] if self.chunked else [])])

    async def piece(self, body):
        if self.chunked and body:
            body = b"%x\r\n%s\r\n" % (len(body), body)
        self.writer.write(body)
        await self.writer.drain()


# ---- faults: each is an async function of (reply); the connection ends when it returns ----


async def never(_reply):
    await asyncio.sleep(3600)


async def nothing(_reply):
    return


def says(status, text="said so"):
    async def fault(reply):
        await reply.error(status, text)
    return fault


def body_is(make):
    async def fault(reply):
        await reply.send(200, make(reply))
    return fault


def status_text(reply):
    return to_text(reply.machine.status())


async def cut(reply):
    text = status_text(reply)
    reply.head(200, [("Content-Type", "application/json"), ("Content-Length", len(text))])
    reply.writer.write(text[:len(text) // 2].encode())
    await reply.writer.drain()


async def one_byte_each(reply):
    reply.begin()
    for byte in status_text(reply).encode():
        await reply.piece(bytes([byte]))
        await asyncio.sleep(0)


async def no_http(reply):
    reply.writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    await reply.writer.drain()


async def endless_head(reply):
    reply.writer.write(b"HTTP/1.0 200 OK\r\n")
    for n in range(10000):
        reply.writer.write(b"X-%d: %s\r\n" % (n, b"x" * 100))
        await reply.writer.drain()


def padded(reply):
    status = reply.machine.status()
    status["FutureField"] = "x" * (5 << 20)
    return to_text(status)


async def fell_behind(reply):
    reply.begin()
    await reply.piece(to_line(reply.machine.notify(ErrMessage="watcher fell behind; too many unread notifications")))


async def big_line(reply):
    reply.begin()
    line = to_line(reply.machine.notify(NetMap={"Peers": ["x" * 1000] * 20000}))
    for at in range(0, len(line), 65536):
        await reply.piece(line[at:at + 65536])
    await never(reply)


async def storm(reply):
    reply.begin()
    await reply.piece(to_line(reply.machine.notify(State=6)) * 1000 + b"\n\n")
    await never(reply)


async def dial_self(reply):
    at = f"{reply.request.headers.get('dial-host')}:{reply.request.headers.get('dial-port')}"
    await reply.send(200, "", headers=[("Dial-Addr", at), ("Dial-Self", "true")])


async def dial_self_nowhere(reply):
    await reply.send(200, "", headers=[("Dial-Self", "true")])


async def late_502(reply):
    await asyncio.sleep(2)
    await reply.error(502, "dial failure: context deadline exceeded")


async def upgrade_then(reply, glued, reset):
    reply.head(101, [("Connection", "upgrade"), ("Upgrade", "ts-dial")])
    reply.writer.write(glued)
    await reply.writer.drain()
    if reset:
        reply.writer.transport.abort()
    else:
        await never(reply)


FAULTS = {
    "hang": never, "close": nothing, "cut": cut, "bytes": one_byte_each, "no-http": no_http, "long-head": endless_head,
    "garbage": body_is(lambda r: "this is no JSON"), "truncated": body_is(lambda r: status_text(r)[:-30]),
    "deep": body_is(lambda r: "[" * 100000), "huge": body_is(padded), "empty": body_is(lambda r: ""),
    "array": body_is(lambda r: "[]"), "400": says(400, "bad mask"), "401": says(401, "auth required"),
    "403": says(403, "status access denied"), "404": says(404, "404 page not found"), "500": says(500, "oops"),
    "502": says(502, "dial failure: connection was refused"),
    "fell-behind": fell_behind, "big-line": big_line, "storm": storm,
    "self": dial_self, "self-nowhere": dial_self_nowhere, "late-502": late_502,
    "glued": lambda r: upgrade_then(r, b"hello", False), "reset": lambda r: upgrade_then(r, b"", True),
}


def to_text(value):
    return json.dumps(value, indent="\t", ensure_ascii=False) + "\n"


def to_line(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Machine:
    """One node: what others see of it, and its own daemon if it has a socket."""

    def __init__(self, tailnet, number, name, options):
        self.tailnet, self.number, self.name = tailnet, number, name
        self.node_id = self.stable_id = None
        self.socket, self.net, self.outer = None, None, None
        self.version = tailnet.version
        self.ips = [f"100.64.{number >> 8}.{number & 255}", f"fd7a:115c:a1e0::{number:x}"]
        self.user, self.sharer, self.tags, self.os = number, 0, [], "linux"
        self.dns_name = f"{name}.{tailnet.suffix}." if tailnet.suffix else ""
        self.online, self.expired, self.sharee, self.direct = True, False, False, False
        self.extra = {}  # laid over its PeerStatus wherever it is shown
        self.tun, self.state, self.auth_url, self.health, self.self_online = True, "Running", "", [], None
        self.status_extra = {}  # laid over its own status
        self.whois_misses = 0
        self.key_number = number
        for key, value in options.items():
            if not hasattr(self, key):
                raise TypeError(key)
            setattr(self, key, value)
        self.node_id = self.node_id or number
        self.stable_id = self.stable_id or str(self.node_id)
        self.faults, self.requests = {}, []
        self.proxied = {}  # "127.0.0.1:port" -> [who, misses left]
        self.server, self.watchers, self.tasks, self.listeners = None, [], set(), []

    # -- as the tests use it --

    @property
    def minor(self):
        return int(self.version.split(".")[1])

    @property
    def cap(self):
        return CAPS[max(m for m in CAPS if m <= max(self.minor, 80))]

    @property
    def key(self):
        return f"nodekey:{self.key_number:064x}"

    def set(self, **changes):
        """Changes some attributes and rings where that is heard."""
        for name, value in changes.items():
            if not hasattr(self, name):
                raise TypeError(name)
            setattr(self, name, value)
        self.tailnet.call(self._tell, set(changes))

    def login_again(self):
        """The same StableID under a new key, as after an expiry."""
        self.set(key_number=self.key_number + 100000)

    def ring(self):
        self.tailnet.call(self._notify, self.change_of([self], {"Online": True}))

    def start(self):
        self.tailnet.wait(self._start())

    def stop(self):
        """Ends the daemon: its connections, the relayed ones too, and its socket."""
        self.tailnet.wait(self._stop())
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def crash(self):
        """As kill -9: the socket file stays."""
        self.tailnet.wait(self._stop())

    def accept(self, port):
        """Lets the others reach 127.0.0.1:port of this userspace machine by its tailnet addresses."""
        self.tailnet.wait(self._accept(port))

    def count(self, kind):
        return sum(1 for r in self.requests if r[1] == kind)

    # -- what it says --

    def peers(self):
        return [m for m in self.tailnet.machines if m is not self and self.tailnet.sees(self, m)]

    def knows_network(self):
        return self.state in ("Running", "Stopped", "Starting")

    def peer_status(self, seen_by):
        """PeerStatus (ipn/ipnstate) of this machine, in the order of the source."""
        own = seen_by is self
        known = seen_by.knows_network()
        online = self.online if not own else self.state == "Running" and self.self_online is not False
        active = self.direct and not own
        reachable = known and self.ips and not (own and self.state == "Stopped")
        status = {
            "ID": self.stable_id if known else "", "PublicKey": self.key if known else f"nodekey:{0:064x}",
            "HostName": self.name, "DNSName": self.dns_name if known else "", "OS": self.os,
            "UserID": (TAGGED_USER if self.tags else self.user) if known else 0}
        if self.sharer:
            status["AltSharerUserID"] = self.sharer
        status["TailscaleIPs"] = (self.ips or None) if known else None
        if known and self.ips:
            status["AllowedIPs"] = [f"{ip}/{128 if ':' in ip else 32}" for ip in self.ips]
        if self.tags:
            status["Tags"] = self.tags
        status |= {"Addrs": ["192.0.2.1:41641"] if own and known else [] if own else None,
                   "CurAddr": f"192.0.2.{self.number & 255}:41641" if active else "",
                   "Relay": "lab" if known else ""}
        if seen_by.minor >= 86:
            status["PeerRelay"] = ""
        status |= {"RxBytes": 556 if active else 0, "TxBytes": 556 if active else 0,
                   "Created": CREATED if known else ZERO_TIME, "LastWrite": ZERO_TIME,
                   "LastSeen": ZERO_TIME if online or own else "2026-01-05T12:00:00Z",
                   "LastHandshake": CREATED if active else ZERO_TIME, "Online": online,
                   "ExitNode": False, "ExitNodeOption": False, "Active": active,
                   "PeerAPIURL": [f"http://{ip}:40000" if "." in ip else f"http://[{ip}]:40000"
                                  for ip in self.ips] if reachable else None,
                   "TaildropTarget": 0 if own else 9, "NoFileSharingReason": ""}
        if own and known:
            status["CapMap"] = {"https://tailscale.com/cap/is-admin": [], "https://tailscale.com/cap/ssh": []}
        if self.sharee:
            status["ShareeNode"] = True
        status |= {"InNetworkMap": known, "InMagicSock": known and not own, "InEngine": active}
        if self.expired:
            status |= {"Expired": True, "KeyExpiry": "2026-01-05T11:00:00Z"}
        return status | self.extra

    def status(self, with_peers=True):
        known = self.knows_network()
        status = {"Version": self.version, "TUN": self.tun, "BackendState": self.state}
        if known:
            status["HaveNodeKey"] = True
        status |= {"AuthURL": self.auth_url, "TailscaleIPs": (self.ips or None) if known else None,
                   "Self": self.peer_status(self), "Health": self._health(),
                   "MagicDNSSuffix": self.tailnet.suffix if known else "",
                   "CurrentTailnet": {"Name": self.tailnet.name, "MagicDNSSuffix": self.tailnet.suffix,
                                      "MagicDNSEnabled": True} if known else None,
                   "CertDomains": None}
        peers = self.peers() if known and with_peers else []
        status["Peer"] = {m.key: m.peer_status(self) for m in sorted(peers, key=lambda m: m.key)} or None
        status["User"] = self._users([self, *peers]) if known else None
        status["ClientVersion"] = None
        return status | self.status_extra

    def _health(self):
        if self.health:
            return self.health
        return ["Tailscale is stopped."] if self.state in ("Stopped", "NeedsLogin") else []

    def _users(self, machines):
        users = {}
        for m in machines:
            users |= {str(u["ID"]): u for u in (self.tailnet.profile(m.user), self.tailnet.profile(m))}
        return {k: users[k] for k in sorted(users)}

    def node(self):
        """tailcfg.Node, as whois and the bus have it."""
        prefixes = [f"{ip}/{128 if ':' in ip else 32}" for ip in self.ips]
        node = {"ID": self.node_id, "StableID": self.stable_id, "Name": self.dns_name,
                "User": TAGGED_USER if self.tags else self.user}
        node |= {"Sharer": self.sharer} if self.sharer else {}
        node |= {"Key": self.key, "Machine": f"mkey:{self.number:064x}", "DiscoKey": f"discokey:{self.number:064x}",
                 "Addresses": prefixes, "AllowedIPs": prefixes, "Endpoints": ["192.0.2.1:41641"], "HomeDERP": 999,
                 "Hostinfo": {"IPNVersion": self.version, "OS": self.os, "Hostname": self.name, "Services": []},
                 "Created": CREATED, "Cap": self.cap}
        node |= {"Tags": self.tags} if self.tags else {}
        return node | {"Online": self.online, "MachineAuthorized": True, "ComputedName": self.name,
                       "ComputedNameWithHost": self.name}

    # -- the bus --

    def notify(self, **fields):
        """ipn.Notify: pointers that are not set are null."""
        base = {"Version": self.version, "ErrMessage": None, "LoginFinished": None, "State": None, "Prefs": None,
                "NetMap": None, "Engine": None, "BrowseToURL": None, "DriveShares": None}
        return base | fields

    def net_map(self):
        return self.notify(NetMap={"SelfNode": self.node(), "NodeKey": self.key,
                                   "Peers": [m.node() for m in self.peers()], "Domain": self.tailnet.name})

    def change_of(self, machines, patch):
        """mask -> the message that tells this daemon's watchers of machines that changed, or None; {}: one is gone."""
        def make(mask):
            ids = [m.node_id for m in machines]
            if self.minor < 98:
                return self.net_map()
            if self.minor < 100:
                changes = [{"NodeID": i} | patch for i in ids]
                return self.notify(PeerChanges=changes) if patch and mask & PEER_CHANGES else self.net_map()
            if patch and mask & PEER_PATCHES:
                return self.notify(PeerChangedPatch=[{"NodeID": i} | patch for i in ids])
            if not mask & PEER_CHANGES:
                return None
            here = [m for m in machines if m is self or self.tailnet.sees(self, m)]
            gone = [m.node_id for m in machines if m not in here]
            fields = {"PeersChanged": [m.node() for m in here]} if here else {}
            return self.notify(**fields, **({"PeersRemoved": gone} if gone else {}))
        return make

    def _notify(self, make):
        for mask, queue in list(self.watchers):
            message = make(mask)
            if message:
                queue.put_nowait(message)

    def _tell(self, changed):
        if "state" in changed:
            number = STATES.index(self.state) if self.state in STATES else 0
            self._notify(lambda mask: self.notify(State=number))
        if changed & {"ips", "key_number", "tags", "self_online"}:
            self._notify(lambda mask: self.notify(SelfChange=self.node()) if self.minor >= 98 else self.net_map())
        seen = changed & {"online", "expired", "ips", "key_number", "tags", "dns_name", "os", "sharee", "sharer",
                          "extra", "direct"}
        if seen:
            self.tailnet.tell_others(self, {"Online": self.online} if seen == {"online"} else {})

    # -- the server --

    async def _start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        os.chmod(self.socket, 0o666)
        self.server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def _stop(self):
        if self.server:
            self.server.close()
            self.server = None
        for listener in self.listeners:
            listener.close()
        self.listeners = []
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.proxied = {}

    async def _serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            await self._requests(reader, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(asyncio.current_task())
            writer.close()

    async def _requests(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            request = Request(head[0], headers)
            self.requests.append((time.monotonic(), request.kind, request.target))
            reply = Reply(self, request, writer)
            fault = self.faults.get(request.kind) or self.faults.get("any")
            if fault:
                await (FAULTS[fault] if isinstance(fault, str) else fault)(reply)
                return
            await self._answer(request, reply, reader)
            if request.protocol == "HTTP/1.0" or request.kind in ("dial", "watch"):
                return

    async def _answer(self, request, reply, reader):
        if request.headers.get("host") not in (None, "", "local-tailscaled.sock") or \
                "referer" in request.headers or "origin" in request.headers:
            return await reply.error(403, "invalid localapi request", ours=False)
        handlers = {"/localapi/v0/status": self._on_status, "/localapi/v0/whois": self._on_whois,
                    "/localapi/v0/watch-ipn-bus": self._on_watch, "/localapi/v0/dial": self._on_dial}
        handler = handlers.get(request.path)
        return await (handler(request, reply, reader) if handler else reply.error(404, "404 page not found"))

    async def _on_status(self, request, reply, _reader):
        await reply.send(200, to_text(self.status(request.query.get("peers") != "false")))

    async def _on_whois(self, request, reply, _reader):
        try:
            host, _, port = request.query["addr"].rpartition(":")
            address = ipaddress.ip_address(host.strip("[]"))
            int(port)
        except (KeyError, ValueError):
            return await reply.error(400, "invalid 'addr' parameter")
        who = self._who(address, port)
        if not who:
            return await reply.error(404, "no match for IP:port")
        return await reply.send(200, to_text({"Node": who.node(), "UserProfile": self.tailnet.profile(who),
                                              "CapMap": self.tailnet.grants.get((who.name, self.name))}).rstrip("\n"))

    def _who(self, address, port):
        row = self.proxied.get(f"{address}:{port}")
        if row:
            row[1] -= 1
            return row[0] if row[1] < 0 else None
        if getattr(address, "ipv4_mapped", None) and self.minor >= 100:
            address = address.ipv4_mapped
        return next((m for m in [self, *self.peers()] if str(address) in m.ips and self.knows_network()), None)

    async def _on_watch(self, request, reply, reader):
        try:
            mask = int(request.query.get("mask") or "0")
        except ValueError:
            return await reply.error(400, "bad mask")
        if self.minor >= 102 and mask & RATE_LIMIT and mask & NEW_BITS:
            return await reply.error(400, "NotifyRateLimit cannot be combined with peer changes")
        if self.minor <= 90 and not mask & NO_PRIVATE_KEYS:
            return await reply.error(403, "watch IPN bus access denied, must set ipn.NotifyNoPrivateKeys when not "
                                          "running as admin/root or operator")
        reply.begin()
        queue = asyncio.Queue()
        if mask & INITIAL_STATE:
            number = STATES.index(self.state) if self.state in STATES else 0
            queue.put_nowait({"Version": self.version, "SessionID": "left out"} | self.notify(State=number))
        row = (mask, queue)
        self.watchers.append(row)
        ends = asyncio.ensure_future(reader.read(1))
        message = asyncio.ensure_future(queue.get())
        try:
            await reply.piece(b"")
            while not ends.done():
                await asyncio.wait({message, ends}, return_when=asyncio.FIRST_COMPLETED)
                if message.done():
                    await reply.piece(to_line(message.result()))
                    message = asyncio.ensure_future(queue.get())
        finally:
            self.watchers.remove(row)
            for task in (ends, message):
                task.cancel()

    # -- carrying connections --

    async def _on_dial(self, request, reply, reader):
        headers = request.headers
        if request.method != "POST":
            return await reply.error(405, "POST required")
        if "upgrade" not in headers.get("connection", "") or headers.get("upgrade") != "ts-dial":
            return await reply.error(400, "bad ts-dial upgrade")
        host, port = headers.get("dial-host"), headers.get("dial-port")
        if not host or not port:
            return await reply.error(400, "missing Dial-Host or Dial-Port header")
        target = next((m for m in self.peers() if host in m.ips), None)
        if not target and self.minor >= 98:
            return await dial_self(reply)
        if not target or not target.online or self.state != "Running" or (self.name, target.name) in self.tailnet.blocked:
            await asyncio.wait_for(reader.read(1), 60)  # until the client has enough of it
            return await reply.error(502, "dial failure: context canceled")
        try:
            far_reader, far_writer = await self._connect(target, host, int(port))
        except OSError:
            return await reply.error(502, f"dial failure: connect tcp {host}:{port}: connection was refused")
        reply.head(101, [("Connection", "upgrade"), ("Upgrade", "ts-dial")])
        return await relay((reader, reply.writer), (far_reader, far_writer))

    async def _connect(self, target, host, port):
        """To the port at target as its tailscaled or its kernel would be reached from here."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        source = next((ip for ip in self.ips if (":" in ip) == (":" in host)), None)
        with inside(self.outer if target.tun and self.outer else target.net):
            s = socket.socket(family if target.tun else socket.AF_INET)
        s.setblocking(False)
        try:
            if target.tun and self.outer:
                s.bind((source, 0))
            else:
                s.bind((host if target.tun else "127.0.0.1", 0))
                target.proxied["%s:%d" % s.getsockname()[:2]] = [self, target.whois_misses]
            await asyncio.get_running_loop().sock_connect(s, (host if target.tun else "127.0.0.1", port))
            return await asyncio.open_connection(sock=s)
        except OSError:
            s.close()
            raise

    async def _accept(self, port):
        for ip in self.ips:
            with inside(self.outer or self.net):
                s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((ip, port))
            self.listeners.append(await asyncio.start_server(lambda r, w: self._inbound(r, w, port), sock=s))

    async def _inbound(self, reader, writer, port):
        self.tasks.add(asyncio.current_task())
        source = writer.get_extra_info("peername")[0]
        who = next((m for m in self.peers() if source in m.ips), None)
        try:
            if not who:
                raise OSError("a stranger")
            await relay((reader, writer), await who._connect(self, self.ips[0], port))
        except (OSError, asyncio.CancelledError):
            # A program in userspace mode that does not listen: the caller sees a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            self.tasks.discard(asyncio.current_task())
            writer.close()


@contextlib.contextmanager
def inside(net):
    """Sockets made meanwhile belong to that network; None: to the one that we are in."""
    with net.inside() if net else contextlib.nullcontext():
        yield


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def relay(near, far):
    """Both directions until both have ended or one broke."""
    tasks = [asyncio.ensure_future(pump(near[0], far[1])), asyncio.ensure_future(pump(far[0], near[1]))]
    try:
        await asyncio.gather(*tasks)
    except OSError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        far[1].close()


class Tailnet:
    """The control server's view, and the thread that serves all sockets."""

    def __init__(self, version="1.98.10", name="friends.example", suffix="friends.ts.example"):
        self.version, self.name, self.suffix = version, name, suffix
        self.machines, self.profiles, self.grants = [], {}, {}
        self.hidden, self.blocked = set(), set()
        self.numbers = itertools.count(1)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def machine(self, name, **options):
        """A new node; with socket= its daemon is started."""
        m = Machine(self, next(self.numbers), name, options)
        self.machines.append(m)
        if m.socket:
            m.start()
        self.call(self.tell_others, m, {})
        return m

    def remove(self, machine):
        """Deleted at the control server."""
        self.machines.remove(machine)
        self.call(self.tell_others, machine, {})

    def profile(self, of):
        """A UserProfile by machine (tagged ones share one) or by user id."""
        if isinstance(of, Machine):
            if of.tags:
                return {"ID": TAGGED_USER, "LoginName": "tagged-devices", "DisplayName": "Tagged Devices"}
            return self.profiles.get(of.user) or {"ID": of.user, "LoginName": of.name, "DisplayName": of.name}
        owner = next((m for m in self.machines if m.user == of and not m.tags), None)
        return self.profiles.get(of) or {"ID": of, "LoginName": owner.name if owner else f"user-{of}",
                                         "DisplayName": owner.name if owner else f"user-{of}"}

    def sees(self, a, b):
        return b in self.machines and frozenset((a.name, b.name)) not in self.hidden

    def hide(self, a, b, hidden=True):
        """Without any rule that connects two machines neither sees the other."""
        (self.hidden.add if hidden else self.hidden.discard)(frozenset((a.name, b.name)))
        for one, other in ((a, b), (b, a)):
            self.call(one._notify, one.change_of([other], {}))

    def block(self, source, target, blocked=True):
        """Dials from one to the other are dropped, as by a policy; both still see each other."""
        (self.blocked.add if blocked else self.blocked.discard)((source.name, target.name))

    def grant(self, source, target, cap, value=None):
        """whois of source, asked at target, shows this capability."""
        self.grants.setdefault((source.name, target.name), {})[cap] = value or []

    def tell_others(self, machine, patch):
        for m in self.machines:
            if m is not machine and m.server and frozenset((m.name, machine.name)) not in self.hidden:
                m._notify(m.change_of([machine], patch))

    def call(self, function, *args):
        """Runs it in the thread that serves, and waits."""
        async def run():
            function(*args)
        self.wait(run())

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self):
        for m in self.machines:
            if m.socket:
                m.stop()
        self.wait(asyncio.sleep(0))  # what was cancelled ends
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def by_hand():
    parser = argparse.ArgumentParser(description="a fake tailscaled at SOCKET, until interrupted")
    parser.add_argument("socket")
    parser.add_argument("--version", default="1.98.10")
    parser.add_argument("--peers", type=int, default=3)
    parser.add_argument("--fault", action="append", default=[])
    args = parser.parse_args()
    net = Tailnet(args.version)
    own = net.machine("self", socket=args.socket)
    net.machines += [Machine(net, n, f"peer-{n}", {}) for n in range(2, args.peers + 2)]
    own.faults = dict(f.split("=", 1) for f in args.fault)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    net.close()


if __name__ == "__main__":
    by_hand()
