#!/usr/bin/env bash
# Promise: the Singer target passes the standard tests of the SDK with the rows that they should leave, and the one for
# states that the SDK leaves out; a version deletes what it did not list, and never after a tap that failed; and a real
# tap fills Kepler twice, with changes and deletes in between.
# Runs on: 18, because it is about the target.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" singer
export PYTHONDONTWRITEBYTECODE=1 TAP_PACKAGES=$BUILD/python-tap
major=${PG_MAJOR:-${PG:-18}} database=kepler_singer
start_server "$major"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database "$database" install
export KEPLER_CONNINFO="host=$PGHOST user=$PGUSER dbname=$database"
cd "$ROOT/clients/singer"
export PYTHONPATH=$BUILD/python-singer:$PWD
python3 -m pytest -q -p no:cacheprovider tests
