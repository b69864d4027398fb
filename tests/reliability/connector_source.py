"""A source for connectors: an HTTP API that pages, limits, breaks and tells its own time, as real ones do."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# Numbers that no program may read and write again: too long for JavaScript, a scale that Python drops.
DOCUMENT = '{{"id": "{id}", "name": "{name}", "balance": 12345678901234567{digits}, "rate": 1.50, "updated_at": "{at}"}}'


@dataclass
class Contact:
    text: str
    at: datetime
    deleted: bool = False
    hidden: bool = False


@dataclass
class Source:
    contacts: dict[str, Contact] = field(default_factory=dict)
    now: datetime = datetime(2024, 6, 1, tzinfo=timezone.utc)
    # What becomes of the next requests, in turn: a status, or a way to fail.
    faults: list[str] = field(default_factory=list)
    # Every request, as its parameters.
    requests: list[dict[str, str]] = field(default_factory=list)
    # Requests that no source understands.
    wrong: list[dict[str, str]] = field(default_factory=list)
    # Elements that go with the first page.
    extra: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hold_in, self._arrived, self._go_on = 0, threading.Event(), threading.Event()
        source = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                source.answer(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(source.now, usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def put(self, id: str, name: str, text: str | None = None) -> str:
        self.now += timedelta(seconds=1)
        digits = sum(id.encode()) % 90 + 10
        document = text or DOCUMENT.format(id=id, name=name, digits=digits, at=self.now.isoformat())
        self.contacts[id] = Contact(document, self.now)
        return document

    def delete(self, id: str) -> str:
        self.now += timedelta(seconds=1)
        text = json.dumps({"id": id, "deleted": True, "updated_at": self.now.isoformat()})
        self.contacts[id] = Contact(text, self.now, deleted=True)
        return text

    def live(self) -> list[str]:
        return [contact.text for _, contact in sorted(self.contacts.items()) if not contact.deleted]

    def hold(self, requests: int) -> None:
        """Holds the answer to one of the requests to come, from 1."""
        self._hold_in = requests
        self._arrived.clear()
        self._go_on.clear()

    def held(self, limit: float = 30) -> bool:
        return self._arrived.wait(limit)

    def go_on(self) -> None:
        self._go_on.set()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        self.requests.append(query)
        if self._hold_in:
            self._hold_in -= 1
            if not self._hold_in:
                self._arrived.set()
                self._go_on.wait(60)
        try:
            self._answer(handler, query, self.faults.pop(0) if self.faults else "")
        except OSError:
            # Who asked is gone.
            handler.close_connection = True
        except (KeyError, ValueError):
            self.wrong.append(query)
            handler.send_error(400)

    def _answer(self, handler: BaseHTTPRequestHandler, query: dict[str, str], fault: str) -> None:
        page, next_page = self._page(query)
        body, status = f"[{', '.join(page)}]".encode(), 200
        if fault.isdigit():
            body, status, next_page = b'{"error": "not now"}', int(fault), None
        elif fault == "proxy":
            body, next_page = b"<html>Be back soon</html>", None
        elif fault == "error in 200":
            body, next_page = b'{"error": "internal"}', None
        elif fault == "half an array":
            # Ends in the middle, and says that this is all.
            body, next_page = body[: len(body) // 2], None
        elif fault == "leads to itself":
            next_page = query.get("page", next_page)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        if status == 429:
            handler.send_header("Retry-After", "0.1")
        if next_page:
            handler.send_header("X-Next-Page", next_page)
        handler.end_headers()
        if fault == "cut":
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
        else:
            handler.wfile.write(body)

    def _page(self, query: dict[str, str]) -> tuple[list[str], str | None]:
        """By keys and not by offsets, so that nothing is left out when something before it is deleted."""
        limit, after = int(query["limit"]), query.get("page", "")
        if "changed_since" in query:
            since = datetime.fromisoformat(query["changed_since"].replace("Z", "+00:00"))
            found = sorted((f"{c.at.isoformat()} {id}", c) for id, c in self.contacts.items() if c.at >= since)
        else:
            found = sorted((id, c) for id, c in self.contacts.items() if not c.deleted)
        found = [(key, contact) for key, contact in found if key > after and not contact.hidden]
        page = [contact.text for _, contact in found[:limit]]
        if not after:
            page = self.extra + page
        return page, found[limit - 1][0] if len(found) > limit else None
