#!/usr/bin/env bash
# Promise: memberships hold on a hot standby, which hears of each change; in parallel workers; and in a restored copy, where a role
# that the dump gave its rights is the member that it was, and a role that merely bears a listed name is none.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
primary=members-primary-$major standby=members-standby-$major
work=$(mktemp -d)
trap 'remove_server "$standby" "$major"; remove_server "$primary" "$major"; rm -rf "$work"' EXIT
remove_server "$standby" "$major"
remove_server "$primary" "$major"
start_server "$primary" "$major"
primary_host=$PGHOST
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq "$@"; }
on_primary() { PGHOST=$primary_host run -v ON_ERROR_STOP=1 "$@"; }
on_standby() { PGHOST=$standby_host run "$@" 2>&1 || true; }
expect() { [[ $2 == *"$3"* ]] || die "$1: $2, and not $3"; }
on_primary -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
on_primary >/dev/null <<'SQL'
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('beta', 'Beta');
INSERT INTO kepler.records (workspace_id, id, entity_type) SELECT w, w || i, 't' FROM unnest('{default,acme,beta}'::text[]) AS w, generate_series(1, 5000) AS i;
ANALYZE kepler.records;
CREATE ROLE elsewhere_member;
CREATE ROLE elsewhere_stranger;
SELECT kepler.grant_access('elsewhere_member', 'reader', 'acme'), kepler.grant_access('elsewhere_stranger', 'reader', 'beta');
SQL
mine="SET ROLE elsewhere_member; SELECT kepler.current_workspace_id(), count(*), count(*) FILTER (WHERE workspace_id <> 'acme') FROM kepler.records"
expect 'on the primary' "$(on_primary -c "$mine")" 'acme|5000|0'

# Workers of a parallel plan ask too, each for itself.
parallel='SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SET debug_parallel_query = on'
expect 'in parallel' "$(on_primary -c "$parallel; $mine")" 'acme|5000|0'
expect 'the plan' "$(on_primary -c "$parallel; SET ROLE elsewhere_member; EXPLAIN (COSTS OFF) SELECT count(*) FROM kepler.records")" 'Workers Planned'
on_primary -c "SELECT kepler.grant_access('elsewhere_member', 'reader', 'beta')" >/dev/null
expect 'several, in parallel' "$(on_primary -c "$parallel; $mine" 2>&1 || true)" 'no workspace was chosen'
on_primary -c "SELECT kepler.revoke_access('elsewhere_member', 'beta')" >/dev/null

# The standby.
data=$(server_data_dir "$standby")
rm -rf "$data"
mkdir -m 700 "$data"
chown "$SERVER_USER" "$data"
run_as_server_user "$PG_BIN/pg_basebackup" -h "$primary_host" -U postgres -D "$data" -R -c fast
start_server "$standby" "$major"
standby_host=$PGHOST
caught_up() {
  local at
  at=$(on_primary -c 'SELECT pg_current_wal_lsn()')
  for _ in $(seq 100); do
    [[ $(on_standby -c "SELECT pg_last_wal_replay_lsn() >= '$at'") == t ]] && return
    sleep 0.1
  done
  die 'the standby does not catch up'
}
caught_up
expect 'on the standby' "$(on_standby -c "$mine")" 'acme|5000|0'
expect 'chosen on the standby' "$(on_standby -c 'SET ROLE elsewhere_member' -c "SELECT kepler.use_workspace('beta', false)")" 'not a member'
# A session that has asked before, and goes on after the change.
mkfifo "$work/in"
PGHOST=$standby_host run -f "$work/in" >"$work/out" 2>&1 &
session=$!
exec 3>"$work/in"
echo "$mine;" >&3
for _ in $(seq 100); do grep -q acme "$work/out" && break; sleep 0.1; done
on_primary -c "SELECT kepler.revoke_access('elsewhere_member')" -c "SELECT kepler.grant_access('elsewhere_member', 'reader', 'beta')" >/dev/null
caught_up
echo 'SELECT kepler.current_workspace_id();' >&3
exec 3>&-
wait "$session" || true
expect 'a session of the standby after the change' "$(tail -n 1 "$work/out")" 'beta'

# A copy: as on another server, where numbers of roles and of the cluster are others. The list says that it was written elsewhere.
export PGHOST=$primary_host
"$PG_BIN/pg_dump" -Fc -f "$work/dump" postgres
on_primary -c 'CREATE DATABASE elsewhere_copy TEMPLATE template0'
"$PG_BIN/pg_restore" -d elsewhere_copy "$work/dump"
expect 'in a copy' "$(on_primary -d elsewhere_copy -c "$mine")" 'beta|5000|5000'
on_primary -d elsewhere_copy -c "UPDATE kepler.workspace_members SET granted_to = '1' || granted_to"
expect 'in a copy on another server' "$(on_primary -d elsewhere_copy -c "$mine")" 'beta|5000|5000'
# A stranger with a listed name, who has no rights from the dump, and rights by hand.
on_primary -d elsewhere_copy >/dev/null <<'SQL'
DROP OWNED BY elsewhere_stranger;
GRANT USAGE ON SCHEMA kepler TO elsewhere_stranger;
GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO elsewhere_stranger;
SQL
expect 'a stranger' "$(on_primary -d elsewhere_copy -c 'SET ROLE elsewhere_stranger; SELECT kepler.current_workspace_id()')" 'default'
# install() and grant_access note who they are here.
on_primary -d elsewhere_copy -c 'SELECT FROM kepler.install()' >/dev/null
expect 'noted' "$(on_primary -d elsewhere_copy -c "SELECT string_agg(role_name, ' ' ORDER BY 1) FROM kepler.workspace_members AS m JOIN pg_roles AS r ON split_part(m.granted_to, '/', 2) = r.oid::text WHERE granted_to LIKE (SELECT system_identifier || '/%' FROM pg_control_system())")" 'elsewhere_member'
