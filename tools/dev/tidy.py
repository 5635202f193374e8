#!/usr/bin/env python3
"""Checks the shape of the source: the rules that no compiler checks.

  layering    a module includes only itself and the modules below it
  siblings    io/native, io/sim, io/tls, io/http and io/bindings do not include each other, and io/ itself includes
              none of them; but io/bindings, whose messages are HTTP's, includes io/http
  includes    one spelling: #include <escapement/module/file.h>; every header has #pragma once and an essay
  installed   tools/cmake/installed_headers.txt lists every public header, and those of detail/ that they include
  platforms   #if on platforms or compilers only in the files listed below; CMake chooses files
  systems     system calls of one system only in io/native/detail/system_NAME.cpp and in the backend made of them
  size        no file past 600 lines, no line past 120 columns (160 in .mjs)
  quotes      the quotes in README.md and docs/*.md match tests/examples
  words       no machine paths and no hosts of package registries
  prose       in PROSE_CHECKED: no comment begins with a bare clause ("What ..."), and none has a word of INSTEAD_OF
  links       no symbolic links, which lead to one machine's folders; links in documents lead to existing files

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
# The folders of io/ that must not know each other.
SIBLINGS = re.compile(r"io/(native|sim|tls|http|bindings)/")
SIBLING_BELOW = ("bindings", "http")
# The headers that are not for users.
INTERNAL = re.compile(r"/(detail|h1|http/web_socket)/")
INSTALLED = ROOT / "tools" / "cmake" / "installed_headers.txt"
# The files that may contain preprocessor conditions, and why.
MAY_CHOOSE = {
    "core/detail/check.h": "what the compiler offers",
    "core/detail/waiting.h": "a compiler that no build system calls: no task tree",
    "core/task.cpp": "whether exceptions exist",
}
# The folders whose comments are in plain English.
PROSE_CHECKED = ["core", "timers", "io", "middleware", "wasm_glue", "tools", "tests", "bench"]
BARE_CLAUSE = re.compile(r"(What|Whatever|Whoever|Who|Whom|Whose|Whether|How|Of|For how long)\b(?! course)")
# Expressions that are not the field's, each with the one to write.
INSTEAD_OF = {
    r"whoever|whomever": "the caller, the owner, the task that ...",
    r"strangers?": "untrusted clients",
    r"homes": "hosts",
    r"(tells?|told|telling) of": "report, log",
    r"answer(s|ed)? (instead|with)": "respond with",
    r"in work": "in-flight",
    r"(limits?|times?|timeouts?|deadlines?) (is|are|was|were) over|time is up": "expires",
    r"(is|are|was|were) no good": "is invalid",
    r"will not do": "fails, is not enough",
    r"(is|are|was|were) held to": "is checked against",
    r"to be believed": "trusted",
    r"(is|are) dear": "is expensive",
    r"farewells?": "the last response, close_notify",
    r"with no regard to|without regard to case": "ignoring case",
}
NOT_THE_FIELDS = {re.compile(rf"\b({words})\b", re.I): better for words, better in INSTEAD_OF.items()}
# Calls and flags of Linux alone, or that Linux has in its own way; used behind io/native/detail/system.h.
ONE_SYSTEMS = re.compile(
    r"<(linux/\S+|sys/(epoll|eventfd|inotify|prctl|random|sendfile|signalfd|syscall|timerfd)\.h)>"
    r"|\b(accept4|eventfd|signalfd|timerfd_\w+|sendfile|prctl|getrandom|gettid|openat2|syscall)\("
    r"|\b(epoll_(create1?|ctl|p?wait2?|event)|EPOLL\w+|POLLRDHUP|SYS_\w+)\b"
    r"|\b(SOCK_(NONBLOCK|CLOEXEC)|SO_(REUSEPORT|BUSY_POLL)|ENONET)\b"
    r'|"/proc/')
MAY_BE_ONE_SYSTEMS = re.compile(r"io/native/(detail/system_\w+\.cpp|epoll_backend\.(h|cpp))$")
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
        if module in BELOW and not MAY_BE_ONE_SYSTEMS.match(name) and (used := ONE_SYSTEMS.search(line.split("//")[0])):
            finding(path, number, f"{used.group(0)} is one system's: give it a name in io/native/detail/system.h")
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
        if from_part and to_part and (from_part.group(1), to_part.group(1)) == SIBLING_BELOW:
            return
        if module == "io" and to_part and (not from_part or from_part.group(1) != to_part.group(1)):
            finding(path, number, f"{from_part.group(0) if from_part else 'io/'} must not include {to_part.group(0)}")
    elif bracket == '"' and module in BELOW:
        finding(path, number, 'write #include <escapement/module/file.h>, not "..."')


def check_installed():
    """Returns the public headers and those that they include: the ones that tools/cmake/install.cmake installs."""
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


def prose_checked(path):
    return path.relative_to(ROOT).parts[0] in PROSE_CHECKED


def check_prose(path, lines):
    mark = "#" if path.suffix == ".py" else "//"
    whole_line = re.compile(rf"\s*{mark}( (?P<text>.*)|$)")
    at_end = re.compile(rf"\s{mark} (?P<text>.*)$")
    in_block = False
    for number, line in enumerate(lines, 1):
        block = whole_line.match(line)
        comment = block or at_end.search(line)
        text = (comment["text"] or "") if comment else ""
        opener = BARE_CLAUSE.match(text.lstrip("- "))
        if block and not in_block and opener:
            finding(path, number, f'a comment begins with "{opener.group()}": say what it does, or name it')
        in_block = block is not None
        for words, better in NOT_THE_FIELDS.items():
            if match := words.search(text):
                finding(path, number, f'"{match.group()}": write {better}')


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
    """Checks the quotes of documents: <!-- quote tests/examples/x.cpp --> ```cpp ... ``` must be the file, or the part
    between // [name] lines when the marker says x.cpp#name."""
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if document.exists():
            check_quotes_of(document)


def check_quotes_of(document):
    text = document.read_text()
    for match in re.finditer(r"<!-- quote ([^\s#]+)(?:#(\w+))? -->\s*```\w*\n(.*?)```", text, re.S):
        name, part, quoted = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        source = ROOT / name
        if not source.exists():
            finding(document, line, f"quotes {name}, which does not exist")
            continue
        whole = source.read_text()
        if part:
            marked = re.search(rf"// \[{part}\]\n(.*?)// \[{part}\]", whole, re.S)
            whole = marked.group(1) if marked else ""
        if quoted.strip() not in whole:
            finding(document, line, f"quotes {name}, but the text differs")


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
        if path.suffix in {".h", ".cpp", ".mjs", ".py"} and prose_checked(path):
            check_prose(path, lines)
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
