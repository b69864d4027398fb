#!/usr/bin/env bash
# Promise: pg_upgrade takes a database with all that Kepler makes from Postgres 16 to 18, by copying its files and by linking them.
# Rows, rules and rights are as they were; install() has nothing to do; a consumer of the feed goes on with its cursor; the history
# proves itself across; leases, runs, syncs and memories go on where they were.
# Runs on: 18, because that is where it ends.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

# Where both versions are tested, the other one is built, or being built.
if [[ -n ${KEPLER_BOTH:-} ]]; then KEPLER_PROFILE=tests "$ROOT/tools/build.sh" 16; fi
if [[ ! -f $BUILD/installed-16 ]]; then
  echo 'skipped: there is no build for Postgres 16 (make build PG=16)'
  exit 0
fi
from=upgraded-16 to=upgraded-18 linked=upgraded-18-linked
old_bin=$(pg_prefix 16)/bin new_bin=$(pg_prefix 18)/bin
work=$(mktemp -d)
chown "$SERVER_USER" "$work"
clean() {
  remove_server "$from" 16
  remove_server "$to" 18
  remove_server "$linked" 18
}
trap 'clean; rm -rf "$work"' EXIT
clean
export PGDATABASE=shop
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }

start_server "$from" 16 'max_prepared_transactions = 2' 'fsync = off'
run -d postgres -c 'CREATE DATABASE shop' -c 'CREATE ROLE kepler_some_reader LOGIN' -c 'CREATE ROLE kepler_some_member LOGIN'
# The numbers of transactions are far ahead of those of a new cluster.
run -c "DO \$\$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END \$\$"
run -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' -f "$ROOT/tests/reliability/a_bit_of_everything.sql" >/dev/null
# A generated column with words.
run -c "CREATE TABLE app.articles (id integer PRIMARY KEY, body text, words tsvector GENERATED ALWAYS AS (kepler.text_words(body, 'german')) STORED)" \
  -c "INSERT INTO app.articles VALUES (1, 'Die Häuser'), (2, '東京の喫茶店')"
anchor=$(run -c 'SELECT kepler.seal_history()')
cursor=$(run -c "SELECT cursor FROM kepler.changes_since() ORDER BY sequence OFFSET 3 LIMIT 1")
expected_changes=$(run -c "SELECT coalesce(string_agg(concat_ws(' ', relation, row_id, operation), E'\n' ORDER BY n), '-') FROM kepler.changes_since('$cursor') WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)")
# Every table row by row, every rule, every right.
look() {
  run -c "SELECT format('SELECT %L, count(*), md5(string_agg(r::text, E''\\n'' ORDER BY r::text)) FROM %s AS r;', oid::regclass, oid::regclass)
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace, 'app'::regnamespace, 'model'::regnamespace) ORDER BY oid::regclass::text" | run -f -
  run -c "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contype <> 'n' AND conrelid <> 0 AND conrelid::regclass::text !~ '^(pg_|information)' ORDER BY conrelid::regclass::text, conname" \
    -c "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indexrelid::regclass::text ~ '^(kepler|app|model)' ORDER BY indexrelid::regclass::text" \
    -c "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1" \
    -c "SELECT polrelid::regclass, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY polrelid::regclass::text" \
    -c "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2" \
    -c "SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type FROM pg_class AS c, aclexplode(relacl) AS a WHERE a.grantee::regrole::text ~ '^kepler_some|pg_monitor' ORDER BY c.oid::regclass::text, 2, 3"
}
look >"$work/before"
locale=$(run -c "SELECT datcollate FROM pg_database WHERE datname = 'template1'")
stop_server "$from" 16

# upgrade NAME --copy|--link
upgrade() {
  local name=$1 data socket
  shift
  data=$(server_data_dir "$name") socket=$(server_socket_dir "$name")
  rm -rf "$data"
  mkdir -m 700 "$data"
  chown "$SERVER_USER" "$data"
  _make_socket_dir "$socket"
  # As the old cluster: without checksums, which initdb of 18 would make.
  run_as_server_user "$new_bin/initdb" -D "$data" -U postgres -E UTF8 --locale="$locale" --no-data-checksums \
    --auth-local=trust --auth-host=reject --no-sync --no-instructions >"$LOGS/initdb-$name.log"
  echo "include 'kepler.conf'" | run_as_server_user tee -a "$data/postgresql.conf" >/dev/null
  _write_settings "$socket" | run_as_server_user tee "$data/kepler.conf" >/dev/null
  (
    cd "$work"
    # shellcheck disable=SC2016  # expanded by the inner shell
    run_as_server_user bash -c 'cd "$0" && exec "$@"' "$work" "$new_bin/pg_upgrade" -b "$old_bin" -B "$new_bin" -d "$(server_data_dir "$from")" -D "$data" \
      -U postgres -s "$work" -p 50416 -P 50418 --no-sync "$@" >"$LOGS/pg_upgrade-$name.log" 2>&1
  ) || { tail -n 30 "$LOGS/pg_upgrade-$name.log" >&2; die 'pg_upgrade failed'; }
}

# What must hold in the new cluster.
check_it() {
  run -c "SELECT (pg_current_xact_id()::text::bigint > max(xid::text::bigint))::text FROM kepler.feed" >"$work/xid"
  expect "$1: the numbers of transactions go on" "$(cat "$work/xid")" true
  look >"$work/after"
  cmp -s "$work/before" "$work/after" || die "$1: it is not as it was: $(diff "$work/before" "$work/after" | cut -c1-300)"
  expect "$1: what install() has to do" "$(run -c 'SELECT DISTINCT outcome FROM kepler.install()')" unchanged
  # A new epoch of the feed begins: the cluster is another one. Consumers need not know.
  changes() { run -c "SELECT coalesce(string_agg(concat_ws(' ', relation, row_id, operation), E'\n' ORDER BY n), '-') FROM kepler.changes_since('$cursor') WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)"; }
  expect "$1: the feed" "$(changes)" "$expected_changes"
  expect "$1: an acknowledged place" "$(run -c "SELECT count(*) FROM kepler.changes_since(consumer => 'indexer')")" 0
  run -c "INSERT INTO kepler.records (id, entity_type) VALUES ('new', 't')"
  expect "$1: the feed goes on" "$(changes)" "$expected_changes"$'\nkepler.records new INSERT'
  expect "$1: a consumer goes on" "$(run -c "SELECT row_id FROM kepler.changes_since(consumer => 'indexer')")" new
  expect "$1: epochs" "$(run -c 'SELECT string_agg(DISTINCT epoch::text, $$ $$) FROM kepler.feed_epochs')" '1 2'
  # The history.
  run -c "UPDATE app.audited SET note = 'three'"
  later=$(run -c 'SELECT kepler.seal_history()')
  expect "$1: the history" "$(run -c "SELECT outcome, problem FROM kepler.verify_history('$anchor')" -c "SELECT outcome, problem FROM kepler.verify_history('$later', '$anchor')" -c "SELECT operation || coalesce(' ' || changes::text, '') FROM kepler.row_history('app.audited', '1')")" 'intact|
intact|
UPDATE {"note": {"new": "three", "old": "two"}}
UPDATE {"note": {"new": "two", "old": "one"}}
INSERT {"id": {"new": 1}, "note": {"new": "one"}}'
  # What was under way.
  expect "$1: a lease" "$(run -c "SELECT string_agg(c.outcome, ' ') FROM kepler.leases AS l JOIN kepler.lease_records AS r ON r.lease_id = l.id CROSS JOIN LATERAL kepler.complete_records(l.id, r.record_ids) AS c")" applied
  expect "$1: a sync" "$(run -c "SELECT count(*) FROM kepler.resume_sync(connection_id => 'c', entity_type => 'contact')")" 1
  expect "$1: a batch again" "$(run -c "SELECT u.outcome, count(*) FROM kepler.upsert_records('contact', (
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('n', i, 't', 'äöü'))) FROM generate_series(1, 51) AS i)::text, connection_id => 'c') AS u GROUP BY 1 ORDER BY 1")" $'inserted|1\nunchanged|50'
  expect "$1: a memory" "$(run -c "SELECT content FROM kepler.search_memories('[1, 2, 3]', user_id => 'u')")" 'what is remembered'
  expect "$1: words" "$(run -c "INSERT INTO app.articles VALUES (3, 'Ein Haus')" -c "SELECT string_agg(id::text, ' ' ORDER BY id), (SELECT bool_and(words = kepler.text_words(body, 'german')) FROM app.articles) FROM app.articles WHERE words @@ 'haus'")" '1 3|t'
  expect "$1: entries" "$(run -c "SELECT outcome FROM kepler.insert_entries('Order', '[{\"code\": \"STRASSE\"}, {\"code\": \"c\"}]', 'skip')")" $'rejected\ninserted'
  expect "$1: a model" "$(run -c "SELECT count(*) FROM kepler.blueprint_drift('model') WHERE kind <> 'coverage'")" 0
  expect "$1: a role" "$(run -c 'SET ROLE kepler_some_member' -c 'SELECT count(*) FROM kepler.records')" 1
}
for how in copy link; do
  name=$to
  [[ $how == copy ]] || name=$linked
  upgrade "$name" "--$how"
  start_server "$name" 18
  check_it "by --$how"
  echo "pg_upgrade --$how: as it was, and goes on"
  stop_server "$name" 18
done
