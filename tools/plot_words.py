#!/usr/bin/env python3
"""Draws what searches find against what they cost: docs/plots/words.svg, from docs/plots/words.json.

python3 tools/plot_words.py            draws what docs/plots/words.json holds
python3 tools/plot_words.py FIGURES    takes the figures of a run first (.build/bench/words.json)
python3 tools/plot_words.py --check    fails if the file is not the one that it would draw
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from plots import FOLDER, Axis, escape, short, style

SOURCE, DRAWN = FOLDER / "words.json", FOLDER / "words.svg"
# Of a search by vectors, by words, and by both; Kepler's has a dot, that by hand a ring.
WAYS = (("vectors", "cosine by hand"), ("words", "ts_rank by hand"), ("both", "both by hand"))
LEFT, TOP, PANEL, HEIGHT, GAP = 60, 74, 250, 230, 62

Places = dict[str, dict[str, list[float]]]


def panel(name: str, places: dict[str, list[float]], left: float) -> list[str]:
    """One set of questions: nDCG by milliseconds."""
    shown = [[(places[f"Kepler, {own}"], "d"), (places[hand], "ring s")] for own, hand in WAYS]
    x = Axis([place[2] for both in shown for place, _ in both], left, left + PANEL)
    gains = [place[1] for both in shown for place, _ in both]
    low, high = int(min(gains) * 20) / 20, (int(max(gains) * 20) + 1) / 20
    bottom = TOP + HEIGHT

    def up(gain: float) -> float:
        return bottom - (gain - low) / (high - low) * HEIGHT

    svg = [f'<text class="panel" x="{left}" y="{TOP - 14}">{escape(name)}</text>']
    for step in range(round((high - low) * 20) + 1):
        y = up(low + step / 20)
        svg += [
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + PANEL}" y2="{y:.1f}"/>',
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{low + step / 20:.2f}</text>',
        ]
    svg.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{left + PANEL}" y2="{bottom}"/>')
    for mark in x.marks:
        svg += [
            f'<line class="axis" x1="{x.at(mark):.1f}" y1="{bottom}" x2="{x.at(mark):.1f}" y2="{bottom + 5}"/>',
            f'<text x="{x.at(mark):.1f}" y="{bottom + 19}" text-anchor="middle">{short(mark)}</text>',
        ]
    svg.append(f'<text x="{left + PANEL / 2:g}" y="{bottom + 37}" text-anchor="middle">CPU of a search, ms</text>')
    for series, both in enumerate(shown):
        (own, _), (hand, _) = both
        ends = f'x1="{x.at(hand[2]):.1f}" y1="{up(hand[1]):.1f}" x2="{x.at(own[2]):.1f}" y2="{up(own[1]):.1f}"'
        svg.append(f'<line class="line s{series}" {ends} stroke-dasharray="3 4"/>')
        svg += [
            f'<circle class="{kind}{series}" cx="{x.at(place[2]):.1f}" cy="{up(place[1]):.1f}" r="5"/>' for place, kind in reversed(both)
        ]
    return svg


def draw(places: Places) -> str:
    width, height = LEFT + len(places) * (PANEL + GAP), TOP + HEIGHT + 92
    title = "What searches find among ten rows (nDCG@10), and what they cost"
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
        f"<style>\n{style(len(WAYS))}\n</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
        f'<text class="title" x="20" y="28">{title}</text>',
    ]
    for at, (name, found) in enumerate(places.items()):
        svg += panel(name, found, LEFT + at * (PANEL + GAP))
    labels = [f"dot: Kepler, {own}; ring: {hand}" for own, hand in WAYS]
    for at, label in enumerate(labels):
        x, y = 30 + at * (width - 40) / len(WAYS), height - 20
        svg += [f'<circle class="d{at}" cx="{x:g}" cy="{y - 4}" r="5"/>', f'<text x="{x + 14:g}" y="{y}">{label}</text>']
    return "\n".join([*svg, "</svg>"]) + "\n"


def main() -> None:
    given = sys.argv[1:]
    if given and given != ["--check"]:
        SOURCE.write_text(json.dumps(json.loads(Path(given[0]).read_text()), indent=1) + "\n")
    # Of several models the last one, which knows sentences.
    *_, places = json.loads(SOURCE.read_text()).values()
    drawn = draw(places)
    if given == ["--check"]:
        if DRAWN.read_text() != drawn:
            sys.exit(f"{DRAWN.name} is not what tools/plot_words.py draws of {SOURCE.name}")
    else:
        DRAWN.write_text(drawn)


if __name__ == "__main__":
    main()
