#!/usr/bin/env bash
# Promise: case counts, or does not count, in the same way in a database of any locale. A dump of one is restored into one
# of another, and its unique indexes hold; a sync run that was under way ends there as it would have here, a consumer goes on
# with its cursor, and the same batch finds nothing changed. Locales that this machine does not have are skipped, and named.
# Runs on: 18, because it has the providers of 16 and one more.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
server=folding-$major
work=$(mktemp -d)
chmod 755 "$work"
# Locales that the machine could have are made for a server of this test's own, where their sources are there.
for locale in C tr_TR en_US; do
  localedef -i "$locale" -f UTF-8 "$work/$locale.UTF-8" >/dev/null 2>&1 || true
done
export LOCPATH=$work
trap 'remove_server "$server" "$major"; rm -rf "$work"' EXIT
remove_server "$server" "$major"
start_server "$server" "$major"
admin() { PGOPTIONS='-c client_min_messages=error' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
made=()

# Name, and how the database is made.
locales=(
  "libc_c|LOCALE 'C' LOCALE_PROVIDER libc"
  "libc_utf8|LOCALE 'C.UTF-8' LOCALE_PROVIDER libc"
  "libc_turkish|LOCALE 'tr_TR.UTF-8' LOCALE_PROVIDER libc"
  "libc_english|LOCALE 'en_US.UTF-8' LOCALE_PROVIDER libc"
  "builtin_c|BUILTIN_LOCALE 'C' LOCALE 'C' LOCALE_PROVIDER builtin"
  "builtin_utf8|BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C' LOCALE_PROVIDER builtin"
  "builtin_fast|BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C' LOCALE_PROVIDER builtin"
  "icu_turkish|ICU_LOCALE 'tr' LOCALE 'C' LOCALE_PROVIDER icu"
)
cat >"$work/fill.sql" <<'SQL'
INSERT INTO kepler.users (id, email) VALUES ('dotted', 'İi@example.org'), ('plain', 'ii@example.org'), ('accent', 'ÉMILE@example.org'), ('sharp', 'Straße@example.org'), ('u1', 'u1@example.org');
INSERT INTO kepler.connections (name, reference_id, provider, user_id) VALUES ('c', 'c', 'GMAIL', 'u1');
DO $$BEGIN PERFORM kepler.create_entry_table('Codes', '{"fields": [{"name": "code", "type": "text", "unique": true, "case_insensitive": true}]}'); END$$;
DO $$BEGIN PERFORM kepler.insert_entries('Codes', '[{"code": "İi"}, {"code": "ii"}, {"code": "Fiş"}, {"code": "ÇILGIN"}]'); END$$;
-- Ids that each locale puts into another order. Half of them were seen when the dump is made.
CREATE FUNCTION public.batch(VARIADIC ids text[]) RETURNS text LANGUAGE sql AS $$SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('v', i)))::text FROM unnest(ids) AS i$$;
CREATE FUNCTION public.is_stored(VARIADIC ids text[]) RETURNS TABLE (outcome text, count bigint) LANGUAGE sql AS $$SELECT u.outcome::text, count(*) FROM kepler.upsert_records('thing', public.batch(VARIADIC ids)) AS u GROUP BY 1 ORDER BY 1$$;
SELECT public.is_stored('a', 'B', 'ä', 'Z', 'i', 'I', 'İ', 'ß', 'ss', '-a', 'a-b', 'ab');
SELECT kepler.acknowledge_changes('indexer', (SELECT cursor FROM kepler.changes_since() ORDER BY sequence OFFSET 5 LIMIT 1));
SELECT count(*) FROM kepler.begin_sync(NULL, 'thing') AS r CROSS JOIN LATERAL kepler.upsert_records('thing', public.batch('B', 'ä', 'i', 'İ', '-a', 'ab'), sync_run_id => r.sync_run_id);
SQL
# What a database says; each must say the same.
cat >"$work/ask.sql" <<'SQL'
SELECT md5(string_agg(kepler.fold(chr(c) || 'I' || chr(c)), '' ORDER BY c)) FROM generate_series(1, 70000) AS c WHERE c NOT BETWEEN 55296 AND 57343;
SELECT kepler.is_connected('u1', 'gmail'), kepler.is_connected('u1', 'gmaıl');
SELECT count(*) FROM kepler.users WHERE kepler.fold(email) IN (kepler.fold('İI@EXAMPLE.ORG'), kepler.fold('émile@EXAMPLE.org'), kepler.fold('STRASSE@example.org'), kepler.fold('II@example.org'));
INSERT INTO kepler.users (email) VALUES ('émile@EXAMPLE.org'), ('II@EXAMPLE.ORG'), ('strasse@example.org'), ('İI@example.org') ON CONFLICT (workspace_id, kepler.fold(email)) DO NOTHING RETURNING email;
SELECT ordinal, outcome FROM kepler.insert_entries('Codes', '[{"code": "fiŞ"}, {"code": "çılgın"}, {"code": "çilgin"}, {"code": "II"}, {"code": "İI"}]', 'skip');
SELECT count(*) FROM kepler.changes_since(consumer => 'indexer');
SELECT f.deleted FROM kepler.sync_runs AS r CROSS JOIN LATERAL kepler.finish_sync(r.id, max_delete_fraction => 1) AS f;
SELECT string_agg(external_id, ' ' ORDER BY external_id) FROM kepler.records WHERE deleted_at IS NULL;
SELECT * FROM public.is_stored('B', 'ä', 'i', 'İ', '-a', 'ab');
DELETE FROM kepler_data.codes_1_entries WHERE code = 'çılgın';
SELECT count(*) FROM pg_index WHERE indrelid IN ('kepler.users'::regclass, 'kepler_data.codes_1_entries'::regclass) AND NOT indisvalid;
SQL
create() { admin -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING 'UTF8' $2" 2>"$work/problem"; }

for entry in "${locales[@]}"; do
  name=kepler_fold_${entry%%|*} how=${entry#*|}
  if ! create "$name" "$how"; then
    echo "skipped ${entry%%|*}: $(head -n 1 "$work/problem")"
    continue
  fi
  made+=("$name")
  admin -d "$name" -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' -f "$work/fill.sql" >/dev/null
  "$PG_BIN/pg_dump" -d "$name" >"$work/$name.sql"
  admin -d "$name" -f "$work/ask.sql" >"$work/$name.answer"
  cmp -s "$work/${made[0]}.answer" "$work/$name.answer" || die "$name answers otherwise than ${made[0]}: $(diff "$work/${made[0]}.answer" "$work/$name.answer")"
  echo "the same in ${entry%%|*}"
done
[[ ${#made[@]} -ge 2 ]] || die "one locale proves nothing"

# Each dump into a database of the next locale.
for at in "${!made[@]}"; do
  from=${made[at]} to=${made[(at + 1) % ${#made[@]}]}
  for entry in "${locales[@]}"; do [[ kepler_fold_${entry%%|*} == "$to" ]] && how=${entry#*|}; done
  admin -c "DROP DATABASE IF EXISTS kepler_fold_copy WITH (FORCE)"
  create kepler_fold_copy "$how"
  admin -d kepler_fold_copy -f "$work/$from.sql" >/dev/null || die "the dump of $from does not go into one like $to"
  admin -d kepler_fold_copy -f "$work/ask.sql" >"$work/copy.answer"
  cmp -s "$work/${made[0]}.answer" "$work/copy.answer" || die "$from restored into one like $to answers otherwise: $(diff "$work/${made[0]}.answer" "$work/copy.answer")"
done
echo "dumps go from each to the next"
