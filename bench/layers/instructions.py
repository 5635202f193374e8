#!/usr/bin/env python3
"""bench/layers/instructions.py PROGRAM [--check]: counts the instructions that each layer adds to a call in which none
acts, and those of ten layers together, by callgrind. With --check it exits 1 if ten take over 150 a layer."""
import re
import subprocess
import sys
import tempfile

BAR = 150
LAYERS = ["timeout 1h", "base http://b.test", "redirect", "bearer origin=http://b.test", "resume",
          "deduplicate", "retry", "hedge", "github_limits", "body_idle 30s"]
CALLS = (1000, 3000)


def instructions(program, stack, calls):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", program, stack,
                               str(calls)], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def per_call(program, stack):
    few, many = (instructions(program, stack, calls) for calls in CALLS)
    return (many - few) / (CALLS[1] - CALLS[0])


def main():
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__)
        return 0 if "--help" in sys.argv else 2
    program = sys.argv[1]
    peer = per_call(program, "")
    print(f"{'the peer alone':32}{peer:9.0f}")
    for layer in LAYERS:
        print(f"{layer:32}{per_call(program, layer) - peer:+9.0f}")
    each = (per_call(program, ", ".join(LAYERS)) - peer) / len(LAYERS)
    print(f"{'ten layers, for each':32}{each:9.0f}")
    return 1 if "--check" in sys.argv and each > BAR else 0


sys.exit(main())
