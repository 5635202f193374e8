#!/usr/bin/env python3
"""exports.py NM FOLDER: the shared libraries in FOLDER export symbols of escapement and of the standard library's
templates, and none of the C libraries that they contain; each has a version in its file name."""
import pathlib
import subprocess
import sys

nm, folder = sys.argv[1], pathlib.Path(sys.argv[2])
wrong = []
libraries = sorted(folder.glob("libescapement_*.so"))
if len(libraries) < 4:
    wrong.append(f"{folder} has {len(libraries)} shared libraries, not 4")
for library in libraries:
    if library.name == library.resolve().name:
        wrong.append(f"{library.name} has no version")
    shown = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].split("@")[0] for line in shown.splitlines()]
    strangers = [name for name in names if not name.startswith("_Z")]  # every C++ name begins so
    wrong += [f"{library.name} exports {name}" for name in strangers[:5]]
    print(f"{library.name}: {len(names)} symbols")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
