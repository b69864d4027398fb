#!/usr/bin/env bash
# Promise: the server's log holds no secret that a call was refused for, nor one that stood in a statement that failed
# for another reason: neither the statement nor CONTEXT nor DETAIL. The log is read from disk.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=logged-$major
cleanup() { remove_server "$server" "$major"; }
trap cleanup EXIT
remove_server "$server" "$major"
log=$LOGS/server-$server.log
rm -f "$log"
start_server "$server" "$major" 'log_min_error_statement = error' 'log_error_verbosity = verbose' 'log_parameter_max_length_on_error = -1'
use_server "$server" "$major"
fresh_database logged install

run() { "$PG_BIN/psql" -XAtq -d logged -o /dev/null 2>/dev/null; }
run <<'SQL'
SELECT kepler.create_entry_table('Refs', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "ref", "type": "text", "sensitive": "reference"}]}');
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('c', 'c', 'c');
INSERT INTO kepler.conversations (id) VALUES ('v');
CREATE TABLE own (a text CHECK (length(a) < 5));
-- Refused for the secret.
SELECT kepler.insert_entries('Refs', '[{"name": "a", "ref": "hunter2"}]');
SELECT kepler.upsert_entries('Refs', '{name}', '[{"name": "a", "ref": "hunter2"}]');
SELECT kepler.create_entry_table('Bad', '{"fields": [{"name": "a", "type": "text", "sensitive": "reference", "default": "hunter2"}]}');
SELECT kepler.add_message('v', 'user', 'postgres://app:hunter2@db/app');
SELECT kepler.remember('{"password": "hunter2"}'::jsonb);
UPDATE kepler.connections SET secret_ref = 'hunter2' WHERE id = 'c';
UPDATE kepler.connections SET metadata = '{"password": "hunter2"}' WHERE id = 'c';
DO $$ BEGIN UPDATE kepler.connections SET metadata = '{"password": "hunter2"}' WHERE id = 'c'; END $$;
COPY kepler.memories (content) FROM stdin;
postgres://app:hunter2@db/app
\.
UPDATE kepler.connections SET metadata = $1 WHERE id = 'c' \bind '{"password": "hunter2"}' \g
-- Failed for another reason.
SELECT kepler.upsert_records('Account', '[{"external_id": "9", "data": {"password": "hunter2"}', connection_id => 'c');
SELECT kepler.upsert_records(NULL, '[{"external_id": "9", "data": {"password": "hunter2"}}]', connection_id => 'c');
SELECT kepler.remember('postgres://app:hunter2@db/app', context_type => NULL);
INSERT INTO own VALUES ('postgres://app:hunter2@db/app');
SELECT 'postgres://app:hunter2@db/app'::integer;
SELECT 1 / 0 AS "DB_PASSWORD=hunter2";
SELECT $1::integer \bind 'postgres://app:hunter2@db/app' \g
SELECT 1 / 0 AS nothing_to_hide;
SQL
grep -q nothing_to_hide "$log" || die "the log does not hold the statements that fail, and shows nothing"
if grep -n hunter2 "$log"; then die "the server's log holds a secret"; fi
# Whoever allows secrets sees what failed: so the check above would have found one.
run <<'SQL'
SET kepler.on_secret = 'allow';
INSERT INTO own VALUES ('postgres://app:hunter2@db/app');
SQL
grep -q hunter2 "$log" || die "kepler.on_secret = allow hides a statement"
say "no secret in the server's log"
