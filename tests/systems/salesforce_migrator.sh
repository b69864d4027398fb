#!/usr/bin/env bash
# Promise: the database of a program that migrates data between Salesforce organisations lives on Kepler from its first row
# to the last deletion: 21 tables from one document (examples/blueprints/salesforce_migrator.json), ids and times, a
# migration with its logs, results of eight sessions in one document, the reads with their joins, cascades and set-nulls.
# The life is played twice, by the role of an application: in SQL (NAME.sql, whose answers are in NAME.out), and in Python
# with psycopg (NAME.py).
# To read along: make psql, CREATE DATABASE, and in it what this script does.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" workers
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
here=$ROOT/tests/systems document=$ROOT/examples/blueprints/salesforce_migrator.json
export KEPLER_DATABASE=kepler_salesforce KEPLER_APPLICATION=kepler_salesforce_app
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d)
drop() {
  run -d postgres -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)" -c "DROP ROLE IF EXISTS $KEPLER_APPLICATION"
  rm -rf "$work"
}
trap drop EXIT
fresh_database "$KEPLER_DATABASE" install
run -d postgres -c "DROP ROLE IF EXISTS $KEPLER_APPLICATION" -c "CREATE ROLE $KEPLER_APPLICATION LOGIN"
run -d "$KEPLER_DATABASE" -o /dev/null -c "SELECT kepler.grant_access('$KEPLER_APPLICATION', 'writer')"

run -d "$KEPLER_DATABASE" -v VERBOSITY=terse -v application="$KEPLER_APPLICATION" -v document="$(<"$document")" \
  -f "$here/salesforce_migrator.sql" >"$work/out" 2>&1 || true
sed -i "s|^psql:[^:]*:[0-9]*: ||" "$work/out"
if [[ -n ${KEPLER_ACCEPT:-} ]]; then cp "$work/out" "$here/salesforce_migrator.out"; fi
diff -u "$here/salesforce_migrator.out" "$work/out"

PYTHONPATH=$BUILD/python-workers PYTHONDONTWRITEBYTECODE=1 python3 "$here/salesforce_migrator.py"

# What the application leaves behind is what the owner drops.
left=$(
  run -At -d "$KEPLER_DATABASE" -o /dev/null -c "SELECT kepler.drop_blueprint('salesforce_migrator')"
  run -At -d "$KEPLER_DATABASE" -c "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('salesforce_migrator')"
)
[[ -z $left ]] || die "left behind: $left"
