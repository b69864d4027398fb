-- The change feed: its triggers, its partitions, and what holds it back.

-- The triggers that write the changes of a table. `table_id` is the table's number in the feed: it goes with the trigger
-- through dumps and renames, and a name or an oid does not. `workspace_id`: that of all its rows, if no column has it.
CREATE FUNCTION kepler_internal.make_feed_triggers(relation regclass, table_id integer, workspace_id text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
DECLARE
    call constant text := format('EXECUTE FUNCTION kepler_internal.tell_feed(%s)',
        concat_ws(', ', quote_literal(table_id), quote_literal(workspace_id)));
BEGIN
    EXECUTE format('CREATE TRIGGER tell_feed_insert AFTER INSERT ON %s
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT %s', relation, call);
    EXECUTE format('CREATE TRIGGER tell_feed_update AFTER UPDATE ON %s
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT %s', relation, call);
    EXECUTE format('CREATE TRIGGER tell_feed_delete AFTER DELETE ON %s
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT %s', relation, call);
    EXECUTE format('CREATE TRIGGER tell_feed_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT %s', relation, call);
    -- A subscription applies changes row by row, and fires no triggers of statements but that of TRUNCATE.
    EXECUTE format('CREATE TRIGGER tell_feed_replicated AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW %s', relation, call);
    EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER tell_feed_replicated', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER tell_feed_truncate', relation);
END
$$;

-- Drops the triggers of one function, of the feed or of the history.
CREATE FUNCTION kepler_internal.drop_feed_triggers(relation regclass, function text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
DECLARE
    found name;
BEGIN
    FOR found IN SELECT t.tgname FROM pg_trigger AS t
        WHERE t.tgrelid = drop_feed_triggers.relation AND t.tgparentid = 0
            AND t.tgfoid = drop_feed_triggers.function::regprocedure
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found, relation);
    END LOOP;
END
$$;

-- Makes partitions of a log (the feed, the history): of this period, a week or a month, and of some ahead, as far as they can be made at
-- once. A period of which rows lie in the default partition stays there: its rows are read from there. Gives how many were made.
CREATE FUNCTION kepler_internal.make_partitions(log text, period text, ahead integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '100ms'
SET kepler.plan_for_large_tables = on
AS $$
DECLARE
    step constant interval := ('1 ' || period)::interval;
    begins timestamptz;
    partition text;
    made integer := 0;
BEGIN
    FOR begins IN SELECT generate_series(date_trunc(period, clock_timestamp()), date_trunc(period, clock_timestamp()) + ahead * step, step)
    LOOP
        partition := log || '_' || to_char(begins, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(format('kepler.%I', partition)) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE kepler.%I (LIKE kepler.%I INCLUDING ALL)', partition, log);
            -- For whoever has rights on the partition: they are not those on the whole.
            EXECUTE format('ALTER TABLE kepler.%I ENABLE ROW LEVEL SECURITY', partition);
            EXECUTE format('CREATE POLICY workspace ON kepler.%I FOR SELECT USING (workspace_id = kepler.current_workspace_id())', partition);
            -- This locks writers out of the default partition alone, and nobody out of the rest.
            EXECUTE format('ALTER TABLE kepler.%I ATTACH PARTITION kepler.%I FOR VALUES FROM (%L) TO (%L)',
                log, partition, begins, begins + step);
            EXECUTE format('COMMENT ON TABLE kepler.%I IS %L', partition, format('Partition of the %s for a %s', log, period));
            IF log = 'history' THEN
                PERFORM kepler_internal.protect_history(format('kepler.%I', partition)::regclass);
            END IF;
            made := made + 1;
        -- The third: another session makes it.
        EXCEPTION WHEN lock_not_available OR check_violation OR duplicate_table THEN
            NULL;
        END;
    END LOOP;
    RETURN made;
END
$$;

-- The table of the oldest changes before a time: a partition that lies before it as a whole, the default partition, or NULL.
CREATE FUNCTION kepler_internal.oldest_changes(before timestamptz) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET kepler.plan_for_large_tables = on
AS $$
    SELECT coalesce((
        SELECT c.relname::text
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '^feed_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') + interval '7 days' < before
        ORDER BY c.relname LIMIT 1
    ), (SELECT 'feed_default' FROM kepler.feed_default AS f WHERE f.created_at < before LIMIT 1))
$$;

-- Deletes the oldest of what is older than `keep`. Gives whether there may be more.
CREATE FUNCTION kepler_internal.drop_old_changes(keep interval) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
    -- A longer time could not be taken from a date.
    SELECT kepler_internal.drop_changes_before(
        CASE WHEN keep < interval '1000 years' THEN clock_timestamp() - keep ELSE '-infinity' END)
$$;

-- Deletes the oldest changes before a time: a partition, or some rows of the default partition. Gives whether there may be more.
CREATE FUNCTION kepler_internal.drop_changes_before(before timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '100ms'
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    oldest constant timestamptz := before;
    partition text := 'kepler.' || quote_ident(nullif(kepler_internal.oldest_changes(before), 'feed_default'));
    deleted integer;
BEGIN
    IF partition IS NULL THEN
        WITH gone AS (
            DELETE FROM kepler.feed_default AS f
            WHERE f.ctid = ANY (ARRAY(
                SELECT x.ctid FROM kepler.feed_default AS x WHERE x.created_at < oldest LIMIT 10000))
            RETURNING f.workspace_id, f.epoch, f.xid, f.sequence
        ), noted AS (
            INSERT INTO kepler.feed_dropped AS d (workspace_id, epoch, xid, sequence)
            SELECT DISTINCT ON (g.workspace_id) g.workspace_id, g.epoch, g.xid, g.sequence FROM gone AS g
            ORDER BY g.workspace_id, g.epoch DESC, g.xid DESC, g.sequence DESC
            ON CONFLICT (workspace_id) DO UPDATE
            SET epoch = excluded.epoch, xid = excluded.xid, sequence = excluded.sequence
            WHERE (excluded.epoch, excluded.xid, excluded.sequence) > (d.epoch, d.xid, d.sequence)
        )
        SELECT count(*) INTO deleted FROM gone AS g;
        RETURN deleted = 10000;
    END IF;
    BEGIN
        -- In the order in which readers lock. Writers lock neither: they write to the partition of now, and not through the whole.
        LOCK TABLE ONLY kepler.feed IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition);
    EXCEPTION WHEN lock_not_available THEN
        RAISE NOTICE USING MESSAGE = format('%s is in use and stays until the next call', partition);
        RETURN false;
    END;
    -- The last position of each workspace, workspace by workspace.
    EXECUTE format('
        WITH RECURSIVE last AS (
            (SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id IS NOT NULL
            ORDER BY f.workspace_id DESC, f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1)
            UNION ALL
            SELECT n.* FROM last AS l CROSS JOIN LATERAL (
                SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id < l.workspace_id
                ORDER BY f.workspace_id DESC, f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1) AS n
        )
        INSERT INTO kepler.feed_dropped AS d (workspace_id, epoch, xid, sequence)
        SELECT l.workspace_id, l.epoch, l.xid, l.sequence FROM last AS l
        UNION ALL
        (SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id IS NULL
        ORDER BY f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1)
        ON CONFLICT (workspace_id) DO UPDATE
        SET epoch = excluded.epoch, xid = excluded.xid, sequence = excluded.sequence
        WHERE (excluded.epoch, excluded.xid, excluded.sequence) > (d.epoch, d.xid, d.sequence)', partition);
    EXECUTE format('DROP TABLE %s', partition);
    RETURN true;
END
$$;

CREATE PROCEDURE kepler.maintain_feed(keep interval DEFAULT interval '30 days')
LANGUAGE plpgsql
AS $$
DECLARE
    more boolean := true;
BEGIN
    PERFORM kepler_internal.require_commits('kepler.maintain_feed');
    PERFORM kepler_internal.maintain_feed_step(true, keep);
    COMMIT;
    WHILE more LOOP
        more := kepler_internal.maintain_feed_step(false, keep);
        COMMIT;
    END LOOP;
END
$$;

-- What holds the end of the feed back where the workspace lies; without one, on this node.
CREATE FUNCTION kepler_internal.feed_horizon_of_part(
    workspace_id text,
    OUT horizon xid8, OUT next_xid xid8, OUT held_by text, OUT pid integer, OUT prepared_transaction text,
    OUT database_name text, OUT role_name text, OUT state text, OUT began_at timestamptz
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    oldest xid;
BEGIN
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    next_xid := pg_snapshot_xmax(pg_current_snapshot());
    IF horizon >= next_xid OR pg_is_in_recovery() THEN
        RETURN;
    END IF;
    -- Every transaction that changes something holds a lock on its own number, which everybody may see.
    SELECT k.pid, k.transactionid INTO pid, oldest FROM pg_locks AS k
    WHERE k.locktype = 'transactionid' AND k.mode = 'ExclusiveLock' AND k.granted
        AND k.transactionid = horizon::xid
    LIMIT 1;
    IF oldest IS NULL THEN
        RETURN;
    ELSIF pid IS NULL THEN
        held_by := 'prepared transaction';
        SELECT p.gid, p.database::text, p.owner::text, p.prepared INTO prepared_transaction, database_name, role_name, began_at
        FROM pg_prepared_xacts AS p WHERE p.transaction = oldest;
    ELSE
        held_by := 'session';
        SELECT a.datname::text, a.usename::text, a.state, a.xact_start INTO database_name, role_name, state, began_at
        FROM pg_stat_activity AS a WHERE a.pid = feed_horizon_of_part.pid;
    END IF;
END
$$;

-- What holds the end of the feed back, and how far its consumers are behind.
CREATE FUNCTION kepler.feed_lag(
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT horizon xid8, OUT next_xid xid8, OUT held_by text, OUT pid integer, OUT prepared_transaction text,
    OUT database_name text, OUT role_name text, OUT state text, OUT began_at timestamptz, OUT consumers jsonb
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    here record;
BEGIN
    consumers := (
        SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.consumer), '[]')
        FROM kepler_internal.consumer_lag(feed_lag.workspace_id) AS l);
    SELECT h.* INTO horizon, next_xid, held_by, pid, prepared_transaction, database_name, role_name, state, began_at
    FROM kepler_internal.feed_horizon_of_part(feed_lag.workspace_id) AS h;
    -- On a cluster there is the coordinator's feed too.
    IF held_by IS NULL AND kepler_internal.is_distributed() THEN
        SELECT h.* INTO here FROM kepler_internal.feed_horizon_of_part(NULL) AS h;
        IF here.held_by IS NOT NULL THEN
            SELECT here.horizon, here.next_xid, here.held_by, here.pid, here.prepared_transaction, here.database_name, here.role_name,
                here.state, here.began_at
            INTO horizon, next_xid, held_by, pid, prepared_transaction, database_name, role_name, state, began_at;
        END IF;
    END IF;
END
$$;
