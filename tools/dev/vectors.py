#!/usr/bin/env python3
"""tools/dev/vectors.py [--check | --rows]: writes docs/retries.md from tests/vectors/behaviour.txt, the test vectors of
the client, its layers and the server. With --check it writes nothing, and exits 1 if the document differs, or if a row
of tests/vectors/rows.txt has no vector. --rows prints how many vectors each row has, or why it has none."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors/behaviour.txt"
ROWS = ROOT / "tests/vectors/rows.txt"
DOCUMENT = ROOT / "docs/retries.md"

HEAD = """# Retries, redirects and limits, case by case

The client and its layers decide by these tables. Each row is a test vector in `tests/vectors/behaviour.txt`, which the
tests play in simulated time: natively, in Node and in workerd. `tools/dev/vectors.py` writes this page from that file.

A cell says what became of the calls: "again after 100ms, 200" is a second request 100 ms after the first one, and a
response of 200 in the end; "500" alone is that outcome without another request. A range is what jitter draws from.
Where a column makes several calls, a cell has all requests with their times in milliseconds, and an outcome for each
call: "0 #1, 60 #2 = 200 then 200" is a second request on another connection.
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


def number(text):
    return float(text) if "." in text else int(text)


def wait(before, at):
    least, most = at
    if least == most == before:
        return "at once"
    first, last = length(least - before), length(most - before)
    return "after " + (first if least == most else f"{first} to {last}")


def cell(expected, stack, request):
    """Returns the words for an expectation."""
    if expected == "-":
        return ""
    requests, outcome = expected.rsplit(" = ", 1)
    innermost = stack.split(",")[-1].split()[0]
    plain = innermost not in ("client", "server", "addresses") and " then " not in request and "*" not in request
    if not plain or requests == "none":
        outcome = re.sub(r" ~[^~]*?(?= then |$)", "", outcome)
        return f"`{requests}` = {outcome}" if requests != "none" else f"nothing is sent: {outcome}"
    before, words = 0, []
    for place, request in enumerate(split(requests, ",")):
        time = request.split()[0]
        least, most = (number(part) for part in (time.split("..") if ".." in time else (time, time)))
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
        elif line.startswith("not on wasm:"):
            lines.append(f"Not on wasm: {line[12:].strip()}.")
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
            outcomes = [escaped(cell(text, stack, request)) for text, request in zip(cells[3:], requests)]
            lines.append(f"| {name} | {cells[1]} | `{escaped(peer)}` | " + " | ".join(outcomes) + " |")
    return "\n".join(lines) + "\n"


def vectors_of_rows():
    """Returns the number of vectors of each (section, row)."""
    counts, section, columns = {}, "", 0
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("## "):
            section = line[3:].split()[0]
        elif line.startswith("requests:"):
            columns = len(split(line[9:], ";"))
        elif "|" in line and not line.startswith(("#", ">", "stack:")):
            cells = split(line, "|")
            counts[section, cells[0]] = counts.get((section, cells[0]), 0) + columns - cells[3:].count("-")
    return counts


def check_rows(printed):
    """Returns whether each row has a vector, or a reason not to, and each vector a row."""
    counts, wanted, good = vectors_of_rows(), {}, True
    for line in ROWS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            section, row, *reason = [part.strip() for part in line.split("|")]
            wanted[section, row] = reason[0] if reason else ""
    for (section, row), reason in wanted.items():
        count = counts.get((section, row), 0)
        if (count == 0) != bool(reason):
            print(f"{ROWS.relative_to(ROOT)}: {section} {row} has {count} vectors; a reason to have none: '{reason}'")
            good = False
        elif printed:
            print(f"{section:5} {row:24} {reason or count}")
    for section, row in counts:
        if row != "-" and (section, row) not in wanted:
            print(f"{VECTORS.relative_to(ROOT)}: {section} {row} is no row of {ROWS.name}")
            good = False
    if printed:
        print(sum(counts.values()), "vectors")
    return good


def main():
    if any(argument in ("--help", "-h") for argument in sys.argv[1:]):
        print(__doc__)
        return 0
    if "--rows" in sys.argv[1:]:
        return 0 if check_rows(printed=True) else 1
    text = document()
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if not check_rows(printed=False):
        return 1
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} differs from {VECTORS.relative_to(ROOT)}: run tools/dev/vectors.py")
    return 1


sys.exit(main())
