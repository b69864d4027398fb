#!/usr/bin/env bash
# Promise: a consumer of the change feed neither skips nor repeats a change when the database is dumped and restored into
# another cluster, whose transactions are counted anew; before the first change there, and after. One that has seen changes
# which the dump does not have is told so. Tracked tables stay tracked, under their names. The same where a copy of the files
# is put back, after which transactions get the same numbers again in the same epoch.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=feed-restored-$major
work=$(mktemp -d)
start_server "$major"
source_host=$PGHOST
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
trap 'remove_server "$name" "$major"; PGHOST=$source_host run -d postgres -c "DROP DATABASE IF EXISTS kepler_feed_moved WITH (FORCE)"; rm -rf "$work"' EXIT

# A cluster of its own, and not a copy of the one that all servers of the tests come from.
data=$(server_data_dir "$name")
rm -rf "$data"
mkdir -m 700 "$data"
chown "$SERVER_USER" "$data"
run_as_server_user "$PG_BIN/initdb" -D "$data" -U postgres -E UTF8 --locale=C --auth-local=trust --auth-host=reject --no-sync --no-instructions >"$LOGS/initdb-$name.log"
echo "include 'kepler.conf'" | run_as_server_user tee -a "$data/postgresql.conf" >/dev/null
start_server "$name" "$major"
target_host=$PGHOST
source_run() { PGHOST=$source_host run -d kepler_feed_moved "$@"; }
target_run() { PGHOST=$target_host run -d kepler_feed_moved "$@"; }

fresh() { PGHOST=$1 run -d postgres -c 'DROP DATABASE IF EXISTS kepler_feed_moved WITH (FORCE)' -c 'CREATE DATABASE kepler_feed_moved TEMPLATE template0'; }
fresh "$source_host"
# The numbers of transactions are far ahead of those of the new cluster.
source_run -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
source_run >/dev/null <<'SQL'
DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$;
CREATE SCHEMA "My Shop";
CREATE TABLE "My Shop".orders (id integer PRIMARY KEY);
SELECT kepler.track('"My Shop".orders');
ALTER TABLE "My Shop".orders RENAME TO "Orders";
SQL
for i in 1 2 3 4 5 6; do source_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('$i', 't')"; done
third=$(source_run -c "SELECT cursor FROM kepler.changes_since() WHERE row_id = '3'")
source_run -c "SELECT FROM kepler.acknowledge_changes('indexer', '$third')"
now=$(source_run -c 'SELECT kepler.feed_cursor()')
"$PG_BIN/pg_dump" -h "$source_host" -d kepler_feed_moved -f "$work/dump.sql"
# This is not in the dump.
source_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('lost', 't')"
lost=$(source_run -c "SELECT cursor FROM kepler.changes_since() WHERE row_id = 'lost'")

fresh "$target_host"
target_run -f "$work/dump.sql" >/dev/null
[[ $(target_run -c 'SELECT txid_current()') -lt $(source_run -c 'SELECT min(xid)::text::bigint FROM kepler.feed') ]] || die "the new cluster counts as far as the old one"
changes() { target_run -c "SELECT coalesce(string_agg(row_id, ' ' ORDER BY n), '-') FROM kepler.changes_since($1) WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)"; }
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }
expect 'before the first change, by cursor' "$(changes "'$third'")" '4 5 6'
expect 'before the first change, by consumer' "$(changes "consumer => 'indexer'")" '4 5 6'
expect 'before the first change, from the end' "$(changes "'$now'")" '-'
began=$(target_run -c 'SELECT kepler.feed_cursor()')
target_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('7', 't')"
target_run -c "UPDATE kepler.records SET source = 'x' WHERE id = '1'"
expect 'by cursor' "$(changes "'$third'")" '4 5 6 7 1'
expect 'by consumer' "$(changes "consumer => 'indexer'")" '4 5 6 7 1'
expect 'from the end' "$(changes "'$now'")" '7 1'
expect 'from the beginning of the new cluster' "$(changes "'$began'")" '7 1'
expect 'from the oldest' "$(changes 'NULL')" '1 2 3 4 5 6 7 1'
expect 'one by one' "$(target_run -c "WITH RECURSIVE step AS (
    SELECT 0 AS n, '$third'::text AS cursor, ''::text AS row_id
    UNION ALL SELECT s.n + 1, c.cursor, c.row_id FROM step AS s CROSS JOIN LATERAL kepler.changes_since(s.cursor, 1) AS c)
  SELECT string_agg(row_id, ' ' ORDER BY n) FROM step WHERE n > 0")" '4 5 6 7 1'
if error=$(changes "'$lost'" 2>&1); then die "a cursor behind what the dump has: $error"; fi
[[ $error == *'restored to an earlier state'* ]] || die "$error"
expect 'epochs' "$(target_run -c 'SELECT string_agg(DISTINCT epoch::text, $$ $$) FROM kepler.feed_epochs')" '1 2'
expect 'epochs begun' "$(target_run -c 'SELECT count(*) FROM kepler.feed_epochs WHERE epoch = 2')" 1
# A cursor of the new cluster is not one of the old one.
new=$(target_run -c "SELECT cursor FROM kepler.changes_since() WHERE row_id = '7'")
if error=$(source_run -c "SELECT FROM kepler.changes_since('$new')" 2>&1); then die 'a cursor of another database was taken'; fi
[[ $error == *'of another database'* ]] || die "$error"
# The tracked table goes on, under its name.
target_run -c 'INSERT INTO "My Shop"."Orders" VALUES (1)'
expect 'the tracked table' "$(target_run -c "SELECT relation || ' ' || row_id FROM kepler.changes_since(NULL, relation => '\"My Shop\".\"Orders\"', workspace_id => NULL)")" '"My Shop"."Orders" 1'
# A copy of the files is put back: same cluster, same timeline, same epoch. Who has seen what it does not have is told, at once
# and when it has counted on; who has not goes on.
kept=$(target_run -c "SELECT cursor FROM kepler.changes_since('$new')")
kept_now=$(target_run -c 'SELECT kepler.feed_cursor()')
stop_server "$name" "$major"
cp -a "$data" "$work/copy"
start_server "$name" "$major"
target_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('9', 't')"
seen=$(target_run -c "SELECT cursor FROM kepler.changes_since('$kept')")
seen_now=$(target_run -c 'SELECT kepler.feed_cursor()')
[[ -n $kept && -n $seen ]] || die 'no cursor of the copy, or behind it'
stop_server "$name" "$major"
rm -rf "$data"
cp -a "$work/copy" "$data"
start_server "$name" "$major"
told() { if error=$(target_run -c "$2" 2>&1); then die "$1: taken: $error"; fi; [[ $error == *'restored to an earlier state'* ]] || die "$1: $error"; }
expect 'the copy, by a cursor of before' "$(changes "'$kept'")" '-'
expect 'the copy, by a cursor of its end' "$(changes "'$kept_now'")" '-'
told 'at a change that is lost' "SELECT FROM kepler.changes_since('$seen')"
told 'at the end of what is lost' "SELECT FROM kepler.changes_since('$seen_now')"
told 'acknowledging what is lost' "SELECT FROM kepler.acknowledge_changes('parked', '$seen')"
for _ in 1 2 3 4 5; do target_run -c 'SELECT FROM pg_current_xact_id()' >/dev/null; done
target_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('10', 't')"
expect 'the copy goes on, by a cursor of before' "$(changes "'$kept'")" '10'
expect 'the copy goes on, by a cursor of its end' "$(changes "'$kept_now'")" '10'
told 'at a change that is lost, later' "SELECT FROM kepler.changes_since('$seen')"
expect 'the epoch of the copy' "$(target_run -c 'SELECT max(epoch) FROM kepler.feed_epochs')" 2
# Restored back into a cluster where numbers are far ahead: the same again.
"$PG_BIN/pg_dump" -h "$target_host" -d kepler_feed_moved -Fc -f "$work/back"
fresh "$source_host"
"$PG_BIN/pg_restore" -h "$source_host" --exit-on-error -d kepler_feed_moved "$work/back"
source_run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('8', 't')"
expect 'moved back' "$(source_run -c "SELECT string_agg(row_id, ' ' ORDER BY n) FROM kepler.changes_since('$third') WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)")" '4 5 6 7 1 10 8'
