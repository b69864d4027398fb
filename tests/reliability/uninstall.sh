#!/usr/bin/env bash
# Promise: uninstall() and DROP EXTENSION leave nothing. The catalogs are as they were before CREATE EXTENSION, whatever was made
# in between; a table of one's own that was tracked is as it was, and what a blueprint has adopted stays. Before that, all that somebody hung on Kepler is named at once,
# and nothing is dropped while rows are there, or somebody is at work.
# Runs on: 18, because what depends on what is recorded in the same way on both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
work=$(mktemp -d)
export PGDATABASE=kepler_removed
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  _admin -c 'DROP DATABASE IF EXISTS kepler_removed WITH (FORCE)'
  for role in reader member owner other; do _admin -c "DROP ROLE IF EXISTS kepler_some_$role"; done
}
trap 'drop; rm -rf "$work"' EXIT
drop
fresh_database kepler_removed
for role in reader member owner other; do _admin -c "CREATE ROLE kepler_some_$role LOGIN"; done
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }
# fails CODE TEXT PSQL-ARGUMENT…: it must fail with this SQLSTATE, and say this.
fails() {
  local code=$1 text=$2 error
  shift 2
  if error=$(run -v VERBOSITY=verbose "$@" 2>&1); then die "taken: $*"; fi
  [[ $error == *"$code"* && $error == *"$text"* ]] || die "not $code with \"$text\": $error"
}
# Every row of every catalog, without what VACUUM and statistics change.
catalogs() {
  run -c "SELECT format('SELECT %L, to_jsonb(c) - ''{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relhastriggers,relhassubclass}''::text[] FROM pg_catalog.%I AS c ORDER BY 2;', relname, relname)
    FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_database') ORDER BY relname" | run -f - | grep -v '"nspname": "pg_\(toast_\)\?temp_' | sort
}

# Of a plain database: what goes comes back, in the same session, whose caches have seen the tables that are gone.
run -c 'CREATE EXTENSION vector'
catalogs >"$work/before"
run >"$work/again" <<'SQL'
CREATE EXTENSION kepler;
SELECT count(*) > 0 FROM kepler.install();
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}');
SELECT count(*) FROM kepler.changes_since();
SELECT count(*) > 40 FROM kepler.uninstall(with_rows => true) WHERE outcome = 'dropped';
SELECT count(*) FROM kepler.uninstall() WHERE outcome = 'dropped';
SELECT count(*) > 0 FROM kepler.install();
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}');
SELECT count(*) FROM kepler.changes_since();
BEGIN;
SAVEPOINT s;
SELECT count(*) > 40 FROM kepler.uninstall(with_rows => true) WHERE outcome = 'dropped';
ROLLBACK TO s;
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}');
SELECT outcome FROM kepler.upsert_record('contact', '2', '{}');
COMMIT;
SELECT count(*) FROM kepler.changes_since();
SELECT count(*) > 40 FROM kepler.uninstall(with_rows => true) WHERE outcome = 'dropped';
DROP EXTENSION kepler;
DROP SCHEMA kepler;
SQL
expect 'a session that goes on' "$(tr '\n' ' ' <"$work/again")" 't inserted 1 t 0 t inserted 1 t unchanged inserted 2 t '
catalogs >"$work/after"
cmp -s "$work/before" "$work/after" || die "something is left: $(diff "$work/before" "$work/after" | cut -c1-400)"
echo 'a plain database is as it was'

# What a blueprint has taken over with "adopt" was there before Kepler, and stays, also under the names that later versions give it.
# What the blueprint made goes.
run <<'SQL'
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('good', 'bad');
CREATE TABLE shop.customers (id bigint PRIMARY KEY, mood shop.mood);
CREATE TABLE shop.notes (id bigint PRIMARY KEY);
INSERT INTO shop.customers VALUES (1, 'good');
CREATE EXTENSION kepler;
SQL
run >"$work/adopted" <<'SQL'
SELECT count(*) > 0 FROM kepler.install();
\set before '{"blueprint": "shop", "enums": {"mood": ["good", "bad"]}, "tables": [{"name": "Customer", "table": "customers", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mood", "type": "enum", "enum": "mood"}]}, {"name": "Note", "table": "notes", "key": {"name": "id", "type": "bigint"}, "fields": []}, {"name": "Order", "table": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "customer", "type": "reference", "to": "Customer"}]}]}'
\set after '{"blueprint": "shop", "enums": {"feeling": {"renamed_from": "mood", "values": ["good", "bad"]}, "state": ["open"]}, "tables": [{"name": "Client", "table": "clients", "renamed_from": "Customer", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mood", "type": "enum", "enum": "feeling"}]}, {"name": "Note", "table": "notes", "key": {"name": "id", "type": "bigint"}, "fields": []}, {"name": "Purchase", "table": "customers", "renamed_from": "Order", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "customer", "type": "reference", "to": "Client"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'before', options => '{"adopt": true}');
SELECT table_name, adopted FROM kepler.blueprint_tables ORDER BY 1;
SELECT outcome FROM kepler.apply_blueprint(:'after', allow => '{rewrite,drop}');
SELECT table_name, adopted FROM kepler.blueprint_tables ORDER BY 1;
SELECT type_name, adopted FROM kepler.blueprint_enums ORDER BY 1;
SELECT object, outcome FROM kepler.uninstall_report() WHERE object LIKE 'shop%' OR outcome = 'blocks' ORDER BY 1;
SELECT count(*) > 40 FROM kepler.uninstall(with_rows => true) WHERE outcome = 'dropped';
DROP EXTENSION kepler;
DROP SCHEMA kepler;
SELECT * FROM shop.clients;
SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' ORDER BY 1;
SELECT typname FROM pg_type WHERE typnamespace = 'shop'::regnamespace AND typtype = 'e';
DROP SCHEMA shop CASCADE;
SQL
expect 'what was adopted' "$(tr '\n' ' ' <"$work/adopted")" 't applied customers|t notes|t orders|f applied clients|t customers|f notes|t feeling|t state|f shop.customers|dropped shop.state|dropped t 1|good clients notes feeling '
catalogs >"$work/after"
cmp -s "$work/before" "$work/after" || die "something is left of what was adopted: $(diff "$work/before" "$work/after" | cut -c1-400)"
echo 'what was there before it has stayed'

# With a bit of everything, and all that somebody may hang on it.
run -c 'CREATE EXTENSION kepler' -c 'SELECT FROM kepler.install()' >/dev/null
run -f "$ROOT/tests/reliability/a_bit_of_everything.sql" >/dev/null
fails 2BP01 'depend' -c 'DROP EXTENSION kepler'
fails 55000 'kepler.records' -c 'SELECT kepler.uninstall()'
for role in reader member other; do fails 42501 '' -c "SET ROLE kepler_some_$role" -c 'SELECT kepler.uninstall(true)'; done
fails 55000 'READ COMMITTED' -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT kepler.uninstall(true)'
fails 22004 with_rows -c 'SELECT kepler.uninstall(NULL)'
# What others hang on it is named: all at once, and once each. In what is said to take it off, in that order, it goes.
run <<'SQL'
CREATE VIEW app.contacts AS SELECT * FROM kepler.records;
CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM kepler_data.order_1_entries;
CREATE TABLE app.mine (id text DEFAULT kepler.cuid(), workspace_id text, record_id text, folded text GENERATED ALWAYS AS (kepler.fold(id)) STORED,
    status kepler.record_status, FOREIGN KEY (workspace_id, record_id) REFERENCES kepler.records (workspace_id, id));
CREATE INDEX mine_folded ON app.mine (kepler.fold(id));
ALTER TABLE app.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Its own" ON app.mine USING (workspace_id = kepler.current_workspace_id());
CREATE FUNCTION app.calls() RETURNS text BEGIN ATOMIC SELECT kepler.cuid(); END;
CREATE TRIGGER touch BEFORE UPDATE ON app.mine FOR EACH ROW EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TABLE app.attached (LIKE kepler.feed);
ALTER TABLE kepler.feed ATTACH PARTITION app.attached FOR VALUES FROM ('1999-01-01') TO ('1999-02-01');
CREATE TABLE app.child () INHERITS (kepler.entities);
CREATE TABLE app.points (child bigint REFERENCES app."Child");
SQL
named=$(run -c "SELECT object FROM kepler.uninstall_report() WHERE outcome = 'blocks'")
expect 'what is in the way' "$named" "view app.contacts
materialized view app.counted
policy Its own on table app.mine
index app.mine_folded
trigger touch on table app.mine
function app.calls()
constraint mine_workspace_id_record_id_fkey on table app.mine
constraint points_child_fkey on table app.points
table app.attached
table app.child
default value for column id of table app.child
default value for column workspace_id of table app.child
default value for column folded of table app.mine
default value for column id of table app.mine
column operation of table app.attached
column status of table app.mine"
fails 2BP01 "DETAIL:  $named"$'\n''Nothing was dropped.' -c 'SELECT kepler.uninstall(true)'
run -c "SELECT hint FROM kepler.uninstall_report() WHERE outcome = 'blocks'" | run -f -
expect 'in the way then' "$(run -c "SELECT object FROM kepler.uninstall_report() WHERE outcome = 'blocks'")" ''
# They are theirs: nothing of them has gone with it.
expect 'what is left of them' "$(run -c "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'")" 'Child attached audited_first child mine orders points'

# Somebody at work: it gives up soon, and says who. Others go on meanwhile.
{ echo "BEGIN; INSERT INTO kepler.users (id, email) VALUES ('v', 'v');"; sleep 2; echo 'COMMIT;'; } | run &
writer=$!
for _ in $(seq 50); do [[ $(run -c "SELECT count(*) FROM pg_locks WHERE relation = 'kepler.users'::regclass AND mode = 'RowExclusiveLock'") == 0 ]] || break; sleep 0.05; done
fails 55P03 'hold locks' -c "SELECT kepler.uninstall(true, '{\"lock_timeout_ms\": 100, \"lock_attempts\": 2}')"
expect 'reads meanwhile' "$(run -c 'SELECT count(*) FROM kepler.users')" 1
wait "$writer"

# What is in a savepoint that is rolled back was never done; a session that stands in line behind it goes on when it is.
{ echo 'BEGIN; SAVEPOINT s; SELECT count(*) FROM kepler.uninstall(true); ROLLBACK TO s;'; sleep 0.2; echo 'ROLLBACK;'; } | run >/dev/null
expect 'after a rollback' "$(run -c 'SELECT count(*) FROM kepler.users' -c "SELECT outcome FROM kepler.upsert_record('contact', 'x', '{}', workspace_id => 'other')")" $'2\nunchanged'
# A trap: an event trigger that runs what somebody without the owner's rights wrote.
run -c 'CREATE FUNCTION app.trap() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE IF NOT EXISTS app.sprung (); END $$' \
  -c 'ALTER FUNCTION app.trap() OWNER TO kepler_some_other' -c 'CREATE EVENT TRIGGER trap ON sql_drop EXECUTE FUNCTION app.trap()'
fails 55000 'event trigger "trap"' -c 'SELECT kepler.uninstall(true)'
run -c 'DROP EVENT TRIGGER trap' -c 'DROP FUNCTION app.trap()'
expect 'a trap that has sprung' "$(run -c "SELECT to_regclass('app.sprung')")" ''

# Sessions that have worked, and go on: they are told what to run. One that waits for a table meanwhile fails, and nothing worse.
coproc SESSION { run -v ON_ERROR_STOP=0 -v VERBOSITY=verbose 2>&1; }
ask() { echo "$1" >&"${SESSION[1]}"; IFS= read -r said <&"${SESSION[0]}"; }
ask "SELECT outcome FROM kepler.upsert_record('contact', 'x', '{}', workspace_id => 'other');"
expect 'a session before' "$said" unchanged
run -c "ALTER ROLE kepler_some_reader SET kepler.workspace_id = 'other'" -c "CREATE FUNCTION app.speaks() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM kepler.cuid(); END'"
# Somebody has begun by hand.
run -c 'DROP VIEW kepler.failed_enrichments' -c 'DROP TABLE kepler.sync_seen'
{ echo "BEGIN; SELECT kind, object, hint FROM kepler.uninstall(true) WHERE outcome = 'kept';"; sleep 1; echo 'COMMIT;'; } | run >"$work/kept" &
remover=$!
for _ in $(seq 100); do [[ -s $work/kept ]] && break; sleep 0.05; done
waiters=()
for call in "kepler.upsert_record('contact', 'x', '{}')" 'kepler.changes_since()' "kepler.insert_entries('Order', '[]')"; do
  fails 55000 'SELECT kepler.install();' -c "SELECT * FROM $call" &
  waiters+=($!)
done
wait "$remover"
for waiter in "${waiters[@]}"; do wait "$waiter" || die 'a call that waited for a table ended otherwise'; done
expect 'what is kept' "$(cat "$work/kept")" 'right|USAGE on schema app of kepler_some_member|REVOKE USAGE ON SCHEMA app FROM kepler_some_member;
right|USAGE on schema app of kepler_some_reader|REVOKE USAGE ON SCHEMA app FROM kepler_some_reader;
setting|kepler.workspace_id=other of role kepler_some_reader|ALTER ROLE kepler_some_reader RESET kepler.workspace_id;
function|app.speaks()|Its text speaks of a schema of Kepler'"'"'s.
extension|kepler|DROP EXTENSION kepler;
schema|kepler|DROP SCHEMA kepler;'
for call in "kepler.upsert_record('contact', 'x', '{}')" "kepler.use_workspace('other')" 'kepler.status()' 'kepler.changes_since()' "kepler.claim_records('lead', 'w')" \
  "kepler.remember('x')" "kepler.insert_entries('Order', '[]')" "kepler.search_messages(query_text => 'x')" "kepler.start_execution('w', 'z')" "kepler.blueprint_drift('model')"; do
  ask "SELECT * FROM $call;"
  [[ $said == *55000* ]] || die "a session that goes on, calling $call: $said"
  while [[ $said != LOCATION* ]]; do IFS= read -r said <&"${SESSION[0]}"; done
done
ask "INSERT INTO app.orders VALUES (9, 'nine') RETURNING id;"
expect 'a table that was tracked' "$said" 9
# And again from nothing, in that session.
ask 'SELECT count(*) > 0 FROM kepler.install();'
ask "SELECT outcome FROM kepler.upsert_record('contact', 'x', '{}');"
expect 'that session, installed again' "$said" inserted
ask "SELECT count(*) FROM kepler.uninstall(true) WHERE outcome = 'blocks';"
sed 's/.*|//' "$work/kept" | grep ';$' | run -f -
run -c 'DROP FUNCTION app.speaks()' -c 'DROP SCHEMA app CASCADE'
echo '\q' >&"${SESSION[1]}"
wait "$SESSION_PID"
catalogs >"$work/after"
cmp -s "$work/before" "$work/after" || die "something is left: $(diff "$work/before" "$work/after" | cut -c1-400)"
echo 'so is one with a bit of everything'

# An owner who is no superuser. Tracked tables of others are named, for their owners; with their rights it goes.
_admin -c 'GRANT CREATE ON DATABASE kepler_removed TO kepler_some_owner, kepler_some_other'
run >/dev/null <<'SQL'
CREATE EXTENSION kepler;
GRANT ALL ON SCHEMA kepler, kepler_internal TO kepler_some_owner WITH GRANT OPTION;
GRANT ALL ON ALL ROUTINES IN SCHEMA kepler, kepler_internal TO kepler_some_owner WITH GRANT OPTION;
SET ROLE kepler_some_owner;
SELECT kepler.install();
SELECT kepler.grant_access('kepler_some_other', 'admin');
SET ROLE kepler_some_other;
CREATE SCHEMA theirs;
CREATE TABLE theirs.orders (id integer PRIMARY KEY);
SELECT kepler.track('theirs.orders');
SQL
fails 42501 '' -c 'SET ROLE kepler_some_other' -c 'SELECT kepler.uninstall(true)'
fails 42501 '' -c 'SET ROLE kepler_some_other' -c 'SELECT * FROM kepler.uninstall_report()'
fails 2BP01 'trigger tell_feed_insert on table theirs.orders' -c 'SET ROLE kepler_some_owner' -c 'SELECT kepler.uninstall(true)'
run -c 'SET ROLE kepler_some_other' -c "SELECT kepler.untrack('theirs.orders')" >/dev/null
run -c 'SET ROLE kepler_some_owner' -c 'SELECT kepler.uninstall()' >/dev/null
fails 42501 '' -c 'SET ROLE kepler_some_other' -c 'SELECT kepler.uninstall()'
run -c 'DROP EXTENSION kepler' -c 'DROP SCHEMA kepler' -c 'DROP SCHEMA theirs CASCADE' -c 'REVOKE CREATE ON DATABASE kepler_removed FROM kepler_some_owner, kepler_some_other'
catalogs >"$work/after"
cmp -s "$work/before" "$work/after" || die "something is left of an owner: $(diff "$work/before" "$work/after" | cut -c1-400)"
echo 'so is one whose owner is no superuser'
