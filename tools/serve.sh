#!/usr/bin/env bash
# Starts, stops or deletes the private servers.
# Usage: tools/serve.sh start|stop|clean   (PG=16 or 18; start prepares and builds first)
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

# Scratch servers of tests that were interrupted are found by their data folders.
stop_all() {
  local data name
  for data in "$BUILD"/data-*; do
    [[ -f $data/postmaster.pid ]] || continue
    name=${data#"$BUILD"/data-}
    stop_server "$name" "$(cat "$data/PG_VERSION")"
    say "Postgres $name: stopped"
  done
}

case ${1:-} in
  start)
    major=${PG:-18}
    KEPLER_ANY_PROFILE=yes "$ROOT/tools/build.sh" "$major"
    lock "server-$major" "$@"
    start_server "$major"
    say "Postgres $major: ready (PGHOST=$PGHOST PGUSER=$PGUSER)"
    ;;
  stop) stop_all ;;
  clean)
    stop_all
    # By name, because KEPLER_BUILD may be a folder that holds other things too.
    rm -rf "$(server_socket_dir '')"*
    (
      cd "$BUILD"
      rm -rf data-* cluster-* target-* package-* installed-* pg_regress-* isolation-* cargo-tools pgrx-home postgres postgres-released-* \
        libclang shellcheck python-demo python-embedding python-workers python-singer python-tap python-target python-langgraph python-sentence-models langgraph-tests typescript-workers* node npm-cache \
        mypy-cache* sqlsmith pgbouncer venv logs probe.* ./*.lock .kepler-build
    )
    rmdir "$BUILD" 2>/dev/null || say "kept what is not Kepler's in $BUILD"
    ;;
  *) die "usage: tools/serve.sh start|stop|clean" ;;
esac
