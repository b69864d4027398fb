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

# Every cluster is a copy of one that initdb made once for its version. Both are made under another name
# first: what was interrupted leaves nothing behind that looks like a cluster.
_make_cluster() {
  local data=$1 major=$2 pristine=$BUILD/cluster-$2
  (
    if command -v flock >/dev/null; then flock 9; fi
    [[ -d $pristine && $(_owner "$pristine") == "$SERVER_USER" ]] || _make_pristine_cluster "$pristine" "$major" 9>&-
  ) 9>"$BUILD/cluster-$major.lock"
  rm -rf "$data.new"
  cp -Rp "$pristine" "$data.new"
  mv "$data.new" "$data"
}

_make_pristine_cluster() {
  local pristine=$1 bin log=$LOGS/initdb-$2.log locale
  bin=$(pg_prefix "$2")/bin
  for locale in C.UTF-8 C; do
    rm -rf "$pristine" "$pristine.new"
    mkdir -m 700 "$pristine.new"
    chown "$SERVER_USER" "$pristine.new"
    if run_as_server_user "$bin/initdb" -D "$pristine.new" -U postgres -E UTF8 --locale="$locale" \
      --auth-local=trust --auth-host=reject --no-sync --no-instructions >"$log" 2>&1; then
      echo "include 'kepler.conf'" | run_as_server_user tee -a "$pristine.new/postgresql.conf" >/dev/null
      mv "$pristine.new" "$pristine"
      return
    fi
  done
  tail -n 20 "$log" >&2
  die "initdb failed (log: $log)"
}

_owner() { stat -c %U "$1" 2>/dev/null || stat -f %Su "$1"; }

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
log_line_prefix = '%m [%p] %e %d %a '
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
  [[ -d $data ]] || _make_cluster "$data" "$major"
  [[ $(_owner "$data") == "$SERVER_USER" ]] ||
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
# tables in it: as a copy of a database where that was done once for this library and this SQL.
fresh_database() {
  local template=template0
  if [[ -n ${2:-} ]]; then
    template=kepler_template_$({ cat "$("$PG_BIN/pg_config" --sharedir)"/extension/kepler*; _library_checksum; } | cksum | cut -d' ' -f1)
    (
      if command -v flock >/dev/null; then flock 9; fi
      _make_template "$template" 9>&-
    ) 9>"$BUILD/template-${PG_DATA##*/}.lock"
  fi
  _admin -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1 TEMPLATE $template"
}

_admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }

# Nobody can connect to a template, or a copy could find it in use.
_make_template() {
  local old
  [[ -z $(_admin -c "SELECT 'there' FROM pg_database WHERE datname = '$1' AND NOT datallowconn") ]] || return 0
  for old in $(_admin -c "SELECT datname FROM pg_database WHERE datname ~ '^kepler_template'"); do
    _admin -c "ALTER DATABASE $old IS_TEMPLATE false" -c "DROP DATABASE $old WITH (FORCE)"
  done
  _admin -c 'CREATE DATABASE kepler_template TEMPLATE template0'
  _admin -d kepler_template -o /dev/null -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT kepler.install()'
  _admin -c "ALTER DATABASE kepler_template RENAME TO $1" -c "ALTER DATABASE $1 IS_TEMPLATE true ALLOW_CONNECTIONS false"
}
