#!/usr/bin/env python3
"""check.py SIZE NM OFF WITHOUT ON: fails unless OFF, a program whose tracer is compiled out, is in no section larger
than WITHOUT, whose source has none, and has no symbol of a tracer; and unless ON, the same with it, has some."""
import re
import subprocess
import sys

SECTIONS = r"\.(text|rodata|data|bss|data\.rel\.ro|init_array|eh_frame|gcc_except_table|tdata|tbss)"


def sections(size, program):
    lines = subprocess.run([size, "-A", program], check=True, capture_output=True, text=True).stdout.splitlines()
    found = [re.match(SECTIONS + r"\s+(\d+)", line) for line in lines]
    return {match[1]: int(match[2]) for match in found if match}


def symbols(nm, program):
    text = subprocess.run([nm, "-C", program], check=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if re.search(r"Tracer|\bSpan|TraceContext", line)]


def main():
    size, nm, off, without, on = sys.argv[1:]
    faults = []
    # The optimiser may inline a little more in one of them, so it may be smaller.
    if any(bytes_off > sections(size, without).get(name, 0) for name, bytes_off in sections(size, off).items()):
        faults.append(f"compiled out: {sections(size, off)}\nwithout:      {sections(size, without)}")
    if sections(size, on)["text"] <= sections(size, off)["text"]:
        faults.append("a tracer costs nothing: this test compares the wrong programs")
    if symbols(nm, off):
        faults.append("compiled out, but there:\n" + "\n".join(symbols(nm, off)))
    if not symbols(nm, on):
        faults.append("no symbols to look at")
    of_tracer = sections(size, on)["text"] - sections(size, off)["text"]
    print("\n".join(faults) or f"zero bytes; the tracer has {of_tracer}")
    return 1 if faults else 0


sys.exit(main())
