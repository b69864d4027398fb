#!/usr/bin/env bash
# Prints docs/reference.md, made from the catalog and its comments in a scratch database; the same on
# every version of Postgres.
# Fails where a name, an argument, an answer or a comment breaks the rules (tools/reference_rules.sql).
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
database, and a test fails when it is out of date, or when a name, an answer or a comment breaks the rules. What the
parts are for is told in the [guide](guide.md). Everything is in the schema `kepler`; `kepler_internal` is private and
may change.

`workspace_id` is always the last argument. It is the session's workspace unless you name another, which only
the owner of the tables may do.
MARKDOWN
  sql -d "$database" -f "$ROOT/tools/reference_vocabulary.sql" -f "$ROOT/tools/reference_rules.sql" -f - <<'SQL'
CREATE TEMPORARY VIEW shown AS
SELECT f.oid, f.name, f.form, a.place, f.arguments[a.place] || ' '
    || replace(f.types[a.place], 'timestamp with time zone', 'timestamptz')
    || coalesce(' DEFAULT ' || regexp_replace(
        pg_get_function_arg_default(f.oid, a.place::integer), '::[a-z ]+(\[\])?$', ''), '') AS text
FROM forms AS f
CROSS JOIN generate_series(1, cardinality(f.arguments)) AS a (place);

CREATE TEMPORARY VIEW results AS
SELECT f.oid, replace(CASE
        WHEN NOT p.proretset AND cardinality(f.columns) > 0 THEN format('(%s)', (
            SELECT string_agg(format('%s %s', f.columns[c.place],
                format_type(p.proallargtypes[cardinality(f.arguments) + c.place], NULL)), ', ' ORDER BY c.place)
            FROM generate_series(1, cardinality(f.columns)) AS c (place)))
        ELSE replace(pg_get_function_result(f.oid), 'TABLE(', 'TABLE (') END,
    'timestamp with time zone', 'timestamptz') AS text
FROM forms AS f JOIN pg_proc AS p USING (oid);

WITH signatures AS (
    SELECT f.name, string_agg(CASE
        WHEN f.form = 1 AND cardinality(f.arguments) < 2 THEN format('%s(%s) → %s', f.name,
            (SELECT a.text FROM shown AS a WHERE a.oid = f.oid), r.text)
        WHEN f.form = 1 THEN format(E'%s(\n    %s\n) → %s', f.name,
            (SELECT string_agg(a.text, E',\n    ' ORDER BY a.place) FROM shown AS a WHERE a.oid = f.oid), r.text)
        -- Other forms: as far as the last argument that makes the difference.
        ELSE format('%s(%s, …)', f.name,
            (SELECT string_agg(a.text, ', ' ORDER BY a.place) FROM shown AS a
             WHERE a.oid = f.oid AND a.place <= (
                SELECT max(b.place) FROM shown AS b
                JOIN shown AS c ON c.name = b.name AND c.place = b.place
                WHERE b.oid = f.oid AND c.form = 1 AND b.text <> c.text)))
        END, E'\n' ORDER BY f.form) AS signature
    FROM forms AS f JOIN results AS r USING (oid) GROUP BY f.name
), comments AS (
    -- A line of a comment is a paragraph; one that begins with an argument's name, an item.
    SELECT l.name, string_agg(
        regexp_replace(regexp_replace(l.line, '^([a-z_]+(?:, [a-z_]+)*): ', '- `\1`: '),
            '^(Errors|Outcomes)\M', '**\1**'), E'\n\n' ORDER BY l.number) AS text
    FROM lines AS l JOIN forms AS f USING (oid) WHERE f.form = 1 GROUP BY l.name
)
SELECT CASE WHEN n.place = 1 THEN format(E'\n## %s\n\n%s\n', p.part, p.about) ELSE '' END
    || format(E'\n### %s\n\n```text\n%s\n```\n\n%s', n.name, s.signature, c.text)
FROM parts AS p
CROSS JOIN unnest(p.functions) WITH ORDINALITY AS n (name, place)
JOIN signatures AS s USING (name)
JOIN comments AS c USING (name)
ORDER BY p.number, n.place;

\echo
\echo '## Outcomes'
\echo
\echo 'What an element of a batch, or the one thing of a call, is answered with. An answer to a batch has a row for each'
\echo 'element, in their order: `ordinal` (from 1), the id of the thing, `outcome`, `error_code` and `error` (NULL unless'
\echo 'rejected, or where they tell what was kept otherwise than sent), and `violations` where there can be several: objects'
\echo 'with `path`, `code` and `message`. A `path` is a JSON Pointer, which counts from 0. `error_code` is a word for what the'
\echo 'function itself refuses, and an SQLSTATE where the database does.'
\echo
\echo '| outcome | means | answered by |'
\echo '|---|---|---|'
WITH said AS (
    SELECT DISTINCT l.name, w.word FROM lines AS l,
        regexp_split_to_table(
            regexp_replace(regexp_replace(l.line, '^Outcomes: |\.$', '', 'g'), ' *\([^()]*\)', '', 'g'), ', |; ') AS w (word)
    WHERE l.line ~ '^Outcomes: '
), known AS (
    SELECT s.name, s.word FROM said AS s WHERE s.word !~ '^those of '
    UNION
    SELECT s.name, o.word FROM said AS s JOIN said AS o ON s.word = 'those of ' || o.name WHERE o.word !~ '^those of '
)
SELECT format('| `%s` | %s | %s |', o.word, o.means, string_agg(format('`%s`', k.name), ', ' ORDER BY k.name COLLATE "C"))
FROM outcomes AS o JOIN known AS k USING (word)
GROUP BY o.number, o.word, o.means ORDER BY o.number;

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
complaints=$(sql -d "$database" -o /dev/null -c 'SELECT FROM kepler.version()' -f "$ROOT/tools/reference_vocabulary.sql" \
  -f "$ROOT/tools/reference_rules.sql" -c '\o' -c 'SELECT c.complaint FROM complaints AS c ORDER BY 1')
[[ -z $complaints ]] || die "these break the rules of tools/reference_rules.sql:
$complaints"
page >"$printed"

case ${1:-} in
  '') cat "$printed" ;;
  --check)
    diff -u "$ROOT/docs/reference.md" "$printed" ||
      die "docs/reference.md is out of date: tools/reference.sh >docs/reference.md"
    ;;
  *) die "usage: tools/reference.sh [--check]" ;;
esac
