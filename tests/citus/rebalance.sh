#!/usr/bin/env bash
# Promise: parts that move from one worker to the other under load lose nothing that was acknowledged, and nothing is applied
# twice. All parts of one worker are moved away, then spread again.
# shellcheck source=tests/citus/load.sh
source "$(dirname "$0")/load.sh"

make_load
parts() { run_psql -c "SELECT string_agg(n::text, ' and ') FROM (SELECT count(*) AS n FROM citus_shards WHERE table_name = 'kepler.records'::regclass GROUP BY nodename ORDER BY nodename) AS c"; }
worker=$(server_socket_dir "${CITUS_WORKERS[0]}")
begin_load 100000
sleep 2
[[ $(acknowledged) -gt 0 ]] || die "nothing got done: $(cat "$work"/*.error)"
echo "parts on the workers: $(parts)"
run_psql -o /dev/null -c "SELECT citus_drain_node('$worker', 5432, shard_transfer_mode => '${MODE:-block_writes}')"
moved=$(acknowledged)
echo "after one was drained: $(parts); $moved calls acknowledged"
run_psql -o /dev/null -c "SELECT citus_set_node_property('$worker', 5432, 'shouldhaveshards', true)" -c "SELECT rebalance_table_shards(shard_transfer_mode => '${MODE:-block_writes}')"
sleep 2
end_load
echo "after they were spread again: $(parts); $(acknowledged) calls acknowledged"
compare_load
[[ $(failed_calls) -eq 0 ]] || die "$(failed_calls) calls failed: $(cat "$work"/*.error | sort | uniq -c | sort -rn | head -n 5)"
[[ $(acknowledged) -gt $moved ]] || die 'nothing was written at the end'
echo "$(acknowledged) acknowledged calls, none lost and none applied twice"
