#!/usr/bin/env bash
# Promise: the store for LangGraph passes its type checker and LangGraph's own tests of stores, both those of the store in
# memory and those of its store on Postgres, but for what clients/python/tests/conftest.py names with a reason; and what they
# leave out: names, texts of items, words, writers at the same time.
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

# tests NAME FILE: a file of tests in a package of tests, as LangGraph has it, with a conftest.py of ours.
tests() {
  mkdir -p "$work/$1/tests"
  cp "$BUILD/langgraph-tests/langgraph_checkpoint/tests"/{__init__,embed_test_utils}.py "$ROOT/clients/python/tests/conftest.py" "$2" "$work/$1/tests/"
  cd "$work/$1"
  PYTHONPATH=$BUILD/python-langgraph:$ROOT/clients/python:$PWD python3 -m pytest -q -rs -p no:cacheprovider \
    -o asyncio_mode=auto -o asyncio_default_fixture_loop_scope=function "tests/${2##*/}"
}
# Side by side, because some of them sleep.
beside tests own "$ROOT/clients/python/tests/test_kepler.py"
beside tests memory "$BUILD/langgraph-tests/langgraph_checkpoint/tests/test_store.py"
beside tests postgres "$BUILD/langgraph-tests/langgraph_checkpoint_postgres/tests/test_store.py"
beside tests postgres-async "$BUILD/langgraph-tests/langgraph_checkpoint_postgres/tests/test_async_store.py"
beside_ended
