-- Entries of a table of eight fields: inserts, and upserts by a unique field.

SELECT kepler.create_entry_table('Item', '{"fields": [
    {"name": "sku", "type": "text", "max_length": 40, "required": true}, {"name": "title", "type": "text"},
    {"name": "quantity", "type": "integer"}, {"name": "price", "type": "decimal", "precision": 12, "scale": 2},
    {"name": "active", "type": "boolean"}, {"name": "since", "type": "date"}, {"name": "state", "type": "text"},
    {"name": "seen_at", "type": "timestamp"}], "unique": [["sku"]]}');
CREATE SEQUENCE bench.number MINVALUE 0;

-- Hashes as keys, so that each entry of a batch lies elsewhere in the index.
CREATE FUNCTION bench.entry(number bigint, revision bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT jsonb_build_object('sku', md5(number::text), 'title', 'Item ' || number || ' as usual', 'quantity', number % 100000 + revision,
    'price', number % 1000 / 100.0, 'active', number % 3 = 0, 'since', date '2020-01-01' + (number % 2000)::integer,
    'state', (ARRAY['in_stock', 'sold_out', 'ordered'])[1 + number % 3], 'seen_at', to_char(timestamp '2024-01-01' + number % 1000000 * interval '7 seconds', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
$$;

CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    first bigint := nextval('bench.number');
    last bigint;
BEGIN
    WHILE first < target LOOP
        last := least(first + 9999, target - 1);
        PERFORM count(*) FROM kepler.insert_entries('Item', (SELECT json_agg(bench.entry(i, 0)) FROM generate_series(first, last) AS i)::text);
        COMMIT;
        first := last + 1;
    END LOOP;
    PERFORM setval('bench.number', first, false);
END
$$;

-- Of ten numbers one is changed, the others never.
CREATE FUNCTION bench.entries_of(run bigint, revision bigint, n bigint, rows bigint) RETURNS text
LANGUAGE sql
AS $$
SELECT json_agg(bench.entry(CASE WHEN revision > 0 THEN i / 10 * 10 ELSE i / 10 * 10 + 1 + i % 9 END, revision))::text
FROM (SELECT bench.spread(run, k, n, rows) FROM generate_series(0, n - 1) AS k) AS s (i)
$$;
CREATE FUNCTION bench.new_entries(n bigint) RETURNS text
LANGUAGE sql AS $$ SELECT json_agg(bench.entry(nextval('bench.number'), 0))::text FROM generate_series(1, n) $$;

CREATE FUNCTION bench.insert_entries(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    done bigint;
BEGIN
    SELECT count(*) INTO done FROM kepler.insert_entries('Item', input);
    RETURN done;
END
$$;
CREATE FUNCTION bench.upsert_entries(input text, expected text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    done bigint;
    other text;
BEGIN
    SELECT count(*) FILTER (WHERE u.outcome = expected), min(u.outcome) FILTER (WHERE u.outcome <> expected) INTO done, other
    FROM kepler.upsert_entries('Item', '{sku}', input) AS u;
    IF other IS NOT NULL AND bench.is_strict() THEN RAISE EXCEPTION 'an entry was % instead of %', other, expected; END IF;
    RETURN done;
END
$$;

CREATE FUNCTION bench.insert_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.new_entries(1000) $$;
CREATE FUNCTION bench.insert_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.new_entries(1) $$;
CREATE FUNCTION bench.upsert_unchanged_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.entries_of(run, 0, 1000, rows) $$;
CREATE FUNCTION bench.upsert_changed_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.entries_of(run, run, 1000, rows) $$;
CREATE FUNCTION bench.upsert_changed_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.entries_of(run, run, 1, rows) $$;

CREATE FUNCTION bench.insert_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.insert_entries(input); END $$;
CREATE FUNCTION bench.insert_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.insert_entries(input); END $$;
CREATE FUNCTION bench.upsert_unchanged_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_entries(input, 'unchanged'); END $$;
CREATE FUNCTION bench.upsert_changed_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_entries(input, 'updated'); END $$;
CREATE FUNCTION bench.upsert_changed_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_entries(input, 'updated'); END $$;
