#!/usr/bin/env python3
"""exports.py NM FOLDER: the shared libraries in FOLDER export symbols of escapement and of the standard library's
templates, and none of the C libraries that they contain; io and middleware export of their own internals only what
exported_symbols.map names; each has a version in its file name."""
import fnmatch
import pathlib
import re
import subprocess
import sys

nm, folder = sys.argv[1], pathlib.Path(sys.argv[2])
wrong = []
script = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/cmake/exported_symbols.map"
listed = re.findall(r"^\s+(_Z\S+);$", script.read_text().partition("local:")[0], re.M)
if not listed:
    wrong.append(f"{script} names nothing")
libraries = sorted(folder.glob("libescapement_*.so"))
if len(libraries) < 4:
    wrong.append(f"{folder} has {len(libraries)} shared libraries, not 4")
shown_internals = []
for library in libraries:
    if library.name == library.resolve().name:
        wrong.append(f"{library.name} has no version")
    shown = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].split("@")[0] for line in shown.splitlines()]
    strangers = [name for name in names if not name.startswith("_Z")]  # every C++ name begins so
    wrong += [f"{library.name} exports {name}" for name in strangers[:5]]
    if library.name in ("libescapement_io.so", "libescapement_middleware.so"):
        internal = [name for name in names if re.match(r"_Z[A-Zhn_0-9]*N?K?10escapement(4http)?6detail", name)]
        wrong += [f"{library.name} exports {name}" for name in internal
                  if not any(fnmatch.fnmatchcase(name, pattern) for pattern in listed)][:5]
        shown_internals += internal
    print(f"{library.name}: {len(names)} symbols")
wrong += [f"nothing that is exported matches {pattern}" for pattern in listed
          if not fnmatch.filter(shown_internals, pattern)]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
