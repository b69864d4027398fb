#!/usr/bin/env bash
# Promise: a database of the last release is brought to this version without losing anything. Until ALTER EXTENSION kepler UPDATE
# the new library serves the old functions, or says what to run; between that and install() functions say what to run; after
# install() functions and tables are in every detail those of a new database, each row is as it was, each feature works on
# them, and sessions that were connected all the time go on. An upgrade waits no longer than lock_timeout says, and one that
# is interrupted or killed changes nothing. Nobody's function is taken over.
# tests/upgrade/VERSION has the extension and a database of each release. KEPLER_ACCEPT=1 takes the answers of the old version's
# functions as they are now: read the diff.
# Long form: DUMPED=yes, a minute: the database is dumped and restored after the upgrade, and restored as an old dump is.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/released.sh
source "$ROOT/tools/released.sh"
# shellcheck source=tools/server-log.sh
source "$ROOT/tools/server-log.sh"

major=${PG_MAJOR:-${PG:-18}}
start_released_server "$major"
work=$(mktemp -d)
here=$ROOT/tests/upgrade tool=$ROOT/tools/upgrade_script.py expected=$ROOT/tests/upgrade/$RELEASED/smoke.out
databases="kepler_is kepler_was kepler_old kepler_new kepler_killed kepler_copy kepler_dump"
roles="upgrade_reader upgrade_writer upgrade_worker upgrade_admin upgrade_north upgrade_two"
sql() { released_sql "$@"; }
drop() {
  local name
  for name in $databases; do sql -d postgres -c "DROP DATABASE IF EXISTS $name WITH (FORCE)"; done
  for name in $roles; do sql -d postgres -c "DROP ROLE IF EXISTS $name"; done
}
trap 'drop || true; stop_server "released-$major" "$major"; rm -rf "$work"' EXIT
drop
for role in $roles; do sql -d postgres -c "CREATE ROLE $role"; done
update="ALTER EXTENSION kepler UPDATE TO '$VERSION'"
version_of() { sql -d "$1" -c "SELECT extversion || ' ' || (SELECT max(version) FROM kepler.schema_versions) FROM pg_extension WHERE extname = 'kepler'"; }
now() { date +%s%3N; }
took() { echo "$1: $(($(now) - began)) ms" && began=$(now); }
began=$(now)

released_schema=$(sed -n '$s/.* 0*\([1-9][0-9]*\)_.*/\1/p' "$here/$RELEASED/schema.sha256")

# The functions. What is missing here is named, with what to do.
extension_database kepler_is
schema=$(sql -d kepler_is -c 'SELECT kepler_internal.latest_schema_version()')
missing=$(missing_symbols kepler_is)
[[ -z $missing ]] || die "released functions cannot be called any more:
$missing"
extension_database kepler_was "$RELEASED"
extension_catalog kepler_is >"$work/is"
extension_catalog kepler_was >"$work/was"
python3 "$tool" symbols_kept "$work/was" "$work/is" || die "released functions are called otherwise: see above"
[[ -f $ROOT/sql/kepler--$RELEASED--$VERSION.sql ]] || die "run make upgrade-script: there is no sql/kepler--$RELEASED--$VERSION.sql"
sql -d kepler_was -c "$update" || die "sql/kepler--$RELEASED--$VERSION.sql fails: run make upgrade-script PG=$major, and build again"
extension_catalog kepler_was >"$work/upgraded"
python3 "$tool" compare "$work/upgraded" "$work/is" ||
  die "sql/kepler--$RELEASED--$VERSION.sql is out of date: run make upgrade-script PG=$major, and build again"
# A stub says what to run.
error=$(sql -d kepler_was -c "CREATE FUNCTION stub() RETURNS void LANGUAGE c AS 'kepler', 'gone_for_the_tests_wrapper'" -c '\set VERBOSITY verbose' -c 'SELECT stub()' 2>&1 || true)
[[ $error == *"55000: this function belongs to version $RELEASED"*'HINT:  ALTER EXTENSION kepler UPDATE; SELECT kepler.install();'* ]] || die "a stub says: $error"
took 'the functions of a new extension and an upgraded one are the same'

# A database of the release, served by the new library.
sql -d postgres -c 'CREATE DATABASE kepler_old TEMPLATE template0'
gzip -dc "$here/$RELEASED/data.sql.gz" | sed "s/^CREATE EXTENSION IF NOT EXISTS kepler WITH SCHEMA kepler;/CREATE EXTENSION kepler SCHEMA kepler VERSION '$RELEASED';/" |
  sql -d kepler_old -1 -f - >/dev/null
[[ $(version_of kepler_old) == "$RELEASED $released_schema" ]] || die "this is no database of $RELEASED: $(version_of kepler_old)"
# As if it had always been in this cluster, in which its roles have these numbers.
for list in access_levels workspace_members; do
  sql -d kepler_old -c "UPDATE kepler.$list SET granted_to = (SELECT system_identifier FROM pg_control_system()) || '/' || role_name::regrole::oid"
done
took 'the old database is there'

# says WHAT ANSWERS HINT: each answer is as expected, or is 55000 with the hint.
says() {
  local line wanted
  while IFS= read -r line <&3 && IFS= read -r wanted <&4; do
    [[ $line == "$wanted" || (-n $3 && $line == "${wanted%%:*}: 55000 | $3") ]] || die "$1: $line
instead of: $wanted"
  done 3<"$2" 4<"$expected"
  # shellcheck disable=SC2094 # read twice
  [[ $(wc -l <"$2") -eq $(wc -l <"$expected") ]] || die "$1: not all calls answered: $(tail -n 3 "$2")"
}
sql -d kepler_old -f "$here/smoke.sql" >"$work/served"
if [[ -n ${KEPLER_ACCEPT:-} ]]; then cp "$work/served" "$expected"; fi
says 'the new library with the old extension' "$work/served" 'ALTER EXTENSION kepler UPDATE; SELECT kepler.install();'
echo "$(grep -c '55000' "$work/served" || true) of $(wc -l <"$work/served") calls wait for the upgrade"
# install() alone would make tables for functions that are not there.
error=$(sql -d kepler_old -c 'SELECT kepler.install()' 2>&1 || true)
[[ $error == *'HINT:  ALTER EXTENSION kepler UPDATE; SELECT kepler.install();'* ]] || die "install() of the old extension: $error"
took 'the new library serves the old functions'

# Who made a function of the name of a new one does not have it taken over, nor called.
taken=''
while IFS= read -r taken; do
  if sql -d kepler_old -c "CREATE FUNCTION $taken RETURNS integer LANGUAGE sql AS 'SELECT 1'" 2>/dev/null; then break; fi
  taken=''
done < <(python3 "$tool" added "$work/was" "$work/is")
if [[ -n $taken ]]; then
  if error=$(sql -d kepler_old -c "$update" 2>&1); then die "$taken was taken over"; fi
  [[ $error == *'already exists with same argument types'* && $(version_of kepler_old) == "$RELEASED $released_schema" ]] || die "$taken: $error"
  sql -d kepler_old -c "DROP FUNCTION $taken"
fi

# Cancelled, and killed, in the middle of install() nothing has happened. A lock on the list of steps lets it come that far.
install="SELECT bool_or(outcome = 'applied') FROM kepler.install()"
sql -d postgres -c 'CREATE DATABASE kepler_killed TEMPLATE kepler_old'
sql -d kepler_killed -c "$update"
sql -d kepler_killed -f "$here/shape.sql" >"$work/before-kill"
nothing_happened() {
  sql -d kepler_killed -f "$here/shape.sql" | diff "$work/before-kill" - >&2 || die "install() was $1, and has changed something"
  [[ $(version_of kepler_killed) == "$VERSION $released_schema" ]] || die "install() was $1: $(version_of kepler_killed)"
}
if [[ $schema -gt $released_schema ]]; then
  coproc HOLDER { sql -d kepler_killed 2>&1; }
  echo "BEGIN; LOCK kepler.schema_versions IN SHARE MODE; SELECT 'held';" >&"${HOLDER[1]}"
  read -r held <&"${HOLDER[0]}"
  [[ $held == held ]] || die "no lock: $held"
  if error=$(sql -d kepler_killed -c "SET lock_timeout = '50ms'" -c "$install" 2>&1); then die 'install() did not wait for the lock'; fi
  [[ $error == *'lock timeout'* ]] || die "with a lock_timeout: $error"
  nothing_happened cancelled
  PGAPPNAME=kepler_to_be_killed sql -d kepler_killed -c "$install" >"$work/killed" 2>&1 &
  installing=$!
  pid=''
  while [[ -z $pid ]] && kill -0 "$installing"; do
    pid=$(sql -d postgres -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'kepler_to_be_killed' AND wait_event_type = 'Lock'")
  done
  kill_backend "$pid"
  if wait "$installing"; then die 'it was not killed'; fi
  for _ in {1..300}; do
    if sql -d kepler_killed -c 'SELECT 1' >/dev/null 2>&1; then break; fi
    sleep 0.1
  done
  nothing_happened killed
  eval "exec ${HOLDER[1]}>&-"
  wait "$HOLDER_PID" 2>/dev/null || true
  [[ $(sql -d kepler_killed -c "$install") == t && $(version_of kepler_killed) == "$VERSION $schema" ]] || die 'after it was killed, install() does not begin anew'
fi
took 'nothing is left of an upgrade that was killed'

# A session that is connected all the time, with kept plans.
coproc KEPT { sql -d kepler_old 2>&1; }
kept() {
  printf '%s\n\\echo the end\n' "$1" >&"${KEPT[1]}"
  local line
  while IFS= read -r line <&"${KEPT[0]}" && [[ $line != 'the end' ]]; do printf '%s\n' "$line"; done
}
kept "\\i $here/smoke.sql" >"$work/kept"
says 'a session of before' "$work/kept" 'ALTER EXTENSION kepler UPDATE; SELECT kepler.install();'
sql -d kepler_old -f "$here/rows.sql" >"$work/rows"
sql -d kepler_old -c "$update"
for session in new kept; do
  if [[ $session == new ]]; then sql -d kepler_old -f "$here/smoke.sql" >"$work/between"; else kept "\\i $here/smoke.sql" >"$work/between"; fi
  says "the new extension with the old tables, $session session" "$work/between" 'SELECT kepler.install();'
done
sql -d kepler_old -o /dev/null -c "SET lock_timeout = '2s'" -c 'SELECT kepler.install()'
sql -d kepler_old -f "$here/rows.sql" >"$work/rows-after"
# Each is there; install() may have added some to Kepler's own lists, such as that of tracked tables.
lost=$(comm -23 <(grep -v '^sequence' "$work/rows" | sort) <(sort "$work/rows-after"))
[[ -z $lost ]] || die "rows have changed: $(cut -d'|' -f1 <<<"$lost" | uniq -c)"
[[ $(wc -l <"$work/rows") -gt 500 ]] || die 'not the rows that were meant'
added=$(comm -13 <(sort "$work/rows") <(grep -v '^sequence' "$work/rows-after" | sort) | cut -d'|' -f1 | uniq -c | awk '{ print $2 ": " $1 }')
if grep . <<<"$added" | grep -v '^kepler\.' >&2; then die 'rows have appeared'; fi
awk -F '|' 'NR == FNR { had[$2] = $3; next } /^sequence/ && $2 in had { same++; if ($3 + 0 < had[$2] + 0) { print $2 " fell"; bad = 1 } } END { exit bad || same < 10 }' \
  <(grep '^sequence' "$work/rows") "$work/rows-after" >&2 || die 'numbers are given twice'
took 'upgraded'

# As in a new database, in every detail.
fresh_database kepler_new
sql -d kepler_new -c 'CREATE EXTENSION kepler CASCADE'
sql -d kepler_new -o /dev/null -c 'SELECT kepler.install()' -c "SELECT kepler.create_workspace('north', 'North'), kepler.create_workspace('south', 'South')"
sql -d kepler_new -o /dev/null -c "SELECT kepler.grant_access('upgrade_reader', 'reader'), kepler.grant_access('upgrade_writer', 'writer'), kepler.grant_access('upgrade_worker', 'worker'),
  kepler.grant_access('upgrade_admin', 'admin'), kepler.grant_access('upgrade_north', 'writer', 'north'), kepler.grant_access('upgrade_two', 'admin', 'north'), kepler.grant_access('upgrade_two', 'reader', 'south')"
sql -d kepler_new -f "$here/shape.sql" >"$work/shape"
sql -d kepler_old -f "$here/shape.sql" | diff "$work/shape" - >&2 || die 'the upgraded tables (>) are not those of a new database (<)'
[[ $(wc -l <"$work/shape") -gt 1000 ]] || die 'not the tables that were meant'
for session in new kept; do
  if [[ $session == new ]]; then sql -d kepler_old -f "$here/smoke.sql" >"$work/upgraded-smoke"; else kept "\\i $here/smoke.sql" >"$work/upgraded-smoke"; fi
  says "after the upgrade, $session session" "$work/upgraded-smoke" ''
done
# The words of memories and messages are those of the release, until maintain() makes them anew.
words="SELECT count(*) FILTER (WHERE language IS NULL), count(*) > 0 FROM (SELECT language FROM kepler.memories UNION ALL SELECT language FROM kepler.messages) AS r"
[[ $(sql -d kepler_old -c "$words") != '0|t' ]] || die 'the rows of the release have words of now'
sql -d kepler_old -c 'CALL kepler.maintain()' -c "$words" -c "SELECT count(*) FROM kepler.workspaces WHERE former_languages <> '{}'" >"$work/words"
[[ $(cat "$work/words") == $'0|t\n0' ]] || die "the words of the release were not made anew: $(cat "$work/words")"
sql -d kepler_old -f "$here/smoke.sql" >"$work/upgraded-smoke"
says 'with words of now' "$work/upgraded-smoke" ''
# A role of one workspace sees that one, and what is new is there for its level.
seen=$(sql -d kepler_old -c 'SET SESSION AUTHORIZATION upgrade_north' -c "SELECT string_agg(DISTINCT workspace_id, ' '), count(*) FROM kepler.records" \
  -c "SELECT outcome FROM kepler.upsert_records('contact', '[{\"external_id\": \"1\", \"data\": {\"v\": \"later\"}}]')")
[[ $seen == $'north|2\nupdated' ]] || die "a role of one workspace: $seen"
[[ $(sql -d kepler_old -c "SELECT bool_and(outcome = 'unchanged') FROM kepler.install()") == t ]] || die 'a second install() has something to do'
eval "exec ${KEPT[1]}>&-"
wait "$KEPT_PID" 2>/dev/null || true
took 'the upgraded database is as a new one'

if [[ -n ${DUMPED:-} ]]; then
  "$PG_BIN/pg_dump" -d kepler_old >"$work/dump"
  sql -d postgres -c 'CREATE DATABASE kepler_copy TEMPLATE template0'
  sql -d kepler_copy -1 -f "$work/dump" >/dev/null
  sql -d kepler_copy -f "$here/shape.sql" | diff "$work/shape" - >&2 || die 'a restored dump of the upgraded tables (>) is not as a new database (<)'
  sql -d kepler_copy -f "$here/smoke.sql" >"$work/copied"
  says 'a restored dump of the upgraded database' "$work/copied" ''
  # A dump of the release comes with the functions of now. Rights on functions that are gone cannot be given; nothing else fails.
  sql -d postgres -c 'CREATE DATABASE kepler_dump TEMPLATE template0'
  gzip -dc "$here/$RELEASED/data.sql.gz" | sql -d kepler_dump -v ON_ERROR_STOP=0 -f - 2>"$work/errors" >/dev/null
  if grep 'ERROR: ' "$work/errors" | grep -vE 'ERROR:  (function|procedure) kepler(_internal)?\.[a-z_]+\(.*\) does not exist$' >&2; then die 'a dump of the release cannot be restored'; fi
  [[ $(version_of kepler_dump) == "$VERSION $released_schema" ]] || die "the dump was restored as $(version_of kepler_dump)"
  # From another cluster, even if the fixture was made in a copy of this one.
  for list in access_levels workspace_members; do sql -d kepler_dump -c "UPDATE kepler.$list SET granted_to = '1/' || role_name"; done
  sql -d kepler_dump -f "$here/smoke.sql" >"$work/restored"
  says 'a restored dump of the release' "$work/restored" 'SELECT kepler.install();'
  sql -d kepler_dump -o /dev/null -c 'SELECT kepler.install()'
  sql -d kepler_dump -f "$here/shape.sql" | diff "$work/shape" - >&2 || die 'restored and upgraded tables (>) are not those of a new database (<)'
  sql -d kepler_dump -f "$here/smoke.sql" >"$work/restored"
  says 'a restored dump of the release after install()' "$work/restored" ''
  took 'dumps of before and after are restored'
fi
