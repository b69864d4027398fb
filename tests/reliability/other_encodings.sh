#!/usr/bin/env bash
# Promise: in a database whose encoding is not UTF8 the extension is not made; and where it is there all the same, from a release that
# let it, functions that need no tables refuse too: they would take the bytes of texts for UTF-8, and answer wrongly.
# Runs on: 18, because encodings are the same on both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
export PGDATABASE=kepler_latin
drop() { _admin -c 'DROP DATABASE IF EXISTS kepler_latin WITH (FORCE)'; }
trap drop EXIT
run() { PGOPTIONS='-c client_min_messages=warning' PGCLIENTENCODING=UTF8 "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@"; }
refused() {
  local error
  if error=$(run "$@" 2>&1); then die "taken: $* ($error)"; fi
  [[ $error == *0A000*"needs a database with encoding UTF8, not $encoding"* ]] || die "not refused for its encoding, $encoding: $* ($error)"
}

for encoding in LATIN1 SQL_ASCII; do
  drop
  _admin -c "CREATE DATABASE kepler_latin TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'"
  run -c 'CREATE EXTENSION vector'
  refused -c 'CREATE EXTENSION kepler'
  [[ $(run -c "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'kepler%'") == 0 ]] || die 'something of the extension is left'
  run -c "CREATE FUNCTION json_matches(jsonb, jsonb) RETURNS boolean IMMUTABLE LANGUAGE c AS '\$libdir/kepler', 'json_matches_wrapper'" \
    -c "CREATE FUNCTION json_update(jsonb, jsonb) RETURNS jsonb IMMUTABLE LANGUAGE c AS '\$libdir/kepler', 'json_update_wrapper'" \
    -c "CREATE FUNCTION text_words(text, text) RETURNS tsvector IMMUTABLE LANGUAGE c AS '\$libdir/kepler', 'text_words_wrapper'" \
    -c "CREATE TABLE documents AS SELECT jsonb '{\"name\": \"x\"}' AS d"
  refused -c "SELECT json_matches(d, '{\"name\": \"x\"}') FROM documents"
  refused -c "SELECT json_update(d, '{\"\$set\": {\"name\": \"y\"}}') FROM documents"
  refused -c "SELECT text_words('caf' || 'e', 'english')"
  echo "refused in $encoding"
done
