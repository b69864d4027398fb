#!/usr/bin/env bash
# A shell on the private server, in a database "kepler" where the extension is installed.
# Usage: tools/psql.sh [psql arguments]   (PG=16 or 18; SQL="…" runs one command)
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

major=${PG:-18}
PG=$major "$ROOT/tools/serve.sh" start
use_server "$major"
export PGDATABASE=kepler
if ! "$PG_BIN/psql" -XAtq -d postgres -c "SELECT datname FROM pg_database" | grep -qx kepler; then
  "$PG_BIN/createdb" kepler
  if ! "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d kepler -o /dev/null <<'SQL'; then
SET client_min_messages = warning;
CREATE EXTENSION kepler CASCADE;
SELECT kepler.install();
SQL
    "$PG_BIN/dropdb" kepler
    die "the extension could not be installed in a fresh database"
  fi
fi
if [[ -n ${SQL:-} ]]; then set -- -X -c "$SQL" "$@"; fi
exec "$PG_BIN/psql" "$@"
