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
# The database, distributed; without the warnings of Citus about what it does not spread. What hangs is ended. In a transaction that
# asks many parts Citus refuses what comes after, unless it goes from one to the next: so it does that here, as it proposes.
prepare() {
  cluster_database "$roles_in" install distribute
  on_node "$COORDINATOR" -d "$roles_in" -c "ALTER DATABASE $roles_in SET citus.enable_unsupported_feature_messages = off" \
    -c "ALTER DATABASE $roles_in SET citus.multi_shard_modify_mode = sequential" -c "ALTER DATABASE $roles_in SET statement_timeout = '60s'"
}
is_otherwise() { differs "$1" "$2" "$(cat "$3")"; }
# Citus works on other nodes in connections of the caller's role. So a role must be there before the transaction begins, and
# may log in. The roles of all files are made before; where a file makes or drops one, that is a comment.
adapt() {
  local role
  { grep -rhoE 'CREATE ROLE [^;$]+;' "$1"/sql "$1"/specs 2>/dev/null || true; } | sort -u | while read -r role; do
    # The same name with other attributes is there already.
    on_node "$COORDINATOR" -d "$roles_in" -c "${role%;} LOGIN" 2>/dev/null || true
  done
  sed -i -E 's/^( *)((CREATE|DROP) ROLE )/\1-- \2/' "$1"/sql/*.sql "$1"/specs/*.spec "$1"/expected/*.out 2>/dev/null || true
}
start_cluster
begin_log citus
if [[ ${1:-} == isolation ]]; then
  mapfile -t names < <(select_files isolation specs spec)
  roles_in=kepler_citus_isolation
  prepare
  # A session may wait for another on a worker.
  on_node "$COORDINATOR" -d kepler_citus_isolation -o /dev/null -c 'SELECT citus_internal.replace_isolation_tester_func()'
  run_suite isolation "$DRIVERS/isolation/pg_isolation_regress" kepler_citus_isolation ${names[@]+"${names[@]}"}
else
  mapfile -t names < <(select_files pg_regress sql sql | grep -vxE 'before_install|install|seed_003_inventory_record')
  roles_in=kepler_citus_regress
  prepare
  run_suite pg_regress "$DRIVERS/regress/pg_regress" kepler_citus_regress ${names[@]+"${names[@]}"}
fi
check "citus server-log/${1:-pg_regress}" log_is_clean citus
