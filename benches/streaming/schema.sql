-- What the ways to load beside Kepler's need.
CREATE SCHEMA bench;
CREATE TABLE bench.bare (line text);
CREATE TABLE bench.staging (line text);

-- A table with the columns, keys, indexes and checks of kepler.records, without triggers and hashes.
CREATE TABLE bench.hand_written (LIKE kepler.records INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE);
ALTER TABLE bench.hand_written DROP COLUMN content_hash, DROP COLUMN source_digest;
INSERT INTO kepler.entities (id, type, source) VALUES ('bench', 'item', 'bench');
DO $$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT pg_get_constraintdef(c.oid) FROM pg_constraint AS c
        WHERE c.conrelid = 'kepler.records'::regclass AND c.contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE bench.hand_written ADD %s', definition);
    END LOOP;
    FOR definition IN SELECT unnest(c.reloptions) FROM pg_class AS c WHERE c.oid = 'kepler.records'::regclass LOOP
        EXECUTE format('ALTER TABLE bench.hand_written SET (%s)', definition);
    END LOOP;
END
$$;

-- What an engineer writes by hand: one statement, every row is written. A line is parsed once.
CREATE PROCEDURE bench.merge_by_hand()
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO bench.hand_written AS t
        (workspace_id, entity_id, external_id, entity_type, source, data, created_at, updated_at)
    SELECT 'default', 'bench', l.data->>'id', 'item', 'bench', l.data, now(), now()
    FROM (SELECT s.line::jsonb AS data FROM bench.staging AS s OFFSET 0) AS l
    ON CONFLICT (workspace_id, entity_id, external_id)
    DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at;
END;
