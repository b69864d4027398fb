"""The work of the Python example for enrichment_workers.py: slower, and with failures that the data asks for."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from enrich import Record, enrich


async def work(record: Record) -> dict[str, Any]:
    await asyncio.sleep(random.uniform(0.02, 0.06))
    wanted = record.data.get("failure")
    if wanted == "first" and record.attempt == 1:
        # Characters that cannot be stored must not keep a failure from being told.
        raise ConnectionError("as the data asks for \0 \ud800")
    found = await enrich(record)
    if wanted == "unstorable":
        found["text"] = "\0"
    if wanted == "refused":
        found["refused"] = True
    return {**found, "by": os.environ["WORKER"]}
