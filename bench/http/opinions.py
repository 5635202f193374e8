"""A second opinion on the rates of tools/bench_http --timed: wrk and h2load instead of bench_load. They take more CPU
for a request than the servers do, so on one core each the rates are mostly theirs; the server's CPU is its own, but it
waits more often."""
import re
import shutil
import statistics
import subprocess
import tempfile

import servers
from servers import BARE, OURS, say

CONNECTIONS = 64
LOADS = {
    "wrk": (["wrk", "-t1", f"-c{CONNECTIONS}", "-d{seconds}s"], r"^Requests/sec:\s*([\d.]+)", r"Non-2xx|Socket errors"),
    "h2load": (["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", "-D{seconds}"], r"finished in [^,]*, ([\d.]+) req/s",
               r"[1-9]\d* (?:failed|errored|timeout|4xx|5xx)"),
}


def available():
    """Those that are installed; says which are not."""
    for name in LOADS:
        if shutil.which(name) is None:
            say(f"{name}: skipped: not installed (tools/setup --bench does)")
    return [name for name in LOADS if shutil.which(name) is not None]


def one_round(name, server, seconds):
    """Requests a second, and microseconds of the server's CPU for each."""
    command, pattern, wrong = LOADS[name]
    command = [part.format(seconds=seconds) for part in command]
    before = server.cpu_nanoseconds()
    said = subprocess.run(["taskset", "-c", "1", *command, f"http://127.0.0.1:{server.port}/"], capture_output=True,
                          text=True, timeout=60).stdout
    used = server.cpu_nanoseconds() - before
    found = re.search(pattern, said, re.M)
    if not found or re.search(wrong, said):
        raise RuntimeError(f"{name}: {said.strip()}")
    return float(found[1]), used / 1000 / (float(found[1]) * seconds)


def measure(programs, rounds, seconds=1):
    """The bare program, ours and nginx, interleaved; the server on one core, the load on the other."""
    rows = []
    for load in available():
        names = [BARE, OURS, *(["nginx"] if servers.find("nginx") else [])]
        running = {}
        with tempfile.TemporaryDirectory() as folder:
            try:
                for name in names:
                    running[name] = servers.start(name, "http", programs, folder, 0)
                got = {name: [] for name in names}
                for _ in range(rounds):
                    for name in names:
                        got[name].append(one_round(load, running[name], seconds))
                        running[name].settle()
            finally:
                servers.stop_all(running)
        row = {"case": load, "rounds": rounds}
        for number, what in enumerate(("rate", "cpu_us")):
            values = {name: [each[number] for each in found] for name, found in got.items()}
            row[what] = {name: round(statistics.median(found), 2) for name, found in values.items()}
            row["ours ÷ " + what] = {name: round(statistics.median(a / b for a, b in zip(values[OURS], found)), 3)
                                     for name, found in values.items() if name != OURS}
        rows.append(row)
        say(f"{load}, {CONNECTIONS} connections: {row['rate'][OURS]:.0f} req/s" +
            "".join(f"  ÷ {name} {ratio}" for name, ratio in row["ours ÷ rate"].items()) +
            f"  CPU {row['cpu_us'][OURS]} us" +
            "".join(f"  ÷ {name} {ratio}" for name, ratio in row["ours ÷ cpu_us"].items()))
    return rows
