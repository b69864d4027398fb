-- What Postgres or somebody's trigger raises inside of a call reaches the client as it was raised: SQLSTATE,
-- also one of the author's own, message, detail, hint, schema, table, column, type, constraint and CONTEXT.
BEGIN;
-- The context holds statements of Kepler's own; told() shows the lines that name functions.
\set SHOW_CONTEXT never
CREATE SCHEMA whole;
CREATE FUNCTION whole.told(call text) RETURNS TABLE (field text, value text) LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text; context text;
  schema_name text; table_name text; column_name text; type_name text; constraint_name text;
BEGIN
  EXECUTE call;
  RETURN QUERY SELECT 'nothing'::text, 'was raised'::text;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
    hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT, schema_name = SCHEMA_NAME,
    table_name = TABLE_NAME, column_name = COLUMN_NAME, type_name = PG_DATATYPE_NAME,
    constraint_name = CONSTRAINT_NAME;
  context := (SELECT string_agg(line, E'\n' ORDER BY place)
    FROM regexp_split_to_table(context, E'\n') WITH ORDINALITY AS lines (line, place) WHERE line LIKE 'PL/pgSQL%');
  RETURN QUERY SELECT * FROM (VALUES ('sqlstate', state), ('message', message), ('detail', detail),
    ('hint', hint), ('schema', schema_name), ('table', table_name), ('column', column_name),
    ('type', type_name), ('constraint', constraint_name), ('context', context)) AS fields (name, given)
    WHERE given <> '';
END $$;

-- A trigger of somebody's own, with a code of its own.
CREATE TABLE whole.documents (id text PRIMARY KEY, data jsonb NOT NULL DEFAULT '{}');
INSERT INTO whole.documents (id) VALUES ('a'), ('inner'), ('outer');
CREATE FUNCTION whole.set(id text, n integer) RETURNS text LANGUAGE sql AS $$
  SELECT format('SELECT kepler.update_document(''whole.documents'', ''{"id": "%s"}'', ''data'', ''{"$set": {"n": %s}}'')', $1, $2)
$$;
CREATE FUNCTION whole.check_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.data->>'n' = '13' THEN
    RAISE EXCEPTION 'thirteen is taken' USING ERRCODE = 'KX001', DETAIL = 'It always was.', HINT = 'Try fourteen.',
      SCHEMA = 'a schema', TABLE = 'a table', COLUMN = 'a column', DATATYPE = 'a type', CONSTRAINT = 'a constraint';
  END IF;
  RETURN new;
END $$;
CREATE TRIGGER check_record BEFORE INSERT OR UPDATE ON whole.documents FOR EACH ROW EXECUTE FUNCTION whole.check_record();
SELECT * FROM whole.told(whole.set('a', 13));

-- A constraint of the table's.
ALTER TABLE whole.documents ADD CONSTRAINT not_fourteen CHECK (data->>'n' <> '14');
SELECT field, value FROM whole.told(whole.set('a', 14)) WHERE field <> 'detail';

-- What was caught on the way, and the same code met again, leave nothing behind.
CREATE OR REPLACE FUNCTION whole.check_record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  times integer;
BEGIN
  FOR times IN 1..6 LOOP
    BEGIN
      RAISE EXCEPTION 'one of many' USING ERRCODE = 'KX002', CONSTRAINT = 'number ' || times;
    EXCEPTION WHEN SQLSTATE 'KX002' THEN
      CONTINUE;
    END;
  END LOOP;
  IF new.data->>'n' = '15' THEN
    RAISE EXCEPTION 'one of many' USING ERRCODE = 'KX002', CONSTRAINT = 'the last';
  END IF;
  BEGIN
    RAISE EXCEPTION 'the first' USING ERRCODE = 'KX003', CONSTRAINT = 'of the first';
  EXCEPTION WHEN OTHERS THEN
    BEGIN
      RAISE EXCEPTION 'the second' USING ERRCODE = 'KX004', CONSTRAINT = 'of the second';
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
    RAISE;
  END;
END $$;
SELECT * FROM whole.told(whole.set('a', 15));
SELECT * FROM whole.told(whole.set('a', 16));

-- A call of Kepler's in a trigger in a call of Kepler's: each line of the context stands there once.
CREATE OR REPLACE FUNCTION whole.check_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.id = 'outer' THEN
    PERFORM kepler.update_document('whole.documents', '{"id": "inner"}', 'data', '{"$set": {"n": 1}}');
  ELSE
    RAISE EXCEPTION 'from within' USING ERRCODE = 'KX005', CONSTRAINT = 'the innermost';
  END IF;
  RETURN new;
END $$;
SELECT * FROM whole.told(whole.set('outer', 1));
DROP TRIGGER check_record ON whole.documents;
ALTER TABLE whole.documents DROP CONSTRAINT not_fourteen;

-- A client gets it too. Where a statement of a function is at fault, its text is told, and where.
CREATE FUNCTION whole.slip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'SELECT 1 FRM nowhere at all';
END $$;
CREATE TRIGGER slip BEFORE UPDATE ON whole.documents FOR EACH ROW EXECUTE FUNCTION whole.slip();
SAVEPOINT before;
SELECT kepler.update_document('whole.documents', '{"id": "a"}', 'data', '{"$set": {"n": 2}}');
ROLLBACK TO before;
DROP TRIGGER slip ON whole.documents;

-- An element of a batch that a trigger refuses is answered with the trigger's own code, and the others land. Not
-- where it asks to try the whole again, or its code is broken.
SELECT FROM kepler.create_entry_table('Whole', '{"fields": [{"name": "n", "type": "integer"}]}');
CREATE FUNCTION whole.check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  CASE new.n
    WHEN 1 THEN RAISE EXCEPTION 'one is taken' USING ERRCODE = 'KX001', CONSTRAINT = 'only_once';
    WHEN 2 THEN RAISE EXCEPTION 'not by you' USING ERRCODE = '42501';
    WHEN 3 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '55000';
    WHEN 4 THEN RETURN new;
    WHEN 6 THEN RAISE EXCEPTION 'again please' USING ERRCODE = '40001';
    WHEN 7 THEN PERFORM no_such_function();
  END CASE;
END $$;
SELECT format('CREATE TRIGGER check_entry BEFORE INSERT ON kepler_data.%I FOR EACH ROW EXECUTE FUNCTION whole.check_entry()',
  table_name) AS statement FROM kepler.entry_tables WHERE record_name = 'Whole' \gset
:statement;
SELECT ordinal, outcome, violations->0->>'code' AS code, violations->0->>'message' AS message
FROM kepler.insert_entries('Whole', '[{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": 5}]', 'skip');
SELECT field, value FROM whole.told($$SELECT FROM kepler.insert_entries('Whole', '[{"n": 6}, {"n": 4}]', 'skip')$$);
SELECT field, value FROM whole.told($$SELECT FROM kepler.insert_entries('Whole', '[{"n": 7}, {"n": 4}]', 'skip')$$);
-- In one piece the trigger's error ends the call, whole.
SELECT field, value FROM whole.told($$SELECT FROM kepler.insert_entries('Whole', '[{"n": 4}, {"n": 1}]')$$);

-- What Kepler says of its own accord is as it was.
SELECT * FROM whole.told($$SELECT kepler.upsert_records(NULL, '[]')$$);
SELECT * FROM whole.told($$SELECT kepler.json_update('{}', '{"$no": 1}')$$);

-- Who lacks a right on a table is told how it is given.
CREATE ROLE kepler_whole_stranger;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_whole_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_whole_stranger;
GRANT USAGE ON SCHEMA whole TO kepler_whole_stranger;
SET LOCAL ROLE kepler_whole_stranger;
SELECT * FROM whole.told($$SELECT kepler.upsert_record('whole', 'a', '{}')$$);

RESET ROLE;
-- What planning a statement raises, be it of Kepler's or not: constant parts are evaluated then.
CREATE FUNCTION whole.constant() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'not at all constant' USING ERRCODE = 'KX002', DETAIL = 'A detail.', TABLE = 'a table', CONSTRAINT = 'a constraint';
END $$;
SELECT * FROM whole.told('SELECT whole.constant()');
SET LOCAL kepler.plan_for_large_tables = on;
SELECT * FROM whole.told('SELECT whole.constant() FROM kepler.records');

-- An expression so deep that planning it ends at the limit of the stack; whatever its depth, the session lives.
CREATE FUNCTION whole.deep(depth integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'SELECT ' || repeat('1 + ', depth) || 'extract(year FROM now()) FROM kepler.records';
  RETURN 'planned';
EXCEPTION WHEN statement_too_complex THEN
  RETURN 'too deep';
END $$;
SELECT DISTINCT whole.deep(n * 250) FROM generate_series(1, 60) AS n ORDER BY 1;
SELECT 'alive' AS session;

ROLLBACK;
