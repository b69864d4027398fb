"""Asks judge.mjs, which is kept running: to load Prisma's engine takes longer than to ask it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

EMPTY = "-- This is an empty migration."
Files = dict[str, str]


class JudgeError(Exception):
    """What Prisma said instead of an answer."""


class Judge:
    """Prisma's own engine. A database is one of the server that PGHOST and PGPORT name."""

    def __init__(self) -> None:
        judge = Path(__file__).with_name("judge.mjs")
        self._node = subprocess.Popen(
            ["node", str(judge), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self._node.stdin is not None and self._node.stdout is not None
        self._stdin, self._stdout = self._node.stdin, self._node.stdout

    @property
    def process_id(self) -> int:
        return self._node.pid

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stdin.close()
        self._node.wait()

    def _ask(self, command: str, files: Files, database: str | None = None) -> Any:
        request: dict[str, Any] = {"command": command, "files": files}
        if database is not None:
            where = {"socket": os.environ["PGHOST"], "port": os.environ["PGPORT"], "user": os.environ["PGUSER"]}
            request |= {"db": database, **where}
        self._stdin.write(json.dumps(request) + "\n")
        self._stdin.flush()
        answer = json.loads(self._stdout.readline())
        if not answer["ok"]:
            raise JudgeError(answer["error"])
        return answer["answer"]

    def ddl(self, files: Files) -> str:
        """The statements that Prisma runs in an empty database."""
        return str(self._ask("ddl", files))

    def difference(self, files: Files, database: str) -> str:
        """The statements that bring a database in step with a schema; "" if it is."""
        difference = str(self._ask("diff", files, database)).strip()
        return "" if difference == EMPTY else difference

    def push(self, files: Files, database: str) -> None:
        """Makes the database as Prisma does."""
        self._ask("push", files, database)

    def pull(self, files: Files, database: str) -> str:
        """The schema that Prisma reads from a database; the given one says which schemas of it."""
        pulled = self._ask("pull", files, database)["schema"]["files"]
        return "\n".join(file["content"] for file in pulled)

    def parse(self, files: Files) -> dict[str, Any]:
        """Models, enums and types as the official parser reads them."""
        parsed: dict[str, Any] = self._ask("parse", files)
        return parsed


def read_files(path: Path) -> Files:
    """The files of a schema: of one file, or of a folder."""
    if path.is_file():
        return {path.name: path.read_text()}
    return {str(file.relative_to(path)): file.read_text() for file in sorted(path.rglob("*.prisma"))}
