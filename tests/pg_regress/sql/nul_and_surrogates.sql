-- Pain: \u0000, which jsonb and text cannot hold, fails the whole load; so do lone surrogates. Here the
-- record is rejected and the others land, or the characters are left out if asked.
BEGIN;
CREATE TEMP TABLE batch (elements text);
INSERT INTO batch VALUES ($$[
    {"external_id": "value", "data": {"a": "x\u0000y"}},
    {"external_id": "key", "data": {"a\u0000": 1, "b": 2}},
    {"external_id": "deep", "data": {"a": [{"b": ["\u0000"]}]}},
    {"external_id": "id\u0000", "data": {}},
    {"external_id": "high", "data": {"a": "x\ud83dy"}},
    {"external_id": "low", "data": {"a": "x\ude00y"}},
    {"external_id": "swapped", "data": {"a": "\ude00\ud83d"}},
    {"external_id": "high high low", "data": {"a": "\ud83d\ud83d\ude00"}},
    {"external_id": "high in key", "data": {"a\uD83D": 1}},
    {"external_id": "id\ud83d", "data": {}},
    {"external_id": "not a nul", "data": {"a": "\\u0000"}},
    {"external_id": "pair", "data": {"a": "\ud83d\ude00", "\uD83D\uDE00": 1}},
    {"external_id": "limits", "data": {"a": "\u0001\ud7ff\ue000\uffff\ud800\udc00\udbff\udfff"}}
]$$);

-- By default each is rejected, with the reason; what can be stored is.
SELECT u.ordinal, u.external_id, u.outcome, u.error_code, u.error
FROM batch, kepler.upsert_records('strict', elements) AS u;
SELECT external_id, data FROM kepler.records WHERE entity_type = 'strict' ORDER BY external_id;

-- With strip they land without those characters. An id is never changed: it stays rejected.
SELECT u.ordinal, u.external_id, u.outcome, u.error_code
FROM batch, kepler.upsert_records('strip', elements, options => '{"invalid_characters": "strip"}') AS u;
SELECT external_id, data FROM kepler.records WHERE entity_type = 'strip' ORDER BY external_id;

-- Stripped once more, nothing has changed.
SELECT kepler.upsert_records_summary('strip', elements, options => '{"invalid_characters": "strip"}')->'unchanged' AS unchanged
FROM batch;
-- The same text without strip is rejected, also where the stripped content is what is stored.
SELECT outcome, error_code FROM kepler.upsert_records('strip', '[{"external_id": "value", "data": {"a": "x\u0000y"}}]');

-- Two keys that become one by stripping are one, the last.
SELECT outcome FROM kepler.upsert_record('strip', 'two keys', '{"a": 1, "a\u0000": 2}', options => '{"invalid_characters": "strip"}');
SELECT data FROM kepler.records WHERE external_id = 'two keys';

-- In a flat document too, and in the field of the id.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('flat', $$[
    {"id": "a", "t": "\u0000"}, {"id": "b", "t": "x"}, {"id": "c\u0000", "t": "x"}, {"id\u0000": "d", "id": "d"}]$$, id_key => 'id');
SELECT external_id, outcome, error_code FROM kepler.upsert_records('flat', $$[
    {"id": "a", "t": "\u0000"}, {"id": "c\u0000", "t": "x"}]$$, id_key => 'id', options => '{"invalid_characters": "strip"}');
ROLLBACK;
