-- Thousands of small random batches against a model that is too simple to be wrong: it takes the elements
-- one after another. After each batch every record must be what the model says, and the outcomes
-- must add up and say what became of each record. Few ids and few times, so that everything meets.
--
-- Long form: ROUNDS=400, two minutes
--
-- The model's state is {external id: {data, deleted, day}}. An element older than its record is ignored;
-- any other one is applied, and the newest time stays.
CREATE FUNCTION pg_temp.merged(old jsonb, new jsonb, mode text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE mode
        WHEN 'replace' THEN new
        WHEN 'shallow' THEN old || new
        -- The pseudocode of RFC 7386, section 2.
        WHEN 'merge_patch' THEN coalesce((
            SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(n.value) = 'object'
                THEN pg_temp.merged(CASE WHEN jsonb_typeof(o.value) = 'object' THEN o.value ELSE '{}' END, n.value, 'merge_patch')
                ELSE coalesce(n.value, o.value) END)
            FROM jsonb_each(old) AS o FULL JOIN jsonb_each(new) AS n USING (key)
            WHERE n.value IS DISTINCT FROM 'null'), '{}')
        ELSE old || coalesce((
            SELECT jsonb_object_agg(key, CASE
                WHEN jsonb_typeof(old->key) = 'object' AND jsonb_typeof(value) = 'object'
                THEN pg_temp.merged(old->key, value, 'deep') ELSE value END)
            FROM jsonb_each(new)), '{}')
        END
$$;
CREATE FUNCTION pg_temp.applied(state jsonb, element jsonb, mode text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    id constant text := element->>'id';
    old constant jsonb := state->id;
BEGIN
    IF (element->>'day')::int < (old->>'day')::int THEN
        RETURN state;
    END IF;
    RETURN state || jsonb_build_object(id, jsonb_build_object(
        'data', CASE
            WHEN element->'data' = 'null' THEN coalesce(old->'data', '{}')
            -- What was deleted does not come back: the next element begins anew.
            WHEN old IS NULL OR (old->>'deleted')::boolean THEN pg_temp.merged('{}', element->'data', mode)
            ELSE pg_temp.merged(old->'data', element->'data', mode) END,
        'deleted', element->'deleted',
        'day', greatest((element->>'day')::int, (old->>'day')::int)));
END
$$;

-- What is stored, in the same form; content left out where it is not to be compared.
CREATE FUNCTION pg_temp.stored(entity text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_object_agg(external_id, jsonb_build_object('data', data, 'deleted', deleted_at IS NOT NULL,
        'day', extract(day FROM source_updated_at AT TIME ZONE 'UTC')::int)), '{}')
    FROM kepler.records WHERE workspace_id = 'default' AND entity_id = entity
$$;
CREATE FUNCTION pg_temp.comparable(state jsonb, ignored text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_object_agg(key, value || jsonb_build_object('data', (value->'data') - ignored)), '{}') FROM jsonb_each(state)
$$;

CREATE FUNCTION pg_temp.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
-- An element as the model sees it, and as text.
CREATE FUNCTION pg_temp.random_element(deletions boolean, OUT element jsonb, OUT text text) LANGUAGE plpgsql AS $$
DECLARE
    id constant text := pg_temp.one_of('a', 'b', 'c');
    data text := pg_temp.one_of('{}', '{"v": 1}', '{"v": 1.0}', '{"v": 2}', '{"w": {"x": 1}}', '{"w": {"y": 1}}', '{"w": null}', '{"w": {"x": null, "y": {"z": null}}, "v": null}',
        '{"v": 1, "w": {"x": 2}}', '{"w": {"x": 1}, "v": 1e0}', '{"noise": 1}', '{"v": 1, "noise": 2}', '{"w": [1]}', '{"v": 2, "v": 1}');
    day integer := CASE WHEN random() < 0.6 THEN 1 + floor(random() * 9) END;
    deleted constant boolean := deletions AND random() < 0.2;
    broken constant boolean := random() < 0.1;
BEGIN
    IF deleted THEN
        data := 'null';
    ELSIF broken THEN
        data := pg_temp.one_of('{"v": "\u0000"}', '{"v": }', '[]', '{"v": 1e999999}', '{"v": "\ud800"}', '"x"');
    END IF;
    element := jsonb_build_object('id', id, 'day', day, 'deleted', deleted, 'broken', broken,
        'data', CASE WHEN broken AND NOT deleted THEN 'null' ELSE data::jsonb END);
    text := format('{"external_id": "%s", "source_updated_at": %s, "data": %s%s}', id,
        CASE WHEN broken AND deleted THEN '"never"' WHEN day IS NULL THEN 'null' ELSE format('"2024-01-0%s"', day) END, data,
        CASE WHEN deleted THEN ', "deleted": true' ELSE '' END);
END
$$;

-- What a record's outcome must be, from how the batch found it and how it left it.
CREATE FUNCTION pg_temp.outcome_of(before jsonb, after jsonb, applied boolean) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN before IS NULL THEN CASE WHEN (after->>'deleted')::boolean THEN 'deleted' ELSE 'inserted' END
        WHEN NOT applied THEN 'stale'
        WHEN (before->>'deleted')::boolean AND NOT (after->>'deleted')::boolean THEN 'restored'
        WHEN (after->>'deleted')::boolean AND NOT (before->>'deleted')::boolean THEN 'deleted'
        WHEN NOT (after->>'deleted')::boolean AND after->'data' <> before->'data' THEN 'updated'
        -- Changed, and deleted again: its data is new.
        WHEN after->'data' <> before->'data' THEN 'deleted'
        WHEN after->'day' <> before->'day' THEN 'refreshed'
        ELSE 'unchanged' END
$$;

CREATE TEMP TABLE batch (ordinal integer, element jsonb, text text);
CREATE TEMP TABLE answer (ordinal integer, external_id text, record_id text, outcome text, error_code text, error text);
CREATE TEMP TABLE tally (run text, outcome text, count bigint);

-- Plays `batches` batches of each of `types` entity types. A run stops at the first difference and shows it.
-- `forbidden`: a user's constraint refuses records with this value of v.
CREATE PROCEDURE pg_temp.play(run text, types integer, batches integer, modes text[], deletions boolean, ignored text, forbidden text DEFAULT '')
LANGUAGE plpgsql AS $$
DECLARE
    of_type text;
    entity text;
    mode text;
    before jsonb;
    after jsonb;
    stamps jsonb;
    problem text;
    live text[];
    refused integer[];
    next jsonb;
    item record;
BEGIN
    FOR of_round IN 1..types LOOP
        of_type := format('model %s %s', run, of_round);
        before := '{}';
        entity := kepler.set_entity_options(of_type, jsonb_build_object('ignored_paths', CASE WHEN ignored <> '' THEN ARRAY['/' || ignored] ELSE '{}' END));
        FOR number IN 1..batches LOOP
            mode := pg_temp.one_of(VARIADIC modes);
            TRUNCATE batch, answer;
            -- The argument names i so that each element is a draw of its own.
            INSERT INTO batch SELECT i, e.element, e.text
            FROM generate_series(1, 1 + floor(random() * 6)::int) AS i, LATERAL pg_temp.random_element(deletions AND i > 0) AS e;
            SELECT coalesce(jsonb_object_agg(external_id, updated_at), '{}') INTO stamps FROM kepler.records
            WHERE workspace_id = 'default' AND entity_id = entity;

            INSERT INTO answer SELECT u.* FROM kepler.upsert_records(of_type, (
                SELECT '[' || string_agg(b.text, ', ' ORDER BY b.ordinal) || ']' FROM batch AS b), merge => mode) AS u;

            -- The model's turn.
            after := before;
            live := '{}';
            FOR item IN SELECT b.element FROM batch AS b WHERE NOT (b.element->>'broken')::boolean ORDER BY b.ordinal LOOP
                IF NOT coalesce((item.element->>'day')::int < (after->(item.element->>'id')->>'day')::int, false) THEN
                    live := live || (item.element->>'id');
                END IF;
                after := pg_temp.applied(after, item.element, mode);
            END LOOP;

            -- Where the database refuses what they make of a record together, each counts by itself.
            refused := '{}';
            FOR item IN SELECT b.ordinal, b.element FROM batch AS b
                WHERE NOT (b.element->>'broken')::boolean AND after->(b.element->>'id')->'data'->>'v' = forbidden ORDER BY b.ordinal
            LOOP
                IF NOT ARRAY['again ' || (item.element->>'id')] <@ live THEN
                    after := after - (item.element->>'id') || CASE WHEN before ? (item.element->>'id')
                        THEN jsonb_build_object(item.element->>'id', before->(item.element->>'id')) ELSE '{}' END;
                    live := array_remove(live, item.element->>'id') || ('again ' || (item.element->>'id'));
                END IF;
                next := pg_temp.applied(after, item.element, mode);
                IF next->(item.element->>'id')->'data'->>'v' = forbidden THEN
                    refused := refused || item.ordinal;
                ELSE
                    IF NOT coalesce((item.element->>'day')::int < (after->(item.element->>'id')->>'day')::int, false) THEN
                        live := live || (item.element->>'id');
                    END IF;
                    after := next;
                END IF;
            END LOOP;

            problem := NULL;
            -- Every element has one answer, in order.
            IF (SELECT array_agg(a.ordinal) FROM answer AS a) IS DISTINCT FROM (SELECT array_agg(b.ordinal ORDER BY b.ordinal) FROM batch AS b) THEN
                problem := 'the answers do not add up';
            END IF;
            -- The broken ones are rejected and no others are; one that is too old anyway may be said to be so.
            IF problem IS NULL THEN
                SELECT format('element %s is answered %s', ordinal, a.outcome) INTO problem
                FROM answer AS a JOIN batch AS b USING (ordinal)
                WHERE ((b.element->>'broken')::boolean OR b.ordinal = ANY (refused)) <> (a.outcome = 'rejected')
                    AND NOT (a.outcome = 'stale' AND (b.element->>'day')::int < (before->(b.element->>'id')->>'day')::int)
                LIMIT 1;
            END IF;
            -- Each record has the outcome that its change says, once; its other elements are superseded or stale.
            IF problem IS NULL THEN
                SELECT format('record %s should be %s', r.id, r.expected) INTO problem
                FROM (
                    SELECT b.element->>'id' AS id,
                        pg_temp.outcome_of(pg_temp.comparable(before, ignored)->(b.element->>'id'), pg_temp.comparable(after, ignored)->(b.element->>'id'),
                            (b.element->>'id') = ANY (live)) AS expected,
                        array_agg(a.outcome) AS outcomes
                    FROM answer AS a JOIN batch AS b USING (ordinal)
                    WHERE NOT (b.element->>'broken')::boolean AND b.ordinal <> ALL (refused) GROUP BY 1, 2
                ) AS r
                WHERE NOT r.expected = ANY (r.outcomes)
                    OR (SELECT count(*) FROM unnest(r.outcomes) AS o WHERE o NOT IN ('superseded', 'stale')) <> (r.expected <> 'stale')::int
                LIMIT 1;
            END IF;
            -- The answers name the records.
            IF problem IS NULL AND EXISTS (
                SELECT FROM answer AS a LEFT JOIN kepler.records AS r ON r.workspace_id = 'default' AND r.id = a.record_id AND r.entity_id = entity
                WHERE a.outcome <> 'rejected' AND r.external_id IS DISTINCT FROM a.external_id) THEN
                problem := 'an answer names another record';
            END IF;
            -- What is stored is what the model says. What a deleted record holds is looked at where parts are merged.
            IF problem IS NULL THEN
                SELECT format('record %s should be %s and is %s', coalesce(m.key, s.key), m.value, s.value) INTO problem
                FROM jsonb_each(pg_temp.comparable(after, ignored)) AS m
                FULL JOIN jsonb_each(pg_temp.comparable(pg_temp.stored(entity), ignored)) AS s USING (key)
                WHERE m.value IS DISTINCT FROM s.value
                    AND NOT (modes = '{replace}' AND (m.value->>'deleted')::boolean AND m.value - 'data' = s.value - 'data')
                LIMIT 1;
            END IF;
            -- updated_at moves exactly where content or existence changed, and the hash is in step.
            IF problem IS NULL THEN
                SELECT format('updated_at of %s', r.external_id) INTO problem
                FROM kepler.records AS r
                WHERE r.workspace_id = 'default' AND r.entity_id = entity
                    AND (r.content_hash <> kepler.jsonb_hash(r.data)
                        OR (to_jsonb(r.updated_at) IS DISTINCT FROM stamps->r.external_id) <> EXISTS (
                            SELECT FROM answer AS a WHERE a.external_id = r.external_id AND a.outcome IN ('inserted', 'updated', 'restored', 'deleted')))
                LIMIT 1;
            END IF;
            IF problem IS NOT NULL THEN
                RAISE EXCEPTION '%, %: %', of_type, mode, problem USING DETAIL = format(E'before %s\nbatch %s\nanswers %s\nstored %s\nmodel %s', before,
                    (SELECT string_agg(b.text, ', ' ORDER BY b.ordinal) FROM batch AS b), (SELECT string_agg(a.outcome, ', ' ORDER BY a.ordinal) FROM answer AS a),
                    pg_temp.stored(entity), after);
            END IF;
            INSERT INTO tally SELECT run, a.outcome, count(*) FROM answer AS a GROUP BY a.outcome;
            before := after;
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;

SELECT setseed(0.1);
\set SHOW_CONTEXT never
\set rounds 50
\getenv rounds ROUNDS
-- Each mode by itself, with deletions; all modes in turn; and with a place that does not count.
CALL pg_temp.play('replace', :rounds, 12, '{replace}', true, '');
CALL pg_temp.play('shallow', :rounds, 12, '{shallow}', true, '');
CALL pg_temp.play('deep', :rounds, 12, '{deep}', true, '');
CALL pg_temp.play('patch', :rounds, 12, '{merge_patch}', true, '');
CALL pg_temp.play('mixed', :rounds, 12, '{replace,shallow,deep,merge_patch}', false, '');
CALL pg_temp.play('ignoring', :rounds, 12, '{replace}', true, 'noise');
CALL pg_temp.play('ignoring deep', :rounds, 12, '{deep}', true, 'noise');
-- And with a rule of the user's that refuses some.
ALTER TABLE kepler.records ADD CONSTRAINT model_rule CHECK (entity_type NOT LIKE 'model refusing%' OR data->>'v' IS DISTINCT FROM '2');
CALL pg_temp.play('refusing', :rounds, 12, '{replace}', true, '', '2');
CALL pg_temp.play('refusing shallow', :rounds, 12, '{shallow}', true, '', '2');
CALL pg_temp.play('refusing deep', :rounds, 12, '{deep}', true, '', '2');
CALL pg_temp.play('refusing patch', :rounds, 12, '{merge_patch}', true, '', '2');
ALTER TABLE kepler.records DROP CONSTRAINT model_rule;

-- Every outcome occurred often enough for this to mean something.
SELECT run, count(*) AS outcomes, bool_and(total >= 15) AS often FROM (
    SELECT run, outcome, sum(count) AS total FROM tally GROUP BY run, outcome) AS t
GROUP BY run ORDER BY run;

DELETE FROM kepler.records WHERE entity_type LIKE 'model %';
DELETE FROM kepler.entities WHERE type LIKE 'model %';
