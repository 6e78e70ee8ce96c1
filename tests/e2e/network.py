"""Networks that hold one person each, and a proxy that stands between two of them.

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
