#!/usr/bin/env bash
# Promise: pg_dump and a restore into a new database bring everything back: each row to the byte, the generated hash, the
# triggers and defaults. The same batch sent to the copy finds nothing changed. Plain and custom format. Where the roles exist,
# they have in the copy the rights of their levels on all three schemas, on tables and on functions, and install() finds them.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
work=$(mktemp -d)
databases="kepler_dumped kepler_plain kepler_custom"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() {
  for database in $databases; do admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; done
  for level in reader writer worker admin; do admin -c "DROP ROLE IF EXISTS kepler_dumped_$level"; done
}
trap 'drop; rm -rf "$work"' EXIT
drop
for database in $databases; do admin -c "CREATE DATABASE $database TEMPLATE template0"; done
admin -d kepler_dumped -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null

for level in reader writer worker admin; do
  admin -d kepler_dumped -c "CREATE ROLE kepler_dumped_$level" -c "SELECT kepler.grant_access('kepler_dumped_$level', '$level')" >/dev/null
done

# Upserts the batches of this test; the answer is the count of each outcome.
cat >"$work/batches.sql" <<'SQL'
SELECT outcome || ' ' || count(*) FROM (
    SELECT u.outcome FROM kepler.upsert_records('contact', (
        SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"n": %s, "d": 1.%s0, "t": "äöü😀 \u0001 %s", "o": {"": [null, -0]}}, "source_updated_at": %s}',
            i, i, i, repeat('x', i), 1700000000 + i), ',') || ']' FROM generate_series(1, 2000) AS i), connection_id => 'c') AS u
    UNION ALL
    SELECT u.outcome FROM kepler.upsert_records('contact', '[{"external_id": "gone", "deleted": true, "source_updated_at": "2024-01-01"}, {"external_id": "plain", "data": {}}]', workspace_id => 'other') AS u
    UNION ALL
    SELECT u.outcome FROM kepler.upsert_records('noisy', '[{"external_id": "a", "data": {"v": 1, "at": 5}}]') AS u
) AS outcomes GROUP BY outcome ORDER BY 1;
SQL
admin -d kepler_dumped >/dev/null <<'SQL'
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com');
INSERT INTO kepler.connections (id, name, reference_id, user_id, issues) VALUES ('c', 'c', 'r', 'u', '{a,"b c"}');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'env:KEY');
SELECT kepler.set_entity_options('noisy', '{"ignored_paths": ["/at"]}');
SELECT kepler.upsert_record('noisy', 'a', '{"v": 1, "at": 1}');
INSERT INTO kepler.records (entity_type, data, enrichment, enrichment_status) VALUES ('by hand', '{"v": 1}', '{"w": 2}', 'APPLIED');
INSERT INTO kepler.workflows (id, user_id, name, trigger, actions, required_providers) VALUES ('w', 'u', 'w', '{"app": "Gmail"}', '[{"app": "Slack"}]', '{Jira}');
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', 'done', timeout => '90 minutes');
SELECT kepler.add_execution_steps(execution_id, token, '[{"name": "a", "output": [1]}, {"name": "b", "status": "RUNNING"}]') FROM run;
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS', '{"v": 1}')).outcome FROM run;
SELECT kepler.start_execution('w', 'under way');
UPDATE kepler.workflows SET intent = 'changed' WHERE id = 'w';
CREATE TEMP TABLE asks AS SELECT * FROM kepler.start_execution('w', 'asks');
SELECT (kepler.suspend_execution(execution_id, token, '"Send it?"')).outcome FROM asks;
SELECT (kepler.answer_execution(execution_id, 1, '"yes"')).outcome FROM asks;
INSERT INTO kepler.executions (id, workflow_id, status, ended_at, retry_of) VALUES ('a retry', 'w', 'FAILURE', 'infinity', 'gone');
SELECT kepler.create_embedding_space('small', 3, 'model');
SELECT kepler.remember('first', '[1, 2, 3]', user_id => 'u');
SELECT kepler.remember('second', '[3, 2, 1]', user_id => 'u', supersedes => (SELECT id FROM kepler.memories));
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
SELECT kepler.add_message('talk', 'user', 'said before', embedding => '[1, 2, 3]');
-- Words of several languages; a table of one's own has them in a generated column.
SELECT kepler.set_language('german', '{simple}', 'other');
SELECT kepler.remember('Die Häuser am Fluss', workspace_id => 'other'), kepler.remember('私は東京に住んでいます', language => 'simple', workspace_id => 'other');
CREATE TABLE public.articles (body text, words tsvector GENERATED ALWAYS AS (kepler.text_words(body, 'german')) STORED);
INSERT INTO public.articles VALUES ('Die Häuser'), ('東京の喫茶店');
SQL
# A model with something of each kind: it is as its document says, also in the copy.
model='{"blueprint": "model", "extensions": ["vector"], "tenancy": {"field": "tenant"}, "enums": {"state": ["a", "b"]}, "tables": [{"name": "Parent", "table": "Parents", "description": "p", "key": {"name": "id", "type": "bigint"}, "times": true, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "state", "type": "enum", "enum": "state", "default": "a"}, {"name": "code", "type": "text", "max_length": 30, "fill": "cuid", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer", "generated": "serial", "min": 0}, {"name": "risky", "type": "text", "default_sql": "pg_backend_pid()::text || version()"}, {"name": "moved", "type": "timestamp", "zone": false, "precision": 3, "default": "now", "touch": true}]}, {"name": "Child", "table": "children", "key": {"fields": ["a", "b"]}, "fields": [{"name": "a", "type": "smallint", "required": true}, {"name": "b", "type": "text", "required": true}, {"name": "parent", "type": "reference", "to": "Parent", "on_delete": "set_null"}, {"name": "v", "type": "vector", "dimensions": 3}, {"name": "doc", "type": "json"}], "indexes": [{"fields": ["v"], "method": "hnsw", "metric": "cosine"}, {"fields": ["b"], "where_sql": "a > 3"}, {"fields": [{"field": "doc", "path": ["x"]}]}]}]}'
admin -d kepler_dumped -c "SELECT outcome FROM kepler.apply_blueprint('$model', options => '{\"trusted\": true}')" >/dev/null
left_of_model() {
  admin -d "$1" -c "SELECT count(*) FROM kepler.plan_blueprint('$model')" -c "SELECT string_agg(concat_ws(' ', object_type, object, kind), ', ') FROM kepler.blueprint_drift('model') WHERE kind <> 'coverage'" \
    -c "SELECT outcome FROM kepler.apply_blueprint('$model')"
}
[[ $(left_of_model kepler_dumped) == $'0\nindex model.children.children_v_idx deferred\nunchanged' ]] || die "the model is not as it was applied: $(left_of_model kepler_dumped)"
# Entry tables: names apart from columns, values that have swapped, a hidden field, links.
orders='{"key": {"name": "orderId", "column": "order_id", "type": "bigint"}, "fields": [{"name": "the Code", "column": "code", "type": "text", "unique": true, "required": true, "case_insensitive": true}, {"name": "state", "type": "enum", "values": ["a", "b"], "renamed_values": {"a": "b", "b": "a"}, "default": "a"}]}'
admin -d kepler_dumped >/dev/null <<SQL
SELECT kepler.create_entry_table('Order', '{"key": {"name": "orderId", "column": "order_id", "type": "bigint"}, "fields": [{"name": "the Code", "column": "code", "type": "text", "unique": true, "required": true, "case_insensitive": true}, {"name": "state", "type": "enum", "values": ["a", "b"], "default": "b"}, {"name": "left", "column": "was_left", "type": "integer"}]}');
SELECT kepler.insert_entries('Order', '[{"the Code": "x", "left": 7}, {"the Code": "y", "state": "a"}]');
SELECT kepler.alter_entry_table('Order', '$orders', '{rewrite}');
SELECT kepler.create_entry_table('Pair', '{"fields": [{"name": "one", "type": "reference", "to": "Order"}, {"name": "two", "type": "reference", "to": "Order"}], "unique": [["one", "two"]]}');
SELECT kepler.set_entry_links('Pair', 'one', '[{"one": 1, "two": [1, 2]}]');
SQL
left_of_entries() {
  admin -d "$1" -c "SELECT count(*) FROM kepler.plan_entry_table('Order', '$orders')" -c "SELECT kepler.alter_entry_table('Order', '$orders')" \
    -c "SELECT string_agg(outcome, ' ') FROM kepler.upsert_entries('Order', '{the Code}', '[{\"the Code\": \"X\", \"state\": \"a\"}, {\"the Code\": \"y\", \"state\": \"b\"}]')" \
    -c "SELECT outcome FROM kepler.set_entry_links('Pair', 'two', '[{\"two\": \"y\", \"one\": [\"x\"]}]', 'the Code', 'skip')" \
    -c "SELECT outcome FROM kepler.set_entry_links('Pair', 'two', '[{\"two\": 2, \"one\": [\"x\"]}]', 'the Code')" \
    -c "SELECT string_agg(field_name || '=' || column_name, ' ') FROM kepler.hidden_fields"
}
entries=$'0\n2\nupdated unchanged\nrejected\nunchanged\nleft=_hidden_1_was_left'
[[ $(left_of_entries kepler_dumped) == "$entries" ]] || die "the entries are not as they were meant: $(left_of_entries kepler_dumped)"
entries=${entries/updated/unchanged}

admin -d kepler_dumped -f "$work/batches.sql" >"$work/first"
grep -qx 'inserted 2001' "$work/first" || die "the batch did not land: $(cat "$work/first")"

# A run is open, has seen some, and has not met the record that was there before.
admin -d kepler_dumped >/dev/null <<'SQL'
SELECT kepler.upsert_record('contact', 'lost', '{}', connection_id => 'c');
SELECT kepler.begin_sync('c', 'contact');
INSERT INTO kepler.inbox (sync_run_id, line)
SELECT sync_run_id, format('{"id": %s, "t": "a\tb \u0000"}', i) FROM kepler.begin_sync(NULL, 'copied') CROSS JOIN generate_series(1, 3) AS i;
SELECT kepler.merge_inbox_batch(sync_run_id, 1, id_key => 'id') FROM kepler.resume_sync(entity_type => 'copied');
SELECT kepler.upsert_record('contact', '1', '{"n": 0}', source_updated_at => '2001-01-01', sync_run_id => r.sync_run_id),
    kepler.checkpoint_sync(r.sync_run_id, 'page 2') FROM kepler.resume_sync(connection_id => 'c', entity_type => 'contact') AS r;
SQL

# Every table of the schema, row by row, in one checksum each.
checksums() {
  admin -d "$1" -c "SELECT format('SELECT %L, count(*), md5(string_agg(r::text, E''\\n'' ORDER BY r::text)) FROM kepler.%I AS r;', relname, relname)
    FROM pg_class WHERE relnamespace = 'kepler'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname" | admin -d "$1" -f -
}
# Who has which right on what.
rights() {
  admin -d "$1" -c "SELECT o.what, a.grantee::regrole, a.privilege_type FROM (
      SELECT 'schema ' || nspname, nspacl FROM pg_namespace
      UNION ALL SELECT p.oid::regprocedure::text, proacl FROM pg_proc AS p WHERE pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
      UNION ALL SELECT c.oid::regclass::text, relacl FROM pg_class AS c
      UNION ALL SELECT attrelid::regclass || '.' || attname, attacl FROM pg_attribute
    ) AS o (what, acl) CROSS JOIN LATERAL aclexplode(o.acl) AS a
    WHERE a.grantee = 'pg_monitor'::regrole OR a.grantee::regrole::text LIKE 'kepler_dumped_%' ORDER BY 1, 2, 3"
}
# Everything that makes the tables what they are.
shape() {
  admin -d "$1" -c "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'kepler'::regnamespace AND contype <> 'n' ORDER BY conrelid::regclass::text, conname" \
    -c "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid::regclass::text LIKE 'kepler.%' ORDER BY indexrelid::regclass::text" \
    -c "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'kepler.%' AND NOT tgisinternal ORDER BY 1" \
    -c "SELECT attrelid::regclass, attname, attgenerated, attnotnull, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid::regclass::text LIKE 'kepler.%' AND attnum > 0 ORDER BY attrelid::regclass::text, attname" \
    -c "SELECT relname, reloptions, obj_description(oid) FROM pg_class WHERE relnamespace = 'kepler'::regnamespace AND relkind = 'r' ORDER BY 1" \
    -c "SELECT extname, extversion FROM pg_extension ORDER BY 1"
}
checksums kepler_dumped >"$work/rows"
shape kepler_dumped >"$work/shape"
rights kepler_dumped >"$work/rights"
grep -q '^kepler_internal.require_tables()|kepler_dumped_reader|EXECUTE' "$work/rights" || die "not the rights that were meant"
grep -q '^records|2005|' "$work/rows" || die "not the rows that were meant: $(cat "$work/rows")"

"$PG_BIN/pg_dump" -d kepler_dumped -f "$work/plain.sql"
"$PG_BIN/pg_dump" -d kepler_dumped -Fc -f "$work/custom"
admin -d kepler_plain -f "$work/plain.sql" >/dev/null
"$PG_BIN/pg_restore" --exit-on-error -d kepler_custom "$work/custom"

for copy in kepler_plain kepler_custom; do
  checksums $copy | diff "$work/rows" - || die "$copy: the rows differ"
  shape $copy | diff "$work/shape" - || die "$copy: the tables differ"
  rights $copy | diff "$work/rights" - || die "$copy: the rights differ"
  [[ $(left_of_model $copy) == $'0\nindex model.children.children_v_idx deferred\nunchanged' ]] || die "$copy: the model has changed: $(left_of_model $copy)"
  [[ $(left_of_entries $copy) == "$entries" ]] || die "$copy: the entries have changed: $(left_of_entries $copy)"
  admin -d $copy -f "$work/batches.sql" >"$work/again"
  [[ $(cat "$work/again") == 'unchanged 2003' ]] || die "$copy: the same batch is not unchanged: $(cat "$work/again")"
  # But for what it met, which the open run is told of.
  checksums $copy | grep -v "^sync_seen" | diff <(grep -v "^sync_seen" "$work/rows") - || die "$copy: an unchanged batch wrote"
  # The copy lives: install() has nothing to do, triggers fire, defaults and the hash work, the next upsert lands.
  alive=$(admin -d $copy <<'SQL'
SELECT bool_and(outcome = 'unchanged') FROM kepler.install();
UPDATE kepler.records SET data = '{"v": 2}' WHERE entity_type = 'by hand'
RETURNING updated_at > created_at AND enrichment_status = 'UNAPPLIED' AND content_hash = kepler.jsonb_hash(data);
INSERT INTO kepler.records (entity_type) VALUES ('new') RETURNING id IS NOT NULL AND workspace_id = 'default' AND content_hash = kepler.jsonb_hash('{}');
SELECT outcome = 'updated' FROM kepler.upsert_record('contact', '1', '{}', connection_id => 'c');
SELECT string_agg(content, ' ') = 'second' FROM kepler.search_memories('[1, 2, 3]');
SELECT count(*) = 1 FROM kepler.search_memories(query_text => 'Haus', workspace_id => 'other') AS a CROSS JOIN kepler.search_memories(query_text => '東京', workspace_id => 'other') AS b;
INSERT INTO public.articles VALUES ('Die Bäume') RETURNING words = '''baum'':2' AND (SELECT bool_and(a.words = kepler.text_words(a.body, 'german')) FROM public.articles AS a);
SELECT number = 2 FROM kepler.add_message('talk', 'assistant', 'said after');
SELECT string_agg(content, ', ' ORDER BY number) = 'said before, said after' AND bool_or(similarity = 1) FROM kepler.search_messages('[1, 2, 3]', query_text => 'said');
SQL
  )
  [[ $alive == $'t\nt\nt\nt\nt\nt\nt\nt\nt' ]] || die "$copy does not work: $alive"
  # install() has left the rights as they were, and gives those on functions anew: another version has others.
  rights $copy | diff "$work/rights" - || die "$copy: install() changed the rights"
  admin -d $copy -c "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal FROM kepler_dumped_writer" -c "SELECT FROM kepler.install()"
  rights $copy | diff "$work/rights" - || die "$copy: install() does not give the rights anew"
  # The open run goes on: the batch above was told to it, and so is what is missing.
  swept=$(admin -d $copy -c "SELECT r.cursor, r.seen, f.outcome, f.deleted FROM kepler.resume_sync(connection_id => 'c', entity_type => 'contact') AS r CROSS JOIN LATERAL kepler.finish_sync(r.sync_run_id) AS f")
  swept="$swept $(admin -d $copy -c "SELECT string_agg(external_id, ' ') FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id WHERE e.connection_id = 'c' AND r.deleted_at IS NOT NULL")"
  [[ $swept == 'page 2|1|finished|1 lost' ]] || die "$copy: the open run ended with $swept"
  # What waited in the inbox is merged as the run began to read it.
  merged=$(admin -d $copy -c "INSERT INTO kepler.inbox (sync_run_id, line) SELECT sync_run_id, '{\"id\": 4}' FROM kepler.resume_sync(entity_type => 'copied')" \
    -c "SELECT m.outcome, m.merged, m.counts->>'inserted', m.counts->>'rejected' FROM kepler.resume_sync(entity_type => 'copied') AS r CROSS JOIN LATERAL kepler.merge_inbox_batch(r.sync_run_id) AS m")
  [[ $merged == 'finished|3|1|2' ]] || die "$copy: the inbox was merged with $merged"
  restored=$(admin -d $copy -c "SELECT kepler.restore_field('Order', 'left', '{\"name\": \"wasLeft\", \"column\": \"left_before\"}')" -c "SELECT string_agg(left_before::text, ' ') FROM kepler_data.order_1_entries")
  [[ $restored == $'3\n7' ]] || die "$copy: the hidden field came back as $restored"
  if error=$(admin -d $copy -c "UPDATE kepler.records SET workspace_id = 'other' WHERE entity_type = 'new'" 2>&1); then die "$copy: a row moved to another workspace"; fi
  [[ $error == *"cannot move"* ]] || die "$copy: $error"
done
