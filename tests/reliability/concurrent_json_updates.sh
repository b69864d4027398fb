#!/usr/bin/env bash
# Promise: 32 sessions that each update one document 500 times lose none of the updates, with update_document, with
# upsert_document, and with json_update in an UPDATE of one's own.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_documents sessions=32 updates=500
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
SELECT changed FROM kepler.update_document('documents', '{"id": "update"}', 'doc', $operations, '{"revision_column": "version"}');
SQL
cat >"$work/upsert.sql" <<SQL
SELECT changed FROM kepler.upsert_document('documents', '{"id": "upsert"}', 'doc', $operations, '{"revision_column": "version"}');
SQL
cat >"$work/plain.sql" <<SQL
UPDATE documents SET doc = kepler.json_update(doc, $operations), version = version + 1 WHERE id = 'plain';
SQL
for way in update upsert plain; do
  "$PG_BIN/pgbench" -n -c $sessions -j 2 -t $updates -f "$work/$way.sql" $database >"$work/$way.out" 2>&1 ||
    die "$way: $(cat "$work/$way.out")"
  grep -q "^number of failed transactions: 0 " "$work/$way.out" || die "$way: $(cat "$work/$way.out")"
  echo "$way: $(grep '^tps' "$work/$way.out")"
done

answer=$(admin -d $database <<'SQL'
SELECT id, doc->>'all', jsonb_array_length(doc->'list'), version,
    (SELECT count(*) FROM jsonb_each_text(doc->'sessions') WHERE value = '500'),
    (SELECT count(*) FROM (SELECT e FROM jsonb_array_elements(doc->'list') AS e GROUP BY e HAVING count(*) = 500) AS l)
FROM documents ORDER BY id
SQL
)
total=$((sessions * updates))
expected="plain|$total|$total|$total|$sessions|$sessions
update|$total|$total|$total|$sessions|$sessions
upsert|$total|$total|$total|$sessions|$sessions"
[[ $answer == "$expected" ]] || die "$answer"
