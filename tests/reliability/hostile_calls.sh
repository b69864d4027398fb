#!/usr/bin/env bash
# Promise: whatever a function is called with, a public one or one of kepler_internal by any level, the call ends in time, with an answer or with an error that has a
# message and a SQLSTATE that is not of class XX, and the server lives. The calls are made from the catalog: each
# argument of each function and overload is, in turn, NULL, empty, endless, infinite, of another's workspace, JSON of the
# wrong kind and much more (CALLS chooses so many of them, by SEED); ROUNDS more have several such arguments at once.
# The database has something of everything in it, and each call is rolled back. ONLY=name tries one function.
# Runs on: 18, because arguments are read in the same way.
# Long form: CALLS=1000000 ROUNDS=30000, four minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_hostile_calls role=kepler_hostile_calls
levels="reader writer worker admin"
export CALLS=${CALLS:-6000} ROUNDS=${ROUNDS:-1000} SEED=${SEED:-1}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  admin -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP ROLE IF EXISTS $role"
  for level in $levels; do admin -d postgres -c "DROP ROLE IF EXISTS kepler_hostile_$level"; done
}
trap drop EXIT
drop
admin -d postgres -c "CREATE ROLE $role"
fresh_database $database install
admin -d $database -f "$ROOT/tests/reliability/hostile_calls.sql" >/dev/null
for level in $levels; do
  admin -d $database -c "CREATE ROLE kepler_hostile_$level" -c "SELECT kepler.grant_access('kepler_hostile_$level', '$level')" >/dev/null
done
started=$(admin -c 'SELECT pg_postmaster_start_time()')
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/hostile_calls.py" $database
[[ $(admin -c 'SELECT pg_postmaster_start_time()') == "$started" ]] || die "the server was restarted"
