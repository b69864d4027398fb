# shellcheck shell=bash
# Counts test results for the test scripts, which source it after lib.sh. Results are lines of a
# file, shared through KEPLER_RESULTS by the scripts that tools/test.sh runs; whoever made the file
# prints the summary.
if [[ -z ${KEPLER_RESULTS:-} ]]; then
  KEPLER_RESULTS=$(mktemp "$LOGS/results.XXXXXX")
  export KEPLER_RESULTS
  OWNS_RESULTS=yes
  trap 'rm -f "$KEPLER_RESULTS"' EXIT
fi

# passed NAME [COUNT], failed NAME [COUNT]
passed() {
  printf 'ok      %s%s\n' "$1" "${2:+ ($2)}"
  echo "passed ${2:-1}" >>"$KEPLER_RESULTS"
}
failed() {
  printf 'FAILED  %s%s\n' "$1" "${2:+ ($2)}"
  echo "failed ${2:-1}" >>"$KEPLER_RESULTS"
}

# check NAME COMMAND…: one test that passes if the command does; its output is shown if not.
check() {
  local name=$1 log=$LOGS/check.$$.log
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    passed "$name"
  else
    tail -n 100 "$log"
    failed "$name"
  fi
  rm -f "$log"
}

# The last line of the output. Fails if a test failed, or if none ran.
summary() {
  [[ -n ${OWNS_RESULTS:-} ]] || return 0
  awk '{ count[$1] += $2 }
    END { printf "%d passed, %d failed\n", count["passed"], count["failed"]
          exit count["failed"] > 0 || count["passed"] == 0 }' "$KEPLER_RESULTS"
}
