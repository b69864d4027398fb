#!/usr/bin/env bash
# Promise: on a distributed database the regression files give what they give elsewhere, but for those in differs.txt. With
# "isolation" as its argument: the isolation specs. What is about install() in a fresh database has nothing to be distributed.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"
# shellcheck source=tools/suites.sh
source "$ROOT/tools/suites.sh"
# shellcheck source=tools/server-log.sh
source "$ROOT/tools/server-log.sh"

major=citus
is_otherwise() { differs "$1" "$2" "$(cat "$3")"; }
start_cluster
begin_log citus
if [[ ${1:-} == isolation ]]; then
  mapfile -t names < <(select_files isolation specs spec)
  cluster_database kepler_citus_isolation install distribute
  # A session may wait for another on a worker.
  on_node "$COORDINATOR" -d kepler_citus_isolation -o /dev/null -c 'SELECT citus_internal.replace_isolation_tester_func()'
  run_suite isolation "$DRIVERS/isolation/pg_isolation_regress" kepler_citus_isolation ${names[@]+"${names[@]}"}
else
  mapfile -t names < <(select_files pg_regress sql sql | grep -vxE 'before_install|install|seed_003_inventory_record')
  cluster_database kepler_citus_regress install distribute
  run_suite pg_regress "$DRIVERS/regress/pg_regress" kepler_citus_regress ${names[@]+"${names[@]}"}
fi
check "citus server-log/${1:-pg_regress}" log_is_clean citus
