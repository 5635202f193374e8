"""What the samples of bench_timers_run say: tables, and the bars that are to hold.

A ratio is a contender's sample divided by ours of the same round; of those the median is printed, and the
least and the greatest say how far to trust it. Worst steps are the least of the rounds for every contender:
what no round was without.
"""
import statistics

OURS = "escapement"
LIST = "floor: list push+unlink"
MAP = "std::multimap"

# metric: (title, unit), in the order in which they are printed
METRICS = {
    "schedule": ("schedule N random deadlines, 1 ms to 60 s", "ns"),
    "cancel": ("cancel all, random order", "ns"),
    "schedule+cancel": ("schedule plus cancel", "ns"),
    "http_same": ("HTTP pattern: arm 30 s, cancel; same timer, N live", "ns"),
    "http_fresh": ("HTTP pattern: make, arm 30 s, destroy; fresh timer, N live", "ns"),
    "http_flight": ("HTTP pattern, fresh timers, 100 in flight, N live", "ns"),
    "rearm_later": ("re-arm N live in random order, to 30 s from now", "ns"),
    "rearm_random": ("re-arm N live in random order, to random deadlines", "ns"),
    "expire_steps": ("expire all, 1 ms steps (60,001 of them)", "ns"),
    "expire_jump": ("expire all, one jump", "ns"),
    "retry": ("retry mix: fire and arm again after 0.1 to 6.4 s, 1 ms steps", "ns"),
    "empty_step": ("a step with nothing due, one far timer", "ns"),
    "next": ("next deadline, one far timer", "ns"),
    "worst_us": ("worst single step while N expire in 1 ms steps (least of the rounds)", "us"),
    "worst_clean_us": ("worst single step without noise (each step's least of the rounds)", "us"),
    "p999_us": ("99.9th percentile of the steps (least of the rounds)", "us"),
    "bytes": ("bytes a timer, all included", "bytes"),
    "bytes_churn": ("bytes a timer after 4 N fresh timers of 30 s, 100 in flight", "bytes"),
}


def least_counts(metric):
    return metric.endswith("_us")


class Results:
    def __init__(self):
        self.samples = {}   # (metric, size, contender) -> one value a round
        self.orders = {}    # contender -> what it promises about order
        self.versions = {}
        self.peak_kib = 0
        self.machine = ""

    def add(self, line):
        if "order" in line:
            self.orders[line["contender"]] = line["order"]
            self.versions[line["contender"]] = line.get("version", "")
        elif "machine" in line:
            self.machine = line["machine"]
        elif "peak_kib" in line:
            self.peak_kib = max(self.peak_kib, line["peak_kib"])
        else:
            self.samples.setdefault((line["metric"], line["size"], line["contender"]), []).append(line["value"])

    def sizes(self, metric):
        return sorted({size for name, size, _ in self.samples if name == metric})

    def contenders(self, metric=None):
        found = {contender for name, _, contender in self.samples if metric in (None, name)}
        order = list(self.orders) + sorted(found - set(self.orders))
        return [contender for contender in order if contender in found]

    def value(self, metric, size, contender):
        samples = self.samples.get((metric, size, contender))
        if not samples:
            return None
        return min(samples) if least_counts(metric) else statistics.median(samples)

    def ratio(self, metric, size, contender, to=OURS):
        """(median, least, greatest) of contender / to, round by round; None if either is missing."""
        upper, lower = (self.samples.get((metric, size, who)) for who in (contender, to))
        if not upper or not lower:
            return None
        if least_counts(metric):
            one = min(upper) / max(min(lower), 1e-9)
            return one, one, one
        ratios = [a / max(b, 1e-9) for a, b in zip(upper, lower)]
        return statistics.median(ratios), min(ratios), max(ratios)


def short(value):
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def print_tables(results):
    for metric, (title, unit) in METRICS.items():
        sizes = results.sizes(metric)
        if not sizes:
            continue
        print(f"\n{title}, {unit}")
        print(f"  {'':<26}" + "".join(f"{f'    N = {size:,}':<28}" for size in sizes))
        for contender in results.contenders(metric):
            cells = ""
            for size in sizes:
                ratio = results.ratio(metric, size, contender)
                text = short(results.value(metric, size, contender))
                if ratio and contender != OURS:
                    spread = "" if least_counts(metric) or unit == "bytes" else f" {short(ratio[1])}-{short(ratio[2])}"
                    text = f"{text:>8}  x{short(ratio[0])}{spread}"
                else:
                    text = f"{text:>8}"
                cells += f"{text:<28}"
            print(f"  {contender:<26}{cells}".rstrip())
    print("\nx: times ours in the same round, median and least-greatest of the rounds.")
    for contender, order in results.orders.items():
        version = results.versions.get(contender, "")
        print(f"  {f'{contender} {version}':<26}agrees with the sorted vector: {order}")
    if results.machine:
        print(results.machine)
    if results.peak_kib:
        print(f"peak memory of the whole run: {results.peak_kib / 1024:.0f} MiB")


class Bars:
    """The ratio bars. `also` lines are printed and do not decide."""

    def __init__(self, results):
        self.results = results
        self.missed = 0

    def line(self, text, wanted, measured, held, also=False):
        verdict = "not measured" if held is None else "held" if held else "NOT HELD"
        if also:
            verdict = f"({verdict})"
        elif held is not True:
            self.missed += 1
        print(f"  {text:<70}{wanted:>10}{measured:>12}  {verdict}")

    def at_least(self, metric, size, contender, factor, also=False):
        """The contender takes at least `factor` times as long as ours."""
        ratio = self.results.ratio(metric, size, contender)
        held = None if ratio is None else ratio[0] >= factor
        self.line(f"{metric}, N = {size:,}: {contender} / ours", f">= {factor:g}", short(ratio and ratio[0]),
                  held, also)

    def at_most(self, metric, size, contender, factor, also=False):
        """Ours takes at most `factor` times as long as the contender."""
        ratio = self.results.ratio(metric, size, OURS, contender)
        held = None if ratio is None else ratio[0] <= factor
        self.line(f"{metric}, N = {size:,}: ours / {contender}", f"<= {factor:g}", short(ratio and ratio[0]),
                  held, also)

    def http(self, metric, sizes, also=False):
        """For every N; the worst N is printed."""
        ratios = {size: self.results.ratio(metric, size, OURS, LIST) for size in sizes}
        self.worst_of(f"{metric}: ours / {LIST}", ratios, 2.0, max, also)
        values = [self.results.value(metric, size, OURS) for size in sizes]
        spread = None if None in values else max(values) / max(min(values), 1e-9)
        self.line(f"{metric}: ours, greatest / least over N", "<= 1.3", short(spread),
                  None if spread is None else spread <= 1.3, also)
        for contender, factor in (("libev", 4), ("libuv", 10), ("asio", 10)):
            ratios = {size: self.results.ratio(metric, size, contender) for size in sizes}
            self.worst_of(f"{metric}: {contender} / ours", ratios, factor, min, also)

    def worst_of(self, text, ratios, bar, worst, also):
        sign = "<=" if worst is max else ">="
        if None in ratios.values():
            return self.line(text, f"{sign} {bar:g}", "-", None, also)
        size = worst(ratios, key=lambda size: ratios[size][0])
        ratio = ratios[size][0]
        self.line(f"{text} (worst: N = {size:,})", f"{sign} {bar:g}", short(ratio),
                  ratio <= bar if worst is max else ratio >= bar, also)

    def structure(self):
        many = 1_000_000
        for size, libev, others in ((10_000, 2.5, 5), (many, 3, 10)):
            self.at_least("schedule+cancel", size, "libev", libev)
            for contender in ("libevent", "libuv", "asio"):
                self.at_least("schedule+cancel", size, contender, others)
        for metric, also in (("rearm_later", False), ("rearm_random", True)):
            self.at_least(metric, many, "libev", 5, also)
            self.at_least(metric, many, "libuv", 30, also)
        self.at_least("expire_steps", many, "libev", 5)
        self.at_least("expire_steps", many, "libuv", 25)
        self.at_least("expire_steps", many, MAP, 1.3)
        self.at_most("worst_us", many, MAP, 3)
        self.at_most("worst_clean_us", many, MAP, 3, also=True)

    def memory(self, wasm_bytes):
        for size in (10_000, 1_000_000):
            value = self.results.value("bytes", size, OURS)
            self.line(f"bytes a timer, N = {size:,}", "<= 40", short(value), None if value is None else value <= 40)
        value = self.results.value("bytes_churn", 1_000_000, OURS)
        self.line("bytes a timer after churn, N = 1,000,000", "<= 40", short(value),
                  None if value is None else value <= 40, also=True)
        self.line("bytes a timer on wasm, N = 100,000", "<= 28", short(wasm_bytes),
                  None if wasm_bytes is None else wasm_bytes <= 28)

    def ten_million(self):
        """The ratios to libev do not get worse: not below 0.95 of those at a million."""
        for metric in ("schedule", "cancel", "expire_steps"):
            few = self.results.ratio(metric, 1_000_000, "libev")
            many = self.results.ratio(metric, 10_000_000, "libev")
            held = None if few is None or many is None else many[0] >= 0.95 * few[0]
            wanted = ">= ?" if few is None else f">= {short(0.95 * few[0])}"
            self.line(f"{metric}, N = 10,000,000: libev / ours", wanted, short(many and many[0]), held)
        gib = self.results.peak_kib / 1024 / 1024
        done = self.results.value("expire_steps", 10_000_000, OURS) is not None
        self.line("memory of the whole run, GiB", "<= 24", short(gib), gib <= 24 if done else None)


def print_bars(results, wasm_bytes):
    """True when all hold."""
    print("\nbars (of the issue; those in parentheses do not decide)")
    bars = Bars(results)
    sizes = [100, 1_000, 10_000, 100_000, 1_000_000]
    bars.http("http_same", sizes)
    bars.http("http_fresh", sizes, also=True)
    bars.structure()
    bars.memory(wasm_bytes)
    bars.ten_million()
    print(f"\n{bars.missed} bars not held" if bars.missed else "\nall bars held")
    return bars.missed == 0
