#!/usr/bin/env bash
# Promise: everything on the pages works on a distributed database. The SQL of each page runs as in docs_examples, on a cluster;
# as soon as a page has installed Kepler, the database is distributed. Blocks that end otherwise there stand in differs.txt.
# T="docs/guide.md …" chooses pages.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

start_cluster
export PAGES=${T:-} PGOPTIONS='-c client_min_messages=warning'
distributed=''
# shellcheck disable=SC2154  # database is that of docs_examples.sh
fresh_database() {
  distributed=''
  if [[ $1 == dropped ]]; then drop_cluster_database "$database"; else cluster_database "$database"; fi
}
# Behind the block that has installed Kepler.
after_block() {
  [[ -z $distributed ]] || return 0
  if [[ $(on_node "$COORDINATOR" -d "$database" -c "SELECT to_regclass('kepler.workspaces') IS NOT NULL") == t ]]; then
    distributed=yes
    distribute "$database"
  fi
}
# The first line of a block is its name.
is_otherwise() { differs pages "$1: $(head -n 1 "$2.sql")" "$(cat "$2.out" "$2.err")"; }
# shellcheck source=tests/reliability/docs_examples.sh
source "$ROOT/tests/reliability/docs_examples.sh"
