#!/usr/bin/env bash
# Prints docs/reference.md, made from the catalog and its comments in a scratch database; the same on
# every version of Postgres.
# Fails where a function, table or type has no comment.
# Usage: tools/reference.sh >docs/reference.md, or tools/reference.sh --check, which fails where
# that file is not what would be printed   (PG=16 or 18)
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

# Tests bring their own server.
if [[ -z ${PG_BIN:-} ]]; then
  PG=${PG:-18} "$ROOT/tools/serve.sh" start
  use_server "${PG:-18}"
fi
database=kepler_reference_$$

sql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }

page() {
  cat <<'MARKDOWN'
# Reference

This page is generated: `tools/reference.sh >docs/reference.md` prints it from the comments in the
database, and a test fails when it is out of date. What the parts are for is told in the
[guide](guide.md). Everything that callers use is in the schema `kepler`; what lies in `kepler_internal` may
change.

## Functions
MARKDOWN
  sql -d "$database" <<'SQL'
SET search_path = pg_catalog;
-- The forms of a function: the one that takes text comes first and is shown whole.
CREATE TEMPORARY VIEW forms AS
SELECT p.oid, p.proname, p.pronargs, pg_get_function_result(p.oid) AS result,
    row_number() OVER (
        PARTITION BY p.proname
        ORDER BY array_position('{text,json,jsonb}', format_type(p.proargtypes[1], NULL)),
            array_position('{text,json,jsonb}', format_type(p.proargtypes[2], NULL)), p.oid
    ) AS form
FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND p.proname !~ '^_' AND p.prokind IN ('f', 'p');

CREATE TEMPORARY VIEW arguments AS
SELECT f.oid, f.proname, f.form, a.position, p.proargnames[a.position] || ' '
    || replace(format_type(p.proargtypes[a.position - 1], NULL),
        'timestamp with time zone', 'timestamptz')
    || coalesce(' DEFAULT ' || regexp_replace(
        pg_get_function_arg_default(f.oid, a.position::integer), '::[a-z ]+$', ''), '') AS text
FROM forms AS f
JOIN pg_proc AS p ON p.oid = f.oid
CROSS JOIN generate_series(1, f.pronargs::integer) AS a (position);

WITH signatures AS (
    SELECT f.oid, f.proname, f.form, CASE
        WHEN f.pronargs < 2 THEN format('%s(%s)', f.proname,
            (SELECT a.text FROM arguments AS a WHERE a.oid = f.oid))
        WHEN f.form = 1 THEN format(E'%s(\n    %s\n)', f.proname,
            (SELECT string_agg(a.text, E',\n    ' ORDER BY a.position) FROM arguments AS a
             WHERE a.oid = f.oid))
        -- Other forms: as far as the argument that makes the difference.
        ELSE format('%s(%s, …)', f.proname,
            (SELECT string_agg(a.text, ', ' ORDER BY a.position) FROM arguments AS a
             WHERE a.oid = f.oid AND a.position <= (
                SELECT min(b.position) FROM arguments AS b
                JOIN arguments AS c ON c.proname = b.proname AND c.position = b.position
                WHERE b.oid = f.oid AND c.form = 1 AND b.text <> c.text)))
        END || ' → ' || replace(replace(f.result, 'TABLE(', 'TABLE ('),
            'timestamp with time zone', 'timestamptz') AS signature
    FROM forms AS f
), comments AS (
    -- A line of a comment is a paragraph; one that begins with an argument's name, an item.
    SELECT f.oid, string_agg(
        regexp_replace(regexp_replace(line, '^([a-z_]+(?:, [a-z_]+)*): ', '- `\1`: '),
            '^Errors\M', '**Errors**'), E'\n\n' ORDER BY number) AS text
    FROM forms AS f
    CROSS JOIN regexp_split_to_table(
        coalesce(obj_description(f.oid, 'pg_proc'), ''), E'\n') WITH ORDINALITY AS l (line, number)
    GROUP BY f.oid
)
SELECT CASE WHEN s.form = 1 THEN format(E'\n### %s\n', s.proname) ELSE '' END
    || format(E'\n```text\n%s\n```\n\n%s', s.signature, c.text)
FROM signatures AS s JOIN comments AS c USING (oid)
ORDER BY s.proname COLLATE "C", s.form;

\echo
\echo '## Tables'
\echo
\echo 'Made by `kepler.install()`; they belong to you. Below each: its constraints and other indexes.'
WITH tables AS (
    SELECT c.oid, c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        AND c.relname !~ '^_' AND NOT c.relispartition
), columns AS (
    SELECT t.oid, string_agg(format('| `%s` | %s%s | %s | %s |', a.attname,
        replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
        CASE WHEN a.attnotnull THEN '' ELSE ', or NULL' END,
        CASE WHEN d.adbin IS NULL THEN ''
             WHEN a.attgenerated <> '' THEN format('generated: `%s`', pg_get_expr(d.adbin, d.adrelid))
             ELSE format('`%s`', regexp_replace(pg_get_expr(d.adbin, d.adrelid),
                 '^(''[^'']*'')::[a-z_. ]+(\[\])?$', '\1')) END,
        replace(coalesce(col_description(t.oid, a.attnum), ''), '|', '\|')
        ), E'\n' ORDER BY a.attnum) AS text
    FROM tables AS t
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
    GROUP BY t.oid
), constraints AS (
    SELECT k.conrelid AS oid, string_agg(format('- `%s`',
        regexp_replace(pg_get_constraintdef(k.oid, true), '::text', '', 'g')), E'\n'
        ORDER BY array_position('{p,u,f,c}'::"char"[], k.contype), k.conname COLLATE "C") AS text
    FROM pg_constraint AS k WHERE k.contype IN ('p', 'u', 'f', 'c') GROUP BY k.conrelid
), indexes AS (
    SELECT i.indrelid AS oid, string_agg(format('- `%s`', regexp_replace(
        pg_get_indexdef(i.indexrelid), '^CREATE (.*INDEX) \S+ ON \S+ USING', '\1')), E'\n'
        ORDER BY i.indexrelid::regclass::text COLLATE "C") AS text
    FROM pg_index AS i
    WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
    GROUP BY i.indrelid
)
SELECT format(E'\n### %s\n\n%s\n\n| column | type | default | |\n|---|---|---|---|\n%s', t.relname,
        obj_description(t.oid, 'pg_class') || '.', c.text)
    || coalesce(E'\n\n' || concat_ws(E'\n', k.text, i.text), '')
FROM tables AS t
JOIN columns AS c USING (oid)
LEFT JOIN constraints AS k USING (oid)
LEFT JOIN indexes AS i USING (oid)
ORDER BY t.relname COLLATE "C";

\echo
\echo '## Types'
\echo
\echo '| type | values | |'
\echo '|---|---|---|'
SELECT format('| `%s` | %s | %s |', t.typname,
    (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum AS e
     WHERE e.enumtypid = t.oid),
    obj_description(t.oid, 'pg_type'))
FROM pg_type AS t
WHERE t.typnamespace = 'kepler'::regnamespace AND t.typtype IN ('e', 'd', 'b')
    AND t.typelem = 0 AND t.typname !~ '^_'
ORDER BY t.typname COLLATE "C";

\echo
\echo '## Settings'
\echo
\echo '| setting | default | may be set by | |'
\echo '|---|---|---|---|'
-- The settings are there once the library is loaded.
SELECT FROM kepler.version();
SELECT format('| `%s` | `%s` | %s | %s |', s.name, s.boot_val,
    CASE s.context WHEN 'superuser' THEN 'superusers' WHEN 'user' THEN 'everybody' ELSE s.context END,
    concat_ws(' ', s.short_desc, s.extra_desc))
FROM pg_settings AS s WHERE s.name ^@ 'kepler.' ORDER BY s.name COLLATE "C";
SQL
}

# Printed as a whole or, where something fails, not at all.
printed=$(mktemp)
# shellcheck disable=SC2329  # called by the trap
clean_up() {
  rm -f "$printed"
  sql -d postgres -c 'SET client_min_messages = warning' -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
}
trap clean_up EXIT
sql -d postgres -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'"
sql -d "$database" -o /dev/null -c 'SET client_min_messages = warning' \
  -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT kepler.install()'
missing=$(sql -d "$database" <<'SQL'
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
UNION ALL
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
SELECT t.oid::regtype::text FROM pg_type AS t
WHERE t.typnamespace = 'kepler'::regnamespace AND t.typtype IN ('e', 'd')
    AND obj_description(t.oid, 'pg_type') IS NULL;
SQL
)
[[ -z $missing ]] || die "without COMMENT ON (sql/functions/comments.sql, sql/schema): $missing"
page >"$printed"

case ${1:-} in
  '') cat "$printed" ;;
  --check)
    diff -u "$ROOT/docs/reference.md" "$printed" ||
      die "docs/reference.md is out of date: tools/reference.sh >docs/reference.md"
    ;;
  *) die "usage: tools/reference.sh [--check]" ;;
esac
