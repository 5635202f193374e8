#!/usr/bin/env python3
"""Checks the shape of the source: what no compiler looks at.

  layering    a module includes only itself and the modules below it
  siblings    io/native, io/sim, io/tls and io/http do not include each other, and io/ itself includes none of them
  includes    one spelling: #include <escapement/module/file.h>; every header has #pragma once and an essay
  installed   tools/cmake/installed_headers.txt lists every public header, and those of detail/ that they include
  platforms   #if on platforms or compilers only where it may stand; CMake chooses files
  size        no file past 600 lines, no line past 120 columns (160 in .mjs)
  quotes      what README.md quotes from tests/examples is what stands there
  words       no machine paths and no hosts of package registries
  links       no symbolic links: they lead to one machine's folders; what a document links to in the tree is there

Prints one line per finding and exits 1 if there is any. `--help` prints this.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BELOW = {
    "core": {"core"},
    "timers": {"core", "timers"},
    "io": {"core", "timers", "io"},
    "middleware": {"core", "timers", "io", "middleware"},
    "wasm_glue": {"core", "timers", "io", "wasm_glue"},
}
# What stands beside each other over io/stream.h.
SIBLINGS = re.compile(r"io/(native|sim|tls|http)/")
# What is not for users.
INTERNAL = re.compile(r"/(detail|h1)/")
INSTALLED = ROOT / "tools" / "cmake" / "installed_headers.txt"
# Where a condition of the preprocessor may stand, and why.
MAY_CHOOSE = {
    "core/detail/check.h": "what the compiler offers",
    "core/task.cpp": "whether exceptions exist",
}
LINES_MAX = 600
COLUMNS_MAX = {".h": 120, ".cpp": 120, ".py": 120, ".mjs": 160}  # no formatter watches over .mjs

findings = []


def finding(path, line, text):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def listed():
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, check=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name]


def sources():
    return [path for path in listed() if path.is_file()]


def check_cpp(path, lines):
    name = str(path.relative_to(ROOT))
    module = name.split("/")[0]
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if include:
            check_include(path, number, module, *include.groups())
        if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) and module in BELOW and name not in MAY_CHOOSE:
            finding(path, number, "a condition of the preprocessor: let CMake choose a file")
        if re.match(r"\s*(#\s*define)\b", line) and module in BELOW and "ESC_" not in line:
            finding(path, number, "a macro that does not begin with ESC_")
    if path.suffix == ".h" and module in BELOW:
        if not any(line.startswith("#pragma once") for line in lines[:60]):
            finding(path, 1, "no #pragma once")
        if not lines or not lines[0].startswith("// "):
            finding(path, 1, "a header begins with what it is")


def check_include(path, number, module, bracket, target):
    if target.startswith("escapement/"):
        if bracket == '"':
            finding(path, number, "write <escapement/...> with angle brackets")
        to = target.split("/")[1]
        if module in BELOW and to not in BELOW[module]:
            finding(path, number, f"{module} must not include {to}")
        from_part = SIBLINGS.match(str(path.relative_to(ROOT)))
        to_part = SIBLINGS.match(target.removeprefix("escapement/"))
        if module == "io" and to_part and (not from_part or from_part.group(1) != to_part.group(1)):
            finding(path, number, f"{from_part.group(0) if from_part else 'io/'} must not include {to_part.group(0)}")
    elif bracket == '"' and module in BELOW:
        finding(path, number, 'write #include <escapement/module/file.h>, not "..."')


def check_installed():
    """The public headers and what they include, which is what tools/cmake/install.cmake installs."""
    wanted = set()
    headers = {str(path.relative_to(ROOT)): path for path in sources() if path.suffix == ".h"}
    rest = [name for name in headers if name.split("/")[0] in BELOW and not INTERNAL.search(name)]
    while rest:
        name = rest.pop()
        if name in wanted:
            continue
        wanted.add(name)
        if name in headers:
            rest += re.findall(r"#include <escapement/([^>]+)>", headers[name].read_text())
    lines = INSTALLED.read_text().splitlines()
    listed_headers = [line for line in lines if line and not line.startswith("#")]
    for name in sorted(wanted - set(listed_headers)):
        finding(INSTALLED, 1, f"{name} is public, or included by a public header, and not listed")
    for name in sorted(set(listed_headers) - wanted):
        finding(INSTALLED, lines.index(name) + 1, f"{name} is neither public nor included by a public header")


def check_size(path, lines):
    if len(lines) > LINES_MAX:
        finding(path, 1, f"{len(lines)} lines: is it still one idea? (at most {LINES_MAX})")
    for number, line in enumerate(lines, 1):
        most = COLUMNS_MAX[path.suffix]
        if len(line) > most:
            finding(path, number, f"{len(line)} columns (at most {most})")


def check_words(path, text):
    for word in (r"/work/", r"registry\.npmjs", r"deb\.debian\.org"):
        for match in re.finditer(word, text):
            finding(path, text.count("\n", 0, match.start()) + 1, f"names a machine's path or a registry: {word}")


def check_links():
    for path in listed():
        if path.is_symlink():
            finding(path, 1, "a symbolic link")


def check_document(path, text):
    text = re.sub(r"```.*?```", lambda code: "\n" * code.group().count("\n"), text, flags=re.S)
    for match in re.finditer(r"\]\(([^)#\s]+)[^)]*\)", text):
        target = match.group(1)
        if "://" not in target and not (path.parent / target).exists():
            finding(path, text.count("\n", 0, match.start()) + 1, f"links to {target}, which is not there")


def check_quotes():
    """README: <!-- quote tests/examples/x.cpp --> ```cpp ... ``` must be the file, or the part between
    // [name] lines when the marker says x.cpp#name."""
    readme = ROOT / "README.md"
    if not readme.exists():
        return
    text = readme.read_text()
    for match in re.finditer(r"<!-- quote ([^\s#]+)(?:#(\w+))? -->\s*```\w*\n(.*?)```", text, re.S):
        name, part, quoted = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        source = ROOT / name
        if not source.exists():
            finding(readme, line, f"quotes {name}, which does not exist")
            continue
        whole = source.read_text()
        if part:
            marked = re.search(rf"// \[{part}\]\n(.*?)// \[{part}\]", whole, re.S)
            whole = marked.group(1) if marked else ""
        if quoted.strip() not in whole:
            finding(readme, line, f"quotes {name}, but the text differs")


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    if len(sys.argv) > 1:
        print(f"tidy.py: unknown option {sys.argv[1]} (try --help)", file=sys.stderr)
        return 2
    for path in sources():
        if path.suffix not in {".h", ".cpp", ".mjs", ".mts", ".py", ".md", ".txt", ".cmake", ".json", ".sh", ""}:
            continue
        if path.name == "package-lock.json" or "fixtures" in path.parts:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        lines = text.splitlines()
        if path.suffix in {".h", ".cpp"}:
            check_cpp(path, lines)
        if path.suffix in {".h", ".cpp", ".mjs", ".py"}:
            check_size(path, lines)
        if path.name != "tidy.py":
            check_words(path, text)
        if path.suffix == ".md" and "cases" not in path.parts:
            check_document(path, text)
    check_links()
    check_installed()
    check_quotes()
    for line in findings:
        print(line)
    print(f"tidy: {len(findings)} findings" if findings else "tidy: clean")
    return 1 if findings else 0


sys.exit(main())
