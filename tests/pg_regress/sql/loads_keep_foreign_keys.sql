-- Many new records of one call refer to one entity, and Postgres looks for it once, with the last of them. Where rows may
-- differ in what they refer to, or the check may come later, each is checked as ever.
\set VERBOSITY terse
BEGIN;
CREATE FUNCTION pg_temp.load(kind text, first integer, last integer)
RETURNS TABLE (outcome text, error_code text, count bigint, min text, max text) LANGUAGE sql AS $$
    SELECT u.outcome, u.error_code, count(*), min(u.external_id), max(u.external_id)
    FROM kepler.upsert_records(kind, (
        SELECT jsonb_agg(jsonb_build_object('external_id', to_char(n, 'FM0000'), 'data', jsonb_build_object('n', n)))
        FROM generate_series(first, last) AS n)) AS u
    GROUP BY 1, 2 ORDER BY 1, 2
$$;
CREATE FUNCTION pg_temp.orphans() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM kepler.records AS r
    WHERE r.entity_id IS NOT NULL AND NOT EXISTS (SELECT FROM kepler.entities AS e WHERE e.workspace_id = r.workspace_id AND e.id = r.entity_id)
$$;
SELECT * FROM pg_temp.load('contact', 1, 2500);
SELECT * FROM pg_temp.load('contact', 2001, 3500);

-- Another key of yours that is the same in all rows: checked with the last of them, so all are refused.
CREATE TABLE public.kinds (name text PRIMARY KEY);
INSERT INTO public.kinds VALUES ('contact');
ALTER TABLE kepler.records ADD CONSTRAINT records_kind_fkey FOREIGN KEY (entity_type) REFERENCES public.kinds;
SELECT * FROM pg_temp.load('contact', 4001, 4030);
SELECT * FROM pg_temp.load('lead', 1, 30);
ALTER TABLE kepler.records DROP CONSTRAINT records_kind_fkey;

-- A key that differs from row to row.
CREATE TABLE public.numbers (external_id text PRIMARY KEY COLLATE "C");
INSERT INTO public.numbers SELECT external_id FROM kepler.records UNION SELECT to_char(n, 'FM0000') FROM generate_series(5001, 5030) AS n WHERE n <> 5007;
ALTER TABLE kepler.records ADD CONSTRAINT records_number_fkey FOREIGN KEY (external_id) REFERENCES public.numbers;
SELECT * FROM pg_temp.load('contact', 5001, 5030);
ALTER TABLE kepler.records DROP CONSTRAINT records_number_fkey;

-- A trigger of yours that gives some rows another entity.
CREATE FUNCTION public.stray() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.external_id IN ('6003', '6004') THEN NEW.entity_id := 'nobody'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stray BEFORE INSERT ON kepler.records FOR EACH ROW EXECUTE FUNCTION public.stray();
SELECT * FROM pg_temp.load('contact', 6001, 6030);
DROP TRIGGER stray ON kepler.records;

-- A trigger that deletes the entity behind the first row.
CREATE FUNCTION public.wreck() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM kepler.entities WHERE id = NEW.entity_id;
    RETURN NULL;
END $$;
CREATE TRIGGER wreck AFTER INSERT ON kepler.records FOR EACH ROW WHEN (NEW.external_id = '7001') EXECUTE FUNCTION public.wreck();
SAVEPOINT before;
SELECT * FROM pg_temp.load('contact', 7001, 7030);
SELECT pg_temp.orphans();
ROLLBACK TO before;
DROP TRIGGER wreck ON kepler.records;

-- Direct SQL is checked for each row.
SAVEPOINT before;
INSERT INTO kepler.records (external_id, entity_id, entity_type) SELECT n::text, CASE WHEN n < 30 THEN e.id ELSE 'nobody' END, 'contact'
FROM kepler.entities AS e, generate_series(1, 30) AS n WHERE e.type = 'contact';
ROLLBACK TO before;

-- A check that comes at the end of the transaction does not rest on the last row, which may be gone by then.
ALTER TABLE kepler.records ALTER CONSTRAINT records_entity_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT * FROM pg_temp.load('contact', 8001, 8030);
DELETE FROM kepler.records WHERE external_id = '8030';
SET LOCAL session_replication_role = replica;
DELETE FROM kepler.entities WHERE type = 'contact';
SET LOCAL session_replication_role = origin;
SAVEPOINT before;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
