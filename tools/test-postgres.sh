#!/usr/bin/env bash
# The tests that need a server, for one Postgres version (PG=16 or 18): regression files through
# pg_regress, races through pg_isolation_regress, then the scripts of tests/reliability.
# T="name …" chooses tests; ACCEPT=1 takes their output as the expected one.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

major=${PG:-18}
wanted=${T:-${TESTS:-}}
[[ -z ${ACCEPT:-} || -n $wanted ]] || die "usage: make accept T=\"name …\" [PG=18]"
# These share a database of their own, in this order: what happens before and at install(), and what
# the first entry table of a database is called.
FRESH="before_install install seed_003_inventory_record"
# The programs of 16 drive servers of both versions: those of 18 crash.
DRIVERS=$(pg_prefix 16)/lib/postgresql/pgxs/src/test

PG=$major "$ROOT/tools/build.sh" "$major" || { failed "build for Postgres $major"; summary; exit; }
lock "test-$major" "$@"
start_server "$major"

chosen() { [[ -z $wanted || " $wanted " == *" $1 "* ]]; }

# run_suite KIND DRIVER DATABASE NAME…: runs the files on a database and counts each. The driver
# works on a copy, in which a missing expected file is an empty one: it shows the output as a
# difference instead of stopping, and the test fails.
run_suite() {
  local kind=$1 driver=$2 database=$3 name source files=sql suffix=sql out
  shift 3
  [[ $# -gt 0 ]] || return 0
  source=$ROOT/tests/$kind out=$BUILD/$kind-$major-$database
  if [[ $kind == isolation ]]; then files=specs suffix=spec; fi
  rm -rf "$out"
  mkdir -p "$out/$files" "$out/expected" "$out/results"
  cp "$source/$files"/*."$suffix" "$out/$files/"
  cp "$source"/expected/*.out "$out/expected/" 2>/dev/null || true
  for name in "$@"; do touch -a "$out/expected/$name.out"; done
  "$driver" --inputdir="$out" --outputdir="$out" --bindir="$PG_BIN" \
    --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --use-existing --dbname="$database" "$@" \
    >"$out/driver.log" 2>&1 </dev/null || true
  if [[ -n ${ACCEPT:-} ]]; then
    for name in "$@"; do
      [[ -f $out/results/$name.out ]] || { failed "$kind/$name: no output"; continue; }
      mkdir -p "$source/expected"
      cp "$out/results/$name.out" "$source/expected/$name.out"
      passed "$kind/$name: accepted"
    done
    return
  fi
  if [[ -s $out/regression.diffs ]]; then cat "$out/regression.diffs"; fi
  for name in "$@"; do
    if [[ ! -f $source/expected/$name.out ]]; then
      failed "$major $kind/$name: has no expected output (make accept T=$name PG=$major, then read it)"
    elif grep -Eq "^ok +[0-9]+ +[-+] $name +[0-9]+ ms" "$out/driver.log"; then
      passed "$major $kind/$name"
    else
      grep -Eq "^not ok +[0-9]+ +[-+] $name " "$out/driver.log" || tail -n 20 "$out/driver.log"
      failed "$major $kind/$name"
    fi
  done
}

# select_files KIND FOLDER SUFFIX: the chosen names, in the order of the schedule if there is one.
select_files() {
  local name
  {
    sed -n 's/^test: *//p' "$ROOT/tests/$1/schedule" 2>/dev/null | tr ' ' '\n' || true
    find "$ROOT/tests/$1/$2" -name "*.$3" 2>/dev/null | sed "s|.*/||; s|\.$3\$||" | sort
  } | awk 'NF && !seen[$0]++' | while read -r name; do
    if chosen "$name"; then echo "$name"; fi
  done
}

# prepared KIND DATABASE install|'' DRIVER NAME…: makes the database, then runs; without it all failed.
prepared() {
  local kind=$1 database=$2 install=$3 driver=$4 name
  shift 4
  [[ $# -gt 0 ]] || return 0
  if fresh_database "$database" "$install"; then
    run_suite "$kind" "$driver" "$database" "$@"
  else
    for name in "$@"; do failed "$major $kind/$name: no database to run in"; done
  fi
}

fresh=() others=() specs=()
for name in $(select_files pg_regress sql sql); do
  if [[ " $FRESH " == *" $name "* ]]; then fresh+=("$name"); else others+=("$name"); fi
done
for name in $(select_files isolation specs spec); do specs+=("$name"); done

prepared pg_regress kepler_fresh '' "$DRIVERS/regress/pg_regress" ${fresh[@]+"${fresh[@]}"}
prepared pg_regress kepler_regress install "$DRIVERS/regress/pg_regress" ${others[@]+"${others[@]}"}
prepared isolation kepler_isolation install "$DRIVERS/isolation/pg_isolation_regress" ${specs[@]+"${specs[@]}"}

if [[ -z ${ACCEPT:-} ]]; then
  for script in "$ROOT"/tests/reliability/*.sh; do
    name=$(basename "$script" .sh)
    if [[ ! -f $script ]] || ! chosen "$name"; then continue; fi
    check "$major reliability/$name" bash "$script"
    start_server "$major"
  done
fi
summary
