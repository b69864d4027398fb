#!/usr/bin/env bash
# Promise: an online change of a blueprint that is killed between any two of its commits, by a crash of the server, leaves a state
# from which the next call goes on, and another document goes back; in the end the tables are as the document says, and no row is
# lost. So does one whose indexes are built by statements of their own, of which one is killed as well.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=blueprint-killed-$major
# What an interrupted run left.
remove_server "$name" "$major"
start_server "$name" "$major"
database=kepler_blueprint_killed
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$database" "$@"; }
trap 'remove_server "$name" "$major"' EXIT
fresh_database $database install

first='{"blueprint": "killed", "enums": {"state": ["a"]}, "tables": [{"name": "P", "table": "p", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text"}]}, {"name": "C", "table": "c", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "p", "type": "bigint"}, {"name": "n", "type": "integer"}, {"name": "s", "type": "enum", "enum": "state"}]}]}'
next='{"blueprint": "killed", "enums": {"state": ["a", "b"]}, "tables": [{"name": "Parent", "renamed_from": "P", "table": "parents", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text", "required": true}]}, {"name": "C", "table": "c", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "renamed_from": "p", "type": "reference", "to": "Parent", "index": false}, {"name": "n", "type": "integer", "required": true, "min": 0}, {"name": "s", "type": "enum", "enum": "state", "default": "b"}]}, {"name": "New", "table": "new", "fields": [{"name": "a", "type": "text"}]}]}'

for kills in 1 2 3 4 5; do
  admin -c "SELECT outcome FROM kepler.apply_blueprint('$first')" >/dev/null
  admin -c "INSERT INTO killed.p (code) SELECT i::text FROM generate_series(1, 100) AS i" \
    -c "INSERT INTO killed.c (p, n, s) SELECT i, i, 'a' FROM generate_series(1, 100) AS i"
  for ((at = 1; at <= kills; at++)); do
    admin -c "SELECT outcome FROM kepler_internal.apply_blueprint_step('$next', '{}', NULL)" >/dev/null
  done
  stop_server "$name" "$major" immediate
  start_server "$name" "$major"
  admin -c "CALL kepler.apply_blueprint_online('$next')" | tee "$BUILD/logs/blueprint-killed" | grep -qE '2\|(applied|unchanged)\|' ||
    die "after $kills steps: $(cat "$BUILD/logs/blueprint-killed")"
  left=$(admin -c "SELECT count(*) FROM kepler.plan_blueprint('$next')")
  rows=$(admin -c 'SELECT (SELECT count(*) FROM killed.parents) + (SELECT count(*) FROM killed.c WHERE parent IS NOT NULL)')
  drift=$(admin -c "SELECT count(*) FROM kepler.blueprint_drift('killed') WHERE kind <> 'coverage'")
  [[ $left -eq 0 && $rows -eq 200 && $drift -eq 0 ]] || die "after $kills steps: $left steps are left, $rows rows, $drift differences"
  admin -c "SELECT outcome FROM kepler.drop_blueprint('killed', '{\"with_rows\": true}')" >/dev/null
done

# Keys are made of indexes that are built in between; and the same, going back to the first document.
keyed='{"blueprint": "killed", "enums": {"state": ["a"]}, "tables": [{"name": "Parent", "renamed_from": "P", "table": "parents", "key": {"fields": ["code"]}, "fields": [{"name": "id", "type": "bigint", "generated": "identity", "required": true, "unique": true}, {"name": "code", "type": "text"}]}, {"name": "C", "table": "c", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "renamed_from": "p", "type": "bigint"}, {"name": "n", "type": "integer", "unique": true}, {"name": "s", "type": "enum", "enum": "state"}], "references": [{"fields": ["parent"], "to": "Parent", "to_fields": ["id"]}]}]}'
build() {
  admin -c "SELECT e ->> 'statement' FROM kepler.blueprints, jsonb_array_elements(deferred) AS e" | while read -r statement; do
    admin -c "$statement"
  done
}
online() { admin -c "CALL kepler.apply_blueprint_online('$1', '{drop}')" >"$BUILD/logs/blueprint-killed"; }
for goal in "$keyed" "$first"; do
  for kills in 1 3 5 6; do
    admin -c "SELECT outcome FROM kepler.apply_blueprint('$first')" >/dev/null
    admin -c "INSERT INTO killed.p (code) SELECT i::text FROM generate_series(1, 100) AS i" \
      -c "INSERT INTO killed.c (p, n, s) SELECT i, i, 'a' FROM generate_series(1, 100) AS i"
    for ((at = 1; at <= kills; at++)); do
      # When nothing is left but what is deferred, it is built.
      more=$(admin -c "SELECT more FROM kepler_internal.apply_blueprint_step('$keyed', '{drop}', NULL)")
      [[ $more == t ]] || build
    done
    stop_server "$name" "$major" immediate
    start_server "$name" "$major"
    online "$goal"
    build
    online "$goal"
    grep -qE '\|(applied|unchanged)\|' "$BUILD/logs/blueprint-killed" || die "after $kills steps: $(cat "$BUILD/logs/blueprint-killed")"
    left=$(admin -c "SELECT count(*) FROM kepler.plan_blueprint('$goal', '{\"online\": true}')")
    drift=$(admin -c "SELECT count(*) FROM kepler.blueprint_drift('killed') WHERE kind <> 'coverage'")
    parents=$(admin -c "SELECT coalesce(to_regclass('killed.parents'), to_regclass('killed.p'))")
    rows=$(admin -c "SELECT (SELECT count(*) FROM $parents) + (SELECT count(*) FROM killed.c)")
    [[ $left -eq 0 && $rows -eq 200 && $drift -eq 0 ]] || die "after $kills steps: $left steps are left, $rows rows, $drift differences"
    admin -c "SELECT outcome FROM kepler.drop_blueprint('killed', '{\"with_rows\": true}')" >/dev/null
  done
done
echo "killed after each commit, and gone on and back"
