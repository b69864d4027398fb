"""Makes the tables of each file of tests/prisma/tables, and asks Prisma what it thinks of the schema.prisma for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from judge import Judge, JudgeError

TABLES = Path(__file__).parents[1] / "prisma" / "tables"
DATABASE = os.environ["KEPLER_DATABASE"]


def psql(database: str, *arguments: str) -> str:
    quiet = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
    command = [str(Path(os.environ["PG_BIN"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments]
    return subprocess.run(command, check=True, env=quiet, capture_output=True, text=True).stdout


def said(text: str, word: str) -> list[str]:
    """What comment lines at the beginning of a file say."""
    start = f"-- {word}: "
    return [line.removeprefix(start) for line in text.splitlines() if line.startswith(start)]


def problem(path: Path, judge: Judge) -> str:
    """What is wrong with the schema of a file's tables; "" if nothing is."""
    psql("postgres", "-c", f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    psql("postgres", "-c", f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    psql(DATABASE, "-c", "CREATE EXTENSION kepler CASCADE", "-f", str(path))
    text = path.read_text()
    names: list[str] = json.loads(said(text, "schemas")[0])
    literals = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    written = psql(DATABASE, "-c", f"SELECT kepler.prisma_schema(ARRAY[{literals}])")
    files = {"written.prisma": written}
    try:
        judge.parse(files)
        difference = judge.difference(files, DATABASE)
    except JudgeError as error:
        return f"Prisma refuses it: {error}\n{written}"
    found = sorted(line for line in difference.splitlines() if line and not line.startswith("--"))
    expected = sorted(said(text, "difference"))
    return "" if found == expected else "the engine finds:\n" + "\n".join(found) + f"\nand expected was:\n{expected}\n{written}"


def main() -> int:
    broken = 0
    with Judge() as judge:
        for path in sorted(TABLES.glob("*.sql")):
            if wrong := problem(path, judge):
                broken += 1
                print(f"{path.name}: {wrong}")
            else:
                print(f"{path.name}: in step")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
