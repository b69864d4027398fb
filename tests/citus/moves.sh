#!/usr/bin/env bash
# Promise: rows that are distributed leave the coordinator's disk. A consumer of the feed that goes on with a cursor of before its
# workspace moved, away or back again, is told to begin anew, and misses nothing silently; so is one whose tables were distributed
# since, or are no longer. A worker that is added is set up by distribute(), with the levels that roles have, and parts that move
# there work as everywhere. A session that has worked in a part before it went away and came back believes nothing old. The coordinator's maintenance keeps up the feed and the history of each node.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

database=kepler_citus_moves
start_cluster
ask() { on_node "$COORDINATOR" -d "$database" "$@"; }
# expect WANTED STATEMENT: what a statement gives, or the code of its error. A change is told once nothing older is under way, also in
# other databases.
expect() {
  local try got
  for ((try = 0; try < 100; try++)); do
    got=$(ask -v VERBOSITY=sqlstate -c "$2" 2>&1 | tr '\n' ' ' | sed 's/ *$//') || true
    [[ $got != "$1" ]] || return 0
    [[ $got != ERROR* && $2 == *changes_since* ]] || break
    sleep 0.1
  done
  die "$2: \"$got\" instead of \"$1\""
}
# move WORKSPACE [MODE]: to the other worker.
move() {
  ask -c 'CALL citus_cleanup_orphaned_resources()'
  ask -o /dev/null -c "
    SELECT citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, n.nodename, n.nodeport, shard_transfer_mode => '${2:-block_writes}')
    FROM citus_shards AS s JOIN pg_dist_node AS n ON n.nodename <> s.nodename AND n.groupid > 0
    WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', '$1')"
}
write() { ask -o /dev/null -c "SELECT kepler.upsert_record('contact', '$1', '{}', workspace_id => 'w')"; }
cursor() { ask -c "SELECT kepler.feed_cursor('w')"; }
changes() { echo "SELECT count(*) FROM kepler.changes_since($1, workspace_id => 'w')"; }

cluster_database "$database" install
ask -o /dev/null -c "SELECT kepler.create_workspace('w')" -c "SELECT kepler.create_workspace('other')"
before_all=$(cursor)
write zero
undistributed=$(cursor)
# A history would stay behind.
expect t "SELECT kepler.track('kepler.entities', 'history')"
expect 'ERROR:  0A000' 'SELECT kepler.distribute()'
expect t "SELECT kepler.untrack('kepler.entities', 'history')"
# The coordinator has no parts.
takes_shards() { ask -o /dev/null -c "SELECT citus_set_node_property('$(server_socket_dir "$COORDINATOR")', 5432, 'shouldhaveshards', $1)"; }
takes_shards true
expect 'ERROR:  55000' 'SELECT kepler.distribute()'
takes_shards false
distribute "$database"
expect 0 "SELECT sum(pg_relation_size(r)) FROM unnest(ARRAY['kepler.records', 'kepler.workspaces', 'kepler.entities']::regclass[]) AS r"
expect 'ERROR:  55000' "$(changes "'$undistributed'")"
expect 'ERROR:  55000' "$(changes "'$before_all'")"

for mode in block_writes force_logical; do
  first=$(cursor)
  write "$mode one"
  expect 1 "$(changes "'$first'")"
  expect inserted "SELECT outcome FROM kepler.acknowledge_changes('$mode', '$first', workspace_id => 'w')"
  expect 1 "$(changes "consumer => '$mode'")"
  move w "$mode"
  write "$mode two"
  expect 'ERROR:  55000' "$(changes "'$first'")"
  expect 'ERROR:  55000' "$(changes "consumer => '$mode'")"
  expect 'ERROR:  55000' "SELECT outcome FROM kepler.acknowledge_changes('$mode', '$first', workspace_id => 'w')"
  second=$(cursor)
  expect updated "SELECT outcome FROM kepler.acknowledge_changes('$mode', '$second', workspace_id => 'w')"
  write "$mode three"
  expect 1 "$(changes "'$second'")"
  expect 1 "$(changes "consumer => '$mode'")"
  # Back to where the first cursor is from, and where its changes still are.
  move w "$mode"
  write "$mode four"
  expect 'ERROR:  55000' "$(changes "'$first'")"
  expect 'ERROR:  55000' "$(changes "'$second'")"
  expect 'ERROR:  55000' "$(changes "consumer => '$mode'")"
  third=$(cursor)
  write "$mode five"
  expect 1 "$(changes "'$third'")"
done
expect 11 "SELECT count(*) FROM kepler.records WHERE workspace_id = 'w'"

# A session on a node keeps what it has learnt in a part, and believes nothing of it that was changed elsewhere meanwhile.
coproc SESSION { "$PG_BIN/psql" -XAtq -d "$database" 2>&1; }
# said STATEMENT: what it gives in that one session, with which the nodes keep their connections.
said() {
  local line lines=''
  printf '%s;\n\\echo ended\n' "$1" >&"${SESSION[1]}"
  while read -r -t 60 line <&"${SESSION[0]}" && [[ $line != ended ]]; do lines+="$line "; done
  echo "${lines% }"
}
learnt() { said "SELECT outcome FROM kepler.upsert_records('learnt', '[{\"external_id\": \"1\", \"data\": {\"n\": $1}}]', workspace_id => 'w')"; }
[[ $(learnt 1; learnt 1; learnt 2) == $'inserted\nunchanged\nupdated' ]] || die 'the session writes nothing'
home=$(ask -c "SELECT nodename FROM citus_shards WHERE shardid = get_shard_id_for_distribution_column('kepler.parts', 'w')")
for mode in block_writes force_logical; do
  move w "$mode"
  ask -c "DELETE FROM kepler.records WHERE workspace_id = 'w' AND entity_type = 'learnt'" -c "DELETE FROM kepler.entities WHERE workspace_id = 'w' AND type = 'learnt'"
  move w "$mode"
  for wanted in inserted unchanged; do
    got=$(learnt 2)
    [[ $got == "$wanted" ]] || die "after a part came back: \"$got\" instead of \"$wanted\""
  done
  expect t "SELECT r.entity_id = e.id FROM kepler.records AS r JOIN kepler.entities AS e ON e.type = r.entity_type AND e.workspace_id = r.workspace_id
    WHERE r.workspace_id = 'w' AND r.entity_type = 'learnt'"
done
[[ $(ask -c "SELECT nodename FROM citus_shards WHERE shardid = get_shard_id_for_distribution_column('kepler.parts', 'w')") == "$home" ]] || die 'the part is elsewhere'
printf '\\q\n' >&"${SESSION[1]}"
wait "$SESSION_PID"
expect 1 "WITH gone AS (DELETE FROM kepler.records WHERE workspace_id = 'w' AND entity_type = 'learnt' RETURNING id) SELECT count(*) FROM gone"

# A worker goes, and another comes. Roles have their levels there too.
ask -c 'DROP ROLE IF EXISTS moves_reader' -c 'DROP ROLE IF EXISTS moves_writer' -c 'CREATE ROLE moves_reader LOGIN' -c 'CREATE ROLE moves_writer LOGIN'
ask -o /dev/null -c "SELECT kepler.grant_access('moves_reader', 'reader')" -c "SELECT kepler.grant_access('moves_writer', 'writer', 'w')"
gone=${CITUS_WORKERS[1]}
socket=$(server_socket_dir "$gone")
ask -o /dev/null -c "SELECT citus_drain_node('$socket', 5432, shard_transfer_mode => 'block_writes')" -c "SELECT citus_remove_node('$socket', 5432)"
on_node "$gone" -d postgres -c "DROP DATABASE $database WITH (FORCE)" -c "CREATE DATABASE $database TEMPLATE template0"
on_node "$gone" -d "$database" -c 'CREATE EXTENSION citus'
ask -o /dev/null -c "SELECT citus_add_node('$socket', 5432)" -c 'SELECT kepler.distribute()' -c 'SELECT replicate_reference_tables()'
for mode in block_writes force_logical; do
  move w "$mode"
  last=$(cursor)
  write "$mode six"
  expect 1 "$(changes "'$last'")"
  expect 1 "SELECT count(*) FROM kepler.upsert_records('contact', '[{\"external_id\": \"$mode seven\", \"data\": {}}]', workspace_id => 'w')"
  expect 2 "$(changes "'$last'")"
  expect updated "SET ROLE moves_writer; SELECT outcome FROM kepler.upsert_record('contact', '$mode seven', '{\"by\": \"$mode\"}', workspace_id => 'w')"
  expect "w 1" "SET ROLE moves_reader; SELECT kepler.use_workspace('w'); SELECT count(*) FROM kepler.changes_since('$last', 1, workspace_id => 'w')"
  expect "w ERROR:  42501" "SET ROLE moves_reader; SELECT kepler.use_workspace('w'); SELECT outcome FROM kepler.upsert_record('contact', 'x', '{}', workspace_id => 'w')"
done
expect 15 "SELECT count(*) FROM kepler.records WHERE workspace_id = 'w'"

# The coordinator's maintenance makes partitions of each node's feed and history, and drops changes that are older than a month.
for node in "${CITUS_WORKERS[@]}"; do
  on_node "$node" -d "$database" <<<"SELECT format('DROP TABLE kepler.%I', relname) FROM pg_class WHERE relnamespace = 'kepler'::regnamespace
    AND relname ~ '^(feed|history)_[0-9]{8}\$' AND to_date(right(relname, 8), 'YYYYMMDD') > now() + interval '1 week' \\gexec"
  on_node "$node" -d "$database" -c "INSERT INTO kepler.feed_default (xid, sequence, created_at, epoch, table_id, operation, workspace_id)
    VALUES ('1', 1, now() - interval '40 days', 1, 1, 'INSERT', 'w')"
done
ask -c 'CALL kepler.maintain()'
for node in "${CITUS_WORKERS[@]}"; do
  made=$(on_node "$node" -d "$database" -c "SELECT kepler_internal.lacks_partitions('feed', 'week', 4), kepler_internal.lacks_partitions('history', 'month', 2),
    (SELECT count(*) FROM kepler.feed WHERE created_at < now() - interval '30 days'), (SELECT count(*) FROM kepler.feed_dropped WHERE workspace_id = 'w')")
  [[ $made == 'f|f|0|1' ]] || die "after maintain(): $made on $node"
done
expect '' "SELECT step, object, last_error FROM kepler.maintenance WHERE outcome = 'failed'"

# And back to one server.
last=$(cursor)
# What is left of moves goes first: Citus' own daemon would do it beside this.
ask -o /dev/null -c 'CALL citus_cleanup_orphaned_resources()' -c 'SELECT kepler.undistribute()'
for old in "$before_all" "$undistributed"; do expect 'ERROR:  55000' "$(changes "'$old'")"; done
for old in "$first" "$last"; do expect 'ERROR:  55000' "$(changes "'$old'")"; done
last=$(cursor)
write eight
expect 1 "$(changes "'$last'")"
echo 'cursors of before a move are refused, in both modes; a worker that came was set up'
