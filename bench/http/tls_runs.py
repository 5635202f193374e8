"""What TLS costs: our server and bare loops around mbedTLS and OpenSSL (bench/http/tls), under one load."""
import statistics
import subprocess
import tempfile

import servers
from servers import BARE, OURS, Server, load, say

MBEDTLS = "bare mbedTLS"
OPENSSL = "bare OpenSSL"
SERVERS = (OURS, MBEDTLS, OPENSSL)
AES, CHACHA = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"
RUNS = {
    "full handshakes, TLS 1.3": ["--new", "--connections", "8"],
    "resumed handshakes, TLS 1.3": ["--resume", "--connections", "8"],
    "full handshakes, TLS 1.2": ["--new", "--tls12", "--connections", "8"],
    "resumed handshakes, TLS 1.2": ["--resume", "--tls12", "--connections", "8"],
    "64 MiB answers, AES-128-GCM": ["--ciphers", AES, "--connections", "4"],
    "64 MiB answers, ChaCha20-Poly1305": ["--ciphers", CHACHA, "--connections", "4"],
    "small requests, 64 connections": ["--ciphers", AES, "--connections", "64"],
}


def available(programs):
    if all((programs / name).exists() for name in ("bench_tls_load", "bench_tls_mbedtls", "bench_tls_openssl")):
        return True
    say("TLS: skipped: not built (preset bench, after tools/setup --bench)")
    return False


def make_certificate(folder):
    files = [f"{folder}/certificate.pem", f"{folder}/key.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "30", "-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    return files


def start(name, programs, folder, big=False, core=None, wrapper=()):
    files = make_certificate(folder)
    if name == OURS:
        command = ["bench_hello", "tls-big" if big else "tls", *files]
    else:
        command = ["bench_tls_mbedtls" if name == MBEDTLS else "bench_tls_openssl", *files, *(["big"] if big else [])]
    return Server([str(programs / command[0]), *command[1:]], core, wrapper)


def measure(programs, cases, rounds, seconds, interval):
    if not available(programs):
        return []
    with tempfile.TemporaryDirectory() as folder:
        return [one_run(programs, name, rounds, max(seconds, 0.4), folder, interval) for name in cases]


def one_run(programs, name, rounds, seconds, folder, interval):
    big, small = "MiB" in name, "small" in name
    running = {}
    try:
        for key in SERVERS:
            running[key] = start(key, programs, folder, big, 0, servers.undisturbed())
        if small:  # the same without TLS
            for key in (OURS, BARE):
                running[f"{key}, plain"] = servers.start(key, "http", programs, folder, 0,
                                                         servers.undisturbed())
        found = {key: [] for key in running}
        for number in range(rounds + 1):  # the first one warms up
            for key in list(running) if number % 2 else reversed(list(running)):
                got = one_round(programs, running[key], RUNS[name], seconds, key.endswith("plain"))
                if number != 0:
                    found[key].append(got)
    finally:
        servers.stop_all(running)
    return say_row(summary(name, found, "cpu_us_mib" if big else "cpu_us", "mib_rate" if big else "rate", interval))


def one_round(programs, server, arguments, seconds, plain):
    if plain:
        arguments = arguments[arguments.index("--connections"):]
    arguments = [*arguments, "--seconds", str(seconds), "--warm", str(seconds / 4), "--pid", str(server.process.pid)]
    program = "bench_load" if plain else "bench_tls_load"
    got = load(programs, server.port, arguments, 1, program, servers.undisturbed())
    server.settle()
    wants = "--resume" in arguments
    if "resumed" in got and got["resumed"] != (got["answers"] if wants else 0):
        raise RuntimeError(f"{got['resumed']} of {got['answers']} connections were resumed")
    return got


def summary(name, found, cpu, rate, interval):
    """CPU, and what it would let one core do, ours as a part of the others; median and interval."""
    values = {key: [got[cpu] for got in rows] for key, rows in found.items()}
    row = {"case": name, "unit": "µs a MiB" if cpu == "cpu_us_mib" else "µs", "rounds": len(values[OURS]),
           "agreed": {key: f"{rows[0]['version']} {rows[0]['cipher']}" for key, rows in found.items()
                      if "cipher" in rows[0]},
           "cpu": {key: round(statistics.median(rows), 2) for key, rows in values.items()},
           "rate": {key: round(statistics.median(got[rate] for got in rows), 1) for key, rows in found.items()},
           "ours a core ÷": {key: interval([theirs / ours for ours, theirs in zip(values[OURS], values[key])])
                             for key in (MBEDTLS, OPENSSL)},
           "ours in all ÷": {key: interval([ours[rate] / theirs[rate] for ours, theirs in zip(found[OURS], found[key])])
                             for key in (MBEDTLS, OPENSSL)}}
    if f"{OURS}, plain" in values:
        row["added"] = {OURS: interval([a - b for a, b in zip(values[OURS], values[f"{OURS}, plain"])])}
        for key in (MBEDTLS, OPENSSL):
            row["added"][key] = interval([a - b for a, b in zip(values[key], values[f"{BARE}, plain"])])
    return row


def say_row(row):
    cpu = ", ".join(f"{key} {value:g}" for key, value in row["cpu"].items())
    say(f"{row['case']}: CPU, {row['unit']}: {cpu}; ours ÷ mbedTLS by CPU {row['ours a core ÷'][MBEDTLS]}, by rate "
        f"{row['ours in all ÷'][MBEDTLS]}" + (f"; TLS adds {row['added']}" if "added" in row else ""))
    return row
