#!/usr/bin/env bash
# The tests that need no server: rustfmt, links and promises in the pages, shellcheck, clippy for the newest Postgres
# (seven lines differ for others, which the builds compile), unit and property tests. All with the profile of the tests,
# because that shares what the build compiled.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"

cd "$ROOT"
"$ROOT/tools/prepare.sh" postgres cargo shellcheck
export KEPLER_PROFILE=tests
versions=${PG:-$EMBEDDED}
newest=${versions##* }

check "rustfmt" cargo fmt --check

# docs/security.md lists what is done as somebody else than the caller: one file does it, and no function is a definer.
acts_in_one_place() {
  ! grep -rn 'ActAs::role(\|SetUserIdAndSecContext(' src --include='*.rs' | grep -v '^src/access/owner.rs:\|^src/pg/role.rs:' &&
    ! grep -rniE '^[^-]*SECURITY +DEFINER' sql src
}
check "acting as the owner in one place" acts_in_one_place

# The head of src/lib.rs says which module may use which.
check "modules use only what lies below them" python3 tools/check-layers.py
check "links and promises in the pages" "$ROOT/tools/check-docs.sh"
check "released files are as they were" "$ROOT/tools/check-released.sh"

scripts=(.ci/run)
while IFS= read -r script; do scripts+=("$script"); done < <(
  find tools tests benches examples -name '*.sh' -not -path '*/node_modules/*' 2>/dev/null | sort
)
PATH=$BUILD/shellcheck/bin:$PATH check "shellcheck (${#scripts[@]} files)" shellcheck -x "${scripts[@]}"

# The suites build with the same target folders, and everything waits for them.
for major in $versions; do
  if command -v flock >/dev/null; then flock "$BUILD/build-$(short_hash "$major").lock" true; fi
done
clippy() { (
  use_cargo "$(pg_prefix "$1")/bin/pg_config" "$BUILD/target-$1"
  cargo clippy --quiet --profile tests --all-targets --no-default-features --features "pg$1" -- -D warnings
); }
check "clippy for Postgres $newest" clippy "$newest"

# Each unit or property test counts by itself; if they do not compile, that is one failure.
log=$LOGS/cargo-test.log
began=$(now) status=0
(
  use_cargo "$(pg_prefix "$newest")/bin/pg_config" "$BUILD/target-$newest"
  cargo test --profile tests --lib --no-default-features --features "pg$newest"
) >"$log" 2>&1 </dev/null || status=$?
read -r good bad < <(awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$log")
took=$(($(now) - began))
if [[ $good -gt 0 ]]; then passed "unit and property tests" "$good" "$took"; fi
if [[ $status -ne 0 ]]; then
  tail -n 100 "$log" >"$log.end"
  failed "unit and property tests" $((bad > 0 ? bad : 1)) "$took" "$log.end"
fi
summary
