#!/usr/bin/env bash
# Promise: the collector for sql_exporter and the dashboard in examples/monitoring name metrics and labels that metrics() has, read
# counters by their rates, and the query that the collector sends runs as a member of pg_monitor.
# Runs on: 18, because metrics are the same on both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
start_server "${PG_MAJOR:-${PG:-18}}"
database=kepler_monitoring_$$ role=kepler_exporter_$$
picture=$(mktemp)
trap 'rm -f "$picture"; _admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP ROLE IF EXISTS $role"' EXIT
fresh_database "$database" install
_admin -c "CREATE ROLE $role LOGIN IN ROLE pg_monitor"
PGUSER=$role python3 "$ROOT/tools/monitoring.py" check "$database"
# What would draw the picture in the docs still does: three seconds of load.
PGUSER=postgres python3 "$ROOT/tools/monitoring.py" draw "$database" 2 "$picture"
grep -q '<polyline' "$picture" || die 'the drawing is empty'
echo 'the collector and the dashboard name what metrics() has'
