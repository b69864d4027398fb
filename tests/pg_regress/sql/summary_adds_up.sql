-- The outcomes of a batch always add up to its elements, in rows and in the summary.
BEGIN;
SELECT jsonb_pretty(kepler.upsert_records_summary('sum', '[]'));
SELECT kepler.upsert_records_summary('sum', '[
    {"external_id": "kept", "data": {"n": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "changed", "data": {"n": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "touched", "data": {"n": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "gone", "data": {"n": 1}},
    {"external_id": "back", "deleted": true}
]')->>'inserted' AS inserted;

-- A batch with every outcome there is.
CREATE TEMP TABLE batch (elements text);
INSERT INTO batch VALUES ('[
    {"external_id": "new", "data": {}},
    {"external_id": "kept", "data": {"n": 1.0}},
    {"external_id": "changed", "data": {"n": 2}},
    {"external_id": "touched", "data": {"n": 1}, "source_updated_at": "2024-01-02"},
    {"external_id": "touched", "data": {"n": 2}, "source_updated_at": "2024-01-01"},
    {"external_id": "kept", "data": {"n": 3}, "source_updated_at": "2023-01-01"},
    {"external_id": "gone", "deleted": true},
    {"external_id": "back", "data": {}},
    {"external_id": "bad", "data": []},
    {"external_id": "deep", "data": {"a": "\ud800"}},
    {"external_id": "", "data": {}},
    17
]');
SAVEPOINT before_it;
SELECT ordinal, external_id, outcome, error_code
FROM batch, kepler.upsert_records('sum', elements);
ROLLBACK TO before_it;
SELECT jsonb_pretty(kepler.upsert_records_summary('sum', elements)) FROM batch;

-- The same once more.
SELECT s->'total' AS total,
    (SELECT sum(value::int) FROM jsonb_each_text(s - 'total' - 'rejected_by_code')) AS outcomes,
    s->'rejected' AS rejected,
    (SELECT sum(value::int) FROM jsonb_each_text(s->'rejected_by_code')) AS by_code,
    s->'unchanged' AS unchanged, s->'inserted' AS inserted, s->'updated' AS updated
FROM batch, kepler.upsert_records_summary('sum', elements) AS s;
ROLLBACK;
