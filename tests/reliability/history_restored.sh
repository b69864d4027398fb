#!/usr/bin/env bash
# Promise: the history comes along in a dump, plain and custom: rows read as they were, also over a column that was dropped before
# it; the chain of seals holds with its anchor and goes on; new changes are sealed behind the old ones; nothing can be changed.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
work=$(mktemp -d)
databases="kepler_history kepler_history_plain kepler_history_custom"
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { for database in $databases; do admin -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; done; }
trap 'drop; rm -rf "$work"' EXIT
drop
for database in $databases; do admin -d postgres -c "CREATE DATABASE $database TEMPLATE template0"; done
admin -d kepler_history -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
# A dropped column: the columns have other numbers in the copy. One is renamed, and one will be.
admin -d kepler_history >/dev/null <<'SQL'
CREATE TABLE orders (gone integer, id integer PRIMARY KEY, note text, amount numeric, born interval);
ALTER TABLE orders DROP COLUMN gone;
SELECT kepler.track('orders', 'history');
SET kepler.actor = 'ada';
INSERT INTO orders VALUES (1, 'one', 1.50, '1 year -3 days');
UPDATE orders SET note = 'two', amount = NULL;
ALTER TABLE orders RENAME note TO remark;
UPDATE orders SET remark = 'three', born = NULL;
SELECT kepler_internal.redact_history(NULL, 'a reason', 'public.orders', '{2}');
SQL
# Until nothing is left: transactions of other databases may be under way.
seal() {
  local left
  for _ in $(seq 200); do
    admin -d "$1" -c 'SELECT kepler.seal_history()'
    left=$(admin -d "$1" -c 'SELECT count(*) FROM kepler.history AS h WHERE NOT EXISTS (SELECT FROM kepler.history_seals AS s WHERE (s.epoch, s.xid, s.sequence) >= (h.epoch, h.xid, h.sequence))')
    if [[ $left == 0 ]]; then return; fi
    sleep 0.05
  done
  die "the history of $1 was not sealed"
}
anchor=$(seal kepler_history | tail -n 1)
read_it="SELECT operation, actor, changes, row_data FROM kepler.row_history('orders', '1') OFFSET :from"
expected=$(admin -d kepler_history -v from=0 <<<"$read_it")
"$PG_BIN/pg_dump" -d kepler_history -f "$work/plain.sql"
"$PG_BIN/pg_dump" -d kepler_history -Fc -f "$work/custom"
admin -d kepler_history_plain -f "$work/plain.sql" >/dev/null
"$PG_BIN/pg_restore" --exit-on-error -d kepler_history_custom "$work/custom"
for copy in kepler_history_plain kepler_history_custom; do
  [[ $(admin -d "$copy" -v from=0 <<<"$read_it") == "$expected" ]] || die "$copy: the history reads otherwise"
  [[ $(admin -d "$copy" -c "SELECT outcome, problem FROM kepler.verify_history('$anchor')") == 'intact|' ]] || die "$copy: the chain is broken: $(admin -d "$copy" -c "SELECT kepler.verify_history('$anchor')")"
  if admin -d "$copy" -c 'DELETE FROM kepler.history' 2>/dev/null; then die "$copy: the history can be deleted"; fi
  # The first write lists the columns as they are here: from then on they may have other names.
  admin -d "$copy" -c "UPDATE orders SET remark = 'in the copy'" -c 'ALTER TABLE orders RENAME amount TO total' -c 'UPDATE orders SET total = 9'
  [[ $(admin -d "$copy" -c "SELECT changes FROM kepler.row_history('orders', '1', 1)") == '{"total": {"new": 9, "old": null}}' ]] || die "$copy: a new change"
  [[ $(admin -d "$copy" -v from=2 <<<"$read_it") == "${expected//'"amount"'/'"total"'}" ]] || die "$copy: what was before reads otherwise: $(admin -d "$copy" -v from=2 <<<"$read_it")"
  later=$(seal "$copy" | tail -n 1)
  [[ $later != "$anchor" ]] || die "$copy: nothing was sealed"
  [[ $(admin -d "$copy" -c "SELECT outcome, problem FROM kepler.verify_history('$later', '$anchor')") == 'intact|' ]] || die "$copy: the chain does not go on"
done
