#!/usr/bin/env python3
"""What stands in examples/monitoring, made from kepler.metrics() and held against it.

    tools/monitoring.py collector DATABASE        prints the collector of sql_exporter: a column a metric
    tools/monitoring.py check DATABASE            fails where collector or dashboard name a metric or label that does not exist,
                                                  or the collector is not the one that would be printed
    tools/monitoring.py draw DATABASE [SECONDS [FILE]]
                                                  samples metrics() while a load runs, and draws the panels of the dashboard into
                                                  examples/monitoring/dashboard.svg: by this script, not by Grafana
    tools/monitoring.py text DATABASE             prints all samples in Prometheus' text format

Standard library only; PGHOST and so on say where the server is. The drawing knows as much of PromQL as the dashboard needs.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parent))
from session import Session  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "monitoring"
COLLECTOR, DASHBOARD = FOLDER / "kepler.collector.yml", FOLDER / "dashboard.json"
PICTURE = FOLDER / "dashboard.svg"

Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]


@dataclass(frozen=True)
class Metric:
    name: str
    type: str
    labels: list[str]
    help: str


def metrics(session: Session) -> list[Metric]:
    rows = session.json("SELECT json_agg(json_build_array(n.name, n.type, n.label_names, n.help)) FROM kepler_internal.metric_names() AS n")
    return [Metric(*row) for row in rows]


def collector(known: list[Metric]) -> str:
    """One query for all of them: a metric passes by the rows where its column is NULL."""
    labels = sorted({label for metric in known for label in metric.labels})
    columns = [f"m.labels ->> '{label}' AS \"{label}\"" for label in labels]
    columns += [f"CASE m.name WHEN '{metric.name}' THEN m.value END AS {metric.name}" for metric in known]
    lines = [
        "# Kepler's metrics for sql_exporter (github.com/burningalchemist/sql_exporter). Printed by tools/monitoring.py collector.",
        "collector_name: kepler",
        "metrics:",
    ]
    for metric in known:
        lines += [f"  - metric_name: {metric.name}", f"    type: {metric.type}", f"    help: {json.dumps(metric.help)}"]
        if metric.labels:
            lines.append(f"    key_labels: [{', '.join(metric.labels)}]")
        lines += [f"    values: [{metric.name}]", "    query_ref: kepler_metrics"]
    lines += ["queries:", "  - query_name: kepler_metrics", "    query: |", "      SELECT"]
    lines += [f"        {column}," for column in columns[:-1]] + [f"        {columns[-1]}", "      FROM kepler.metrics() AS m", ""]
    return "\n".join(lines)


METRIC = re.compile(r"\bkepler_[a-z_]+\b")


def expressions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Where it stands, the expression, and its legend."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"panel \"{panel['title']}\"", target["expr"], target["legendFormat"]
    for variable in dashboard["templating"]["list"]:
        if "definition" in variable:
            yield f"variable {variable['name']}", variable["definition"], ""


def check(session: Session) -> list[str]:
    known = {metric.name: metric for metric in metrics(session)}
    problems = []
    if COLLECTOR.read_text() != collector(list(known.values())):
        problems.append(f"{COLLECTOR.name} is not what tools/monitoring.py collector prints")
    session.run(re.sub(r"^ {6}", "", COLLECTOR.read_text().split("query: |\n")[1], flags=re.MULTILINE).strip() + " LIMIT 0")
    dashboard = json.loads(DASHBOARD.read_text())
    for where, text, legend in expressions(dashboard):
        names = METRIC.findall(text)
        if not names:
            problems.append(f"{where}: \"{text}\" names no metric")
        for name in names:
            if name not in known:
                problems.append(f"{where}: there is no metric {name}")
                continue
            metric = known[name]
            used = re.findall(r"([a-z_]+)=~?\"", text) + re.findall(r"\bby \(([a-z_]+)\)", text) + re.findall(r"{{([a-z_]+)}}", legend)
            used += re.findall(rf"label_values\({name}, ([a-z_]+)\)", text)
            problems += [f"{where}: {name} has no label {label}" for label in used if label not in metric.labels]
            if (f"rate({name}" in text) != (metric.type == "counter"):
                problems.append(f"{where}: a counter is read by its rate, and nothing else is: {text}")
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(set(ids)) < len(ids):
        problems.append("two panels have one id")
    return problems


def sample(session: Session) -> dict[str, Series]:
    rows = session.json("SELECT json_agg(json_build_array(m.name, m.labels, m.value)) FROM kepler.metrics() AS m")
    samples: dict[str, Series] = defaultdict(dict)
    for name, labels, value in rows:
        samples[name][tuple(sorted(labels.items()))] = value
    return samples


def text(session: Session) -> str:
    samples, lines = sample(session), []
    quote = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    for metric in metrics(session):
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.type}"]
        for labels, value in sorted(samples[metric.name].items()):
            inner = ",".join(f'{k}="{"".join(quote.get(c, c) for c in v)}"' for k, v in labels)
            lines.append(f"{metric.name}{{{inner}}} {value}" if inner else f"{metric.name} {value}")
    return "\n".join(lines)


SELECTOR = re.compile(r"(kepler_[a-z_]+)(?:{([^}]*)})?(?:\[[0-9]+[smh]\])?")
AGGREGATE = re.compile(r"(sum|max)(?: by \(([a-z_]+)\))? ?\((.*)\)$")


def evaluate(expression: str, history: list[tuple[float, dict[str, Series]]], at: int) -> Series:
    """The value of an expression of the dashboard at a sample: selectors, rate, sum, max and topk."""
    if top := re.fullmatch(r"topk\((\d+), (.*)\)", expression):
        values = evaluate(top[2], history, at)
        return dict(sorted(values.items(), key=lambda item: -item[1])[: int(top[1])])
    if aggregate := AGGREGATE.fullmatch(expression):
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in evaluate(aggregate[3], history, at).items():
            groups[tuple((k, v) for k, v in labels if k == aggregate[2])].append(value)
        return {labels: sum(values) if aggregate[1] == "sum" else max(values) for labels, values in groups.items()}
    if rate := re.fullmatch(r"rate\((.*)\)", expression):
        before = max(0, at - 5)
        now, then = evaluate(rate[1], history, at), evaluate(rate[1], history, before)
        passed = history[at][0] - history[before][0]
        return {labels: (value - then.get(labels, value)) / passed if passed else 0 for labels, value in now.items()}
    found = SELECTOR.fullmatch(expression)
    if found is None:
        raise ValueError(f"the drawing does not know {expression}")
    series = history[at][1].get(found[1], {})
    # The variable stands for all workspaces.
    wanted = re.findall(r'([a-z_]+)="([^"$]*)"', found[2] or "")
    return {labels: value for labels, value in series.items() if all(dict(labels).get(k) == v for k, v in wanted)}


# Series keep their colours; the second one is for dark pages.
COLOURS = ["#2a78d6", "#d9534f", "#178f63", "#b97a00", "#6b4fc0", "#c2477f", "#3b8ea5", "#7a7a7a"]
CELL, LINE, MARGIN = 40, 28, 8


def readable(value: float, unit: str) -> str:
    if unit == "bytes":
        return next((f"{value / size:.3g} {name}" for size, name in ((1 << 20, "MiB"), (1 << 10, "KiB")) if value >= size), f"{value:.3g} B")
    number = next((f"{value / size:.3g}{name}" for size, name in ((1e6, "M"), (1e3, "K")) if value >= size), f"{value:.3g}")
    return number + {"s": " s", "ops": "/s"}.get(unit, "")


def draw(dashboard: dict[str, Any], history: list[tuple[float, dict[str, Series]]]) -> str:
    begin, end = history[0][0], history[-1][0]
    panels = dashboard["panels"]
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) * LINE + 40
    width = 24 * CELL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(dashboard['title'])}: the panels of the dashboard</title>",
        "<style>rect.page{fill:#fff}rect.panel{fill:#fafbfc;stroke:#d0d7de}text{fill:#24292f}.axis{fill:#6e7781}line{stroke:#d8dee4}"
        "@media(prefers-color-scheme:dark){rect.page{fill:#0d1117}rect.panel{fill:#161b22;stroke:#30363d}text{fill:#e6edf3}.axis{fill:#8b949e}line{stroke:#30363d}}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text x="{MARGIN}" y="24" font-size="16" font-weight="bold">{escape(dashboard["title"])}</text>',
    ]
    for panel in panels:
        place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
        x, y = place["x"] * CELL + MARGIN / 2, place["y"] * LINE + 36
        w, h = place["w"] * CELL - MARGIN, place["h"] * LINE - MARGIN
        lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for at, (moment, _) in enumerate(history):
            for target in panel["targets"]:
                for labels, value in evaluate(target["expr"], history, at).items():
                    name = re.sub(r"{{([a-z_]+)}}", lambda m, of=dict(labels): of.get(m[1], ""), target["legendFormat"])
                    lines[name].append((moment, value))
        names = sorted(lines, key=lambda n: -max(v for _, v in lines[n]))[: len(COLOURS)]
        top = max((value for name in names for _, value in lines[name]), default=0) or 1
        legend_rows = (len(names) + 1) // 2
        left, right, upper, lower = x + 52, x + w - 10, y + 28, y + h - 12 - 14 * legend_rows - 12
        parts.append(f'<rect class="panel" x="{x}" y="{y}" width="{w}" height="{h}" rx="3"/>')
        parts.append(f'<text x="{x + 10}" y="{y + 17}" font-weight="bold">{escape(panel["title"])}</text>')
        for share in (0, 0.5, 1):
            at_y = lower - (lower - upper) * share
            parts.append(f'<line x1="{left}" x2="{right}" y1="{at_y:.1f}" y2="{at_y:.1f}"/>')
            parts.append(f'<text class="axis" x="{left - 5}" y="{at_y + 4:.1f}" text-anchor="end">{escape(readable(top * share, unit))}</text>')
        parts.append(f'<text class="axis" x="{left}" y="{lower + 13:.1f}">0 s</text>')
        parts.append(f'<text class="axis" x="{right}" y="{lower + 13:.1f}" text-anchor="end">{end - begin:.0f} s</text>')
        for number, name in enumerate(names):
            colour = COLOURS[number]
            points = " ".join(
                f"{left + (right - left) * (moment - begin) / ((end - begin) or 1):.1f},{lower - (lower - upper) * value / top:.1f}"
                for moment, value in lines[name]
            )
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
            column, row = number % 2, number // 2
            lx, ly = x + 12 + column * (w / 2 - 8), y + h - 10 - 14 * (legend_rows - 1 - row)
            parts.append(f'<rect x="{lx:.1f}" y="{ly - 8:.1f}" width="9" height="9" fill="{colour}"/>')
            parts.append(f'<text x="{lx + 13:.1f}" y="{ly:.1f}">{escape(name)}</text>')
        if not names:
            parts.append(f'<text class="axis" x="{(left + right) / 2}" y="{(upper + lower) / 2}" text-anchor="middle">no data</text>')
    return "\n".join([*parts, "</svg>", ""])


STAGE = """
SELECT kepler.set_enrichment_policy('contact');
SELECT kepler.set_enrichment_policy('deal', max_attempts => 2);
SELECT kepler.create_embedding_space('small', 3, 'example');
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com');
INSERT INTO kepler.connections (name, reference_id, provider, user_id) VALUES ('c', 'c', 'Mail', 'u');
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('follow-up', 'u', 'Follow up', '{"app": "Mail"}');
SELECT kepler.acknowledge_changes('search', kepler.feed_cursor());
SELECT kepler.acknowledge_changes('warehouse', kepler.feed_cursor())
"""


def load(database: str, until: float) -> list[threading.Thread]:
    """Connectors, workers and consumers, for some seconds."""

    def repeat(pause: float, statements: list[str]) -> None:
        session, turn = Session(database), 0
        while time.monotonic() < until:
            for statement in statements:
                session.run(statement.replace("$turn", str(turn)))
            turn += 1
            time.sleep(pause)

    def batch(entity_type: str, size: int) -> str:
        return (
            f"SELECT count(*) FROM kepler.upsert_records('{entity_type}', (SELECT jsonb_agg(jsonb_build_object("
            f"'external_id', ($turn * {size // 2} + n) % 5000, 'data', jsonb_build_object('n', $turn))) FROM generate_series(1, {size}) AS n))"
        )

    def work(entity_type: str, size: int, action: str) -> str:
        return (
            f"WITH c AS MATERIALIZED (SELECT * FROM kepler.claim_records('{entity_type}', 'worker-$turn', {size})) "
            "SELECT count(*) FROM (SELECT c.lease_id, jsonb_agg(jsonb_build_object('record_id', c.record_id, 'action', "
            f"{action})) AS results FROM c GROUP BY 1) AS g CROSS JOIN LATERAL kepler.settle_records(g.lease_id, g.results) AS s"
        )

    loads = [
        (0.4, [batch("contact", 200)]),
        (0.7, [batch("deal", 60)]),
        (0.3, [work("contact", 80, "'complete'")]),
        (0.5, [work("deal", 30, "CASE WHEN random() < 0.3 THEN 'fail' ELSE 'complete' END")]),
        (3.0, ["SELECT count(*) FROM kepler.claim_records('deal', 'slow', 20)"]),
        (1.0, ["SELECT count(*) FROM kepler.remember('fact $turn', '[1, 2, 3]')", "SELECT count(*) FROM kepler.remember('pending $turn')"]),
        (1.5, ["SELECT count(*) FROM (SELECT max(c.cursor) AS cursor FROM kepler.changes_since(NULL, 5000) AS c) AS m "
               "CROSS JOIN LATERAL kepler.acknowledge_changes('search', kepler.feed_cursor()) AS a"]),
        (2.0, ["SELECT count(*) FROM kepler.start_execution('follow-up', 'run $turn')"]),
        (4.0, [
            "SELECT set_config('kepler.sync_run_id', (SELECT sync_run_id FROM kepler.begin_sync(NULL, 'contact', 'incremental')), false)",
            "SELECT pg_sleep(2)",
            "SELECT count(*) FROM kepler.finish_sync(current_setting('kepler.sync_run_id'))",
        ]),
        (6.0, ["BEGIN", "CREATE TEMPORARY TABLE IF NOT EXISTS busy (n integer)", "INSERT INTO busy VALUES (1)", "SELECT pg_sleep(5)", "COMMIT"]),
    ]  # fmt: skip
    threads = [threading.Thread(target=repeat, args=one, daemon=True) for one in loads]
    for thread in threads:
        thread.start()
    return threads


def sampled(database: str, seconds: float) -> list[tuple[float, dict[str, Series]]]:
    session = Session(database)
    for statement in STAGE.split(";"):
        session.run(statement.strip())
    threads = load(database, time.monotonic() + seconds)
    history = []
    while any(thread.is_alive() for thread in threads):
        history.append((time.monotonic(), sample(session)))
        time.sleep(0.5)
    begin = history[0][0]
    return [(moment - begin, samples) for moment, samples in history]


def main() -> None:
    task, database, *rest = sys.argv[1:]
    if task == "collector":
        print(collector(metrics(Session(database))), end="")
    elif task == "text":
        print(text(Session(database)))
    elif task == "check":
        if problems := check(Session(database)):
            sys.exit("\n".join(problems))
    elif task == "draw":
        history = sampled(database, float(rest[0]) if rest else 30)
        picture = Path(rest[1]) if len(rest) > 1 else PICTURE
        picture.write_text(draw(json.loads(DASHBOARD.read_text()), history))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
