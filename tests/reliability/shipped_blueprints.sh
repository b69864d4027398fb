#!/usr/bin/env bash
# Promise: every blueprint in examples/blueprints is applied as it stands; after that its plan is empty and nothing has drifted,
# in the database, in a copy of it that was dumped and restored, and after the document was kept as jsonb.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
work=$(mktemp -d)
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { run -d postgres -c 'DROP DATABASE IF EXISTS kepler_shipped WITH (FORCE)' -c 'DROP DATABASE IF EXISTS kepler_shipped_copy WITH (FORCE)'; }
trap 'drop; rm -rf "$work"' EXIT
drop
run -d postgres -c 'CREATE DATABASE kepler_shipped TEMPLATE template0' -c 'CREATE DATABASE kepler_shipped_copy TEMPLATE template0'
run -d kepler_shipped -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null

# What is left to do or has drifted, by a document and its name.
left() {
  run -d "$1" -v document="$(<"$2")" <<'SQL'
SELECT 'plan: ' || p.statement FROM kepler.plan_blueprint(:'document') AS p;
SELECT 'plan of jsonb: ' || p.statement FROM kepler.plan_blueprint(:'document'::jsonb) AS p;
SELECT 'drift: ' || d.object || ' ' || d.kind FROM kepler.blueprint_drift(:'document'::jsonb ->> 'blueprint') AS d
WHERE d.kind NOT IN ('coverage', 'deferred');
SQL
}
check() {
  local found
  found=$(left "$1" "$2")
  [[ -z $found ]] || die "$2 in $1: $found"
}

shopt -s nullglob
documents=("$ROOT"/examples/blueprints/*.json)
((${#documents[@]} > 0)) || die 'no blueprint is shipped'
for document in "${documents[@]}"; do
  outcome=$(run -d kepler_shipped -v document="$(<"$document")" <<<"SELECT outcome FROM kepler.apply_blueprint(:'document')")
  [[ $outcome == applied ]] || die "$document: $outcome"
  check kepler_shipped "$document"
done
"$PG_BIN/pg_dump" -d kepler_shipped -f "$work/dump.sql"
run -d kepler_shipped_copy -f "$work/dump.sql" >/dev/null
for document in "${documents[@]}"; do check kepler_shipped_copy "$document"; done
echo "${#documents[@]} blueprints"
