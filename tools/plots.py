#!/usr/bin/env python3
"""Draws the figures of the benchmark of growth: docs/plots/*.svg, and the same figures as tables in docs/plots/growth.md.

    python3 tools/plots.py              draws what docs/plots/growth.json holds
    python3 tools/plots.py FIGURES      takes the figures of a run first (.build/bench/growth-18.json)
    python3 tools/plots.py --check      fails if the files are not those that it would draw

Standard library only. The files depend on nothing but the figures.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "plots"
SOURCE = FOLDER / "growth.json"
PAGE = "growth.md"
# Of plot_words.py.
OTHERS = ("words.json", "words.svg")

# Series keep their colour in all three panels; the second one is for dark pages.
COLOURS = [
    ("#2a78d6", "#3987e5"),
    ("#d9534f", "#e66767"),
    ("#178f63", "#1eb07c"),
    ("#b97a00", "#d99a1c"),
    ("#6b4fc0", "#9085e9"),
    ("#c2477f", "#d978a6"),
]
WIDTH, PANEL, GAP, LEFT, TOP, HEIGHT = 960, 236, 76, 64, 74, 220
LEGEND_COLUMNS, LEGEND_LINE = 3, 20

PAGE_SIZE, FAR = 8192, 100_000_000

Figures = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    title: str
    key: str


PANELS = (
    Panel("CPU time, µs", "cpu"),
    Panel("Pages asked for", "pages"),
    Panel("WAL, bytes", "wal"),
)


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(number: float) -> str:
    """A tick: 10, 2k, 1M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


class Axis:
    """A logarithmic axis from ticks to places, with marks at 1, 2 and 5, or at powers of ten where these are many."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        # At least a decade and a half, so that a tenth does not look like much.
        middle, half = math.log10(low * high) / 2, max(math.log10(high / low) / 2 + 0.15, 0.75)
        self.low, self.high, self.start, self.end = middle - half, middle + half, start, end
        steps = (1,) if self.high - self.low > 2.6 else (1, 2, 5)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        marks = [step * 10.0**power for power in powers for step in steps]
        self.marks = [mark for mark in marks if self.low <= math.log10(mark) <= self.high]

    def at(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)


class SizeAxis:
    """The logarithmic axis of table sizes: a mark for each size that was measured."""

    def __init__(self, sizes: list[int], start: float, end: float) -> None:
        self.sizes, self.start, self.end = sizes, start, end

    def at(self, value: float) -> float:
        low, high = math.log10(self.sizes[0]), math.log10(self.sizes[-1])
        share = (math.log10(value) - low) / (high - low) if high > low else 0.5
        return self.start + 12 + share * (self.end - self.start - 24)


def sizes_of(family: Figures) -> list[int]:
    return [int(size) for size in family["sizes"]]


def style(series: int) -> str:
    rules = [
        "text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:12px;fill:#52514e}",
        ".page{fill:#fcfcfb}.title{font-size:15px;font-weight:600;fill:#0b0b0b}.panel{font-weight:600;fill:#0b0b0b}",
        ".grid{stroke:#e3e2de}.axis{stroke:#a5a39c}.line{fill:none;stroke-width:2}.ring{fill:#fcfcfb;stroke-width:1.5}",
    ]
    dark = [
        "text{fill:#c3c2b7}.page{fill:#1a1a19}.title,.panel{fill:#fff}",
        ".grid{stroke:#343431}.axis{stroke:#6b6a64}.ring{fill:#1a1a19}",
    ]
    for at in range(series):
        light_colour, dark_colour = COLOURS[at]
        rules.append(f".s{at}{{stroke:{light_colour}}}.d{at}{{fill:{light_colour}}}")
        dark.append(f".s{at}{{stroke:{dark_colour}}}.d{at}{{fill:{dark_colour}}}")
    return "\n".join([*rules, "@media (prefers-color-scheme: dark){", *dark, "}"])


def draw(family: Figures) -> str:
    """One family: a panel for each of the three figures, and a legend for all of them."""
    calls, sizes = list(family["calls"].items()), sizes_of(family)
    lines = -(-len(calls) // LEGEND_COLUMNS)
    height = TOP + HEIGHT + 62 + lines * LEGEND_LINE + 14
    title = f"{family['title']}: cost of a {family['unit']}"
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}, by rows in the table">',
        f"<style>\n{style(len(calls))}\n</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="20" y="28">{escape(title)}</text>',
        f'<text x="{WIDTH - 20}" y="28" text-anchor="end">dots: new session · rings: session older than the rows</text>',
    ]
    for at, panel in enumerate(PANELS):
        svg += draw_panel(family, panel, sizes, LEFT + at * (PANEL + GAP))
    for at, (_, label) in enumerate(calls):
        x = 20 + at % LEGEND_COLUMNS * (WIDTH - 40) / LEGEND_COLUMNS
        y = TOP + HEIGHT + 62 + at // LEGEND_COLUMNS * LEGEND_LINE
        svg += [
            f'<line class="line s{at}" x1="{x:g}" y1="{y}" x2="{x + 22:g}" y2="{y}"/><circle class="d{at}" cx="{x + 11:g}" cy="{y}" r="4"/>',
            f'<text x="{x + 30:g}" y="{y + 4}">{escape(label)}</text>',
        ]
    return "\n".join([*svg, "</svg>"]) + "\n"


def draw_panel(family: Figures, panel: Panel, sizes: list[int], left: float) -> list[str]:
    right, bottom = left + PANEL, TOP + HEIGHT
    series = [
        [[(size, family["sizes"][str(size)][session][call].get(panel.key)) for size in sizes] for session in ("new", "old")]
        for call in family["calls"]
    ]
    values = [value for both in series for points in both for _, value in points if value]
    svg = [f'<text class="panel" x="{left}" y="{TOP - 14}">{panel.title}</text>']
    if not values:
        return svg
    x, y = SizeAxis(sizes, left, right), Axis(values, bottom, TOP)
    for mark in y.marks:
        svg.append(f'<line class="grid" x1="{left}" y1="{y.at(mark):.1f}" x2="{right}" y2="{y.at(mark):.1f}"/>')
        svg.append(f'<text x="{left - 8}" y="{y.at(mark) + 4:.1f}" text-anchor="end">{short(mark)}</text>')
    svg.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    for size in sizes:
        svg.append(f'<line class="axis" x1="{x.at(size):.1f}" y1="{bottom}" x2="{x.at(size):.1f}" y2="{bottom + 5}"/>')
        svg.append(f'<text x="{x.at(size):.1f}" y="{bottom + 19}" text-anchor="middle">{short(size)}</text>')
    svg.append(f'<text x="{(left + right) / 2:g}" y="{bottom + 37}" text-anchor="middle">{escape(family["axis"])}</text>')
    for at, (new, old) in enumerate(series):
        if not all(value for _, value in [*new, *old]):
            continue
        places = [(x.at(size), y.at(value)) for size, value in new]
        svg.append(f'<polyline class="line s{at}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in places)}"/>')
        svg += [f'<circle class="ring s{at}" cx="{x.at(size):.1f}" cy="{y.at(value):.1f}" r="5.5"/>' for size, value in old]
        svg += [f'<circle class="d{at}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places]
    return svg


def figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2f}"


def costs(family: Figures) -> list[str]:
    lines = [
        f"| a {family['unit']} | {family['axis']} | µs | µs, old session | pages | WAL, bytes | WAL right after a checkpoint | whole pages in it |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for call, label in family["calls"].items():
        for size in sizes_of(family):
            new, old = (family["sizes"][str(size)][session][call] for session in ("new", "old"))
            cells = [new["cpu"], old["cpu"], new["pages"], *(new.get(key) for key in ("wal", "wal_after_checkpoint", "whole_pages"))]
            lines.append(f"| {label} | {size:,} | {' | '.join(figure(cell) for cell in cells)} |")
    return lines


def vacuum(family: Figures) -> list[str]:
    # At smaller sizes the calls have added many rows.
    size = sizes_of(family)[-1]
    cost = family["sizes"][str(size)].get("vacuum")
    if not cost:
        return []
    told = f"{figure(cost['cpu'])} µs and {figure(cost['wal'])} bytes of WAL for each of {size:,} rows"
    return ["", f"The first VACUUM of the table, right after a checkpoint: {told}."]


def storage(family: Figures) -> list[str]:
    """Bytes a row of each table and index at the largest size, how high its tree is at each size, and both at a hundred million
    rows, if they grow on like that."""
    sizes = sizes_of(family)
    stored = {size: {one["name"]: one for one in family["sizes"][str(size)]["storage"]} for size in sizes}
    lines = [
        f"| stored, at {sizes[-1]:,} rows | kind | bytes a row | height of the tree, at {', '.join(short(size) for size in sizes)} "
        f"| GB at {short(FAR)} | height at {short(FAR)} |",
        "|---|---|--:|---|--:|--:|",
    ]
    for name, one in stored[sizes[-1]].items():
        heights = [stored[size].get(name, {}).get("height") for size in sizes]
        told = ", ".join(str(height or "–") for height in heights) if one["kind"] == "btree" else ""
        far = str(height_at(FAR, sizes[-1], one["bytes"])) if told else ""
        lines.append(f"| `{name}` | {one['kind']} | {figure(one['bytes'] / sizes[-1])} | {told} | {figure(one['bytes'] / sizes[-1] * FAR / 1e9)} | {far} |")
    return lines


def height_at(rows: int, measured: int, size: int) -> int:
    """How high a b-tree gets, whose inner pages hold as many keys as its leaves do."""
    pages, height = size / PAGE_SIZE * rows / measured, 1
    keys = max(measured / (size / PAGE_SIZE), 2)
    while pages > 1:
        pages, height = pages / keys, height + 1
    return height


def page(figures: Figures) -> str:
    text = [
        "# Growth: the figures",
        "",
        "What the plots show, as numbers. [Design](../design.md#how-far-it-was-measured) says what they mean,",
        "[benches](../../benches/README.md#growth-what-is-measured) how they were measured. `make bench GROUP=growth PG=18`",
        "measures again, and `python3 tools/plots.py .build/bench/growth-18.json` draws this page and the plots.",
        "",
        f"Postgres {figures['postgres']}, {figures['machine']}. µs are CPU time of the backend.",
    ]
    for name, family in figures["families"].items():
        text += ["", f"## {family['title']}", "", f"![{family['title']}](growth-{name}.svg)", "", *costs(family), "", *storage(family), *vacuum(family)]
    return "\n".join(text) + "\n"


def drawn(figures: Figures) -> dict[str, str]:
    files = {f"growth-{name}.svg": draw(family) for name, family in figures["families"].items()}
    return files | {PAGE: page(figures), SOURCE.name: json.dumps(figures, indent=1, ensure_ascii=False) + "\n"}


def take(path: Path) -> None:
    """Families and sizes that the run did not measure keep their figures."""
    new = json.loads(path.read_text(encoding="utf-8"))
    kept = json.loads(SOURCE.read_text(encoding="utf-8")) if SOURCE.exists() else {"families": {}}
    families = kept["families"]
    for name, family in new["families"].items():
        old = families.get(name, {})
        sizes = old.get("sizes", {}) | family["sizes"]
        families[name] = old | family | {"sizes": dict(sorted(sizes.items(), key=lambda item: int(item[0])))}
    SOURCE.parent.mkdir(exist_ok=True)
    SOURCE.write_text(json.dumps(kept | new | {"families": families}), encoding="utf-8")


def check(files: dict[str, str]) -> list[str]:
    same: Callable[[str, str], bool] = lambda name, text: (FOLDER / name).exists() and (FOLDER / name).read_text(encoding="utf-8") == text
    faults = [f"docs/plots/{name} is not what the figures give: python3 tools/plots.py" for name, text in files.items() if not same(name, text)]
    return faults + [f"docs/plots/{path.name} belongs to no figures" for path in sorted(FOLDER.iterdir()) if path.name not in {*files, *OTHERS}]


def main(arguments: list[str]) -> int:
    if arguments and arguments[0] != "--check":
        take(Path(arguments[0]))
    files = drawn(json.loads(SOURCE.read_text(encoding="utf-8")))
    if arguments == ["--check"]:
        faults = check(files)
        print("\n".join(faults or [f"{len(files)} files are drawn from the figures"]))
        return 1 if faults else 0
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
