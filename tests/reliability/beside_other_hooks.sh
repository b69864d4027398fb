#!/usr/bin/env bash
# Promise: where another extension's planner hook raises an error below Kepler's, the error is that extension's own,
# and the session plans its later statements as ever.
# Runs on: 18, because what is tried is the library.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=hooks-$major
work=$(mktemp -d)
chmod 755 "$work"
trap 'remove_server "$server" "$major"; rm -rf "$work"' EXIT
remove_server "$server" "$major"
headers=$("$(pg_prefix "$major")/bin/pg_config" --includedir-server)
if ! command -v cc >/dev/null || [[ ! -f $headers/postgres.h ]]; then
  echo "skipped: no C compiler, or no headers of Postgres"
  exit 0
fi
cat >"$work/refuses.c" <<'C'
#include "postgres.h"
#include "fmgr.h"
#include "optimizer/planner.h"
PG_MODULE_MAGIC;
void _PG_init(void);
static planner_hook_type before;
static PlannedStmt *plan(Query *query, const char *text, int options, ParamListInfo parameters)
{
	if (text && strstr(text, "refuse me"))
		ereport(ERROR, (errcode(MAKE_SQLSTATE('K', 'X', '0', '0', '3')), errmsg("refused")));
	return before ? before(query, text, options, parameters) : standard_planner(query, text, options, parameters);
}
void _PG_init(void) { before = planner_hook; planner_hook = plan; }
C
cc -shared -fPIC -O1 -I "$headers" -o "$work/refuses.so" "$work/refuses.c"
start_server "$server" "$major" "session_preload_libraries = '$work/refuses, kepler'"
use_server "$server" "$major"
fresh_database hooks install
found=$("$PG_BIN/psql" -XAtq -d hooks 2>&1 <<'SQL'
\set VERBOSITY sqlstate
SET kepler.plan_for_large_tables = on;
SELECT 'refuse me' FROM kepler.records;
DO $$ BEGIN PERFORM 'refuse me' FROM kepler.records; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', sqlerrm; END $$;
SET kepler.plan_for_large_tables = off;
SHOW enable_seqscan;
CREATE TABLE plain AS SELECT 1 AS a;
ANALYZE plain;
EXPLAIN SELECT * FROM plain;
SQL
)
wanted='ERROR:  KX003
NOTICE:  00000
on
Seq Scan on plain  (cost=0.00..1.01 rows=1 width=4)'
[[ $found == "$wanted" ]] || die "after an error in another planner hook: $found"
echo "errors of another planner hook leave nothing behind"
