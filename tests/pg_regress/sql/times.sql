-- The time of a version may be written as ISO 8601, as an HTTP date, or as a Unix time in seconds down to
-- nanoseconds (docs/times.md).
\set SHOW_CONTEXT never
SET timezone = 'Asia/Kolkata';
SET datestyle = 'ISO';
BEGIN;
-- One spelling a record, all for the same instant, in a session of any time zone.
CREATE TEMP TABLE spellings AS SELECT * FROM unnest(ARRAY[
    '"2024-01-01T00:00:00Z"', '"2024-01-01T00:00:00.000Z"', '"2024-01-01T00:00:00.000000000Z"', '"2024-01-01T00:00Z"', '"2024-01-01t00:00:00z"',
    '"2024-01-01 00:00:00Z"', '"2024-01-01 00:00:00+00"', '"2024-01-01T05:30:00+05:30"', '"2024-01-01T05:30:00+0530"', '"2023-12-31T19:00:00-05"',
    '"2024-01-01T00:00:00,000Z"', '"20240101T000000Z"', '"2024-01-01T00:00:00"', '"2024-01-01 00:00:00.000"', '"2024-01-01"', '" 2024-01-01T00:00:00Z "',
    '"2024-01-01T00:00:00\u005a"', '"2024-01-01 00:00:00 UTC"', '"2024-01-01 00:00:00 +0000 UTC"', '"2024-01-01T00:00:00Z[UTC]"', '"2024-01-01T01:00:00+01:00[Europe/Paris]"',
    '"Mon, 01 Jan 2024 00:00:00 GMT"', '"Sun, 31 Dec 2023 19:00:00 -0500"', '"Mon Jan  1 00:00:00 2024"', '"1704067200"', '"1704067200000"', '1704067200000000', '1704067200000000000', '1704067200', '1704067200000', '1704067200.0', '1.7040672e9', '1704067200000.0']) WITH ORDINALITY AS s (spelling, id);
CREATE TEMP TABLE answers AS
SELECT u.* FROM kepler.upsert_records('time', (
    SELECT '[' || string_agg(format('{"external_id": %s, "data": {}, "source_updated_at": %s}', id, spelling), ',' ORDER BY id) || ']'
    FROM spellings)) AS u;
SELECT s.spelling, a.outcome, a.error_code, r.source_updated_at = '2024-01-01T00:00:00Z' AS same
FROM spellings AS s JOIN answers AS a ON a.ordinal = s.id LEFT JOIN kepler.records AS r ON r.entity_type = 'time' AND r.external_id = s.id::text
ORDER BY s.id;

-- Other instants, to the microsecond; before 1970; the beginning of milliseconds; what is finer is left out.
SET timezone = 'UTC';
TRUNCATE spellings, answers;
INSERT INTO spellings VALUES ('"2024-01-01T00:00:00.123456Z"', 1), ('1704067200.123456', 2), ('1704067200123', 3), ('1704067200123.456', 4), ('0', 5), ('-1', 6), ('-1.5', 7),
    ('-86400000', 8), ('"1969-12-31T23:59:59.999999Z"', 9), ('"0001-01-01T00:00:00Z"', 10), ('99999999', 11), ('253402300801', 12), ('-100000000000', 13),
    ('"2024-02-29T23:59:59Z"', 14), ('"2024-12-31T23:59:59+14:00"', 15), ('1e9', 16), ('"1582-10-04T00:00:00Z"', 17),
    ('"2024-01-01T00:00:00.123456789Z"', 18), ('1704067200123456789', 19), ('-1704067200.0000001', 20);
INSERT INTO answers SELECT u.* FROM kepler.upsert_records('other', (
    SELECT '[' || string_agg(format('{"external_id": %s, "data": {}, "source_updated_at": %s}', id, spelling), ',' ORDER BY id) || ']'
    FROM spellings)) AS u;
SELECT s.spelling, a.outcome, r.source_updated_at
FROM spellings AS s JOIN answers AS a ON a.ordinal = s.id LEFT JOIN kepler.records AS r ON r.entity_type = 'other' AND r.external_id = s.id::text
ORDER BY s.id;

-- None: null, absent, the empty string.
SELECT external_id, outcome FROM kepler.upsert_records('none', '[
    {"external_id": "null", "data": {}, "source_updated_at": null}, {"external_id": "absent", "data": {}}, {"external_id": "empty", "data": {}, "source_updated_at": ""}]');
SELECT external_id, source_updated_at FROM kepler.records WHERE entity_type = 'none' ORDER BY 1;

-- What is no time rejects its record, and is not guessed at.
SELECT i.value AS spelling, u.outcome, u.error_code, u.error
FROM unnest(ARRAY['"yesterday"', '"01/02/2024"', '"2024-13-01"', '"2023-02-29"', '"2024-01-01T25:00:00Z"', '"2024-01-01T00:00:00+99:00"', '"12:00"', '"now"', '"infinity"', '"-infinity"',
    '"2024-01-01T00:00:00+24:00"', '"2024-01-01T00:00:00+16"', '"2024-01-01T24:00:00Z"', '"2016-12-31T23:59:60Z"', '"2024-01-01T00:00:00[Europe/Paris]"', '"2024-01-01T00:00:00 EST"', '"2024-01-01T00:00:00Z[+01:00]"',
    '"Tue, 01 Jan 2024 00:00:00 GMT"', '"Monday, 01-Jan-24 00:00:00 GMT"', '"20240101"', '"2024"', '100000000000', '253402300799999', '"0000-12-31"', '"9999-12-31T23:59:59-12:00"',
    '" "', 'true', '[]', '{"seconds": 1}', '[1704067200]', '1e300', '-1e300', '1e400', '123456789012345678901234567890', '--1', '1.', '.5', '0x10', '01704067200', '"2024-01-01T00:00:00Z\u0000"', '"2024-01-01T00:00:00Z and more"'])
    WITH ORDINALITY AS i (value, id),
    LATERAL (SELECT * FROM kepler.upsert_records('no time', format('[{"external_id": %s, "data": {}, "source_updated_at": %s}]', i.id, i.value))) AS u
ORDER BY i.id;

-- More than a day ahead of now is a mistake that would keep every later version out; up to a day is a
-- clock that runs fast. A time that ends the calendar is far ahead, and no worse.
SELECT i.value AS ahead, u.outcome, u.error_code
FROM unnest(ARRAY['23 hours', '25 hours', '100 years']) AS i (value),
    LATERAL (SELECT * FROM kepler.upsert_record('ahead', i.value, '{}', clock_timestamp() + i.value::interval)) AS u;
SELECT i.value AS ahead, u.outcome, u.error_code
FROM unnest(ARRAY['23 hours', '25 hours', '100 years']) AS i (value),
    LATERAL (SELECT * FROM kepler.upsert_records('ahead', format('[{"external_id": "iso %s", "data": {}, "source_updated_at": "%s"}]', i.value,
        to_char(clock_timestamp() + i.value::interval, 'YYYY-MM-DD"T"HH24:MI:SSOF')))) AS u;
SELECT i.value AS ahead, u.outcome, u.error_code
FROM unnest(ARRAY['23 hours', '25 hours']) AS i (value),
    LATERAL (SELECT * FROM kepler.upsert_records('ahead', format('[{"external_id": "unix %s", "data": {}, "source_updated_at": %s}]', i.value,
        extract(epoch FROM clock_timestamp() + i.value::interval)))) AS u;
SELECT i.value AS at, u.outcome, u.error_code
FROM unnest(ARRAY['"9999-12-31T23:59:59Z"', '"9999-12-30T00:00:00Z"']) AS i (value),
    LATERAL (SELECT * FROM kepler.upsert_records('ahead', format('[{"external_id": "end", "data": {}, "source_updated_at": %s}]', i.value))) AS u;

-- A record by itself means the same as in a batch, in a session of any time zone: a text, and every type of SQL
-- that says a time. What has no offset is UTC.
SET LOCAL timezone = 'Asia/Kolkata';
SELECT outcome FROM kepler.upsert_records('form', '[{"external_id": "1", "data": {"v": 1}, "source_updated_at": "2024-01-01 00:00:00"}]');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', '2024-01-01 00:00:00');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', source_updated_at => '2024-01-01T05:30:00+05:30');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', timestamptz '2024-01-01 05:30:00');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', timestamp '2024-01-01 00:00:00');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', date '2024-01-01');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', 1704067200);
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', 1704067200000.0, source => 'MANUAL');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}'::json, timestamp '2024-01-01 00:00:00');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}'::jsonb, source_updated_at => timestamptz '2024-01-01 05:30:00');
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', NULL);
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', NULL::timestamptz);
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', '');
SET LOCAL datestyle = 'German';
SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', timestamptz '2024-01-01 05:30:00');
PREPARE untyped AS SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', $1);
EXECUTE untyped ('2024-01-01 00:00:00');
PREPARE typed (timestamptz) AS SELECT outcome FROM kepler.upsert_record('form', '1', '{"v": 1}', $1);
EXECUTE typed ('2024-01-01 05:30:00');
SELECT outcome, error_code FROM kepler.upsert_record('form', '1', '{"v": 2}', now());
SELECT outcome, error FROM kepler.upsert_record('form', '1', '{"v": 2}', timestamptz 'infinity');
SELECT outcome, error FROM kepler.upsert_record('form', '1', '{"v": 2}', true);
-- A type that somebody made of another says the same time.
CREATE DOMAIN pg_temp.any_json AS jsonb CHECK (value IS NOT NULL);
CREATE DOMAIN pg_temp.a_moment AS timestamptz;
CREATE DOMAIN pg_temp.one_moment AS pg_temp.a_moment;
SELECT outcome FROM kepler.upsert_record('form', '2', '{"v": 1}', pg_temp.any_json '"2024-01-01T00:00:00Z"');
SELECT outcome FROM kepler.upsert_record('form', '3', '{"v": 1}', json '"2024-01-01T00:00:00Z"');
SELECT outcome FROM kepler.upsert_record('form', '4', '{"v": 1}', pg_temp.one_moment '2024-01-01 00:00:00Z');
SELECT r.external_id, extract(epoch FROM r.source_updated_at) AS epoch FROM kepler.records AS r
WHERE r.entity_type = 'form' AND r.external_id IN ('2', '3', '4') ORDER BY r.external_id;
ROLLBACK;
