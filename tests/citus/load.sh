# shellcheck shell=bash
# Writers for crash.sh and rebalance.sh, which source this: each session writes to workspaces of its own, notes what the
# server has acknowledged, and goes on after errors. Then what is there is compared with the notes.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

database=kepler_citus_load
clients=4 spaces=4
work=$(mktemp -d)
pids=()
run_psql() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$database" "$@"; }
# shellcheck disable=SC2329  # called by the trap
clean_up() {
  [[ ${#pids[@]} -eq 0 ]] || end_load
  rm -rf "$work"
}
trap clean_up EXIT

make_load() {
  local client space node
  start_cluster
  # What a move that was interrupted has left behind.
  for node in "${CITUS_NODES[@]}"; do
    on_node "$node" -d postgres <<<"SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname LIKE 'citus_shard_move_%' \\gexec"
  done
  cluster_database $database install distribute
  for ((client = 1; client <= clients; client++)); do
    for ((space = 1; space <= spaces; space++)); do
      run_psql -o /dev/null -c "SELECT kepler.create_workspace('w$client-$space')" \
        -c "SET kepler.workspace_id = 'w$client-$space'" -c "INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com')" \
        -c "INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u')"
    done
  done
  run_psql <<'SQL'
CREATE FUNCTION public.batch(client integer, round integer) RETURNS text LANGUAGE sql AS $$
    SELECT '[' || string_agg(format('{"external_id": "%s %s %s", "data": {"round": %s, "text": "%s"}}', client, round, i, round, repeat(md5(i::text), 10)), ',') || ']'
    FROM generate_series(1, 50) AS i
$$;
SQL
}

# A round is a batch of records, and a message, in one of the session's workspaces. What the server has acknowledged is
# written down: "r ROUND" and "m ROUND"; "e" is an error.
session() {
  local client=$1 first=$2 round space
  for ((round = first; ; round++)); do
    space=w$client-$((round % spaces + 1))
    printf '%s\n' "SELECT FROM kepler.upsert_records_summary('load', batch($client, $round), workspace_id => '$space');" \
      "\\if :ERROR \\echo e \\else \\echo r $round \\endif" \
      "SELECT FROM kepler.add_message('talk', 'user', 'said in $round', workspace_id => '$space');" \
      "\\if :ERROR \\echo e \\else \\echo m $round \\endif"
  done | "$PG_BIN/psql" -XAtq -d "$database" >"$work/$client" 2>"$work/$client.error" || true
}
begin_load() {
  local client
  pids=()
  for ((client = 1; client <= clients; client++)); do
    session "$client" "$1" &
    pids+=($!)
  done
}
end_load() {
  local pid
  for pid in "${pids[@]}"; do pkill -P "$pid" 2>/dev/null || true; kill "$pid" 2>/dev/null || true; done
  wait "${pids[@]}" 2>/dev/null || true
  pids=()
}
acknowledged() { cat "$work"/[0-9] 2>/dev/null | grep -c '^[rm] ' || true; }
failed_calls() { cat "$work"/[0-9] 2>/dev/null | grep -c '^e' || true; }

# What was acknowledged is there, once and whole; what was not is there as a whole or not at all, and once.
compare_load() {
  local client
  for ((client = 1; client <= clients; client++)); do
    sed -n 's/^r //p' "$work/$client" | run_psql -c 'CREATE TEMP TABLE told (round integer)' -c '\copy told FROM pstdin' -c "
      DO \$do\$
      DECLARE found integer;
      BEGIN
        CREATE TEMP TABLE batches AS SELECT r.workspace_id, split_part(r.external_id, ' ', 2)::integer AS round, count(*) AS records FROM kepler.records AS r
          WHERE r.workspace_id IN (SELECT 'w$client-' || s FROM generate_series(1, $spaces) AS s) AND r.external_id LIKE '$client %' GROUP BY 1, 2;
        SELECT count(*) INTO found FROM told AS t LEFT JOIN batches AS b ON b.workspace_id = 'w$client-' || t.round % $spaces + 1 AND b.round = t.round
          WHERE b.records IS DISTINCT FROM 50;
        IF found > 0 THEN RAISE EXCEPTION '% acknowledged batches are not there', found; END IF;
        SELECT count(*) INTO found FROM batches WHERE records <> 50;
        IF found > 0 THEN RAISE EXCEPTION '% batches are there in part', found; END IF;
      END \$do\$"
    sed -n 's/^m //p' "$work/$client" | run_psql -c 'CREATE TEMP TABLE told (round integer)' -c '\copy told FROM pstdin' -c "
      DO \$do\$
      DECLARE found integer;
      BEGIN
        CREATE TEMP TABLE said AS SELECT workspace_id, content, number FROM kepler.messages
          WHERE workspace_id IN (SELECT 'w$client-' || s FROM generate_series(1, $spaces) AS s);
        SELECT count(*) INTO found FROM told AS t LEFT JOIN said AS m ON m.workspace_id = 'w$client-' || t.round % $spaces + 1 AND m.content = 'said in ' || t.round
          WHERE m.number IS NULL;
        IF found > 0 THEN RAISE EXCEPTION '% acknowledged messages are not there', found; END IF;
        SELECT count(*) INTO found FROM (SELECT FROM said GROUP BY content HAVING count(*) > 1) AS p;
        IF found > 0 THEN RAISE EXCEPTION '% messages are there twice', found; END IF;
        SELECT count(*) INTO found FROM (SELECT FROM said GROUP BY workspace_id, number HAVING count(*) > 1) AS p;
        IF found > 0 THEN RAISE EXCEPTION '% numbers of messages were given twice', found; END IF;
      END \$do\$"
  done
  run_psql -c "DO \$do\$ BEGIN
    IF (SELECT count(*) FROM kepler.records WHERE content_hash <> kepler.jsonb_hash(data)) > 0 THEN RAISE EXCEPTION 'a hash is not that of its data'; END IF; END \$do\$"
}
