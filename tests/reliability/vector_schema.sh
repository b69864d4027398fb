#!/usr/bin/env bash
# Promise: pgvector may lie in any schema, whatever it is called and whether or not a search_path holds it. Spaces, memories,
# searches through every kind of index, the advice on indexes, entry tables, dump and restore work there, as the owner and
# as a restricted role; and on in a running session after pgvector was moved or its schema was given another name. A
# pgvector that is too old is refused.
# Runs on: 18, because names are found in the same way.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_vector_schema
copy=${database}_copy
role=${database}_role
work=$(mktemp -d)
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  admin -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP DATABASE IF EXISTS $copy WITH (FORCE)" -c "DROP ROLE IF EXISTS $role"
}
trap 'drop; rm -rf "$work"' EXIT
drop
admin -d postgres -c "CREATE DATABASE $database TEMPLATE template0" -c "CREATE DATABASE $copy TEMPLATE template0" -c "CREATE ROLE $role"

# said WHAT EXPECTED: what the file said, against what it should.
said() { diff <(printf '%s\n' "$2") "$work/said" || die "$1: not what was expected (left)"; }
# run DATABASE: SQL from stdin, in a session whose search_path holds nothing.
run() { { echo "SET search_path = '';"; cat; } | admin -d "$1" >"$work/said" 2>&1 || { cat "$work/said"; die "a statement failed"; }; }

# A name that must be quoted; and a pgvector that was installed long ago, as the catalog then tells.
admin -d "$database" -c "CREATE SCHEMA \"Ext A\"" -c "CREATE EXTENSION vector SCHEMA \"Ext A\"" \
  -c "UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'" -c 'CREATE EXTENSION kepler'
if error=$(admin -d "$database" -c 'SELECT kepler.install()' 2>&1); then die "pgvector 0.8.3 was not refused"; fi
[[ $error == *"pgvector 0.8.3 is too old for Kepler"*"Version 0.8.4 is the first without known corruption"*"ALTER EXTENSION vector UPDATE"* ]] || die "not clear: $error"
admin -d "$database" -c 'ALTER EXTENSION vector UPDATE' -c 'SELECT FROM kepler.install()' >/dev/null

# The vector of number i, of so many dimensions, as JSON.
run "$database" <<'SQL'
CREATE FUNCTION public.numbers(i int, dimensions int) RETURNS json LANGUAGE sql IMMUTABLE
RETURN (SELECT pg_catalog.json_agg(pg_catalog.round((pg_catalog.sin(i * j) + pg_catalog.cos(i + j))::numeric, 4) ORDER BY j) FROM pg_catalog.generate_series(1, dimensions) AS j);
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada');
SELECT kepler.create_embedding_space('small', 8, 'm');
SELECT outcome FROM kepler.remember('first', '[1, 2, 3, 4, 5, 6, 7, 8]', user_id => 'ada');
SELECT outcome FROM kepler.remember('{"second": 2}'::jsonb, '[1, 2, 3, 4, 5, 6, 7, 9]');
SELECT outcome, count(*) FROM kepler.remember_many((
    SELECT json_agg(json_build_object('content', 'memory ' || i, 'embedding', public.numbers(i, 8), 'metadata', json_build_object('n', i)))::text
    FROM generate_series(1, 3000) AS i)) GROUP BY 1;
SELECT content, plan FROM kepler.search_memories('[1, 2, 3, 4, 5, 6, 7, 8]', 2, weights => '{"similarity": 1}');
SQL
said "remember" 'kepler_data.small_embeddings
inserted
inserted
inserted|3000
first|exact
{"second": 2}|exact'

# What the advice says is run as it is. Postgres is made to believe in many rows.
run "$database" <<'SQL'
CREATE TABLE public.pages (id int PRIMARY KEY, small "Ext A".vector(3), wide "Ext A".vector(2100), huge "Ext A".vector(4100));
INSERT INTO public.pages SELECT i, public.numbers(i, 3)::text::"Ext A".vector,
    CASE WHEN i <= 300 THEN public.numbers(i, 2100)::text::"Ext A".vector END, CASE WHEN i <= 300 THEN public.numbers(i, 4100)::text::"Ext A".vector END
FROM generate_series(1, 2500) AS i;
ANALYZE public.pages, kepler.memories, kepler_data.small_embeddings;
UPDATE pg_catalog.pg_class SET reltuples = 100000 WHERE oid IN ('public.pages'::regclass, 'kepler_data.small_embeddings'::regclass);
SELECT statement FROM kepler.index_advice() \gexec
SELECT column_name, advice, reason FROM kepler.index_advice();
SQL
said "index_advice" 'embedding|none|kepler_data.small_embeddings_embedding_idx serves it.
embedding|none|Below 50000 rows all are compared as fast, and nothing is missed.
small|none|public.pages_small_idx serves it.
wide|none|public.pages_wide_idx serves it.
huge|none|public.pages_binary_quantize_idx serves it.'
run "$database" <<'SQL'
DROP INDEX public.pages_small_idx;
CREATE INDEX pages_lists ON public.pages USING ivfflat (small "Ext A".vector_cosine_ops) WITH (lists = 10);
UPDATE pg_catalog.pg_class SET reltuples = 90000 WHERE oid = 'public.pages'::regclass;
SELECT statement FROM kepler.index_advice('public.pages') WHERE column_name = 'small' \gexec
UPDATE pg_catalog.pg_class SET reltuples = 90000 WHERE oid = 'public.pages'::regclass;
SELECT statement FROM kepler.index_advice('public.pages') WHERE column_name = 'small' \gexec
SELECT advice, reason FROM kepler.index_advice('public.pages') WHERE column_name = 'small';
SELECT indexdef FROM pg_catalog.pg_indexes WHERE tablename = 'pages' AND indexdef LIKE '%ivfflat%';
DROP INDEX public.pages_small_idx;
CREATE INDEX ON public.pages USING hnsw (small "Ext A".vector_cosine_ops);
SQL
said "index_advice about lists" "none|public.pages_small_idx serves it.
CREATE INDEX pages_small_idx ON public.pages USING ivfflat (small \"Ext A\".vector_cosine_ops) WITH (lists='200')"

# Everything that searches and writes, through each of the indexes; NAME is pgvector's schema by now.
everything() {
  cat <<SQL
SELECT content, plan FROM kepler.search_memories('[1, 2, 3, 4, 5, 6, 7, 8]', 2, weights => '{"similarity": 1}');
SELECT pg_catalog.count(*) FROM kepler.search_memories('[1, 2, 3, 4, 5, 6, 7, 8]', 7, query_text => 'memory', diversity => 0.5, filter => '{"n": {"\$gt": 7}}');
SELECT similarity > 0.999, plan FROM kepler.search_vectors('public.pages', 'small', (SELECT small FROM public.pages WHERE id = 7), 1);
SELECT document -> 'id', plan FROM kepler.search_vectors('public.pages', 'wide', (SELECT wide FROM public.pages WHERE id = 7), 1);
SELECT document -> 'id', plan FROM kepler.search_vectors('public.pages', 'huge', (SELECT huge FROM public.pages WHERE id = 7), 1);
SELECT document -> 'id', plan FROM kepler.search_vectors('public.pages', 'small', (SELECT small FROM public.pages WHERE id = 8), 1, metric => 'l2');
SELECT outcome FROM kepler.remember('first', '[1, 2, 3, 4, 5, 6, 7, 8]', user_id => 'ada', dedupe => true);
SELECT outcome FROM kepler.remember('First!', '[1, 2, 3, 4, 5, 6, 7, 8.01]', user_id => 'ada', dedupe => true);
SELECT outcome, error FROM kepler.remember_many('[{"content": "passing", "embedding": [9, 2, 3, 4, 5, 6, 7, 8]}, {"content": "bad", "embedding": [1]}]');
SELECT outcome FROM kepler.set_memory_embeddings('small', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('memory_id', id, 'embedding', '[8, 2, 3, 4, 5, 6, 7, 8]'::json))::text FROM kepler.memories WHERE content = 'passing'));
SELECT outcome FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories WHERE content = 'passing'));
SELECT searches, recall > 0.9, shortfalls FROM kepler.recall_check(samples => 20);
SELECT outcome FROM kepler.insert_entries('docs', '[{"name": "a", "v": [1, 2, 3]}, {"name": "b", "v": [1, 2, 4]}]');
SELECT outcome FROM kepler.upsert_entries('docs', '{name}', '[{"name": "a", "v": [1, 2, 3]}, {"name": "b", "v": [1, 2, 5]}]');
SELECT document -> 'name', plan FROM kepler.search_vectors('kepler_data.docs_1_entries', 'v', '[1, 2, 5]', 1);
SELECT outcome FROM kepler.delete_entries('docs', ARRAY(SELECT entry_id::text FROM kepler_data.docs_1_entries));
SQL
}
worked='first|index
{"second": 2}|index
7
t|index
7|index
7|index
8|exact
duplicate
merged
inserted|
rejected|/embedding: an embedding of 1 dimensions does not fit into embedding space "small". Its model, m, makes embeddings of 8 dimensions
updated
deleted
20|t|0
inserted
inserted
unchanged
updated
"b"|exact
deleted
deleted'
run "$database" <<'SQL'
SELECT kepler.create_entry_table('docs', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "v", "type": "vector", "dimensions": 3}],
    "indexes": [{"fields": ["v"], "method": "hnsw", "metric": "cosine"}]}'::text);
SELECT kepler.alter_entry_table('docs', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "v", "type": "vector", "dimensions": 3}, {"name": "w", "type": "vector", "dimensions": 2}],
    "indexes": [{"fields": ["v"], "method": "hnsw", "metric": "l2"}]}'::text);
SELECT pg_catalog.count(*) FROM kepler.plan_entry_table('docs', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "v", "type": "vector", "dimensions": 3}, {"name": "w", "type": "vector", "dimensions": 2}],
    "indexes": [{"fields": ["v"], "method": "hnsw", "metric": "l2"}]}'::text);
SELECT indexdef FROM pg_catalog.pg_indexes WHERE tablename = 'docs_1_entries' AND indexdef LIKE '%hnsw%';
SQL
said "entry tables" "kepler_data.docs_1_entries
2
0
CREATE INDEX docs_1_entries_v_hnsw_idx ON kepler_data.docs_1_entries USING hnsw (v \"Ext A\".vector_l2_ops)"
everything | run "$database"
said "as the owner" "$worked"

# A role with rights to what it uses, and to nothing else.
admin -d "$database" -c "GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO $role" \
  -c "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO $role" \
  -c "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kepler, kepler_data, public TO $role" -c "GRANT USAGE ON ALL SEQUENCES IN SCHEMA kepler_data TO $role"
# Searches over memories read as their owner; what reads and writes as the caller needs pgvector's schema.
run "$database" <<SQL
SET ROLE $role;
SELECT content, plan FROM kepler.search_memories('[1, 2, 3, 4, 5, 6, 7, 8]', 1, weights => '{"similarity": 1}');
SQL
said "search_memories without a right to pgvector's schema" 'first|index'
if error=$(admin -d "$database" -c "SET ROLE $role" -c "SELECT kepler.search_vectors('public.pages', 'small', '[1, 2, 3]')" 2>&1); then die "a role searched with operators that it may not use"; fi
[[ $error == *"permission denied for schema Ext A"* ]] || die "not clear: $error"
admin -d "$database" -c "GRANT USAGE ON SCHEMA \"Ext A\" TO $role"
{ echo "SET ROLE $role;"; everything; } | run "$database"
said "as a restricted role" "$worked"

# pgvector is moved under a running session, and then its schema gets another name.
admin -d "$database" -c 'CREATE SCHEMA elsewhere'
{
  everything
  echo "\\! $PG_BIN/psql -XAtq -d $database -c 'ALTER EXTENSION vector SET SCHEMA elsewhere'"
  everything
  echo "\\! $PG_BIN/psql -XAtq -d $database -c 'ALTER SCHEMA elsewhere RENAME TO \"Third\"'"
  everything
  # shellcheck disable=SC2028 # psql's backslash
  echo "SELECT advice, statement FROM kepler.index_advice('public.pages');"
} | run "$database"
said "pgvector was moved" "$worked
$worked
$worked
none|
none|
none|"

# Dump and restore: the copy has it where the original has it, and works.
"$PG_BIN/pg_dump" -d "$database" -Fc -f "$work/dump"
"$PG_BIN/pg_restore" --exit-on-error -d "$copy" "$work/dump"
everything | run "$copy"
said "the restored copy" "$worked"
run "$copy" <<'SQL'
SELECT n.nspname FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
SELECT outcome, pg_catalog.count(*) > 0 FROM kepler.install() GROUP BY 1;
SELECT kepler.create_embedding_space('more', 3, 'm');
SQL
said "the copy's schema" 'Third
unchanged|t
kepler_data.more_embeddings'
