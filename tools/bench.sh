#!/usr/bin/env bash
# Prepares both private servers, then runs the benchmarks (benches/run.sh). These source
# tools/lib.sh and choose a server with use_server 16 or use_server 18; PG=16 or 18 prepares one.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

for major in ${PG:-$EMBEDDED}; do
  PG=$major "$ROOT/tools/serve.sh" start
  use_server "$major"
done
exec bash "$ROOT/benches/run.sh" "$@"
