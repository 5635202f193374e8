#!/usr/bin/env python3
"""Every allocation of esc-fetch, esc-serve and esc-timers fails in turn: alone, and with all that follow. Each run ends
by itself with what it should have done, or with a sentence on standard error and an exit code that says so.

    memory_test.py SERVE FETCH TIMERS FAILING_MALLOC [--certificates FOLDER] [--every N] [--only NAME]

--every N tries the first and one in N, another one each time it is run: for tools/test, which has no time for all.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
for name in ("serve", "fetch", "timers", "failing_malloc"):
    parser.add_argument(name)
parser.add_argument("--certificates")
parser.add_argument("--every", type=int, default=1)
parser.add_argument("--only", default="")
options = parser.parse_args()
ALL_FOLLOWING = 1_000_000_000
scratch = pathlib.Path(tempfile.mkdtemp())


def environment(at, count, log=""):
    return dict(os.environ, LD_PRELOAD=options.failing_malloc, ESC_FAIL_AT=str(at), ESC_FAIL_COUNT=str(count),
                ESC_FAIL_LOG=str(log))


def run(command, env):
    """The exit code, standard output and standard error."""
    done = subprocess.run(command, capture_output=True, env=env, stdin=subprocess.DEVNULL, timeout=30)
    return done.returncode, done.stdout, done.stderr


def serve_once(command, env):
    """Starts a server, asks it once, and ends it. What it answered stands for standard output."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=env)
    said = b""
    try:
        line = process.stdout.readline().decode()
        if line.startswith("listening on "):
            try:
                with socket.create_connection(("127.0.0.1", int(line.rsplit(":", 1)[1])), timeout=5) as wire:
                    wire.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    while piece := wire.recv(65536):
                        said += piece
            except (ConnectionError, TimeoutError):
                pass  # a connection may be lost
            process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    return process.returncode, said, errors


def problem(outcome, healthy, program, codes):
    code, said, errors = outcome
    sentence = f"{program}: ".encode() in errors
    if code == -signal.SIGTERM and sentence and program == "esc-serve":
        return ""  # it was on its way out when this test asked for it
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    if code == 0:
        # A server may lose a request, and lives on.
        complete = said == healthy or b'"complete":true' in said
        return "" if complete or program == "esc-serve" else f"exit code 0, but it said {said[:200]!r}"
    if code not in codes:
        return f"exit code {code}"
    return "" if sentence else "no sentence"


def try_all(what, runner, command, program, codes):
    """Yields what went wrong."""
    log = scratch / what.replace(" ", "-")
    code, healthy, errors = runner(command, environment(0, 1, log))
    if code != 0:
        yield f"{what}: without a fault: exit code {code}, {errors!r}"
        return
    total = int(log.read_text())
    start = random.randrange(options.every) + 1
    # The first is the C++ library's reserve for exceptions.
    tried = sorted({1, *range(start, total + 1, options.every)})
    cases = [(at, count) for at in tried for count in (1, ALL_FOLLOWING)]

    def one(case):
        try:
            outcome = runner(command, environment(*case))
        except subprocess.TimeoutExpired:
            return case, "hangs", (0, b"", b"")
        return case, problem(outcome, healthy, program, codes), outcome

    failures = 0
    seen = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (at, count), wrong, outcome in pool.map(one, cases):
            seen[outcome[0]] = seen.get(outcome[0], 0) + 1
            if not wrong:
                continue
            failures += 1
            if failures <= 20:
                where = f"allocation {at}" + (" and all after it" if count > 1 else "")
                yield f"{what}: {where} of {total}: {wrong}; {outcome[2][-300:]!r}"
    if failures > 20:
        yield f"{what}: {failures} in all"
    print(f"{what}: {len(cases)} runs, {total} allocations; exit codes {seen}", flush=True)


def plans():
    server = subprocess.Popen([options.serve, "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        url = server.stdout.readline().decode().split()[-1]
        fetch_codes = {27}
        yield "esc-fetch", run, [options.fetch, url + "/hello"], "esc-fetch", fetch_codes
        # c-ares may say no more than that it could not reach a DNS server.
        by_name = url.replace("127.0.0.1", "localhost")
        yield "esc-fetch by name", run, [options.fetch, by_name + "/hello"], "esc-fetch", {6, 7, 27}
        yield ("esc-fetch --report", run, [options.fetch, "--report", "-L", "-H", "A: b", "-d", "x", "--retry", "1",
                                         "--retry-delay", "0", url + "/status/200"], "esc-fetch", fetch_codes)
    finally:
        server.kill()
        server.communicate()
    if options.certificates:
        folder = pathlib.Path(options.certificates)
        server = subprocess.Popen([options.serve, "127.0.0.1:0", "--tls-cert", folder / "a.pem", "--tls-key",
                                   folder / "a.key"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            url = server.stdout.readline().decode().split()[-1].replace("127.0.0.1", "localhost")
            yield ("esc-fetch https", run, [options.fetch, "--cacert", folder / "ca.pem", url + "/hello"], "esc-fetch",
                   fetch_codes)
        finally:
            server.kill()
            server.communicate()
    yield "esc-serve", serve_once, [options.serve, "127.0.0.1:0"], "esc-serve", {1}
    yield ("esc-serve --threads", serve_once, [options.serve, "127.0.0.1:0", "--threads", "2", "--metrics", "--gzip",
                                               "--access-log", "/dev/null"], "esc-serve", {1})
    yield "esc-timers", run, [options.timers, "--list"], "esc-timers", {1}


wrong = []
for plan in plans():
    if options.only and plan[0] != options.only:
        continue
    wrong += list(try_all(*plan))
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
