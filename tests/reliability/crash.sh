#!/usr/bin/env bash
# Promise: what was acknowledged is there after a crash, whole batches only. Four sessions upsert while the server is
# killed (KILLS times); after its recovery every acknowledged batch is unchanged when sent again, and no batch is there
# in part.
# Long form: KILLS=20, three minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=crash-$major
work=$(mktemp -d)
trap 'remove_server "$name" "$major"; rm -rf "$work"' EXIT
start_server "$name" "$major" 'checkpoint_timeout = 30s'
run_psql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
run_psql -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
run_psql <<'SQL'
-- Batch `round` of session `client`: 50 records of its own, and all 20 that the sessions share.
CREATE FUNCTION batch(client integer, round integer) RETURNS text LANGUAGE sql AS $$
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"round": %s, "text": "%s"}}', id, round, repeat(md5(id), 10)), ',') || ']'
    FROM (SELECT format('%s %s %s', client, round, i) AS id FROM generate_series(1, 50) AS i
          UNION ALL SELECT format('shared %s', i) FROM generate_series(1, 20) AS i) AS ids
$$;
SQL

# Each session writes down a round when the server has acknowledged it.
session() {
  local client=$1 first=$2
  for ((round = first; ; round++)); do
    printf '%s\n' "SELECT FROM kepler.upsert_records_summary('crash', batch($client, $round)); \\echo $round"
  done | head -n 100000 | "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 >"$work/$client" 2>"$work/$client.error" || true
}
total=0
for ((kill = 1; kill <= ${KILLS:-1}; kill++)); do
  first=$((kill * 100000)) pids=()
  for client in 1 2 3 4; do
    session $client $first &
    pids+=($!)
  done
  sleep 3
  stop_server "$name" "$major" immediate
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  start_server "$name" "$major" 'checkpoint_timeout = 30s'

  for client in 1 2 3 4; do
    last=$(grep -E '^[0-9]+$' "$work/$client" | tail -n 1 || true)
    [[ ${last:-0} -gt 0 ]] || die "session $client got nothing done: $(cat "$work/$client.error")"
    rounds=$((last - first + 1)) total=$((total + last - first + 1))
    lost=$(run_psql -c "SELECT count(*) FROM generate_series($first, $last) AS round, generate_series(1, 50) AS i
      WHERE NOT EXISTS (SELECT FROM kepler.records WHERE external_id = format('%s %s %s', $client, round, i) AND data->>'round' = round::text)")
    [[ $lost -eq 0 ]] || die "session $client: $lost acknowledged records are lost"
    partial=$(run_psql -c "SELECT count(*) FROM (SELECT split_part(external_id, ' ', 2) FROM kepler.records WHERE external_id LIKE '$client %' GROUP BY 1 HAVING count(*) <> 50) AS p")
    [[ $partial -eq 0 ]] || die "session $client: $partial batches are there in part"
    again=$(run_psql -c "SELECT sum((kepler.upsert_records_summary('crash', (SELECT jsonb_agg(e) FROM jsonb_array_elements(batch($client, round)::jsonb) AS e
      WHERE e->>'external_id' NOT LIKE 'shared%'))->>'unchanged')::int) FROM generate_series($first, least($last, $first + 49)) AS round")
    [[ $again -eq $((50 * (rounds < 50 ? rounds : 50))) ]] || die "session $client: only $again records are unchanged"
  done
done
[[ $(run_psql -c "SELECT count(*) FROM kepler.records WHERE external_id LIKE 'shared %' AND content_hash = kepler.jsonb_hash(data)") -eq 20 ]] || die "the shared records are damaged"
echo "$total acknowledged batches, none lost in ${KILLS:-1} kills"
