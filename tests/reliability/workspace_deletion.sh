#!/usr/bin/env bash
# Promise: delete_workspace goes on where it was interrupted: cancelled, its session ended, and the server killed (kill -9 of the
# postmaster and its children) at any moment, it ends with nothing of the workspace left in any table and all of the others' rows
# there. Meanwhile writers of the workspace are refused and say why; writers of another one are not, and wait for nothing. A writer
# that was under way when it began leaves nothing behind. Its cost per row does not grow with the table: it reads by key.
# An export holds neither the rows nor the lines in memory. Linux only.
# Long form: KILLS=20, two minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=workspace-deletion-$major
work=$(mktemp -d)
trap 'remove_server "$name" "$major"; rm -rf "$work"' EXIT
RANDOM=11
remove_server "$name" "$major"
start_server "$name" "$major" 'checkpoint_timeout = 30s'
run_psql() { PGOPTIONS="-c client_min_messages=warning ${OPTIONS:-}" "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -v SHOW_CONTEXT=never "$@"; }
run_psql -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
run_psql >/dev/null <<'SQL'
SELECT kepler.create_embedding_space('deleted', 3, 'm');
CREATE PROCEDURE fill(workspace text, many integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kepler.workspaces (id, name) VALUES (workspace, workspace) ON CONFLICT DO NOTHING;
    PERFORM set_config('kepler.workspace_id', workspace, true);
    INSERT INTO kepler.users (id, email) SELECT 'u' || i, 'u' || i || '@example.com' FROM generate_series(1, 20) AS i;
    PERFORM kepler.set_enrichment_policy('lead');
    PERFORM kepler.upsert_records_summary('lead', (SELECT json_agg(json_build_object('external_id', i::text, 'data', json_build_object('t', repeat('x', 200))))::text FROM generate_series(1, many) AS i));
    PERFORM kepler.claim_records('lead', 'w', 50);
    PERFORM kepler.remember_many((SELECT json_agg(json_build_object('content', 'memory ' || i, 'user_id', 'u' || i % 20 + 1, 'embedding', json_build_array(i, 1, 1)))::text FROM generate_series(1, many / 10) AS i));
    INSERT INTO kepler.conversations (id, user_id) SELECT 'c' || i, 'u' || i FROM generate_series(1, 20) AS i;
    PERFORM kepler.add_messages('c' || c, (SELECT json_agg(json_build_object('role', 'user', 'content', 'm' || i)) FROM generate_series(1, many / 200) AS i)) FROM generate_series(1, 20) AS c;
    PERFORM kepler.create_entry_table('Part', '{"fields": [{"name": "of", "type": "reference", "to": "Part"}, {"name": "n", "type": "integer"}]}');
    PERFORM kepler.insert_entries('Part', (SELECT json_agg(json_build_object('n', i)) FROM generate_series(1, many / 10) AS i));
    PERFORM kepler.create_entry_table('Use', '{"fields": [{"name": "part", "type": "reference", "to": "Part"}]}');
END
$$;
SELECT kepler.create_workspace('kept');
CREATE FUNCTION left_of(workspace text) RETURNS TABLE (relation regclass, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN
        SELECT a.attrelid::regclass FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE a.attname = 'workspace_id' AND c.relname NOT LIKE 'history%' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace)
    LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE workspace_id = $1', relation) INTO rows USING workspace;
        IF rows > 0 THEN RETURN NEXT; END IF;
    END LOOP;
END
$$;
CALL fill('kept', 1000);
SQL
kept() { run_psql -c "SELECT string_agg(relation || ' ' || rows, ', ' ORDER BY relation::text) FROM kepler.workspace_report('kept') WHERE is_exported"; }
before=$(kept)
tables() { run_psql -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'kepler_data'::regnamespace AND relkind = 'r' AND relname LIKE '%entries'"; }
kill_server() {
  local postmaster children
  postmaster=$(head -n 1 "$PG_DATA/postmaster.pid")
  children=$(pgrep -P "$postmaster" | tr '\n' ' ')
  # shellcheck disable=SC2086
  run_as_server_user "$(type -P kill)" -KILL "$postmaster" $children || true
  # shellcheck disable=SC2086
  while kill -0 $postmaster $children 2>/dev/null; do sleep 0.1; done
}
gone() {
  local left
  left=$(run_psql -c "SELECT * FROM left_of('$1')")
  [[ -z $left ]] || die "$2: left of the workspace: $left"
  # Hashes stay, and what they are of is gone.
  [[ $(run_psql -c "SELECT count(*) FROM kepler.history WHERE workspace_id = '$1' AND (row_id IS NOT NULL OR old_values IS NOT NULL)") == 0 ]] || die "$2: the history tells of the workspace"
  [[ $(run_psql -c "SELECT count(*) FROM kepler.workspaces WHERE id = '$1'") == 0 ]] || die "$2: the workspace is there"
  [[ $(kept) == "$before" ]] || die "$2: another workspace has changed: $(kept)"
  [[ $(tables) == 2 ]] || die "$2: $(tables) entry tables"
}
delete() { run_psql -c "CALL kepler.delete_workspace('gone', with_rows => true, max_rows => ${1:-100})"; }

# Cancelled again and again, a little later each time, until it is through.
run_psql -c "CALL fill('gone', 2000)"
tries=0
until OPTIONS="-c statement_timeout=$((150 + 40 * tries))" delete 2>"$work/error"; do
  grep -q 'canceling statement' "$work/error" || die "the deletion failed: $(cat "$work/error")"
  tries=$((tries + 1))
done
[[ $tries -gt 0 ]] || die "nothing was cancelled"
gone gone cancelled

# The server dies.
for ((kill = 1; kill <= ${KILLS:-1}; kill++)); do
  run_psql -c "CALL fill('gone', 2000)"
  delete 10 >/dev/null 2>"$work/error" &
  deleting=$!
  # By then it is marked; what comes next differs from time to time.
  until [[ $(run_psql -c "SELECT count(*) FROM kepler.workspaces WHERE deleting_at IS NOT NULL") == 1 ]]; do sleep 0.02; done
  sleep "0.$((RANDOM % 8 + 1))"
  kill_server
  wait $deleting && die "the deletion was through before the server was killed"
  start_server "$name" "$major" 2>/dev/null
  [[ $(run_psql -c "SELECT count(*) FROM kepler.workspaces WHERE id = 'gone'") == 1 ]] || die "the workspace went before its rows"
  # Nothing works in it, and all works beside it.
  refused=$(run_psql -c "SELECT kepler.remember('no', workspace_id => 'gone')" 2>&1) && die "a function worked in a workspace that is being deleted"
  grep -q 'is being deleted' <<<"$refused" || die "$refused"
  run_psql -c "SELECT kepler.upsert_record('lead', '1', '{\"t\": 1}', workspace_id => 'kept')" >/dev/null
  delete 1000
  gone gone killed
done

# A writer under way, and writers beside it.
run_psql -c "CALL fill('gone', 2000)"
mkfifo "$work/in"
"$PG_BIN/psql" -XAtq <"$work/in" >"$work/writer" 2>&1 &
writer=$!
exec 3>"$work/in"
printf '%s\n' "BEGIN; SELECT kepler.upsert_records_summary('lead', '[{\"external_id\": \"late\", \"data\": {}}, {\"external_id\": \"1\", \"data\": {\"changed\": 1}}]', workspace_id => 'gone') IS NULL; \\echo written" >&3
until grep -q written "$work/writer"; do sleep 0.05; done
delete 100 >"$work/deleted" 2>&1 &
deleting=$!
until [[ $(run_psql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CALL kepler.delete%'") == 1 ]]; do sleep 0.05; done
OPTIONS='-c lock_timeout=2s' run_psql -c "SELECT kepler.upsert_records_summary('lead', '[{\"external_id\": \"beside\", \"data\": {}}]', workspace_id => 'kept')" \
  -c "SELECT kepler.add_message('c1', 'user', 'beside', workspace_id => 'kept')" >/dev/null || die "another workspace had to wait"
printf '%s\n' 'COMMIT; \echo committed' >&3
exec 3>&-
wait $writer
wait $deleting || die "the deletion failed: $(cat "$work/deleted")"
before=$(kept)
gone gone "beside a writer"

# By key: four times the rows cost four times the pages, not sixteen times.
pages() {
  run_psql -c "CALL fill('gone', $1)" -c "VACUUM ANALYZE kepler.records"
  run_psql -c "SELECT pg_stat_force_next_flush()" -c "CALL kepler.delete_workspace('gone', true, 500)" >/dev/null
  run_psql -c "SELECT pg_stat_force_next_flush()" >/dev/null
  run_psql -c "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) FROM pg_statio_all_tables WHERE relid IN ('kepler.records'::regclass, 'kepler.enrichment_queue'::regclass)"
}
a=$(pages 500) b=$(pages 2500) c=$(pages 10000)
echo "pages for 2500 rows: $((b - a)), for 10000: $((c - b))"
[[ $((c - b)) -lt $((8 * (b - a))) ]] || die "a deletion reads too much: $((b - a)) pages for 2500 rows, $((c - b)) for 10000"
gone gone "by key"

# An export of many rows: the session's own memory, as the server sees it.
memory() {
  run_psql -c "SET work_mem = '1MB'" -c "CREATE TEMP TABLE lines AS SELECT kepler.export_workspace('$1') AS line" \
    -c "SELECT (regexp_match(pg_read_file(format('/proc/%s/status', pg_backend_pid())), 'RssAnon:\s+(\d+) kB'))[1], count(*) FROM lines" | tail -n 1
}
run_psql -c "CALL fill('gone', 1000)"
small=$(memory gone)
run_psql -c "SET kepler.workspace_id = 'gone'" -c "SELECT FROM kepler.upsert_records_summary('more', (SELECT json_agg(json_build_object('external_id', i::text, 'data', json_build_object('t', repeat('x', 1000))))::text FROM generate_series(1, 30000) AS i))"
large=$(memory gone)
echo "kB and lines: $small, $large"
[[ $((${large%|*} - ${small%|*})) -lt 16000 ]] || die "an export of 30 MB takes $((${large%|*} - ${small%|*})) kB more than one of 1 MB"
