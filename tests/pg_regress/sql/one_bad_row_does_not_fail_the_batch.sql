-- Pain: one bad row fails the batch, or is skipped without a word. Here every element gets its
-- answer, and all that can land does.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;

-- Every second element is broken in another way, down to its syntax.
CREATE TEMP TABLE batch (elements text);
INSERT INTO batch VALUES ($$[
    {"external_id": "ok1", "data": {"n": 1}},
    null,
    {"external_id": "ok2", "data": {"n": 2}},
    "text, with ] and } and \" inside",
    {"external_id": "ok3", "data": {"n": 3}},
    [1, {"external_id": "inner", "data": {}}],
    {"external_id": "ok4", "data": {"n": 4}},
    {"external_id": "x1", "data": {"a": nul}},
    {"external_id": "ok5", "data": {"n": 5}},
    {"external_id": "x2", "data": {"a" 1}},
    {"external_id": "ok6", "data": {"n": 6}},
    {"external_id": "x3" "data": {}},
    {"external_id": "ok7", "data": {"n": 7}},
    {"external_id": "x4", "data": {"a": 01, "b": 1.}},
    {"external_id": "ok8", "data": {"n": 8}},
    {external_id: "x5", "data": {}},
    {"external_id": "ok9", "data": {"n": 9}},
    {"external_id": "x6", "data": {"a": "\q"}},
    {"external_id": "ok10", "data": {"n": 10}},
    {"external_id": "x7", "data": {"a": [1, 2,]}},
    {"external_id": "ok11", "data": {"n": 11}},
    {"external_id": "x8", "data": {},},
    {"external_id": "ok12", "data": {"n": 12}},
    {'external_id': 'x9'},
    {"external_id": "ok13", "data": {"n": 13}},
    NaN,
    {"external_id": "ok14", "data": {"n": 14}},
    {"external_id": "x10", "data": {"a": Infinity}},
    {"external_id": "ok15", "data": {"n": 15}},
    {"external_id": "x11", "data": {"a": "\u00g0"}},
    {"external_id": "ok16", "data": {"n": 16}}
]$$);
SELECT u.ordinal, u.external_id, u.outcome, u.error_code, u.error FROM batch, kepler.upsert_records('mixed', elements) AS u;
SELECT count(*) AS landed, sum((data->>'n')::int) AS total FROM kepler.records WHERE entity_type = 'mixed';

-- Sent again, the good ones are unchanged and the bad ones are rejected again.
SELECT s->'total' AS total, s->'unchanged' AS unchanged, s->'rejected' AS rejected
FROM batch, kepler.upsert_records_summary('mixed', elements) AS s;

-- A tab or line break inside a string must be escaped; a raw one rejects its record.
SELECT external_id, outcome, error_code, error FROM kepler.upsert_records('control',
    E'[{"external_id": "tab", "data": {"a": "x\ty"}}, {"external_id": "key", "data": {"a\n": 1}}, {"external_id": "del", "data": {"a": "\x7f"}},
      {"external_id": "i\td", "data": {}}, {"external_id": "ok", "data": {"a": "x\\ty"}}]');

-- A rejected batch of one is an answer, not an error.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('mixed', '[[]]');

-- Only a text that cannot be divided into elements ends the call, and then nothing lands.
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}}, {"external_id": "b", "da');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}}, {"external_id": "b", "data": {]}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}} {"external_id": "b", "data": {}}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}},]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[,{"external_id": "a", "data": {}}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[{"external_id": "a", "data": {}}] []');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('cut', '[');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.records WHERE entity_type = 'cut';
ROLLBACK;
