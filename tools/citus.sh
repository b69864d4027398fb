# shellcheck shell=bash
# A Citus cluster of private servers on this machine, for tests and benchmarks: one coordinator and two workers, of the
# Postgres whose pg_config is CITUS_PG_CONFIG, with Citus installed. Sourced after lib.sh. The nodes find each other by
# their socket folders, which Citus takes for host names: nothing listens on TCP.

[[ -n ${CITUS_PG_CONFIG:-} ]] || die "CITUS_PG_CONFIG must name the pg_config of a Postgres that has Citus"
[[ -x $CITUS_PG_CONFIG ]] || die "CITUS_PG_CONFIG=$CITUS_PG_CONFIG: there is no such program"
OTHER_PREFIX=$("$CITUS_PG_CONFIG" --bindir)
export OTHER_PREFIX=${OTHER_PREFIX%/bin}
[[ -f $("$CITUS_PG_CONFIG" --sharedir)/extension/citus.control ]] || die "$CITUS_PG_CONFIG belongs to a Postgres without Citus"

# The names end as those of other servers do, so that server-log.sh finds their logs.
COORDINATOR=coordinator-citus
CITUS_WORKERS=(worker1-citus worker2-citus)
CITUS_NODES=("$COORDINATOR" "${CITUS_WORKERS[@]}")

# Statements of one test run on one connection for each shard placement, so a node gets many.
CITUS_SETTINGS=(
  "shared_preload_libraries = 'citus'"
  "max_connections = 200"
  "max_prepared_transactions = 200"
  "max_worker_processes = 32"
  "shared_buffers = 128MB"
  "wal_level = logical"
  "wal_retrieve_retry_interval = 50"
  "citus.node_conninfo = 'sslmode=disable'"
  "citus.shard_count = ${CITUS_SHARDS:-4}"
  "citus.max_background_task_executors = 1"
)

# start_cluster: starts what does not run, with CITUS_SETTINGS. Leaves the coordinator as the server in use.
start_cluster() {
  local node
  for node in "${CITUS_NODES[@]}"; do
    start_server "$node" citus "${CITUS_SETTINGS[@]}" "citus.local_hostname = '$(server_socket_dir "$node")'"
  done
  use_server "$COORDINATOR" citus
}
stop_cluster() { local node; for node in "${CITUS_NODES[@]}"; do stop_server "$node" citus "${1:-fast}"; done; }
remove_cluster() { local node; for node in "${CITUS_NODES[@]}"; do remove_server "$node" citus; done; }

# on_node NODE psql-argument…
on_node() (
  use_server "$1" citus
  shift
  PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"
)

# drop_cluster_database NAME: on all nodes.
drop_cluster_database() {
  local node
  for node in "${CITUS_NODES[@]}"; do on_node "$node" -d postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)"; done
}

# cluster_database NAME [install [distribute]]: the database anew, on all nodes, with Citus; with "install" also Kepler and
# its tables, with "distribute" distributed.
cluster_database() {
  local name=$1 step node
  drop_cluster_database "$name"
  for node in "${CITUS_NODES[@]}"; do
    on_node "$node" -d postgres -c "CREATE DATABASE $name TEMPLATE template0"
    on_node "$node" -d "$name" -c 'CREATE EXTENSION citus'
  done
  on_node "$COORDINATOR" -d "$name" -o /dev/null -c "SELECT citus_set_coordinator_host('$(server_socket_dir "$COORDINATOR")', 5432)"
  for node in "${CITUS_WORKERS[@]}"; do
    on_node "$COORDINATOR" -d "$name" -o /dev/null -c "SELECT citus_add_node('$(server_socket_dir "$node")', 5432)"
  done
  for step in "${@:2}"; do
    case $step in
      install) on_node "$COORDINATOR" -d "$name" -o /dev/null -c "SET client_min_messages = error" -c "CREATE EXTENSION kepler CASCADE" -c 'SELECT kepler.install()' ;;
      distribute) distribute "$name" ;;
      *) die "cluster_database: $step?" ;;
    esac
  done
}

# distribute NAME: as a user does.
distribute() {
  on_node "$COORDINATOR" -d "$1" -o /dev/null -c 'SELECT kepler.distribute()'
}

# differs SUITE NAME OUTPUT: whether tests/citus/differs.txt says that this is otherwise on a cluster, with these words in its
# output. Notes that it was met.
differs() {
  local suite name words
  while IFS='|' read -r suite name words _; do
    if [[ $suite == "$1 " && $name == " $2 " && $3 == *"$(sed 's/^ *//; s/ *$//' <<<"$words")"* ]]; then
      echo "$1 $2" >>"$BUILD/citus-differs"
      return 0
    fi
  done <"$ROOT/tests/citus/differs.txt"
  return 1
}
