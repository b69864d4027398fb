"""The other system: what you replace. Here an HTTP API that gives a JSON array and the next page in a header."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import Message
from email.utils import parsedate_to_datetime

from trouble import Permanent, Transient

TIMEOUT = 30.0
LONGEST_PAUSE = 300.0
# Its answer may be another one a moment later.
RETRIED = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Page:
    # The JSON array as it came. Parsed and written again, numbers might change.
    body: str
    # What fetches the next page; None if this was the last.
    next: str | None
    # The source's clock.
    at: datetime


class Source:
    def __init__(self, url: str, token: str | None, page_size: int) -> None:
        self._url, self._token, self._page_size = url.rstrip("/"), token, page_size

    def contacts(self, page: str | None, changed_since: str | None = None) -> Page:
        """A page of all contacts, or of those that have changed, deleted ones included."""
        query = {"limit": str(self._page_size)}
        if page is not None:
            query["page"] = page
        if changed_since is not None:
            query["changed_since"] = changed_since
        request = urllib.request.Request(f"{self._url}/contacts?{urllib.parse.urlencode(query)}")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                # Raises IncompleteRead if the connection ends too early.
                raw, headers = response.read(), response.headers
        except urllib.error.HTTPError as error:
            message = f"the source answers {error.code} {error.reason}"
            if error.code in RETRIED:
                raise Transient(message, _retry_after(error.headers)) from error
            raise Permanent(message) from error
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"the source does not answer: {error or type(error).__name__}") from error
        next_page = headers.get("X-Next-Page") or None
        if next_page is not None and next_page == page:
            raise Permanent(f"page {page} of the source leads to itself")
        return Page(_array(raw), next_page, _clock(headers))


def _array(raw: bytes) -> str:
    """An answer with status 200 may still be a page of a proxy, or an object that tells of an error."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Transient("the page is not UTF-8") from error
    if not text.lstrip().startswith("[") or "\0" in text:
        raise Transient(f"the page is not a JSON array: {text[:80]!r}")
    return text


def _clock(headers: Message) -> datetime:
    """The source's, not ours: the times in its records come from there."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(timezone.utc)
    except (KeyError, TypeError, ValueError) as error:
        raise Permanent("the source does not tell its time (header Date)") from error


def _retry_after(headers: Message) -> float | None:
    try:
        return min(max(float(headers.get("Retry-After", "")), 0), LONGEST_PAUSE)
    except ValueError:
        return None
