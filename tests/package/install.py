#!/usr/bin/env python3
"""Installs a build folder's project and looks at the prefix.

  install.py CMAKE BUILD PLACE --absent TEXT...   into PLACE/first, which is then moved to PLACE/moved; no file that
                                                  CMake or pkg-config reads may name TEXT; licenses must be there,
                                                  and of headers exactly those that installed_headers.txt lists
  install.py CMAKE BUILD PLACE --only FILE...     into PLACE/first; no other file may be there
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

cmake, build, place, mode, *rest = sys.argv[1:]
first = pathlib.Path(place) / "first"
moved = pathlib.Path(place) / "moved"
for folder in (first, moved):
    shutil.rmtree(folder, ignore_errors=True)
subprocess.run([cmake, "--install", build, "--prefix", first], check=True, stdout=subprocess.DEVNULL)
files = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
wrong = []
if mode == "--only":
    wrong = [f"{name} is installed" for name in files if name not in rest]
    wrong += [f"{name} is missing" for name in rest if name not in files]
else:
    wasm = "share/escapement/escapement.mjs" in files
    tree = pathlib.Path(__file__).resolve().parent.parent.parent
    listed = {line for line in (tree / "tools/cmake/installed_headers.txt").read_text().splitlines()
              if line and not line.startswith("#")}
    there = {name.removeprefix("include/escapement/") for name in files if name.endswith(".h")}
    wrong += [f"{name} is installed, but not listed" for name in sorted(there - listed)]
    if not wasm:
        wrong += [f"{name} is not installed" for name in sorted(listed - there) if not name.startswith("wasm_glue/")]
    for name in files:
        if "wasm_glue" in name and not wasm:
            wrong.append(f"{name} is of no use here")
        if pathlib.Path(name).suffix in (".cmake", ".pc"):
            text = (first / name).read_text()
            wrong += [f"{name} names {place}" for place in rest if place in text]
        if name.endswith(".spdx.json"):
            packages = json.loads((first / name).read_text())["packages"]
            wrong += [f"{name}: {package['name']} has no version" for package in packages
                      if not re.match(r"\d", package["versionInfo"])]
    licenses = {pathlib.Path(name).name for name in files if name.startswith("share/licenses/escapement/")}
    wanted = {"LICENSE", "escapement.spdx.json"}
    libraries = {pathlib.Path(name).name for name in files}
    for library, its_license in (("libmbedcrypto.a", "LICENSE.mbedtls"), ("libesc_llhttp.a", "LICENSE.llhttp")):
        if library in libraries:
            wanted.add(its_license)
    wrong += [f"there is no share/licenses/escapement/{name}" for name in wanted - licenses]
    first.rename(moved)
print("\n".join(wrong) or f"{len(files)} files")
sys.exit(1 if wrong else 0)
