-- The rows of every table of the database as they were before an upgrade: of the columns of then, a checksum of each row, behind the
-- name of its table; and the last numbers of sequences. The first run notes which columns those are.
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS public.columns_before AS
SELECT c.oid::regclass::text AS name, string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS columns
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace <> ALL ('{pg_catalog,information_schema}'::regnamespace[]) AND c.relname <> 'columns_before'
GROUP BY c.oid;
SELECT format('SELECT %L, md5(r::text) FROM (SELECT %s FROM %s) AS r ORDER BY 2;', name, columns, name)
FROM public.columns_before ORDER BY name COLLATE "C" \gexec
SELECT 'sequence', sequencename, last_value FROM pg_sequences WHERE schemaname <> 'pg_catalog' AND to_regclass(format('%I.%I', schemaname, sequencename)) IS NOT NULL
    AND EXISTS (SELECT FROM public.columns_before AS b JOIN pg_depend AS d ON d.refobjid = b.name::regclass AND d.objid = format('%I.%I', schemaname, sequencename)::regclass)
    -- Of a column that the table had.
    AND EXISTS (SELECT FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid JOIN public.columns_before AS b ON b.name::regclass = d.refobjid
        WHERE d.objid = format('%I.%I', schemaname, sequencename)::regclass AND b.columns ~ ('\m' || a.attname || '\M'))
ORDER BY 2;
