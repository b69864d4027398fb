#!/usr/bin/env python3
"""An enrichment worker: claims records, works on them, and brings back what it found.

What it can be told is in ../README.md. Ends with 0 after SIGTERM or SIGINT, with 1 after an error that
trying again does not help against, with 2 if its environment is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import psycopg

from batch import Batch
from database import Database, Lease, Unavailable
from settings import Settings, SettingsError, read_settings
from stop import Backoff, Stop, wait

log = logging.getLogger("worker")
# So long at least: what is ready may be in the hands of others just now.
SHORTEST_WAIT = 0.1


async def serve(settings: Settings) -> None:
    stop = Stop(settings.grace)
    stop.listen()
    database, pulse = Database(settings, "work"), Database(settings, "heartbeat")
    backoff = Backoff()
    log.info("%s: claims records of type %s", settings.worker, settings.entity_type)
    try:
        while not stop.requested.is_set():
            try:
                lease = await claim_or_wait(database, settings, stop)
            except Unavailable as error:
                seconds = backoff.seconds()
                log.warning("the database is not to be had, next try in %.1f s: %s", seconds, error)
                await wait(stop.requested, seconds)
                continue
            backoff.reset()
            if lease is not None:
                await Batch(lease, database, pulse, settings, stop).run()
    finally:
        await database.close()
        await pulse.close()
    log.info("%s: stopped, holds nothing", settings.worker)


async def claim_or_wait(database: Database, settings: Settings, stop: Stop) -> Lease | None:
    """A lease; or None, after a wait for the time or the notification that promises one."""
    lease = await database.claim()
    if lease is None and await database.listen():
        # What was queued before it listened was not told.
        lease = await database.claim()
    if lease is not None:
        await database.unlisten()
        return lease
    seconds = await database.seconds_to_next_claim()
    seconds = min(max(settings.max_wait if seconds is None else seconds, SHORTEST_WAIT), settings.max_wait)
    waiting = asyncio.create_task(database.notified(seconds))
    stopping = asyncio.create_task(stop.requested.wait())
    try:
        await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not waiting.done():
            waiting.cancel()
        ended = (await asyncio.gather(waiting, return_exceptions=True))[0]
    if isinstance(ended, Exception):
        raise ended
    return None


def main() -> int:
    debug = os.environ.get("LOG_LEVEL", "").lower() == "debug"
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    # psycopg and asyncio speak for themselves only when something is wrong.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("psycopg").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(read_settings()))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except psycopg.Error as error:
        # A type without a policy, a missing privilege, an extension without tables.
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
