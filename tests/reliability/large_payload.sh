#!/usr/bin/env bash
# Promise: a payload of 100 MB is taken, be it one record or a hundred thousand, and the session gives the memory
# back afterwards. Data larger than jsonb can hold (256 MB) is rejected as too_large, and the record beside it lands.
# Small patches to large records do not bring them all into memory, and an array of millions of nothings ends in an
# error or in answers, not in a server without memory.
# Runs on: 16, because it is about the memory of the library.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_large
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install

"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database <<'SQL'
-- Private memory of this process in MB. Where the system does not say, nothing is measured.
CREATE FUNCTION pg_temp.megabytes() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+) kB'))[1]::integer / 1024;
EXCEPTION WHEN OTHERS THEN
    RETURN 0;
END
$$;
-- Built outside of the calls under test, and not compressed, so that reading them costs nothing.
CREATE TABLE payloads (name text, text text);
ALTER TABLE payloads ALTER text SET STORAGE external;
INSERT INTO payloads
SELECT 'one record', format('[{"external_id": "one", "data": {"text": "%s"}}]', repeat('0123456789', 10000000))
UNION ALL
SELECT 'one record, many members', '[{"external_id": "members", "data": {' || string_agg(format('"key %s": [%s, true, "value %s"]', i, i, i), ',') || '}}]'
FROM generate_series(1, 1500000) AS i
UNION ALL
SELECT 'many records', '[' || string_agg(format('{"external_id": "%s", "data": {"n": %s, "text": "%s"}}', i, i, repeat(md5(i::text), 30)), ',') || ']'
FROM generate_series(1, 100000) AS i;
CREATE TABLE results (name text, call text, merge text, answer jsonb, megabytes integer);

CREATE FUNCTION pg_temp.try(payload text, variant integer, expected text, how text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO results
    SELECT payload, expected, how, kepler.upsert_records_summary('large', CASE variant
        WHEN 1 THEN p.text
        WHEN 2 THEN replace(p.text, '[{', '[ {')
        ELSE replace(p.text, '"data": {', format('"data": {"new": %s, ', variant)) END, merge => how)
    FROM payloads AS p WHERE p.name = payload
$$;
-- The plans and caches of a session that works.
SELECT FROM kepler.upsert_record('warm up', 'a', '{"a": 1}');
SELECT FROM kepler.upsert_record('warm up', 'a', '{"a": 2}', merge => 'deep');
SELECT pg_temp.megabytes() AS before \gset
-- Each call is a statement, and what it keeps is measured in the next.
SELECT format('SELECT pg_temp.try(%L, %s, %L, %L)', p.name, c.variant, c.expected, c.how),
    format('UPDATE results SET megabytes = pg_temp.megabytes() - %s WHERE megabytes IS NULL', :'before')
FROM payloads AS p, (VALUES (1, 'inserted', 'replace'), (1, 'unchanged', 'replace'), (2, 'unchanged', 'replace'),
    (3, 'updated', 'replace'), (4, 'updated', 'deep')) AS c (variant, expected, how)
WHERE c.variant <> 2 OR p.name = 'many records'
ORDER BY p.name, c.variant, c.expected \gexec
SELECT format('%s, %s: %s %s of %s, %s MB kept', name, merge, r.answer->r.call, call, answer->'total', megabytes) FROM results AS r;
DO $$
BEGIN
    IF EXISTS (SELECT FROM results WHERE answer->call <> answer->'total') THEN
        RAISE EXCEPTION 'not every record has the outcome that it should have';
    END IF;
    IF EXISTS (SELECT FROM results WHERE megabytes > 64) THEN
        RAISE EXCEPTION 'memory is kept after the call';
    END IF;
    -- The last variant has a member more.
    IF (SELECT length(data->>'text') FROM kepler.records WHERE external_id = 'one') <> 100000000
        OR (SELECT count(*) FROM kepler.records AS r, jsonb_object_keys(r.data) WHERE external_id = 'members') <> 1500001
        OR (SELECT count(*) FROM kepler.records WHERE (data->>'n')::int = external_id::int AND data->>'text' = repeat(md5(external_id), 30)) <> 100000
    THEN
        RAISE EXCEPTION 'what is stored is not what was sent';
    END IF;
END
$$;

-- Larger than jsonb can hold: one string of it, or all together, alone or by merging.
CREATE TEMP TABLE answers AS
SELECT external_id, outcome, error_code FROM kepler.upsert_records('too large', format(
    '[{"external_id": "a string", "data": {"text": "%s"}}, {"external_id": "beside", "data": {}}]', repeat('x', 280000000)));
INSERT INTO answers
SELECT external_id, outcome, error_code FROM kepler.upsert_records('too large', format(
    '[{"external_id": "together", "data": {"a": "%1$s", "b": "%1$s"}}, {"external_id": "beside", "data": {"v": 2}}]', repeat('x', 140000000)));
INSERT INTO answers
SELECT external_id, outcome, error_code FROM kepler.upsert_records('too large', format(
    '[{"external_id": "merged", "data": {"a": "%s"}}]', repeat('x', 140000000)));
INSERT INTO answers
SELECT external_id, outcome, error_code FROM kepler.upsert_records('too large', format(
    '[{"external_id": "merged", "data": {"b": "%s"}}, {"external_id": "beside", "data": {"w": 3}}]', repeat('x', 140000000)), merge => 'deep');
TABLE answers;
DO $$
BEGIN
    IF (SELECT string_agg(concat_ws(' ', external_id, outcome, error_code), ', ') FROM answers) IS DISTINCT FROM
        'a string rejected too_large, beside inserted, together rejected too_large, beside updated, merged inserted, merged rejected too_large, beside updated'
    THEN
        RAISE EXCEPTION 'too much is not answered as it should be';
    END IF;
END
$$;
SQL

# 1,500 stored documents of 256 kB are 384 MB, which a session that patches each of them must not hold at once. The
# peak is that of a new process.
"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database -o /dev/null <<'SQL'
SELECT kepler.upsert_records_summary('stored', string_agg(format(
    '%s{"external_id": "%s", "data": {"text": "%s"}}', CASE i WHEN 1 THEN '[' ELSE ',' END, i, repeat(md5(i::text), 8192)), '') || ']')
FROM generate_series(1, 1500) AS i;
SQL
"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database <<'SQL'
CREATE FUNCTION pg_temp.megabytes(what text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN (regexp_match(pg_read_file('/proc/self/status'), what || ':\s+(\d+) kB'))[1]::integer / 1024;
EXCEPTION WHEN OTHERS THEN
    RETURN 0;
END
$$;
SELECT set_config('test.before', pg_temp.megabytes('VmSize')::text, false) \g /dev/null
SELECT kepler.upsert_records_summary('stored', string_agg(format(
    '%s{"external_id": "%s", "data": {"n": %s}}', CASE i WHEN 1 THEN '[' ELSE ',' END, i, i), '') || ']', merge => 'shallow')->'updated' AS updated
FROM generate_series(1, 1500) AS i \gset
SELECT count(*) AS whole FROM kepler.records
WHERE entity_type = 'stored' AND (data->>'n')::int = external_id::int AND length(data->>'text') = 262144 \gset
SELECT set_config('test.updated', :'updated', false), set_config('test.whole', :'whole', false) \g /dev/null
DO $$
DECLARE
    -- Address space, which shared memory is part of from the start: what grew is the session's own.
    grown constant integer := pg_temp.megabytes('VmPeak') - current_setting('test.before')::integer;
BEGIN
    RAISE INFO 'patches to large records: % MB at the peak', grown;
    IF current_setting('test.updated') <> '1500' OR current_setting('test.whole') <> '1500' THEN
        RAISE EXCEPTION 'not every record was patched';
    END IF;
    IF grown > 330 THEN
        RAISE EXCEPTION 'patching holds all stored data at once';
    END IF;
END
$$;
-- Answers for a million elements that are nothing; an error for more than a call takes.
SELECT kepler.upsert_records_summary('nothing', '[' || repeat('0,', 999999) || '0]')->'rejected_by_code'->>'not_an_object' = '1000000' AS answered \gset
\if :answered
\else
DO 'BEGIN RAISE EXCEPTION $$a million elements are not answered$$; END';
\endif
DO $$
BEGIN
    PERFORM kepler.upsert_records_summary('nothing', '[' || repeat('0,', 4000000) || '0]');
    RAISE EXCEPTION 'too many elements are no error';
EXCEPTION WHEN program_limit_exceeded THEN
    NULL;
END
$$;
SQL
