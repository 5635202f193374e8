#!/usr/bin/env python3
"""Draws the modules, from the tree and its #include lines: docs/pictures/architecture.svg.

tools/dev/architecture_picture.py [--check] [--help]

Each band is a module, each box one of its folders with the public headers in it; an arrow says that a module
includes headers of another. --check writes nothing, and exits 1 if the picture is out of date.
"""
import html
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
# The modules from the top down: those in one row, and their widths.
BANDS = [[("middleware", 700), ("wasm_glue", 250)], [("io", 960)], [("timers", 960)], [("core", 960)]]
WORDS = {
    "middleware": "layers around a Service",
    "wasm_glue": "stepped from JavaScript",
    "io": "bytes between two ends, and HTTP over them",
    "timers": "the hierarchical wheel, and what waits for it",
    "core": "reactor, tasks, errors",
    "io/": "the seam",
}
MARGIN, GAP, PAD, LINE, LETTER = 20, 46, 12, 15, 6.3
STYLE = """
  text { font: 11px ui-monospace, monospace; fill: #1f2933; }
  .module { font: 600 15px system-ui, sans-serif; }
  .words { font: 12px system-ui, sans-serif; fill: #52606d; }
  .folder { font: 600 12px ui-monospace, monospace; }
  .band { fill: #f5f7fa; stroke: #9aa5b1; }
  .box { fill: #ffffff; stroke: #cbd2d9; }
  .seam { fill: #e3f8ff; stroke: #40c3f7; }
  .arrow { stroke: #52606d; fill: none; marker-end: url(#tip); }
"""


def headers():
    for module in ("core", "timers", "io", "middleware", "wasm_glue"):
        for path in sorted((ROOT / module).rglob("*.h")):
            yield module, path


def folders():
    """Returns module -> folder -> names of its public headers. Internal folders have no names."""
    found = {}
    for module, path in headers():
        folder = str(path.relative_to(ROOT).parent)
        found.setdefault(module, {}).setdefault(folder, []).append(path.stem)
    for module, by_folder in found.items():
        for folder in list(by_folder):
            if folder.endswith(("/detail", "/h1", "/http/web_socket")):
                parent = str(pathlib.Path(folder).parent)
                by_folder.setdefault(parent, []).append(f"[{pathlib.Path(folder).name}/]")
                del by_folder[folder]
    return found


def edges():
    found = set()
    for module in ("core", "timers", "io", "middleware", "wasm_glue"):
        for path in [*(ROOT / module).rglob("*.h"), *(ROOT / module).rglob("*.cpp")]:
            for target in re.findall(r"#include <escapement/(\w+)/", path.read_text()):
                if target != module:
                    found.add((module, target))
    return found


def wrapped(words, width):
    lines, line = [], ""
    for word in words:
        if line and (len(line) + 1 + len(word)) * LETTER > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def text(x, y, content, kind=""):
    kind = f" class='{kind}'" if kind else ""
    return f"<text{kind} x='{x:.0f}' y='{y:.0f}'>{html.escape(content)}</text>"


def rectangle(x, y, width, height, kind):
    return f"<rect class='{kind}' x='{x:.0f}' y='{y:.0f}' width='{width:.0f}' height='{height:.0f}' rx='4'/>"


def box(x, y, width, height, title, lines, kind):
    drawn = [rectangle(x, y, width, height, kind), text(x + 8, y + 16, title, "folder")]
    return drawn + [text(x + 8, y + 16 + LINE * (number + 1), line) for number, line in enumerate(lines)]


def band(module, by_folder, x, y, width):
    """Returns the drawing and its height."""
    own = by_folder.get(module, [])
    parts = sorted(folder for folder in by_folder if folder != module)
    drawn = []
    below = y + 46
    if parts:
        room = (width - 2 * PAD - (len(parts) - 1) * 8) / len(parts)
        texts = {part: wrapped(by_folder[part], room - 16) for part in parts}
        height = 26 + LINE * max(len(lines) for lines in texts.values())
        for number, part in enumerate(parts):
            drawn += box(x + PAD + number * (room + 8), below, room, height, part.removeprefix(module + "/"),
                         texts[part], "box")
        below += height + 8
    if own:
        lines = wrapped(own, width - 2 * PAD - 16)
        height = 26 + LINE * len(lines)
        seam = bool(parts)
        title = WORDS.get(module + "/", module) if seam else "public headers"
        drawn += box(x + PAD, below, width - 2 * PAD, height, title, lines, "seam" if seam else "box")
        below += height + 8
    height = below + 4 - y
    heading = [rectangle(x, y, width, height, "band"), text(x + PAD, y + 22, module, "module"),
               text(x + PAD, y + 38, WORDS[module], "words")]
    return heading + drawn, height


def picture():
    tree = folders()
    drawn, places, y = [], {}, MARGIN
    for row in BANDS:
        x, highest = MARGIN, 0
        made = []
        for module, width in row:
            shapes, height = band(module, tree[module], x, y, width)
            made.append((module, x, width, shapes))
            highest = max(highest, height)
            x += width + 10
        for module, left, width, shapes in made:
            shapes[0] = rectangle(left, y, width, highest, "band")
            drawn += shapes
            places[module] = (left, y, width, highest)
        y += highest + GAP
    level = {module: number for number, row in enumerate(BANDS) for module, _ in row}
    for source, target in sorted(edges()):
        if level[target] - level[source] != 1:
            continue  # drawn below it anyway
        left, top, width, height = places[source]
        x = left + width / 2
        drawn.append(f"<path class='arrow' d='M{x:.0f} {top + height:.0f} V{places[target][1] - 3:.0f}'/>")
        drawn.append(text(x + 8, top + height + GAP / 2 + 4, "includes", "words"))
    width, height = 960 + 2 * MARGIN, y - GAP + MARGIN
    return "\n".join([f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height:.0f}' "
                      f"viewBox='0 0 {width} {height:.0f}'>", f"<style>{STYLE}</style>",
                      "<defs><marker id='tip' markerWidth='8' markerHeight='8' refX='6' refY='4' orient='auto'>"
                      "<path d='M0 0 L8 4 L0 8 z' fill='#52606d'/></marker></defs>",
                      f"<rect width='{width}' height='{height:.0f}' fill='#ffffff'/>", *drawn, "</svg>", ""])


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__.strip())
        return 0
    if any(argument != "--check" for argument in sys.argv[1:]):
        print("architecture_picture.py: unknown option (try --help)", file=sys.stderr)
        return 2
    drawn = picture()
    if "--check" not in sys.argv:
        PICTURE.write_text(drawn)
        return 0
    if PICTURE.read_text() == drawn:
        return 0
    print("docs/pictures/architecture.svg is not what the tree looks like: run tools/dev/architecture_picture.py")
    return 1


sys.exit(main())
