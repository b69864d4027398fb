#!/usr/bin/env bash
# The tests that need a server, for one Postgres version (PG=16 or 18): regression files through
# pg_regress, races through pg_isolation_regress, then the scripts of tests/reliability and tests/systems. After each of
# the four, the logs of the servers must hold no internal error and no crash.
# T="name …" chooses tests; ACCEPT=1 takes their output as the expected one; KEPLER_LONG=yes runs the long forms of the
# scripts that have one, and nothing else; KEPLER_BOTH=yes says that the other version is tested as well.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
major=${PG:-18}
# Before the results, which the script that begins anew under the lock would take for another's.
lock "test-$major" "$@"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"
# shellcheck source=tools/server-log.sh
source "$ROOT/tools/server-log.sh"
# shellcheck source=tools/suites.sh
source "$ROOT/tools/suites.sh"

[[ -z ${ACCEPT:-} || -n $wanted ]] || die "usage: make accept T=\"name …\" [PG=18]"
# These share a database of their own, in this order: what happens before and at install(), and what
# the first entry table of a database is called.
FRESH="before_install install seed_003_inventory_record"

KEPLER_PROFILE=tests "$ROOT/tools/build.sh" "$major" || { failed "build for Postgres $major"; summary; exit; }
start_server "$major"

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

# log_check KIND: what the servers logged while the tests of this kind ran is a test of its own.
log_check() {
  [[ -z ${ACCEPT:-} ]] || return 0
  check "$major server-log/$1" log_is_clean "$major"
  begin_log "$major"
}

# The head of a test may say the settings of its long form: "Long form: ROWS=200000, three minutes"; that of a script
# also "Runs on: 18, because …", which counts where both versions are tested and it is not asked for by name. One with a
# "Long form only" has no other.
head_says() {
  local said
  said=$(sed -n "s/^[#-]* $2: *//p" "$1" | head -n 1)
  echo "${said%%,*}"
}
# settings_of FILE: SETTINGS, for the long form. Fails if this is not the time for the file.
settings_of() {
  SETTINGS=()
  if [[ -z ${KEPLER_LONG:-} ]]; then
    [[ -n $wanted || -z $(head_says "$1" 'Long form only') ]]
    return
  fi
  read -ra SETTINGS < <(head_says "$1" 'Long form[only ]*') || true
  [[ ${#SETTINGS[@]} -gt 0 ]]
}

fresh=() others=() specs=()
for name in $(select_files pg_regress sql sql); do
  settings_of "$ROOT/tests/pg_regress/sql/$name.sql" || continue
  for setting in ${SETTINGS[@]+"${SETTINGS[@]}"}; do export "${setting?}"; done
  if [[ " $FRESH " == *" $name "* ]]; then fresh+=("$name"); else others+=("$name"); fi
done
for name in $(select_files isolation specs spec); do
  if settings_of "$ROOT/tests/isolation/specs/$name.spec"; then specs+=("$name"); fi
done

begin_log "$major"
if [[ $((${#fresh[@]} + ${#others[@]})) -gt 0 ]]; then
  prepared pg_regress kepler_fresh '' "$DRIVERS/regress/pg_regress" ${fresh[@]+"${fresh[@]}"}
  prepared pg_regress kepler_regress install "$DRIVERS/regress/pg_regress" ${others[@]+"${others[@]}"}
  log_check pg_regress
fi
if [[ ${#specs[@]} -gt 0 ]]; then
  prepared isolation kepler_isolation install "$DRIVERS/isolation/pg_isolation_regress" "${specs[@]}"
  log_check isolation
fi
if [[ -n ${ACCEPT:-} ]]; then
  summary
  exit
fi

for kind in reliability systems; do
  ran=''
  for script in "$ROOT/tests/$kind"/*.sh; do
    name=$(basename "$script" .sh) only=$(head_says "$script" 'Runs on')
    if [[ ! -f $script ]] || ! chosen "$name" || ! settings_of "$script"; then continue; fi
    if [[ -n ${KEPLER_BOTH:-} && -z $wanted && -n $only && $only != "$major" ]]; then continue; fi
    ran=yes
    check "$major $kind/$name${SETTINGS[*]:+ ${SETTINGS[*]}}" env ${SETTINGS[@]+"${SETTINGS[@]}"} bash "$script"
    start_server "$major"
  done
  [[ -z $ran ]] || log_check "$kind"
done
summary
