#!/usr/bin/env bash
# Promise: no query that sqlsmith makes up over Kepler's tables and functions ends the server or meets an internal error;
# the check of the servers' logs looks for the latter. As a role that owns nothing. Skipped where there is no sqlsmith.
# Runs on: 18, because functions are the same.
# Long form only: QUERIES=20000 SEED=1, four minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" sqlsmith; then
  echo "there is no sqlsmith (Debian: apt install sqlsmith)"
  exit 77
fi
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_sqlsmith role=kepler_sqlsmith
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { admin -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP ROLE IF EXISTS $role"; }
trap drop EXIT
drop
fresh_database $database install
admin -d $database -f "$ROOT/tests/reliability/hostile_calls.sql" >/dev/null
admin -d $database -c "CREATE ROLE $role LOGIN" -c "ALTER ROLE $role SET statement_timeout = '1s'" \
  -c "SELECT FROM kepler.grant_access('$role', 'admin')" \
  -c "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO $role"
started=$(admin -c 'SELECT pg_postmaster_start_time()')

status=0
LD_LIBRARY_PATH=$BUILD/sqlsmith/lib:$(pg_prefix 18)/lib PATH=$BUILD/sqlsmith/bin:$PATH sqlsmith --exclude-catalog --verbose \
  --target="host=$PGHOST port=$PGPORT dbname=$database user=$role" --max-queries="${QUERIES:-1000}" --seed="${SEED:-1}" \
  >"$LOGS/sqlsmith-$major.log" 2>&1 || status=$?
# At the end it tells which errors it met, and how often.
sed -n 's/^[0-9]*\tERROR: /&/p' "$LOGS/sqlsmith-$major.log" | sort -rn | awk 'NR <= 20'
[[ $(admin -c 'SELECT pg_postmaster_start_time()') == "$started" ]] || die "the server was restarted"
[[ $status -eq 0 ]] || die "sqlsmith ended with $status: $(tail -n 5 "$LOGS/sqlsmith-$major.log")"
