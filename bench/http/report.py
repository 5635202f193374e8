"""docs/server-speed.md and its pictures from what tools/bench_http measured. Text between <!-- speed: NAME --> and
<!-- end --> is made here; the rest of the page is written by hand."""
import re

import pictures
from bars import bars_table
from servers import BARE, OURS
from tls_runs import MBEDTLS, OPENSSL

HTTP_PANELS = ("http, 64 connections", "http browser, 64 connections", "http, 1000 connections",
               "http, 64 connections, pipelined 16")
ECHO_PANELS = ("echo 64 B, 64 connections", "echo 64 B, 1000 connections", "echo 16 KiB, 64 connections")
COUNT_PANELS = ("http minimal", "http browser", "http pipelined", "echo")


def write(results, folder):
    """Parts that were not measured stay as they are."""
    by_case = {what: {row["case"]: row for row in rows} for what, rows in results.items()}
    timed, counted = by_case.get("timed", {}), by_case.get("count", {})
    made = {"machine": machine(by_case.get("machine", {})), "bars": bars_table(by_case)}
    made["http"] = timed_part(folder, "server-speed-http",
                              "HTTP: requests a second ÷ bare epoll", timed, HTTP_PANELS, "rate")
    made["echo"] = timed_part(folder, "server-speed-echo",
                              "Echo: CPU a round trip ÷ bare epoll", timed, ECHO_PANELS, "cpu_us")
    made["latency"] = "\n\n".join(timed_table(timed[name]) for name in timed
                                  if name.startswith("http") and name not in HTTP_PANELS)
    made["counts"] = counts(folder, counted)
    made["memory"] = memory(folder, by_case.get("idle", {}))
    made["tls"] = tls(by_case.get("tls", {}))
    page = folder / "server-speed.md"
    text = page.read_text()
    for name, part in made.items():
        if part:
            text = re.sub(rf"(<!-- speed: {name} -->\n).*?(<!-- end -->)",
                          lambda found, part=part: f"{found[1]}{part}\n{found[2]}", text, flags=re.S)
    page.write_text(text)


def machine(rows):
    return next((row["text"] for row in rows.values()), "")


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def bold(name):
    return f"**{name}**" if name.split(",")[0] == OURS or name == OURS else name


def spread(found):
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"


def save_picture(folder, name, *arguments, **options):
    (folder / "pictures" / f"{name}.svg").write_text(pictures.svg(*arguments, **options))
    return f"![{arguments[0]}](pictures/{name}.svg)"


# --- timed

def timed_part(folder, picture, title, timed, wanted, what):
    cases = [name for name in wanted if name in timed]
    if not cases:
        return ""
    panels = []
    for name in cases:
        rows = [(BARE, 1.0, 1.0, 1.0)] + [(key, *found) for key, found in timed[name]["÷ bare"][what].items()]
        panels.append((name, sorted(rows, key=lambda row: row[1], reverse=what == "rate")))
    image = save_picture(folder, picture, title, panels, OURS, reference=1.0)
    return "\n\n".join([image, *(timed_table(timed[name]) for name in cases)])


def timed_table(row):
    ratios = row["÷ bare"]
    order = sorted(ratios["rate"], key=lambda key: -ratios["rate"][key][0])
    lines = [[BARE, f"1 ({row['rate'][BARE]:,.0f}/s)", f"1 ({row['cpu_us'][BARE]:.2f} µs)",
              f"1 ({row['p50_us'][BARE]:.0f} µs)", f"1 ({row['p99_us'][BARE]:.0f} µs)",
              f"{row['user part of CPU'][BARE]:.0%}"]]
    for key in order:
        lines.append([bold(key), *(spread(ratios[what][key]) for what in ("rate", "cpu_us")),
                      f"{ratios['p50_us'][key][0]:.2f}", spread(ratios["p99_us"][key]),
                      f"{row['user part of CPU'][key]:.0%}"])
    heads = [row["case"], "a second ÷ bare", "CPU ÷ bare", "p50 ÷ bare", "p99 ÷ bare", "user part of CPU"]
    return table(heads, lines)


# --- counted

def counts(folder, counted):
    panels, lines = [], []
    for name in COUNT_PANELS:
        bare = {"http minimal": "bare http", "http pipelined": "bare pipelined", "echo": "bare echo"}.get(name)
        found = {OURS: counted.get(name), BARE: counted.get(bare)}
        found |= {case.removeprefix(name + ", "): row for case, row in counted.items() if case.startswith(name + ", ")}
        found = sorted(((key, row) for key, row in found.items() if row), key=lambda item: item[1]["instructions"])
        if not found:
            continue
        panels.append((name, [(key, *[row["instructions"]] * 3) for key, row in found]))
        lines += [[f"{name}, {bold(key)}", f"{row['instructions']:,.0f}", f"{row['calls']:.2f}",
                   ", ".join(f"{call} {value:g}" for call, value in row["by_call"].items())] for key, row in found]
    if not panels:
        return ""
    image = save_picture(folder, "server-speed-instructions", "User instructions a round trip (logarithmic)", panels,
                         OURS, logarithmic=True)
    return image + "\n\n" + table(["", "user instructions", "system calls", "which"], lines)


# --- memory

def memory(folder, idle):
    if not idle:
        return ""
    panels = []
    for kind in ("http", "echo", "https"):
        rows = [(name.split(", ", 1)[1], row["bytes"]) for name, row in idle.items() if name.startswith(kind + ", ")]
        if rows:
            panels.append((kind, [(name, value, value, value) for name, value in sorted(rows, key=lambda row: row[1])]))
    image = save_picture(folder, "server-speed-memory", "Bytes for each idle connection (logarithmic)", panels, OURS,
                         logarithmic=True)
    lines = [[f"{kind}, {bold(name)}", f"{value:,}"] for kind, rows in panels for name, value, _, _ in rows]
    return image + "\n\n" + table(["", "bytes"], lines)


# --- TLS

def tls(rows):
    if not rows:
        return ""
    lines = []
    for name, row in rows.items():
        lines.append([f"{name}, {row['unit']}", *(f"{row['cpu'][key]:,.1f}" for key in (OURS, MBEDTLS, OPENSSL)),
                      spread(row["ours a core ÷"][MBEDTLS]), f"{row['cpu'][MBEDTLS] / row['cpu'][OPENSSL]:.1f}"])
    parts = [table(["CPU of the server", OURS, MBEDTLS, OPENSSL, "ours a core ÷ mbedTLS", "mbedTLS ÷ OpenSSL"], lines)]
    for name, row in rows.items():
        if "added" in row:
            parts.append(table([f"{name}: CPU that TLS adds, µs", "median [interval]"],
                               [[bold(key), spread(found)] for key, found in row["added"].items()]))
    return "\n\n".join(parts)
