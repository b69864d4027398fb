"""What the parts of the demo share: where it runs, what it has promised, how it prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from session import Session

DATABASE = "kepler_demo"


class DemoError(Exception):
    """What went wrong, for the person at the terminal."""


@dataclass
class Demo:
    session: Session
    failures: list[str] = field(default_factory=list)

    def expect(self, holds: bool, promise: str) -> None:
        print(f"   {'✓' if holds else '✗'} {promise}")
        if not holds:
            self.failures.append(promise)


def heading(number: int, title: str, sentence: str) -> None:
    print(f"\n{number}. {title}\n   {sentence}")


def print_table(header: list[str], rows: Iterable[list[str]], right: int = 0) -> None:
    """Prints columns; the first `right` of them are numbers."""
    table = [header, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(header))]
    for number, row in enumerate(table):
        cells = [
            cell.rjust(width) if at < right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        ]
        print("   " + "  ".join(cells).rstrip())
        if number == 0:
            print("   " + "  ".join("-" * width for width in widths))
