#!/usr/bin/env bash
# Made this folder, once: the database that make.sql describes, with the library and the SQL of version 0.1.0 (commit
# 7602fc63), dumped as plain SQL without what only Postgres 17 and later know. Nothing here is ever made again.
# Usage, in a checkout of 0.1.0 that is built and installed (make build): tests/upgrade/0.1.0/make.sh
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../../tools/lib.sh"

here=$ROOT/tests/upgrade/0.1.0 blueprints=$ROOT/examples/blueprints
start_server "${PG:-18}"
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
run -d postgres -c 'DROP DATABASE IF EXISTS kepler_released WITH (FORCE)' -c 'CREATE DATABASE kepler_released TEMPLATE template0'
for role in reader writer worker admin north two; do
  run -d postgres -c "DROP ROLE IF EXISTS upgrade_$role" -c "CREATE ROLE upgrade_$role"
done
run -d kepler_released -v shop="$(<"$blueprints/shop.json")" -v neonhub="$(<"$blueprints/neonhub.json")" \
  -v migrator="$(<"$blueprints/salesforce_migrator.json")" -f "$here/make.sql"
[[ $(run -d kepler_released -c 'SELECT kepler.version()') == 0.1.0 ]] || die "this is not version 0.1.0"
"$PG_BIN/pg_dump" -d kepler_released | grep -vE '^(\\(un)?restrict |SET transaction_timeout = )' | gzip -9n >"$here/data.sql.gz"
gzip -9n <"$("$PG_BIN/pg_config" --sharedir)/extension/kepler--0.1.0.sql" >"$here/kepler--0.1.0.sql.gz"
(cd "$ROOT/sql/schema" && sha256sum 00*.sql) >"$here/schema.sha256"
run -d postgres -c 'DROP DATABASE kepler_released'
for role in reader writer worker admin north two; do run -d postgres -c "DROP ROLE upgrade_$role"; done
