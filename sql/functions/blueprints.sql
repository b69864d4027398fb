-- Application models: what the planning of blueprints needs of SQL, and the forms of the public functions.

-- What a blueprint needs to know of the catalog beside its tables: schemas and who may make something in them, extensions, and
-- what has the names of its tables and types. Of `whole_schemas` all tables and enums. `owner`: the role that owns Kepler's
-- tables.
CREATE FUNCTION kepler_internal.blueprint_facts(owner oid, wanted jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
-- By indexes, however little the rest of the database holds when it is planned.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
WITH tables AS MATERIALIZED (
    SELECT w ->> 0 AS schema, w ->> 1 AS name FROM jsonb_array_elements(wanted -> 'tables') AS w
), enums AS MATERIALIZED (
    SELECT w ->> 0 AS schema, w ->> 1 AS name FROM jsonb_array_elements(wanted -> 'types') AS w
), whole AS MATERIALIZED (
    SELECT jsonb_array_elements_text(wanted -> 'whole_schemas') AS name
), schemas AS MATERIALIZED (
    SELECT n.oid, n.nspname::text AS name, n.nspowner, n.nspacl
    FROM (
        SELECT jsonb_array_elements_text(wanted -> 'schemas') UNION SELECT t.schema FROM tables AS t
        UNION SELECT e.schema FROM enums AS e UNION SELECT w.name FROM whole AS w) AS x (name)
    JOIN pg_namespace AS n ON n.nspname = x.name::name
), inside AS MATERIALIZED (
    -- No index of relations and types begins with their schema, but they depend on it.
    SELECT d.classid, d.objid FROM whole AS w JOIN schemas AS s ON s.name = w.name
    JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = s.oid
        AND d.classid IN ('pg_class'::regclass, 'pg_type'::regclass)
), relations AS MATERIALIZED (
    SELECT c.oid, s.name AS schema, c.relname::text AS name, c.relkind, c.relowner
    FROM (
        SELECT i.objid FROM inside AS i WHERE i.classid = 'pg_class'::regclass
        UNION
        SELECT o.oid FROM tables AS t JOIN schemas AS s ON s.name = t.schema
        JOIN pg_class AS o ON o.relname = t.name::name AND o.relnamespace = s.oid) AS x (oid)
    JOIN pg_class AS c ON c.oid = x.oid AND c.relkind NOT IN ('t', 'c', 'S', 'i', 'I')
    JOIN schemas AS s ON s.oid = c.relnamespace
), types AS MATERIALIZED (
    SELECT t.oid, s.name AS schema, t.typname::text AS name, t.typtype, t.typowner, t.typarray
    FROM (
        SELECT i.objid, true FROM inside AS i WHERE i.classid = 'pg_type'::regclass
        UNION
        SELECT o.oid, o.typtype = 'e' FROM enums AS e JOIN schemas AS s ON s.name = e.schema
        JOIN pg_type AS o ON o.typname = e.name::name AND o.typnamespace = s.oid) AS x (oid, enums_only)
    JOIN pg_type AS t ON t.oid = x.oid AND (t.typtype = 'e' OR NOT x.enums_only)
    JOIN schemas AS s ON s.oid = t.typnamespace
    -- The type of a table's row is told as the table.
    WHERE t.typrelid = 0 OR EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c')
)
SELECT jsonb_build_object(
    'schemas', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'name', s.name,
            'owner', pg_get_userbyid(s.nspowner),
            -- Whoever owns a schema can put another table into the place of one.
            'trusted', s.nspowner = owner OR a.rolsuper
                OR a.rolname = 'pg_database_owner' AND EXISTS (
                    SELECT FROM pg_database AS d JOIN pg_roles AS o ON o.oid = d.datdba
                    WHERE d.datname = current_database() AND (o.oid = owner OR o.rolsuper)),
            'ours', s.nspowner = owner,
            'empty', NOT EXISTS (
                SELECT FROM pg_depend AS d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = s.oid AND d.classid IN ('pg_class'::regclass, 'pg_type'::regclass)),
            'open_to', ARRAY(
                SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
                FROM aclexplode(s.nspacl) AS x LEFT JOIN pg_roles AS r ON r.oid = x.grantee
                WHERE x.privilege_type = 'CREATE' AND x.grantee NOT IN (owner, s.nspowner) AND r.rolsuper IS NOT TRUE
                ORDER BY 1)))
        FROM schemas AS s JOIN pg_roles AS a ON a.oid = s.nspowner), '[]'),
    'extensions', coalesce((SELECT jsonb_agg(e.extname) FROM pg_extension AS e), '[]'),
    -- What came with an extension and is a superuser's: nobody else can have put another into its place.
    'extension_types', coalesce((
        SELECT jsonb_agg(DISTINCT jsonb_build_array(t.typname, n.nspname))
        FROM pg_depend AS d
        JOIN pg_type AS t ON t.oid = d.objid
        JOIN pg_namespace AS n ON n.oid = t.typnamespace
        JOIN pg_roles AS o ON o.oid = t.typowner AND o.rolsuper
        WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_type'::regclass AND d.deptype = 'e'
            AND t.typtype IN ('b', 'r', 'e')), '[]'),
    'extension_classes', coalesce((
        SELECT jsonb_agg(DISTINCT jsonb_build_array(m.amname, c.opcname, n.nspname))
        FROM pg_depend AS d
        JOIN pg_opclass AS c ON c.oid = d.objid
        JOIN pg_am AS m ON m.oid = c.opcmethod
        JOIN pg_namespace AS n ON n.oid = c.opcnamespace
        JOIN pg_roles AS o ON o.oid = c.opcowner AND o.rolsuper
        WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_opclass'::regclass AND d.deptype = 'e'), '[]'),
    'relations', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'schema', c.schema,
            'name', c.name,
            'kind', c.relkind,
            'owner', pg_get_userbyid(c.relowner),
            'ours', c.relowner = owner,
            'extension', EXISTS (
                SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) ORDER BY c.schema, c.name)
        FROM relations AS c), '[]'),
    'types', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'schema', t.schema,
            'name', t.name,
            'kind', t.typtype,
            'owner', pg_get_userbyid(t.typowner),
            'ours', t.typowner = owner,
            'description', obj_description(t.oid, 'pg_type'),
            'values', ARRAY(SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
            'columns', coalesce((
                SELECT jsonb_agg(DISTINCT jsonb_build_object(
                    'schema', n.nspname, 'table', c.relname, 'column', a.attname, 'list', a.atttypid = t.typarray))
                FROM pg_depend AS d
                JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'r'
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND NOT a.attisdropped
                WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
                    AND d.classid = 'pg_class'::regclass AND d.objsubid > 0), '[]'),
            -- Defaults, checks and indexes go with their columns.
            'other_uses', ARRAY(
                SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend AS d
                LEFT JOIN pg_class AS c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
                WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype <> 'i'
                    AND d.classid NOT IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass)
                    AND (c.oid IS NULL OR c.relkind NOT IN ('r', 'i', 'I')) ORDER BY 1)
            ) ORDER BY t.schema, t.name)
        FROM types AS t), '[]'))
$$;

CREATE FUNCTION kepler.plan_blueprint(blueprint json, options jsonb DEFAULT NULL) RETURNS TABLE (
    step integer, operation text, object text, statement text, class text, hazards text[], lock text,
    estimated_rows bigint, phase text, undo text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler.plan_blueprint($1::pg_catalog.text, $2) $$;

CREATE FUNCTION kepler.plan_blueprint(blueprint jsonb, options jsonb DEFAULT NULL) RETURNS TABLE (
    step integer, operation text, object text, statement text, class text, hazards text[], lock text,
    estimated_rows bigint, phase text, undo text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler.plan_blueprint($1::pg_catalog.text, $2) $$;

CREATE FUNCTION kepler.apply_blueprint(
    blueprint json, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    OUT blueprint_name text, OUT version integer, OUT outcome text, OUT steps integer, OUT deferred text[]
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.apply_blueprint($1::pg_catalog.text, $2, $3) $$;

CREATE FUNCTION kepler.apply_blueprint(
    blueprint jsonb, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    OUT blueprint_name text, OUT version integer, OUT outcome text, OUT steps integer, OUT deferred text[]
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.apply_blueprint($1::pg_catalog.text, $2, $3) $$;

-- Each step commits. A procedure that commits may set nothing, so every name is qualified.
CREATE PROCEDURE kepler.apply_blueprint_online(
    blueprint text, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    INOUT version integer DEFAULT NULL, INOUT outcome text DEFAULT NULL, INOUT deferred text[] DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
    answer pg_catalog.record;
BEGIN
    PERFORM kepler_internal.require_commits('kepler.apply_blueprint_online');
    LOOP
        SELECT * INTO answer FROM kepler_internal.apply_blueprint_step(blueprint, allow, options);
        COMMIT;
        EXIT WHEN NOT answer.more;
    END LOOP;
    outcome := answer.outcome;
    version := answer.version;
    deferred := answer.deferred;
END
$$;

CREATE PROCEDURE kepler.apply_blueprint_online(
    blueprint json, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    INOUT version integer DEFAULT NULL, INOUT outcome text DEFAULT NULL, INOUT deferred text[] DEFAULT NULL
)
LANGUAGE plpgsql
AS $$ BEGIN CALL kepler.apply_blueprint_online(blueprint::pg_catalog.text, allow, options, version, outcome, deferred); END $$;

CREATE PROCEDURE kepler.apply_blueprint_online(
    blueprint jsonb, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    INOUT version integer DEFAULT NULL, INOUT outcome text DEFAULT NULL, INOUT deferred text[] DEFAULT NULL
)
LANGUAGE plpgsql
AS $$ BEGIN CALL kepler.apply_blueprint_online(blueprint::pg_catalog.text, allow, options, version, outcome, deferred); END $$;
