-- What the extension kepler consists of in this database, one JSON object a line: each member with all that makes it what it is.
-- No oid and no order that depends on when it was made; rights of the owner are those of OWNER.
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;

CREATE TEMPORARY VIEW members AS
SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'kepler';

-- Who may do what, without the owner.
CREATE FUNCTION pg_temp.rights(acl aclitem[], owner oid) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(r.said ORDER BY r.said), '[]') FROM (
        SELECT concat_ws(' ', a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
            CASE WHEN a.is_grantable THEN '*' END) AS said
        FROM aclexplode(acl) AS a WHERE a.grantee <> owner) AS r
$$;
CREATE FUNCTION pg_temp.comment(class oid, object oid) RETURNS text LANGUAGE sql AS
    'SELECT description FROM pg_description WHERE classoid = class AND objoid = object AND objsubid = 0';
-- What a session may do with it that was granted when it was made, as pg_dump leaves it out.
CREATE FUNCTION pg_temp.initial(class oid, object oid, owner oid) RETURNS jsonb LANGUAGE sql AS
    'SELECT pg_temp.rights(initprivs, owner) FROM pg_init_privs WHERE classoid = class AND objoid = object AND objsubid = 0';

CREATE TEMPORARY TABLE described AS
-- Functions, procedures and aggregates.
SELECT m.classid, m.objid, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind,
    p.oid::regprocedure::text AS name,
    jsonb_build_object(
        'rights', pg_temp.rights(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner),
        'symbol', CASE WHEN l.lanname = 'c' THEN p.prosrc END,
        'library', p.probin,
        -- What CREATE OR REPLACE cannot change.
        'shape', jsonb_build_array(p.prokind, pg_get_function_result(p.oid), p.proargnames, p.proargmodes,
            ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proallargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n), p.provariadic <> 0),
        'defaults', p.pronargdefaults,
        'definition', CASE WHEN p.prokind = 'a' THEN (
            SELECT to_jsonb(g) - 'aggfnoid' || jsonb_build_object('result', pg_get_function_result(p.oid)) FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid)::text
            ELSE pg_get_functiondef(p.oid) END) AS facts,
    pg_temp.comment(m.classid, m.objid) AS comment, pg_temp.initial(m.classid, m.objid, p.proowner) AS initial
FROM members AS m JOIN pg_proc AS p ON p.oid = m.objid JOIN pg_language AS l ON l.oid = p.prolang
WHERE m.classid = 'pg_proc'::regclass
UNION ALL
-- Enums, composite types and domains.
SELECT m.classid, m.objid, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, format_type(t.oid, NULL),
    jsonb_build_object(
        'rights', pg_temp.rights(coalesce(t.typacl, acldefault('T', t.typowner)), t.typowner),
        'form', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain' ELSE 'unknown' END,
        'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid),
        'attributes', (SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
            FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
        'definition', CASE t.typtype WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), 'DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN 'NOT NULL' END,
            (SELECT string_agg(format('CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' ORDER BY c.conname) FROM pg_constraint AS c WHERE c.contypid = t.oid AND c.contype = 'c'))
            WHEN 'b' THEN to_jsonb(t)::text END),
    pg_temp.comment(m.classid, m.objid), pg_temp.initial(m.classid, m.objid, t.typowner)
FROM members AS m JOIN pg_type AS t ON t.oid = m.objid
-- The types that come with a relation or as the array of another are part of that.
WHERE m.classid = 'pg_type'::regclass AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
    AND NOT EXISTS (SELECT FROM pg_type AS of WHERE of.typarray = t.oid)
UNION ALL
-- Views; anything else that is a relation is unknown here.
SELECT m.classid, m.objid, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'UNKNOWN RELATION' END, c.oid::regclass::text,
    jsonb_build_object(
        'rights', pg_temp.rights(coalesce(c.relacl, acldefault('r', c.relowner)), c.relowner),
        'attributes', (SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
            FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0),
        'comments', (SELECT jsonb_object_agg(a.attname, d.description ORDER BY a.attnum) FROM pg_description AS d JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid
            WHERE d.classoid = m.classid AND d.objoid = c.oid AND d.objsubid > 0),
        'options', c.reloptions,
        'definition', CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END),
    pg_temp.comment(m.classid, m.objid), pg_temp.initial(m.classid, m.objid, c.relowner)
FROM members AS m JOIN pg_class AS c ON c.oid = m.objid
WHERE m.classid = 'pg_class'::regclass
UNION ALL
SELECT m.classid, m.objid, 'OPERATOR', o.oid::regoperator::text,
    jsonb_build_object('definition', concat_ws(', ', 'FUNCTION = ' || (SELECT format('%I.%I', n.nspname, p.proname) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.oid = o.oprcode),
        'LEFTARG = ' || format_type(nullif(o.oprleft, 0), NULL), 'RIGHTARG = ' || format_type(nullif(o.oprright, 0), NULL),
        'COMMUTATOR = ' || (SELECT format('OPERATOR(%I.%s)', n.nspname, c.oprname) FROM pg_operator AS c JOIN pg_namespace AS n ON n.oid = c.oprnamespace WHERE c.oid = o.oprcom),
        'NEGATOR = ' || (SELECT format('OPERATOR(%I.%s)', n.nspname, c.oprname) FROM pg_operator AS c JOIN pg_namespace AS n ON n.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
        'RESTRICT = ' || nullif(o.oprrest::oid, 0)::regproc::text, 'JOIN = ' || nullif(o.oprjoin::oid, 0)::regproc::text,
        CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END),
        'operator', (SELECT format('%I.%s', n.nspname, o.oprname) FROM pg_namespace AS n WHERE n.oid = o.oprnamespace)),
    pg_temp.comment(m.classid, m.objid), NULL
FROM members AS m JOIN pg_operator AS o ON o.oid = m.objid
WHERE m.classid = 'pg_operator'::regclass
UNION ALL
SELECT m.classid, m.objid, 'CAST', format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)),
    jsonb_build_object('definition', concat_ws(' ', CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure::text WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
        CASE c.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END)),
    pg_temp.comment(m.classid, m.objid), NULL
FROM members AS m JOIN pg_cast AS c ON c.oid = m.objid
WHERE m.classid = 'pg_cast'::regclass
UNION ALL
SELECT m.classid, m.objid, 'SCHEMA', format('%I', n.nspname),
    jsonb_build_object('rights', pg_temp.rights(coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspowner)),
    pg_temp.comment(m.classid, m.objid), pg_temp.initial(m.classid, m.objid, n.nspowner)
FROM members AS m JOIN pg_namespace AS n ON n.oid = m.objid
WHERE m.classid = 'pg_namespace'::regclass
UNION ALL
SELECT m.classid, m.objid, 'EVENT TRIGGER', format('%I', t.evtname),
    jsonb_build_object('definition', format('ON %s%s EXECUTE FUNCTION %s()', t.evtevent,
        (SELECT format(' WHEN TAG IN (%s)', string_agg(quote_literal(tag), ', ' ORDER BY tag)) FROM unnest(t.evttags) AS tag), t.evtfoid::regproc),
        'enabled', t.evtenabled),
    pg_temp.comment(m.classid, m.objid), NULL
FROM members AS m JOIN pg_event_trigger AS t ON t.oid = m.objid
WHERE m.classid = 'pg_event_trigger'::regclass
UNION ALL
-- The comment of the extension's own schema, which is no member: it holds them.
SELECT 'pg_namespace'::regclass, n.oid, 'SCHEMA OF THE EXTENSION', format('%I', n.nspname), '{}', pg_temp.comment('pg_namespace'::regclass, n.oid), NULL
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'kepler' AND NOT EXISTS (SELECT FROM members AS m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = n.oid);

-- What nobody described.
INSERT INTO described
SELECT m.classid, m.objid, 'UNKNOWN', pg_describe_object(m.classid, m.objid, 0), '{}', NULL, NULL
FROM members AS m
WHERE NOT EXISTS (SELECT FROM described AS d WHERE (d.classid, d.objid) = (m.classid, m.objid))
    AND m.classid NOT IN ('pg_type'::regclass);

-- What a member needs of others: itself, or the rule of a view, or the columns of a type.
CREATE TEMPORARY TABLE needs AS
SELECT DISTINCT w.classid, w.objid, n.classid AS on_class, n.objid AS on_object
FROM (
    SELECT d.classid, d.objid, d.classid AS part_class, d.objid AS part FROM described AS d
    UNION ALL SELECT d.classid, d.objid, 'pg_rewrite'::regclass, r.oid FROM described AS d JOIN pg_rewrite AS r ON r.ev_class = d.objid WHERE d.classid = 'pg_class'::regclass
    UNION ALL SELECT d.classid, d.objid, 'pg_class'::regclass, t.typrelid FROM described AS d JOIN pg_type AS t ON t.oid = d.objid WHERE d.classid = 'pg_type'::regclass AND t.typrelid <> 0
) AS w
JOIN pg_depend AS p ON p.classid = w.part_class AND p.objid = w.part AND p.deptype IN ('n', 'a')
-- An array needs its type, and a row type its view.
LEFT JOIN pg_type AS a ON p.refclassid = 'pg_type'::regclass AND a.oid = p.refobjid
LEFT JOIN pg_type AS e ON e.typarray = a.oid
LEFT JOIN pg_class AS v ON v.oid = coalesce(e.typrelid, a.typrelid) AND v.relkind = 'v'
JOIN described AS n ON (n.classid, n.objid) = (CASE WHEN v.oid IS NOT NULL THEN 'pg_class'::regclass ELSE p.refclassid END, coalesce(v.oid, e.oid, p.refobjid))
WHERE (n.classid, n.objid) <> (w.classid, w.objid);

SELECT jsonb_build_object('kind', d.kind, 'name', d.name, 'comment', d.comment, 'initial', d.initial,
    'needs', (SELECT coalesce(jsonb_agg(o.kind || ' ' || o.name ORDER BY o.kind, o.name), '[]') FROM needs AS n JOIN described AS o ON (o.classid, o.objid) = (n.on_class, n.on_object)
        WHERE (n.classid, n.objid) = (d.classid, d.objid))) || d.facts
FROM described AS d ORDER BY d.kind, d.name COLLATE "C";
