#!/usr/bin/env bash
# Promise: what a call reads as one tenant does not grow with the rows of others. A tenant of OWN rows calls what searches, claims,
# lists, counts and changes, beside another tenant of N rows, and then of four times as many: in a session whose plans are
# older than the rows, and in a new one. Rows and pages of each table and index are counted, never seconds. Nor do the scores of
# a search change.
# Runs on: 18, because the plans are those of Kepler's own statements, made in the same way.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_tenants_cost N=${N:-2000} OWN=${OWN:-60}
export KEPLER_ROLE=${KEPLER_DATABASE}_role
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)" -c "DROP ROLE IF EXISTS $KEPLER_ROLE"; }
trap drop EXIT
drop
admin -c "CREATE ROLE $KEPLER_ROLE"
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools:$ROOT/tests/reliability" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/tenants_cost_their_own.py"
