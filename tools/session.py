"""A Postgres session through one long-lived psql, for the benchmarks and the demo.

Standard library only: whoever can run Kepler's private server has psql, but perhaps no driver.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

# Whether an error ends psql.
STOP = "\\set ON_ERROR_STOP on\n"
GO_ON = "\\unset ON_ERROR_STOP\n"


class SessionError(Exception):
    """What the server or psql said, for the person at the terminal."""


class Session:
    """Statements go into psql through a pipe, answers come out of another, in turn."""

    def __init__(self, database: str) -> None:
        psql = Path(os.environ.get("PG_BIN", "")) / "psql"
        settings = {"PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c client_min_messages=warning"}
        self._process = subprocess.Popen(
            [str(psql), "-XqAt", "-d", database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**os.environ, **settings},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def run(self, statement: str) -> list[str]:
        """Runs one statement, without its semicolon, and gives the lines of its answer."""
        return self._answer([f"{statement};\n"], statement)

    def script(self, path: Path) -> None:
        """Runs a file; its first error ends the session."""
        self._answer([STOP, f"\\i '{path}'\n", GO_ON], str(path))

    def copy(self, target: str, lines: Iterable[str]) -> None:
        """Copies lines, in COPY's text format and without their ends, into a table. An error ends the
        session: psql would take the lines for statements."""
        statement = f"COPY {target} FROM STDIN"
        data = (f"{line}\n" for line in lines)
        self._answer(chain([STOP, f"{statement};\n"], data, ["\\.\n", GO_ON]), statement)

    def value(self, query: str) -> str:
        """The one value that a query gives."""
        return self.run(query)[0]

    def sequential_scans(self, tables: Iterable[str]) -> int:
        """How often the tables were read as a whole, by this session and others."""
        relations = ", ".join(f"'{table}'::regclass" for table in tables)
        self.run("SELECT pg_stat_force_next_flush()")
        return int(self.value(f"SELECT sum(seq_scan) FROM pg_stat_all_tables WHERE relid IN ({relations})"))

    def json(self, query: str) -> Any:
        """The one JSON value that a query gives, which may span lines."""
        return json.loads("".join(self.run(query)))

    def close(self) -> None:
        self._stdin.close()
        self._process.wait()

    def _answer(self, texts: Iterable[str], statement: str) -> list[str]:
        """Sends texts and reads up to the echo that tells that psql has worked them off."""
        lines: list[str] = []
        try:
            self._stdin.writelines(texts)
            self._stdin.write("\\echo finished :ERROR\n")
            self._stdin.flush()
        except BrokenPipeError:
            pass
        for line in self._stdout:
            line = line.rstrip("\n")
            if line == "finished false":
                return lines
            if line == "finished true":
                raise SessionError("\n".join([*lines, f"The statement was: {statement[:200]}"]))
            lines.append(line)
        raise SessionError("\n".join(["psql has ended", *lines, f"It ran: {statement[:200]}"]))
