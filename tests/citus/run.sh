#!/usr/bin/env bash
# What needs a Citus cluster: one coordinator and two workers of the Postgres whose pg_config is CITUS_PG_CONFIG, on this
# machine. Skipped where that is not set. A suite is a script beside this one, whose head says what it promises.
# Usage: tests/citus/run.sh [functions|kept|calls|commits|rights|grown|pages|regress|isolation|crash|rebalance|moves|history|tenants|feed …]
# T="name …" chooses among the files of a suite. KEPLER_INSTALLED=yes takes the Kepler that is installed there.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
[[ -z ${CITUS_PG_CONFIG:-} ]] || lock citus "$@"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

suites=("$@")
[[ $# -gt 0 ]] || suites=(functions kept calls commits rights grown pages regress isolation crash rebalance moves history tenants feed)
if [[ -z ${CITUS_PG_CONFIG:-} ]]; then
  echo "skipped citus (${suites[*]}): CITUS_PG_CONFIG names no Postgres that has Citus"
  exit
fi
[[ -n ${KEPLER_INSTALLED:-} ]] || KEPLER_PROFILE=tests KEPLER_OWN_POSTGRES=yes "$ROOT/tools/build.sh" "$CITUS_PG_CONFIG"
# What differs.txt lists for a suite that ran whole must have been otherwise.
all_differ() {
  local kind=$1 suite name words fault=0
  [[ $kind != regress ]] || kind=pg_regress
  while IFS='|' read -r suite name words _; do
    if [[ $suite == "$kind " && $words != ' not run ' ]] && ! grep -qxF "$kind$name" <<<"$(sed 's/$/ /' "$BUILD/citus-differs")"; then echo "as elsewhere: $name" && fault=1; fi
  done <"$ROOT/tests/citus/differs.txt"
  return $fault
}

for suite in "${suites[@]}"; do
  : >"$BUILD/citus-differs"
  case $suite in
    regress | isolation) bash "$ROOT/tests/citus/regress.sh" "$suite" || failed "citus/$suite: ended early" ;;
    kept) check "citus/kept" bash "$ROOT/tests/citus/functions.sh" kept ;;
    *) check "citus/$suite" bash "$ROOT/tests/citus/$suite.sh" ;;
  esac
  [[ -n ${T:-} || ! -s $BUILD/citus-differs ]] || check "citus/$suite: what is listed in differs.txt is otherwise" all_differ "$suite"
done
summary
