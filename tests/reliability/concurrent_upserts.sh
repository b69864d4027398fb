#!/usr/bin/env bash
# Promise: eight sessions that upsert overlapping batches in random order, while a ninth deletes and restores their
# records, meet no error and no deadlock. In the end each record holds the newest version that was sent for it, and
# where parts were merged, the last part of each session.
# Runs on: 18, because locks are the same.
# Long form: SECONDS_TO_RUN=60, a minute
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_concurrent seconds=${SECONDS_TO_RUN:-8} clients=8
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d)
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap 'drop; rm -rf "$work"' EXIT
drop
fresh_database $database install

admin -d $database <<'SQL'
CREATE TABLE sent (id text, client int, version bigint, part bigint);
-- Batches of random records in random order, each a transaction (a call locks in order; two calls in one transaction
-- need not). What was sent is noted in the same transaction.
CREATE PROCEDURE work(client integer, until timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    round bigint := 0;
    ids text[];
    sent_version bigint;
    answered bigint;
BEGIN
    WHILE clock_timestamp() < until LOOP
        round := round + 1;
        ids := ARRAY(SELECT (random() * 100)::int::text FROM generate_series(1, 30));
        -- Versions come out of order; no two sessions ever send the same one.
        sent_version := (random() * 1e6)::bigint * 16 + client;
        SELECT count(*) INTO answered FROM kepler.upsert_records('newest', (
            SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"version": %s}, "source_updated_at": %s}', id, sent_version, 1000000000 + sent_version), ',') || ']'
            FROM unnest(ids) AS id)) AS u WHERE u.outcome <> 'rejected';
        IF answered <> 30 THEN RAISE EXCEPTION '% answers to 30 elements', answered; END IF;
        INSERT INTO sent (id, client, version) SELECT DISTINCT id, client, sent_version FROM unnest(ids) AS id;
        COMMIT;

        ids := ARRAY(SELECT DISTINCT (random() * 100)::int::text FROM generate_series(1, 30));
        PERFORM kepler.upsert_records_summary('merged', (
            SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"client %s": %s, "o": {"client %s": %s}}}', id, client, round, client, round), ',') || ']'
            FROM unnest(ids) AS id), merge => 'deep');
        INSERT INTO sent (id, client, part) SELECT id, client, round FROM unnest(ids) AS id;
        COMMIT;
    END LOOP;
END
$$;
CREATE PROCEDURE disturb(until timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    WHILE clock_timestamp() < until LOOP
        -- A deletion ends a life, and the parts of it: the merged records are archived and restored alone.
        PERFORM kepler.delete_records(ARRAY(
            SELECT id FROM kepler.records WHERE entity_type = 'newest' ORDER BY random() LIMIT 20));
        COMMIT;
        PERFORM kepler.restore_records(ARRAY(SELECT id FROM kepler.records ORDER BY random() LIMIT 20));
        COMMIT;
        PERFORM kepler.archive_records(ARRAY(SELECT id FROM kepler.records ORDER BY random() LIMIT 20));
        COMMIT;
    END LOOP;
END
$$;
SQL

until=$(admin -c "SELECT clock_timestamp() + interval '$seconds seconds'")
pids=()
for ((client = 1; client <= clients; client++)); do
  "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database -c "CALL work($client, '$until')" >"$work/$client" 2>&1 &
  pids+=($!)
done
"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database -c "CALL disturb('$until')" >"$work/disturb" 2>&1 &
pids+=($!)
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
[[ $failed -eq 0 ]] || { cat "$work"/*; die "$failed sessions failed"; }

answer=$(admin -d $database <<'SQL'
SELECT pg_stat_clear_snapshot() IS NULL;
SELECT 'deadlocks: ' || deadlocks FROM pg_stat_database WHERE datname = current_database();
SELECT 'records that do not hold their newest version: ' || count(*)
FROM (SELECT id, max(version) AS version FROM sent WHERE version IS NOT NULL GROUP BY id) AS s
FULL JOIN (SELECT * FROM kepler.records WHERE entity_type = 'newest') AS r ON r.external_id = s.id
WHERE r.data->>'version' IS DISTINCT FROM s.version::text OR extract(epoch FROM r.source_updated_at) IS DISTINCT FROM 1000000000 + s.version;
SELECT 'parts that were lost: ' || count(*)
FROM (SELECT id, client, max(part) AS part FROM sent WHERE part IS NOT NULL GROUP BY id, client) AS s
LEFT JOIN kepler.records AS r ON r.entity_type = 'merged' AND r.external_id = s.id
WHERE r.data->>('client ' || client) IS DISTINCT FROM s.part::text OR r.data->'o'->>('client ' || client) IS DISTINCT FROM s.part::text;
SELECT 'entities and records: ' || (SELECT count(*) FROM kepler.entities) || ' ' || count(*) FROM kepler.records;
SQL
)
expected=$'f\ndeadlocks: 0\nrecords that do not hold their newest version: 0\nparts that were lost: 0\nentities and records: 2 202'
batches=$(admin -d $database -c 'SELECT count(*) FROM (SELECT DISTINCT client, version, part FROM sent) AS b')
echo "$batches batches from $clients sessions"
[[ $answer == "$expected" ]] || die "$answer"
[[ $batches -gt 100 ]] || die "too few batches to mean anything"
