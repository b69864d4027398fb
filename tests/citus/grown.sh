#!/usr/bin/env bash
# Promise: a database that was in use is distributed and goes on: its rows are there, roles keep the levels that they had before and
# no others, consumers are told to begin anew. It comes back to one server, and goes out again, with what was granted and revoked
# meanwhile.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

database=kepler_citus_grown
start_cluster
drop_cluster_database $database
for role in all one none; do on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_grown_$role"; done
cluster_database $database install
run_psql() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database "$@"; }
# as ROLE SQL…: what a session of the role is told by its last statement.
as() { local role=$1 arguments=() statement; shift; for statement in "$@"; do arguments+=(-c "$statement"); done; run_psql -v VERBOSITY=terse -c "SET ROLE kepler_grown_$role" "${arguments[@]}" 2>&1 | tail -n 1; }
is() { [[ $2 == *"$3"* ]] || die "$1: \"$2\", and not \"$3\""; }
run_psql -o /dev/null <<'SQL'
CREATE ROLE kepler_grown_all LOGIN;
CREATE ROLE kepler_grown_one LOGIN;
CREATE ROLE kepler_grown_none LOGIN;
SELECT kepler.create_workspace('acme');
SELECT kepler.create_workspace('globex');
SELECT kepler.grant_access('kepler_grown_all', 'writer');
SELECT kepler.grant_access('kepler_grown_one', 'reader', 'acme');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'a', 'a@example.com'), ('globex', 'g', 'g@example.com'), ('default', 'd', 'd@example.com');
SELECT kepler.upsert_records_summary('contact', '[{"external_id": "1", "data": {"n": 1}}, {"external_id": "2", "data": {"n": 2}}]', workspace_id => w)
FROM unnest('{acme,globex}'::text[]) AS w;
SQL
cursor=$(run_psql -c "SELECT kepler.feed_cursor('acme')")
# holds WHEN: what everybody may and may not.
holds() {
  is "$1: rows" "$(run_psql -c "SELECT string_agg(DISTINCT workspace_id || external_id, ',' ORDER BY workspace_id || external_id) FROM kepler.records")" 'acme1,acme2,globex1,globex2'
  is "$1: all, by default" "$(as all 'SELECT string_agg(id, NULL) FROM kepler.users')" d
  is "$1: all, chosen" "$(as all "SELECT kepler.use_workspace('globex', false)" 'SELECT string_agg(id, NULL) FROM kepler.users')" g
  is "$1: all, a call" "$(as all "SELECT kepler.use_workspace('globex', false)" "SELECT outcome FROM kepler.upsert_record('contact', '1', '{\"n\": 1}')")" unchanged
  is "$1: one" "$(as one 'SELECT string_agg(id, NULL) FROM kepler.users')" a
  is "$1: one, elsewhere" "$(as one "SELECT count(*) FROM kepler.users WHERE workspace_id <> 'acme'")" 0
  is "$1: one, a write" "$(as one "UPDATE kepler.users SET email = 'no@example.com'")" 'permission denied for table users'
  is "$1: one, a call" "$(as one "SELECT kepler.count_memories()")" 0
  is "$1: none" "$(as none 'SELECT count(*) FROM kepler.users')" 'permission denied'
}
holds 'on one server'
run_psql -o /dev/null -c 'SELECT kepler.distribute()'
holds 'on the cluster'
is 'a cursor of before' "$(run_psql -c "SELECT count(*) FROM kepler.changes_since('$cursor', workspace_id => 'acme')" 2>&1 | head -n 1)" 'before the workspace came to this node'
run_psql -o /dev/null -c 'SELECT kepler.undistribute()'
holds 'back on one server'
run_psql -o /dev/null -c "SELECT kepler.revoke_access('kepler_grown_one')" -c "SELECT kepler.grant_access('kepler_grown_none', 'writer', 'globex')" -c 'SELECT kepler.distribute()'
is 'granted meanwhile' "$(as none 'SELECT string_agg(id, NULL) FROM kepler.users')" g
is 'revoked meanwhile' "$(as one 'SELECT count(*) FROM kepler.users')" 'permission denied'
run_psql -o /dev/null -c "SELECT kepler.grant_access('kepler_grown_one', 'writer', 'acme')" -c "SELECT kepler.grant_access('kepler_grown_one', 'admin', 'globex')" -c "SELECT kepler.revoke_access('kepler_grown_one', 'globex')"
is 'granted again' "$(as one 'SELECT string_agg(id, NULL) FROM kepler.users')" a
run_psql -o /dev/null -c "SELECT kepler.revoke_access('kepler_grown_one')"
for node in "${CITUS_WORKERS[@]}"; do
  is "levels on $node" "$(on_node "$node" -d $database -c "SELECT string_agg(l.role || l.level, ',' ORDER BY l.role) FROM kepler_internal.levels_here() AS l")" 'kepler_grown_allwriter,kepler_grown_nonewriter'
  is "rights on $node" "$(on_node "$node" -d $database -c "SELECT has_schema_privilege('kepler_grown_one', 'kepler', 'USAGE')")" f
done
echo 'what was there before goes on'
