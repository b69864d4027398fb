//! The queries behind `catalog`: each reads one catalog for all tables, by an index, and joins next to nothing. What
//! belongs together is put together in Rust, which knows the tables anyway.

use crate::pg::plan::Statement;
use pgrx::pg_sys;

const OIDS: &[pg_sys::Oid] = &[pg_sys::OIDARRAYOID];

thread_local! {
    /// What is in a schema depends on it, and no index of relations begins with their schema.
    pub(super) static IN_SCHEMAS: Statement = const { Statement::new(
        c"SELECT c.oid
          FROM unnest($1) AS s (name)
          JOIN pg_namespace AS n ON n.nspname = s.name::name
          JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
              AND d.classid = 'pg_class'::regclass
          JOIN pg_class AS c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'f')",
        &[pg_sys::TEXTARRAYOID],
    ) };
    pub(super) static NAMED: Statement = const { Statement::new(
        c"SELECT c.oid
          FROM unnest($1, $2) AS t (schema, name)
          JOIN pg_namespace AS n ON n.nspname = t.schema::name
          JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name::name AND c.relkind IN ('r', 'p', 'f')",
        &[pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
    /// A table that was never analysed has -1 rows, and the counters of its traffic know more.
    pub(super) static TABLES: Statement = const { Statement::new(
        c"SELECT t.oid, n.nspname::text, t.relname::text, t.relkind::text, pg_get_userbyid(t.relowner)::text,
              greatest(t.reltuples::bigint, pg_stat_get_live_tuples(t.oid), 0), t.relpages, t.relnatts::integer,
              t.relpersistence::text, m.amname::text, s.spcname::text, t.reloptions, t.relreplident::text,
              CASE WHEN t.reloftype <> 0 THEN format_type(t.reloftype, NULL) END, t.relrowsecurity, t.relforcerowsecurity
          FROM unnest($1) AS r (oid)
          JOIN pg_class AS t ON t.oid = r.oid
          JOIN pg_namespace AS n ON n.oid = t.relnamespace
          LEFT JOIN pg_am AS m ON m.oid = t.relam
          LEFT JOIN pg_tablespace AS s ON s.oid = t.reltablespace",
        OIDS,
    ) };
    pub(super) static DESCRIPTIONS: Statement = const { Statement::new(
        c"SELECT d.objoid, d.objsubid, d.description
          FROM unnest($1) AS r (oid)
          JOIN pg_description AS d ON d.objoid = r.oid AND d.classoid = 'pg_class'::regclass",
        OIDS,
    ) };
    /// Types are told in their own query: a hundred columns have ten.
    pub(super) static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attrelid, a.attnum::integer, a.attname::text, a.atttypid, a.atttypmod,
              CASE WHEN a.atttypmod >= 0 THEN format_type(a.atttypid, a.atttypmod) END,
              a.attnotnull, a.attcollation, a.attidentity::text, a.attgenerated::text,
              a.attstorage::text, a.attcompression::text, a.attstattarget::integer, a.attoptions
          FROM unnest($1) AS r (oid)
          JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped",
        OIDS,
    ) };
    pub(super) static TYPES: Statement = const { Statement::new(
        c"SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, t.typcollation, t.typstorage::text,
              e.typname::text, e.typtype::text, coalesce(e.typarray = t.oid, false)
          FROM unnest($1) AS r (oid)
          JOIN pg_type AS t ON t.oid = r.oid
          JOIN pg_namespace AS n ON n.oid = t.typnamespace
          LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'",
        OIDS,
    ) };
    pub(super) static COLLATIONS: Statement = const { Statement::new(
        c"SELECT r.oid, r.oid::regcollation::text FROM unnest($1) AS r (oid)",
        OIDS,
    ) };
    /// Printing waits for whoever holds the table ACCESS EXCLUSIVE, and prints nothing where it is gone then: what an
    /// expression rests on, such as an enum, could not be dropped without that lock.
    pub(super) static DEFAULTS: Statement = const { Statement::new(
        c"SELECT d.adrelid, d.adnum::integer, pg_get_expr(d.adbin, d.adrelid)
          FROM unnest($1) AS r (oid)
          JOIN pg_attrdef AS d ON d.adrelid = r.oid",
        OIDS,
    ) };
    /// NOT ENFORCED came with Postgres 18: before, its column does not exist. A reference to a partitioned table is
    /// kept once more for each partition. Definitions are those of what no blueprint can say; of what was dropped
    /// meanwhile Postgres prints nothing, and fails where only what it rests on is gone. An index that is not a B-tree
    /// is one of keys with periods.
    pub(super) static CONSTRAINTS: Statement = const { Statement::new(
        c"SELECT c.conrelid, c.oid, c.conname::text, c.contype::text, c.conindid, c.conkey,
              CASE
                  WHEN c.contype IN ('c', 'n') THEN NULL
                  WHEN c.contype <> 'x' AND NOT c.condeferrable AND c.confmatchtype IN (' ', 's') AND c.convalidated
                      AND c.conexclop IS NULL AND i.indnatts = i.indnkeyatts AND NOT (i.indnullsnotdistinct AND c.contype = 'u')
                  THEN NULL
                  WHEN c.contype = 'f' AND pg_table_is_visible(c.confrelid) IS NULL THEN NULL
                  WHEN c.contype <> 'f' AND pg_get_indexdef(c.conindid) IS NULL THEN NULL
                  ELSE pg_get_constraintdef(c.oid) END,
              pg_get_expr(c.conbin, c.conrelid), c.convalidated,
              c.convalidated OR coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true),
              c.condeferrable, nullif(c.confdeltype, ' ')::text, nullif(c.confupdtype, ' ')::text,
              nullif(c.confmatchtype, ' ')::text, c.confdelsetcols,
              fn.nspname::text, f.relname::text, i.indisprimary, m.amname::text,
              CASE WHEN c.contype = 'f' THEN ARRAY(
                  SELECT (SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.confrelid AND a.attnum = k.number)
                  FROM unnest(c.confkey) WITH ORDINALITY AS k (number, at) ORDER BY k.at) END,
              c.contype <> 'f' OR NOT EXISTS (
                  SELECT FROM pg_trigger AS g WHERE g.tgconstraint = c.oid AND g.tgenabled IN ('D', 'R'))
          FROM unnest($1) AS r (oid)
          JOIN pg_constraint AS c ON c.conrelid = r.oid
              AND (c.contype IN ('c', 'f', 'p', 'u', 'x') OR c.contype = 'n' AND NOT c.convalidated)
          LEFT JOIN pg_class AS f ON f.oid = c.confrelid
          LEFT JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
          LEFT JOIN pg_index AS i ON i.indexrelid = c.conindid
          LEFT JOIN pg_class AS ic ON ic.oid = i.indexrelid
          LEFT JOIN pg_am AS m ON m.oid = ic.relam
          WHERE c.conparentid = 0 OR NOT EXISTS (
              SELECT FROM pg_constraint AS parent WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid)",
        OIDS,
    ) };
    pub(super) static INDEXES: Statement = const { Statement::new(
        c"SELECT i.indrelid, i.indexrelid, c.relname::text, m.amname::text, i.indisunique, i.indisprimary, i.indisvalid,
              i.indimmediate, i.indnullsnotdistinct, i.indnatts::integer, i.indnkeyatts::integer,
              i.indpred IS NOT NULL, pg_get_expr(i.indpred, i.indrelid), c.reloptions, s.spcname::text,
              CASE WHEN i.indexprs IS NOT NULL OR i.indnatts <> i.indnkeyatts
                      OR m.amname NOT IN ('btree', 'gin', 'hash', 'gist', 'spgist', 'brin')
                  THEN coalesce(pg_get_indexdef(i.indexrelid), '') END,
              i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[], i.indoption::int2[],
              CASE WHEN i.indexprs IS NOT NULL THEN ARRAY(
                  SELECT CASE WHEN i.indkey[k.at] = 0 THEN pg_get_indexdef(i.indexrelid, k.at + 1, false) END
                  FROM generate_series(0, i.indnkeyatts - 1) AS k (at) ORDER BY k.at) END,
              (SELECT array_agg(concat(a.attnum, '=', array_to_string(a.attoptions, ', ')) ORDER BY a.attnum)
               FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attoptions IS NOT NULL)
          FROM unnest($1) AS r (oid)
          JOIN pg_index AS i ON i.indrelid = r.oid
          JOIN pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_am AS m ON m.oid = c.relam
          LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace",
        OIDS,
    ) };
    pub(super) static OPERATOR_CLASSES: Statement = const { Statement::new(
        c"SELECT o.oid, n.nspname::text, o.opcname::text, o.opcmethod, o.opcintype, o.opcdefault
          FROM pg_opclass AS o
          JOIN pg_namespace AS n ON n.oid = o.opcnamespace",
        &[],
    ) };
    /// What few tables have. Conditions that read tables are not printed: that would wait for them.
    pub(super) static MORE: Statement = const { Statement::new(
        c"SELECT p.polrelid, 'policy', json_build_object(
                  'name', p.polname,
                  'permissive', p.polpermissive,
                  'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                      WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                  'roles', ARRAY(
                      SELECT CASE WHEN o.role = 0 THEN 'public' ELSE pg_get_userbyid(o.role)::text END
                      FROM unnest(p.polroles) AS o (role)),
                  'using', CASE WHEN p.polqual::text NOT LIKE '%{RANGETBLENTRY%' THEN pg_get_expr(p.polqual, p.polrelid) END,
                  'check', CASE WHEN p.polwithcheck::text NOT LIKE '%{RANGETBLENTRY%' THEN pg_get_expr(p.polwithcheck, p.polrelid) END
              )::text
          FROM unnest($1) AS r (oid) JOIN pg_policy AS p ON p.polrelid = r.oid
          UNION ALL
          SELECT i.inhrelid, 'parent', i.inhparent::regclass::text
          FROM unnest($1) AS r (oid) JOIN pg_inherits AS i ON i.inhrelid = r.oid
          UNION ALL
          SELECT i.inhparent, 'child', i.inhrelid::regclass::text
          FROM unnest($1) AS r (oid) JOIN pg_inherits AS i ON i.inhparent = r.oid
          UNION ALL
          SELECT d.refobjid, 'sequence', json_build_object(
                  'column', d.refobjsubid,
                  'identity', d.deptype = 'i',
                  'schema', n.nspname,
                  'name', c.relname,
                  'next_value', format('nextval(''%s''::regclass)', replace(c.oid::regclass::text, '''', '''''')),
                  'parameters', CASE
                      WHEN s.seqstart <> 1 OR s.seqincrement <> 1 OR s.seqmin <> 1 OR s.seqcache <> 1 OR s.seqcycle
                          OR s.seqmax <> CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                              ELSE 9223372036854775807 END
                      THEN concat('START ', s.seqstart, ' INCREMENT ', s.seqincrement, ' MINVALUE ', s.seqmin,
                          ' MAXVALUE ', s.seqmax, ' CACHE ', s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END) END,
                  'counts', (SELECT t.typname FROM pg_type AS t WHERE t.oid = s.seqtypid),
                  'owned', d.owned
              )::text
          FROM (
              SELECT d.refobjid, d.refobjsubid, d.deptype, d.objid, true
              FROM unnest($1) AS r (oid)
              JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.refobjsubid > 0
                  AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
              UNION ALL
              -- One that nobody has any more, of the same owner and schema.
              SELECT e.adrelid, e.adnum, 'n', d.refobjid, false
              FROM unnest($1) AS r (oid)
              JOIN pg_attrdef AS e ON e.adrelid = r.oid
              -- OFFSET: not all sequences first.
              CROSS JOIN LATERAL (
                  SELECT d.refobjid FROM pg_depend AS d
                  WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> e.adrelid AND d.deptype = 'n' OFFSET 0) AS d
              JOIN pg_class AS c ON c.oid = d.refobjid AND c.relkind = 'S'
              JOIN pg_class AS t ON t.oid = r.oid AND t.relowner = c.relowner AND t.relnamespace = c.relnamespace
              WHERE NOT EXISTS (
                  SELECT FROM pg_depend AS o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid
                      AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i'))
          ) AS d (refobjid, refobjsubid, deptype, objid, owned)
          JOIN pg_sequence AS s ON s.seqrelid = d.objid
          JOIN pg_class AS c ON c.oid = s.seqrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          UNION ALL
          SELECT g.tgrelid, 'trigger', json_build_object(
                  'name', CASE WHEN g.tgisinternal THEN k.conname ELSE g.tgname END,
                  'internal', g.tgisinternal,
                  'enabled', g.tgenabled,
                  'function_schema', n.nspname,
                  'function', p.proname,
                  'plain', g.tgqual IS NULL AND cardinality(g.tgattr::int2[]) = 0 AND g.tgtype IN (7, 19, 23)
                      AND (g.tgname <> 'zz_kepler_secret_references'
                          OR g.tgtype = 23 AND p.proname = 'check_secret_references'),
                  'arguments', encode(g.tgargs, 'hex'),
                  'definition', CASE WHEN NOT g.tgisinternal AND (n.nspname <> 'kepler_internal' OR g.tgqual IS NOT NULL)
                      THEN pg_get_triggerdef(g.oid) END
              )::text
          FROM unnest($1) AS r (oid)
          JOIN pg_trigger AS g ON g.tgrelid = r.oid AND (NOT g.tgisinternal OR g.tgenabled <> 'O')
          JOIN pg_proc AS p ON p.oid = g.tgfoid
          JOIN pg_namespace AS n ON n.oid = p.pronamespace
          LEFT JOIN pg_constraint AS k ON k.oid = g.tgconstraint
          UNION ALL
          SELECT w.ev_class, 'rule', w.rulename
          FROM unnest($1) AS r (oid) JOIN pg_rewrite AS w ON w.ev_class = r.oid
          UNION ALL
          SELECT s.stxrelid, 'statistics', s.stxname
          FROM unnest($1) AS r (oid) JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid",
        OIDS,
    ) };
    /// What rests on tables or on columns of them, and whether Postgres changes no type under that. What functions and
    /// clients say in texts is not known to anybody. A generated column depends on others itself or by its
    /// expression, by the version of Postgres. Constraints go with their columns, but for the condition of an exclusion.
    pub(super) static DEPENDENTS: Statement = const { Statement::new(
        c"WITH depending AS MATERIALIZED (
              SELECT d.refobjid AS relation, d.refobjsubid AS number, d.classid, d.objid, d.objsubid, d.deptype
              FROM unnest($1) AS r (oid)
              JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
          ), found (relation, number, kind, name, keeps_type, leads_to) AS (
              SELECT d.relation, d.number, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule' END,
                  c.oid::regclass::text, true, NULL::text
              FROM depending AS d
              JOIN pg_rewrite AS r ON r.oid = d.objid
              JOIN pg_class AS c ON c.oid = r.ev_class
              WHERE d.classid = 'pg_rewrite'::regclass
              UNION ALL
              SELECT d.relation, d.number, 'policy', quote_ident(p.polname), true, NULL
              FROM depending AS d
              JOIN pg_policy AS p ON p.oid = d.objid
              WHERE d.classid = 'pg_policy'::regclass AND d.number > 0
              UNION ALL
              SELECT d.relation, d.number, 'trigger', quote_ident(g.tgname), true, NULL
              FROM depending AS d
              JOIN pg_trigger AS g ON g.oid = d.objid
              WHERE d.classid = 'pg_trigger'::regclass AND d.number > 0 AND NOT g.tgisinternal
              UNION ALL
              SELECT d.relation, d.number, 'function', p.oid::regprocedure::text, true, NULL
              FROM depending AS d
              JOIN pg_proc AS p ON p.oid = d.objid
              WHERE d.classid = 'pg_proc'::regclass
              UNION ALL
              SELECT d.relation, d.number, 'generated column', quote_ident(a.attname), true, NULL
              FROM depending AS d
              JOIN pg_attribute AS a ON a.attrelid = d.relation AND a.attnum = d.objsubid AND a.attgenerated <> ''
              WHERE d.classid = 'pg_class'::regclass AND d.objid = d.relation AND d.number > 0 AND d.number <> a.attnum
              UNION ALL
              SELECT d.relation, d.number, 'generated column', quote_ident(a.attname), true, NULL
              FROM depending AS d
              JOIN pg_attrdef AS e ON e.oid = d.objid
              JOIN pg_attribute AS a ON a.attrelid = d.relation AND a.attnum = e.adnum AND a.attgenerated <> ''
              WHERE d.classid = 'pg_attrdef'::regclass AND d.number > 0 AND d.number <> a.attnum
              UNION ALL
              SELECT d.relation, d.number, 'publication', quote_ident(b.pubname), true, NULL
              FROM depending AS d
              JOIN pg_publication_rel AS p ON p.oid = d.objid
              JOIN pg_publication AS b ON b.oid = p.prpubid
              WHERE d.classid = 'pg_publication_rel'::regclass
              UNION ALL
              SELECT d.relation, d.number, CASE WHEN bool_or(d.deptype <> 'n') THEN 'constraint' ELSE 'exclusion' END, c.conname, false, NULL
              FROM depending AS d
              JOIN pg_constraint AS c ON c.oid = d.objid
              WHERE d.classid = 'pg_constraint'::regclass AND d.number > 0 AND c.conrelid = d.relation AND c.contype IN ('c', 'f', 'u', 'x')
              GROUP BY d.relation, d.number, c.oid, c.conname
              UNION ALL
              SELECT d.relation, d.number, 'index', c.relname, false, NULL
              FROM depending AS d
              JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'i'
              WHERE d.classid = 'pg_class'::regclass AND d.number > 0
              UNION ALL
              SELECT d.relation, d.number, 'statistics object', quote_ident(s.stxname), false, NULL
              FROM depending AS d
              JOIN pg_statistic_ext AS s ON s.oid = d.objid
              WHERE d.classid = 'pg_statistic_ext'::regclass AND d.number > 0
              UNION ALL
              SELECT t.oid, 0, 'column', format('%s.%I', a.attrelid::regclass, a.attname), true, NULL
              FROM unnest($1) AS r (oid)
              JOIN pg_class AS t ON t.oid = r.oid
              JOIN pg_type AS y ON y.oid = t.reltype
              CROSS JOIN LATERAL (
                  SELECT d.objid, d.objsubid FROM pg_depend AS d
                  WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray)
                      AND d.classid = 'pg_class'::regclass AND d.objsubid > 0 OFFSET 0) AS d
              JOIN pg_attribute AS a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
              UNION ALL
              SELECT i.inhrelid, a.attnum, 'parent', i.inhparent::regclass::text, true, NULL
              FROM unnest($1) AS r (oid)
              JOIN pg_inherits AS i ON i.inhrelid = r.oid
              JOIN pg_attribute AS a ON a.attrelid = i.inhrelid AND a.attinhcount > 0 AND NOT a.attisdropped
              UNION ALL
              SELECT i.inhparent, 0, 'child', i.inhrelid::regclass::text, false, NULL
              FROM unnest($1) AS r (oid)
              JOIN pg_inherits AS i ON i.inhparent = r.oid
              UNION ALL
              SELECT d.relation, 0, 'reference', c.conrelid::regclass::text, false, x.relname
              FROM depending AS d
              JOIN pg_constraint AS c ON c.oid = d.objid
              LEFT JOIN pg_class AS x ON x.oid = c.conindid
              WHERE d.classid = 'pg_constraint'::regclass AND c.contype = 'f' AND c.confrelid = d.relation AND c.conrelid <> d.relation
          )
          SELECT DISTINCT f.relation, f.kind, f.name, a.attname::text, f.keeps_type, f.leads_to
          FROM found AS f
          LEFT JOIN pg_attribute AS a ON a.attrelid = f.relation AND a.attnum = f.number AND f.number > 0
          WHERE f.name IS NOT NULL",
        OIDS,
    ) };
}
