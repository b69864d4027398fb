#!/usr/bin/env bash
# Promise: what roles under row security read and write by statements that name no workspace is on a distributed database what it is
# elsewhere, whatever they join, and nothing of another workspace is among it. Random statements (tenants.py) run in both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

export PG_BIN
start_cluster
for name in here there; do drop_cluster_database "kepler_citus_$name"; done
for role in all one; do
  on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_tenants_$role"
done
cluster_database kepler_citus_here install
for role in all one; do on_node "$COORDINATOR" -d kepler_citus_here -c "CREATE ROLE kepler_tenants_$role LOGIN"; done
cluster_database kepler_citus_there install distribute
for name in here there; do
  "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -d "kepler_citus_$name" -o /dev/null -f "$ROOT/tests/citus/tenants.sql"
  on_node "$COORDINATOR" -d "kepler_citus_$name" -o /dev/null -c "SELECT kepler.grant_access('kepler_tenants_all', 'writer')" \
    -c "SELECT kepler.grant_access('kepler_tenants_one', 'writer', 'globex')"
done
python3 "$ROOT/tests/citus/tenants.py" kepler_citus_here kepler_citus_there kepler_tenants_all acme,globex
python3 "$ROOT/tests/citus/tenants.py" kepler_citus_here kepler_citus_there kepler_tenants_one globex
