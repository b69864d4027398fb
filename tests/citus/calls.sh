#!/usr/bin/env bash
# Promise: calls and direct SQL answer on a distributed database as they do elsewhere: inside of transactions and savepoints, with
# parameters, in functions, for roles of one workspace and of several; with the same errors. calls.sql is played in a database that is
# distributed and in one that is not, and the answers are compared. What is otherwise stands in differs.txt, by its statement.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
start_cluster
roles=(reader writer both all varies hand)
for name in here there; do drop_cluster_database "kepler_citus_$name"; done
for role in "${roles[@]}"; do
  on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_calls_$role"
done
cluster_database kepler_citus_here install
for role in "${roles[@]}"; do on_node "$COORDINATOR" -d kepler_citus_here -c "CREATE ROLE kepler_calls_$role LOGIN"; done
cluster_database kepler_citus_there install distribute
# Citus hands on rights on tables, and not those on the functions of an extension.
for node in "${CITUS_WORKERS[@]}"; do
  on_node "$node" -d kepler_citus_there -c 'SET citus.enable_ddl_propagation = off' -c 'GRANT USAGE ON SCHEMA kepler TO kepler_calls_hand' \
    -c 'GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO kepler_calls_hand'
done
for name in here there; do
  "$PG_BIN/psql" -X -a -q -P null='(null)' -d "kepler_citus_$name" -f "$ROOT/tests/citus/calls.sql" >"$work/$name" 2>&1 </dev/null || true
done
# Roles exist on all nodes, and those of the second database get their rights there.
# So many calls are meant to fail, and no more.
[[ $(grep -c 'ERROR: ' "$work/here") -eq 34 ]] || die "other calls fail elsewhere than are meant to: $(grep 'ERROR: ' "$work/here")"
cp "$work/here" "$LOGS/citus-calls-here.out"
cp "$work/there" "$LOGS/citus-calls-there.out"
if grep -nE '_[0-9]{6,}' "$work/there"; then die 'names of parts show'; fi
diff -U4 "$work/here" "$work/there"

# Nobody can lock what all of them use.
for table in parts two_phase; do
  said=$(on_node "$COORDINATOR" -d kepler_citus_there -c "SET ROLE kepler_calls_all" -c "BEGIN" -c "LOCK TABLE kepler.$table IN SHARE MODE" 2>&1 || true)
  [[ $said == *'permission denied'* ]] || die "a lock on kepler.$table: $said"
done
said=$(on_node "$COORDINATOR" -d kepler_citus_there -c "INSERT INTO kepler.two_phase VALUES (true)" 2>&1 || true)
[[ $said == *'violates check constraint'* ]] || die "a row of kepler.two_phase: $said"
on_node "$COORDINATOR" -d kepler_citus_there -c "INSERT INTO kepler.parts VALUES ('acme')"
[[ $(on_node "$COORDINATOR" -d kepler_citus_there -c 'SELECT count(*) FROM kepler.parts') -eq 0 ]] || die 'kepler.parts has rows'

# A statement that policies keep to a workspace asks one node.
for statement in 'SELECT count(*) FROM kepler.records' 'SELECT FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id' \
  'SELECT id FROM kepler.users FOR UPDATE' "UPDATE kepler.users SET email = 'x'" 'DELETE FROM kepler.users' 'SELECT (SELECT count(*) FROM kepler.users), (SELECT count(*) FROM kepler.records)'; do
  plan=$(on_node "$COORDINATOR" -d kepler_citus_there -c 'SET ROLE kepler_calls_all' -c "SELECT kepler.use_workspace('acme', false)" -c "EXPLAIN $statement")
  [[ $plan == *'Task Count: 1'* && $plan != *'Task Count: '[2-9]* && $plan != *Subplan* ]] || die "$statement: $plan"
done

# A call beside tables of another part writes nothing there.
foreign=$(on_node "$COORDINATOR" -d kepler_citus_there -c "SELECT min(w.id) FROM (SELECT 'w' || i AS id FROM generate_series(1, 50) AS i) AS w
  WHERE get_shard_id_for_distribution_column('kepler.parts', w.id) <> get_shard_id_for_distribution_column('kepler.parts', 'acme')")
on_node "$COORDINATOR" -d kepler_citus_there -o /dev/null -c "SELECT kepler.create_workspace('$foreign')"
said=$(on_node "$COORDINATOR" -d kepler_citus_there -c "SELECT u.outcome FROM (SELECT count(*) FROM kepler.records AS r WHERE r.workspace_id = 'acme') AS n,
  kepler.upsert_records('contact', '[{\"external_id\": \"1\", \"data\": {}}]', workspace_id => '$foreign') AS u" 2>&1 || true)
[[ $said == *'does not lie where the statement runs'* ]] || die "a call beside tables of another part: $said"
[[ $(on_node "$COORDINATOR" -d kepler_citus_there -c "SELECT count(*) FROM kepler.records WHERE workspace_id = '$foreign'") -eq 0 ]] || die 'it has written'
