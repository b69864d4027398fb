#!/usr/bin/env bash
# Builds the extension against one Postgres and installs it there: into an embedded one, or into
# the user's own. Files are replaced by rename, so running sessions keep the library they have.
# Usage: tools/build.sh 16|18|/path/to/pg_config
# KEPLER_PROFILE=tests builds with that profile of Cargo.toml, unless what a release build made is there;
# KEPLER_ANY_PROFILE=yes takes what is there.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

target=${1:-}
[[ -n $target ]] || die "usage: make install PG_CONFIG=/path/to/pg_config (the one of your Postgres 16, 17 or 18)"
lock "build-$(short_hash "$target")" "$@"

if [[ $target == */* || -n ${KEPLER_OWN_POSTGRES:-} ]]; then
  own=yes pg_config=$(command -v "$target") || die "PG_CONFIG=$target: there is no such program"
  [[ $pg_config == /* ]] || pg_config=$PWD/$pg_config
else
  own='' pg_config=$(pg_prefix "$target")/bin/pg_config
  "$ROOT/tools/prepare.sh" postgres
fi
version=$("$pg_config" --version) || die "PG_CONFIG=$pg_config does not run"
major=${version#PostgreSQL } major=${major%%[!0-9]*}
case $major in
  16 | 17 | 18) ;;
  *) die "$pg_config belongs to '$version': Kepler supports Postgres 16, 17 and 18" ;;
esac
library_dir=$("$pg_config" --pkglibdir)
share_dir=$("$pg_config" --sharedir)
[[ -f $("$pg_config" --includedir-server)/postgres.h ]] ||
  die "the server headers of $version are missing (Debian: apt install postgresql-server-dev-$major)"
"$ROOT/tools/prepare.sh" cargo

# The server's headers are compiled in: every Postgres gets a target folder of its own.
name=$major
[[ -z $own ]] || name=$major-$(short_hash "$pg_config")
package=$BUILD/package-$name
use_cargo "$pg_config" "$BUILD/target-$name"

sources() {
  (
    cd "$ROOT"
    rustc --version
    { find Cargo.toml Cargo.lock .cargo src sql ./*.control -type f -print0 2>/dev/null || true; } | sort -z | xargs -0 cksum
  ) | cksum
}
installed() { cksum "$library_dir"/kepler.* "$share_dir"/extension/kepler* 2>/dev/null || true; }

profile=${KEPLER_PROFILE:-release}
stamp=$BUILD/installed-$name
before=$(sources)
# The stamp of a build with another profile ends with its name. To tests, a release build is as good.
is=$(cat "$stamp" 2>/dev/null || true) current="$before $(installed)"
if [[ $is == "$current" || $is == "$current $profile" ]]; then exit 0; fi
if [[ -n ${KEPLER_ANY_PROFILE:-} && $is == "$current "* ]]; then exit 0; fi

say "building kepler for Postgres $major …"
rm -rf "$package"
cd "$ROOT"
if ! cargo pgrx package --profile "$profile" --no-default-features --features "pg$major" -c "$pg_config" --out-dir "$package" \
  >"$LOGS/build-$name.log" 2>&1 </dev/null; then
  sed -n '/^[eE]rror/,$p' "$LOGS/build-$name.log" | head -n 120 >&2
  die "kepler did not build for Postgres $major (log: $LOGS/build-$name.log)"
fi

for dir in "$library_dir" "$share_dir/extension"; do
  [[ -w $dir ]] || die "$dir is not writable by you. Kepler is built: to install it run
  sudo cp -r '$package/.' /"
done
find "$package" -type f | while read -r file; do
  to=${file#"$package"}
  if [[ $to == *.so || $to == *.dylib ]]; then mode=755; else mode=644; fi
  install -m "$mode" "$file" "$to.new"
  mv -f "$to.new" "$to"
done
stamped="$before $(installed)"
if [[ $profile != release ]]; then stamped+=" $profile"; fi
echo "$stamped" >"$stamp"

if [[ -n $own ]]; then
  vector=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$share_dir/extension/vector.control" 2>/dev/null || true)
  say "kepler is installed in $version ($library_dir)"
  if [[ -z $vector ]]; then
    say "note: pgvector is not installed there, and kepler needs it (0.8.4 or newer)"
  elif [[ $(printf '%s\n' 0.8.4 "$vector" | sort -V | head -n 1) != 0.8.4 ]]; then
    say "note: pgvector $vector is installed there, and kepler needs 0.8.4 or newer"
  fi
  say "next, in a database: CREATE EXTENSION kepler CASCADE; SELECT kepler.install();"
fi
