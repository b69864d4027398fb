# shellcheck shell=bash
# Counts and times test results for the test scripts, which source it after lib.sh. Results are lines of a
# file, shared through KEPLER_RESULTS by the scripts that tools/test.sh runs side by side; whoever made the
# file prints the summary.
if [[ -z ${KEPLER_RESULTS:-} ]]; then
  KEPLER_RESULTS=$(mktemp "$LOGS/results.XXXXXX")
  export KEPLER_RESULTS
  OWNS_RESULTS=yes
  trap 'rm -f "$KEPLER_RESULTS"' EXIT
fi

# The time in milliseconds.
now() {
  local time=${EPOCHREALTIME:-$(date +%s).000000}
  time=${time/[.,]/}
  echo "${time%???}"
}

# passed NAME [COUNT [MILLISECONDS]], failed NAME [COUNT [MILLISECONDS [FILE]]]: the file says what went wrong.
passed() { _result passed 'ok     ' "$@"; }
failed() { _result failed 'FAILED ' "$@"; }

# Under a lock, so that a failure and what it says stay together.
_result() {
  local result=$1 word=$2 name=$3 count=${4:-1} time=${5:-} file=${6:-}
  (
    if command -v flock >/dev/null; then flock 8; fi
    if [[ -n $file ]]; then cat "$file"; fi
    printf '%s %s' "$word" "$name"
    if [[ $count -ne 1 ]]; then printf ' (%d)' "$count"; fi
    if [[ -n $time ]]; then printf '  %s' "$(_seconds "$time")"; fi
    printf '\n'
    printf '%s\t%d\t%s\t%s\n' "$result" "$count" "${time:-0}" "$name" >&8
  ) 8>>"$KEPLER_RESULTS"
}

_seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# check NAME COMMAND…: one test that passes if the command does; its output is shown if not. One that ends with 77 was
# skipped, and says why in its last line.
check() {
  local name=$1 log began status=0
  shift
  log=$(mktemp "$LOGS/check.XXXXXX") began=$(now)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [[ $status -eq 0 ]]; then
    passed "$name" 1 $(($(now) - began))
  elif [[ $status -eq 77 ]]; then
    printf 'skipped %s: %s\n' "$name" "$(tail -n 1 "$log")"
  else
    tail -n 100 "$log" >"$log.end"
    failed "$name" 1 $(($(now) - began)) "$log.end"
  fi
  rm -f "$log" "$log.end"
}

# The slowest tests, and the last line of the output. Fails if a test failed, or if none ran.
summary() {
  local time name
  [[ -n ${OWNS_RESULTS:-} ]] || return 0
  if [[ $(grep -c . "$KEPLER_RESULTS") -gt 20 ]]; then
    echo "the slowest:"
    cut -f3,4 "$KEPLER_RESULTS" | sort -rn | sed -n 1,10p | while IFS=$'\t' read -r time name; do
      printf '%10s  %s\n' "$(_seconds "$time")" "$name"
    done
  fi
  awk -F '\t' '{ count[$1] += $2 }
    END { printf "%d passed, %d failed\n", count["passed"], count["failed"]
          exit count["failed"] > 0 || count["passed"] == 0 }' "$KEPLER_RESULTS"
}
