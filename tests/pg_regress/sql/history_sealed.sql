-- The chain of seals: what was changed, added or removed behind Kepler's back is found and named, and a redaction is not.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE public.sealed (id integer PRIMARY KEY, workspace_id text DEFAULT 'default', note text);
SELECT kepler.track('sealed', 'history');
CREATE TABLE public.sealed_too (id integer PRIMARY KEY, workspace_id text DEFAULT 'default', note text);
SELECT kepler.track('sealed_too', 'history');
INSERT INTO sealed_too (id) VALUES (0);
-- What was there is sealed first.
INSERT INTO sealed (id) VALUES (0);
DO $$
BEGIN
    WHILE kepler.seal_history() IS NULL LOOP COMMIT; END LOOP;
END
$$;
SELECT kepler.seal_history() AS before \gset
SELECT outcome, problem FROM kepler.verify_history(:'before');
SET kepler.actor = 'ada';
INSERT INTO sealed (id, note) SELECT n, 'note ' || n FROM generate_series(1, 2500) AS n;
UPDATE sealed SET note = 'changed ' || id WHERE id <= 10;
-- Transactions of other databases may be under way: until nothing is left.
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM kepler.history AS h WHERE (h.epoch, h.xid, h.sequence) > (
        SELECT s.epoch, s.xid, s.sequence FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1)) LOOP
        PERFORM kepler.seal_history();
        COMMIT;
    END LOOP;
END
$$;
SELECT kepler.seal_history() AS anchor \gset
-- In seals of a thousand rows; nothing to seal adds none.
SELECT split_part(:'anchor', ':', 1)::bigint - split_part(:'before', ':', 1)::bigint > 2 AS several, kepler.seal_history() = :'anchor' AS same;
SELECT outcome, problem, seals > 2 AS several, sealed_rows >= 2510 AS all, redacted_rows FROM kepler.verify_history(:'anchor', :'before');
SELECT outcome FROM kepler.verify_history();
SELECT kepler.verify_history('x');

CREATE FUNCTION public.attack(statement text, of_anchor text, after_anchor text) RETURNS TABLE (outcome text, problem text) LANGUAGE plpgsql AS $$
DECLARE t regclass;
BEGIN
    -- As the owner of the tables, or a superuser, can: without the triggers.
    FOR t IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relname LIKE 'history%' AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', t);
    END LOOP;
    EXECUTE statement;
    RETURN QUERY SELECT v.outcome, regexp_replace(v.problem, '[0-9]+', 'N', 'g') FROM kepler.verify_history(of_anchor, after_anchor) AS v;
END
$$;
SELECT h.table_id AS tab FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id WHERE t.name = 'public.sealed' LIMIT 1 \gset
-- One after the other, each undone.
\set ECHO none
SELECT format($f$BEGIN; SELECT %L AS attack, a.* FROM public.attack(%L, %L, %L) AS a; ROLLBACK;$f$, n, s, :'anchor', NULL::text) FROM (VALUES
    ('a value', format($$UPDATE kepler.history SET old_values = '{"note": "forged"}' WHERE table_id = %s AND operation = 'UPDATE' AND row_id = '3'$$, :tab)),
    ('a time', format($$UPDATE kepler.history SET created_at = created_at - interval '1 microsecond' WHERE table_id = %s AND row_id = '77'$$, :tab)),
    ('an actor', $$UPDATE kepler.history_transactions SET actor = 'bob' WHERE actor = 'ada'$$),
    ('a shape', format($$UPDATE kepler.history_shapes SET columns = '[]' WHERE table_id = %s$$, :tab)),
    ('a removed row', format($$DELETE FROM kepler.history WHERE table_id = %s AND row_id = '1500'$$, :tab)),
    ('an added row', format($$INSERT INTO kepler.history SELECT h.xid, h.sequence, h.created_at, h.epoch, h.table_id, h.shape_id, h.statement, h.operation, h.workspace_id, '9999' FROM kepler.history AS h WHERE table_id = %s AND row_id = '20'$$, :tab)),
    ('the last rows', format($$DELETE FROM kepler.history WHERE table_id = %s AND operation = 'UPDATE'$$, :tab)),
    ('the last rows and their seal', format($$WITH s AS (DELETE FROM kepler.history_seals WHERE number = (SELECT max(number) FROM kepler.history_seals) RETURNING 1) DELETE FROM kepler.history WHERE table_id = %s AND operation = 'UPDATE'$$, :tab)),
    ('a seal', $$DELETE FROM kepler.history_seals WHERE number = (SELECT max(number) - 1 FROM kepler.history_seals)$$),
    ('a hash', $$UPDATE kepler.history_seals SET hash = sha256('x') WHERE number = (SELECT max(number) FROM kepler.history_seals)$$),
    ('emptied without a redaction', format($$UPDATE kepler.history SET content_hash = kepler_internal.content_hash(row_id, old_values::text, withheld::text), row_id = NULL, old_values = NULL WHERE table_id = %s AND row_id = '5'$$, :tab)),
    ('an actor behind a hash of the true one', $$UPDATE kepler.history_transactions SET content_hash = kepler_internal.content_hash(role_name, actor, request_id), actor = 'bob' WHERE actor = 'ada'$$),
    ('a value behind a hash of the true one, and a redaction for it', format($$WITH r AS (INSERT INTO kepler.history_redactions (id, epoch, xid, reason, row_count, positions_hash) SELECT nextval('kepler.history_sequence') * 65536, 1, pg_current_xact_id(), 'forged', 1, sha256(int8send(h.sequence)) FROM kepler.history AS h WHERE table_id = %1$s AND row_id = '6' AND operation = 'UPDATE' RETURNING id) UPDATE kepler.history AS h SET content_hash = kepler_internal.content_hash(row_id, old_values::text, withheld::text), old_values = '{"note": "forged"}', redaction_id = r.id FROM r WHERE table_id = %1$s AND row_id = '6' AND operation = 'UPDATE'$$, :tab)),
    ('names of tables that were swapped', $$UPDATE kepler.tracked_tables AS t SET name = 'public.x' || t.id WHERE name LIKE 'public.sealed%'; UPDATE kepler.tracked_tables AS t SET name = (SELECT min(c.table_name) FROM kepler.history_shapes AS c WHERE c.table_name LIKE 'public.sealed%' AND c.table_id <> t.id) WHERE name LIKE 'public.x%'$$)
) AS a (n, s) \gexec
\set ECHO all
-- The whole chain made anew by somebody who can do all that: the anchor outside tells.
BEGIN;
SELECT FROM public.attack($$DELETE FROM kepler.history_seals$$, NULL, NULL);
SELECT kepler.seal_history() IS NOT NULL AS made_anew;
SELECT outcome, regexp_replace(problem, '[0-9]+', 'N', 'g') AS problem FROM kepler.verify_history(:'anchor');
ROLLBACK;
SELECT outcome FROM kepler.verify_history(:'anchor');

-- A redaction: of rows, then of an actor. What was there is gone, the chain holds, and the redaction is told.
SELECT kepler_internal.redact_history('default', 'asked for by the customer', 'public.sealed', '{3,4}') AS redacted;
SELECT operation, row_id, old_values, workspace_id FROM kepler.history WHERE redaction_id IS NOT NULL AND workspace_id = 'default' ORDER BY sequence;
SELECT kepler_internal.redact_history('default', 'left the company', actor => 'ada') > 0 AS redacted;
SELECT count(*) AS left FROM kepler.history_transactions WHERE actor = 'ada';
SELECT table_name, reason, row_count > 0 AS rows FROM kepler.history_redactions WHERE workspace_id = 'default' ORDER BY id;
SELECT outcome, problem, redacted_rows > 4 AS redacted FROM kepler.verify_history(:'anchor');
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM kepler.history_redactions AS r WHERE (r.epoch, r.xid, r.id) > (
        SELECT s.epoch, s.xid, s.sequence FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1)) LOOP
        PERFORM kepler.seal_history();
        COMMIT;
    END LOOP;
END
$$;
SELECT kepler.seal_history() AS later \gset
SELECT outcome, problem, redacted_rows > 4 AS redacted FROM kepler.verify_history(:'later');
BEGIN;
SELECT * FROM public.attack($$DELETE FROM kepler.history_redactions$$, :'later', :'before');
ROLLBACK;
-- What is redacted has no values any more, and belongs to its redaction.
BEGIN;
SELECT * FROM public.attack($$UPDATE kepler.history SET row_id = '3', old_values = '{"note": "forged"}' WHERE redaction_id IS NOT NULL AND workspace_id = 'default' AND operation = 'UPDATE'$$, :'later', :'before');
ROLLBACK;
BEGIN;
SELECT * FROM public.attack($$UPDATE kepler.history_redactions SET reason = 'another' WHERE reason LIKE 'asked%'$$, :'later', :'before');
ROLLBACK;
BEGIN;
SELECT * FROM public.attack($$UPDATE kepler.history_redactions SET positions_hash = sha256('') WHERE reason LIKE 'asked%'$$, :'later', :'before');
ROLLBACK;
-- The row can be read up to what is not known any more.
SELECT count(*) FROM kepler.row_history('sealed', '3');
SELECT kepler.row_as_of('sealed', '5', now());
-- All of a workspace, in steps.
SELECT kepler_internal.redact_history('default', 'deleted', max_rows => 1000) AS first, kepler_internal.redact_history('default', 'deleted', max_rows => 100000) > 1000 AS rest,
    kepler_internal.redact_history('default', 'deleted') AS nothing;
SELECT count(*) AS left FROM kepler.history WHERE workspace_id = 'default' AND (row_id IS NOT NULL OR old_values IS NOT NULL);
SELECT outcome, problem FROM kepler.verify_history(:'later');

-- Upkeep: partitions ahead, and seals.
CALL kepler.maintain();
SELECT count(*) >= 3 AS ahead FROM pg_inherits WHERE inhparent = 'kepler.history'::regclass;
RESET kepler.actor;
DROP TABLE sealed, sealed_too;
DROP FUNCTION public.attack;
