#!/usr/bin/env bash
# Writes src/observe/tables.jsonl: how Kepler's tables are made, as kepler_internal.described_tables() says it right after
# install(). Run it when a file of sql/schema has come, and build again; the test "doctor" fails until then.
# Usage: tools/describe-tables.sh   (PG=16 or 18: both say the same)
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

PG=${PG:-18} "$ROOT/tools/serve.sh" start
use_server "${PG:-18}"
database=kepler_described_$$
trap '"$PG_BIN/dropdb" --force "$database"' EXIT
"$PG_BIN/createdb" "$database"
sql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$database" "$@"; }
PGOPTIONS='-c client_min_messages=warning' sql -o /dev/null -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT kepler.install()'
sql -c 'SELECT json_strip_nulls(row_to_json(d)) FROM kepler_internal.described_tables() AS d
    ORDER BY d.table_name COLLATE "C", d.kind COLLATE "C", d.name COLLATE "C"' >"$ROOT/src/observe/tables.jsonl.new"
mv "$ROOT/src/observe/tables.jsonl.new" "$ROOT/src/observe/tables.jsonl"
wc -l "$ROOT/src/observe/tables.jsonl"
