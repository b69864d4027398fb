-- What is rejected takes along only what needs it: which elements land does not depend on how a batch is cut, in what order
-- it comes, or how much stands beside.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Node', '{"fields": [{"name": "code", "type": "text", "unique": true}, {"name": "parent", "type": "reference", "to": "Node"}, {"name": "friend", "type": "reference", "to": "Node"}]}') AS node \gset
SELECT kepler.insert_entries('Node', '[{"entry_id": 100, "code": "X"}]') IS NOT NULL AS stored;
-- 3 has what is stored already, so 2 has no parent. 1 and 4 have nothing to do with it.
SELECT ordinal, outcome, error_code, error FROM kepler.insert_entries('Node', '[{"entry_id": 1, "parent": 4}, {"entry_id": 2, "parent": 3}, {"entry_id": 3, "code": "X"}, {"entry_id": 4}]', 'skip');
-- All is named at once where nothing is to be skipped.
SELECT FROM kepler.insert_entries('Node', '[{"entry_id": 5, "parent": 8}, {"entry_id": 6, "parent": 7}, {"entry_id": 7, "code": "X"}, {"entry_id": 8}]');

-- A rule that only the database knows. A chain breaks where its link is missing; a circle goes with one of its own.
ALTER TABLE :node ADD CONSTRAINT no_bad CHECK (code <> 'bad');
SELECT ordinal, outcome, error_code, error FROM kepler.insert_entries('Node', '[
    {"entry_id": 10, "parent": 11}, {"entry_id": 11, "parent": 12}, {"entry_id": 12, "parent": 13, "code": "bad"}, {"entry_id": 13},
    {"entry_id": 20, "parent": 21}, {"entry_id": 21, "parent": 22}, {"entry_id": 22, "parent": 20, "code": "bad"}, {"entry_id": 23, "parent": 22},
    {"entry_id": 30, "parent": 31}, {"entry_id": 31, "parent": 30, "friend": 13}, {"entry_id": 40, "parent": 40}, {"entry_id": 41, "parent": 41, "code": "bad"}]', 'skip');
-- A trigger that keeps a row out without a word, and one that raises.
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.code = 'raise' THEN
        RAISE EXCEPTION 'not this one';
    END IF;
    RETURN CASE WHEN NEW.code = 'quiet' THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER keep_out BEFORE INSERT OR UPDATE ON :node FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT ordinal, outcome, error_code, error FROM kepler.insert_entries('Node', '[
    {"entry_id": 50, "parent": 51}, {"entry_id": 51, "code": "quiet"}, {"entry_id": 52, "parent": 53}, {"entry_id": 53, "code": "raise"}, {"entry_id": 54, "parent": 55}, {"entry_id": 55}]', 'skip');
-- Two with one code: the first in the order in which they are needed lands.
SELECT ordinal, outcome, error FROM kepler.insert_entries('Node', '[{"entry_id": 60, "code": "twin"}, {"entry_id": 61, "parent": 62}, {"entry_id": 62, "code": "twin"}, {"entry_id": 63, "parent": 64}, {"entry_id": 64}]', 'skip');
-- The same for an upsert.
SELECT ordinal, outcome, error FROM kepler.upsert_entries('Node', '{entry_id}', '[
    {"entry_id": 70, "parent": 71}, {"entry_id": 71, "code": "bad"}, {"entry_id": 72, "parent": 73}, {"entry_id": 73, "code": "y"}, {"entry_id": 100, "parent": 71}, {"entry_id": 4, "parent": 72}]', 'skip');

-- In whatever order a batch comes, and beside whatever else, the same land.
CREATE FUNCTION pg_temp.landed(seed integer, chaff integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    PERFORM kepler.create_entry_table('Shuffled', '{"fields": [{"name": "code", "type": "text", "unique": true}, {"name": "parent", "type": "reference", "to": "Shuffled"}, {"name": "n", "type": "integer"}]}');
    EXECUTE format('ALTER TABLE %s ADD CHECK (n <> 13)', (SELECT 'kepler_data.' || table_name FROM kepler.entry_tables WHERE record_name = 'Shuffled' AND dropped_at IS NULL));
    SELECT string_agg(r.entry_id, ' ' ORDER BY r.entry_id::int) INTO found FROM kepler.insert_entries('Shuffled', (
        -- A tree of 1 to 40, two of which the database refuses; a circle of 41 to 44; a circle of 45 to 48 with a bad one in it.
        SELECT json_agg(e ORDER BY md5(seed || e::text)) FROM (
            SELECT json_build_object('entry_id', i, 'parent', nullif(i / 2, 0), 'n', CASE WHEN i IN (5, 12) THEN 13 ELSE i + 100 END) FROM generate_series(1, 40) AS i
            UNION ALL SELECT json_build_object('entry_id', i, 'parent', CASE WHEN i IN (44, 48) THEN i - 3 ELSE i + 1 END, 'n', CASE WHEN i = 47 THEN 13 ELSE 0 END) FROM generate_series(41, 48) AS i
            UNION ALL SELECT json_build_object('entry_id', i, 'n', 0) FROM generate_series(1001, 1000 + chaff) AS i) AS t (e))::text, 'skip') AS r
    WHERE r.outcome = 'inserted' AND r.entry_id::int < 1000;
    PERFORM kepler.drop_entry_table('Shuffled');
    RETURN found;
END $$;
SELECT landed, count(*) FROM (SELECT pg_temp.landed(seed, chaff) AS landed FROM generate_series(1, 3) AS seed, unnest('{0, 1200}'::int[]) AS chaff) AS t GROUP BY 1;
-- A long chain of which the end is missing takes no longer for being long.
SELECT outcome, count(*) FROM kepler.insert_entries('Node', (SELECT json_agg(json_build_object('entry_id', i, 'parent', i + 1)) FROM generate_series(100001, 105000) AS i)::text, 'skip') GROUP BY 1;

-- Deleted together: what refers goes before what it refers to, however many stand between; what must stay keeps what it refers to.
SELECT kepler.create_entry_table('Leaf', '{"fields": [{"name": "node", "type": "reference", "to": "Node"}]}') AS leaf \gset
SELECT count(*) FROM kepler.insert_entries('Node', (SELECT json_agg(json_build_object('entry_id', i, 'parent', CASE WHEN i > 200001 THEN i - 1 END)) FROM generate_series(200001, 202500) AS i)::text);
SELECT outcome FROM kepler.insert_entries('Leaf', '[{"node": 200003}]');
SELECT outcome, error_code IN ('23001', '23503') AS is_referred_to, count(*), min(entry_id) AS first FROM kepler.delete_entries('Node', ARRAY(SELECT i::text FROM generate_series(200001, 202500) AS i)) GROUP BY 1, 2 ORDER BY 1;
SELECT entry_id, outcome, error_code IN ('23001', '23503') AS is_referred_to FROM kepler.delete_entries('Node', '{30, 31, 013, 13, 40}');
SELECT entry_id, outcome FROM kepler.delete_entries('Node', '{30, 31}');
-- What a cascade would take is deleted, and not "not found".
SELECT kepler.create_entry_table('Page', '{"fields": [{"name": "book", "type": "reference", "to": "Page", "on_delete": "cascade"}]}') IS NOT NULL AS made;
SELECT count(*) FROM kepler.insert_entries('Page', (SELECT json_agg(json_build_object('entry_id', i, 'book', CASE WHEN i > 1 THEN 1 END)) FROM generate_series(1, 2500) AS i)::text);
SELECT outcome, count(*) FROM kepler.delete_entries('Page', ARRAY(SELECT i::text FROM generate_series(1, 2500) AS i)) GROUP BY 1;

-- A unique value that one entry gives up and another gets moves, in whatever order they come. Two change places; what meets one that moved is rejected.
SELECT kepler.create_entry_table('Place', '{"fields": [{"name": "pos", "type": "integer", "unique": true}, {"name": "n", "type": "integer"}]}') AS place \gset
SELECT count(*) FROM kepler.insert_entries('Place', (SELECT json_agg(json_build_object('entry_id', i, 'pos', i)) FROM generate_series(1, 2500) AS i)::text);
SELECT outcome, count(*) FROM kepler.update_entries('Place', (SELECT json_agg(json_build_object('entry_id', i, 'pos', i + 1)) FROM generate_series(1, 2500) AS i)::text, 'skip') GROUP BY 1;
SELECT outcome, count(*) FROM kepler.upsert_entries('Place', '{entry_id}', (SELECT json_agg(json_build_object('entry_id', i, 'pos', i)) FROM generate_series(1, 2500) AS i)::text) GROUP BY 1;
SELECT ordinal, outcome, error FROM kepler.update_entries('Place', '[{"entry_id": 1, "pos": 2}, {"entry_id": 2, "pos": 1}, {"entry_id": 3, "pos": 1}, {"entry_id": 4, "pos": 9000}, {"entry_id": 5, "pos": 4}, {"entry_id": 6, "pos": 4}]', 'skip');
SELECT outcome FROM kepler.update_entries('Place', '[{"entry_id": 7, "pos": 8}, {"entry_id": 8, "pos": 5}]');
SELECT entry_id, pos FROM :place WHERE entry_id < 9 ORDER BY 1;

-- A trigger that gives entries other keys: the answers tell those, also where some are not written.
SELECT kepler.create_entry_table('Renumbered', '{"fields": [{"name": "code", "type": "text", "unique": true}]}') AS renumbered \gset
CREATE FUNCTION pg_temp.renumber() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.entry_id := NEW.entry_id + 1000; NEW.code := lower(NEW.code); RETURN CASE WHEN NEW.code <> 'out' THEN NEW END; END $$;
CREATE TRIGGER renumber BEFORE INSERT ON :renumbered FOR EACH ROW EXECUTE FUNCTION pg_temp.renumber();
SELECT ordinal, entry_id, outcome, error FROM kepler.insert_entries('Renumbered', '[{"entry_id": 1, "code": "A"}, {"entry_id": 2, "code": "b"}]');
SELECT ordinal, entry_id, outcome, error FROM kepler.insert_entries('Renumbered', '[{"entry_id": 3, "code": "C"}, {"entry_id": 4, "code": "c"}, {"entry_id": 5, "code": "out"}, {"entry_id": 6, "code": "D"}]', 'skip');
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Renumbered', '{code}', '[{"code": "c"}, {"code": "e"}]');
SELECT entry_id < 1007 AS given, code FROM :renumbered ORDER BY code;

-- Of elements for one entry the last stands; where it is rejected, the one before it does.
SELECT kepler.create_entry_table('Pair', '{"fields": [{"name": "code", "type": "text", "unique": true}, {"name": "alt", "type": "text", "unique": true}, {"name": "n", "type": "integer"}]}') AS pair \gset
SELECT outcome FROM kepler.insert_entries('Pair', '[{"code": "a", "alt": "y"}]');
SELECT ordinal, outcome, error FROM kepler.upsert_entries('Pair', '{code}', '[{"code": "b", "n": 6}, {"code": "b", "alt": "y"}, {"code": "c", "n": 1}, {"code": "c", "n": 2}, {"code": "d", "n": 3}, {"code": "d", "n": 4, "alt": "z"}, {"code": "d", "alt": "y"}]', 'skip');
SELECT code, alt, n FROM :pair ORDER BY code;
SELECT ordinal, outcome FROM kepler.update_entries('Pair', (SELECT json_agg(json_build_object('entry_id', p.entry_id, 'n', v.n, 'alt', v.alt) ORDER BY v.k) FROM :pair AS p, (VALUES (1, 7, 'q'), (2, 8, 'y')) AS v (k, n, alt) WHERE p.code = 'b'), 'skip');
SELECT code, alt, n FROM :pair WHERE code = 'b';

-- What an index of the user's own is too short for, and what a trigger raises, is that element's; in a change and a deletion too.
SELECT kepler.create_entry_table('Guarded', '{"fields": [{"name": "t", "type": "text"}]}') AS guarded \gset
CREATE INDEX ON :guarded (t);
CREATE FUNCTION pg_temp.guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    ASSERT TG_OP = 'DELETE' OR NEW.t IS DISTINCT FROM 'assert', 'not so';
    IF TG_OP = 'DELETE' AND OLD.t = 'keep' THEN
        RAISE EXCEPTION 'kept' USING ERRCODE = '23001';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON :guarded FOR EACH ROW EXECUTE FUNCTION pg_temp.guard();
SELECT ordinal, outcome, error_code FROM kepler.insert_entries('Guarded', (SELECT json_agg(json_build_object('t', t)) FROM (VALUES ('a'), ((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i)), ('assert'), ('keep'), ('b')) AS v (t))::text, 'skip');
SELECT ordinal, outcome, error_code FROM kepler.update_entries('Guarded', (SELECT json_agg(json_build_object('entry_id', entry_id, 't', CASE t WHEN 'a' THEN 'assert' WHEN 'b' THEN (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i) ELSE 'keep' END) ORDER BY entry_id) FROM :guarded)::text, 'skip');
SELECT ordinal, outcome, error_code, error FROM kepler.delete_entries('Guarded', ARRAY(SELECT entry_id::text FROM :guarded ORDER BY entry_id));
ROLLBACK;
