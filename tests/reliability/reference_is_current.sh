#!/usr/bin/env bash
# docs/reference.md says what the catalog's comments say, on every version of Postgres; and names, arguments, answers and
# comments keep the rules, each of which notices what breaks it.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
if [[ -z ${REFERENCE_RULES_ONLY:-} ]]; then "$ROOT/tools/reference.sh" --check; fi

start_server "${PG_MAJOR:-${PG:-18}}"
database=kepler_rules_$$
trap '_admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"' EXIT
fresh_database "$database" install

# broken COMPLAINT SQL: what is made by SQL is complained about in these words (a pattern of LIKE).
broken() {
  local complaints
  complaints=$("$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$database" -o /dev/null -c 'SELECT FROM kepler.version()' -c BEGIN \
    -c "$2" -f "$ROOT/tools/reference_vocabulary.sql" -f "$ROOT/tools/reference_rules.sql" -c '\o' \
    -c "SELECT c.complaint FROM complaints AS c" -c '\o /dev/null' -c ROLLBACK)
  grep -qF -- "$1" <<<"$complaints" || die "nothing complains of \"$1\", but: $complaints"
  echo "noticed: $1"
}
# makes NAME ARGUMENTS RESULT [COMMENT]: a function, in SQL that does nothing.
makes() {
  echo "CREATE FUNCTION kepler.$1($2) RETURNS $3 LANGUAGE plpgsql AS 'BEGIN END'; COMMENT ON FUNCTION kepler.$1 IS '${4:-Does it.}';"
}
answer='TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)'

broken 'is not verb_object' "$(makes deleter 'record_ids text[]' void)"
broken 'has no part of the reference' "$(makes delete_all 'record_ids text[]' void)"
broken 'has a function that does not exist' "ALTER FUNCTION kepler.version() RENAME TO get_version"
broken 'has a plural for a name' "$(makes delete_one 'record_ids text[]' "$answer")"
broken 'doc in "doc" is an abbreviation' "$(makes delete_it 'doc text' void)"
broken 'ref in "ref_log"' 'CREATE TABLE kepler.ref_log ()'
broken 'callers do not call it' "CREATE FUNCTION kepler.add_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"
broken 'callers do not call it' "$(makes _hidden '' void)"
broken 'an argument has no name' "$(makes delete_it text void)"
broken 'workspace_id is the last argument' "$(makes delete_it 'workspace_id text, record_id text' void)"
broken 'options comes last' "$(makes delete_it 'options jsonb, record_id text' void)"
broken 'a table as an argument is "relation regclass"' "$(makes delete_it 'table_name regclass' void)"
broken 'is taken as text, json and jsonb' "$(makes delete_them 'records text' "$answer")"
broken 'who takes a batch answers with ordinal' "$(makes delete_them 'records text' void)"
broken 'it answers with ordinal, ids, outcome' "$(makes delete_them 'record_ids text[]' 'TABLE (record_id text, ordinal integer, outcome text)')"
broken 'error_code and error stand behind outcome' "$(makes delete_it 'record_id text' 'TABLE (error text, error_code text)')"
broken 'in more than the type of one argument' \
  "CREATE FUNCTION kepler.delete_entries(entry_table json, entry_ids json, workspace_id text) RETURNS void LANGUAGE sql AS ''"
broken 'it has another comment than' "COMMENT ON FUNCTION kepler.upsert_records(text, json, text, text, text, text, text, text, text, jsonb, text) IS 'Another.'"
broken 'it has no comment' "CREATE FUNCTION kepler.delete_it() RETURNS void LANGUAGE sql AS ''"
broken 'it has no comment' 'CREATE TABLE kepler.things ()'
broken 'it has no comment' "CREATE TYPE kepler.thing AS ENUM ('a')"
broken 'kepler.records.thing: the column has no comment' 'ALTER TABLE kepler.records ADD COLUMN thing text'
broken 'does not speak of argument "record_id"' "$(makes delete_it 'record_id text' void)"
broken 'one line that begins with "Internal: "' "CREATE FUNCTION kepler_internal.thing() RETURNS void LANGUAGE sql AS ''"
broken 'ends with one line "Errors' "$(makes delete_it '' void "Does it. Errors: 55000 before install().")"
broken '"too late" is no error' "$(makes delete_it '' void "Does it.
Errors: too late.")"
broken 'has no line "Outcomes' "$(makes delete_it 'record_ids text[]' "$answer")"
broken 'and it answers with none' "$(makes delete_it '' void "Does it.
Outcomes: deleted.")"
broken '"removed" is no outcome' "$(makes delete_them 'record_ids text[]' "$answer" "Does it.
Outcomes: removed (why).")"
broken 'exception verb_object for fold: nothing needs it' "ALTER FUNCTION kepler.fold(text) RENAME TO get_folded"
