#!/usr/bin/env bash
# Promise: a consumer that takes a cursor, copies a table and then follows its changes ends with what the table holds, whatever
# writers do meanwhile: long transactions, rollbacks, savepoints, changes of the same rows by several of them.
# Long form: SECONDS_OF_WORK=120
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_feed_followed
fresh_database "$KEPLER_DATABASE" install
trap '_admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"' EXIT
export SECONDS_OF_WORK=${SECONDS_OF_WORK:-$([[ -n ${KEPLER_LONG:-} ]] && echo 120 || echo 6)}
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/feed_followed.py"
