#!/usr/bin/env bash
# Promise: 32 sessions that each update one document 150 times (500 in the long form) with update_document lose none of
# the updates; nor do they, 100 times each, with upsert_document of a row not yet there, and with json_update in an UPDATE of one's own.
# Runs on: 18, because row locks are the same.
# Long form: UPDATES=500, half a minute
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_documents sessions=32
declare -A updates=([update]=${UPDATES:-150} [upsert]=100 [plain]=100)
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d)
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap 'drop; rm -rf "$work"' EXIT
drop
fresh_database $database install
admin -d $database -c "CREATE TABLE documents (id text PRIMARY KEY, doc jsonb NOT NULL, version bigint NOT NULL DEFAULT 0)" \
  -c "ALTER TABLE documents ALTER COLUMN doc SET STORAGE EXTERNAL" \
  -c "INSERT INTO documents (id, doc) VALUES ('update', '{}'), ('plain', '{}')"

# What is promised is about locks, not about the disk.
export PGOPTIONS='-c synchronous_commit=off'
# Each session counts for itself, for all, and adds to a list that all share. Nobody has made the row of the upserts.
operations="('{\"\$inc\": {\"all\": 1, \"sessions.s' || :client_id || '\": 1}, \"\$push\": {\"list\": ' || :client_id || '}}')::jsonb"
cat >"$work/update.sql" <<SQL
SELECT outcome FROM kepler.update_document('documents', '{"id": "update"}', 'doc', $operations, '{"revision_column": "version"}');
SQL
cat >"$work/upsert.sql" <<SQL
SELECT outcome FROM kepler.upsert_document('documents', '{"id": "upsert"}', 'doc', $operations, options => '{"revision_column": "version"}');
SQL
cat >"$work/plain.sql" <<SQL
UPDATE documents SET doc = kepler.json_update(doc, $operations), version = version + 1 WHERE id = 'plain';
SQL
for way in update upsert plain; do
  "$PG_BIN/pgbench" -n -c $sessions -j 2 -t "${updates[$way]}" -f "$work/$way.sql" $database >"$work/$way.out" 2>&1 ||
    die "$way: $(cat "$work/$way.out")"
  grep -q "^number of failed transactions: 0 " "$work/$way.out" || die "$way: $(cat "$work/$way.out")"
  echo "$way: $(grep '^tps' "$work/$way.out")"
done

answer=$(admin -d $database <<'SQL'
SELECT id, doc->>'all', jsonb_array_length(doc->'list'), version,
    (SELECT count(*) FROM jsonb_each_text(doc->'sessions') WHERE value::integer * 32 = (doc->>'all')::integer),
    (SELECT count(*) FROM (SELECT e FROM jsonb_array_elements(doc->'list') AS e GROUP BY e HAVING count(*) * 32 = (doc->>'all')::integer) AS l)
FROM documents ORDER BY id
SQL
)
expected=$(for way in plain update upsert; do
  total=$((sessions * updates[$way]))
  echo "$way|$total|$total|$total|$sessions|$sessions"
done)
[[ $answer == "$expected" ]] || die "$answer"
