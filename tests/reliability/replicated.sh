#!/usr/bin/env bash
# Promise: a database with Kepler is copied and followed by logical replication, as docs/operations.md says: with the statements of that
# page. All rows arrive, initially and later; generated columns are computed; sessions of the subscriber hear of changes; its feed is its
# own; after the recipe for sequences it takes over, and gives no number twice.
# Runs on: 18, because what is published is the same on both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=replicated-$major
work=$(mktemp -d)
trap 'remove_server "$server" "$major"; rm -rf "$work"' EXIT
remove_server "$server" "$major"
start_server "$server" "$major" 'wal_level = logical' 'wal_retrieve_retry_interval = 50' 'max_sync_workers_per_subscription = 4' 'fsync = off' 'synchronous_commit = off' 'max_prepared_transactions = 2'
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
here() { run -d app "$@"; }
there() { run -d copy "$@"; }
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }
# The statement of the page whose first line says what it is.
of_page() { awk -v name="-- $1" '/^```/ { on = 0 } on { print } $0 == name { on = 1 }' "$ROOT/docs/operations.md"; }

run -c 'CREATE DATABASE app' -c 'CREATE DATABASE copy TEMPLATE template0' -c 'CREATE ROLE kepler_some_reader' -c 'CREATE ROLE kepler_some_member'
here -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' -f "$ROOT/tests/reliability/a_bit_of_everything.sql" >/dev/null
"$PG_BIN/pg_dump" --schema-only app | there -f - >/dev/null
"$PG_BIN/pg_dump" --data-only --disable-triggers --table=kepler.schema_versions --table=kepler.tracked_tables app | there -f - >/dev/null
of_page Publication | here -f -
# Each table that is published can tell which row was changed.
expect 'tables without an identity' "$(here -c "SELECT t.schemaname, t.tablename FROM pg_publication_tables AS t JOIN pg_class AS c ON c.oid = format('%I.%I', t.schemaname, t.tablename)::regclass
    WHERE c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)")" ''
here -c "ALTER PUBLICATION kepler ADD TABLE app.\"Child\", model.\"Parent\"" -c "SELECT pg_create_logical_replication_slot('kepler', 'pgoutput')" >/dev/null
there -c "CREATE SUBSCRIPTION kepler CONNECTION 'host=$PGHOST dbname=app user=postgres' PUBLICATION kepler WITH (create_slot = false)" 2>&1
published=$(here -c "SELECT format('%I.%I', schemaname, tablename) FROM pg_publication_tables ORDER BY 1")
sums() {
  local table
  for table in $published; do echo "SELECT '$table', count(*), md5(string_agg(r::text, chr(10) ORDER BY r::text)) FROM $table AS r;"; done | run -d "$1" -f -
}
# Transactions arrive in their order: a mark is behind what came before it.
caught_up() {
  local mark=mark-$RANDOM
  here -c "UPDATE kepler.workspaces SET name = '$mark' WHERE id = 'other'"
  for _ in $(seq 400); do
    [[ $(there -c "SELECT (SELECT name FROM kepler.workspaces WHERE id = 'other') = '$mark' AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')") == t ]] && return
    sleep 0.05
  done
  die "the subscriber does not catch up: $(there -c "SELECT srrelid::regclass, srsubstate FROM pg_subscription_rel WHERE srsubstate <> 'r'") $(tail -n 5 "$LOGS/server-$server.log")"
}
caught_up
[[ $(sums app) == "$(sums copy)" ]] || die "the copy is not equal: $(diff <(sums app) <(sums copy))"
[[ $(sums copy) == *'kepler.records|'* && $(sums copy) == *'kepler_data.order_1_entries|2|'* ]] || die 'not the rows that were meant'
echo 'the copy is equal'

# What changes arrives, and a session of the subscriber that has asked before hears of it. The feed there is its own.
coproc SESSION { there 2>&1; }
ask() { echo "$1" >&"${SESSION[1]}"; IFS= read -r said <&"${SESSION[0]}"; }
ask "SELECT count(*) FROM kepler.changes_since();"
before=$said
ask "SELECT space FROM (SELECT w.embedding_space AS space FROM kepler.workspaces AS w WHERE w.id = 'other') AS w;"
here >/dev/null <<'SQL'
SELECT count(*) FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 100}}, {"external_id": "2", "deleted": true}, {"external_id": "new", "data": {}}]', connection_id => 'c');
SELECT kepler.remember('later', '[3, 2, 1]', user_id => 'u');
SELECT kepler.insert_entries('Order', '[{"code": "later"}]');
SELECT count(*) FROM kepler.claim_records('lead', 'worker', 1);
DELETE FROM kepler.conversations WHERE id = 'talk';
SELECT kepler.set_enrichment_policy('contact', max_attempts => 7);
INSERT INTO model."Parent" (id) VALUES (1);
SQL
caught_up
[[ $(sums app) == "$(sums copy)" ]] || die "the copy does not follow: $(diff <(sums app) <(sums copy))"
ask "SELECT count(*) - $before FROM kepler.changes_since();"
[[ $said -ge 3 ]] || die "the feed of the subscriber: $said"
expect 'content that was found' "$(there -c "SELECT external_id FROM kepler.records WHERE content_hash = kepler.jsonb_hash('{\"n\": 100}')")" 1
expect 'the memory' "$(there -c "SELECT content FROM kepler.search_memories('[3, 2, 1]', 1, user_id => 'u')")" later
echo 'it follows'
if error=$(there -c 'SELECT kepler.uninstall(true)' 2>&1); then die 'the tables of a subscription were dropped'; fi
[[ $error == *'subscription kepler, which fills '* ]] || die "$error"

# It takes over.
of_page Sequences | there -f - >/dev/null
there -c 'ALTER SUBSCRIPTION kepler DISABLE' -c 'ALTER SUBSCRIPTION kepler SET (slot_name = NONE)' -c 'DROP SUBSCRIPTION kepler'
expect 'what install() has to do there' "$(there -c 'SELECT DISTINCT outcome FROM kepler.install()')" unchanged
highest=$(here -c 'SELECT max(id) FROM kepler.leases')
there >/dev/null <<'SQL'
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "3", "data": {}}]');
SELECT kepler.insert_entries('Order', '[{"code": "there"}]');
SELECT kepler.create_entry_table('Fresh', '{"fields": []}');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
SELECT kepler.add_message('talk', 'user', 'said there');
SELECT kepler.start_execution('w', 'there');
SQL
[[ $(there -c "SELECT min(lease_id) FROM kepler.claim_records('lead', 'worker', 1)") -gt $highest ]] || die 'a lease has a number that was given before'
expect 'a session that has seen the tables before' "$(ask 'SELECT count(*) FROM kepler.leases;'; echo "$said")" 3
echo 'it takes over'

# A transaction that was prepared keeps the tables; publications do not, and stay.
run -d app -c 'CREATE PUBLICATION everything FOR ALL TABLES' -c 'BEGIN' -c "INSERT INTO kepler.users (id, email) VALUES ('p', 'p')" -c "PREPARE TRANSACTION 'left behind'"
if error=$(here -c "SELECT kepler.uninstall(true, '{\"lock_timeout_ms\": 50, \"lock_attempts\": 1}')" 2>&1); then die 'tables with a prepared transaction were dropped'; fi
[[ $error == *"Prepared transactions hold locks on it: 'left behind'."* ]] || die "$error"
here -c "ROLLBACK PREPARED 'left behind'" -c 'SELECT kepler.uninstall(true)' -c 'DROP EXTENSION kepler' -c 'DROP SCHEMA kepler' >/dev/null
expect 'publications' "$(here -c 'SELECT string_agg(pubname, $$ $$ ORDER BY pubname) FROM pg_publication')" 'everything kepler'
echo 'tables that are published, or in a prepared transaction, are dropped when nobody needs them'
