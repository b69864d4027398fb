#!/usr/bin/env bash
# Promise: whatever blueprint a database has and whatever the next version says, the change leads exactly to what that version
# gives an empty database, loses no value, gives no number out twice, and what its plan says takes a step back does.
# Random pairs (PAIRS=40, ONLINE=8, SEED=1); PAIR=17 runs one of them.
# Long form: PAIRS=3000 ONLINE=300, ten minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_blueprint_pairs
drop() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install
"$PG_BIN/psql" -XAtq -d $database -v ON_ERROR_STOP=1 -f "$ROOT/tests/reliability/blueprint_pairs.sql"
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/blueprint_pairs.py" "$database"
