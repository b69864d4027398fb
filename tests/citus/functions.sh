#!/usr/bin/env bash
# Promise: every function works on a distributed database, for the owner and for each level of access, or is refused with
# the error that differs.txt names. With "kept" as its argument: every call is answered by one part of the tables, but for
# those that differ.txt names.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

suite=${1:-functions}
database=kepler_citus_$suite
start_cluster
for name in functions kept; do drop_cluster_database "kepler_citus_$name"; done
for role in nobody reader writer worker admin; do
  on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS access_$role"
done
cluster_database "$database" install distribute
for role in nobody reader writer worker admin; do on_node "$COORDINATOR" -d "$database" -c "CREATE ROLE access_$role LOGIN"; done
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/citus/functions.py" "$database" "$suite"
