"""Log-log plots as SVG: ns an operation over N, one file for each metric. Needs nothing but Python."""
import html
import math

from report import LIST, METRICS, OURS

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 74, 190, 64, 58
COLOURS = {
    OURS: "#c2185b", "std::multimap": "#00796b", "libev": "#1565c0", "libevent": "#6a3fb5", "libuv": "#e07b00",
    "asio": "#6d4c41", LIST: "#757575", "floor: one store": "#a3a3a3",
}


def power_label(value):
    if value >= 1000 or value < 1:
        for factor, unit in ((1e6, "M"), (1e3, "k")):
            if value >= factor:
                return f"{value / factor:g}{unit}"
    return f"{value:g}"


class Axis:
    """A logarithmic axis from `low` to `high`, drawn from `begin` to `end`."""

    def __init__(self, low, high, begin, end):
        self.low, self.high = math.log10(low), math.log10(high)
        self.begin, self.end = begin, end

    def at(self, value):
        part = (math.log10(value) - self.low) / max(self.high - self.low, 1e-9)
        return self.begin + part * (self.end - self.begin)

    def powers(self):
        return [10.0 ** e for e in range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)]


def text(x, y, content, anchor="start", size=13, fill="#333", weight="normal", rotate=None):
    turn = f' transform="rotate({rotate} {x:.1f} {y:.1f})"' if rotate is not None else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" font-weight="{weight}" '
            f'text-anchor="{anchor}"{turn}>{html.escape(content)}</text>')


def line(x1, y1, x2, y2, stroke, width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"/>')


def grid(x, y, unit):
    parts = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for power in y.powers():
        parts.append(line(LEFT, y.at(power), right, y.at(power), "#dcdcdc"))
        parts.append(text(LEFT - 10, y.at(power) + 4.5, power_label(power), "end"))
        for minor in range(2, 10):
            value = power * minor
            if math.log10(value) < y.high:
                parts.append(line(LEFT, y.at(value), right, y.at(value), "#f1f1f1", 0.8))
    for power in x.powers():
        parts.append(line(x.at(power), TOP, x.at(power), bottom, "#e6e6e6"))
        parts.append(text(x.at(power), bottom + 22, power_label(power), "middle"))
    parts.append(line(LEFT, bottom, right, bottom, "#888"))
    parts.append(text((LEFT + right) / 2, HEIGHT - 12, "N, timers that are live", "middle"))
    parts.append(text(20, (TOP + bottom) / 2, unit, "middle", rotate=-90))
    return parts


def spread_labels(wanted, least=17.0):
    """Labels at the ends of the lines, moved apart until none covers another. [(y, name)] -> {name: y}"""
    placed = []
    for y, name in sorted(wanted):
        placed.append([max(y, placed[-1][0] + least) if placed else y, name])
    overflow = placed[-1][0] - (HEIGHT - BOTTOM) if placed else 0
    if overflow > 0:
        placed[-1][0] -= overflow
        for i in range(len(placed) - 2, -1, -1):
            placed[i][0] = min(placed[i][0], placed[i + 1][0] - least)
    return {name: y for y, name in placed}


def curve(name, points):
    colour = COLOURS.get(name, "#444")
    width = 3.4 if name == OURS else 1.9
    dash = ' stroke-dasharray="5 4"' if name.startswith("floor") else ""
    path = " ".join(f"{'L' if i else 'M'}{px:.1f} {py:.1f}" for i, (px, py) in enumerate(points))
    dots = "".join(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{4.2 if name == OURS else 2.9}" fill="{colour}"/>'
                   for px, py in points)
    return (f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"{dash}/>'
            + dots)


def svg(results, metric):
    """The plot of one metric, or None when there is only one N."""
    title, unit = METRICS[metric]
    sizes = results.sizes(metric)
    series = {}
    for name in results.contenders(metric):
        values = [(size, results.value(metric, size, name)) for size in sizes]
        series[name] = [(size, max(value, 0.05)) for size, value in values if value is not None]
    if len(sizes) < 2:
        return None
    values = [value for points in series.values() for _, value in points]
    x = Axis(sizes[0], sizes[-1], LEFT + 12, WIDTH - RIGHT - 12)
    y = Axis(10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values) * 1.02)),
             HEIGHT - BOTTOM, TOP)
    per = "ns an operation" if unit == "ns" else {"us": "µs", "bytes": "bytes"}[unit]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
             f'height="{HEIGHT}" font-family="system-ui, \'DejaVu Sans\', Helvetica, Arial, sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             text(LEFT, 34, title, size=17, fill="#111", weight="600")]
    parts += grid(x, y, per)
    drawn = {name: [(x.at(size), y.at(value)) for size, value in points] for name, points in series.items()}
    for name in sorted(drawn, key=lambda name: name == OURS):  # ours on top
        parts.append(curve(name, drawn[name]))
    labels = spread_labels([(points[-1][1], name) for name, points in drawn.items()])
    for name, at in labels.items():
        end = drawn[name][-1]
        colour = COLOURS.get(name, "#444")
        parts.append(line(end[0] + 6, end[1], WIDTH - RIGHT + 12, at, colour, 0.7))
        parts.append(text(WIDTH - RIGHT + 16, at + 4.5, f"{name.replace('floor: ', '')} {end_value(series[name])}",
                          fill=colour, weight="700" if name == OURS else "normal"))
    return "\n".join(parts + ["</svg>", ""])


def end_value(points):
    value = points[-1][1]
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def write_all(results, directory):
    """One SVG for each metric; yields the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    for metric in METRICS:
        drawing = svg(results, metric) if results.sizes(metric) else None
        if drawing:
            path = directory / f"{metric.replace('+', '_')}.svg"
            path.write_text(drawing)
            yield path
