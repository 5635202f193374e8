"""What a client gets while something else keeps the server busy: a task that yields all the time, a download by gzip,
a download over TLS. Its p99 is held to the bound that core/reactor.h and io/http/h1/connection.h state: a turn lasts
for a millisecond and the piece of work that was begun within it, and a request waits for the rest of one."""
import contextlib
import multiprocessing
import os
import pathlib
import socket
import ssl
import statistics
import tempfile
import time

import servers
import tls_runs
from servers import Server, load, say

# A millisecond, and as much again for what was begun: a computation of one, 64 KiB over TLS, 8 KiB by gzip.
BOUND_US = 2000
# Broken however busy the machine is: the faults that this is to find were a hundred times the bound.
BROKEN = 10
FILE_BYTES = 64 << 20


def download(port, encrypted, taken):
    """Takes the answer again and again, as fast as it comes; `taken` counts its bytes."""
    os.sched_setaffinity(0, {1})
    os.nice(19)  # the client that is measured has this core when it needs it
    path, context = ("/", ssl.create_default_context()) if encrypted else ("/file.txt", None)
    if encrypted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    room = bytearray(256 << 10)
    while True:
        with contextlib.ExitStack() as closing:
            peer = closing.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            if encrypted:
                peer = closing.enter_context(context.wrap_socket(peer, server_hostname="localhost"))
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n"
                         "Connection: close\r\n\r\n".encode())
            while count := peer.recv_into(room):
                taken.value += count


def write_text(folder):
    """Text that gzip has work with."""
    with open(pathlib.Path(folder) / "file.txt", "w", encoding="ascii") as file:
        for number in range(FILE_BYTES // 64):
            digits = number * 2654435761 % 4294967296
            file.write(f"{number:08} {digits:010} what a line of a log may look like {number % 977:06}\n")


def p99_us(programs, port, seconds):
    rounds = 5
    client = ["--connections", "1", "--seconds", str(seconds / rounds)]
    return statistics.median(load(programs, port, client, 1, wrapper=servers.undisturbed())["p99_us"]
                             for _ in range(rounds))


def beside(programs, arguments, downloads, seconds):
    """The client's p99 while nothing is downloaded, and while it is."""
    server = Server([str(programs / "bench_fair"), *arguments], 0, servers.undisturbed())
    other = None
    try:
        second = server.process.stdout.readline().strip()
        quiet = p99_us(programs, server.port, seconds)
        if not downloads:
            return quiet, quiet
        encrypted = downloads == "tls"
        taken = multiprocessing.Value("Q", lock=False)
        port = int(second if encrypted else server.port)
        other = multiprocessing.Process(target=download, args=(port, encrypted, taken))
        other.start()
        ends = time.monotonic() + 30
        while taken.value == 0 and time.monotonic() < ends:
            time.sleep(0.01)
        before = taken.value
        busy = p99_us(programs, server.port, seconds)
        if before == 0 or taken.value == before:
            raise RuntimeError(f"{downloads}: nothing was downloaded")
        return quiet, busy
    finally:
        if other is not None:
            other.kill()
            other.join()
        server.stop()


def measure(programs, seconds, check):
    """The rows, and 1 where the bound is broken: with `check` by anything, else by a wide margin."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_text(folder)
        cases = {"a task that yields": (["yield"], None), "a download by gzip": (["gzip", folder], "gzip"),
                 "a download over TLS": (["tls", *tls_runs.make_certificate(folder)], "tls")}
        for name, (arguments, downloads) in cases.items():
            quiet, busy = beside(programs, arguments, downloads, seconds)
            rows.append({"case": name, "p99_us": busy, "quiet_p99_us": quiet, "bound_us": BOUND_US})
            say(f"beside {name}: p99 {busy:.0f} us" + (f", alone {quiet:.0f} us" if downloads else "") +
                f" (bound {BOUND_US} us)")
    allowed = BOUND_US if check else BROKEN * BOUND_US
    return rows, 1 if any(row["p99_us"] > allowed for row in rows) else 0
