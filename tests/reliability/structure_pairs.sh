#!/usr/bin/env bash
# Promise: whatever structure a table has and whatever structure it is to get, the change leads exactly there, loses
# no value and says no only with reason. Random pairs (PAIRS=200, SEED=1) are held against a model of what structures
# mean; PAIR=17 runs one of them.
# Runs on: 16, because what a change may do is the same.
# Long form: PAIRS=3000, six minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_structure_pairs
drop() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/structure_pairs.py" "$database"
