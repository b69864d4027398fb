-- Every type takes what it can hold exactly, as a literal of Postgres would be read, and lists of it.
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
BEGIN;
SELECT kepler.create_entry_table('Every Type', '{"fields": [
    {"name": "t", "type": "text"}, {"name": "i", "type": "integer"}, {"name": "b", "type": "bigint"},
    {"name": "d", "type": "decimal"}, {"name": "f", "type": "float"}, {"name": "o", "type": "boolean"},
    {"name": "day", "type": "date"}, {"name": "clock", "type": "time"}, {"name": "at", "type": "timestamp"},
    {"name": "u", "type": "uuid"}, {"name": "j", "type": "json"}, {"name": "raw", "type": "bytes"},
    {"name": "e", "type": "enum", "values": ["x", "y"]}, {"name": "v", "type": "vector", "dimensions": 3},
    {"name": "ts", "type": "text", "list": true}, {"name": "ns", "type": "decimal", "list": true},
    {"name": "ats", "type": "timestamp", "list": true}, {"name": "es", "type": "enum", "values": ["x", "y"], "list": true}]}') AS every \gset

SELECT outcome, error FROM kepler.insert_entries('Every Type', '[
    {"t": "a\"\\\n\u00e9\ud83d\ude00", "i": -5, "b": "9007199254740993", "d": 12345678901234567890.123456789,
     "f": 0.1, "o": true, "day": "2024-02-29", "clock": "23:59:59.5", "at": "2024-07-01T12:00:00",
     "u": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "j": {"b": [1.50, null], "a": "x"}, "raw": "AAH/",
     "e": "y", "v": [1, -0.5, 1e-3], "ts": ["a,b", "\"", "", "NULL", "{}"], "ns": [1.50, "2"],
     "ats": ["2024-07-01T12:00:00", "2024-07-01T12:00:00+02:00"], "es": ["x", "x"]},
    {"j": null, "ts": [], "at": "2024-07-01T12:00:00.123456-04:00", "f": -0.0},
    {}]');
SELECT t, i, b, d, f, o, day = date '2024-02-29' AS day, clock, u, j, raw, e, v FROM :every ORDER BY entry_id;
SELECT at AT TIME ZONE 'UTC' = timestamp '2024-07-01 12:00:00' AS at, ts, ns, cardinality(ats), ats[1] = at AS same,
    ats[1] - ats[2] AS apart, es, j IS NULL AS no_json FROM :every ORDER BY entry_id;
SELECT count(*) FROM :every WHERE at = timestamptz '2024-07-01T16:00:00.123456Z';

-- What is stored equals what was sent: nothing is to be changed.
SELECT outcome FROM kepler.update_entries('Every Type', '[
    {"entry_id": 1, "t": "a\"\\\n\u00e9\ud83d\ude00", "b": 9007199254740993, "d": "12345678901234567890.1234567890",
     "f": 1e-1, "clock": "23:59:59.500", "at": "2024-07-01T14:00:00+02:00", "j": {"a": "x", "b": [1.5, null]},
     "v": [1.0, -5e-1, 0.001], "ts": ["a,b", "\"", "", "NULL", "{}"], "ns": [1.5, 2.0]}]');

-- What a type cannot hold is said, of lists with the place.
SELECT v ->> 'path' AS path, v ->> 'code' AS code, v ->> 'message' AS message
FROM kepler.insert_entries('Every Type', '[{
    "t": 1, "i": "1 ", "b": 9223372036854775808, "d": "1,5", "f": 1e999, "o": "yes", "day": "29.02.2024",
    "clock": "25:00", "at": "yesterday", "u": "x", "raw": "a", "e": "z", "v": [1, 2], "ts": ["a", 1],
    "ns": [1, null], "ats": "2024-07-01", "es": ["x", "z"], "j": {"a": "\ud800"}}]', 'skip'), jsonb_array_elements(violations) AS v;

-- Defaults that are made: times of the transaction, identifiers.
SELECT kepler.create_entry_table('Defaults', '{"fields": [
    {"name": "at", "type": "timestamp", "default": "now"}, {"name": "day", "type": "date", "default": "now"},
    {"name": "u", "type": "uuid", "default": "uuid"}, {"name": "c", "type": "text", "default": "cuid"},
    {"name": "tags", "type": "text", "list": true, "default": ["a", "b"]}, {"name": "n", "type": "integer", "default": 7}]}') AS defaults \gset
SELECT outcome FROM kepler.insert_entries('Defaults', '[{}, {"n": null}]');
INSERT INTO :defaults DEFAULT VALUES;
SELECT at = now() AS at, day = current_date AS day, substr(u::text, 15, 1) AS version, length(c), tags, n FROM :defaults ORDER BY entry_id;
ROLLBACK;
