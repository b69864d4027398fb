#!/usr/bin/env python3
"""Calls every public function on a cluster, as the owner and as each level of access. Started by run.sh, which makes the
database and tells what must hold. The stage and the calls are those of the regression file access_of_every_function."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from session import Session

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "pg_regress" / "sql" / "access_of_every_function.sql"
LEVELS = ["reader", "writer", "worker", "admin"]
# What Citus says where a statement would ask more than one part.
MANY_PARTS = "multi-task query about to be executed"
# Procedures that commit, as they are called.
PROCEDURES = {
    "maintain": "kepler.maintain('1 minute')",
    "maintain_feed": "kepler.maintain_feed()",
    "queue_backlog": "kepler.queue_backlog('lead')",
    "run_retention": "kepler.run_retention('10 seconds')",
    "repair_enrichment": "kepler.repair_enrichment()",
}


def stage() -> str:
    """From the stage to the end of the list of calls."""
    text = SOURCE.read_text(encoding="utf-8")
    text = text[text.index("-- The stage:") : text.index("-- No function is forgotten here")]
    # A statement that fails sets none: the others go on.
    unset = "".join(f"\\set {name} 0\n" for name in sorted(set(re.findall(r":'(\w+)'", text))))
    return unset + text


def psql(database: str, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(os.environ["PG_BIN"]) / "psql"), "-XqAt", "-d", database, "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=never", *arguments],
        input=script, capture_output=True, encoding="utf-8",
        env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning -c statement_timeout=30000"},
    )  # fmt: skip
    return done.stdout + done.stderr


def outcome(database: str, call: str, role: str | None, one_part: bool) -> str:
    """Empty where it works."""
    set_role = f"SET LOCAL ROLE {role};" if role else ""
    log_level = "SET LOCAL citus.multi_task_query_log_level = 'error';" if one_part else ""
    said = psql(database, f"BEGIN;\n{log_level}\n{set_role}\nSELECT * FROM {call};\nSET CONSTRAINTS ALL IMMEDIATE;\nROLLBACK;\n", "-o", "/dev/null")
    found = re.search(r"(?:ERROR|FATAL|PANIC): +(\S+): (.*)", said)
    if found:
        return f"{found[1]} {found[2]}"
    return "the connection was lost" if "connection" in said else ""


def expected(suite: str) -> dict[str, str]:
    """Of differs.txt: the calls that are refused, and what they say."""
    lines = (HERE / "differs.txt").read_text(encoding="utf-8").splitlines()
    cells = ([cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("#"))
    return {name: words for of, name, words, *_ in (line for line in cells if len(line) > 3) if of == suite}


def main() -> int:
    database, suite = sys.argv[1:3]
    one_part = suite == "kept"
    said = psql(database, "SET search_path = public;\n" + stage(), "-o", "/dev/null")
    faults: dict[str, list[str]] = defaultdict(list)
    for error in re.findall(r"ERROR: +(.*)", said):
        faults[f"the stage: {error}"].append("owner")
    session = Session(database)
    for level in LEVELS:
        said = psql(database, f"SELECT kepler.grant_access('access_{level}', '{level}')", "-o", "/dev/null")
        if "ERROR:" in said:
            faults[f"grant_access: {said.strip()}"].append("owner")
    calls: list[tuple[str, str]] = session.json("SELECT coalesce(json_agg(json_build_array(name, call) ORDER BY name), '[]') FROM public.calls")
    named = expected(suite)
    seen = set()
    worked = 0
    for name, call in calls:
        for role in [None, *(f"access_{level}" for level in LEVELS)]:
            got = outcome(database, call, role, one_part)
            # Whom a level does not allow a call: the regression file tells of that.
            if not got or got.startswith("42501 "):
                worked += not got
                continue
            if name in named and named[name] in got:
                seen.add(name)
                continue
            faults[f"{name}: {got}"].append(role or "owner")
    if not one_part:
        for name, call in PROCEDURES.items():
            said = psql(database, f"CALL {call};\n", "-o", "/dev/null")
            if "ERROR:" in said:
                faults[f"CALL {name}: {said.strip()[:300]}"].append("owner")
            else:
                worked += 1
    session.close()
    for fault, roles in faults.items():
        print(f"{fault} ({', '.join(roles)})")
    for name in named.keys() - seen:
        print(f"{name}: stands in differs.txt, and works")
    print(f"{len(calls)} calls, {worked} times answered; {len(faults)} faults")
    return 1 if faults or named.keys() - seen or not calls else 0


if __name__ == "__main__":
    sys.exit(main())
