#!/usr/bin/env bash
# Promise: a workspace that was exported, and imported into another database, is the same there: the lines of a second export are
# equal to the byte, for every type that tables may have, whatever the settings of the sessions are, under the same id and under
# another one. Functions work on as if nothing had happened: workers settle their leases, numbers go on, structures change, dropped
# tables and hidden fields come back. A cut or altered archive is refused before anything is written; a line that cannot be
# written is named; nothing of an import that failed is left, and it can be done again. Neither side holds the archive in memory.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
work=$(mktemp -d)
databases="kepler_archive_from kepler_archive_to"
admin() { PGOPTIONS="-c client_min_messages=warning ${OPTIONS:-}" "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -v SHOW_CONTEXT=never "$@"; }
drop() { for database in $databases; do admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; done; }
trap 'drop; rm -rf "$work"' EXIT
drop
for database in $databases; do
  admin -c "CREATE DATABASE $database TEMPLATE template0"
  admin -d "$database" -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
done
from() { admin -d kepler_archive_from "$@"; }
to() { admin -d kepler_archive_to "$@"; }

# Lines are copied as they are: no line of JSON has a control character in it.
raw="WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
# export_from DATABASE WORKSPACE FILE
export_from() { admin -d "$1" -c "\\copy (SELECT kepler.export_workspace('$2')) TO '$work/$3' $raw"; }
# import FILE [WORKSPACE]: into the other database.
import() {
  to -c 'DROP TABLE IF EXISTS archive' -c 'CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text)' -c "\\copy archive (line) FROM '$work/$1' $raw" \
    -c "SELECT count(*) || ' tables, ' || sum(rows) || ' rows' FROM kepler.import_workspace('archive', ${2:-NULL})"
}
# All but the first line and the last.
rows() { sed '1d;$d' "$work/$1"; }
same() { diff <(rows "$1") <(rows "$2") >"$work/diff" || die "$3: $(head -c 2000 "$work/diff")"; }

from -f "$(dirname "$0")/workspace_archive.sql"
export_from kepler_archive_from acme first
for kind in '"table":"entries:' '"table":"embeddings:small:memories"' '"table":"blueprint:' '"blueprint"' '"entry_table"' '"kepler.lease_records"' '"kepler.inbox"'; do
  grep -q "$kind" "$work/first" || die "the archive lacks $kind"
done
grep -q 'other@example.com\|"parent" *: *2' "$work/first" && die "rows of another workspace are in the archive"
OPTIONS="-c datestyle=German,MDY -c intervalstyle=iso_8601 -c extra_float_digits=-15 -c bytea_output=escape -c timezone=Asia/Kathmandu -c quote_all_identifiers=on" \
  export_from kepler_archive_from acme second
same first second "the settings of the session show in an archive"

# What is cut or altered is refused.
refused() {
  local said
  said=$(import "$1" 2>&1) && die "an archive was taken: $2"
  grep -q "$3" <<<"$said" || die "$2: $said"
  [[ $(to -c "SELECT count(*) FROM kepler.workspaces") == 1 ]] || die "$2: something was written"
}
head -n -1 "$work/first" >"$work/cut"
refused cut 'an archive without its end' 'the archive is not complete'
sed '20d' "$work/first" >"$work/short"
refused short 'an archive without a line' 'the archive is not complete'
sed '20s/"/" /' "$work/first" >"$work/altered"
refused altered 'an altered archive' 'the archive was altered'
: >"$work/empty"
refused empty 'an empty archive' 'the archive is not complete'

# A line that cannot be written, in an archive that is whole: a checksum tells of accidents, not of authors.
resealed() {
  to -c 'DROP TABLE IF EXISTS archive' -c 'CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text)' -c "\\copy archive (line) FROM '$work/$1' $raw" \
    -c "\\copy (SELECT line FROM (SELECT number, line FROM archive WHERE line NOT LIKE '{\"end\":%' UNION ALL SELECT 1000000, format('{\"end\":{\"lines\":%s,\"checksum\":%s}}', count(*), sum(kepler_internal.line_checksum(line))::numeric % 281474976710656) FROM archive WHERE line NOT LIKE '{\"end\":%') AS a ORDER BY number) TO '$work/$1' $raw"
}
line=$(grep -n '"table":"kepler.users"' "$work/first" | head -n 1 | cut -d: -f1)
sed "${line}s/\"created_at\" : \"[^\"]*\"/\"created_at\" : \"never\"/" "$work/first" >"$work/bad"
resealed bad
refused bad 'a value that is no time' "Line $line, /row/created_at: .*never"
sed "$((line + 1))s/\"email\" : \"[^\"]*\", //" "$work/first" >"$work/bad"
resealed bad
refused bad 'a value that is missing' "Line $((line + 1)), /row/email"

import first >"$work/imported"
export_from kepler_archive_to acme third
# The rows that a blueprint begins with are in the archive as they became; its document goes without them.
sed '/^{"blueprint"/s/,\\"seed\\":.*}"}}$/}"}}/' "$work/first" >"$work/without_seed"
same without_seed third "a workspace is not the same after an import"
to -c 'DROP TABLE archive'
# Again: it is there.
refused_again=$(import first 2>&1) && die "a workspace was imported twice"
grep -q 'already holds data' <<<"$refused_again" || die "$refused_again"

# Nothing that would drift, and nothing that sequences would give again.
to -v ON_ERROR_STOP=1 <<'SQL' >"$work/works" || die "functions do not work on what was imported: $(cat "$work/works")"
SET kepler.workspace_id = 'acme';
\set QUIET on
SELECT 'drift', d.* FROM unnest('{own,shared}'::text[]) AS b, LATERAL kepler.blueprint_drift(b) AS d WHERE d.kind <> 'coverage';
SELECT e.record_name, p.* FROM kepler.entry_tables AS e JOIN kepler.structures AS s ON s.entry_table_id = e.id AND s.version = e.version AND s.workspace_id = e.workspace_id
CROSS JOIN LATERAL kepler.plan_entry_table(e.record_name, s.structure) AS p WHERE e.dropped_at IS NULL AND e.workspace_id = 'acme';
SELECT 'settled ' || outcome FROM kepler.settle_records((SELECT id FROM kepler.leases), (SELECT jsonb_agg(jsonb_build_object('record_id', id, 'result', '{}'::jsonb)) FROM kepler.records WHERE enrichment_status = 'PENDING'));
SELECT 'claimed ' || count(*) FROM kepler.claim_records('contact', 'worker', 1000);
SELECT 'upserted ' || outcome || ' ' || count(*) FROM kepler.upsert_records('contact', '[{"external_id": "2", "data": {"n": 2.5, "t": "äöü😀 xx", "o": {"": [null, 0]}}}, {"external_id": "new", "data": {}}]', connection_id => 'c') GROUP BY outcome ORDER BY 1;
SELECT 'inbox ' || merged FROM (SELECT count(*) AS merged FROM kepler.merge_inbox_batch((SELECT id FROM kepler.sync_runs))) AS m;
SELECT 'found ' || count(*) FROM kepler.search_memories('[1, 2, 3]', query_text => 'second');
SELECT 'words ' || count(*) FROM kepler.search_memories(query_text => 'Haus') AS a CROSS JOIN kepler.search_memories(query_text => '東京') AS b;
SELECT 'message ' || number FROM kepler.add_message('talk', 'user', 'and on');
SELECT 'run ' || outcome FROM kepler.start_execution('w', 'done');
SELECT 'entry ' || outcome || ' ' || entry_id FROM kepler.insert_entries('Tree', '[{"name": "leaf", "parent": 9}]');
SELECT 'egg ' || outcome FROM kepler.insert_entries('Hen', '[{"from": "00000000-0000-0000-0000-00000000000f"}, {"from": "00000000-0000-0000-0000-000000000002"}]', on_error => 'skip');
SELECT 'version ' || kepler.restore_field('Every Type', 'gone');
SELECT 'kepler_data.' || table_name AS every FROM kepler.entry_tables WHERE record_name = 'Every Type' AND workspace_id = 'acme' \gset
SELECT 'hidden ' || count(*) FROM :every WHERE gone = 1.250;
SELECT 'dropped' FROM kepler.drop_entry_table('Dropped');
SELECT 'purged' FROM kepler.purge_entry_table('Dropped');
SELECT 'restored' FROM kepler.restore_entry_table('Dropped');
SELECT kepler.restore_field('Every Type', 'gone2') > 0 AND true;
SQL
diff - "$work/works" <<'TEXT' || die "something works in another way on what was imported"
settled applied
settled applied
claimed 296
upserted inserted 1
upserted unchanged 1
inbox 1
found 1
words 1
message 2
run duplicate
entry inserted 10
egg rejected
egg inserted
version 3
hidden 1
dropped
purged
restored
t
TEXT
cat "$work/imported"
