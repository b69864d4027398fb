#!/usr/bin/env bash
# Promise: eight workers that crash, stall past their lease and come back late, over thousands of records (20,000 for a
# minute in the long form), while the source changes some: each record is applied exactly once for its content, none is
# stuck, no late result lands, and the log of attempts adds up. Records that cannot be written, and results that the
# database refuses, are told and keep no other from that.
# Runs on: 18, because leases are the same.
# Long form: SECONDS_TO_RUN=62 RECORDS=20000, two minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_chaos SECONDS_TO_RUN=${SECONDS_TO_RUN:-20} RECORDS=${RECORDS:-6000}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/enrichment_chaos.py"
