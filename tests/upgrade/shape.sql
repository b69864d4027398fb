-- All that makes Kepler's tables what they are, one fact a line, sorted: for comparing databases. Left out is what the
-- fixture's user has added, and partitions that are named by the time at which they were made.
SET search_path = pg_catalog, pg_temp;
CREATE TEMPORARY VIEW own AS
SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c
WHERE c.relnamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND c.relname !~ '_2[0-9]{7}(_|$)' AND c.relname <> 'records_own_note_idx'
    -- Row types of functions are compared with the extension.
    AND c.relkind <> 'c';
SELECT fact FROM (
    SELECT concat_ws(' | ', 'relation', name, relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) AS o),
        (SELECT string_agg(o, ',' ORDER BY o) FROM pg_class AS t, unnest(t.reloptions) AS o WHERE t.oid = own.reltoastrelid), pg_get_partkeydef(oid),
        (SELECT i.inhparent::regclass::text FROM pg_inherits AS i WHERE i.inhrelid = own.oid), pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class')) FROM own
    -- Columns by their order, whatever was added or dropped between them.
    UNION ALL SELECT concat_ws(' | ', 'column', name, row_number() OVER (PARTITION BY own.oid ORDER BY a.attnum), attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage, attstattarget, attcompression,
        CASE WHEN attcollation > 0 THEN attcollation::regcollation::text END, (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d WHERE d.adrelid = attrelid AND d.adnum = attnum), attoptions::text, col_description(attrelid, attnum))
    FROM own JOIN pg_attribute AS a ON a.attrelid = own.oid WHERE attnum > 0 AND NOT attisdropped AND attname <> 'own_note'
    UNION ALL SELECT concat_ws(' | ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, condeferrable, obj_description(oid, 'pg_constraint'))
    FROM pg_constraint WHERE conrelid IN (SELECT oid FROM own) AND contype <> 'n'
    UNION ALL SELECT concat_ws(' | ', 'index', indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident, obj_description(indexrelid, 'pg_class'))
    FROM pg_index WHERE indrelid IN (SELECT oid FROM own) AND indexrelid IN (SELECT oid FROM own)
    UNION ALL SELECT concat_ws(' | ', 'trigger', tgrelid::regclass, regexp_replace(pg_get_triggerdef(oid), '(tell_(feed|history|changes))\(''[0-9]+''', '\1(its number'), tgenabled, obj_description(oid, 'pg_trigger'))
    FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM own) AND NOT tgisinternal
    UNION ALL SELECT concat_ws(' | ', 'policy', polrelid::regclass, polname, polcmd, polpermissive, (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ',' ORDER BY r) FROM unnest(polroles) AS r),
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy WHERE polrelid IN (SELECT oid FROM own)
    -- A restored view names what had no name.
    UNION ALL SELECT concat_ws(' | ', 'rule', ev_class::regclass, regexp_replace(pg_get_ruledef(r.oid), '(NULL::[a-z ]+?|''[^'']*''::text) AS (text|int4|int8|timestamptz)\M', '\1', 'g')) FROM pg_rewrite AS r WHERE ev_class IN (SELECT oid FROM own)
    UNION ALL SELECT concat_ws(' | ', 'sequence', own.name, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle) FROM own JOIN pg_sequence AS s ON s.seqrelid = own.oid
    UNION ALL SELECT concat_ws(' | ', 'statistics', s.stxname, pg_get_statisticsobjdef(s.oid)) FROM pg_statistic_ext AS s WHERE s.stxrelid IN (SELECT oid FROM own)
    UNION ALL SELECT concat_ws(' | ', 'right', o.what, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable)
    FROM (
        SELECT 'schema ' || nspname, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname ~ '^kepler'
        UNION ALL SELECT p.oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc AS p WHERE pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
        -- A dump leaves out what the owner has anyway.
        UNION ALL SELECT name, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) FROM own
        UNION ALL SELECT name || '.' || attname, attacl FROM pg_attribute JOIN own ON own.oid = attrelid
        UNION ALL SELECT 'default ' || defaclnamespace::regnamespace::text || ' ' || defaclobjtype::text, defaclacl FROM pg_default_acl WHERE defaclnamespace <> 0
    ) AS o (what, acl) CROSS JOIN LATERAL aclexplode(o.acl) AS a
    UNION ALL SELECT concat_ws(' | ', 'comment', nspname, obj_description(oid, 'pg_namespace')) FROM pg_namespace WHERE nspname ~ '^kepler'
    UNION ALL SELECT concat_ws(' | ', 'routine or type of nobody''s', pg_describe_object(classid, oid, 0)) FROM (
        SELECT 'pg_proc'::regclass::oid AS classid, oid FROM pg_proc WHERE pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND typrelid = 0 AND typelem = 0) AS o
    WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE (d.classid, d.objid, d.deptype) = (o.classid, o.oid, 'e'))
) AS facts (fact)
ORDER BY fact COLLATE "C";
