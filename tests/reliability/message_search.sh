#!/usr/bin/env bash
# Promise: a search over messages gives as many hits as were asked for, if so many meet the conditions (of a user, of a
# conversation or some kinds of it, of roles, of a time, with metadata, with words); where the plan is exact they are the
# nearest, elsewhere 95 in 100 of them. What expand gives beside them is what stands so near in the conversation, each
# message once, in its order, some messages being deleted. As the owner and as a role under row security; no table is
# read as a whole.
# Long form: ROWS=200000 SEARCHES=1000, five minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export KEPLER_DATABASE=kepler_message_search ROWS=${ROWS:-20000} SEARCHES=${SEARCHES:-300} SEED=${SEED:-1}
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
drop() {
  admin -c "DROP DATABASE IF EXISTS $KEPLER_DATABASE WITH (FORCE)" -c "DROP ROLE IF EXISTS kepler_message_reader"
}
trap drop EXIT
drop
fresh_database "$KEPLER_DATABASE" install
PYTHONPATH="$ROOT/tools" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/reliability/message_search.py"
