"""How the worker is told to end."""

from __future__ import annotations

import asyncio
import random
import signal


class Stop:
    """SIGTERM or SIGINT asks to stop; what is in work may end within the grace. A second one cuts it short."""

    def __init__(self, grace: float) -> None:
        self.requested = asyncio.Event()
        self.grace_is_over = asyncio.Event()
        self._grace = grace

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.requested.is_set():
            self.grace_is_over.set()
            return
        self.requested.set()
        asyncio.get_running_loop().call_later(self._grace, self.grace_is_over.set)


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event, but no longer. Whether it happened."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True


class Backoff:
    """Waits that double, half of each by chance, so that workers do not come back all at once."""

    def __init__(self, first: float = 0.2, longest: float = 30) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def seconds(self) -> float:
        chosen = self._next * random.uniform(0.5, 1)
        self._next = min(2 * self._next, self._longest)
        return chosen

    def reset(self) -> None:
        self._next = self._first
