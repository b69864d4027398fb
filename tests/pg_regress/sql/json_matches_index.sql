-- json_matches with a constant filter reads a GIN index on the document, and gives the same rows as without.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE docs (id integer PRIMARY KEY, tenant text, data jsonb);
INSERT INTO docs
SELECT i, 't' || i % 2, CASE WHEN i % 97 = 0 THEN NULL ELSE jsonb_build_object('key', 'k' || i % 500, 'year', 2000 + i % 30, 'tags', jsonb_build_array('a' || i % 700, jsonb_build_object('n', i % 300)),
    'deep', jsonb_build_object('er', jsonb_build_object('x', i % 400)), 'none', NULL) END
FROM generate_series(1, 20000) AS i;
CREATE FUNCTION rows_of(condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE answer bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM docs WHERE ' || condition INTO answer;
    RETURN answer;
END $$;
CREATE FUNCTION reads_index(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT * FROM docs WHERE ' || condition INTO plan;
    RETURN plan::text LIKE '%docs_data%';
END $$;
CREATE TEMP TABLE asked (number integer GENERATED ALWAYS AS IDENTITY, filter text);
INSERT INTO asked (filter) VALUES
    ('{"key": "k7"}'), ('{"deep.er.x": 7, "year": {"$between": [2001, 2010]}}'), ('{"tags": "a7"}'), ('{"tags.n": {"$in": [7, 8]}}'), ('{"tags": {"$contains": ["a9"]}}'),
    ('{"$or": [{"key": "k1"}, {"deep.er.x": 3}], "key": {"$like": "k%"}}'), ('{"deep": {"er": {"x": 7}}}'), ('{"key": {"$all": ["k3"]}}'), ('[{"op": "$eq", "path": ["deep", "er", "x"], "value": 9}]'),
    ('{"year": {"$gt": 2020}}'), ('{"key": {"$ne": "k7"}}'), ('{"key": null}'), ('{"none": null}'), ('{"$not": {"key": "k7"}}'), ('{"$or": [{"key": "k1"}, {"year": {"$lt": 2001}}]}'), ('{}');
CREATE TEMP TABLE before AS SELECT number, rows_of(format('kepler.json_matches(data, %L)', filter)) AS rows FROM asked;

-- Either operator class serves. What an index cannot look for, it is not asked for.
CREATE INDEX docs_data ON docs USING gin (data jsonb_path_ops);
ANALYZE docs;
SELECT filter, rows, reads_index(format('kepler.json_matches(data, %L)', filter)) AS by_index, rows_of(format('kepler.json_matches(data, %L)', filter)) = rows AS same
FROM asked JOIN before USING (number) ORDER BY number;
DROP INDEX docs_data;
CREATE INDEX docs_data ON docs USING gin (data);
SELECT bool_and(rows_of(format('kepler.json_matches(data, %L)', filter)) = rows) AS same, count(*) FILTER (WHERE reads_index(format('kepler.json_matches(data, %L)', filter))) AS by_index FROM asked JOIN before USING (number);
DROP INDEX docs_data;
-- An index over a part of the document serves filters on that part, and one that holds some of the rows does not change the answer.
CREATE INDEX docs_data ON docs USING gin ((data -> 'deep') jsonb_path_ops) WHERE tenant = 't1';
SELECT reads_index($$kepler.json_matches(data -> 'deep', '{"er.x": 7}') AND tenant = 't1'$$), rows_of($$kepler.json_matches(data -> 'deep', '{"er.x": 7}') AND tenant = 't1'$$) AS ones,
    rows_of($$kepler.json_matches(data -> 'deep', '{"er.x": 7}')$$) AS everybodys;
DROP INDEX docs_data;
CREATE INDEX docs_data ON docs USING gin (data jsonb_path_ops);
-- The condition is checked again on each row, and the planner knows about how many there are.
EXPLAIN (COSTS OFF) SELECT FROM docs WHERE kepler.json_matches(data, '{"key": "k7", "year": {"$gt": 2020}}');
CREATE FUNCTION expected(condition text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM docs WHERE ' || condition INTO plan;
    RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
SELECT expected($$kepler.json_matches(data, '{"key": "k7"}')$$) < 2000 AS few, expected($$kepler.json_matches(data, '{"year": {"$gt": 1}}')$$) > 2000 AS many;

-- NULL, alternatives, a filter that is no constant, and a negation.
SELECT rows_of($$kepler.json_matches(data, '{"key": "k7"}') OR kepler.json_matches(data, '{"key": "k8"}')$$) AS alternatives, reads_index($$kepler.json_matches(data, '{"key": "k7"}') OR kepler.json_matches(data, '{"key": "k8"}')$$),
    rows_of($$kepler.json_matches(data, (SELECT '{"key": "k7"}'::jsonb OFFSET 0))$$) AS no_constant, rows_of($$NOT kepler.json_matches(data, '{"key": "k7"}')$$) AS negated, rows_of($$kepler.json_matches(data, '{"key": "k7"}') IS NULL$$) AS unknown,
    rows_of($$kepler.json_matches(filter => '{"key": "k7"}', document => data)$$) AS named;
PREPARE by_filter (jsonb) AS SELECT count(*) FROM docs WHERE kepler.json_matches(data, $1);
SET LOCAL plan_cache_mode = force_generic_plan;
EXECUTE by_filter ('{"key": "k7"}');
SET LOCAL plan_cache_mode = force_custom_plan;
EXECUTE by_filter ('{"key": "k7"}');
EXECUTE by_filter ('{"key": {"$ne": "k7"}}');
-- A filter that is wrong is an error where it is asked, and nowhere else.
SELECT rows_of($$kepler.json_matches(data, '{"key": {"$above": 1}}')$$);
SELECT rows_of($$false AND kepler.json_matches(data, '{"key": {"$above": 1}}')$$), rows_of($$id = 0 AND kepler.json_matches(data, '{"key": {"$above": 1}}')$$) AS of_no_row;
SELECT rows_of('kepler.json_matches(data, NULL)');
-- Two tables, of which the other gives the filter.
SELECT count(*) FROM (VALUES ('{"key": "k7"}'::jsonb), ('{"year": 2001}')) AS f (filter) JOIN docs ON kepler.json_matches(docs.data, f.filter);

-- Under row security the function could see rows before the policy does, so it is asked last, and no index for it.
CREATE ROLE kepler_tenant;
GRANT USAGE ON SCHEMA kepler TO kepler_tenant;
GRANT EXECUTE ON FUNCTION kepler.json_matches TO kepler_tenant;
GRANT SELECT ON docs TO kepler_tenant;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON docs USING (tenant = 't1');
SELECT reads_index($$kepler.json_matches(data, '{"key": "k7"}')$$) AS by_owner, rows_of($$kepler.json_matches(data, '{"key": "k7"}')$$);
SET LOCAL ROLE kepler_tenant;
SELECT reads_index($$kepler.json_matches(data, '{"key": "k7"}')$$) AS by_tenant, rows_of($$kepler.json_matches(data, '{"key": "k7"}')$$);
-- An error tells of the filter, which may come from a row: so it is not leakproof.
SELECT proleakproof FROM pg_catalog.pg_proc WHERE oid = 'kepler.json_matches'::regproc;
ROLLBACK;
