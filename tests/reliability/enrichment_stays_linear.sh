#!/usr/bin/env bash
# Promise: the time a record takes does not grow with how many there are, also in a session whose plans were made while
# the tables were empty. Tried with requeueing, deleting and restoring many at once, and with a lease of 10,000 records
# that is settled one by one.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_linear
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install

# Microseconds a record: in the fastest of ten small calls, and in one with twenty times as many records. No table has
# statistics.
mapfile -t lines < <(admin -d $database <<'SQL'
SET synchronous_commit = off;
ALTER TABLE kepler.records SET (autovacuum_enabled = off);
ALTER TABLE kepler.enrichment_queue SET (autovacuum_enabled = off);
SELECT kepler.set_enrichment_policy('item') \g /dev/null
CREATE TABLE times (what text, records integer, milliseconds double precision);
CREATE PROCEDURE measure(what text, ids text[], query text) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    EXECUTE query USING ids;
    INSERT INTO times SELECT what, cardinality(ids), 1000 * extract(epoch FROM clock_timestamp() - began);
END $$;
CREATE PROCEDURE measure_all(first integer, last integer) LANGUAGE plpgsql AS $$
DECLARE
    ids text[] := ARRAY(SELECT 'r' || i FROM generate_series(first, last) AS i);
BEGIN
    CALL measure('delete', ids, 'SELECT count(*) FROM kepler.delete_records($1)');
    CALL measure('restore', ids, 'SELECT count(*) FROM kepler.restore_records($1)');
    UPDATE kepler.records SET enrichment_status = 'PENDING' WHERE id = ANY (ids);
    UPDATE kepler.records SET enrichment_status = 'FAILED' WHERE id = ANY (ids);
    CALL measure('requeue', ids, 'SELECT count(*) FROM kepler.requeue_records($1)');
END $$;
-- Plans are kept from the sixth call on.
DO $$ BEGIN FOR i IN 1 .. 8 LOOP CALL measure_all(i, i); END LOOP; END $$;
TRUNCATE times;
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'item' FROM generate_series(1, 500) AS i;
DO $$ BEGIN FOR i IN 1 .. 10 LOOP CALL measure_all(1, 500); END LOOP; END $$;
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'item' FROM generate_series(501, 10500) AS i;
CALL measure_all(501, 10500);

-- One by one, of a lease of 100 and of one of 10,000 records.
CREATE PROCEDURE settle(what text, size integer, count integer) LANGUAGE plpgsql AS $$
DECLARE
    lease bigint;
    ids text[];
    began timestamptz;
BEGIN
    SELECT min(c.lease_id), array_agg(c.record_id) INTO lease, ids FROM kepler.claim_records('item', 'w', size) AS c;
    COMMIT;
    began := clock_timestamp();
    FOR i IN 1 .. count LOOP
        PERFORM kepler.complete_records(lease, ARRAY[ids[size * i / count]]);
        COMMIT;
    END LOOP;
    INSERT INTO times SELECT what, count, 1000 * extract(epoch FROM clock_timestamp() - began);
END $$;
CALL settle('warm up', 100, 100);
CALL settle('settle 100', 100, 100);
CALL settle('settle 10000', 10000, 100);
SELECT format('%s %s %s', what, round(1000 * min(milliseconds / records) FILTER (WHERE records <= 500)), round(1000 * min(milliseconds / records) FILTER (WHERE records > 500)))
FROM times WHERE what IN ('delete', 'restore', 'requeue') GROUP BY what ORDER BY what;
SELECT format('settle %s %s', (SELECT round(10 * milliseconds) FROM times WHERE what = 'settle 100'), (SELECT round(10 * milliseconds) FROM times WHERE what = 'settle 10000'));
SQL
)
[[ ${#lines[@]} -eq 4 ]] || die "no figures: ${lines[*]}"
for line in "${lines[@]}"; do
  read -r what few many <<<"$line"
  echo "$what: $few µs a record among few, $many among many"
  # Quadratic, the many would take twenty or a hundred times as long; ids and hashes of a large lease have to be read.
  [[ $many -lt $((6 * few + 300)) ]] || die "$what: $many µs a record among many, $few among few"
done
