"""The report of the benchmark of records: plain text, with the machine's facts and the targets."""

from __future__ import annotations

import math
import os
import platform
from datetime import datetime
from pathlib import Path

import backend_memory
from results import (
    COPY,
    HAND_WRITTEN,
    PHASES,
    UPSERTS,
    Measure,
    Phase,
    Results,
    Section,
    Target,
    Way,
)
from session import Session

SETTINGS = (
    "shared_buffers max_wal_size checkpoint_timeout autovacuum fsync synchronous_commit"
    " wal_level full_page_writes data_checksums work_mem"
).split()
COLUMNS = ["", "rows/s", "µs/row", "ratio", "spread", "CPU µs/row", "CPU ratio", "WAL", "dead rows", "growth", "target"]

NOTES = """\
ratio: speed relative to the hand-written statement with the same batches. spread: slowest round
against the fastest. CPU: of the session alone; on a machine with other work, read these. dead rows: row versions replaced. growth: table and indexes together.
Kepler's table has its triggers, a content hash and a digest of the text; the others have none."""


def facts(session: Session, rows: int, rounds: int) -> list[str]:
    """What somebody would have to know to measure again."""
    version = session.value("SHOW server_version")
    kepler = session.value("SELECT kepler.version()")
    size = session.value(
        "SELECT round(avg(octet_length(body))) FROM bench.documents WHERE revision = 0"
    )
    return [
        f"Postgres {version}, Kepler {kepler}, {rows:,} documents of {size} bytes on average",
        *machine(session),
        "one round" if rounds == 1 else f"medians of {rounds} rounds where a spread is given",
    ]


def machine(session: Session) -> list[str]:
    """The machine, and the settings of its server."""
    settings = ", ".join(f"{name} {session.value(f'SHOW {name}')}" for name in SETTINGS)
    return [
        f"{os.cpu_count()} cores ({processor()}), {memory_size()}, {platform.platform()}",
        settings,
    ]


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def memory_size() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB of memory"


def amount(count: int) -> str:
    """Bytes, in three figures."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(count) >= size:
            number = count / size
            return f"{number:.0f} {unit}" if abs(number) >= 100 else f"{number:.1f} {unit}"
    return f"{count} B"


def verdict(target: Target, ratio: float, measure: Measure) -> str:
    parts = [f"≥ {target.times_hand_written:g} {mark(ratio >= target.times_hand_written)}"]
    if target.wal_below is not None:
        parts.append(f"WAL < {target.wal_below // 1024} kB {mark(measure.wal < target.wal_below)}")
    return ", ".join(parts)


def mark(met: bool) -> str:
    return "✓" if met else "✗"


def line(
    section: Section, way: Way, phase: Phase, rows: int, results: Results
) -> list[str] | None:
    measure = results.median(section, way, phase)
    floor = results.median(section, HAND_WRITTEN, phase)
    if measure is None or floor is None:
        return None
    ratio = floor.seconds / measure.seconds
    has_target = section.has_targets and way.is_kepler and phase.target
    return [
        way.label,
        f"{rows / measure.seconds:,.0f}",
        f"{measure.seconds / rows * 1e6:.1f}",
        f"{ratio:.2f}",
        spread(results.rounds(section, way, phase)),
        *processor_time(measure, floor, rows),
        amount(measure.wal),
        f"{measure.dead:,}",
        amount(measure.growth),
        verdict(phase.target, ratio, measure) if has_target else "",
    ]


def processor_time(measure: Measure, floor: Measure, rows: int) -> list[str]:
    if math.isnan(measure.cpu):
        return ["", ""]
    return [f"{measure.cpu / rows * 1e6:.1f}", f"{floor.cpu / measure.cpu:.2f}"]


def spread(measures: list[Measure]) -> str:
    """How much slower the slowest round was than the fastest."""
    seconds = [measure.seconds for measure in measures]
    return f"{max(seconds) / min(seconds) - 1:.0%}" if len(seconds) > 1 else ""


def table(lines: list[list[str]]) -> list[str]:
    """Columns: the first and the last to the left, the figures to the right."""
    widths = [max(len(row[at]) for row in lines) for at in range(len(lines[0]))]
    text = []
    for row in lines:
        first, *figures, last = (
            cell.rjust(width) if 0 < at < len(row) - 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        )
        text.append("  ".join(["", first, *figures, last]).rstrip())
    text.insert(1, "  " + "  ".join("-" * width for width in widths))
    return text


def growth_lines(growths: list[backend_memory.Growth]) -> list[str]:
    lines = [["", *(f"after {count}" for count in backend_memory.SAMPLES), "2nd half", "target"]]
    for growth in growths:
        figures = [f"{sample:,} kB" for sample in growth.samples]
        target = f"flat: < {backend_memory.FLAT_KB} kB {mark(growth.late < backend_memory.FLAT_KB)}"
        lines.append([growth.title, *figures, f"{growth.late:+,} kB", target])
    return table(lines)


def render(
    facts: list[str],
    rows: int,
    sections: list[Section],
    results: Results,
    growths: list[backend_memory.Growth],
) -> str:
    text = ["Kepler, records", "===============", *facts, *NOTES.splitlines()]
    for section in sections:
        text += ["", section.title, "-" * len(section.title)]
        for phase in PHASES:
            lines = [line(section, way, phase, rows, results) for way in (*UPSERTS, COPY)]
            if any(lines):
                text += ["", phase.title, *table([COLUMNS, *(row for row in lines if row)])]
    text += ["", "Anonymous memory of the backend (RssAnon)", *growth_lines(growths)]
    return "\n".join(text) + "\n"


def save(text: str, major: str, group: str = "records") -> Path:
    """Into the build folder: reports are not part of the source."""
    folder = Path(os.environ["KEPLER_BUILD"]) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{group}-{major}-{datetime.now():%Y-%m-%d-%H%M%S}.txt"
    path.write_text(text, encoding="utf-8")
    return path
