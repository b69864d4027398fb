-- Random batches of entries that refer to each other, held against what it means: the largest set lands of which each entry is good and refers to what is stored or
-- lands too; and the largest set goes of which each may, and is referred to by nothing that stays.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_entry_table('Random', '{"fields": [{"name": "n", "type": "integer"}, {"name": "up", "type": "reference", "to": "Random"}, {"name": "side", "type": "reference", "to": "Random"}, {"name": "code", "type": "integer", "unique": true}]}') AS random \gset
ALTER TABLE :random ADD CHECK (n < 8);
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.n = 0 THEN RAISE EXCEPTION 'kept'; END IF; RETURN OLD; END $$;
CREATE TRIGGER keep BEFORE DELETE ON :random FOR EACH ROW EXECUTE FUNCTION pg_temp.keep();
CREATE TEMP TABLE batch (i int, id bigint, n int, up bigint, side bigint, code int);
CREATE FUNCTION pg_temp.differences(rounds int) RETURNS TABLE (round int, what text, expected text, got text) LANGUAGE plpgsql AS $$
DECLARE
    random CONSTANT text := (SELECT 'kepler_data.' || table_name FROM kepler.entry_tables WHERE record_name = 'Random' AND dropped_at IS NULL);
    alive bigint[];
    fewer bigint[];
BEGIN
    FOR at IN 1 .. rounds LOOP
        round := at;
        EXECUTE 'TRUNCATE ' || random;
        -- Entry 99 is stored, and has the code 1. Of 12 elements some are bad, have that code, or refer to each other, to 99 or to nothing.
        PERFORM kepler.insert_entries('Random', '[{"entry_id": 99, "n": 1, "code": 1}]');
        TRUNCATE batch;
        INSERT INTO batch
        SELECT i, (i * 5 + round) % 12 + 1, r[1] % 9, CASE WHEN r[2] % 3 > 0 THEN CASE r[2] % 16 WHEN 14 THEN 77 WHEN 15 THEN 99 ELSE least(r[2] % 16 + 1, 12) END END,
            CASE WHEN r[3] % 5 = 0 THEN r[3] % 12 + 1 END, CASE WHEN r[4] % 12 = 0 THEN 1 ELSE i + 100 END
        FROM generate_series(1, 12) AS i, LATERAL (SELECT array_agg(('x' || substr(md5(format('%s.%s.%s', round, i, k)), 1, 6))::bit(24)::int ORDER BY k) AS r FROM generate_series(1, 4) AS k) AS _;
        SELECT array_agg(id) INTO alive FROM batch WHERE n < 8 AND code <> 1;
        LOOP
            SELECT array_agg(id) INTO fewer FROM batch WHERE id = ANY (alive) AND (up IS NULL OR up = ANY (alive || 99::bigint)) AND (side IS NULL OR side = ANY (alive || 99::bigint));
            EXIT WHEN fewer IS NOT DISTINCT FROM alive;
            alive := fewer;
        END LOOP;
        what := 'landed';
        SELECT string_agg(id::text, ' ' ORDER BY id) INTO expected FROM batch WHERE id = ANY (alive);
        SELECT string_agg(entry_id, ' ' ORDER BY entry_id::int) INTO got FROM kepler.insert_entries('Random', (
            SELECT json_agg(json_build_object('entry_id', id, 'n', n, 'up', up, 'side', side, 'code', code) ORDER BY i) FROM batch)::text, 'skip') WHERE outcome = 'inserted';
        IF expected IS DISTINCT FROM got THEN
            RETURN NEXT;
        END IF;
        DELETE FROM batch WHERE id <> ALL (coalesce(alive, '{}'));
        SELECT array_agg(id) INTO alive FROM batch WHERE n > 0 AND id <> 3;
        LOOP
            SELECT array_agg(b.id) INTO fewer FROM batch AS b WHERE b.id = ANY (alive)
                AND NOT EXISTS (SELECT FROM batch AS o WHERE b.id IN (o.up, o.side) AND o.id <> ALL (alive));
            EXIT WHEN fewer IS NOT DISTINCT FROM alive;
            alive := fewer;
        END LOOP;
        what := 'deleted';
        SELECT string_agg(id::text, ' ' ORDER BY id) INTO expected FROM batch WHERE id = ANY (alive);
        SELECT string_agg(entry_id, ' ' ORDER BY entry_id::int) INTO got FROM kepler.delete_entries('Random', ARRAY(SELECT id::text FROM batch WHERE id <> 3)) WHERE outcome = 'deleted';
        IF expected IS DISTINCT FROM got THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
SELECT * FROM pg_temp.differences(12);
ROLLBACK;
