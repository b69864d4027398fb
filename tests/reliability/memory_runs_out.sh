#!/usr/bin/env bash
# Promise: where the server has little memory left, a call ends with an error, and never takes the server, or
# another session, down. Every function that takes a document, a text or an array is called with large ones of
# unkind shapes, on a server whose processes may use 200 MB of addresses each, as a superuser and as a role that may
# only use the schema. Each argument gets one shape and size; in the long form, all of them.
# Runs on: 18, because what is tried is the library.
# Long form: KEPLER_FULL=1, ten minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=scarce-$major
cleanup() { remove_server "$server" "$major"; }
trap cleanup EXIT
remove_server "$server" "$major"
rm -f "$LOGS/server-$server.log"
# The limit is for the server alone.
(ulimit -v 200000 && start_server "$server" "$major" 'shared_buffers = 16MB' 'log_min_error_statement = panic')
use_server "$server" "$major"
fresh_database scarce install
out=$BUILD/memory_runs_out
rm -rf "$out" && mkdir -p "$out"

"$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d scarce -o /dev/null <<'SQL'
CREATE ROLE kepler_scarce_stranger LOGIN;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_scarce_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_scarce_stranger;
CREATE TABLE documents (id integer PRIMARY KEY, document jsonb, embedding vector(3));
INSERT INTO documents VALUES (1, '{"a": []}', '[1,0,0]');
SELECT kepler.create_entry_table('x', '{"fields": [{"name": "n", "type": "integer"}, {"name": "t", "type": "text"}, {"name": "j", "type": "json"}]}');
SELECT kepler.set_enrichment_policy('x');
SELECT kepler.create_embedding_space('x', 3, 'model');
SELECT kepler.upsert_record('x', 'a', '{}');
-- What the arguments beside the one that is tried are.
CREATE FUNCTION usual(argument text, type text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT quote_literal(CASE
    WHEN argument IN ('relation', 'table_name') THEN 'documents' WHEN argument = 'column_name' THEN 'document'
    WHEN argument = 'key' AND type = 'jsonb' THEN '{"id": 1}' WHEN argument = 'operations' THEN '{"$set": {"b": 1}}'
    WHEN argument = 'structure' THEN '{"fields": [{"name": "n", "type": "integer"}]}'
    WHEN argument = 'workspace_id' THEN 'default'
    WHEN type IN ('json', 'jsonb') THEN '[{"external_id": "a", "record_id": "a", "content": "c", "role": "user", "data": {}, "n": 1}]'
    WHEN type LIKE '%vector' THEN '[1,0,0]' WHEN type LIKE '%[]' THEN '{}' WHEN type = 'boolean' THEN 'false'
    WHEN type = 'interval' THEN '1 hour' WHEN type LIKE 'timestamp%' THEN '2026-01-01' WHEN type = 'regclass' THEN 'documents'
    WHEN type IN ('integer', 'bigint') THEN '1' WHEN type LIKE 'double%' OR type = 'numeric' OR type = 'real' THEN '0.5'
    WHEN type = 'uuid' THEN '00000000-0000-0000-0000-000000000000'
    ELSE 'x' END) || '::' || type
$$;
CREATE TABLE shapes (shape text, per_megabyte integer, text text);
INSERT INTO shapes VALUES
  ('numbers', 524288, $$'[' || repeat('1,', %s) || '1]'$$),
  ('objects', 349525, $$'[' || repeat('{},', %s) || '{}]'$$),
  ('deep', 1048576, $$repeat('[', %s)$$),
  ('empty keys', 116508, $$'[' || repeat('{"":0},', %s) || '{"":0}]'$$),
  ('many keys', 65536, $$'{' || (SELECT string_agg('"' || i || '":' || i, ',') FROM generate_series(1, %s) AS i) || '}'$$),
  ('escapes', 174762, $$'["' || repeat('\u0041', %s) || '"]'$$),
  ('one text', 1048576, $$repeat('x', %s)$$),
  ('elements', 16384, $$'[' || repeat('{"external_id":"a","record_id":"a","content":"c","role":"user","data":{"a":[1,1,1,1]},"n":1,"t":"x"},', %s / 2) || '{}]'$$),
  ('one element', 262144, $$'[{"external_id":"a","record_id":"a","content":{"a":[' || repeat('1,', %1$s) || '1]},"data":{"a":[' || repeat('1,', %1$s) || '1]},"j":[' || repeat('1,', %1$s) || '1],"result":{"a":[' || repeat('1,', %1$s) || '1]}}]'$$),
  ('one object', 524288, $$'{"$set":{"a":[' || repeat('1,', %s) || '1]}}'$$);
CREATE VIEW arguments AS
SELECT p.oid, p.proname, p.pronargs, p.pronargdefaults, a.number, a.name, format_type(t.oid, NULL) AS type, t.typname
FROM pg_proc AS p
CROSS JOIN LATERAL unnest(COALESCE(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes::text[])
  WITH ORDINALITY AS a (type, name, mode, number)
JOIN pg_type AS t ON t.oid = a.type
WHERE p.pronamespace = 'kepler'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
  AND COALESCE(a.mode, 'i') = 'i' AND a.number <= p.pronargs;
CREATE FUNCTION calls(sizes integer[], every boolean) RETURNS TABLE (label text, statement text) LANGUAGE sql AS $$
  SELECT format('%s(%s) %s %s MB', a.proname, a.name, s.shape, size),
    format('SELECT count(*) FROM kepler.%I(%s)', a.proname,
      (SELECT string_agg(format('%s => %s', COALESCE(quote_ident(o.name), ''), CASE
         WHEN o.number <> a.number THEN usual(o.name, o.type)
         WHEN a.type LIKE '%[]' THEN format('array_fill(%s, ARRAY[%s])', usual('', left(a.type, -2)), size * 100000)
         WHEN a.type = 'vector' THEN usual('', 'vector')
         ELSE format('(' || s.text || ')::%2$s', size * s.per_megabyte, a.type) END), ', ' ORDER BY o.number)
       FROM arguments AS o WHERE o.oid = a.oid AND (o.number = a.number OR o.number <= a.pronargs - a.pronargdefaults)))
  FROM arguments AS a CROSS JOIN unnest(sizes) AS size CROSS JOIN shapes AS s
  WHERE a.typname IN ('text', 'json', 'jsonb', '_text', '_jsonb', '_int8', '_float8')
    -- Most texts are names, and treated alike.
    AND (every OR a.type <> 'json')
    AND (every OR a.type <> 'text' OR a.name IN ('records', 'entries', 'memories', 'messages', 'results', 'embeddings',
      'steps', 'data', 'structure', 'content') OR hashtext(a.proname || a.name) % 10 = 0)
    AND (every OR s.shape = CASE
      WHEN a.name IN ('records', 'entries', 'memories', 'messages', 'results', 'embeddings', 'steps')
        THEN (ARRAY['elements', 'one element', 'empty keys'])[1 + abs(hashtext(a.proname || a.type) % 3)]
      WHEN a.name IN ('doc', 'document', 'data', 'operations', 'metadata', 'structure', 'documents', 'filter', 'options', 'content')
        THEN (ARRAY['numbers', 'one object', 'many keys'])[1 + abs(hashtext(a.proname || a.type) % 3)]
      ELSE 'one text' END)
    -- An array has no shapes.
    AND (a.type NOT LIKE '%[]' OR s.shape IN ('one text', 'numbers'))
  ORDER BY 1;
$$;
SQL

sizes='{4}' every=false
if [[ -n ${KEPLER_FULL:-} ]]; then sizes='{1,8,30}' every=true; fi
"$PG_BIN/psql" -XAtq -F $'\t' -d scarce -c "SELECT label, statement FROM calls('$sizes', $every)" >"$out/calls"
started=$("$PG_BIN/psql" -XAtq -d scarce -c 'SELECT pg_postmaster_start_time()')

# Postgres 16's psql gives up where the connection is lost; so does this: a call has a session of its own.
total=0 ended=0 raised=0 worked=0
while IFS=$'\t' read -r label statement; do
  total=$((total + 1))
  role=postgres
  if ((total % 4 == 0)); then role=kepler_scarce_stranger; fi
  answer=$(PGUSER=$role "$PG_BIN/psql" -XAtq -d scarce -v VERBOSITY=verbose -v ON_ERROR_STOP=1 \
    -c "SET statement_timeout = '20s'" -c 'BEGIN' -c "$statement" -c 'ROLLBACK' 2>&1 </dev/null | head -c 2000) || true
  case $answer in
    *FATAL*53200*) ended=$((ended + 1)) && printf '%s: %s\n' "$label" "${answer:0:300}" >>"$out/ended" ;;
    *'XX000'* | *'crash of another'* | *'terminated abnormally'* | *'panicked'* | *'stack backtrace'*) printf '%s: %s\n' "$label" "$answer" >>"$out/bad" ;;
    *FATAL* | *'closed the connection'*) printf '%s: %s\n' "$label" "$answer" >>"$out/bad" ;;
    *ERROR*) raised=$((raised + 1)) && printf '%s: %s\n' "$label" "${answer:0:300}" >>"$out/raised" ;;
    *) worked=$((worked + 1)) && printf '%s\n' "$label" >>"$out/worked" ;;
  esac
done <"$out/calls"
echo "$total calls: $worked worked, $raised raised an error, $ended ended their session"
[[ $total -gt 40 ]] || die "only $total calls were found"
[[ ! -s $out/bad ]] || { head -c 4000 "$out/bad"; die "calls that ended badly (all: $out/bad)"; }
[[ $("$PG_BIN/psql" -XAtq -d scarce -c 'SELECT pg_postmaster_start_time()') == "$started" ]] || die "the server was restarted"
if grep -a "was terminated by signal" "$LOGS/server-$server.log"; then die "a session was ended by a signal"; fi
# Postgres was short of memory indeed, and so was Rust.
grep -q 53200 "$out/raised" || die "memory never ran out"
