"""Bars as SVG: a panel for each case, a bar for each server, a whisker where its interval lies. Needs only Python."""
import html
import math

OURS_COLOUR, COLOUR, WHISKER = "#c2185b", "#90a4ae", "#37474f"
WIDTH, LEFT, RIGHT, ROW, HEAD, GAP = 860, 150, 130, 19, 34, 18


def text(x, y, content, anchor="start", size=13, fill="#333", weight="normal"):
    halo = 'paint-order="stroke" stroke="white" stroke-width="3"'
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" font-weight="{weight}" '
            f'text-anchor="{anchor}" {halo}>{html.escape(content)}</text>')


def line(x1, y1, x2, y2, stroke, width=1.0, dash=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"{dash}/>')


class Scale:
    """From 0, or logarithmic from a power of ten below the least."""

    def __init__(self, values, logarithmic):
        self.logarithmic = logarithmic
        self.low = 10 ** math.floor(math.log10(min(values))) if logarithmic else 0
        self.high = max(values) * (1.3 if logarithmic else 1.03)

    def at(self, value):
        if self.logarithmic:
            part = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            part = value / self.high
        return LEFT + part * (WIDTH - LEFT - RIGHT)


def number(value):
    if value >= 100 or (value >= 10 and value == round(value)):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def panel(top, title, rows, ours, reference, logarithmic):
    """rows: (name, value, low, high). The parts, and where it ends."""
    scale = Scale([row[1] for row in rows] + ([reference] if reference else []), logarithmic)
    bottom = top + HEAD + ROW * len(rows)
    parts = [text(LEFT, top + 20, title, size=14, fill="#111", weight="600")]
    if reference:
        parts.append(line(scale.at(reference), top + HEAD - 4, scale.at(reference), bottom, "#555", 1,
                          ' stroke-dasharray="4 3"'))
    for index, (name, value, low, high) in enumerate(rows):
        y = top + HEAD + ROW * index
        own = name == ours
        parts.append(text(LEFT - 8, y + 13, name, "end", weight="700" if own else "normal"))
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{max(scale.at(value) - LEFT, 1):.1f}" height="{ROW - 6}" '
                     f'fill="{OURS_COLOUR if own else COLOUR}"/>')
        if low != high:
            end = min(scale.at(high), WIDTH - RIGHT + 30)
            parts.append(line(scale.at(low), y + ROW / 2, end, y + ROW / 2, WHISKER, 1.6))
        label = number(value) + (f"  ({number(low)}–{number(high)})" if low != high else "")
        parts.append(text(min(max(scale.at(value), scale.at(high)), WIDTH - RIGHT + 30) + 6, y + 13, label, size=11))
    return parts, bottom + GAP


def svg(title, panels, ours, reference=None, logarithmic=False):
    """panels: (title, rows). A dashed line stands at `reference`."""
    parts, at = [], 44
    for name, rows in panels:
        drawn, at = panel(at, name, rows, ours, reference, logarithmic)
        parts += drawn
    fonts = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif"
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at}" width="{WIDTH}" '
                      f'height="{at}" font-family="{fonts}">',
                      f'<rect width="{WIDTH}" height="{at}" fill="white"/>',
                      text(24, 30, title, size=17, fill="#111", weight="600"), *parts, "</svg>", ""])
