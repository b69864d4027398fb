#!/usr/bin/env bash
# All tests: formatting, lints, unit and property tests, and the suites that need a server, on Postgres 16
# and 18, side by side. Goes on after failures and ends with one line, "N passed, N failed".
# PG=18 chooses one version, T="name …" chooses tests among those that need a server.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

# What only some tests need may be missing: they say so.
KEPLER_PREPARED=" postgres cargo shellcheck embedding workers singer "
# shellcheck disable=SC2086 # words
if ! "$ROOT/tools/prepare.sh" $KEPLER_PREPARED; then
  KEPLER_PREPARED=" postgres cargo shellcheck "
  # shellcheck disable=SC2086
  "$ROOT/tools/prepare.sh" $KEPLER_PREPARED
fi
export KEPLER_PREPARED
[[ -n ${PG:-} ]] || export KEPLER_BOTH=yes

part() {
  local name=$1
  shift
  "$@" || failed "$name: ended early"
}
for major in ${PG:-$EMBEDDED}; do
  beside part "Postgres $major" env PG="$major" "$ROOT/tools/test-postgres.sh"
done
# The suites are what takes longest: the rest gets what they leave.
[[ -n ${T:-${TESTS:-}} || -n ${KEPLER_LONG:-} ]] || beside part "static checks" nice "$ROOT/tools/test-static.sh"
beside_ended || true
# What needs Citus, which no package registry has: beside nothing else, since it is four servers.
[[ -n ${T:-${TESTS:-}} || -n ${KEPLER_LONG:-} ]] || part Citus "$ROOT/tests/citus/run.sh"
summary
