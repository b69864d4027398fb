-- What is ranked by its words is read page by page: in a namespace of many memories, in which nearly all hold a word of the question, no page is
-- read for each of them.
\set SHOW_CONTEXT never
INSERT INTO kepler.workspaces (id, name) VALUES ('ranked', 'ranked');
INSERT INTO kepler.memories (workspace_id, id, content, namespace)
SELECT 'ranked', 'm' || i, 'tea number ' || i, 'docs/d' || i % 20 FROM generate_series(1, 8000) AS i;
VACUUM (ANALYZE) kepler.memories;
CREATE FUNCTION pg_temp.pages() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'i') $$;
CREATE FUNCTION pg_temp.read_for(question text, OUT best text, OUT pages text) LANGUAGE plpgsql AS $$
DECLARE before constant bigint := pg_temp.pages();
BEGIN
    SELECT m.content INTO best FROM kepler.search_memories(query_text => question, max_rows => 1, namespace => 'docs', workspace_id => 'ranked') AS m;
    pages := CASE WHEN pg_temp.pages() - before < 4000 THEN 'few' ELSE (pg_temp.pages() - before)::text END;
END $$;
SELECT r.* FROM pg_temp.read_for('tea 4711') AS r;
SELECT r.pages FROM pg_temp.read_for('tea') AS r;
DELETE FROM kepler.memories WHERE workspace_id = 'ranked';
DELETE FROM kepler.workspaces WHERE id = 'ranked';
