"""Networks that hold one person each, a LAN that joins them, and a proxy that stands between two of them.

A Net is a network namespace with a loopback only, so a daemon in it reaches what the test puts there and nothing
else; two daemons that learn each other's true addresses still meet at the proxy alone. A namespace needs root, or a
user namespace of one's own (`available` makes one). A Proxy listens in one network and connects in another; it counts,
records, holds back, falls silent, flips bits and cuts, as told.
"""
import contextlib
import ctypes
import fcntl
import os
import random
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
libc = ctypes.CDLL(None, use_errno=True)


def own_net():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def set_net(fd):
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def unshare(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def available():
    """None when networks can be made, else why not. Call it before any thread is started."""
    try:
        if os.geteuid() != 0:
            uid, gid = os.getuid(), os.getgid()
            unshare(CLONE_NEWUSER | CLONE_NEWNET)  # one cannot come back to a network that one does not own
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
                with open(f"/proc/self/{name}", "w") as f:
                    f.write(text)
            loopback_up()
        Net().close()
    except OSError as e:
        return f"no network namespaces here ({e})"
    return None


class Net:
    def __init__(self):
        before = own_net()
        try:
            unshare(CLONE_NEWNET)
            self.fd = own_net()
            loopback_up()
        finally:
            set_net(before)
            os.close(before)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def inside(self):
        """What this thread opens or starts meanwhile belongs to this network."""
        before = own_net()
        set_net(self.fd)
        try:
            yield
        finally:
            set_net(before)
            os.close(before)

    def close(self):
        os.close(self.fd)


    def ip(self, *args):
        """Runs ip(8) in this network; a failure is one of the machine, not of what is tested."""
        with self.inside():
            done = subprocess.run(["ip", *args], capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"ip {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout


class Lan:
    """A switch in a network of its own. Those who are plugged in have an interface wlan0, not called veth: such are
    taken for containers. IPv4 10.77.0.0/16 and IPv6 fd77::/64, as asked for; an IPv6 link-local address where IPv6
    is on."""

    def __init__(self, lab):
        self.net = Net()
        lab.closers.append(self.net.close)
        self.net.ip("link", "add", "lan0", "type", "bridge")
        self.net.ip("link", "set", "lan0", "up")
        self.ports = 0

    def plug(self, net, v4=True, v6=True):
        self.ports += 1
        port = f"port{self.ports}"
        self.net.ip("link", "add", "wlan0", "type", "veth", "peer", "name", port)
        self.net.ip("link", "set", "wlan0", "netns", net.path)
        self.net.ip("link", "set", port, "master", "lan0", "up")
        if not v6:
            with net.inside(), open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as f:
                f.write("1")
        net.kinds = (v4, v6)
        move(net, self.ports)
        return port


def move(net, n):
    """Addresses with the number n, in place of all others; waits until the kernel is done with detecting duplicates."""
    v4, v6 = net.kinds
    net.ip("link", "set", "wlan0", "down")
    net.ip("addr", "flush", "dev", "wlan0")
    net.ip("link", "set", "wlan0", "up")
    if v4:
        net.ip("addr", "add", f"10.77.{n // 250}.{n % 250 + 1}/16", "dev", "wlan0")
    if v6:
        net.ip("addr", "add", f"fd77::{n:x}/64", "dev", "wlan0", "nodad")
    settle(net)


def settle(net, seconds=5):
    v6, end = net.kinds[1], time.monotonic() + seconds
    while time.monotonic() < end:
        said = net.ip("-6", "addr", "show", "dev", "wlan0") if v6 else "fe80"
        if "tentative" not in said and "fe80" in said:
            return
        time.sleep(0.02)
    raise OSError("the kernel is not done with the addresses of wlan0")


class Flow:
    """One direction of one connection."""

    def __init__(self, towards, first):
        self.towards, self.first = towards, first  # "there": to the one who listens; "here": back
        self.bytes = bytearray()


class Proxy:
    """Listens at 127.0.0.1:port in `here`, connects to 127.0.0.1:to in `there`."""

    def __init__(self, lab, here, there, port, to=None, record=False, bits_per_s=0):
        self.here, self.there, self.to = here, there, to or port
        self.record, self.bits_per_s = record, bits_per_s
        self.silent = self.refusing = False
        self.flip = 0.0  # likelihood that a piece has one bit turned
        self.flipped = 0
        self.random = random.Random(1)
        self.count = {"there": 0, "here": 0}
        self.flows, self.sockets = [], []
        self.lock = threading.Lock()
        self.closed = False
        self.due = time.monotonic()
        with here.inside():
            self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()
        lab.closers.append(self.close)

    def total(self):
        return self.count["there"] + self.count["here"]

    def cut(self):
        """Ends every connection."""
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for s in sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def close(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def _accept(self):
        while not self.closed:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise OSError("refusing")
                with self.there.inside():
                    far = socket.create_connection(("127.0.0.1", self.to), 3)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.sockets += [near, far]
            for source, sink, towards in ((near, far, "there"), (far, near, "here")):
                threading.Thread(target=self._pump, args=(source, sink, towards), daemon=True).start()

    def _pump(self, source, sink, towards):
        flow = Flow(towards, self.total())
        if self.record:
            self.flows.append(flow)
        try:
            while piece := source.recv(16384):
                while self.silent and not self.closed:
                    time.sleep(0.05)
                if self.bits_per_s:
                    self._hold(len(piece))
                if self.flip and self.random.random() < self.flip:
                    piece = bytearray(piece)
                    piece[self.random.randrange(len(piece))] ^= 1 << self.random.randrange(8)
                    self.flipped += 1
                self.count[towards] += len(piece)
                if self.record:
                    flow.bytes += piece
                sink.sendall(piece)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _hold(self, n):
        """Both directions together get bits_per_s, as on one radio."""
        with self.lock:
            self.due = max(self.due, time.monotonic() - 0.02) + n * 8 / self.bits_per_s
            wait = self.due - time.monotonic()
        if wait > 0:
            time.sleep(wait)


def nets(lab, n):
    made = [Net() for _ in range(n)]
    lab.closers += [m.close for m in made]
    return made


def pair_with_proxy(lab, **options):
    """Ada and Bram, not in a report yet, and the two proxies at which each sees the other: (ada, bram, to_ada, to_bram)."""
    one, two = nets(lab, 2)
    ada, bram = lab.person("Ada", one, 7101), lab.person("Bram", two, 7102)
    to_ada = Proxy(lab, two, one, 7101, **options)
    to_bram = Proxy(lab, one, two, 7102, **options)
    return ada, bram, to_ada, to_bram
