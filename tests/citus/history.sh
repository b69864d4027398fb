#!/usr/bin/env bash
# Promise: the history of a row is whole where its part has moved, away and back again, in both modes: row_history and row_as_of give
# what they give in a database on one server in which the same was done, to the owner and to roles of the workspace, and to nobody
# else. A move by itself is no change. Nodes that keep no part any more are asked too, and a node that does not answer is an error.
# Beside distributed tables a history is refused. Seals are of all nodes. After undistribute() nothing is told that is not known.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

alone=kepler_citus_history_alone
database=kepler_citus_history
start_cluster
for name in $alone $database; do drop_cluster_database "$name"; done
for role in reader other both none; do on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_history_$role"; done
cluster_database $alone install
for role in reader other both none; do on_node "$COORDINATOR" -d $alone -c "CREATE ROLE kepler_history_$role LOGIN"; done
cluster_database $database install distribute
ask() { on_node "$COORDINATOR" -d $database -v VERBOSITY=sqlstate "$@" 2>&1; }
# both SQL…: is done in both, each text as a statement or a block of its own, and must say the same.
both() {
  local given=() one other
  for one in "$@"; do given+=(-c "$one"); done
  one=$(PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v VERBOSITY=sqlstate -d $alone "${given[@]}" 2>&1) || true
  other=$(PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v VERBOSITY=sqlstate -d $database "${given[@]}" 2>&1) || true
  [[ $one == "$other" ]] || die "$*: < on one server, > on a cluster
$(diff <(echo "$one") <(echo "$other"))"
  SAID=$one
}
says() { [[ $SAID == "$1" ]] || die "\"$SAID\" instead of \"$1\""; }
# move [MODE]: the workspace's part to the other worker.
move() {
  ask -c 'CALL citus_cleanup_orphaned_resources()' >/dev/null
  ask -o /dev/null -c "
    SELECT citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, n.nodename, n.nodeport, shard_transfer_mode => '${1:-block_writes}')
    FROM citus_shards AS s JOIN pg_dist_node AS n ON n.nodename <> s.nodename AND n.groupid > 0
    WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', 'w')"
}
moment() { both "INSERT INTO public.moments (name) VALUES ('$1')"; }
# In both: the histories of rows, and what they were at all moments, to whoever asks.
told="SELECT u.name, h.operation, h.actor, h.request_id, h.role_name, public.plain(h.changes), public.plain(h.row_data)
  FROM public.followed AS u, kepler.row_history(u.relation::regclass, u.id, 1000, 'w') AS h"
were="SELECT m.name, u.name, public.then(u.relation::regclass, u.id, m.at) FROM public.moments AS m, public.followed AS u ORDER BY m.at, u.name"
# same WHEN
same() {
  local to
  both 'SET ROLE none' "$told"
  [[ $(grep -c '|UPDATE|' <<<"$SAID") -ge ${2:-1} ]] || die "$1: of $(grep -c '|UPDATE|' <<<"$SAID") updates is told"
  both 'SET ROLE none' "$were"
  for to in reader both; do
    both "SET ROLE kepler_history_$to" "SELECT kepler.use_workspace('w', false)" "$told" "$were"
  done
  both 'SET ROLE none' "SELECT u.name, h.operation, public.plain(h.changes) FROM public.followed AS u, kepler.row_history(u.relation::regclass, u.id, 2, 'w') AS h"
  for to in other none; do
    both "SET ROLE kepler_history_$to" "SELECT count(*) FROM kepler.row_history('kepler.users', 'ada', workspace_id => 'w')"
    says 'ERROR:  42501'
    both "SET ROLE kepler_history_$to" "SELECT kepler.row_as_of('kepler.users', 'ada', now(), 'w')"
    says 'ERROR:  42501'
  done
}
both "
  CREATE TABLE public.moments (name text, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE public.followed (relation text, id text, name text);
  CREATE FUNCTION public.plain(given jsonb) RETURNS jsonb LANGUAGE sql AS \$\$
    SELECT given - '{id,created_at,updated_at,last_seen_at,entity_id}'::text[] \$\$;
  CREATE FUNCTION public.then(relation regclass, id text, at timestamptz) RETURNS text LANGUAGE plpgsql AS \$\$
  BEGIN
    RETURN public.plain(kepler.row_as_of(relation, id, at, 'w'));
  EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
  END \$\$;
  GRANT SELECT ON public.moments, public.followed TO PUBLIC"
both "SELECT kepler.create_workspace(w) FROM unnest('{w,x}'::text[]) AS w"
both "SELECT kepler.grant_access('kepler_history_reader', 'reader', 'w'), kepler.grant_access('kepler_history_other', 'reader', 'x')" \
  "SELECT kepler.grant_access('kepler_history_both', 'writer', w) FROM unnest('{w,x}'::text[]) AS w"
moment untracked
both "SELECT kepler.track(t::regclass, 'history') FROM unnest('{kepler.users,kepler.records}'::text[]) AS t"
moment tracked
both "INSERT INTO public.followed VALUES ('kepler.users', 'ada', 'ada'), ('kepler.users', 'eve', 'eve')"

writes=0
# write: some changes of all kinds, by the owner and by a role.
write() {
  writes=$((writes + 1))
  both "BEGIN; SET LOCAL kepler.actor = 'actor $writes'; SET LOCAL kepler.request_id = 'r$writes';
    INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'ada', 'ada@$writes') ON CONFLICT (workspace_id, id) DO UPDATE SET email = excluded.email;
    COMMIT" \
    "SELECT outcome FROM kepler.upsert_record('contact', 'one', '{\"n\": $writes}', workspace_id => 'w')"
  moment "write $writes"
  both 'SET ROLE kepler_history_both' "BEGIN; SELECT kepler.use_workspace('w'); SET LOCAL kepler.actor = 'role $writes';
    UPDATE kepler.users SET name = 'name $writes' WHERE workspace_id = 'w' AND id = 'ada'; SAVEPOINT s;
    UPDATE kepler.users SET name = 'undone' WHERE workspace_id = 'w' AND id = 'ada'; ROLLBACK TO s;
    SELECT outcome FROM kepler.upsert_record('contact', 'two', '{\"by\": \"role\", \"n\": $writes}'); COMMIT"
  moment "write $writes by a role"
  if [[ $writes -eq 1 ]]; then
    for name in $alone $database; do
      "$PG_BIN/psql" -Xq -d "$name" -c "INSERT INTO public.followed SELECT 'kepler.records', r.id, 'one' FROM kepler.records AS r WHERE r.workspace_id = 'w' AND r.external_id = 'one'"
    done
  fi
}
write
same 'before a move'
for mode in block_writes force_logical; do
  before=$(ask -c "SELECT count(*) FROM kepler.row_history('kepler.users', 'ada', 1000, 'w')")
  move $mode
  after=$(ask -c "SELECT count(*) FROM kepler.row_history('kepler.users', 'ada', 1000, 'w')")
  [[ $before == "$after" ]] || die "a move ($mode) is told as $((after - before)) changes"
  same "after a move ($mode)"
  write
  same "after a move and a write ($mode)"
  both "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'eve', 'eve@$mode') ON CONFLICT DO NOTHING"
  moment "eve $mode"
  move $mode
  both "DELETE FROM kepler.users WHERE workspace_id = 'w' AND id = 'eve'"
  moment "no eve $mode"
  write
  same "after a move back ($mode)"
  both "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'eve', 'again@$mode')"
  moment "eve again $mode"
  same "eve again ($mode)"
done

# Columns come, go and get other names between moves; shards that come from another node lack those that went.
update() { both "UPDATE kepler.users SET $1 WHERE workspace_id = 'w' AND id = 'ada'"; moment "$1"; }
for column in first second third; do both "ALTER TABLE kepler.users ADD COLUMN $column text"; done
update "first = '1', second = '1', third = '1'"
move
update "first = '2', second = '2', third = '2'"
both 'ALTER TABLE kepler.users DROP COLUMN first'
update "second = '3', third = '3'"
move force_logical
update "second = '4', third = '4'"
same 'after a column went'
both 'ALTER TABLE kepler.users ADD COLUMN fourth integer'
update "third = '5', fourth = 5"
move
update "second = '6', fourth = 6"
both 'ALTER TABLE kepler.users RENAME COLUMN third TO last'
update "last = '7'"
move
update "last = '8'"
same 'after a column got another name'

# So does what a trigger runs there, in each kind of statement.
both "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS \$\$
    DECLARE whole kepler.users; said text;
    BEGIN
      INSERT INTO kepler.users AS u (workspace_id, id, email, second, last, fourth) VALUES (NEW.workspace_id, 'note', 'n', 'second', NEW.external_id, 1)
      ON CONFLICT (workspace_id, id) DO UPDATE SET last = u.last || excluded.last || (excluded).second, fourth = u.fourth + excluded.fourth
      RETURNING u.last || u.fourth INTO said;
      UPDATE kepler.users AS u SET second = u.last || said, last = lower(u.second) WHERE u.workspace_id = NEW.workspace_id AND u.id = 'note';
      MERGE INTO kepler.users AS u USING (VALUES ('note'), ('note too')) AS n (id) ON u.workspace_id = NEW.workspace_id AND u.id = n.id
      WHEN MATCHED THEN UPDATE SET fourth = u.fourth + 10 WHEN NOT MATCHED THEN INSERT (workspace_id, id, email, last) VALUES (NEW.workspace_id, n.id, 'm', 'merged');
      SELECT u.* INTO whole FROM kepler.users AS u WHERE u.workspace_id = NEW.workspace_id AND u.id = 'note';
      WITH w AS (SELECT u FROM kepler.users AS u WHERE u.workspace_id = NEW.workspace_id AND u.id = 'note')
      UPDATE kepler.users AS u SET name = whole.last || (w.u).second || (SELECT count(*) FROM kepler.users AS o WHERE o.last = u.last) FROM w
      WHERE u.workspace_id = NEW.workspace_id AND u.id = 'note too';
      RETURN NULL;
    END \$\$" \
  "CREATE TRIGGER note AFTER INSERT ON kepler.records FOR EACH ROW EXECUTE FUNCTION public.note()"
for record in a b; do both "SELECT outcome, error FROM kepler.upsert_record('note', '$record', '{}', workspace_id => 'w')"; says 'inserted|'; done
both "SELECT id, name, second, last, fourth FROM kepler.users WHERE workspace_id = 'w' AND id LIKE 'note%' ORDER BY id"
[[ $(wc -l <<<"$SAID") -eq 2 && $SAID == *merged* ]] || die "what a trigger has written: $SAID"
both 'DROP TRIGGER note ON kepler.records'

# In a transaction, with what it has done itself.
both "BEGIN; UPDATE kepler.users SET email = 'mine' WHERE workspace_id = 'w' AND id = 'ada';
  SELECT operation, public.plain(changes) FROM kepler.row_history('kepler.users', 'ada', 2, 'w'); ROLLBACK"
[[ $SAID == *mine* ]] || die "what the transaction has done is not told: $SAID"
both "SELECT count(*) FROM kepler.row_history('kepler.users', 'ada', 0, 'w')"
says 'ERROR:  22023'
both "SELECT count(*) FROM kepler.row_history('kepler.entities', 'ada', 1, 'w')"
says 'ERROR:  55000'
# Beside distributed tables no other node can be asked.
beside=$(ask -c "SELECT count(*) FROM kepler.users AS u, kepler.row_history('kepler.users', u.id, 10, u.workspace_id) WHERE u.workspace_id = 'w'") || true
[[ $beside == 'ERROR:  0A000' ]] || die "beside distributed tables: $beside"
beside=$(ask -c "SELECT count(kepler.row_as_of('kepler.users', u.id, now(), u.workspace_id)) FROM kepler.users AS u WHERE u.workspace_id = 'w'") || true
[[ $beside == 'ERROR:  0A000' ]] || die "beside distributed tables: $beside"

# A node that keeps no part any more is asked; where it does not answer, nothing is told.
stays=$(ask -c "SELECT n.nodename FROM pg_dist_node AS n JOIN citus_shards AS s USING (nodename)
  WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', 'w')")
idle=${CITUS_WORKERS[0]}
[[ $(server_socket_dir "$idle") != "$stays" ]] || idle=${CITUS_WORKERS[1]}
socket=$(server_socket_dir "$idle")
unanswered() {
  local said
  for call in "count(*) FROM kepler.row_history('kepler.users', 'ada', 10, 'w')" "kepler.row_as_of('kepler.users', 'ada', now(), 'w')"; do
    said=$(ask -c "SELECT $call") && die "$1: $said"
    [[ $said == ERROR:* ]] || die "$1: $said"
  done
}
stop_server "$idle" citus
unanswered 'a node with parts does not answer'
start_cluster
ask -o /dev/null -c "SELECT citus_drain_node('$socket', 5432, shard_transfer_mode => 'block_writes')"
same 'with a node that has no parts'
stop_server "$idle" citus
unanswered 'a node without parts does not answer'
start_cluster
ask -o /dev/null -c "SELECT citus_disable_node('$socket', 5432, synchronous => true)"
unanswered 'a node is not active'
# Citus makes the tables of the node anew, with other numbers.
ask -o /dev/null -c "SELECT citus_activate_node('$socket', 5432)" -c "SELECT citus_set_node_property('$socket', 5432, 'shouldhaveshards', true)"
unanswered 'a node lacks the tables that every node has'
ask -o /dev/null -c 'SELECT replicate_reference_tables()'
same 'after the node is active again'
move
write
same 'back on the node'

# Seals are of all nodes, and so is what is compared with them.
anchor=$(ask -c 'SELECT kepler.seal_history()')
[[ $anchor =~ ^1=[0-9]+:[0-9a-f]{64},2=[0-9]+:[0-9a-f]{64}$ ]] || die "the anchor: $anchor"
# verified PATTERN [AFTER]
verified() {
  local said after=NULL
  [[ -z ${2:-} ]] || after="'$2'"
  said=$(ask -c "SELECT outcome, problem FROM kepler.verify_history('$anchor', $after)")
  # shellcheck disable=SC2053
  [[ $said == $1 ]] || die "verify_history says \"$said\" instead of \"$1\""
}
verified 'intact|'
write
before=$anchor
anchor=$(ask -c 'SELECT kepler.seal_history()')
[[ $anchor != "$before" ]] || die 'nothing was sealed'
verified 'intact|'
verified 'intact|' "$before"
for node in "${CITUS_WORKERS[@]}"; do
  table=$(on_node "$node" -d $database -c "SELECT h.tableoid::regclass FROM kepler.history AS h LIMIT 1")
  falsify() {
    on_node "$node" -d $database -c 'SET citus.enable_ddl_propagation = off' -c "ALTER TABLE $table DISABLE TRIGGER refuse_change" \
      -c "UPDATE $table SET statement = statement + $1" -c "ALTER TABLE $table ENABLE ALWAYS TRIGGER refuse_change"
  }
  falsify 1
  verified "broken|on node $(server_socket_dir "$node"):5432: the change with number * was changed"
  falsify -1
  verified 'intact|'
done

# What empties a table is told once.
both "SET citus.multi_shard_modify_mode = 'sequential'" 'TRUNCATE kepler.records CASCADE'
moment emptied
both "SELECT operation, count(*) FROM kepler.row_history('kepler.records', (SELECT u.id FROM public.followed AS u WHERE u.name = 'one'), 1000, 'w') GROUP BY operation ORDER BY operation"
[[ $SAID == *'TRUNCATE|1'* ]] || die "what emptied a table is told so often: $SAID"
same 'after a table was emptied'

# A person is taken out of what all nodes keep.
both "SELECT kepler.erase_user('ada', workspace_id => 'w') IS NOT NULL"
both "SELECT count(*) FROM kepler.row_history('kepler.users', 'ada', 1000, 'w')"
for node in "${CITUS_WORKERS[@]}"; do
  [[ $(on_node "$node" -d $database -c "SELECT count(*) FROM kepler.history WHERE row_id = 'ada'") -eq 0 ]] || die "$node names the person"
done
verified 'intact|'

# After it has come back to one server, what nodes keep is not known there.
ask -o /dev/null -c 'SELECT kepler.undistribute()'
said=$(ask -c "SELECT kepler.row_as_of('kepler.users', 'eve', (SELECT m.at FROM public.moments AS m WHERE m.name = 'eve block_writes'), 'w')") || true
[[ $said == 'ERROR:  55000' ]] || die "after undistribute(): $said"
ask -o /dev/null -c "UPDATE kepler.users SET name = 'after' WHERE workspace_id = 'w' AND id = 'eve'"
said=$(ask -c "SELECT string_agg(h.operation, ',') FROM kepler.row_history('kepler.users', 'eve', 10, 'w') AS h")
[[ $said == UPDATE ]] || die "after undistribute(): $said"
echo 'the history of rows is that of one server, wherever their part has been'
