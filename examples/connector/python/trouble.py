"""What can go wrong, divided by what is to be done about it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger("connector")
Result = TypeVar("Result")
LONGEST_WAIT = 30.0


class Transient(Exception):
    """May go well a moment later. `wait`: how many seconds the other side asks for, if it does."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class BrokenBatch(Transient):
    """What was fetched is no batch of documents: it may be whole when it is fetched again."""


class Permanent(Exception):
    """Trying again does not help."""


def again(tries: int, step: Callable[[], Result]) -> Result:
    """Does a step, several times if need be. Every step of a connector may be repeated: see the README."""
    for attempt in range(1, tries + 1):
        try:
            return step()
        except Transient as error:
            if attempt == tries:
                raise
            backoff = min(0.25 * 2.0**attempt, LONGEST_WAIT) * random.uniform(0.5, 1)
            seconds = backoff if error.wait is None else error.wait
            log.warning("try %d of %d, next in %.1f s: %s", attempt, tries, seconds, error)
            time.sleep(seconds)
    raise ValueError("tries must be at least 1")
