#!/usr/bin/env bash
# Promise: nobody reaches another workspace. The catalog is walked: each of Kepler's tables has row security by the workspace of
# the session, or stands in a list with a reason, and has rows of two tenants, so that a table that is added later is
# covered. As each level, a tenant reads, changes, deletes, copies and inserts in all of them, and calls every function with
# names, ids and the workspace of the other: the answer is the same as for names and ids that nobody has, shows nothing of the
# other, and changes none of the other's rows.
# Nor does it get there by saying that it is there, in any way in which a session can be told something.
# Runs on: 18, because policies are the same on both.
# Long form: CALLS=1000000, ten minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_tenants_walk
export CALLS=${CALLS:-1200} ROUNDS=0 SEED=${SEED:-1}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  admin -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
  for role in reader writer worker admin everything other all; do admin -d postgres -c "DROP ROLE IF EXISTS kepler_walk_$role"; done
  admin -d postgres -c "DROP ROLE IF EXISTS kepler_hostile_calls"
}
trap drop EXIT
drop
for role in reader writer worker admin everything other all; do admin -d postgres -c "CREATE ROLE kepler_walk_$role LOGIN"; done
admin -d postgres -c "CREATE ROLE kepler_hostile_calls"
fresh_database $database install
PYTHONPATH="$ROOT/tools:$ROOT/tests/reliability" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/tenants_walk.py" $database
