"""The work itself. Replace `enrich` by your own; the rest of the worker stays as it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


class PermanentError(Exception):
    """Trying this record again would not help. Every other exception is tried again."""


@dataclass(frozen=True)
class Record:
    """One claimed record."""

    record_id: str
    # The first attempt is 1.
    attempt: int
    data: dict[str, Any]
    source_updated_at: datetime | None
    # What the record is called where it comes from.
    external_id: str | None = None
    source: str | None = None
    # What was found before, for this content or an older one.
    enrichment: dict[str, Any] | None = None


Enrich = Callable[[Record], Awaitable[dict[str, Any]]]

STOP_WORDS = {
    "de": {"der", "die", "das", "und", "für", "mit", "wir", "ist", "ein", "eine"},
    "en": {"the", "and", "for", "with", "we", "is", "of", "to", "our", "a"},
    "es": {"el", "la", "los", "y", "para", "con", "de", "es", "una", "en"},
    "fr": {"le", "la", "les", "et", "pour", "avec", "nous", "est", "une", "des"},
}


async def enrich(record: Record) -> dict[str, Any]:
    """What can be told of a company from its website, its e-mail address and what it says of itself.

    Runs many times at once in one event loop: what blocks (a library without async, long reckoning)
    belongs into `asyncio.to_thread`, or the heartbeats are late and the lease is lost.
    """
    about = " ".join(text_of(record.data, "about").split())
    words = re.findall(r"[^\W\d_]+", about.lower())
    return {
        "domain": domain(record.data),
        "language": language(words),
        "words": len(words),
        "about_sha256": hashlib.sha256(about.encode()).hexdigest(),
    }


def text_of(data: dict[str, Any], field: str) -> str:
    value = data.get(field)
    if value is not None and not isinstance(value, str):
        raise PermanentError(f"{field} is not a string")
    return value or ""


def domain(data: dict[str, Any]) -> str:
    """The host of the website without "www.", or what stands behind the @ of the address."""
    website, email = text_of(data, "website").strip(), text_of(data, "email").strip()
    if website:
        try:
            host = urlsplit(website if "://" in website else f"https://{website}").hostname
        except ValueError:
            host = None
    else:
        host = email.rpartition("@")[2]
    try:
        name = (host or "").lower().encode("idna").decode().removeprefix("www.").rstrip(".")
    except UnicodeError:
        name = ""
    if "." not in name:
        raise PermanentError(f"no domain in website {website!r} and email {email!r}")
    return name


def language(words: list[str]) -> str | None:
    """The language with the most stop words, if one has."""
    found = {name: sum(word in stop for word in words) for name, stop in STOP_WORDS.items()}
    best = max(found.values())
    leaders = [name for name, count in found.items() if count == best]
    return leaders[0] if best and len(leaders) == 1 else None
