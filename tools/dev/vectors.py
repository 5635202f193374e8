#!/usr/bin/env python3
"""tools/dev/vectors.py [--check]: writes docs/retries.md from tests/vectors/behaviour.txt, the test vectors of the
client's layers. With --check it writes nothing, and exits 1 if the document differs."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors/behaviour.txt"
DOCUMENT = ROOT / "docs/retries.md"

HEAD = """# Retries, redirects and limits, case by case

The layers of the client decide by these tables. Each row is a test vector in `tests/vectors/behaviour.txt`, which the
tests play in simulated time: natively, in Node and in workerd. `tools/dev/vectors.py` writes this page from that file.

A cell says what became of the request: "again after 100ms, 200" is a second request 100 ms after the first one, and a
response of 200 in the end; "500" alone is that outcome without another request. A range is what jitter draws from.
`esc-stack` prints the most that a stack can do in any case.
"""


def split(text, separator):
    """Splits at separator, but not within backticks or braces."""
    parts, quoted, braces = [""], False, 0
    for character in text:
        if character == "`":
            quoted = not quoted
        if not quoted:
            braces += {"{": 1, "}": -1}.get(character, 0)
        if character == separator and not quoted and braces == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def length(milliseconds):
    for unit, size in (("h", 3600000), ("min", 60000), ("s", 1000)):
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def wait(before, at):
    least, most = at
    if least == most == before:
        return "at once"
    first, last = length(least - before), length(most - before)
    return "after " + (first if least == most else f"{first} to {last}")


def cell(expected):
    """Returns the words for an expectation."""
    if expected == "-":
        return ""
    requests, outcome = expected.rsplit(" = ", 1)
    before, words = 0, []
    for place, request in enumerate(split(requests, ",")):
        time = request.split()[0]
        least, most = (int(part) for part in (time.split("..") if ".." in time else (time, time)))
        what = request[len(time):].strip()
        if place > 0:
            words.append("again " + wait(before, (least, most)) + (f" (`{what}`)" if what else ""))
        elif what:
            words.append(f"`{what}`")
        before = least
    outcome = outcome.split("~")[0].strip()
    return ", ".join(words + [outcome])


def escaped(text):
    return text.replace("|", "\\|")


def document():
    lines, requests, stack, heading_due = [HEAD], [], "", False
    for number, line in enumerate(VECTORS.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("# ") or line == "#":
            continue
        if line.startswith("## "):
            lines.append("\n## " + re.sub(r"^\d[\d.abc]* ", "", line[3:]))
            lines.append("")
        elif line.startswith("> "):
            lines.append(line[2:])
        elif line.startswith("stack:"):
            stack = line[6:].strip()
        elif line.startswith("requests:"):
            requests = split(line[9:], ";")
            heading_due = True
        else:
            cells = split(line, "|")
            if len(cells) != 3 + len(requests):
                sys.exit(f"{VECTORS.name}:{number}: a row has a cell for each request")
            if heading_due:
                if lines[-1]:
                    lines.append("")
                lines.append(f"Stack: `{stack}`")
                lines.append("")
                lines.append("| | case | peer | " + " | ".join(f"`{escaped(request)}`" for request in requests) + " |")
                lines.append("|---" * (3 + len(requests)) + "|")
                heading_due = False
            name = "" if cells[0] == "-" else cells[0]
            peer = cells[2].replace("`", "'")
            lines.append(f"| {name} | {cells[1]} | `{escaped(peer)}` | " +
                         " | ".join(escaped(cell(text)) for text in cells[3:]) + " |")
    return "\n".join(lines) + "\n"


def main():
    if any(argument in ("--help", "-h") for argument in sys.argv[1:]):
        print(__doc__)
        return 0
    text = document()
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} differs from {VECTORS.relative_to(ROOT)}: run tools/dev/vectors.py")
    return 1


sys.exit(main())
