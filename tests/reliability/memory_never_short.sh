#!/usr/bin/env bash
# Promise: a search over memories gives as many rows as were asked for, if so many meet the conditions, whatever they
# are: scopes from one row to all, filters from one in ten thousand to everything, with and against the clusters of the
# embeddings, several tenants in one space, any number of rows, a least similarity, words, and a quarter of the rows with
# one of five vectors; as the owner and as a role under row security. An empty answer is explained by last_search. Where
# the plan is exact the rows are the nearest, elsewhere 95 in 100 of them; no table is read as a whole.
# Long form: ROWS=200000 SEARCHES=2000, five minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_never_short ROWS=${ROWS:-30000} SEARCHES=${SEARCHES:-400} SEED=${SEED:-1}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() {
  admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)" -c "DROP ROLE IF EXISTS kepler_never_short_reader"
}
trap drop EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/memory_never_short.py"
