#!/usr/bin/env bash
# All tests: formatting, lints, unit and property tests, then the suites that need a server, on
# Postgres 16 and 18. Goes on after failures and ends with one line, "N passed, N failed".
# PG=18 chooses one version, T="name …" chooses tests among those that need a server.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

"$ROOT/tools/prepare.sh" postgres cargo shellcheck
[[ -n ${T:-${TESTS:-}} ]] || "$ROOT/tools/test-static.sh" || failed "static checks: ended early"
for major in ${PG:-$EMBEDDED}; do
  PG=$major "$ROOT/tools/test-postgres.sh" || failed "Postgres $major: ended early"
done
summary
