#!/usr/bin/env bash
# Promise: no call reads more rows or pages because there are more others, except for those in the table of
# costs_stay_flat.py, and those no more than it says. Every public function is called where each table has N rows and
# where it has four times as many, which the statistics do not know (they saw one row): in a session whose plans were
# made from that one row, and in a new one. Then searches of a tenant that came after the last ANALYZE, beside 60 that
# it knows. Rows and pages of each table and index are counted, never seconds.
# Runs on: 18, because the plans are those of Kepler's own statements, made in the same way.
# Long form: N=3000, two minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_costs N=${N:-300}
export KEPLER_ROLE=${KEPLER_DATABASE}_nobody
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() {
  local rows
  for rows in "$N" $((4 * N)) tenant; do admin -c "DROP DATABASE IF EXISTS ${KEPLER_DATABASE}_$rows WITH (FORCE)"; done
  admin -c "DROP ROLE IF EXISTS $KEPLER_ROLE, ${KEPLER_ROLE}_admin"
}
trap drop EXIT
drop
admin -c "CREATE ROLE $KEPLER_ROLE" -c "CREATE ROLE ${KEPLER_ROLE}_admin"
for rows in "$N" $((4 * N)) tenant; do fresh_database "${KEPLER_DATABASE}_$rows" install; done
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/costs_stay_flat.py"
