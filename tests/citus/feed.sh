#!/usr/bin/env bash
# Promise: on a cluster changes_since gives the changes of a workspace's node and those of the coordinator's tables (entry tables, tables
# of an application) as one feed: those that one server gives, to the owner and to roles of the workspace, and to nobody else. A reader
# that follows with a named consumer while others write on both sides misses nothing and is told nothing twice. What was dropped for its
# age on either side is told. A cursor of another number of feeds, of before a move, or of before the cluster is refused. Where one feed
# alone can be reached (on a worker, beside distributed tables) a call is refused, or names a table whose changes are all there.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

alone=kepler_citus_feed_alone
database=kepler_citus_feed
start_cluster
for name in $alone $database; do drop_cluster_database "$name"; done
for role in reader other both none; do on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_feed_$role"; done
cluster_database $alone install
for role in reader other both none; do on_node "$COORDINATOR" -d $alone -c "CREATE ROLE kepler_feed_$role LOGIN"; done
cluster_database $database install distribute
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v VERBOSITY=sqlstate -d "$@" 2>&1 || true; }
# both SQL…: is done in both, each text as a statement or a block of its own, and must say the same. A change is told once nothing
# older is under way, also in other databases.
both() {
  local given=() one other try
  for one in "$@"; do given+=(-c "$one"); done
  for ((try = 0; try < 100; try++)); do
    one=$(run $alone "${given[@]}")
    other=$(run $database "${given[@]}")
    if [[ $one == "$other" || $* != *changes_since* && $* != *feed_lag* && $* != *stat_feed* ]]; then break; fi
    sleep 0.1
  done
  [[ $one == "$other" ]] || die "$*: < on one server, > on a cluster
$(diff <(echo "$one") <(echo "$other"))"
  SAID=$one
}
# does SQL…: the same, and fails nowhere.
does() { both "$@"; [[ $SAID != *ERROR* ]] || die "$*: $SAID"; }
says() { [[ $SAID == "$1" ]] || die "\"$SAID\" instead of \"$1\""; }
# expect WANTED STATEMENT: what the cluster says.
expect() {
  local try got
  for ((try = 0; try < 100; try++)); do
    got=$(run $database -c "$2" | tr '\n' ' ' | sed 's/ *$//')
    [[ $got != "$1" ]] || return 0
    [[ $got != ERROR* && $2 == *changes_since* ]] || break
    sleep 0.1
  done
  die "$2: \"$got\" instead of \"$1\""
}
# note NAME: where a reader stands now.
note() { does "INSERT INTO public.cursors SELECT '$1', kepler.feed_cursor('w') ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor"; }
at() { echo "(SELECT k.cursor FROM public.cursors AS k WHERE k.name = '$1')"; }

does "CREATE TABLE public.orders (workspace_id text, id text, n integer DEFAULT 0, PRIMARY KEY (workspace_id, id));
  CREATE TABLE public.cursors (name text PRIMARY KEY, cursor text);
  CREATE TABLE public.plain (id integer PRIMARY KEY);
  GRANT SELECT ON public.cursors TO PUBLIC"
does "SELECT kepler.create_workspace(w) FROM unnest('{w,x}'::text[]) AS w"
does "SELECT kepler.grant_access('kepler_feed_reader', 'reader', 'w'), kepler.grant_access('kepler_feed_other', 'reader', 'x')" \
  "SELECT kepler.grant_access('kepler_feed_both', 'writer', w) FROM unnest('{w,x}'::text[]) AS w"
note empty
does "SELECT kepler.track(t) FROM unnest('{kepler.users,orders,plain}'::regclass[]) AS t"
does "SELECT kepler.create_entry_table('Parcel', '{\"fields\": [{\"name\": \"code\", \"type\": \"text\", \"required\": true, \"unique\": true}]}', workspace_id => 'w')"
parcels=$SAID
for name in $alone $database; do
  run "$name" -o /dev/null -c "SELECT kepler.track('$parcels')" \
    -c "CREATE FUNCTION public.parcel(text) RETURNS void LANGUAGE sql AS 'INSERT INTO $parcels (code) VALUES (\$1)'"
done

# All kinds of writes on both sides, one after the other.
does "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'ada', 'ada'), ('x', 'ada', 'ada')" \
  "INSERT INTO public.orders VALUES ('w', 'one'), ('w', 'two'), ('x', 'one')" \
  "INSERT INTO public.plain VALUES (1)"
note begun
does "BEGIN; UPDATE kepler.users SET name = 'Ada' WHERE workspace_id = 'w'; UPDATE public.orders SET n = 1 WHERE workspace_id = 'w'; COMMIT" \
  "BEGIN; INSERT INTO public.orders VALUES ('w', 'undone'); INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'undone', 'undone'); ROLLBACK" \
  "BEGIN; INSERT INTO public.orders VALUES ('w', 'three'); SAVEPOINT s; DELETE FROM public.orders; INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'undone', 'undone'); ROLLBACK TO s; COMMIT" \
  "SELECT public.parcel('a')" "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'eve', 'eve')" "DELETE FROM public.orders WHERE workspace_id = 'w' AND id = 'two'" \
  "DELETE FROM kepler.users WHERE workspace_id = 'w' AND id = 'ada'"
# The keys of entries are others in each database.
plain="relation, CASE WHEN relation !~ '^kepler_data' THEN row_id END, entity_type, operation"
# In an order in which statements and transactions are told one after the other.
for from in NULL "$(at empty)" "$(at begun)"; do
  both "SELECT $plain FROM kepler.changes_since($from, workspace_id => 'w')"
  lines=$(wc -l <<<"$SAID")
  [[ $lines -ge 7 ]] || die "only $lines changes from $from"
  for to in reader both; do
    both "SET ROLE kepler_feed_$to" "SELECT kepler.use_workspace('w', false)" "SELECT $plain FROM kepler.changes_since($from, workspace_id => 'w')"
    [[ $(wc -l <<<"$SAID") -eq $((lines + 1)) ]] || die "to $to: $SAID"
  done
done
both "SELECT $plain FROM kepler.changes_since(workspace_id => 'x')"
[[ $(wc -l <<<"$SAID") -eq 2 ]] || die "of the other workspace: $SAID"
both "SET ROLE kepler_feed_other" "SELECT count(*) FROM kepler.changes_since()"
says 2
for to in other none; do
  for call in "count(*) FROM kepler.changes_since(workspace_id => 'w')" "count(*) FROM kepler.changes_since($(at begun), workspace_id => 'w')" \
    "kepler.feed_cursor('w')" "consumers FROM kepler.feed_lag('w')" "outcome FROM kepler.acknowledge_changes('c', $(at begun), 'w')"; do
    both "SET ROLE kepler_feed_$to" "SELECT $call"
    says 'ERROR:  42501'
  done
done
# A cursor of w is none of x's; what belongs to no workspace is the owner's, in the feed of the coordinator.
both "SELECT count(*) FROM kepler.changes_since($(at begun), workspace_id => 'x')"
says 'ERROR:  22023'
both "SELECT relation, row_id, operation FROM kepler.changes_since(workspace_id => NULL)"
says 'public.plain|1|INSERT'
both "SELECT length(kepler.feed_cursor(NULL))" "SET ROLE kepler_feed_reader" "SELECT count(*) FROM kepler.changes_since(workspace_id => NULL)"
says $'58\nERROR:  42501'
# Of a table, and of a type.
both "SELECT $plain FROM kepler.changes_since($(at begun), relation => 'orders', workspace_id => 'w') WHERE operation IS NOT NULL"
[[ $(wc -l <<<"$SAID") -eq 4 ]] || die "of a table on the coordinator: $SAID"
both "SELECT $plain FROM kepler.changes_since(relation => 'kepler.users', workspace_id => 'w') WHERE operation IS NOT NULL"
[[ $(wc -l <<<"$SAID") -eq 4 ]] || die "of a distributed table: $SAID"
both "SELECT count(*) FROM kepler.changes_since(relation => '$parcels', workspace_id => 'w') WHERE operation IS NOT NULL"
says 1
both "SELECT count(*) FROM kepler.changes_since(entity_type => 'contact', workspace_id => 'w') WHERE operation IS NOT NULL"
says 0
both "SELECT outcome FROM kepler.upsert_record('contact', 'c', '{}', workspace_id => 'w')" \
  "SELECT relation, entity_type, operation FROM kepler.changes_since($(at begun), entity_type => 'contact', workspace_id => 'w') WHERE operation IS NOT NULL"
says $'inserted\nkepler.records|contact|INSERT'
# A cursor that was given for one table misses nothing of the other.
does "CREATE FUNCTION public.rest(first regclass) RETURNS SETOF text LANGUAGE plpgsql AS \$\$
    DECLARE last text;
    BEGIN
      SELECT c.cursor INTO last FROM kepler.changes_since(NULL, 1, relation => first, workspace_id => 'w') AS c;
      RETURN QUERY SELECT format('%s %s %s', c.relation, c.row_id, c.operation) FROM kepler.changes_since(last, workspace_id => 'w') AS c
      WHERE c.relation IN ('kepler.users', 'public.orders') AND c.operation IS NOT NULL;
    END \$\$"
expect 9 "SELECT count(*) FROM public.rest('orders')"
expect 9 "SELECT count(*) FROM public.rest('kepler.users')"

# Some at a time: however many, all, once, and each side in its order.
does "CREATE FUNCTION public.followed(max_rows integer, from_cursor text) RETURNS TABLE (relation text, row_id text, sequence bigint) LANGUAGE plpgsql AS \$\$
    DECLARE c record; last text := from_cursor; given boolean := true;
    BEGIN
      WHILE given LOOP
        given := false;
        FOR c IN SELECT * FROM kepler.changes_since(last, max_rows, workspace_id => 'w') LOOP
          given := true; last := c.cursor; relation := c.relation; row_id := c.row_id; sequence := c.sequence;
          IF c.operation IS NOT NULL THEN RETURN NEXT; END IF;
        END LOOP;
      END LOOP;
    END \$\$"
for rows in 1 2 3 1000; do
  for from in NULL "$(at empty)" "$(at begun)"; do
    both "SELECT count(*), count(DISTINCT (relation ~ '^kepler[.]', sequence)), string_agg(CASE WHEN relation IN ('kepler.users', 'public.orders') THEN row_id END, ',') FROM public.followed($rows, $from)"
  done
done
does "INSERT INTO public.orders SELECT 'w', 'n' || n FROM generate_series(1, 3000) AS n" \
  "INSERT INTO kepler.users (workspace_id, id, email) SELECT 'w', 'n' || n, n FROM generate_series(1, 3000) AS n"
for rows in 999 4000; do
  both "SELECT count(*), count(DISTINCT (relation ~ '^kepler[.]', sequence)) FROM public.followed($rows, $(at begun)) AS followed /* changes_since */"
  says '6009|6009'
done
both "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM kepler.changes_since($(at begun), 10000, workspace_id => 'w'); COMMIT"
says 6009

# Where one feed alone can be reached.
expect 'ERROR:  0A000' "SELECT count(*) FROM kepler.users AS u, kepler.changes_since(workspace_id => u.workspace_id) WHERE u.workspace_id = 'w' AND u.id = 'eve'"
expect 'ERROR:  0A000' "SELECT kepler.feed_cursor('w') FROM kepler.users AS u WHERE u.workspace_id = 'w' AND u.id = 'eve'"
# The node does not know the table.
expect 'ERROR:  42P01' "SELECT count(*) FROM kepler.users AS u, kepler.changes_since(workspace_id => 'w', relation => 'public.orders') WHERE u.workspace_id = 'w'"
expect 'ERROR:  0A000' "SELECT consumers FROM kepler.users AS u, kepler.feed_lag('w') WHERE u.workspace_id = 'w' AND u.id = 'eve'"
begun=$(run $database -c "SELECT $(at begun)")
for from in NULL "'$begun'"; do
  expect 'eve INSERT' "SELECT u.id || ' ' || c.operation FROM kepler.changes_since($from, relation => 'kepler.users', workspace_id => 'w') AS c
    JOIN kepler.users AS u ON u.workspace_id = 'w' AND u.id = c.row_id WHERE u.id = 'eve'"
done
# What it says of the position holds for all tables.
last=$(run $database -c "SELECT c.cursor FROM kepler.changes_since('$begun', relation => 'kepler.users', max_rows => 10000, workspace_id => 'w') AS c
  WHERE EXISTS (SELECT u.id FROM kepler.users AS u WHERE u.workspace_id = 'w') ORDER BY c.sequence DESC LIMIT 1")
expect '3005 0' "SELECT count(*) || ' ' || count(*) FILTER (WHERE relation = 'kepler.users') FROM kepler.changes_since('$last', 10000, workspace_id => 'w') WHERE relation ~ 'users|orders|data'"
for node in "${CITUS_WORKERS[@]}"; do
  for call in "count(*) FROM kepler.changes_since(workspace_id => 'w')" "kepler.feed_cursor('w')" "consumers FROM kepler.feed_lag('w')"; do
    said=$(on_node "$node" -d $database -v VERBOSITY=sqlstate -c "SELECT $call" 2>&1) || true
    [[ $said == 'ERROR:  0A000' ]] || die "on $node $call says \"$said\""
  done
done
both "SELECT w.id, length(kepler.feed_cursor(w.id)) > 0 FROM kepler.workspaces AS w WHERE w.id IN ('w', 'x') ORDER BY w.id"

# Consumers, who stand in both feeds.
acknowledge() { both "SELECT outcome FROM kepler.acknowledge_changes('c', $1, workspace_id => 'w')"; says "$2"; }
note now
acknowledge "$(at begun)" inserted
acknowledge "$(at begun)" unchanged
acknowledge "$(at empty)" stale
waits() {
  both "SELECT c ->> 'waiting', c ->> 'oldest_at' IS NOT NULL, c ->> 'problem' FROM kepler.feed_lag('w') AS l, jsonb_array_elements(l.consumers) AS c"
  says "$1"
  both "SELECT workspace_id, consumer, waiting, oldest_waiting_at IS NOT NULL, is_readable FROM kepler.stat_feed"
  says "$2"
  both "SELECT labels ->> 'consumer', value FROM kepler.metrics() WHERE name = 'kepler_feed_waiting_changes' /* stat_feed */"
  says "c|$3"
}
waits '6009|t|' 'w|c|6009|t|t' 6009
both "SELECT count(*) FROM kepler.changes_since(consumer => 'c', max_rows => 10000, workspace_id => 'w')"
says 6009
both "SELECT count(*) FROM kepler.changes_since(consumer => 'c', relation => 'orders', max_rows => 10000, workspace_id => 'w') WHERE operation IS NOT NULL"
says 3004
acknowledge "$(at now)" updated
waits '0|f|' 'w|c|0|f|t' 0
does "INSERT INTO public.orders VALUES ('w', 'four')" "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'five', 'five')" "INSERT INTO public.orders VALUES ('w', 'five')"
waits '3|t|' 'w|c|3|t|t' 3
both "SELECT relation, row_id FROM kepler.changes_since(consumer => 'c', workspace_id => 'w')"
says $'public.orders|four\nkepler.users|five\npublic.orders|five'
both "SELECT count(*) FROM kepler.changes_since(consumer => 'nobody', workspace_id => 'w')"
says 'ERROR:  42704'
# Two readers that have come further in one feed each.
last_of() { echo "(SELECT c.cursor FROM kepler.changes_since(consumer => 'c', relation => '$1', workspace_id => 'w') AS c ORDER BY c.sequence DESC LIMIT 1)"; }
here=$(run $database -c "SELECT $(last_of public.orders)")
there=$(run $database -c "SELECT $(last_of kepler.users)")
expect updated "SELECT outcome FROM kepler.acknowledge_changes('c', '$here', workspace_id => 'w')"
expect 'kepler.users five' "SELECT relation || ' ' || row_id FROM kepler.changes_since(consumer => 'c', workspace_id => 'w')"
expect updated "SELECT outcome FROM kepler.acknowledge_changes('c', '$there', workspace_id => 'w')"
expect 0 "SELECT count(*) FROM kepler.changes_since(consumer => 'c', workspace_id => 'w')"
expect stale "SELECT outcome FROM kepler.acknowledge_changes('c', '$here', workspace_id => 'w')"
does "SELECT kepler.acknowledge_changes('c', kepler.feed_cursor('w'), workspace_id => 'w') IS NOT NULL" "DELETE FROM kepler.consumers WHERE workspace_id = 'w'"

# A reader follows while two write, to both sides in one transaction and to each alone, with rollbacks.
does "CREATE TABLE public.told (relation text, row_id text, sequence bigint);
  CREATE TABLE public.done (writer integer);
  CREATE PROCEDURE public.write(writer integer) LANGUAGE plpgsql AS \$\$
  BEGIN
    FOR i IN 1 .. 150 LOOP
      IF i % 3 <> 0 THEN
        PERFORM kepler.upsert_record('contact', format('%s', i % 40), jsonb_build_object('n', i, 'by', writer), workspace_id => 'w');
      END IF;
      IF i % 3 <> 1 THEN
        INSERT INTO public.orders VALUES ('w', format('%s %s', writer, i % 40), i) ON CONFLICT (workspace_id, id) DO UPDATE SET n = excluded.n;
        PERFORM public.parcel(format('%s %s', writer, i));
      END IF;
      IF i % 7 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
    INSERT INTO public.done VALUES (writer);
  END \$\$;
  CREATE PROCEDURE public.follow(rows integer) LANGUAGE plpgsql AS \$\$
  DECLARE c record; last text; is_last boolean; idle integer := 0;
  BEGIN
    WHILE idle < 50 LOOP
      is_last := (SELECT count(*) = 2 FROM public.done);
      COMMIT;
      last := NULL;
      FOR c IN SELECT * FROM kepler.changes_since(consumer => 'reader', max_rows => rows, workspace_id => 'w') LOOP
        last := c.cursor;
        IF c.operation IS NOT NULL THEN INSERT INTO public.told VALUES (c.relation, c.row_id, c.sequence); END IF;
      END LOOP;
      IF last IS NOT NULL THEN PERFORM kepler.acknowledge_changes('reader', last, workspace_id => 'w'); idle := 0; END IF;
      COMMIT;
      IF last IS NULL THEN
        PERFORM pg_sleep(0.02);
        IF is_last THEN idle := idle + 1; END IF;
      END IF;
    END LOOP;
  END \$\$"
run $database -o /dev/null -c "SELECT kepler.acknowledge_changes('reader', kepler.feed_cursor('w'), workspace_id => 'w')" \
  -c "INSERT INTO public.cursors SELECT 'followed', kepler.feed_cursor('w')"
for writer in 1 2; do PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -d $database -c "CALL public.write($writer)" & writers[writer]=$!; done
said=$(run $database -c "CALL public.follow(7)")
[[ -z $said ]] || die "the reader says $said"
for writer in 1 2; do wait "${writers[writer]}" || die "writer $writer failed"; done
expect 0 "SELECT count(*) FROM kepler.changes_since(consumer => 'reader', workspace_id => 'w')"
# What both feeds have of it, read by hand where it is.
feeds=()
for node in "${CITUS_NODES[@]}"; do
  feeds+=("$(on_node "$node" -d $database -c "SELECT f.sequence || ' ' || f.row_id FROM kepler.feed AS f WHERE f.workspace_id = 'w'
    AND (f.table_id = 1 AND f.entity_type = 'contact' OR f.row_id ~ '^[12] [0-9]+\$' OR f.table_id IN (SELECT t.id FROM kepler.tracked_tables AS t WHERE t.name ~ 'kepler_data'))")")
done
in_feeds=$(printf '%s\n' "${feeds[@]}" | grep -c .)
expect "$((in_feeds - 2)) $((in_feeds - 2)) 3" "SELECT count(*) || ' ' || count(DISTINCT (t.relation ~ '^kepler[.]', t.sequence)) || ' ' || count(DISTINCT t.relation) FROM public.told AS t"
expect 0 "SELECT count(*) FROM (SELECT o.id FROM public.orders AS o WHERE o.id ~ '^[12] [0-9]+\$' EXCEPT SELECT t.row_id FROM public.told AS t) AS missed"
[[ $in_feeds -gt 400 ]] || die "only $in_feeds changes"
run $database -c "DELETE FROM kepler.consumers WHERE workspace_id = 'w'"

# A new change waits for whatever is older, on either side; the other one goes on.
note held
expect '' "SELECT held_by FROM kepler.feed_lag('w')"
mkfifo "$BUILD/citus-feed-held"
"$PG_BIN/psql" -Xq -d $database <"$BUILD/citus-feed-held" &
holder=$!
exec 7>"$BUILD/citus-feed-held"
rm "$BUILD/citus-feed-held"
echo "BEGIN; INSERT INTO public.orders VALUES ('x', 'held');" >&7
for ((try = 0; try < 100; try++)); do [[ $(run $database -c "SELECT count(*) FROM pg_locks WHERE relation = 'public.orders'::regclass AND mode = 'RowExclusiveLock'") == 0 ]] || break; sleep 0.1; done
run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', 'waits')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'waits', 'waits')"
expect 'kepler.users' "SELECT relation FROM kepler.changes_since($(at held), workspace_id => 'w')"
expect session "SELECT held_by FROM kepler.feed_lag('w')"
last=$(run $database -c "SELECT cursor FROM kepler.changes_since($(at held), workspace_id => 'w')")
echo 'COMMIT; \q' >&7
exec 7>&-
wait $holder
expect 'public.orders' "SELECT relation FROM kepler.changes_since('$last', workspace_id => 'w')"

# What was dropped for its age is told, on either side, also to who has read nothing of that side yet.
drop_old() {
  on_node "$1" -d $database -c "INSERT INTO kepler.feed_default (xid, sequence, created_at, epoch, table_id, operation, workspace_id, row_id)
    SELECT f.xid, f.sequence + 1, now() - interval '40 days', f.epoch, f.table_id, 'UPDATE', 'w', 'old' FROM kepler.feed AS f
    WHERE f.workspace_id = 'w' ORDER BY f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1" \
    -c 'CALL kepler.maintain_feed()' >/dev/null
}
holds=$(run $database -c "SELECT n.nodename FROM pg_dist_node AS n JOIN citus_shards AS s USING (nodename) WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', 'w')")
node=${CITUS_WORKERS[0]}
[[ $(server_socket_dir "$node") == "$holds" ]] || node=${CITUS_WORKERS[1]}
for side in "$COORDINATOR" "$node"; do
  note before
  run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', '$side')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', '$side', '$side')"
  of_other=orders
  [[ $side != "$COORDINATOR" ]] || of_other=kepler.users
  # The first row of the other side alone.
  expect 1 "SELECT count(*) FROM kepler.changes_since($(at before), 1, relation => '$of_other', workspace_id => 'w')"
  last=$(run $database -c "SELECT c.cursor FROM kepler.changes_since($(at before), 1, relation => '$of_other', workspace_id => 'w') AS c")
  first=$(run $database -c "SELECT c.cursor FROM kepler.changes_since(NULL, 1, relation => '$of_other', workspace_id => 'w') AS c")
  run $database -o /dev/null -c "SELECT kepler.acknowledge_changes('late', $(at before), workspace_id => 'w')"
  drop_old "$side"
  expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since($(at before), workspace_id => 'w')"
  expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$last', workspace_id => 'w')"
  expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$first', workspace_id => 'w')"
  expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since(consumer => 'late', workspace_id => 'w')"
  expect ' changes behind the cursor have been deleted for their age' "SELECT concat(c ->> 'waiting', ' ', c ->> 'problem') FROM kepler.feed_lag('w') AS l, jsonb_array_elements(l.consumers) AS c"
  # The other side is whole.
  expect 1 "SELECT count(*) FROM kepler.changes_since($(at before), relation => '$of_other', workspace_id => 'w')"
  # Whoever begins now goes on from there.
  expect t "SELECT count(*) > 0 FROM public.followed(3, NULL) AS followed"
  first=$(run $database -c "SELECT c.cursor FROM kepler.changes_since(NULL, 1, relation => '$of_other', workspace_id => 'w') AS c")
  expect t "SELECT count(*) >= 0 FROM public.followed(1000, '$first') AS followed"
  run $database -o /dev/null -c "DELETE FROM kepler.consumers WHERE workspace_id = 'w'"
done

# Cursors of another number of feeds, of before a move, of before the cluster; another server than this one.
one=$(run $alone -c "SELECT kepler.feed_cursor('w')")
expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$one', workspace_id => 'w')"
expect 'ERROR:  55000' "SELECT outcome FROM kepler.acknowledge_changes('c', '$one', workspace_id => 'w')"
two=$(run $database -c "SELECT kepler.feed_cursor('w')")
[[ ${#one} -eq 58 && ${#two} -eq 106 ]] || die "cursors: $one $two"
for call in "count(*) FROM kepler.changes_since('$two', workspace_id => 'w')" "outcome FROM kepler.acknowledge_changes('c', '$two', workspace_id => 'w')"; do
  said=$(run $alone -c "SELECT $call")
  [[ $said == 'ERROR:  55000' ]] || die "on one server a cursor of a cluster: $said"
done
expect 'ERROR:  22023' "SELECT count(*) FROM kepler.changes_since('${two/02/03}', workspace_id => 'w')"
expect 'ERROR:  22023' "SELECT count(*) FROM kepler.changes_since('${two}00', workspace_id => 'w')"
run $database -o /dev/null -c "SELECT kepler.acknowledge_changes('moved', '$two', workspace_id => 'w')"
# move CONDITION: to another node, a worker or the coordinator.
move() {
  run $database -o /dev/null -c 'CALL citus_cleanup_orphaned_resources()' \
    -c "SELECT citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, n.nodename, n.nodeport, shard_transfer_mode => 'block_writes')
    FROM citus_shards AS s JOIN pg_dist_node AS n ON n.nodename <> s.nodename AND $1
    WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', 'w') LIMIT 1"
}
move 'n.groupid > 0'
expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$two', workspace_id => 'w')"
expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w')"
# Of the coordinator's own tables nothing has moved.
expect 0 "SELECT count(*) FROM kepler.changes_since('$two', relation => 'orders', workspace_id => 'w')"
note moved
expect updated "SELECT outcome FROM kepler.acknowledge_changes('moved', $(at moved), workspace_id => 'w')"
run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', 'moved')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'moved', 'moved')"
expect 'public.orders kepler.users' "SELECT relation FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w')"
before=$(run $database -c "SELECT kepler.feed_cursor('w')")

# On the coordinator there is one feed, with all that was changed.
may_have() { run $database -o /dev/null -c "SELECT citus_set_node_property('$(server_socket_dir "$COORDINATOR")', 5432, 'shouldhaveshards', $1)"; }
may_have true
move 'n.groupid = 0'
expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$before', workspace_id => 'w')"
expect 'ERROR:  55000' "SELECT outcome FROM kepler.acknowledge_changes('moved', '$before', workspace_id => 'w')"
expect updated "SELECT outcome FROM kepler.acknowledge_changes('moved', kepler.feed_cursor('w'), workspace_id => 'w')"
run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', 'here')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'here', 'here')"
expect 'public.orders 58 kepler.users 58' "SELECT relation || ' ' || length(cursor) FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w')"
expect 'public.orders' "SELECT relation FROM kepler.changes_since(consumer => 'moved', relation => 'orders', workspace_id => 'w') WHERE operation IS NOT NULL"
expect 'here here' "SELECT c.row_id FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w') AS c JOIN kepler.users AS u ON u.workspace_id = 'w' AND u.id = c.row_id"
expect 2 "SELECT c ->> 'waiting' FROM kepler.feed_lag('w') AS l, jsonb_array_elements(l.consumers) AS c WHERE c ->> 'consumer' = 'moved'"
here=$(run $database -c "SELECT kepler.feed_cursor('w')")
move 'n.groupid > 0'
may_have false
for old in "$here" "$before"; do expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$old', workspace_id => 'w')"; done
expect updated "SELECT outcome FROM kepler.acknowledge_changes('moved', kepler.feed_cursor('w'), workspace_id => 'w')"
# What was changed in distributed tables while they were here is not told from here.
expect 'public.orders here' "SELECT concat_ws(' ', relation, row_id) FROM kepler.changes_since(workspace_id => 'w') WHERE row_id = 'here' AND relation <> 'kepler.users'"
expect 0 "SELECT count(*) FROM kepler.changes_since(workspace_id => 'w', max_rows => 10000) WHERE row_id = 'here' AND relation = 'kepler.users'"

run $database -o /dev/null -c 'SELECT kepler.undistribute()'
for old in "$before" "$two"; do expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$old', workspace_id => 'w')"; done
expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w')"
expect updated "SELECT outcome FROM kepler.acknowledge_changes('moved', kepler.feed_cursor('w'), workspace_id => 'w')"
run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', 'back')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'back', 'back')"
expect 'public.orders kepler.users' "SELECT relation FROM kepler.changes_since(consumer => 'moved', workspace_id => 'w')"
one=$(run $database -c "SELECT kepler.feed_cursor('w')")

# Distributed again: what was changed in distributed tables meanwhile is in the coordinator's feed, and not told from there.
run $database -o /dev/null -c "SET client_min_messages = error" -c 'SELECT kepler.distribute()'
for old in "$one" "$before" "$two"; do expect 'ERROR:  55000' "SELECT count(*) FROM kepler.changes_since('$old', workspace_id => 'w')"; done
expect 'public.orders back' "SELECT concat_ws(' ', relation, row_id) FROM kepler.changes_since(workspace_id => 'w') WHERE operation IS NOT NULL"
note again
run $database -o /dev/null -c "INSERT INTO public.orders VALUES ('w', 'again')" -c "INSERT INTO kepler.users (workspace_id, id, email) VALUES ('w', 'again', 'again')"
expect 'public.orders kepler.users' "SELECT relation FROM kepler.changes_since($(at again), workspace_id => 'w')"
echo 'on a cluster the feeds of both sides are one, and nothing of them is missed'
