-- Where the rows of an entry table are the optional side of an outer join, or may become it, their policy is asked before they are
-- read. Plans are made where it holds, and run where it does not: no function of the caller is given a row.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('conditions_a', 'A'), ('conditions_b', 'B');
CREATE ROLE conditions_a;
CREATE ROLE conditions_b;
CREATE ROLE conditions_chain;
GRANT conditions_a, conditions_b TO conditions_chain;
SELECT kepler.grant_access('conditions_a', 'writer', 'conditions_a');
SELECT kepler.grant_access('conditions_b', 'writer', 'conditions_b');
SELECT kepler.create_entry_table('Thing', '{"fields": [{"name": "s", "type": "text", "max_length": 100}, {"name": "n", "type": "integer"}]}',
    workspace_id => 'conditions_a') AS thing \gset
SET kepler.workspace_id = 'conditions_a';
SELECT count(*) FROM kepler.insert_entries('Thing', '[{"s": "secret", "n": 1}]');
RESET kepler.workspace_id;
CREATE SCHEMA conditions;
GRANT USAGE ON SCHEMA conditions TO conditions_chain;
SET search_path = conditions, public;
CREATE TABLE m AS SELECT 1 AS i, 'm' AS t;
GRANT SELECT, INSERT, UPDATE, DELETE ON m TO conditions_chain;
CREATE FUNCTION leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN RAISE WARNING 'leaked %', value; RETURN true; END $$;

-- Shapes of statements: t is the entry table, m one of the caller's, leak the caller's function.
CREATE TABLE shapes (place int GENERATED ALWAYS AS IDENTITY, shape text);
GRANT SELECT ON shapes TO conditions_chain;
INSERT INTO shapes (shape) VALUES
    ('SELECT t.s FROM {t} AS t WHERE leak(t.s)'),
    ('SELECT * FROM (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q'),
    ('SELECT q.s FROM (SELECT 1) AS z LEFT JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON true'),
    ('SELECT * FROM (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q RIGHT JOIN m ON true'),
    ('SELECT * FROM m FULL JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON q.n = m.i'),
    ('SELECT * FROM m LEFT JOIN ({t} AS t JOIN (SELECT 1) AS x ON true) ON leak(t.s || m.t)'),
    ('SELECT * FROM m LEFT JOIN ({t} AS t CROSS JOIN (SELECT 1 OFFSET 0) AS x) ON leak(t.s || m.t)'),
    ('SELECT * FROM m LEFT JOIN (m AS o JOIN (m AS p JOIN {t} AS t ON leak(t.s)) ON true) ON true'),
    ('SELECT * FROM m LEFT JOIN (SELECT t.*, leak(t.s) AS l FROM {t} AS t) AS q ON q.n = m.i'),
    ('SELECT * FROM m LEFT JOIN (SELECT * FROM (SELECT * FROM {t} AS t WHERE leak(t.s)) AS r) AS q ON true'),
    ('SELECT * FROM m LEFT JOIN LATERAL (SELECT * FROM {t} AS t WHERE leak(t.s || m.t)) AS q ON true'),
    ('SELECT * FROM m, LATERAL (SELECT * FROM {t} AS t WHERE leak(t.s || m.t)) AS q'),
    ('SELECT * FROM {t} AS t LEFT JOIN m ON leak(t.s)'),
    ('SELECT * FROM (SELECT * FROM {t} AS t JOIN m ON leak(t.s)) AS q LEFT JOIN m ON leak(q.s)'),
    ('SELECT * FROM m LEFT JOIN (SELECT t.s FROM {t} AS t UNION ALL SELECT u.s FROM {t} AS u) AS q ON leak(q.s)'),
    ('SELECT * FROM (SELECT t.s FROM {t} AS t WHERE leak(t.s) UNION ALL SELECT u.s FROM {t} AS u) AS q WHERE leak(q.s)'),
    ('SELECT t.s FROM {t} AS t WHERE leak(t.s) UNION SELECT m.t FROM m LEFT JOIN {t} AS u ON leak(u.s)'),
    ('WITH q AS (SELECT * FROM {t} AS t WHERE leak(t.s)) SELECT * FROM m LEFT JOIN q ON true'),
    ('WITH q AS (SELECT * FROM {t} AS t WHERE leak(t.s)) SELECT * FROM q'),
    ('WITH q AS MATERIALIZED (SELECT * FROM {t} AS t WHERE leak(t.s)) SELECT * FROM m LEFT JOIN q ON true'),
    ('WITH q AS NOT MATERIALIZED (SELECT * FROM {t} AS t WHERE leak(t.s)) SELECT * FROM q AS a LEFT JOIN q AS b ON true'),
    ('WITH q AS (SELECT * FROM {t} AS t) SELECT * FROM q AS a LEFT JOIN q AS b ON leak(a.s)'),
    ('SELECT * FROM m WHERE NOT EXISTS (SELECT FROM {t} AS t WHERE leak(t.s))'),
    ('SELECT * FROM m WHERE m.i IN (SELECT t.n FROM {t} AS t WHERE leak(t.s))'),
    ('SELECT * FROM m WHERE NOT EXISTS (SELECT FROM (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q)'),
    ('SELECT (SELECT q.n FROM m LEFT JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON true LIMIT 1)'),
    ('SELECT * FROM m LEFT JOIN (SELECT count(*) FROM {t} AS t WHERE leak(t.s)) AS q ON true'),
    ('UPDATE m SET t = q.s FROM m AS o LEFT JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON true WHERE q.n = m.i'),
    ('UPDATE {t} AS t SET s = ''x'' WHERE leak(t.s)'),
    ('DELETE FROM m USING m AS o LEFT JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON true WHERE q.n = m.i'),
    ('INSERT INTO m SELECT q.n, q.s FROM m LEFT JOIN (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON true'),
    ('MERGE INTO m USING (SELECT * FROM {t} AS t WHERE leak(t.s)) AS q ON q.n = m.i WHEN NOT MATCHED THEN DO NOTHING WHEN MATCHED THEN UPDATE SET t = q.s');
UPDATE shapes SET shape = replace(shape, '{t}', :'thing');

-- Each is planned once, by a member of the workspace. That the plan reads rows then is seen from the first shape.
SET ROLE conditions_chain;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SELECT kepler.use_workspace('conditions_a');
\set ECHO none
SELECT format('PREPARE shape_%s AS %s', place, shape) FROM shapes ORDER BY place \gexec
SET LOCAL client_min_messages = error;
SELECT format('EXPLAIN (COSTS OFF) EXECUTE shape_%s', place) FROM shapes ORDER BY place
\o /dev/null
\gexec
\o
SET LOCAL client_min_messages = warning;
\set ECHO all
EXECUTE shape_1;
EXECUTE shape_3;
COMMIT;

-- It is a member no more.
RESET ROLE;
REVOKE conditions_a FROM conditions_chain;
SET ROLE conditions_chain;
\set ECHO none
SELECT format('EXECUTE shape_%s', place) FROM shapes ORDER BY place \gexec
\set ECHO all

-- Nothing was written, but for what the optional side does not know.
SELECT * FROM m ORDER BY i;
DEALLOCATE ALL;
RESET plan_cache_mode;
RESET ROLE;
RESET search_path;
SET kepler.workspace_id = 'conditions_a';
SELECT kepler.drop_entry_table('Thing') IS NOT NULL AS dropped;
SELECT kepler.purge_entry_table('Thing');
RESET kepler.workspace_id;
DROP SCHEMA conditions CASCADE;
SELECT kepler.revoke_access('conditions_a'), kepler.revoke_access('conditions_b');
DROP ROLE conditions_chain, conditions_a, conditions_b;
DELETE FROM kepler.workspaces WHERE id IN ('conditions_a', 'conditions_b');
