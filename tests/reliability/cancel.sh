#!/usr/bin/env bash
# Promise: an upsert of 100 MB can be cancelled at any time, within about a second; nothing of it has landed, and
# the session works on. Tried with statement_timeout at several moments and with pg_cancel_backend.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_cancel
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install

"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database <<'SQL'
CREATE TABLE payloads (name text, text text);
ALTER TABLE payloads ALTER text SET STORAGE external;
INSERT INTO payloads
SELECT 'many records', '[' || string_agg(format('{"external_id": "%s", "data": {"n": %s, "text": "%s"}}', i, i, repeat(md5(i::text), 30)), ',') || ']'
FROM generate_series(1, 100000) AS i
UNION ALL
SELECT 'one record', '[{"external_id": "members", "data": {' || string_agg(format('"key %s": [%s, true, "value %s"]', i, i, i), ',') || '}}]'
FROM generate_series(1, 1500000) AS i;
SQL

# cancelled_after MILLISECONDS PAYLOAD: the time that passes until the cancelled call is back.
cancelled_after() {
  "$PG_BIN/psql" -XAtq -d $database -v VERBOSITY=sqlstate -v limit="$1" -v payload="$2" 2>&1 <<'SQL'
SELECT kepler.upsert_records_summary('warm up', '[{"external_id": "a", "data": {}}]') IS NULL \g /dev/null
SELECT clock_timestamp() AS began \gset
SET statement_timeout = :'limit';
SELECT kepler.upsert_records_summary('big', text) FROM payloads WHERE name = :'payload';
SET statement_timeout = 0;
SELECT round(1000 * extract(epoch FROM clock_timestamp() - :'began'::timestamptz));
SELECT count(*) FROM kepler.records WHERE entity_type = 'big';
SELECT kepler.upsert_records_summary('after', '[{"external_id": "a", "data": {}}]')->'total';
SQL
}
for limit in 50 200 700; do
  mapfile -t lines < <(cancelled_after $limit 'many records')
  echo "many records, after $limit ms: ${lines[*]}"
  [[ ${lines[0]} == *57014* ]] || die "the call was not cancelled (57014)"
  [[ ${lines[1]} -lt $((limit + 1500)) ]] || die "it took ${lines[1]} ms"
  [[ ${lines[2]} -eq 0 ]] || die "${lines[2]} records landed"
  [[ ${lines[3]} -eq 1 ]] || die "the session does not work on"
done
# One record is decoded in one go; that may take until its end.
mapfile -t lines < <(cancelled_after 100 'one record')
echo "one record, after 100 ms: ${lines[*]}"
[[ ${lines[0]} == *57014* && ${lines[1]} -lt 5000 && ${lines[2]} -eq 0 && ${lines[3]} -eq 1 ]] || die "one record is not cancelled"

# Functions that only reckon are cancelled as well: a sort of two million numbers, a hundred thousand conditions on
# elements, and a text that is read.
"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database <<'SQL'
CREATE TABLE numbers AS SELECT jsonb_build_object('a', jsonb_agg(hashint4(i))) AS document FROM generate_series(1, 2000000) AS i;
SQL
# shellcheck disable=SC2016  # operators of the documents, not variables
for operations in '{"$push": {"a": {"$each": [], "$sort": [{"x": 1}, {"y": 1}, {"z": 1}]}}}' \
  '{"$pull": {"a": {"$or": ['"$(printf '{"x": %s},' {1..900})"'{"x": 0}]}}}' \
  '{"$pull": {"a": {"$not": {"$in": [1, 2, 3, 4, 5, 6, 7], "$lt": 5, "$gt": 5}}}}'; do
  mapfile -t lines < <("$PG_BIN/psql" -XAtq -d $database -v VERBOSITY=sqlstate -v operations="$operations" 2>&1 <<'SQL'
SELECT clock_timestamp() AS began \gset
SET statement_timeout = 30;
SELECT kepler.json_update(document, :'operations') IS NULL FROM numbers, generate_series(1, 100);
SET statement_timeout = 0;
SELECT round(1000 * extract(epoch FROM clock_timestamp() - :'began'::timestamptz));
SQL
  )
  echo "${operations:0:50}…: ${lines[*]}"
  [[ ${lines[0]} == *57014* && ${lines[1]} -lt 1500 ]] || die "json_update is not cancelled"
done

# A call that waits for a lock inside is cancelled as well.
admin -d $database -c "SELECT FROM kepler.upsert_record('held', 'a', '{\"v\": 1}')"
PGAPPNAME=holder "$PG_BIN/psql" -XAtq -d $database -c "BEGIN; SELECT FROM kepler.records WHERE entity_type = 'held' FOR UPDATE; SELECT pg_sleep(60)" >/dev/null 2>&1 &
holder=$!
until [[ $(admin -d $database -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'") -eq 1 ]]; do sleep 0.05; done
answer=$("$PG_BIN/psql" -XAtq -d $database -v VERBOSITY=sqlstate -c "SET statement_timeout = 200" -c "SELECT outcome FROM kepler.upsert_record('held', 'a', '{\"v\": 2}')" 2>&1 || true)
[[ $answer == *57014* ]] || die "a waiting call is not cancelled: $answer"
admin -d $database -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
wait $holder || true
