"""The servers that tools/bench_http runs: the bare programs, ours, and what a user might pick instead. Each answers
every GET with the same 13 bytes, or echoes, on one thread, with no access log, and never ends a connection that is kept
alive. Also the load for them."""
import contextlib
import functools
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

OURS = "ours"
BARE = "bare"

NGINX = """
worker_processes 1; master_process off; daemon off; pid {folder}/pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; multi_accept on; use epoll; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; tcp_nodelay on; default_type text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "Hello, World!"; }} }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout client 75s
  timeout http-request 10s
  timeout http-keep-alive 75s
frontend hello
  bind 127.0.0.1:{port} backlog 4096
  http-request return status 200 content-type text/plain string "Hello, World!"
"""

NODE = """
const answer = (_, response) =>
  response.writeHead(200, {{"Content-Type": "text/plain", "Content-Length": 13}}).end("Hello, World!");
const server = require("http").createServer({{keepAliveTimeout: 75000}}, answer);
server.maxRequestsPerSocket = 0;
server.listen({{port: {port}, host: "127.0.0.1", backlog: 4096}});
process.on("SIGTERM", () => process.exit(0));
"""

# Configured: program, its configuration, the command line. All from Debian's packages: tools/setup --bench.
CONFIGURED = {
    "nginx": ("nginx", NGINX, ["-p", "{folder}", "-e", "stderr", "-c", "{file}"]),
    "haproxy": ("haproxy", HAPROXY, ["-db", "-f", "{file}"]),
    "node": ("node", NODE, ["{file}"]),
}
# Built by us, bench/http/peers; the option ESC_BENCH_PEERS.
BUILT = {
    "http": {"hyper": "hyper_http", "libuv + llhttp": "libuv_http", "libmicrohttpd": "microhttpd_http",
             "Boost.Beast": "beast_http", "libevent evhttp": "libevent_http"},
    "echo": {"libev": "libev_echo", "libuv": "libuv_echo", "tokio": "tokio_echo", "asio, coroutines": "asio_echo"},
}
OWN = {"http": {BARE: ["bench_bare", "http"], OURS: ["bench_hello"]},
       "echo": {BARE: ["bench_bare", "echo"], OURS: ["bench_echo"]}}


def say(text):
    print(text, file=sys.stderr, flush=True)


@functools.cache
def undisturbed():
    """How to run what is timed: before whatever else the machine does, where that is allowed."""
    if subprocess.run(["chrt", "-f", "10", "true"], capture_output=True).returncode == 0:
        return ["chrt", "-f", "10"]
    say("other processes may disturb the figures: this user may not run anything as SCHED_FIFO")
    return []


class Server:
    """A server process: its port is on the first line of its output, or given; it ends in good order with SIGTERM."""

    def __init__(self, command, core=None, wrapper=(), port=None):
        pin = ["taskset", "-c", str(core)] if core is not None else []
        self.process = subprocess.Popen([*pin, *wrapper, *command], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL if {"valgrind", "strace"} & set(wrapper) else None)
        if port is not None:
            self.port = str(port)
            if not wait_for(port):
                self.stop()
                raise RuntimeError(f"{command[0]} does not listen")
            return
        self.port = self.process.stdout.readline().strip()
        if not self.port.isdigit():
            raise RuntimeError(f"{command[0]} did not say where it listens")

    def stop(self):
        # strace and valgrind pass it on, or are the process.
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        for pid in [*map(int, children), self.process.pid]:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        return self.process.wait(timeout=60)

    def cpu_nanoseconds(self):
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)  # clock_getcpuclockid(3)

    def settle(self):
        """Until it has done with the connections of its round, which are not to cost another's."""
        for _ in range(400):
            before = self.cpu_nanoseconds()
            time.sleep(0.005)
            if self.cpu_nanoseconds() - before < 100_000:
                return

    def user_and_system(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]), int(fields[12])

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def stop_all(servers):
    for server in servers.values():
        server.stop()


def load(programs, port, arguments, core=None, program="bench_load", wrapper=()):
    pin = ["taskset", "-c", str(core)] if core is not None else []
    command = [*pin, *wrapper, programs / program, port, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def resident_each(server, programs, connections, arguments, program="bench_load", idle_for=0, few=64):
    """What each of so many connections, more than `few`, idle for so many seconds, adds to the server's memory."""
    resident = []
    for number in (few, connections):
        held = subprocess.Popen([programs / program, server.port, "--idle", "--connections", str(number), *arguments],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        held.stdout.readline()
        time.sleep(idle_for)
        resident.append(server.resident_bytes())
        held.communicate()
        server.settle()
    return round((resident[1] - resident[0]) / (connections - few))


def wait_for(port, seconds=30):
    """Until something listens there."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), 1)):
            return True
        time.sleep(0.02)
    return False


# --- the peers

def find(name):
    """The program of a configured one, or None."""
    return shutil.which(CONFIGURED[name][0]) or shutil.which(CONFIGURED[name][0], path="/usr/sbin:/sbin")


def peers(kind, programs):
    """Names of those that can be run; says once which cannot."""
    found, missing = [], {}
    for name in CONFIGURED if kind == "http" else ():
        if find(name):
            found.append(name)
        else:
            missing[name] = "not installed (tools/setup --bench does)"
    for name, program in BUILT[kind].items():
        if (programs / "peers" / program).exists():
            found.append(name)
        else:
            missing[name] = "not built (preset bench, after tools/setup --bench)"
    for name, reason in missing.items():
        if name not in SAID:
            SAID.add(name)
            say(f"{name}: skipped: {reason}")
    return found


SAID = set()

PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "hyper": "librust-hyper-dev", "tokio": "librust-tokio-dev",
            "libuv": "libuv1-dev", "libev": "libev-dev", "libevent": "libevent-dev", "asio": "libasio-dev",
            "Boost": "libboost-dev", "libmicrohttpd": "libmicrohttpd-dev", "OpenSSL": "libssl3"}


def machine():
    """What the figures were measured on, and beside what, in a line."""
    models = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    system = f"{models[0] if models else platform.machine()}, {len(models)} cores, {platform.system()} "
    versions = []
    for name, package in PACKAGES.items():
        with contextlib.suppress(OSError):
            done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
            if done.returncode == 0:
                versions.append(f"{name} {re.match('(?:[0-9]+:)?([0-9.]+)', done.stdout)[1].rstrip('.')}")
    if shutil.which("node"):
        done = subprocess.run(["node", "--version"], capture_output=True, text=True)
        versions.append("node " + done.stdout.strip("v\n"))
    return system + re.match("[0-9]+[.][0-9]+", platform.release())[0] + "; " + ", ".join(versions) + "."


def start(name, kind, programs, folder, core=None, wrapper=()):
    """Runs it, `ours` and `bare` too."""
    if name in OWN[kind]:
        command, port = [str(programs / OWN[kind][name][0]), *OWN[kind][name][1:]], None
    elif name in BUILT[kind]:
        command, port = [str(programs / "peers" / BUILT[kind][name])], None
    else:
        command, port = configured(name, folder)
    if name == "node" and wrapper == undisturbed():
        wrapper = ()  # its threads wait for each other by spinning, which on one core would last for ever
    return Server(command, core, wrapper, port)


def configured(name, folder):
    """Writes the peer's configuration into `folder`; the command that runs it, and its port."""
    _, text, arguments = CONFIGURED[name]
    with contextlib.closing(socket.socket()) as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = pathlib.Path(folder) / f"{name}.conf"
    file.write_text(text.format(folder=folder, port=port))
    return [find(name), *(part.format(folder=folder, file=file) for part in arguments)], port
