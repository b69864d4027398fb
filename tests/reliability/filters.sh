#!/usr/bin/env bash
# Promise: a filter means what its documentation says, whether a GIN index serves it or not. Thousands of
# random filters over hundreds of random documents (FILTERS=3000, DOCUMENTS=500, SEED=1) are held against
# an evaluator in Python that knows nothing of the one in Rust; they must agree in each row.
# Runs on: 16, because it is about the compiler of filters.
# Long form: FILTERS=20000, two minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_filters
drop() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database $database install
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/filters.py" "$database"
