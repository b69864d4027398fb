#!/usr/bin/env bash
# Promise: the example of an agent's memory passes its type checker, says what its page shows, and leaves nothing behind.
# Runs on: 18, because it is about the example.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" embedding workers
major=${PG_MAJOR:-${PG:-18}}
export PYTHONPATH=$BUILD/python-embedding PYTHONDONTWRITEBYTECODE=1
cd "$ROOT/examples/agent-memory"
PYTHONPATH=$BUILD/python-workers:$PYTHONPATH python3 -m mypy --strict --cache-dir="$BUILD/mypy-cache-$major" ./*.py

start_server "$major"
database=kepler_agent_memory
drop() { "$PG_BIN/psql" -XAtq -d postgres -c 'SET client_min_messages = error' -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database "$database" install
export PGDATABASE=$database
# shellcheck disable=SC2016 # the marks of a block
shown=$(sed -n '/^```text$/,/^```$/p' README.md | sed '1d;$d')
said=$(python3 walkthrough.py)
diff <(printf '%s\n' "$shown") <(printf '%s\n' "${said#$'\n'}")
left=$("$PG_BIN/psql" -XAtq -c "SELECT count(*) FROM kepler.memories")
[[ $left == 0 ]] || die "$left memories were left behind"
