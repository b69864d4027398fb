"""What the worker is told by its environment."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from enrich import Enrich


class SettingsError(Exception):
    """All that is wrong with the environment, a line each."""


@dataclass(frozen=True)
class Settings:
    # A URL or key=value pairs; what they leave out, libpq takes from PGHOST, PGUSER and so on.
    database: str
    entity_type: str
    worker: str
    # Records of a claim, and how many of them are in work at once.
    batch_size: int
    concurrency: int
    # The policy's if None. A heartbeat extends it three times within its length.
    lease: str | None
    # Seconds.
    record_timeout: float
    grace: float
    max_wait: float
    enrich: Enrich


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    problems: list[str] = []

    def number(name: str, default: float, least: float) -> float:
        text = environment.get(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= 86_400:
            problems.append(f"{name} must be a number from {least:g} to 86400, not {text!r}")
        return value

    def whole(name: str, default: int, most: int) -> int:
        text = environment.get(name, str(default))
        value = int(text) if text.isascii() and text.isdigit() else 0
        if not 1 <= value <= most:
            problems.append(f"{name} must be a whole number from 1 to {most}, not {text!r}")
        return value

    entity_type = environment.get("ENTITY_TYPE", "")
    if not entity_type.strip():
        problems.append("ENTITY_TYPE must name the type of the records to work on")
    name = environment.get("ENRICH", "enrich:enrich")
    module, _, function = name.partition(":")
    work: object = None
    try:
        work = getattr(importlib.import_module(module), function or "enrich")
    except (ImportError, AttributeError, ValueError) as error:
        problems.append(f"ENRICH={name}: {error}")
    settings = Settings(
        database=environment.get("DATABASE_URL", ""),
        entity_type=entity_type,
        worker=environment.get("WORKER", f"{socket.gethostname()}:{os.getpid()}"),
        batch_size=whole("BATCH_SIZE", 50, 10_000),
        concurrency=whole("CONCURRENCY", 10, 10_000),
        lease=environment.get("LEASE") or None,
        record_timeout=number("RECORD_TIMEOUT", 30, 0.001),
        grace=number("GRACE", 10, 0),
        max_wait=number("MAX_WAIT", 30, 0.1),
        enrich=cast(Enrich, work),
    )
    if problems:
        raise SettingsError("\n".join(problems))
    return settings
