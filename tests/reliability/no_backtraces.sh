#!/usr/bin/env bash
# Promise: what Rust does inside is never told to a client, whatever the server's environment asks for.
# Runs on: 18, because what is tried is the library.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=backtrace-$major
cleanup() { remove_server "$server" "$major"; }
trap cleanup EXIT
remove_server "$server" "$major"
(export RUST_BACKTRACE=1 RUST_LIB_BACKTRACE=full && start_server "$server" "$major")
use_server "$server" "$major"
fresh_database backtrace install
pid=$(head -n 1 "$PG_DATA/postmaster.pid")
tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q RUST_BACKTRACE=1 || echo "(the server's environment cannot be read here)"

told() { "$PG_BIN/psql" -XAtq -d backtrace -v SHOW_CONTEXT=never -c "$1" 2>&1 || true; }
expect() {
  local found
  found=$(told "$1")
  [[ $found == "$2" ]] || die "of $1 a client is told: $found"
}
# Errors of Kepler's own, and one of a trigger's, which passes through Rust.
# shellcheck disable=SC2016  # operators of the documents, not variables
expect "SELECT kepler.json_update('{}', '1')" 'ERROR:  argument "operations" is not valid
DETAIL:  it must be a JSON object ({"$set": {…}}) or array ([{"op", "path", "value"}]), not a number'
expect "SELECT kepler.upsert_record('a', 'b', '{}', connection_id => 'none')" \
  "$(printf '%s\n' 'ERROR:  connection "none" does not exist in workspace "default"' \
    'HINT:  Insert it into kepler.connections first, or leave connection_id out.')"
told "CREATE FUNCTION public.never() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'KX001'; END\$\$;
  CREATE TABLE public.documents AS SELECT 1 AS id, '{}'::jsonb AS document; ALTER TABLE public.documents ADD PRIMARY KEY (id);
  CREATE TRIGGER never BEFORE UPDATE ON public.documents FOR EACH ROW EXECUTE FUNCTION public.never()" >/dev/null
# shellcheck disable=SC2016  # operators of the documents, not variables
expect "SELECT kepler.update_document('public.documents', '{\"id\": 1}', 'document', '{\"\$set\": {\"a\": 1}}')" 'ERROR:  no'
echo "no backtraces"
