#!/usr/bin/env bash
# A Citus cluster on this machine, to try Kepler on: a coordinator and two workers of the Postgres whose pg_config is
# CITUS_PG_CONFIG, which has Citus installed. Private servers, as all others here; "tools/serve.sh stop" stops them too.
# Usage: tools/citus-cluster.sh start|stop|remove|psql [psql arguments]|database NAME [install] [distribute]
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

what=${1:-}
[[ $# -eq 0 ]] || shift
case $what in
  start)
    [[ -n ${KEPLER_INSTALLED:-} ]] || KEPLER_ANY_PROFILE=yes KEPLER_OWN_POSTGRES=yes "$ROOT/tools/build.sh" "$CITUS_PG_CONFIG"
    start_cluster
    say "the cluster is ready (PGHOST=$PGHOST PGUSER=$PGUSER)"
    ;;
  stop) stop_cluster ;;
  remove) remove_cluster ;;
  psql)
    start_cluster
    exec "$PG_BIN/psql" "$@"
    ;;
  database)
    start_cluster
    cluster_database "$@"
    ;;
  *) die "usage: tools/citus-cluster.sh start|stop|remove|psql|database" ;;
esac
