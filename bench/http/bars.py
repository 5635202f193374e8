"""The bars of the server's speed, and whether what was measured holds them."""
from servers import BARE, OURS
from tls_runs import MBEDTLS

TOLERANCE = 0.02  # of timed ratios: what the machine resolves


def ratio(case, what, to=BARE):
    """(median, low, high) of a timed case: ours ÷ the other."""
    def find(results):
        row = results.get("few", {}).get(case) or results.get("timed", {}).get(case)
        if not row or (to != BARE and to not in row["ours ÷"][what]):
            return None
        return row["÷ bare"][what][OURS] if to == BARE else row["ours ÷"][what].get(to)
    return find


def counted(case, what):
    def find(results):
        row = results.get("count", {}).get(case)
        return row and [row[what]] * 3
    return find


def idle(case):
    def find(results):
        row = results.get("idle", {}).get(case)
        return row and [row["bytes"]] * 3
    return find


def tls(case, part, key=MBEDTLS):
    def find(results):
        row = results.get("tls", {}).get(case)
        return row and row[part][key]
    return find


# (what, at most or at least, the bar, where it is found)
HELLO, MANY, DEEP = "http, 64 connections", "http, 1000 connections", "http, 64 connections, pipelined 16"
BARS = [
    *((f"{case}: CPU ÷ bare", "≤", 1.04, ratio(case, "cpu_us"))
      for case in ("echo 64 B, 64 connections", "echo 64 B, 1000 connections", "echo 16 KiB, 64 connections")),
    ("echo: user instructions", "≤", 400, counted("echo", "instructions")),
    ("echo: system calls", "≤", 2.1, counted("echo", "calls")),
    *((f"{case}: req/s ÷ {other}", "≥", bar, ratio(case, "rate", other))
      for case, other, bar in ((HELLO, BARE, 0.94), (HELLO, "nginx", 1.20), (MANY, BARE, 0.92), (MANY, "nginx", 1.30),
                               (DEEP, BARE, 0.82), (DEEP, "nginx", 13))),
    ("37-byte GET: user instructions", "≤", 2500, counted("http minimal", "instructions")),
    ("460-byte browser request: user instructions", "≤", 5000, counted("http browser", "instructions")),
    ("pipelined 16: user instructions", "≤", 1800, counted("http pipelined", "instructions")),
    ("GET: system calls", "≤", 2.1, counted("http minimal", "calls")),
    ("pipelined 16: system calls", "≤", 0.14, counted("http pipelined", "calls")),
    ("closed loop, 64 connections: p99 ÷ bare", "≤", 1.15, ratio(HELLO, "p99_us")),
    ("open loop, 25,000 a second: p99 ÷ bare", "≤", 1.05,
     ratio("http, 64 connections, 25,000 a second", "p99_us")),
    ("short connections: CPU ÷ bare", "≤", 1.03, ratio("http, short connections", "cpu_us")),
    ("bytes for an idle connection", "≤", 400, idle(f"http, {OURS}")),
    ("bytes for an idle TLS connection", "≤", 26_000, idle(f"https, {OURS}")),
    *((f"TLS, {case}: ours ÷ bare mbedTLS", "≥", 0.95, tls(case, "ours a core ÷"))
      for case in ("full handshakes, TLS 1.3", "resumed handshakes, TLS 1.3", "full handshakes, TLS 1.2",
                   "resumed handshakes, TLS 1.2", "64 MiB answers, AES-128-GCM", "64 MiB answers, ChaCha20-Poly1305")),
    ("TLS: CPU that it adds to a small request, µs", "≤", 2.0,
     tls("small requests, 64 connections", "added", OURS)),
]


def verdict(found, sign, bar):
    """The median decides, with the tolerance; it is certain when the interval does not cross the bar."""
    value, low, high = found
    slack = 0 if low == high else TOLERANCE
    held = value <= bar * (1 + slack) if sign == "≤" else value >= bar * (1 - slack)
    certain = low == high or not low <= bar <= high
    return ("held" if held else "**missed**") + ("" if certain else ", not certain")


def shown(found):
    value, low, high = found
    if low == high:
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def bars_table(results):
    """Of those that were measured; "" when none was."""
    lines = []
    for text, sign, bar, find in BARS:
        found = find(results)
        if found:
            lines.append(f"| {text} | {sign} {bar:,g} | {shown(found)} | {verdict(found, sign, bar)} |")
    return "\n".join(["| | bar | measured | |", "|---|---:|---:|---|", *lines]) if lines else ""
