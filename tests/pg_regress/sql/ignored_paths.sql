-- Places that change with every fetch (a time of fetching, a request id) need not count: the entity says
-- which. A record that differs only there is unchanged.
\set SHOW_CONTEXT never
BEGIN;
CREATE FUNCTION pg_temp.upsert(data text, merge text DEFAULT 'replace') RETURNS text LANGUAGE sql AS $$
    SELECT outcome FROM kepler.upsert_record('volatile', 'a', data, merge => merge)
$$;
CREATE FUNCTION pg_temp.stored() RETURNS jsonb LANGUAGE sql AS $$
    SELECT data FROM kepler.records WHERE entity_type = 'volatile' AND external_id = 'a'
$$;

-- Set before anything was upserted, it makes the entity; set again, it is the same one.
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": ["/fetched_at", "/meta/request"]}')
    = kepler.set_entity_options('volatile', '{"ignored_paths": ["/fetched_at", "/meta/request"]}') AS same_entity;
SELECT type, source, ignored_paths FROM kepler.entities WHERE type = 'volatile';

-- Differences there do not count; the stored data stays as it was.
SELECT pg_temp.upsert('{"v": 1, "fetched_at": 1, "meta": {"request": "x", "page": 1}}');
SELECT pg_temp.upsert('{"v": 1, "fetched_at": 2, "meta": {"request": "y", "page": 1}}');
SELECT pg_temp.upsert('{"v": 1, "meta": {"page": 1}}');
SELECT pg_temp.upsert('{"v": 1, "fetched_at": {"deep": [1]}, "meta": {"page": 1}}', 'deep');
SELECT pg_temp.stored();
-- A newer time is noted all the same.
SELECT outcome FROM kepler.upsert_record('volatile', 'a', '{"v": 1, "fetched_at": 3, "meta": {"request": "z", "page": 1}}', '2024-01-01');
SELECT pg_temp.stored()->'fetched_at' AS fetched_at;

-- Differences elsewhere do, and then all of the new data is written.
SELECT pg_temp.upsert('{"v": 2, "fetched_at": 4, "meta": {"request": "z", "page": 1}}');
SELECT pg_temp.upsert('{"v": 2, "fetched_at": 5, "meta": {"request": "z", "page": 2}}');
SELECT pg_temp.upsert('{"v": 2, "fetched_at": 5, "meta": null}');
SELECT pg_temp.upsert('{"v": 2, "fetched_at": 5, "meta": {}}');
SELECT pg_temp.upsert('{"v": 2, "fetched_at": 5, "meta": {"request": 1}}');
SELECT pg_temp.stored();

-- The hash in the row is that of all of the data.
SELECT content_hash = kepler.jsonb_hash(data) AS of_all FROM kepler.records WHERE entity_type = 'volatile';

-- A path is a JSON Pointer: / and ~ in names are escaped, numbers are array positions.
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": ["/a~1b", "/m~0n", "/list/1", "/list/2/x", "/"]}') IS NOT NULL AS set;
SELECT pg_temp.upsert('{"a/b": 1, "m~n": 1, "list": [1, 2, {"x": 1, "y": 1}], "": 1, "1": 1}');
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [1, 3, {"x": 2, "y": 1}], "": 2, "1": 1}');
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [9, 3, {"x": 2, "y": 1}], "": 2, "1": 1}');
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [9, 3, {"x": 2, "y": 2}], "": 2, "1": 1}');
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [9, 3, {"x": 2, "y": 2}], "": 2, "1": 2}');
-- An array that is longer than the other differs, whatever is ignored.
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [9], "": 2, "1": 2}');

-- Changed later, the new paths hold from the next upsert on; nothing is rewritten for it.
CREATE TEMP TABLE before AS SELECT ctid AS place, xmin AS version FROM kepler.records WHERE entity_type = 'volatile';
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": ["/v"]}') IS NOT NULL AS set;
SELECT r.ctid = b.place AND r.xmin = b.version AS kept FROM kepler.records AS r, before AS b WHERE r.entity_type = 'volatile';
SELECT pg_temp.upsert('{"a/b": 2, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 1}');
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 2}');
SELECT pg_temp.stored()->'v' AS v;
-- Taken back, everything counts again.
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": []}') IS NOT NULL AS set;
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 2}');
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 3}');
SELECT pg_temp.stored()->'v' AS v;
-- An option that is not named stays.
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": ["/v"]}') IS NOT NULL AS set;
SELECT kepler.set_entity_options('volatile', '{}') IS NOT NULL AS set;
SELECT ignored_paths FROM kepler.entities WHERE type = 'volatile';

-- Direct SQL on such a place is an update like any other, and the next upsert leaves it.
UPDATE kepler.records SET data = data || '{"v": "by hand"}' WHERE entity_type = 'volatile';
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 3}');
SELECT pg_temp.stored()->'v' AS v;

-- Enrichment that was made from the same content stays.
UPDATE kepler.records SET enrichment_status = 'PENDING' WHERE entity_type = 'volatile';
UPDATE kepler.records SET enrichment_status = 'APPLIED' WHERE entity_type = 'volatile';
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 4}');
SELECT outcome FROM kepler.upsert_record('volatile', 'a', NULL, deleted => true);
SELECT pg_temp.upsert('{"a/b": 3, "m~n": 2, "list": [9], "": 2, "1": 2, "v": 5}');
SELECT enrichment_status, data->'v' AS v FROM kepler.records WHERE entity_type = 'volatile';
SELECT pg_temp.upsert('{"v": 6}');
SELECT enrichment_status FROM kepler.records WHERE entity_type = 'volatile';

-- Each entity has its own.
SELECT kepler.set_entity_options('volatile', '{"ignored_paths": ["/x"]}', source => 'crm') IS NOT NULL AS set;
SELECT source, ignored_paths FROM kepler.entities WHERE type = 'volatile' ORDER BY source;
ROLLBACK;
