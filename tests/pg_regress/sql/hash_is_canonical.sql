-- kepler.jsonb_hash covers what a document says, not how it is written. It is stored in tables and in
-- dumps, so the values below must never change.
SELECT d.document, kepler.jsonb_hash(d.document) FROM (VALUES
    ('null'::jsonb), ('true'), ('false'), ('0'), ('-1.50'), ('1e100'), ('123456789012345678901234567890.000000001'), ('1e-9'),
    ('""'), ('"a"'), ('"ü😀\u0001"'), ('[]'), ('{}'), ('[null, [true], {"a": [1, "1"]}]'),
    ('{"b": 1, "a": {"c": [1.0, 2e3, -0], "": null}, "long key": "ß"}')) AS d (document);
SELECT kepler.jsonb_hash(jsonb_agg(i)) AS array_of_1000, kepler.jsonb_hash(jsonb_object_agg(i, i)) AS object_of_1000,
    kepler.jsonb_hash(to_jsonb(repeat('x', 100000))) AS long_text,
    kepler.jsonb_hash((repeat('[', 5000) || repeat(']', 5000))::jsonb) AS deep,
    kepler.jsonb_hash(repeat('7', 1000)::jsonb) AS long_number
FROM generate_series(1, 1000) AS i;

-- Order of keys, white space, escapes and the spelling of numbers do not count.
SELECT a, b, kepler.jsonb_hash(a::jsonb) = kepler.jsonb_hash(b::jsonb) AS same FROM (VALUES
    ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
    ('{"a": 1, "a": 2}', '{"a": 2}'),
    (' [ 1 , 2 ] ', '[1,2]'),
    ('"\u0041\/"', '"A/"'),
    ('1', '1.0'), ('1', '1e0'), ('1', '100e-2'), ('10000', '1E4'), ('0.10', '1e-1'), ('0', '-0.000'), ('12345678.90', '0.1234567890e8')
) AS p (a, b);
-- Everything else does.
SELECT a, b, kepler.jsonb_hash(a::jsonb) <> kepler.jsonb_hash(b::jsonb) AS different FROM (VALUES
    ('1', '"1"'), ('1', '10000'), ('1', '-1'), ('0.1', '0.10000000000000000000000000000000001'),
    ('9007199254740993', '9007199254740992'), ('null', '"null"'), ('null', 'false'), ('[]', '{}'), ('[]', '[[]]'), ('[1, 2]', '[2, 1]'),
    ('[1, [2]]', '[[1], 2]'), ('[1, 2]', '[12]'), ('["ab", "c"]', '["a", "bc"]'), ('{"a": null}', '{}'), ('{"a": ""}', '{"": "a"}'), ('"a"', '["a"]'),
    ('"\u00e9"', '"e\u0301"'), ('{"a": {"b": 1}}', '{"a": 1, "b": {}}')
) AS p (a, b);

-- Over random documents: equal for Postgres is equal for the hash, and the other way around.
SELECT setseed(0.3);
CREATE TEMP TABLE documents AS
SELECT (SELECT jsonb_object_agg(chr(97 + (random() * 2)::int), v) FROM (
    SELECT CASE (random() * 6)::int
        WHEN 0 THEN to_jsonb((random() * 2)::int) WHEN 1 THEN to_jsonb((random() * 2)::numeric(3, 1)) WHEN 2 THEN '"1"'
        WHEN 3 THEN jsonb_build_array((random() * 2)::int) WHEN 4 THEN 'null' WHEN 5 THEN jsonb_build_object('a', (random() * 2)::int)
        ELSE 'true' END AS v
    FROM generate_series(1, 1 + i % 3)) AS members) AS document
FROM generate_series(1, 1500) AS i;
SELECT count(*) > 1000000 AS pairs, count(*) FILTER (WHERE a.document = b.document) > 10000 AS many_equal,
    count(*) FILTER (WHERE (a.document = b.document) <> (kepler.jsonb_hash(a.document) = kepler.jsonb_hash(b.document))) AS disagreements
FROM documents AS a, documents AS b;

-- Strict and immutable; the same from a stored, compressed and toasted value.
SELECT kepler.jsonb_hash(NULL) IS NULL AS null_for_null, provolatile, proparallel FROM pg_proc WHERE oid = 'kepler.jsonb_hash(jsonb)'::regprocedure;
CREATE TEMP TABLE toasted (d jsonb);
INSERT INTO toasted SELECT jsonb_agg(repeat(i::text, 20)) FROM generate_series(1, 5000) AS i;
ALTER TABLE toasted ALTER d SET STORAGE external;
INSERT INTO toasted SELECT d FROM toasted;
SELECT count(DISTINCT kepler.jsonb_hash(d)) AS hashes, count(DISTINCT kepler.jsonb_hash(d || '[]')) FROM toasted;
