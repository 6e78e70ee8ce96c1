"""What the programs in this folder share: people with folders and daemons, waiting with a bound, and counting.

A Lab is a temporary folder. A Person in it has a home (RAPPORT_HOME) and a report's folder, and runs the real
program. With a network of his own (network.py) nothing reaches him but through a proxy that the test makes.
Everything that waits has a bound, and whatever was started is ended with the lab.
"""
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BINARY = os.environ.get("RAPPORT") or os.path.join(TOP, os.environ.get("B", "build"), "rapport")

passed = failed = skipped = 0


class Stop(Exception):
    """A check failed, and what follows in this test makes no sense without it."""


def check(ok, what):
    """Counts one check; says which when it failed."""
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {what}", flush=True)
    return bool(ok)


def need(ok, what):
    if not check(ok, what):
        raise Stop(what)


def skip(why):
    global skipped
    skipped += 1
    print(f"skipped: {why}", flush=True)


def say(text):
    print(text, flush=True)


def wait_for(condition, seconds, what, step=0.02):
    """Calls condition until it gives something true, and returns that; Stop after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            need(False, f"not within {seconds} s: {what}")
        time.sleep(step)


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def save_by_rename(path, data):
    """As most editors save: a new file beside it, synced, and renamed over it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{random.randrange(1 << 30)}.tmp")
    with open(beside, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
        f.flush()
        os.fsync(f.fileno())
    os.rename(beside, path)


def notes_of(folder):
    """Every Markdown file below a report's folder, by relative path, with its bytes."""
    found = {}
    for top, dirs, files in os.walk(folder):
        dirs[:] = [d for d in dirs if d != ".rapport"]
        for name in files:
            if name.endswith(".md"):
                path = os.path.join(top, name)
                found[os.path.relpath(path, folder)] = read(path)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Result:
    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self):
        return f"rapport {' '.join(self.args)[:120]}: exit {self.code}, out {self.out[:300]!r}, err {self.err[:600]!r}"


class Person:
    def __init__(self, lab, name, net=None, port=None):
        self.lab, self.name, self.net = lab, name, net
        self.port = port or free_port()
        self.home = os.path.join(lab.path, f"home-{name.lower()}")
        self.dir = os.path.join(lab.path, name.lower())
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.home, "LC_ALL": "C.UTF-8", "TZ": "UTC",
                    "RAPPORT_HOME": os.path.join(self.home, "rapport"),
                    "RAPPORT_LAN": "off", "RAPPORT_TAILNET": "off"}  # nobody else's network
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]
        os.makedirs(self.home, exist_ok=True)
        self.daemon = None
        self.log = os.path.join(self.home, "up.log")

    def start(self, args, cwd=None, prefix=(), **streams):
        """Starts the program in this person's folder and network."""
        with self.net.inside() if self.net else contextlib.nullcontext():
            p = subprocess.Popen([*prefix, BINARY, *args], cwd=cwd or (self.dir if os.path.isdir(self.dir) else self.lab.path),
                                 env=self.env, start_new_session=True, **streams)
        self.lab.processes.append(p)
        return p

    def run(self, *args, code=None, data=None, timeout=40, cwd=None, prefix=()):
        """Runs one verb to its end. With `code` (a number or several) another exit code is a failed check."""
        begin = time.monotonic()
        p = self.start(args, cwd, prefix, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(data.encode() if isinstance(data, str) else data, timeout)
            result = p.returncode
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            result = "none in time"
        r = Result(args, result, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), time.monotonic() - begin)
        if code is not None:
            check(r.code in ((code,) if isinstance(code, int) else code), f"exit {code} of {self.name}'s {r}")
        return r

    def status(self):
        r = self.run("--json", "status")
        need(r.code == 0, f"status works: {r}")
        return r.json()

    def digest(self):
        return self.status()["digest"]

    def init(self, title="FOSDEM 2023"):
        r = self.run("init", title, "--dir", self.dir, "--name", self.name, cwd=self.lab.path)
        need(r.code == 0, f"init works: {r}")

    def ticket(self, *options):
        r = self.run("invite", "--no-wait", *options)
        need(r.code == 0, f"invite works: {r}")
        return r.out.strip()

    def join(self, ticket, timeout=40):
        r = self.run("join", ticket, self.dir, "--name", self.name, cwd=self.lab.path, timeout=timeout)
        need(r.code == 0, f"{self.name} joins: {r}")
        return r

    def up(self, *options, wait=20):
        """Starts the daemon, listening on this person's port, and waits until it says so."""
        offset = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            p = self.start(["up", "--listen", f"127.0.0.1:{self.port}", *options],
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.daemon = p

        def listens():
            if p.poll() is not None:
                return "ended"
            return f"127.0.0.1:{self.port}".encode() in read(self.log)[offset:] and "listens"
        need(wait_for(listens, wait, f"{self.name}'s daemon listens") == "listens",
             f"{self.name}'s daemon starts: {read(self.log)[offset:][-500:]!r}")

    def down(self):
        """Ends the daemon as a person does."""
        if not self.daemon:
            return
        self.daemon.send_signal(signal.SIGTERM)
        try:
            code = self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            code = "none in 20 s"
        check(code == 0, f"{self.name}'s daemon ends in order: exit {code}, {(read(self.log) or b'')[-400:]!r}")
        self.daemon = None

    def kill(self):
        """kill -9"""
        self.daemon.kill()
        self.daemon.wait(10)
        self.daemon = None

    def file(self, path):
        return os.path.join(self.dir, path)

    def read(self, path):
        return read(self.file(path))

    def write(self, path, data):
        write(self.file(path), data)


class Lab:
    def __init__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="rapport-e2e-"))
        self.processes, self.closers = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
        for p in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(10)
            for stream in (p.stdin, p.stdout, p.stderr):
                if stream:
                    stream.close()
        for close in reversed(self.closers):
            close()
        shutil.rmtree(self.path, ignore_errors=True)

    def person(self, name, net=None, port=None):
        return Person(self, name, net, port)

    def pair(self, a="Ada", b="Bram", nets=(None, None), options=()):
        """Two people in one report, both up."""
        ada, bram = self.person(a, nets[0]), self.person(b, nets[1])
        ada.init()
        ada.up(*options)
        bram.join(ada.ticket())
        bram.up(*options)
        return ada, bram


def same_report(people, seconds=30, what="equal digests"):
    """Waits until all digests are known and equal; returns the digest."""
    def equal():
        digests = {p.digest() for p in people}
        return digests.pop() if len(digests) == 1 and "" not in digests else None
    return wait_for(equal, seconds, what, step=0.1)


def same_files(people, what="the same files"):
    first = notes_of(people[0].dir)
    for p in people[1:]:
        other = notes_of(p.dir)
        differ = sorted(set(first) ^ set(other)) + [n for n in first if n in other and first[n] != other[n]]
        check(not differ, f"{what}: {people[0].name} and {p.name} differ in {differ[:5]} ({len(differ)})")
    return first


def without(*kinds):
    """Marks a test that waits more than it works: builds with these sanitizers leave it to the plain build."""
    def mark(test):
        test.without = kinds
        return test
    return mark


def left_out(test):
    """The kind of build that this test is not run with, if that is what we have; by name it always runs."""
    kinds = getattr(test, "without", ())
    return next((kind for kind in kinds if f"/{kind}/" in BINARY and not sys.argv[1:]), None)


def main(*tests, seconds=110):
    """Runs the tests, prints the count, ends the program. All of it takes at most E2E_SECONDS."""
    seconds = int(os.environ.get("E2E_SECONDS", seconds))
    only = sys.argv[1:]

    def late(*_):
        raise TimeoutError(f"the program took more than {seconds} s")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    if not os.access(BINARY, os.X_OK):
        skip(f"there is no {BINARY}")
        tests = ()
    for test in tests:
        if only and not any(word in test.__name__ for word in only):
            continue
        if left_out(test):
            skip(f"{test.__name__} mostly waits: left to the build without {left_out(test)}")
            continue
        say(f"-- {test.__doc__.splitlines()[0]}")
        begin = time.monotonic()
        try:
            with Lab() as lab:
                try:
                    test(lab)
                except BaseException:
                    tell_logs(lab)
                    raise
        except Stop:
            pass
        except TimeoutError as e:
            check(False, f"{test.__name__}: {e}")
            traceback.print_exc(file=sys.stdout)
            break
        except Exception:
            check(False, f"{test.__name__} broke")
            traceback.print_exc(file=sys.stdout)
        say(f"   {time.monotonic() - begin:.1f} s")
    signal.alarm(0)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.stdout.flush()
    sys.exit(1 if failed else 0)


def tell_logs(lab):
    """What the daemons said, for whoever has to find out why."""
    for name in sorted(os.listdir(lab.path)):
        log = read(os.path.join(lab.path, name, "up.log"))
        if log:
            say(f"   {name} said:\n" + log[-1500:].decode("utf-8", "replace"))
