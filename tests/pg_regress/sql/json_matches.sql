-- Filters: what a document must be, in the manner of MongoDB. filters.sh holds thousands of them against
-- an evaluator of its own.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TEMP TABLE notes (id integer PRIMARY KEY, metadata jsonb NOT NULL);
INSERT INTO notes VALUES
    (1, '{"topic": "travel", "year": 2024, "tags": ["sea", "sun"], "by": {"name": "Ada"}}'),
    (2, '{"topic": "food", "year": "2024", "tags": [], "by": {"name": "Bob"}}'),
    (3, '{"topic": ["food", "travel"], "year": 2019, "site.lang": "en"}'),
    (4, '{}');

CREATE FUNCTION pg_temp.found(filter jsonb) RETURNS integer[]
LANGUAGE sql AS $$ SELECT array_agg(id ORDER BY id) FROM notes WHERE kepler.json_matches(metadata, filter) $$;

-- A value, an element of an array, a path, several things at once.
SELECT pg_temp.found('{"topic": "travel"}') AS topic, pg_temp.found('{"by.name": "Ada"}') AS path,
    pg_temp.found('{"topic": "food", "year": {"$gte": 2000}}') AS both, pg_temp.found('{}') AS everything;
-- Numbers are compared as numbers and texts as texts: 2024 and "2024" never meet.
SELECT pg_temp.found('{"year": {"$gt": 2000}}') AS numbers, pg_temp.found('{"year": {"$gt": "9"}}') AS texts,
    pg_temp.found('{"year": {"$gt": "2000"}}') AS text, pg_temp.found('{"year": 2.024e3}') AS spelled;
-- What is not there is not equal to anything, and has no order.
SELECT pg_temp.found('{"year": {"$ne": 2024}}') AS ne, pg_temp.found('{"year": {"$nin": [2024, 2019]}}') AS nin,
    pg_temp.found('{"year": {"$not": {"$lt": 2020}}}') AS not_lt, pg_temp.found('{"year": null}') AS nothing,
    pg_temp.found('{"year": {"$exists": true}}') AS something;
-- Containment is that of jsonb.
SELECT pg_temp.found('{"tags": {"$contains": ["sun", "sea"]}}') AS several, pg_temp.found('{"tags": {"$contains": "sun"}}') AS one,
    pg_temp.found('{"by": {"$contains": {"name": "Bob"}}}') AS member, pg_temp.found('{"tags": ["sea"]}') AS not_equal;
SELECT pg_temp.found('{"$or": [{"year": 2019}, {"$and": [{"topic": "food"}, {"tags": []}]}]}') AS "or",
    pg_temp.found('{"$not": {"topic": {"$in": ["food", "sport"]}}}') AS "not",
    pg_temp.found('[{"op": "$eq", "path": ["site.lang"], "value": "en"}]') AS dotted_key;

-- Regular expressions find in texts, also in those of an array; in nothing else.
SELECT pg_temp.found('{"topic": {"$regex": "^tra"}}') AS begins, pg_temp.found('{"tags": {"$regex": "^S", "$options": "i"}}') AS in_elements,
    pg_temp.found('{"year": {"$regex": "2"}}') AS no_numbers, pg_temp.found('[{"op": "$regex", "path": ["site.lang"], "value": "(?i)^EN$"}]') AS listed;
-- Elements that meet several things at once, all of some values, a number of elements, none of several filters.
SELECT pg_temp.found('{"tags": {"$elemMatch": {"$gte": "sb", "$lt": "sv"}}}') AS one_element, pg_temp.found('{"topic": {"$all": ["travel", "food"]}}') AS all,
    pg_temp.found('{"tags": {"$size": 0}}') AS size, pg_temp.found('{"$nor": [{"topic": "travel"}, {"year": {"$exists": false}}]}') AS nor;
SELECT kepler.json_matches('{"to": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}', '{"to": {"$elemMatch": {"name": "a", "n": 2}}}') AS of_two_elements,
    kepler.json_matches('{"to": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}', '{"to": {"$elemMatch": {"name": "b", "$or": [{"n": 2}, {"n": 3}]}}}') AS of_one;
-- Their time is bounded, whatever the expression: this one would take others years.
SELECT kepler.json_matches(jsonb_build_object('t', repeat('a', 100000)), '{"t": {"$regex": "^(a+)+$b"}}') AS patient;

-- Never NULL.
SELECT kepler.json_matches(NULL, '{}') AS no_document, kepler.json_matches('5', '{"a": null}') AS no_object;

-- What an index can serve is a jsonpath, and everything in it is bound.
SELECT * FROM kepler_internal.filter_condition('{"topic": "it''s", "year": {"$gt": 2000}}', 'metadata');
SELECT * FROM kepler_internal.filter_condition('{"topic": {"$in": ["a", "b"]}}', 'meta"data', 4);
CREATE INDEX notes_metadata_idx ON notes USING gin (metadata jsonb_path_ops);
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT FROM notes
WHERE (metadata OPERATOR(pg_catalog.@?) '$ ? ($."topic" == "a")'::pg_catalog.text::pg_catalog.jsonpath);

-- Everything that is wrong is said.
SELECT kepler.json_matches('{}', '{"$nor": [], "$xor": [], "year": {"$gt": null, "$regex": "[", "$options": "g", "$size": -1, "$all": 1, "$elemMatch": 5}, "$or": [{"tags": {"$in": 5}}], "by": {"name": {"$ne": "x"}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.json_matches('{}', '[{"op": "$eq", "path": ["a"]}, {"op": "$and", "path": "a..b", "value": 1}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.json_matches('{}', '"topic"');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.json_matches('{}', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler_internal.filter_condition('{"a": ', 'metadata');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- However deep: refused or answered, with no stack to run out of.
SELECT kepler.json_matches('{}', (repeat('{"$not": ', 64) || '{}' || repeat('}', 64))::jsonb) AS deep;
SELECT kepler.json_matches('{}', (repeat('{"$or": [', 300) || '{}' || repeat(']}', 300))::jsonb);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.json_matches('{}', (repeat('[', 1500) || repeat(']', 1500))::jsonb);
SELECT kepler.json_matches((repeat('[', 1500) || repeat(']', 1500))::jsonb, '{"a": 1}') AS deep_document,
    kepler.json_matches((repeat('{"a": ', 1500) || 1 || repeat('}', 1500))::jsonb, '{"a.a": {"$contains": {"a": {}}}}') AS contains;
ROLLBACK;
