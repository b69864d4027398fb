#!/usr/bin/env bash
# The tests that need no server: rustfmt, shellcheck, clippy for the oldest and the newest Postgres,
# unit and property tests. Release mode throughout, because that shares what the build compiled.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

cd "$ROOT"
"$ROOT/tools/prepare.sh" postgres cargo shellcheck
versions=${PG:-$EMBEDDED}
newest=${versions##* }

check "rustfmt" cargo fmt --check

scripts=(.ci/run)
while IFS= read -r script; do scripts+=("$script"); done < <(
  find tools tests benches examples -name '*.sh' -not -path '*/node_modules/*' 2>/dev/null | sort
)
PATH=$BUILD/shellcheck/bin:$PATH check "shellcheck (${#scripts[@]} files)" shellcheck -x "${scripts[@]}"

clippy() { (
  use_cargo "$(pg_prefix "$1")/bin/pg_config" "$BUILD/target-$1"
  cargo clippy --quiet --release --all-targets --no-default-features --features "pg$1" -- -D warnings
); }
for major in $versions; do check "clippy for Postgres $major" clippy "$major"; done

# Each unit or property test counts by itself; if they do not compile, that is one failure.
log=$LOGS/cargo-test.log
status=0
(
  use_cargo "$(pg_prefix "$newest")/bin/pg_config" "$BUILD/target-$newest"
  cargo test --release --lib --no-default-features --features "pg$newest"
) >"$log" 2>&1 </dev/null || status=$?
read -r good bad < <(awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$log")
if [[ $status -ne 0 ]]; then
  tail -n 100 "$log"
  if [[ $bad -eq 0 ]]; then bad=1; fi
fi
if [[ $good -gt 0 ]]; then passed "unit and property tests" "$good"; fi
if [[ $bad -gt 0 ]]; then failed "unit and property tests" "$bad"; fi
summary
