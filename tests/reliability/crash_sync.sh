#!/usr/bin/env bash
# Promise: a sync run survives the death of the server (kill -9 of the postmaster and its children), at any moment of its copies,
# merges, calls and sweep. What was acknowledged is in the records or still in the inbox, copies and calls whole or not at all.
# A run that was not finished does not count as finished. Resumed, it ends as a run that nothing disturbed: the same records,
# none twice, and deleted is what it did not list. The feed tells each of its changes once.
# Long form: KILLS=20, four minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=crash-sync-$major
work=$(mktemp -d)
trap 'remove_server "$name" "$major"; rm -rf "$work"' EXIT
RANDOM=7
# What an interrupted run left.
remove_server "$name" "$major"
start_server "$name" "$major" 'checkpoint_timeout = 30s'
run_psql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
run_psql -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
# Of what was there before, the run lists nothing. A call or a copy has 50 elements, of which every seventh is no JSON object.
run_psql >/dev/null <<'SQL'
SELECT kepler.upsert_records_summary('stream', (SELECT json_agg(json_build_object('external_id', 'old ' || i, 'data', '{}'::json))::text FROM generate_series(1, 600) AS i));
CREATE FUNCTION elements(client text, round integer) RETURNS TABLE (line text) LANGUAGE sql AS $$
    SELECT CASE WHEN i % 7 = 0 THEN format('["%s %s %s"]', client, round, i) ELSE
        format('{"id": "%s %s %s", "round": %s, "text": "%s"}', client, round, i, round, repeat(md5(i::text), 10)) END
    FROM generate_series(1, 50) AS i ORDER BY i
$$;
CREATE FUNCTION lines(client text, round integer) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(line, e'\n') FROM elements(client, round)
$$;
CREATE FUNCTION listed(client text, first integer, last integer) RETURNS TABLE (id text, round integer) LANGUAGE sql AS $$
    SELECT format('%s %s %s', client, round, i), round FROM generate_series(first, last) AS round, generate_series(1, 50) AS i WHERE i % 7 <> 0
$$;
-- Rejects of earlier rounds: an entity keeps so many and no more.
CREATE TABLE earlier_rejects (document text);
-- Elements that are stored or wait, by client and round; rejects by their document.
CREATE VIEW found AS
SELECT split_part(e.id, ' ', 1) AS client, split_part(e.id, ' ', 2)::integer AS round, count(*) AS elements, count(DISTINCT e.id) AS ids
FROM (SELECT r.external_id FROM kepler.records AS r WHERE r.entity_type = 'stream'
      UNION ALL SELECT coalesce(substring(i.line FROM '"id": "([^"]*)"'), substring(i.line FROM '\["([^"]*)"\]')) FROM kepler.inbox AS i
      UNION ALL SELECT substring(x.document FROM '\["([^"]*)"\]') FROM (
          SELECT document FROM kepler.rejects UNION SELECT document FROM earlier_rejects) AS x) AS e (id)
WHERE e.id NOT LIKE 'old %' GROUP BY 1, 2;
SQL
# Written before the run began.
run=$(run_psql -c "SELECT sync_run_id FROM kepler.begin_sync(NULL, 'stream')")

# A client writes down a round when the server has acknowledged it.
client() {
  local client=$1 first=$2
  for ((round = first; ; round++)); do
    if [[ $client == copy* ]]; then
      printf 'COPY kepler.inbox (line) FROM STDIN WITH (FORMAT csv, QUOTE e%s, DELIMITER e%s);\n' "'\\x01'" "'\\x02'"
      for ((i = 1; i <= 50; i++)); do
        if ((i % 7 == 0)); then printf '["%s %s %s"]\n' "$client" $round $i; else printf '{"id": "%s %s %s", "round": %s, "text": "%0320d"}\n' "$client" $round $i $round $i; fi
      done
      printf '\\.\n\\echo %s\n' "$round"
    else
      printf '%s\n' "SELECT FROM kepler.upsert_records_summary('stream', lines('$client', $round), sync_run_id => '$run', id_key => 'id'); \\echo $round"
    fi
  done | head -n 400000 | PGOPTIONS="-c kepler.sync_run_id=$run" "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 >"$work/$client" 2>"$work/$client.error" || true
}
merger() {
  while "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -c "CALL kepler.merge_inbox('$run', 130, id_key => 'id')" >>"$work/merger" 2>&1; do :; done
}
kill_server() {
  local postmaster children
  postmaster=$(head -n 1 "$PG_DATA/postmaster.pid")
  children=$(pgrep -P "$postmaster" | tr '\n' ' ')
  # shellcheck disable=SC2086
  run_as_server_user "$(type -P kill)" -KILL "$postmaster" $children || true
  # shellcheck disable=SC2086
  while kill -0 $postmaster $children 2>/dev/null; do sleep 0.1; done
}
# shellcheck disable=SC2001 # an expression is clearer
fraction() { echo "$((RANDOM % $1 + $2))" | sed 's/\(.\)$/.\1/'; }

total=0 kills=${KILLS:-1}
for ((kill = 1; kill <= kills; kill++)); do
  first=$((kill * 100000)) pids=()
  for client in copy1 copy2 call; do
    client $client $first &
    pids+=($!)
  done
  merger &
  pids+=($!)
  sleep "$(fraction 20 12)"
  kill_server
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  start_server "$name" "$major" 'checkpoint_timeout = 30s'
  [[ $(run_psql -c "SELECT status FROM kepler.sync_runs WHERE id = '$run'") == RUNNING ]] || die "a run that was not finished has ended"
  [[ $(run_psql -c "SELECT sync_run_id FROM kepler.resume_sync(entity_type => 'stream')") == "$run" ]] || die "the run cannot be resumed"
  for client in copy1 copy2 call; do
    last=$(grep -E '^[0-9]+$' "$work/$client" | tail -n 1 || true)
    [[ ${last:-0} -gt 0 ]] || die "$client got nothing done: $(cat "$work/$client.error")"
    total=$((total + last - first + 1))
    lost=$(run_psql -c "SELECT count(*) FROM generate_series($first, $last) AS round WHERE NOT EXISTS (SELECT FROM found AS f WHERE f.client = '$client' AND f.round = round)")
    [[ $lost -eq 0 ]] || die "$client: $lost acknowledged rounds are lost"
  done
  broken=$(run_psql -c "SELECT count(*) FROM found WHERE ids <> 50")
  run_psql -c 'WITH gone AS (DELETE FROM kepler.rejects RETURNING document) INSERT INTO earlier_rejects TABLE gone'
  [[ $broken -eq 0 ]] || die "$broken rounds are there in part: $(run_psql -c 'SELECT * FROM found WHERE ids <> 50 LIMIT 5')"
done

# The end of the run, disturbed too: the rest of the inbox, then the sweep in small steps.
run_psql -c "CALL kepler.merge_inbox('$run')"
deaths=0
for ((kill = 1; kill <= kills; kill++)); do
  "$PG_BIN/psql" -XAtq -c "CALL kepler.sweep_sync('$run', max_delete_fraction => 1, allow_rejects => true, max_rows => 3)" >>"$work/sweep" 2>&1 &
  pid=$!
  sleep "0.$((RANDOM % 8 + 1))"
  kill_server
  wait $pid || deaths=$((deaths + 1))
  start_server "$name" "$major" 'checkpoint_timeout = 30s'
  state=$(run_psql -c "SELECT CASE WHEN (r.status = 'SUCCESS') = (r.deleted = 600 AND r.ended_at IS NOT NULL)
          AND r.deleted = (SELECT count(*) FROM kepler.records WHERE external_id LIKE 'old %' AND deleted_at IS NOT NULL)
          AND (r.status = 'SUCCESS') = EXISTS (SELECT FROM kepler.entities AS e WHERE e.last_sync_id = r.id)
      THEN 'right' ELSE r::text END FROM kepler.sync_runs AS r WHERE r.id = '$run'")
  [[ $state == right ]] || die "the run is not what its records say: $state"
done
run_psql -c "CALL kepler.sweep_sync('$run', max_delete_fraction => 1, allow_rejects => true)"

# A run that nothing disturbs, of the same elements.
run_psql >/dev/null <<SQL
SELECT kepler.upsert_records_summary('calm', (SELECT json_agg(json_build_object('external_id', 'old ' || i, 'data', '{}'::json))::text FROM generate_series(1, 600) AS i));
SELECT sync_run_id AS calm FROM kepler.begin_sync(NULL, 'calm') \gset
INSERT INTO kepler.inbox (sync_run_id, line)
SELECT :'calm', coalesce(jsonb_build_object('id', l.id, 'round', f.round, 'text', CASE WHEN f.client LIKE 'copy%' THEN lpad(split_part(l.id, ' ', 3), 320, '0') ELSE repeat(md5(split_part(l.id, ' ', 3)), 10) END)::text)
FROM found AS f CROSS JOIN LATERAL listed(f.client, f.round, f.round) AS l;
-- By the rounds and not by what is kept of them, since an entity keeps only so many.
INSERT INTO kepler.inbox (sync_run_id, line)
SELECT :'calm', format('["%s %s %s"]', f.client, f.round, i) FROM found AS f, generate_series(7, 50, 7) AS i;
CALL kepler.merge_inbox(:'calm', id_key => 'id');
CALL kepler.sweep_sync(:'calm', max_delete_fraction => 1, allow_rejects => true);
SQL
differ=$(run_psql -c "SELECT count(*) FROM (SELECT external_id, data, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'stream') AS a
  FULL JOIN (SELECT external_id, data, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'calm') AS b USING (external_id)
  WHERE a.data IS DISTINCT FROM b.data OR a.deleted IS DISTINCT FROM b.deleted")
[[ $differ -eq 0 ]] || die "$differ records differ from those of a run that nothing disturbed"
counts=$(run_psql -c "SELECT count(DISTINCT (status, deleted, records, counts - 'seen')), min(status::text), min(deleted) FROM kepler.sync_runs")
[[ $counts == '1|SUCCESS|600' ]] || die "the runs differ: $(run_psql -c 'SELECT status, deleted, records, counts FROM kepler.sync_runs')"
# The feed told each record once, and each deletion once, to somebody who follows it page by page.
run_psql <<'SQL'
CREATE TABLE told (row_id text, operation text);
DO $$
DECLARE
    position text;
    page integer;
    last text;
BEGIN
    LOOP
        WITH read AS MATERIALIZED (
            SELECT c.cursor, c.row_id, c.operation, c.n FROM kepler.changes_since(position, 100000)
                WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)
        ), kept AS (INSERT INTO told SELECT r.row_id, r.operation FROM read AS r)
        SELECT count(*), (array_agg(r.cursor ORDER BY r.n DESC))[1] INTO page, last FROM read AS r;
        EXIT WHEN page = 0;
        position := last;
    END LOOP;
END
$$;
SQL
wrong=$(run_psql -c "SELECT count(*) FROM (
      SELECT t.row_id, count(*) FILTER (WHERE t.operation = 'INSERT') AS inserts, count(*) FILTER (WHERE t.operation = 'UPDATE') AS updates, count(*) AS changes
      FROM told AS t GROUP BY 1) AS t
  FULL JOIN kepler.records AS r ON r.id = t.row_id
  WHERE (t.inserts, t.updates, t.changes) IS DISTINCT FROM (1::bigint, (r.deleted_at IS NOT NULL)::integer::bigint, 1 + (r.deleted_at IS NOT NULL)::integer::bigint)")
[[ $wrong -eq 0 ]] || die "the feed skipped or repeated changes of $wrong records"
records=$(run_psql -c "SELECT count(*) FROM kepler.records WHERE entity_type = 'stream' AND deleted_at IS NULL")
echo "$total acknowledged copies and calls, none lost in $((2 * kills)) kills, $deaths of them in the sweep; $records records"
