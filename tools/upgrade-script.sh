#!/usr/bin/env bash
# Writes sql/kepler--RELEASE--VERSION.sql: what brings the extension from the newest release to this checkout, from what the
# catalogs of the two differ in. Then it upgrades with it, and compares the result with a new extension, member by member.
# Usage: make upgrade-script, after make build   (PG=16 or 18)
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/released.sh
source "$ROOT/tools/released.sh"

major=${PG:-18}
lock "released-$major" "$@"
KEPLER_ANY_PROFILE=yes "$ROOT/tools/build.sh" "$major"
start_released_server "$major"
work=$(mktemp -d)
trap 'rm -rf "$work"; released_sql -d postgres -c "DROP DATABASE IF EXISTS kepler_was WITH (FORCE)" -c "DROP DATABASE IF EXISTS kepler_is WITH (FORCE)"' EXIT
file=kepler--$RELEASED--$VERSION.sql

extension_database kepler_is
missing=$(missing_symbols kepler_is)
[[ -z $missing ]] || die "symbols that were released are missing:
$missing"
extension_database kepler_was "$RELEASED"
extension_catalog kepler_is >"$work/is"
extension_catalog kepler_was >"$work/was"
python3 "$ROOT/tools/upgrade_script.py" write "$work/was" "$work/is" "$RELEASED" "$VERSION" >"$work/script"

cp "$work/script" "$OTHER_PREFIX/share/postgresql/extension/$file"
released_sql -d kepler_was -c "ALTER EXTENSION kepler UPDATE TO '$VERSION'"
extension_catalog kepler_was >"$work/upgraded"
python3 "$ROOT/tools/upgrade_script.py" compare "$work/upgraded" "$work/is" ||
  die "the upgraded extension is not what a new one is: tools/upgrade_script.py has to learn it; nothing was written"
if cmp -s "$work/script" "$ROOT/sql/$file"; then
  say "sql/$file is current"
else
  cp "$work/script" "$ROOT/sql/$file"
  say "sql/$file: $(grep -cE '^(CREATE|DROP|ALTER|COMMENT|GRANT|REVOKE) ' "$work/script") statements; now build again, which installs it"
fi
