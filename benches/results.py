"""The ways, phases and sections of the benchmark of records, and what was measured of each."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """A way to upsert. `name` is that of its SQL file, and of its table unless it is Kepler."""

    name: str
    label: str
    # The one batch size that it works with.
    only_size: int | None = None

    @property
    def is_kepler(self) -> bool:
        return self.name.startswith("kepler")

    @property
    def table(self) -> str:
        return "kepler.records" if self.is_kepler else f"bench.{self.name}"


HAND_WRITTEN = Way("hand_written", "hand-written ON CONFLICT")
DISTINCT = Way("distinct", "… WHERE IS DISTINCT FROM")
MD5_CLASSIFY = Way("md5_classify", "md5, classify in a CTE", only_size=1_000)
KEPLER = Way("kepler", "Kepler, outcome rows")
KEPLER_SUMMARY = Way("kepler_summary", "Kepler, summary")
# Has no batches, and only loads.
COPY = Way("copied", "COPY into a bare table")

UPSERTS = [HAND_WRITTEN, DISTINCT, MD5_CLASSIFY, KEPLER, KEPLER_SUMMARY]


@dataclass(frozen=True)
class Target:
    """What Kepler is to reach in a phase."""

    times_hand_written: float
    wal_below: int | None = None


@dataclass(frozen=True)
class Phase:
    title: str
    # The step of the data (dataset.STEPS) that is sent.
    step: str
    # The statement that is run on the table before.
    preparation: str = "VACUUM (ANALYZE) {table}"
    # Whether the table may be read before the next phase.
    may_be_read: bool = True
    target: Target | None = None


LOAD = Phase(
    "Fresh load into an empty table",
    "base",
    preparation="CALL bench.make_empty('{table}')",
    may_be_read=False,
    target=Target(1.3),
)
UP_TO_ONE_PERCENT = [
    LOAD,
    Phase("Re-sync, nothing changed, right after the load", "base", preparation="SELECT"),
    Phase("Re-sync, nothing changed, after VACUUM", "base", target=Target(7, wal_below=64 * 1024)),
    Phase("Re-sync, 1 % changed", "one_percent", target=Target(4)),
]
PHASES = [
    *UP_TO_ONE_PERCENT,
    Phase("Re-sync, 10 % changed", "ten_percent"),
    # A table whose rows were all rewritten before would have room for new versions; others not.
    Phase("Re-sync, 100 % changed", "all_changed", preparation="CALL bench.rebuild('{table}')"),
    Phase("Re-sync, nothing changed, but other key order and blanks", "respelled"),
]


@dataclass(frozen=True)
class Section:
    """How the documents are listed and cut into batches."""

    size: int
    shuffled: bool = False
    # Whether the targets hold here.
    has_targets: bool = True

    @property
    def title(self) -> str:
        return f"Batches of {self.size:,}" + (", listed in no order" if self.shuffled else "")

    @property
    def key(self) -> str:
        """The section, as the arguments of SQL functions."""
        return f"{self.size}, {str(self.shuffled).lower()}"


@dataclass(frozen=True)
class Run:
    """One way on one section, through some phases."""

    section: Section
    way: Way
    phases: list[Phase]


class Programme:
    """What runs when. The first round has everything, the first section most of it; the other
    rounds repeat what the targets are about. The ways take turns, so that a machine that grows
    slower does so for all of them."""

    def __init__(self, sizes: list[int]) -> None:
        shuffled = Section(sizes[0], shuffled=True, has_targets=False)
        self.sections = [*map(Section, sizes), shuffled]

    def phases(self, section: Section) -> list[Phase]:
        return PHASES if section == self.sections[0] else UP_TO_ONE_PERCENT

    def round(self, number: int) -> list[Run]:
        runs = []
        for section in self.sections:
            ways, phases = [HAND_WRITTEN, KEPLER], UP_TO_ONE_PERCENT
            if number == 1 and section == self.sections[0]:
                ways, phases = UPSERTS, PHASES
            if number == 1 or section.has_targets:
                ways = [way for way in ways if way.only_size in (None, section.size)]
                runs += [Run(section, way, phases) for way in ways]
        return runs


@dataclass(frozen=True)
class Measure:
    """What one phase took: seconds, and bytes of WAL; row versions that it left dead, though some
    may be pruned already; growth of table and indexes in bytes; seconds of CPU of the session, not a
    number where the system does not tell."""

    seconds: float
    wal: int
    dead: int
    growth: int
    cpu: float


class Results:
    """The measures of all rounds."""

    def __init__(self) -> None:
        self._measures: dict[tuple[Section, Way, Phase], list[Measure]] = defaultdict(list)

    def add(self, section: Section, way: Way, phase: Phase, measure: Measure) -> None:
        self._measures[section, way, phase].append(measure)

    def rounds(self, section: Section, way: Way, phase: Phase) -> list[Measure]:
        return self._measures.get((section, way, phase), [])

    def median(self, section: Section, way: Way, phase: Phase) -> Measure | None:
        """The median of each figure over the rounds; None where the way has no such phase."""
        measures = self.rounds(section, way, phase)
        if not measures:
            return None

        def middle(figure: Callable[[Measure], float]) -> float:
            return statistics.median(map(figure, measures))

        return Measure(
            middle(lambda m: m.seconds),
            round(middle(lambda m: m.wal)),
            round(middle(lambda m: m.dead)),
            round(middle(lambda m: m.growth)),
            middle(lambda m: m.cpu),
        )
