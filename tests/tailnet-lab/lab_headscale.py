"""A tailnet of one's own: one headscale server and tailscaled nodes, each in a network namespace on one bridge.

The bridge has no way out, so nothing here reaches the machine's network or the hosted service. headscale serves plain
HTTP and its embedded relay (DERP) and STUN; TS_DEBUG_USE_DERP_HTTP lets the clients use that relay without TLS. Each
tailscaled lives in a mount namespace as well, where the resolver's file is a copy, so that it cannot change the
machine's. What is started ends with the Lab.

The programs are taken ready-made: HEADSCALE, TAILSCALED and TAILSCALE name them, else they are looked for in PATH.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from lab import Stop, need, read, wait_for, write
from network import Net, available

SERVER = "10.99.0.1"
URL = f"http://{SERVER}:8080"
RELAY_REGION = 999
LOGIN_SECONDS = 30
ALLOW_ALL = {"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}


def program(name):
    return os.environ.get(name.upper()) or shutil.which(name)


def missing():
    """None when a tailnet can be had here, else why not."""
    for name in ("headscale", "tailscaled", "tailscale"):
        path = program(name)
        if not path or not os.access(path, os.X_OK):
            return f"no {name} (in PATH or named by {name.upper()})"
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    for tool in ("ip", "unshare"):
        if not shutil.which(tool):
            return f"no {tool} command"
    return available()


def versions():
    """What each of the programs calls itself."""
    words = {}
    for name, args in (("headscale", ["version"]), ("tailscaled", ["--version"])):
        out = subprocess.run([program(name), *args], capture_output=True, text=True, timeout=20).stdout
        words[name] = out.split("\n")[0].removeprefix("headscale version ").strip()
    return words


def must(ok, what):
    """As need, for steps of the lab itself: not counted when they work."""
    if not ok:
        need(False, what)


def ip(net, *args):
    with net.inside():
        r = subprocess.run(["ip", *args], capture_output=True, text=True, timeout=20)
    must(r.returncode == 0, f"ip {' '.join(args)}: {r.stderr.strip()}")


class Underlay:
    """A bridge in a namespace of its own, and cables from it to others: a network that keeps its guests apart.

    Between two machines no TCP passes, as in the Wi-Fi of many venues; only the server's is let through. So whatever
    friends say to each other has gone over the tailnet, which needs UDP alone.
    """

    def __init__(self, lab):
        self.lab, self.n = lab, 0
        self.net = self._namespace()
        ip(self.net, "link", "add", "bridge", "type", "bridge")
        ip(self.net, "link", "set", "bridge", "up")

    def _namespace(self):
        net = Net()
        self.lab.closers.append(net.close)
        return net

    def machine(self):
        """A namespace with a cable to the bridge; the first one is the server's and has the address 10.99.0.1."""
        net = self._namespace()
        self.n += 1
        port = f"port{self.n}"
        ip(self.net, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", net.path)
        ip(self.net, "link", "set", port, "master", "bridge", "up")
        ip(net, "addr", "add", f"10.99.0.{self.n}/24", "dev", "eth0")
        ip(net, "link", "set", "eth0", "up")
        if self.n > 1:
            self._refuse_guests(net)
        return net

    @staticmethod
    def _refuse_guests(net):
        """Drops TCP that comes over the cable from anybody but the server; whoever connects waits in vain."""
        ip(net, "rule", "add", "pref", "20", "lookup", "local")
        ip(net, "rule", "add", "pref", "9", "from", SERVER, "iif", "eth0", "lookup", "local")
        ip(net, "rule", "add", "pref", "10", "from", "10.99.0.0/24", "iif", "eth0", "ipproto", "tcp", "blackhole")
        ip(net, "rule", "del", "pref", "0")


class Service:
    """A program in a machine, with a log, that can be stopped and started again."""

    def __init__(self, lab, name, net):
        self.lab, self.name, self.net = lab, name, net
        self.home = os.path.join(lab.path, name)
        os.makedirs(self.home)
        self.log = os.path.join(self.home, "up.log")
        self.process = None

    def path(self, name):
        return os.path.join(self.home, name)

    def start(self, *command, **env):
        words = {"PATH": os.environ["PATH"], "HOME": self.home, "LC_ALL": "C.UTF-8", **env}
        with self.net.inside(), open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=words, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        self.lab.processes.append(self.process)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


class Headscale(Service):
    def __init__(self, lab, net):
        super().__init__(lab, "headscale", net)
        self.config = self.path("config.json")
        write(self.config, json.dumps(self._settings(), indent=1))
        self.set_policy(ALLOW_ALL)

    def _settings(self):
        return {
            "server_url": URL, "listen_addr": f"{SERVER}:8080", "metrics_listen_addr": "127.0.0.1:9090",
            "grpc_listen_addr": "127.0.0.1:50443", "unix_socket": self.path("headscale.sock"),
            "noise": {"private_key_path": self.path("noise.key")},
            "prefixes": {"v4": "100.64.0.0/10", "v6": "fd7a:115c:a1e0::/48", "allocation": "sequential"},
            "derp": {"server": {"enabled": True, "region_id": RELAY_REGION, "region_code": "lab", "region_name": "Lab",
                                "stun_listen_addr": "0.0.0.0:3478", "private_key_path": self.path("derp.key"),
                                "automatically_add_embedded_derp_region": True, "verify_clients": True, "ipv4": SERVER},
                     "urls": [], "paths": [], "auto_update_enabled": False},
            "database": {"type": "sqlite", "sqlite": {"path": self.path("db.sqlite"), "write_ahead_log": True}},
            "dns": {"magic_dns": True, "base_domain": "tailnet.test", "override_local_dns": False,
                    "nameservers": {"global": []}},
            "policy": {"mode": "file", "path": self.path("policy.json")},
            "disable_check_updates": True, "logtail": {"enabled": False},
        }

    def up(self):
        self.start(program("headscale"), "-c", self.config, "serve")
        wait_for(self._listens, 30, "headscale answers")

    def _listens(self):
        must(self.process.poll() is None, f"headscale runs: {(read(self.log) or b'')[-600:]!r}")
        with self.net.inside(), contextlib.suppress(OSError):
            socket.create_connection((SERVER, 8080), 1).close()
            return os.path.exists(self.path("headscale.sock"))

    def ask(self, *args):
        with self.net.inside():
            r = subprocess.run([program("headscale"), "-c", self.config, *args, "-o", "json"], capture_output=True,
                               text=True, timeout=30)
        must(r.returncode == 0, f"headscale {' '.join(args)}: {r.stderr[-400:]}")
        return json.loads(r.stdout)

    def key_for(self, user):
        """A key with which this user's nodes may log in."""
        number = self.ask("users", "create", user)["id"]
        return self.ask("preauthkeys", "create", "--user", str(number), "--reusable", "--expiration", "1h")["key"]

    def set_policy(self, policy):
        write(self.path("policy.json"), json.dumps(policy))
        if self.process:
            self.process.send_signal(signal.SIGHUP)


class Node(Service):
    """One tailscaled and what it says of itself."""

    def __init__(self, lab, name, net):
        super().__init__(lab, f"tailscaled-{name.lower()}", net)
        self.who = name.lower()
        self.socket = self.path("tailscaled.sock")
        write(self.path("resolv.conf"), "")

    def up(self, tun="tailscale0"):
        """Starts the daemon; `userspace-networking` for tun means that no interface is made."""
        inside = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        self.start("unshare", "--mount", "sh", "-c", inside, self.path("resolv.conf"),
                   program("tailscaled"), f"--tun={tun}", f"--state={self.path('state')}", f"--statedir={self.home}",
                   f"--socket={self.socket}", "--port=41641", "--no-logs-no-support",
                   TS_PANIC_IF_HIT_MAIN_CONTROL="1", TS_DISABLE_PORTMAPPER="1", TS_LOGS_DIR=self.home,
                   TS_DEBUG_USE_DERP_HTTP="1", TS_DEBUG_FIREWALL_MODE="nftables")
        wait_for(self._answers, 20, f"{self.name} answers")

    def _answers(self):
        must(self.process.poll() is None, f"{self.name} runs: {(read(self.log) or b'')[-600:]!r}")
        with contextlib.suppress(OSError, Stop):
            return self.get("status?peers=false")[0] == 200

    def login(self, key):
        with self.net.inside():
            r = subprocess.run([program("tailscale"), f"--socket={self.socket}", "up", f"--login-server={URL}",
                                f"--authkey={key}", f"--hostname={self.who}", "--accept-dns=false",
                                f"--timeout={LOGIN_SECONDS}s"],
                               capture_output=True, text=True, timeout=LOGIN_SECONDS + 15)
        must(r.returncode == 0, f"{self.who} logs in: {r.stdout[-300:]} {r.stderr[-300:]}")

    def get(self, path, seconds=5):
        """One LocalAPI answer: (code, header, body)."""
        return http(self.socket, f"GET /localapi/v0/{path} HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n", seconds)

    def status(self):
        code, _, body = self.get("status")
        must(code == 200, f"{self.name} gives its status: {code} {body[:200]!r}")
        return json.loads(body)

    def sees(self, n):
        """Whether it is running, online, and n others are online too."""
        s = self.status()
        others = (s["Peer"] or {}).values()
        return s["BackendState"] == "Running" and s["Self"]["Online"] and sum(p["Online"] for p in others) == n


def http(path, request, seconds):
    """Sends a request to a Unix socket and reads to the end, or for so many seconds."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(seconds)
        s.connect(path)
        s.sendall(request.encode())
        answer, end = b"", time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while piece := s.recv(65536):
                answer += piece
                s.settimeout(max(0.01, end - time.monotonic()))
    header, _, body = answer.partition(b"\r\n\r\n")
    return int(header.split()[1]) if header else 0, header.decode("latin-1"), body


class Tailnet:
    """The server and one node a friend, all of whom see each other."""

    def __init__(self, lab, names, at_once=True):
        """With at_once False the nodes' numbers and addresses follow the names' order, for the price of 5 s each."""
        self.underlay = Underlay(lab)
        self.server = Headscale(lab, self.underlay.machine())
        self.server.up()
        self.nodes = {name: Node(lab, name, self.underlay.machine()) for name in names}
        keys = [self.server.key_for(name.lower()) for name in names]
        with ThreadPoolExecutor(len(names) if at_once else 1) as pool:
            list(pool.map(self._enter, self.nodes.values(), keys))
        self.all_online()

    @staticmethod
    def _enter(node, key):
        node.up()
        node.login(key)

    def all_online(self, seconds=60):
        n = len(self.nodes) - 1
        wait_for(lambda: all(node.sees(n) for node in self.nodes.values()), seconds, "all nodes see each other online",
                 step=0.2)
