# shellcheck shell=bash
# Private Postgres servers for the demo, the tests and the benchmarks. Sourced by lib.sh. A server
# has a name: "16" and "18" are the shared ones, tests may start scratch servers under other names.
# They listen on a Unix socket in a folder that only their owner (and root) can enter, never on TCP.

# Socket paths are limited to about 107 bytes, so sockets cannot live in the build folder.
server_socket_dir() { echo "/tmp/kepler-$(short_hash "$BUILD")-$1"; }
server_data_dir() { echo "$BUILD/data-$1"; }

# use_server NAME [MAJOR]: points psql and all clients at that server.
use_server() {
  local name=$1 major=${2:-$1} prefix
  prefix=$(pg_prefix "$major")
  PGHOST=$(server_socket_dir "$name")
  export PGHOST PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  export PG_MAJOR=$major PG_BIN=$prefix/bin PG_DATA=$BUILD/data-$name
}

_make_socket_dir() {
  local dir=$1
  mkdir -m 700 "$dir" 2>/dev/null && chown "$SERVER_USER" "$dir"
  [[ -d $dir && ! -L $dir && $(stat -c %u:%a "$dir" 2>/dev/null || stat -f %u:%Lp "$dir") == "$(id -u "$SERVER_USER"):700" ]] ||
    die "$dir must be a folder of the user $SERVER_USER with mode 0700: remove it and try again"
}

# The new cluster is made under another name first: an interrupted initdb leaves nothing behind
# that looks like a cluster.
_make_cluster() {
  local data=$1 bin=$2 locale
  for locale in C.UTF-8 C; do
    rm -rf "$data.new"
    mkdir -m 700 "$data.new"
    chown "$SERVER_USER" "$data.new"
    if run_as_server_user "$bin/initdb" -D "$data.new" -U postgres -E UTF8 --locale="$locale" \
      --auth-local=trust --auth-host=reject --no-sync --no-instructions >"$LOGS/initdb.log" 2>&1; then
      echo "include 'kepler.conf'" | run_as_server_user tee -a "$data.new/postgresql.conf" >/dev/null
      mv "$data.new" "$data"
      return
    fi
  done
  tail -n 20 "$LOGS/initdb.log" >&2
  die "initdb failed (log: $LOGS/initdb.log)"
}

_write_settings() {
  local socket=$1
  shift
  cat <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
port = 5432
max_connections = 64
shared_buffers = 256MB
max_wal_size = 2GB
lc_messages = 'C'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %d %a '
CONF
  if [[ $# -gt 0 ]]; then printf '%s\n' "$@"; fi
}

_library_checksum() { cat "$("$PG_BIN/pg_config" --pkglibdir)"/kepler.* 2>/dev/null | cksum || true; }

# server_running NAME MAJOR
server_running() { "$(pg_prefix "$2")/bin/pg_isready" -q -h "$(server_socket_dir "$1")" -p 5432; }

# start_server NAME [MAJOR [SETTING…]]: makes the cluster if needed, starts it unless it runs, and
# restarts it if the extension's library changed since. A SETTING is a line of postgresql.conf. Two at
# once wait for each other; the server itself must not inherit the lock.
start_server() {
  (
    if command -v flock >/dev/null; then flock 9; fi
    _start_server "$@" 9>&-
  ) 9>"$BUILD/start-$1.lock"
  use_server "$1" "${2:-$1}"
}

_start_server() {
  local name=$1 major=${2:-$1} data socket log
  shift
  [[ $# -eq 0 ]] || shift
  use_server "$name" "$major"
  data=$PG_DATA socket=$PGHOST log=$LOGS/server-$name.log
  if server_running "$name" "$major"; then
    if [[ $(cat "$LOGS/server-$name.library" 2>/dev/null) == "$(_library_checksum)" ]]; then return; fi
    stop_server "$name" "$major"
    use_server "$name" "$major"
  fi
  _make_socket_dir "$socket"
  [[ -d $data ]] || _make_cluster "$data" "$PG_BIN"
  [[ $(stat -c %U "$data" 2>/dev/null || stat -f %Su "$data") == "$SERVER_USER" ]] ||
    die "$data does not belong to the user $SERVER_USER: make clean, or set KEPLER_SERVER_USER"
  _write_settings "$socket" "$@" | run_as_server_user tee "$data/kepler.conf" >/dev/null
  # Alive, but its socket is gone (somebody tidied /tmp): only a restart brings the socket back.
  run_as_server_user "$PG_BIN/pg_ctl" stop -s -D "$data" -m fast >/dev/null 2>&1 || true
  touch "$log"
  chown "$SERVER_USER" "$log"
  _library_checksum >"$LOGS/server-$name.library"
  if ! run_as_server_user "$PG_BIN/pg_ctl" start -s -w -t 120 -D "$data" -l "$log" </dev/null >/dev/null; then
    tail -n 20 "$log" >&2
    die "Postgres $major ($name) did not start (log: $log)"
  fi
}

# stop_server NAME [MAJOR [MODE]]: MODE as in pg_ctl: fast (default), smart, or immediate (a crash).
stop_server() {
  local name=$1 major=${2:-$1} mode=${3:-fast} bin
  bin=$(pg_prefix "$major")/bin
  if run_as_server_user "$bin/pg_ctl" status -D "$(server_data_dir "$name")" >/dev/null 2>&1; then
    run_as_server_user "$bin/pg_ctl" stop -s -w -t 120 -D "$(server_data_dir "$name")" -m "$mode"
  fi
}

# remove_server NAME [MAJOR]: stops it and deletes its data.
remove_server() {
  stop_server "$1" "${2:-$1}" immediate
  rm -rf "$(server_data_dir "$1")" "$(server_socket_dir "$1")"
}

# fresh_database NAME [install]: makes the database anew, and with "install" the extension and its
# tables in it.
fresh_database() {
  "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' \
    -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1 TEMPLATE template0"
  [[ -n ${2:-} ]] || return 0
  "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$1" -o /dev/null -c 'SET client_min_messages = warning' \
    -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT kepler.install()'
}
