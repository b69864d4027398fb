-- The rules for names, arguments, answers and comments that a program can check, one view for all: complaints. Needs
-- reference_vocabulary.sql; what a rule lets pass stands there, with the reason.

-- The forms of the public functions. The one that takes text comes first.
CREATE TEMPORARY VIEW forms AS
SELECT p.oid, p.proname::text AS name, p.oid::regprocedure::text AS signature, p.prokind, p.prorettype,
    -- What a procedure answers with are arguments to Postgres, and columns to whoever calls it.
    ARRAY(SELECT a.name FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, place)
        WHERE a.place <= p.pronargs AND a.mode IS DISTINCT FROM 'b' ORDER BY a.place) AS arguments,
    ARRAY(SELECT a.name FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, place)
        WHERE a.place > p.pronargs OR a.mode = 'b' ORDER BY a.place) AS columns,
    ARRAY(SELECT format_type(t.type, NULL) FROM unnest(p.proargtypes, p.proargmodes) WITH ORDINALITY AS t (type, mode, place)
        WHERE t.type IS NOT NULL AND t.mode IS DISTINCT FROM 'b' ORDER BY t.place) AS types,
    coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment,
    row_number() OVER (
        PARTITION BY p.proname
        ORDER BY array_position('{text,json,jsonb}', format_type(p.proargtypes[0], NULL)),
            array_position('{text,json,jsonb}', format_type(p.proargtypes[1], NULL)),
            array_position('{text,json,jsonb}', format_type(p.proargtypes[2], NULL)),
            array_position('{text,json,jsonb}', format_type(p.proargtypes[3], NULL)), p.oid
    ) AS form
FROM pg_proc AS p WHERE p.pronamespace = 'kepler'::regnamespace AND p.prokind IN ('f', 'p');

CREATE TEMPORARY VIEW lines AS
SELECT f.oid, f.name, f.signature, l.line, l.number, count(*) OVER (PARTITION BY f.oid) AS count
FROM forms AS f, regexp_split_to_table(f.comment, E'\n') WITH ORDINALITY AS l (line, number);

CREATE TEMPORARY VIEW broken (rule, name, object, problem) AS
-- Names.
SELECT 'verb_object', f.name, f.signature,
    format('%s is not verb_object: add the verb to the list, or the function to its exceptions with the reason', f.name)
FROM forms AS f
WHERE NOT (split_part(f.name, '_', 1) IN (SELECT v.verb FROM verbs AS v) AND f.name ~ '^[a-z]+_[a-z_]+$')
UNION ALL
SELECT 'plural', f.name, f.signature, 'what answers for many has a plural for a name'
FROM forms AS f WHERE 'ordinal' = ANY (f.columns) AND f.name !~ 's$'
UNION ALL
SELECT 'abbreviation', w.name, w.object, format('%s in "%s" is an abbreviation', p.word, w.name)
FROM (
    SELECT f.name, f.signature AS object FROM forms AS f
    UNION SELECT a.name, f.signature FROM forms AS f, unnest(f.arguments || f.columns) AS a (name)
    UNION SELECT c.relname::text, 'table ' || c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
) AS w, regexp_split_to_table(w.name, '_') AS p (word)
WHERE p.word IN (SELECT a.word FROM abbreviations AS a)
UNION ALL
SELECT 'part', f.name, f.name, 'it has no part of the reference: add it to parts, where a reader looks for it'
FROM (SELECT DISTINCT f.name FROM forms AS f) AS f
WHERE NOT EXISTS (SELECT FROM parts AS p WHERE f.name = ANY (p.functions))
UNION ALL
SELECT 'part', n.name, n.name, format('part "%s" of the reference has a function that does not exist', p.part)
FROM parts AS p, unnest(p.functions) AS n (name) WHERE NOT EXISTS (SELECT FROM forms AS f WHERE f.name = n.name)
UNION ALL
SELECT 'private', p.proname::text, p.oid::regprocedure::text, 'callers do not call it: it belongs into kepler_internal'
FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace
    AND (p.proname ~ '^_' OR p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) OR p.prokind NOT IN ('f', 'p'))
UNION ALL
SELECT 'private', c.relname::text, c.oid::regclass::text, 'callers do not read it: it belongs into kepler_internal'
FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relname ~ '^_'
-- Arguments.
UNION ALL
SELECT 'named', f.name, f.signature, 'an argument has no name'
FROM forms AS f WHERE '' = ANY (f.arguments) OR cardinality(f.arguments) < cardinality(f.types)
UNION ALL
SELECT 'workspace_id', f.name, f.signature, 'workspace_id is the last argument'
FROM forms AS f
WHERE 'workspace_id' = ANY (f.arguments) AND f.arguments[cardinality(f.arguments)] <> 'workspace_id'
UNION ALL
SELECT 'options', f.name, f.signature, 'options comes last, before workspace_id'
FROM forms AS f
WHERE 'options' = ANY (f.arguments)
    AND array_position(f.arguments, 'options') < cardinality(array_remove(f.arguments, 'workspace_id'))
UNION ALL
SELECT 'relation', f.name, f.signature, format('a table as an argument is "relation regclass", not "%s %s"', a.name, a.type)
FROM forms AS f, unnest(f.arguments, f.types) AS a (name, type) WHERE (a.name = 'relation') <> (a.type = 'regclass')
-- Batches and their answers.
UNION ALL
SELECT 'batch', f.name, f.signature, format('a batch "%s" is taken as text, json and jsonb', a.name)
FROM forms AS f, unnest(f.arguments, f.types) WITH ORDINALITY AS a (name, type, place)
WHERE f.form = 1 AND a.name IN (SELECT b.argument FROM batches AS b)
    AND (SELECT array_agg(DISTINCT o.types[a.place] ORDER BY o.types[a.place]) FROM forms AS o WHERE o.name = f.name)
        IS DISTINCT FROM '{json,jsonb,text}'
UNION ALL
SELECT 'answer', f.name, f.signature, 'who takes a batch answers with ordinal'
FROM forms AS f, unnest(f.arguments, f.types) AS a (name, type)
WHERE a.name IN (SELECT b.argument FROM batches AS b) AND a.type = 'text' AND NOT 'ordinal' = ANY (f.columns)
UNION ALL
SELECT 'answer', f.name, f.signature,
    format('it answers with ordinal, ids, outcome, error_code, error, violations, in this order, not with %s',
        array_to_string(f.columns, ', '))
FROM forms AS f
WHERE 'ordinal' = ANY (f.columns)
    AND array_to_string(f.columns, ' ') !~ '^ordinal( reject_id)?( external_id)?( [a-z]+_id)?( number)? outcome error_code error( violations)?$'
UNION ALL
SELECT 'answer', f.name, f.signature, 'error_code and error stand behind outcome, in this order'
FROM forms AS f
WHERE ('error_code' = ANY (f.columns) OR 'error' = ANY (f.columns))
    AND array_to_string(f.columns, ' ') !~ '\moutcome error_code error\M'
-- Forms of one function.
UNION ALL
SELECT 'forms', f.name, f.signature,
    format('it differs from %s in more than the type of one argument', g.signature)
FROM forms AS f JOIN forms AS g ON g.name = f.name AND g.form = 1
WHERE f.form > 1 AND (f.arguments <> g.arguments OR f.columns <> g.columns
    OR (SELECT count(*) FROM unnest(f.types, g.types) AS t (a, b) WHERE t.a IS DISTINCT FROM t.b) <> 1)
UNION ALL
SELECT 'one comment', f.name, f.signature, format('it has another comment than %s', g.signature)
FROM forms AS f JOIN forms AS g ON g.name = f.name AND g.form = 1 WHERE f.form > 1 AND f.comment <> g.comment
-- Comments.
UNION ALL
SELECT 'comment', f.name, f.signature, 'it has no comment' FROM forms AS f WHERE f.comment = ''
UNION ALL
SELECT 'comment', a.name, f.signature, format('its comment does not speak of argument "%s"', a.name)
FROM forms AS f, unnest(f.arguments) AS a (name)
WHERE f.form = 1 AND a.name <> 'workspace_id' AND f.comment !~ format('\m%s\M', a.name)
    AND NOT EXISTS (
        SELECT FROM regexp_matches(f.comment, 'rguments are those of ([a-z_]+)', 'g') AS r (names)
        JOIN forms AS o ON o.name = r.names[1] WHERE o.comment ~ format('\m%s\M', a.name))
UNION ALL
SELECT 'comment', c.relname::text, c.oid::regclass::text, 'it has no comment' FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
SELECT 'comment', a.attname::text, format('%s.%s', c.oid::regclass, a.attname), 'the column has no comment'
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
    AND col_description(c.oid, a.attnum) IS NULL
    -- The name says it: what a row is known by, whose it is, and when something was done.
    AND a.attname !~ '^(id|name|entity_type|[a-z_]+_id|[a-z_]+_at)$'
UNION ALL
SELECT 'comment', t.typname::text, t.oid::regtype::text, 'it has no comment' FROM pg_type AS t
WHERE t.typnamespace = 'kepler'::regnamespace AND t.typtype IN ('e', 'd') AND obj_description(t.oid, 'pg_type') IS NULL
UNION ALL
SELECT 'comment', s.name, s.name, 'the setting has no description'
FROM pg_settings AS s WHERE s.name ^@ 'kepler.' AND coalesce(s.short_desc, '') = ''
UNION ALL
SELECT 'internal', p.proname::text, p.oid::regprocedure::text, 'its comment is one line that begins with "Internal: ", or "Trigger: "'
FROM pg_proc AS p
WHERE p.pronamespace = 'kepler_internal'::regnamespace
    AND coalesce(obj_description(p.oid, 'pg_proc'), '') !~ CASE p.prorettype
        WHEN 'trigger'::regtype THEN '^Trigger: [^\n]+$' ELSE '^Internal: [^\n]+$' END
UNION ALL
SELECT 'errors', l.name, l.signature, 'its comment ends with one line "Errors: …", and names errors nowhere else'
FROM lines AS l
WHERE l.line ~ '\mErrors?:' AND (l.number < l.count OR l.line !~ '^Errors: ' OR l.line ~ '.\mErrors:')
UNION ALL
SELECT 'errors', l.name, l.signature,
    format('"%s" is no error: each is an SQLSTATE (55000 before install()) or "those of" another function', e.error)
FROM lines AS l, regexp_split_to_table(regexp_replace(l.line, '^Errors: |\.$', '', 'g'), '; ') AS e (error)
WHERE l.line ~ '^Errors: ' AND e.error !~ '^([0-9][0-9A-Z]{4}\M|those of [a-z_]+\M|.*\m[0-9][0-9A-Z]{4}\M)'
UNION ALL
SELECT 'outcomes', f.name, f.signature,
    CASE WHEN 'outcome' = ANY (f.columns) THEN 'its comment has no line "Outcomes: …"'
        ELSE 'its comment has a line "Outcomes: …", and it answers with none' END
FROM forms AS f WHERE f.name <> 'upsert_records_summary' AND ('outcome' = ANY (f.columns)) <> (f.comment ~ '\nOutcomes: ')
UNION ALL
SELECT 'outcomes', l.name, l.signature, format('"%s" is no outcome: the line is "Outcomes: inserted, updated (why), …"', w.word)
FROM lines AS l,
    regexp_split_to_table(regexp_replace(regexp_replace(l.line, '^Outcomes: |\.$', '', 'g'), ' *\([^()]*\)', '', 'g'), ', |; ') AS w (word)
WHERE l.line ~ '^Outcomes: ' AND w.word !~ '^those of [a-z_]+$' AND w.word NOT IN (SELECT o.word FROM outcomes AS o);

CREATE TEMPORARY VIEW complaints AS
SELECT b.rule, format('%s: %s', b.object, b.problem) AS complaint FROM broken AS b
WHERE NOT EXISTS (SELECT FROM exceptions AS e WHERE e.rule = b.rule AND e.name = b.name)
UNION ALL
-- An exception that nothing needs is one that somebody will fall into.
SELECT 'exceptions', format('exception %s for %s: nothing needs it', e.rule, e.name) FROM exceptions AS e
WHERE NOT EXISTS (SELECT FROM broken AS b WHERE b.rule = e.rule AND b.name = e.name);
