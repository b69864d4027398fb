-- One large tenant beside a thousand small ones. A small one has a hundred records, half of them enriched, and a hundred memories;
-- the calls are made in small ones. Only the large one grows.

SELECT kepler.create_embedding_space('bench', 8, 'points');
INSERT INTO kepler.workspaces (id, name) SELECT 't' || t, 'Tenant ' || t FROM generate_series(0, 999) AS t;
SELECT count(*) FROM kepler.workspaces AS w CROSS JOIN LATERAL kepler.set_enrichment_policy('lead', workspace_id => w.id);
CREATE SEQUENCE bench.number MINVALUE 0;

CREATE FUNCTION bench.envelope(number bigint, revision bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_build_object('external_id', md5(number::text), 'data', bench.document(number, revision)) $$;
CREATE FUNCTION bench.memories(first bigint, last bigint) RETURNS text
LANGUAGE sql
AS $$
SELECT json_agg(jsonb_build_object('content', 'Note ' || i || ': the customer wants offers by mail', 'metadata', jsonb_build_object('topic', i % 10),
    'embedding', jsonb_build_array(1, i % 7, i % 11, i % 13, i % 17, i % 19, i % 23, i % 29)))::text
FROM generate_series(first, last) AS i
$$;

CREATE PROCEDURE bench.fill(tenant text, first bigint, last bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.upsert_records_summary('lead', (SELECT json_agg(bench.envelope(i, 0)) FROM generate_series(first, last) AS i)::text,
        workspace_id => tenant);
    PERFORM count(*) FROM kepler.remember_many(bench.memories(first, last), workspace_id => tenant);
END
$$;
CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    first bigint := nextval('bench.number');
    last bigint;
BEGIN
    IF first > 0 AND NOT EXISTS (SELECT FROM kepler.records WHERE workspace_id = 't0') THEN
        FOR tenant IN 0 .. 999 LOOP
            CALL bench.fill('t' || tenant, 0, 99);
            PERFORM count(*) FROM (SELECT c.lease_id, array_agg(c.record_id) AS ids
                FROM kepler.claim_records('lead', 'w', 50, workspace_id => 't' || tenant) AS c GROUP BY 1) AS c
            CROSS JOIN LATERAL kepler.complete_records(c.lease_id, c.ids, workspace_id => 't' || tenant) AS d;
            COMMIT;
        END LOOP;
    END IF;
    WHILE first < target LOOP
        last := least(first + 9999, target - 1);
        CALL bench.fill('default', first, last);
        COMMIT;
        first := last + 1;
    END LOOP;
    PERFORM setval('bench.number', first, false);
END
$$;

-- The tenants take turns.
CREATE FUNCTION bench.tenant(run bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT 't' || run % 1000 $$;
CREATE FUNCTION bench.tenant_unchanged_50_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.tenant(run) || ' ' || (SELECT json_agg(bench.envelope(i, 0)) FROM generate_series(50, 99) AS i)::text $$;
CREATE FUNCTION bench.tenant_changed_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.tenant(run) || ' ' || jsonb_build_array(bench.envelope(run / 1000 % 50, run))::text $$;
-- As many are queued as will be claimed.
CREATE FUNCTION bench.tenant_cycle_10_input(run bigint, rows bigint) RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.upsert_records_summary('lead', (SELECT json_agg(jsonb_build_object('external_id', 'n' || run || '-' || i,
        'data', bench.document(i, run))) FROM generate_series(1, 10) AS i)::text, workspace_id => bench.tenant(run));
    RETURN bench.tenant(run);
END
$$;
CREATE FUNCTION bench.tenant_search_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.tenant(run) || ' ' || run % 10 $$;
CREATE FUNCTION bench.tenant_remember_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.tenant(run) || ' Note of run ' || run || ': the customer wants offers by mail' $$;

CREATE FUNCTION bench.upsert(input text, expected text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    done bigint;
    other text;
BEGIN
    SELECT count(*) FILTER (WHERE u.outcome = expected), min(u.outcome) FILTER (WHERE u.outcome <> expected) INTO done, other
    FROM kepler.upsert_records('lead', substr(input, strpos(input, ' ')), workspace_id => split_part(input, ' ', 1)) AS u;
    IF other IS NOT NULL AND bench.is_strict() THEN RAISE EXCEPTION 'a record was % instead of %', other, expected; END IF;
    RETURN done;
END
$$;
CREATE FUNCTION bench.tenant_unchanged_50(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert(input, 'unchanged'); END $$;
CREATE FUNCTION bench.tenant_changed_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert(input, 'updated'); END $$;
CREATE FUNCTION bench.tenant_cycle_10(input text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    claim text;
BEGIN
    SELECT concat(input, ' ', min(c.lease_id), ' ', array_agg(c.record_id)) INTO claim
    FROM kepler.claim_records('lead', 'w', 10, workspace_id => input) AS c;
    PERFORM set_config('bench.answer', claim, false);
    RETURN claim;
END
$$;
CREATE FUNCTION bench.tenant_settle(claim text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    ids text[] := split_part(claim, ' ', 3);
    done bigint;
BEGIN
    SELECT count(*) FILTER (WHERE c.outcome = 'applied') INTO done FROM kepler.complete_records(split_part(claim, ' ', 2)::bigint, ids,
        array_fill('{"industry": "tools", "employees": 120, "score": 0.75}'::jsonb, ARRAY[cardinality(ids)]),
        workspace_id => split_part(claim, ' ', 1)) AS c;
    IF done <> 10 AND bench.is_strict() THEN RAISE EXCEPTION '% of 10 records were applied', done; END IF;
    RETURN done;
END
$$;
CREATE FUNCTION bench.tenant_search(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    n bigint;
BEGIN
    SELECT count(*) INTO n FROM kepler.search_memories('[1,2,3,4,5,6,7,8]', filter => jsonb_build_object('topic', split_part(input, ' ', 2)::integer),
        workspace_id => split_part(input, ' ', 1));
    IF n <> 10 AND bench.is_strict() THEN RAISE EXCEPTION '% rows were found instead of 10', n; END IF;
    RETURN n;
END
$$;
CREATE FUNCTION bench.tenant_remember_1(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.remember(substr(input, strpos(input, ' ') + 1), '[1,2,3,4,5,6,7,8]', workspace_id => split_part(input, ' ', 1));
    RETURN 1;
END
$$;
