"""Whether the memory of a backend stays flat: its anonymous memory over 100 batches.

RssAnon leaves shared buffers out, which a backend maps as it touches them. Linux only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from results import Section
from session import Session

# After so many batches samples are taken.
SAMPLES = (1, 10, 25, 50, 75, 100)
# Counts as flat: the allocator may keep the room of one batch (1,000 documents are 1 MB) or give it
# back. What leaks 20 bytes a document is found.
FLAT_KB = 1024


@dataclass(frozen=True)
class Growth:
    """RssAnon in kB, for each of SAMPLES."""

    title: str
    samples: list[int]

    @property
    def late(self) -> int:
        """How far the highest sample of the second half lies above that of the first. Caches and
        the allocator's reserves fill in the first; a leak goes on in the second."""
        half = SAMPLES.index(50) + 1
        return max(self.samples[half:]) - max(self.samples[:half])


def rss_anon(pid: int) -> int:
    """In kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise OSError(f"/proc/{pid}/status tells no RssAnon")


def upsert(session: Session, section: Section, entity_type: str, step: str, ordinal: int) -> None:
    session.run(
        f"SELECT count(*) FROM kepler.upsert_records('{entity_type}', (SELECT payload"
        f" FROM bench.batches WHERE (step, size, shuffled) = ('{step}', {section.key})"
        f" AND ordinal = {ordinal}), source => 'memory')"
    )


def sample(
    session: Session, section: Section, title: str, send: Callable[[int, int], None]
) -> Growth:
    """Sends batches and samples on the way. `send` takes a pass and an ordinal: the data is gone
    through as often as it takes."""
    pid = int(session.value("SELECT pg_backend_pid()"))
    condition = f"(step, size, shuffled) = ('base', {section.key})"
    count = int(session.value(f"SELECT count(*) FROM bench.batches WHERE {condition}"))
    samples = []
    for number in range(SAMPLES[-1]):
        send(*divmod(number, count))
        if number + 1 in SAMPLES:
            samples.append(rss_anon(pid))
    return Growth(title, samples)


def measure(session: Session, section: Section) -> list[Growth]:
    """Fresh batches first, then a re-sync of them in which 10 % has changed each time."""

    def fresh(turn: int, ordinal: int) -> None:
        upsert(session, section, f"item {turn}", "one_percent", ordinal)

    def changed(turn: int, ordinal: int) -> None:
        # There and back again: a pass differs from the one before in a tenth of the documents.
        step = "one_percent" if turn % 2 else "ten_percent"
        upsert(session, section, "item 0", step, ordinal)

    title = f"{SAMPLES[-1]} batches of {section.size:,}"
    return [
        sample(session, section, f"{title}, fresh", fresh),
        sample(session, section, f"{title}, 10 % changed", changed),
    ]
