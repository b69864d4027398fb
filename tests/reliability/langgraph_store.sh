#!/usr/bin/env bash
# Promise: the store for LangGraph passes its type checker and LangGraph's own tests of stores, both those of the store in
# memory and those of its store on Postgres, but for what clients/python/tests/conftest.py names with a reason.
# Runs on: 18, because it is about the store.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" langgraph; then
  echo "SKIPPED: pip could not fetch LangGraph and its tests"
  exit 0
fi
export PYTHONDONTWRITEBYTECODE=1
major=${PG_MAJOR:-${PG:-18}} database=kepler_langgraph
cd "$ROOT/clients/python"
PYTHONPATH=$BUILD/python-langgraph python3 -m mypy --strict --cache-dir="$BUILD/mypy-cache-langgraph-$major" kepler_langgraph

start_server "$major"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
work=$(mktemp -d)
drop() {
  rm -rf "$work"
  admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
}
trap drop EXIT
admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
fresh_database "$database" install
# What their tests look into.
admin -d "$database" -c "CREATE VIEW store AS SELECT replace(namespace, '/', '.') AS prefix, key, metadata AS value, expires_at, updated_at
  FROM kepler.memories WHERE workspace_id = kepler.current_workspace_id() AND context_type = 'item'"
export KEPLER_CONNINFO="host=$PGHOST user=$PGUSER dbname=$database"

# tests FOLDER FILE: their test of that name, with a conftest.py of ours.
tests() {
  mkdir -p "$work/$1-$2/tests"
  cp "$BUILD/langgraph-tests/$1/tests"/{__init__,embed_test_utils,"$2"}.py "$ROOT/clients/python/tests/conftest.py" "$work/$1-$2/tests/"
  cd "$work/$1-$2"
  PYTHONPATH=$BUILD/python-langgraph:$ROOT/clients/python:$PWD python3 -m pytest -q -rs -p no:cacheprovider \
    -o asyncio_mode=auto "tests/$2.py"
}
# Side by side, because some of them sleep.
beside tests langgraph_checkpoint test_store
beside tests langgraph_checkpoint_postgres test_store
beside tests langgraph_checkpoint_postgres test_async_store
beside_ended
