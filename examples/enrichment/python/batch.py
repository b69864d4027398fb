"""The work on the records of one lease, from the claim to the settle."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque

from database import Database, Lease, Row, Unavailable
from enrich import PermanentError, Record
from settings import Settings
from stop import Backoff, Stop, wait

log = logging.getLogger("worker")


class Batch:
    """Ends when all records are settled, or when the lease is lost: then nothing is sent."""

    def __init__(
        self, lease: Lease, database: Database, pulse: Database, settings: Settings, stop: Stop
    ) -> None:
        self._lease, self._settings, self._stop = lease, settings, stop
        # Heartbeats have a connection of their own: they do not wait behind a settle.
        self._database, self._pulse = database, pulse
        self._waiting = deque(lease.records)
        # By record, what settle_records is told of it, as JSON.
        self._ended: dict[str, str] = {}
        self._lost = asyncio.Event()
        self._holds_until = lease.holds_until

    async def run(self) -> None:
        heart = asyncio.create_task(self._beat())
        try:
            await self._work()
            outcomes = await self._settle(self._elements())
            # What Kepler cannot read or the database refuses it will not take next time. Each fails by itself.
            rejected = [row for row in outcomes if row["outcome"] == "rejected"]
            if rejected:
                await self._settle([self._rejection(row) for row in rejected])
        finally:
            heart.cancel()
            ended = (await asyncio.gather(heart, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    async def _work(self) -> None:
        """Until all are done, the lease is lost, or a stop has waited for long enough."""
        count = min(self._settings.concurrency, len(self._waiting))
        runners = [asyncio.create_task(self._runner()) for _ in range(count)]
        ends = [
            asyncio.create_task(self._all(runners)),
            asyncio.create_task(self._lost.wait()),
            asyncio.create_task(self._stop.grace_is_over.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*ends, *runners):
                task.cancel()
            await asyncio.gather(*ends, *runners, return_exceptions=True)

    @staticmethod
    async def _all(runners: list[asyncio.Task[None]]) -> bool:
        await asyncio.wait(runners)
        return True

    async def _runner(self) -> None:
        while self._waiting and not self._stop.requested.is_set():
            record = self._waiting.popleft()
            self._ended[record.record_id] = await self._enrich(record)

    async def _enrich(self, record: Record) -> str:
        """Whatever goes wrong with one record is said of this record."""
        settings = self._settings
        element: dict[str, object] = {"record_id": record.record_id}
        try:
            result = await asyncio.wait_for(settings.enrich(record), settings.record_timeout)
            # NaN and the like have no place in JSON.
            return json.dumps({**element, "result": result}, allow_nan=False)
        except asyncio.TimeoutError:
            element |= {"error": f"not done within {settings.record_timeout:g} s"}
        except PermanentError as error:
            element |= {"error": str(error), "retryable": False}
        except Exception as error:
            element |= {"error": f"{type(error).__name__}: {error}"}
        log.warning("record %s, attempt %d: %s", record.record_id, record.attempt, element["error"])
        return json.dumps({**element, "action": "fail"})

    def _elements(self) -> list[str]:
        """All that the lease holds: what has not ended is given back, and the attempt does not count."""
        return [
            self._ended.get(record.record_id)
            or json.dumps({"record_id": record.record_id, "action": "release"})
            for record in self._lease.records
        ]

    def _rejection(self, row: Row) -> str:
        # Answers come in the order of the elements.
        record = self._lease.records[row["ordinal"] - 1]
        error = f"the result was rejected: {row['error']}"
        return json.dumps(
            {"record_id": record.record_id, "action": "fail", "error": error, "retryable": False}
        )

    async def _settle(self, elements: list[str]) -> list[Row]:
        """Sent again if the answer is lost; what landed before is answered with "duplicate"."""
        lease_id, backoff = self._lease.lease_id, Backoff()
        while not self._is_lost():
            try:
                outcomes = await self._database.settle(lease_id, elements)
            except Unavailable as error:
                log.warning("settle of lease %s: %s", lease_id, error)
                if self._stop.grace_is_over.is_set():
                    log.warning("lease %s is left to end by itself", lease_id)
                    return []
                await wait(self._lost, backoff.seconds())
                continue
            self._print(outcomes)
            return outcomes
        log.warning("lease %s is lost: %d results are not sent", lease_id, len(self._ended))
        return []

    def _print(self, outcomes: list[Row]) -> None:
        counts = Counter(row["outcome"] for row in outcomes)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        log.info("lease %s: %s", self._lease.lease_id, told)
        for row in outcomes:
            usual = row["outcome"] in ("applied", "released")
            log.log(
                logging.DEBUG if usual else logging.INFO,
                "record %s: %s%s",
                row["record_id"],
                row["outcome"],
                f": {row['error']}" if row["error"] else "",
            )

    def _is_lost(self) -> bool:
        """A process that was stopped for a while knows by the clock, before it can ask."""
        if asyncio.get_running_loop().time() >= self._holds_until:
            self._lost.set()
        return self._lost.is_set()

    async def _beat(self) -> None:
        """Extends the lease three times within its length, until it is lost."""
        loop, backoff = asyncio.get_running_loop(), Backoff()
        pause = self._lease.seconds / 3
        while not self._is_lost():
            await asyncio.sleep(min(pause, self._holds_until - loop.time()))
            asked_at = loop.time()
            try:
                left = max(self._holds_until - asked_at, 0.1)
                seconds = await asyncio.wait_for(self._pulse.extend_lease(self._lease.lease_id), left)
            except (Unavailable, asyncio.TimeoutError) as error:
                log.warning("heartbeat of lease %s: %s", self._lease.lease_id, error or "no answer")
                pause = backoff.seconds()
                continue
            if seconds is None:
                self._lost.set()
                return
            backoff.reset()
            self._holds_until, pause = asked_at + seconds, seconds / 3
