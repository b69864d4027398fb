-- The end of Kepler in a database: what it made outside of the extension, what others have hung on that or on the extension, and
-- what stays. All of it is worked out from the catalog and from Kepler's lists of tables. Works also where tables of Kepler's are
-- missing: somebody may have begun by hand.

-- What is Kepler's and no member of the extension. names: of its own relations. drop_command: in an order in which they can run;
-- views go at once, and then all tables (NULL).
CREATE FUNCTION kepler_internal.made_objects(
    owner oid, names text[],
    OUT kind text, OUT class oid, OUT id oid, OUT object text, OUT relation regclass, OUT drop_command text
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = off
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    relations oid[];
    kinds text[];
    lists constant text[] := ARRAY[
        -- Entry tables; those that were dropped, and wait to be purged, too.
        'entry_tables', $q$SELECT 'entry table', 'kepler_data', e.table_name, 'rp' FROM kepler.entry_tables AS e$q$,
        'embedding_spaces', $q$SELECT 'embedding table', 'kepler_data', n.name, 'r' FROM kepler.embedding_spaces AS s
            CROSS JOIN LATERAL (VALUES (s.memory_table_name), (s.message_table_name)) AS n (name)$q$,
        -- What was there before stays; the tables may be those of 0.1.0, which do not say so.
        'blueprint_tables', $q$SELECT 'blueprint table', t.schema_name, t.table_name, 'r' FROM kepler.blueprint_tables AS t
            WHERE (to_jsonb(t) ->> 'adopted') IS DISTINCT FROM 'true'$q$];
    made record;
BEGIN
    WITH RECURSIVE own AS (
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('kepler') AND c.relname = ANY (names) AND c.relkind IN ('r', 'p', 'v', 'S')
            AND c.relowner = owner
        UNION
        -- Its own partitions. One that is elsewhere, or somebody else's, was attached by hand.
        SELECT c.oid FROM own AS o
        JOIN pg_inherits AS i ON i.inhparent = o.oid
        JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition AND c.relowner = owner
            AND c.relnamespace = to_regnamespace('kepler')
    )
    SELECT array_agg(c.oid ORDER BY c.relname), array_agg(
            CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END ORDER BY c.relname)
    INTO relations, kinds
    FROM own AS o JOIN pg_class AS c ON c.oid = o.oid;
    FOR at IN 1 .. cardinality(lists) BY 2 LOOP
        CONTINUE WHEN to_regclass('kepler.' || lists[at]) IS NULL;
        FOR made IN EXECUTE format(
            'SELECT l.kind, c.oid FROM (%s) AS l (kind, schema_name, table_name, relkinds)
             JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) l.schema_name::pg_catalog.name
             JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
                 AND c.relname OPERATOR(pg_catalog.=) l.table_name::pg_catalog.name
                 AND c.relowner OPERATOR(pg_catalog.=) $1
                 AND pg_catalog.strpos(l.relkinds, c.relkind::pg_catalog.text) OPERATOR(pg_catalog.>) 0
             ORDER BY n.nspname, c.relname', lists[at + 1]) USING owner
        LOOP
            relations := relations || made.oid;
            kinds := kinds || made.kind::text;
        END LOOP;
    END LOOP;
    -- What track() put on tables that are not Kepler's.
    RETURN QUERY
    SELECT 'trigger', 'pg_trigger'::regclass::oid, g.oid, pg_describe_object('pg_trigger'::regclass, g.oid, 0), g.tgrelid::regclass,
        format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass)
    FROM pg_trigger AS g
    WHERE g.tgfoid IN ('kepler_internal.tell_feed()'::regprocedure, 'kepler_internal.tell_history()'::regprocedure)
        AND g.tgparentid = 0 AND NOT g.tgisinternal AND g.tgrelid <> ALL (coalesce(relations, '{}'))
    ORDER BY 4;
    RETURN QUERY
    SELECT o.kind, 'pg_class'::regclass::oid, o.oid, o.oid::regclass::text, o.oid::regclass,
        CASE o.kind WHEN 'sequence' THEN format('DROP SEQUENCE %s', o.oid::regclass) END
    FROM ROWS FROM (unnest(kinds), unnest(relations)) WITH ORDINALITY AS o (kind, oid, at)
    -- Views read tables; defaults of tables may read a sequence.
    ORDER BY CASE o.kind WHEN 'view' THEN 1 WHEN 'sequence' THEN 3 ELSE 2 END, o.at;
    IF to_regclass('kepler.blueprint_enums') IS NOT NULL THEN
        RETURN QUERY
        SELECT 'enum', 'pg_type'::regclass::oid, t.oid, t.oid::regtype::text, NULL::regclass, format('DROP TYPE %s', t.oid::regtype)
        FROM (SELECT * FROM kepler.blueprint_enums AS e WHERE (to_jsonb(e) ->> 'adopted') IS DISTINCT FROM 'true') AS e
        JOIN pg_namespace AS n ON n.nspname = e.schema_name
        JOIN pg_type AS t ON t.typnamespace = n.oid AND t.typname = e.type_name AND t.typtype = 'e' AND t.typowner = owner
        ORDER BY 4;
    END IF;
    RETURN QUERY
    SELECT 'schema', 'pg_namespace'::regclass::oid, n.oid, format('%I', n.nspname), NULL::regclass,
        format('DROP SCHEMA %I', n.nspname)
    FROM pg_namespace AS n
    WHERE n.nspowner = owner AND n.nspname = ANY (kepler_internal.made_schemas())
    ORDER BY n.nspname;
END
$$;

-- The schemas that Kepler made, beside those of the extension.
CREATE FUNCTION kepler_internal.made_schemas() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = off
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    schemas text[] := '{}';
BEGIN
    IF to_regclass('kepler.blueprints') IS NOT NULL THEN
        SELECT coalesce(array_agg(DISTINCT s.name), '{}') INTO schemas
        FROM kepler.blueprints AS b CROSS JOIN LATERAL unnest(b.made_schemas) AS s (name);
    END IF;
    RETURN schemas || 'kepler_data'::text;
END
$$;

-- The rights on schemas that are not Kepler's which roles have for the tables of blueprints in them.
CREATE FUNCTION kepler_internal.given_schema_rights(owner oid, OUT schema oid, OUT grantee text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = off
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    roles text[] := '{}';
BEGIN
    IF to_regclass('kepler.blueprint_tables') IS NULL THEN
        RETURN;
    END IF;
    IF to_regclass('kepler.access_levels') IS NOT NULL THEN
        SELECT roles || array_agg(l.role_name) INTO roles FROM kepler.access_levels AS l;
    END IF;
    IF to_regclass('kepler.workspace_members') IS NOT NULL THEN
        SELECT roles || array_agg(m.role_name) INTO roles FROM kepler.workspace_members AS m;
    END IF;
    RETURN QUERY
    SELECT DISTINCT n.oid, pg_get_userbyid(x.grantee)::text
    FROM kepler.blueprint_tables AS t
    JOIN pg_namespace AS n ON n.nspname = t.schema_name AND n.nspowner = owner
    CROSS JOIN LATERAL aclexplode(n.nspacl) AS x
    WHERE x.grantor = owner AND x.grantee <> owner AND x.privilege_type = 'USAGE' AND NOT x.is_grantable
        AND pg_get_userbyid(x.grantee) = ANY (roles);
END
$$;

-- What goes together with some objects without being asked for, these included: what belongs to them, and the members of an
-- extension.
CREATE FUNCTION kepler_internal.with_parts(classes oid[], ids oid[], OUT class oid, OUT id oid) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
WITH RECURSIVE part AS (
    SELECT o.class, o.id FROM ROWS FROM (unnest(classes), unnest(ids)) AS o (class, id)
    UNION
    SELECT d.classid, d.objid FROM part AS p
    JOIN pg_depend AS d ON d.refclassid = p.class AND d.refobjid = p.id
    WHERE d.deptype <> 'n' AND d.objsubid = 0
        -- A partition or child that is not among them was attached by hand: it is named.
        AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
            WHERE i.inhrelid = d.objid AND i.inhparent = p.id))
)
SELECT p.class, p.id FROM part AS p
$$;

-- All that uninstall() looks at, in the order in which it drops. outcome: dropped, blocks (something of somebody's rests on it) and
-- kept. caller: whose rights are asked for where triggers are on tables of others.
CREATE FUNCTION kepler_internal.plan_uninstall(
    owner oid, caller oid, names text[],
    OUT kind text, OUT object text, OUT relation regclass, OUT outcome text, OUT hint text, OUT drop_command text
) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
WITH made AS MATERIALIZED (
    SELECT m.*, row_number() OVER () AS at FROM kepler_internal.made_objects(owner, names) AS m
),
-- A schema goes if nothing is left in it.
asked AS MATERIALIZED (
    SELECT array_agg(m.class) || e.tableoid AS classes, array_agg(m.id) || e.oid AS ids
    FROM pg_extension AS e LEFT JOIN made AS m ON m.kind <> 'schema'
    WHERE e.extname = 'kepler' GROUP BY e.oid, e.tableoid
),
part AS MATERIALIZED (
    SELECT p.class, p.id FROM asked AS a CROSS JOIN LATERAL kepler_internal.with_parts(a.classes, a.ids) AS p WHERE p.id IS NOT NULL
),
given AS MATERIALIZED (
    SELECT g.schema, g.grantee FROM kepler_internal.given_schema_rights(owner) AS g
),
held AS MATERIALIZED (
    SELECT n.oid AS schema, d.classid AS class, d.objid AS id
    FROM pg_namespace AS n
    JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
    WHERE (n.nspname = 'kepler' OR n.nspname = ANY (kepler_internal.made_schemas()) OR n.oid IN (SELECT g.schema FROM given AS g))
        AND NOT EXISTS (SELECT FROM part AS p WHERE p.class = d.classid AND p.id = d.objid)
),
dependent AS (
    SELECT DISTINCT coalesce(v.refclassid, d.classid) AS class, coalesce(v.refobjid, d.objid) AS id,
        CASE WHEN v.refobjid IS NULL AND c.relkind IS DISTINCT FROM 'v' AND c.relkind IS DISTINCT FROM 'm' THEN d.objsubid ELSE 0 END AS sub
    FROM part AS p
    JOIN pg_depend AS d ON d.refclassid = p.class AND d.refobjid = p.id
    -- Of a view, the rule depends.
    LEFT JOIN pg_depend AS v ON v.classid = d.classid AND v.objid = d.objid AND v.deptype = 'i'
        AND d.classid = 'pg_rewrite'::regclass
    LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    WHERE NOT EXISTS (SELECT FROM part AS own WHERE own.class = d.classid AND own.id = d.objid)
),
found AS (
    SELECT 1 AS part, m.at, m.kind, m.object, m.relation,
        CASE WHEN m.kind = 'trigger' AND NOT pg_has_role(caller, c.relowner, 'USAGE') THEN 'blocks' ELSE 'dropped' END AS outcome,
        CASE WHEN m.kind = 'trigger' AND NOT pg_has_role(caller, c.relowner, 'USAGE')
            THEN format('Of the table''s owner %s, or a superuser: %s;', quote_ident(pg_get_userbyid(c.relowner)), m.drop_command) END AS hint,
        m.drop_command
    FROM made AS m
    LEFT JOIN pg_class AS c ON c.oid = m.relation
    WHERE m.kind <> 'schema' OR NOT EXISTS (SELECT FROM held AS h WHERE h.schema = m.id)
    UNION ALL
    -- The role may need it for what else is there.
    SELECT CASE h.is_held WHEN true THEN 4 ELSE 1 END, 1000000 + row_number() OVER (ORDER BY n.nspname, g.grantee), 'right',
        format('USAGE on schema %I of %I', n.nspname, g.grantee), NULL, CASE h.is_held WHEN true THEN 'kept' ELSE 'dropped' END,
        CASE h.is_held WHEN true THEN format('REVOKE USAGE ON SCHEMA %I FROM %I;', n.nspname, g.grantee) END,
        CASE h.is_held WHEN false THEN format('REVOKE USAGE ON SCHEMA %I FROM %I', n.nspname, g.grantee) END
    FROM given AS g
    JOIN pg_namespace AS n ON n.oid = g.schema
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM held AS h WHERE h.schema = g.schema)) AS h (is_held)
    WHERE h.is_held OR NOT EXISTS (SELECT FROM made AS m WHERE m.kind = 'schema' AND m.id = g.schema)
    UNION ALL
    -- In an order in which the statements can run: what rests on columns before these.
    SELECT 2, row_number() OVER (ORDER BY coalesce(array_position('{view,materialized view,policy,index,trigger,function,table constraint,table,default value}', i.type), 100), i.type, i.identity), i.type, pg_describe_object(d.class, d.id, d.sub),
        NULL, 'blocks', kepler_internal.way_out(d.class, d.id, d.sub, i.type, i.identity), NULL
    FROM dependent AS d
    CROSS JOIN LATERAL pg_identify_object(d.class, d.id, d.sub) AS i
    UNION ALL
    -- A worker would go on writing there.
    SELECT 3, row_number() OVER (ORDER BY s.subname), 'subscription',
        format('subscription %I, which fills %s of Kepler''s tables', s.subname, count(*)),
        NULL, 'blocks', format('DROP SUBSCRIPTION %I;', s.subname), NULL
    FROM pg_subscription_rel AS r
    JOIN pg_subscription AS s ON s.oid = r.srsubid
    JOIN made AS m ON m.relation = r.srrelid AND m.kind <> 'trigger'
    GROUP BY s.subname
    UNION ALL
    SELECT 4, row_number() OVER (ORDER BY n.nspname), 'schema', format('%I', n.nspname), NULL, 'kept',
        format('It holds what Kepler did not make: %s.', string_agg(pg_describe_object(h.class, h.id, 0), ', ' ORDER BY h.class, h.id)), NULL
    FROM held AS h JOIN pg_namespace AS n ON n.oid = h.schema
    WHERE n.nspname = 'kepler' OR n.nspname = ANY (kepler_internal.made_schemas())
    GROUP BY n.nspname
    UNION ALL
    -- A library that is loaded by name, and is gone, lets no session begin.
    SELECT 5, row_number() OVER (ORDER BY x.setting, s.setdatabase, s.setrole), 'setting',
        format('%s of %s', x.setting, concat_ws(' in ',
            CASE WHEN s.setrole <> 0 THEN 'role ' || quote_ident(pg_get_userbyid(s.setrole)) END,
            CASE WHEN s.setdatabase <> 0 THEN 'database ' || quote_ident(b.datname) END)),
        NULL, 'kept', format('ALTER %s RESET %s;', CASE
            WHEN s.setrole = 0 THEN 'DATABASE ' || quote_ident(b.datname)
            ELSE 'ROLE ' || quote_ident(pg_get_userbyid(s.setrole)) || coalesce(' IN DATABASE ' || quote_ident(b.datname), '') END,
            split_part(x.setting, '=', 1)), NULL
    FROM pg_db_role_setting AS s
    LEFT JOIN pg_database AS b ON b.oid = s.setdatabase
    CROSS JOIN LATERAL unnest(s.setconfig) AS x (setting)
    WHERE (s.setdatabase = 0 OR b.datname = current_database())
        AND (x.setting LIKE 'kepler.%' OR x.setting ~ '^(session|local)_preload_libraries=.*\mkepler\M')
    UNION ALL
    -- Postgres does not know what the text of a function calls.
    SELECT 6, row_number() OVER (ORDER BY f.oid::regprocedure::text), 'function', f.oid::regprocedure::text, NULL, 'kept',
        'Its text speaks of a schema of Kepler''s.', NULL
    FROM pg_proc AS f
    WHERE f.prosrc ~ '\mkepler(_data|_internal)?[.]' AND f.prosqlbody IS NULL
        AND NOT EXISTS (SELECT FROM part AS p WHERE p.class = 'pg_proc'::regclass AND p.id = f.oid)
    UNION ALL
    SELECT 7, 1, 'extension', 'kepler', NULL, 'kept', 'DROP EXTENSION kepler;', NULL
    UNION ALL
    -- CREATE EXTENSION makes it, and DROP EXTENSION leaves it.
    SELECT 8, 1, 'schema', 'kepler', NULL, 'kept', 'DROP SCHEMA kepler;', NULL
    WHERE NOT EXISTS (SELECT FROM held AS h WHERE h.schema = to_regnamespace('kepler'))
)
SELECT f.kind, f.object, f.relation, f.outcome, f.hint, f.drop_command FROM found AS f ORDER BY f.part, f.at
$$;

-- A statement that takes an object of somebody's off what it rests on; NULL where there is no short one.
CREATE FUNCTION kepler_internal.way_out(class oid, id oid, sub integer, type text, identity text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE type
    WHEN 'table constraint' THEN (
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', n.conrelid::regclass, n.conname) FROM pg_constraint AS n WHERE n.oid = id)
    WHEN 'default value' THEN (
        SELECT format(CASE a.attgenerated WHEN '' THEN 'ALTER TABLE %s ALTER %I DROP DEFAULT'
            WHEN 's' THEN 'ALTER TABLE %s ALTER %I DROP EXPRESSION' ELSE 'ALTER TABLE %s DROP %I' END, d.adrelid::regclass, a.attname)
        FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.oid = id)
    WHEN 'table column' THEN (
        SELECT format('ALTER TABLE %s ALTER %I TYPE text', id::regclass, a.attname)
        FROM pg_attribute AS a WHERE a.attrelid = id AND a.attnum = sub)
    WHEN 'table' THEN (
        SELECT format(CASE WHEN c.relispartition THEN 'ALTER TABLE %1$s DETACH PARTITION %2$s'
            ELSE 'ALTER TABLE %2$s NO INHERIT %1$s' END, i.inhparent::regclass, i.inhrelid::regclass)
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhrelid = id ORDER BY i.inhseqno LIMIT 1)
    ELSE CASE WHEN type = ANY ('{view,materialized view,function,procedure,aggregate,index,trigger,policy,rule,type,operator,extension,publication}')
        THEN format('DROP %s %s', upper(type), identity) END
    END || ';'
$$;

-- Which of some of Kepler's tables hold more than install() and the server put there.
CREATE FUNCTION kepler_internal.held_by_tables(relations regclass[]) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = off
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    relation regclass;
    is_held boolean;
    held regclass[] := '{}';
BEGIN
    FOREACH relation IN ARRAY relations LOOP
        CONTINUE WHEN relation::text = ANY (
            '{kepler.schema_versions,kepler.access_levels,kepler.workspace_members,kepler.tracked_tables,kepler.feed_epochs,kepler.maintenance}');
        EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s AS t%s)', relation,
            CASE relation::text WHEN 'kepler.workspaces' THEN $c$ WHERE t.id OPERATOR(pg_catalog.<>) 'default'$c$ END) INTO is_held;
        -- A partition is a part of the table that users know.
        relation := coalesce(pg_partition_root(relation), relation);
        IF is_held AND relation <> ALL (held) THEN
            held := held || relation;
        END IF;
    END LOOP;
    RETURN held;
END
$$;
