#!/usr/bin/env bash
# Promise: a worker that dies under load, and comes back, loses nothing that was acknowledged, and nothing is applied twice.
# Meanwhile workspaces on the other worker are written to. KILLS says how often.
# shellcheck source=tests/citus/load.sh
source "$(dirname "$0")/load.sh"

make_load
total=0
for ((kill = 1; kill <= ${KILLS:-2}; kill++)); do
  worker=${CITUS_WORKERS[$((kill % 2))]}
  begin_load $((kill * 100000))
  sleep 3
  before=$(acknowledged)
  [[ $before -gt 0 ]] || die "nothing got done: $(cat "$work"/*.error)"
  stop_server "$worker" citus immediate
  sleep 3
  during=$(($(acknowledged) - before))
  start_cluster
  sleep 3
  end_load
  # The transactions that were prepared there are ended by what the coordinator has written down.
  run_psql -o /dev/null -c 'SELECT recover_prepared_transactions()'
  compare_load
  after=$(($(acknowledged) - before - during))
  [[ $during -gt 0 ]] || die "the other worker stood still meanwhile: $(cat "$work"/*.error | sort | uniq -c | sort -rn | head -n 5)"
  [[ $after -gt $during ]] || die "it did not go on: $(tail -n 3 "$work"/*.error)"
  total=$((total + $(acknowledged)))
  echo "$before calls acknowledged before the crash, $during meanwhile, $after after it; $(failed_calls) failed"
done
for node in "${CITUS_WORKERS[@]}"; do
  [[ $(on_node "$node" -d $database -c 'SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()') -eq 0 ]] || die "$node has prepared transactions left"
done
echo "$total acknowledged calls, none lost and none applied twice in ${KILLS:-2} crashes of a worker"
