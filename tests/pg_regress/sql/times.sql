-- The time of a version may be written as ISO 8601 or as a Unix time in seconds or milliseconds.
\set SHOW_CONTEXT never
SET timezone = 'Asia/Kolkata';
SET datestyle = 'ISO';
BEGIN;
-- One spelling a record, all for the same instant, in a session of any time zone.
CREATE TEMP TABLE spellings AS SELECT * FROM unnest(ARRAY[
    '"2024-01-01T00:00:00Z"', '"2024-01-01T00:00:00.000Z"', '"2024-01-01T00:00:00.000000000Z"', '"2024-01-01T00:00Z"', '"2024-01-01t00:00:00z"',
    '"2024-01-01 00:00:00Z"', '"2024-01-01 00:00:00+00"', '"2024-01-01T05:30:00+05:30"', '"2024-01-01T05:30:00+0530"', '"2023-12-31T19:00:00-05"',
    '"2024-01-01T00:00:00,000Z"', '"20240101T000000Z"', '"2024-01-01T00:00:00"', '"2024-01-01 00:00:00.000"', '"2024-01-01"', '" 2024-01-01T00:00:00Z "',
    '"2024-01-01T00:00:00\u005a"', '1704067200', '1704067200000', '1704067200.0', '1.7040672e9', '1704067200000.0']) WITH ORDINALITY AS s (spelling, id);
CREATE TEMP TABLE answers AS
SELECT u.* FROM kepler.upsert_records('time', (
    SELECT '[' || string_agg(format('{"external_id": %s, "data": {}, "source_updated_at": %s}', id, spelling), ',' ORDER BY id) || ']'
    FROM spellings)) AS u;
SELECT s.spelling, a.outcome, a.error_code, r.source_updated_at = '2024-01-01T00:00:00Z' AS same
FROM spellings AS s JOIN answers AS a ON a.ordinal = s.id LEFT JOIN kepler.records AS r ON r.entity_type = 'time' AND r.external_id = s.id::text
ORDER BY s.id;

-- Other instants, to the microsecond; before 1970; the end of seconds and the beginning of milliseconds.
SET timezone = 'UTC';
TRUNCATE spellings, answers;
INSERT INTO spellings VALUES ('"2024-01-01T00:00:00.123456Z"', 1), ('1704067200.123456', 2), ('1704067200123', 3), ('1704067200123.456', 4), ('0', 5), ('-1', 6), ('-1.5', 7),
    ('-86400000', 8), ('"1969-12-31T23:59:59.999999Z"', 9), ('"0001-01-01T00:00:00Z"', 10), ('99999999', 11), ('100000000000', 12), ('-100000000000', 13),
    ('"2024-02-29T23:59:59Z"', 14), ('"2024-12-31T23:59:59+14:00"', 15), ('1e9', 16), ('"1582-10-04T00:00:00Z"', 17);
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
SELECT i.value AS spelling, u.outcome, u.error_code
FROM unnest(ARRAY['"yesterday"', '"01/02/2024"', '"2024-13-01"', '"2023-02-29"', '"2024-01-01T25:00:00Z"', '"2024-01-01T00:00:00+99:00"', '"12:00"', '"1704067200"', '"now"', '"infinity"', '"-infinity"',
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
FROM unnest(ARRAY['"9999-12-31T23:59:59Z"', '"9999-12-30T00:00:00Z"', '253402300799999', '"9999-12-31T23:59:59-12:00"']) AS i (value),
    LATERAL (SELECT * FROM kepler.upsert_records('ahead', format('[{"external_id": "end", "data": {}, "source_updated_at": %s}]', i.value))) AS u;
ROLLBACK;
