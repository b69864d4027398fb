#!/usr/bin/env bash
# Promise: the organisations of a marketing platform live side by side as Kepler's workspaces, on its own tables for organisations,
# members, roles and permissions (examples/organizations): a person who belongs to two organisations has a role in each; a
# request enters one of them, and sees and writes its rows alone, in all of the 62 tables that belong to an organisation; what a
# member may do is a query; an organisation's deletion takes what it owns and nothing of another's.
# To read along: make psql, CREATE DATABASE, and in it what this script does.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
here=$ROOT/tests/systems example=$ROOT/examples/organizations
database=kepler_neonhub_organizations application=kepler_neonhub_organizations_app
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d)
drop() {
  run -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP ROLE IF EXISTS $application"
  rm -rf "$work"
}
trap drop EXIT
fresh_database "$database" install
run -d postgres -c "DROP ROLE IF EXISTS $application" -c "CREATE ROLE $application LOGIN"
run -d "$database" -o /dev/null -c "SELECT kepler.grant_access('$application', 'writer')"
python3 "$example/blueprint.py" "$ROOT/examples/blueprints/neonhub.json" >"$work/document"
export KEPLER_DOCUMENT=$work/document

run -d "$database" -v VERBOSITY=terse -v application="$application" \
  -v library="$example/organizations.sql" -f "$here/neonhub_organizations.sql" >"$work/out" 2>&1 || true
sed -i "s|^psql:[^:]*:[0-9]*: ||" "$work/out"
if [[ -n ${KEPLER_ACCEPT:-} ]]; then cp "$work/out" "$here/neonhub_organizations.out"; fi
diff -u "$here/neonhub_organizations.out" "$work/out"
