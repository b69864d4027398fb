-- The history: its triggers, its partitions, the chain of its seals, and redaction.

-- The triggers that write what rows of a table were. The first one notes when a statement begins: what it leads to is told
-- before it ends. `deletions_only`: what deleted rows were, and nothing else.
CREATE FUNCTION kepler_internal.make_history_triggers(
    relation regclass, table_id integer, workspace_id text DEFAULT NULL, deletions_only boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
DECLARE
    call constant text := format('EXECUTE FUNCTION kepler_internal.tell_history(%s)',
        concat_ws(', ', quote_literal(table_id), quote_literal(workspace_id)));
BEGIN
    IF NOT deletions_only THEN
        EXECUTE format('CREATE TRIGGER tell_history_begin BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT %s', relation, call);
        EXECUTE format('CREATE TRIGGER tell_history_insert AFTER INSERT ON %s
            REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT %s', relation, call);
        EXECUTE format('CREATE TRIGGER tell_history_update AFTER UPDATE ON %s
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT %s', relation, call);
    END IF;
    EXECUTE format('CREATE TRIGGER tell_history_delete AFTER DELETE ON %s
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT %s', relation, call);
    EXECUTE format('CREATE TRIGGER tell_history_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT %s', relation, call);
    -- A subscription applies changes row by row, and fires no triggers of statements but that of TRUNCATE.
    EXECUTE format('CREATE TRIGGER tell_history_replicated AFTER %s ON %s FOR EACH ROW %s',
        CASE WHEN deletions_only THEN 'DELETE' ELSE 'INSERT OR UPDATE OR DELETE' END, relation, call);
    EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER tell_history_replicated', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER tell_history_truncate', relation);
END
$$;

-- A table of the history: rows come, and stay as they are, for replicas and for the owner too.
CREATE FUNCTION kepler_internal.protect_history(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_history_change()', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_change', relation);
    -- Vacuum has nothing to remove here. It freezes what has come, and lets index-only scans trust it.
    IF (SELECT c.relkind FROM pg_class AS c WHERE c.oid = relation) = 'r' THEN
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
            autovacuum_freeze_min_age = 0)', relation);
        -- A redaction changes rows, and a publication needs to know which.
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', relation);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.microseconds(at_time timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (extract(epoch FROM at_time) * 1000000)::bigint::text
$$;

-- What is sealed, behind a position and up to another, in its order: a hash of each row of the history, and of what tells how to
-- read it, by whom it was made, and what was redacted.
CREATE FUNCTION kepler_internal.sealable(
    after_epoch integer, after_xid xid8, after_sequence bigint, upto_epoch integer, upto_xid xid8, upto_sequence bigint, max_rows bigint
) RETURNS TABLE (epoch integer, xid xid8, sequence bigint, created_at timestamptz, kind text, is_redacted boolean, redaction_id bigint, hash bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT s.epoch, s.xid, s.sequence, s.created_at, s.kind, s.content_hash IS NOT NULL, s.redaction_id,
        CASE s.kind
            WHEN 'change' THEN (
                SELECT kepler_internal.content_hash('change', s.epoch::text, s.xid::text, s.sequence::text,
                    kepler_internal.microseconds(s.created_at), h.table_id::text, h.shape_id::text, h.statement::text,
                    h.operation::text, h.workspace_id, encode(CASE
                        -- A hash stands for what is not there any more, and for nothing else.
                        WHEN h.content_hash IS NOT NULL AND num_nonnulls(h.row_id, h.old_values, h.withheld) = 0 THEN h.content_hash
                        ELSE kepler_internal.content_hash(h.row_id, h.old_values::text, h.withheld::text) END, 'hex'))
                FROM kepler.history AS h
                WHERE h.epoch = s.epoch AND h.xid = s.xid AND h.sequence = s.sequence AND h.created_at = s.created_at LIMIT 1)
            WHEN 'transaction' THEN (
                SELECT kepler_internal.content_hash('transaction', s.epoch::text, s.xid::text, s.sequence::text,
                    kepler_internal.microseconds(s.created_at), t.workspace_id, encode(CASE
                        WHEN t.content_hash IS NOT NULL AND num_nonnulls(t.role_name, t.actor, t.request_id) = 0 THEN t.content_hash
                        ELSE kepler_internal.content_hash(t.role_name, t.actor, t.request_id) END, 'hex'))
                FROM kepler.history_transactions AS t WHERE t.epoch = s.epoch AND t.xid = s.xid AND t.sequence = s.sequence LIMIT 1)
            WHEN 'shape' THEN (
                SELECT kepler_internal.content_hash('shape', s.epoch::text, s.xid::text, s.sequence::text,
                    kepler_internal.microseconds(s.created_at), c.table_id::text, c.relation::text, c.table_name, c.columns::text)
                FROM kepler.history_shapes AS c WHERE c.id = s.sequence LIMIT 1)
            ELSE (
                SELECT kepler_internal.content_hash('redaction', s.epoch::text, s.xid::text, s.sequence::text,
                    kepler_internal.microseconds(s.created_at), r.workspace_id, r.table_name, r.reason, r.role_name, r.row_count::text,
                    encode(r.positions_hash, 'hex'))
                FROM kepler.history_redactions AS r WHERE r.id = s.sequence)
        END
    FROM (
        SELECT h.epoch, h.xid, h.sequence, h.created_at, 'change' AS kind, h.content_hash, h.redaction_id FROM kepler.history AS h
        WHERE (h.epoch, h.xid, h.sequence) > ($1, $2, $3) AND (h.epoch, h.xid, h.sequence) <= ($4, $5, $6)
        UNION ALL
        SELECT t.epoch, t.xid, t.sequence, t.created_at, 'transaction', t.content_hash, t.redaction_id FROM kepler.history_transactions AS t
        WHERE (t.epoch, t.xid, t.sequence) > ($1, $2, $3) AND (t.epoch, t.xid, t.sequence) <= ($4, $5, $6)
        UNION ALL
        SELECT c.epoch, c.xid, c.id, c.created_at, 'shape', NULL, NULL FROM kepler.history_shapes AS c
        WHERE (c.epoch, c.xid, c.id) > ($1, $2, $3) AND (c.epoch, c.xid, c.id) <= ($4, $5, $6)
        UNION ALL
        SELECT r.epoch, r.xid, r.id, r.created_at, 'redaction', NULL, NULL FROM kepler.history_redactions AS r
        WHERE (r.epoch, r.xid, r.id) > ($1, $2, $3) AND (r.epoch, r.xid, r.id) <= ($4, $5, $6)
        ORDER BY 1, 2, 3 LIMIT $7
    ) AS s
    ORDER BY 1, 2, 3
$$;

-- A hash of the numbers of the rows that a redaction emptied.
CREATE FUNCTION kepler_internal.redacted_positions(redaction_id bigint) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT sha256(coalesce(string_agg(int8send(x.sequence), ''::bytea ORDER BY x.sequence), ''::bytea))
    FROM (
        SELECT h.sequence FROM kepler.history AS h WHERE h.redaction_id = $1
        UNION ALL
        SELECT t.sequence FROM kepler.history_transactions AS t WHERE t.redaction_id = $1
    ) AS x
$$;

-- The hash of a seal: of the one before it, and of what it seals.
CREATE FUNCTION kepler_internal.seal_hash(before bytea, number bigint, hashes bytea, row_count integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(coalesce(before, ''::bytea) || convert_to(number || ':' || row_count || ':', 'UTF8') || hashes)
$$;

-- Seals the next rows that lie before the oldest transaction under way, one seal. `present_epoch`: that of now. Gives whether there
-- may be more. Nobody waits for it but another who seals.
CREATE FUNCTION kepler_internal.seal_changes(present_epoch integer, max_rows integer DEFAULT 1000) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    last kepler.history_seals;
    horizon xid8;
    next record;
BEGIN
    LOCK TABLE kepler.history_seals IN SHARE ROW EXCLUSIVE MODE;
    -- The snapshot of the horizon is older than that of the rows: what lies before it is all there.
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    SELECT * INTO last FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1;
    SELECT string_agg(s.hash, ''::bytea ORDER BY s.epoch, s.xid, s.sequence) AS hashes,
        string_agg(substring(s.hash, 1, 4), ''::bytea ORDER BY s.epoch, s.xid, s.sequence) AS marks,
        count(*)::integer AS row_count,
        (array_agg(s.epoch ORDER BY s.epoch DESC, s.xid DESC, s.sequence DESC))[1] AS epoch,
        (array_agg(s.xid ORDER BY s.epoch DESC, s.xid DESC, s.sequence DESC))[1] AS xid,
        (array_agg(s.sequence ORDER BY s.epoch DESC, s.xid DESC, s.sequence DESC))[1] AS sequence
    INTO next
    FROM kepler_internal.sealable(coalesce(last.epoch, 0), coalesce(last.xid, '0'), coalesce(last.sequence, -1),
        present_epoch, horizon, -1, max_rows) AS s;
    IF next.row_count = 0 THEN
        RETURN false;
    END IF;
    INSERT INTO kepler.history_seals (number, epoch, xid, sequence, row_count, marks, hash)
    VALUES (coalesce(last.number, 0) + 1, next.epoch, next.xid, next.sequence, next.row_count, next.marks,
        kepler_internal.seal_hash(last.hash, coalesce(last.number, 0) + 1, next.hashes, next.row_count));
    RETURN next.row_count = max_rows;
END
$$;

-- The last seal as it is told outside: its number and its hash.
CREATE FUNCTION kepler_internal.last_anchor() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT s.number || ':' || encode(s.hash, 'hex') FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1
$$;

-- Recomputes the chain: from the beginning, or behind an older anchor. The first break ends it.
CREATE FUNCTION kepler_internal.check_history(
    anchor text, after text,
    OUT outcome text, OUT problem text, OUT seals bigint, OUT sealed_rows bigint, OUT redacted_rows bigint, OUT broken_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    form constant text := '^[1-9][0-9]{0,17}:[0-9a-f]{64}$';
    seal kepler.history_seals;
    before kepler.history_seals;
    content record;
    row_found record;
    at_row integer;
    counted bigint;
    anchor_seen boolean := anchor IS NULL;
BEGIN
    IF (anchor IS NOT NULL AND anchor !~ form) OR (after IS NOT NULL AND after !~ form) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the anchor is not one of seal_history()';
    END IF;
    outcome := 'broken';
    seals := 0;
    sealed_rows := 0;
    redacted_rows := 0;
    IF after IS NOT NULL THEN
        SELECT * INTO before FROM kepler.history_seals AS s WHERE s.number = split_part(after, ':', 1)::bigint;
        IF before IS NULL OR encode(before.hash, 'hex') <> split_part(after, ':', 2) THEN
            problem := format('seal %s of "after" is not there, or another one', split_part(after, ':', 1));
            RETURN;
        END IF;
        anchor_seen := anchor_seen OR anchor = after;
    END IF;
    FOR seal IN SELECT * FROM kepler.history_seals AS s WHERE s.number > coalesce(before.number, 0) ORDER BY s.number LOOP
        IF seal.number <> coalesce(before.number, 0) + 1 THEN
            problem := format('seal %s is missing', coalesce(before.number, 0) + 1);
            RETURN;
        END IF;
        SELECT coalesce(string_agg(s.hash, ''::bytea ORDER BY s.epoch, s.xid, s.sequence), '') AS hashes,
            coalesce(string_agg(substring(s.hash, 1, 4), ''::bytea ORDER BY s.epoch, s.xid, s.sequence), '') AS marks,
            count(*)::integer AS row_count, count(*) FILTER (WHERE s.is_redacted) AS redacted
        INTO content
        FROM kepler_internal.sealable(coalesce(before.epoch, 0), coalesce(before.xid, '0'), coalesce(before.sequence, -1),
            seal.epoch, seal.xid, seal.sequence, NULL) AS s;
        IF kepler_internal.seal_hash(before.hash, seal.number, content.hashes, content.row_count) <> seal.hash
            OR content.row_count <> seal.row_count
        THEN
            -- The first mark that differs.
            SELECT min(g.n) INTO at_row FROM generate_series(1, greatest(seal.row_count, content.row_count)) AS g (n)
            WHERE substring(seal.marks, 4 * g.n - 3, 4) <> substring(content.marks, 4 * g.n - 3, 4);
            SELECT s.created_at, s.kind, s.sequence INTO row_found
            FROM kepler_internal.sealable(coalesce(before.epoch, 0), coalesce(before.xid, '0'), coalesce(before.sequence, -1),
                seal.epoch, seal.xid, seal.sequence, NULL) AS s ORDER BY s.epoch, s.xid, s.sequence OFFSET at_row - 1 LIMIT 1;
            broken_at := coalesce(row_found.created_at, seal.sealed_at);
            problem := CASE
                WHEN at_row IS NULL THEN format('seal %s was changed', seal.number)
                WHEN content.row_count < seal.row_count AND row_found IS NULL THEN
                    format('rows of seal %s are missing at its end: %s of %s are there', seal.number, content.row_count, seal.row_count)
                WHEN content.row_count < seal.row_count THEN
                    format('a row of seal %s is missing before number %s', seal.number, row_found.sequence)
                WHEN content.row_count > seal.row_count THEN
                    format('a row came into seal %s at number %s', seal.number, row_found.sequence)
                ELSE format('the %s with number %s was changed', row_found.kind, row_found.sequence)
            END;
            RETURN;
        END IF;
        IF split_part(anchor, ':', 1)::bigint = seal.number THEN
            IF encode(seal.hash, 'hex') <> split_part(anchor, ':', 2) THEN
                problem := format('seal %s is not the one of the anchor: the chain was made anew', seal.number);
                broken_at := seal.sealed_at;
                RETURN;
            END IF;
            anchor_seen := true;
        END IF;
        seals := seals + 1;
        sealed_rows := sealed_rows + content.row_count;
        redacted_rows := redacted_rows + content.redacted;
        before := seal;
    END LOOP;
    IF NOT anchor_seen THEN
        problem := format('seal %s of the anchor is missing: the chain ends with seal %s', split_part(anchor, ':', 1), coalesce(before.number, 0));
        RETURN;
    END IF;
    -- What was taken out is noted, and so often.
    SELECT r.id INTO counted FROM kepler.history_redactions AS r
    WHERE r.row_count <> (SELECT count(*) FROM kepler.history AS h WHERE h.redaction_id = r.id)
        + (SELECT count(*) FROM kepler.history_transactions AS t WHERE t.redaction_id = r.id)
    ORDER BY r.id LIMIT 1;
    IF counted IS NOT NULL THEN
        problem := format('redaction %s was of another number of rows', counted);
        RETURN;
    END IF;
    SELECT r.id INTO counted FROM kepler.history_redactions AS r
    WHERE r.positions_hash <> kepler_internal.redacted_positions(r.id) ORDER BY r.id LIMIT 1;
    IF counted IS NOT NULL THEN
        problem := format('redaction %s was of other rows', counted);
        RETURN;
    END IF;
    SELECT coalesce(
        (SELECT h.sequence FROM kepler.history AS h WHERE h.redaction_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM kepler.history_redactions AS r WHERE r.id = h.redaction_id) LIMIT 1),
        (SELECT t.sequence FROM kepler.history_transactions AS t WHERE t.redaction_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM kepler.history_redactions AS r WHERE r.id = t.redaction_id) LIMIT 1),
        (SELECT h.sequence FROM kepler.history AS h WHERE h.content_hash IS NOT NULL AND h.redaction_id IS NULL LIMIT 1),
        (SELECT t.sequence FROM kepler.history_transactions AS t WHERE t.content_hash IS NOT NULL AND t.redaction_id IS NULL LIMIT 1))
    INTO counted;
    IF counted IS NOT NULL THEN
        problem := format('the row with number %s was emptied by no redaction', counted);
        RETURN;
    END IF;
    -- A table has a name that it was written under. It may have another one since; but not one that only others were written under.
    SELECT t.id INTO counted FROM kepler.tracked_tables AS t
    WHERE t.level <> 'feed'
        AND EXISTS (SELECT FROM kepler.history_shapes AS c WHERE c.table_id = t.id)
        AND NOT EXISTS (SELECT FROM kepler.history_shapes AS c WHERE c.table_id = t.id AND c.table_name = t.name)
        AND EXISTS (SELECT FROM kepler.history_shapes AS c WHERE c.table_id <> t.id AND c.table_name = t.name)
    ORDER BY t.id LIMIT 1;
    IF counted IS NOT NULL THEN
        problem := format('the table with id %s has the name of another one', counted);
        RETURN;
    END IF;
    outcome := 'intact';
END
$$;

-- Takes values and keys out of rows, and the actor out of transactions, of a workspace, so many at most. What they were hashed to stays.
-- `epoch`: the present one. Gives how many rows it were.
CREATE FUNCTION kepler_internal.redact_changes(
    workspace_id text, table_name text, row_ids text[], actor text, reason text, max_rows integer, epoch integer
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    id constant bigint := nextval('kepler.history_sequence') * 65536;
    whose constant text := CASE WHEN workspace_id IS NULL THEN 'x.workspace_id IS NULL AND $1 IS NULL' ELSE 'x.workspace_id = $1' END;
    redacted bigint := 0;
    more bigint;
BEGIN
    IF actor IS NULL THEN
        EXECUTE format('
            UPDATE kepler.history AS h
            SET content_hash = kepler_internal.content_hash(h.row_id, h.old_values::text, h.withheld::text),
                row_id = NULL, old_values = NULL, withheld = NULL, redaction_id = $5
            FROM (
                SELECT x.epoch, x.xid, x.sequence, x.created_at FROM kepler.history AS x
                WHERE %s AND x.row_id IS NOT NULL %s %s LIMIT $4
            ) AS c
            WHERE h.epoch = c.epoch AND h.xid = c.xid AND h.sequence = c.sequence AND h.created_at = c.created_at', whose,
            CASE WHEN table_name IS NOT NULL THEN 'AND x.table_id = ANY (ARRAY(
                SELECT t.id FROM kepler.tracked_tables AS t WHERE t.name = $2 AND t.level <> ''feed''))' END,
            CASE WHEN row_ids IS NOT NULL THEN 'AND x.row_id = ANY ($3)' END)
        USING workspace_id, table_name, row_ids, max_rows, id;
        GET DIAGNOSTICS redacted = ROW_COUNT;
    END IF;
    -- All of a workspace, or all of an actor's.
    IF redacted < max_rows AND (actor IS NOT NULL OR (table_name IS NULL AND row_ids IS NULL)) THEN
        EXECUTE format('
            UPDATE kepler.history_transactions AS t
            SET content_hash = kepler_internal.content_hash(t.role_name, t.actor, t.request_id),
                role_name = NULL, actor = NULL, request_id = NULL, redaction_id = $4
            FROM (
                SELECT x.epoch, x.xid, x.sequence FROM kepler.history_transactions AS x
                WHERE %s AND x.redaction_id IS NULL %s LIMIT $3
            ) AS c
            WHERE t.epoch = c.epoch AND t.xid = c.xid AND t.sequence = c.sequence', whose,
            CASE WHEN actor IS NOT NULL THEN 'AND x.actor = $2' END)
        USING workspace_id, actor, max_rows - redacted, id;
        GET DIAGNOSTICS more = ROW_COUNT;
        redacted := redacted + more;
    END IF;
    IF redacted > 0 THEN
        INSERT INTO kepler.history_redactions (id, epoch, xid, workspace_id, table_name, reason, row_count, positions_hash)
        VALUES (id, epoch, pg_current_xact_id(), workspace_id, table_name, reason, redacted, kepler_internal.redacted_positions(id));
    END IF;
    RETURN redacted;
END
$$;

CREATE FUNCTION kepler.seal_history() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WHILE kepler_internal.seal_history_step() LOOP
        NULL;
    END LOOP;
    RETURN kepler_internal.history_anchor();
END
$$;

CREATE FUNCTION kepler.verify_history(
    anchor text DEFAULT NULL, after text DEFAULT NULL,
    OUT outcome text, OUT problem text, OUT seals bigint, OUT sealed_rows bigint, OUT redacted_rows bigint, OUT broken_at timestamptz
) LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.outcome, v.problem, v.seals, v.sealed_rows, v.redacted_rows, v.broken_at
    FROM kepler_internal.verify_history_chain(verify_history.anchor, verify_history.after) AS v
$$;
