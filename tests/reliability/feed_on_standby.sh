#!/usr/bin/env bash
# Promise: the change feed is read on a hot standby, which sees no more than it has. When the standby is promoted a consumer
# goes on with its cursor; a transaction that was prepared before, and commits after, is not missed; and what the old
# primary wrote and the new one never had is told, not skipped. A scheduler may call kepler.maintain() there too.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
primary=feed-primary-$major standby=feed-standby-$major
trap 'remove_server "$standby" "$major"; remove_server "$primary" "$major"' EXIT
remove_server "$standby" "$major"
remove_server "$primary" "$major"
start_server "$primary" "$major" 'max_prepared_transactions = 5' 'synchronous_commit = on'
primary_host=$PGHOST
run() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
on_primary() { PGHOST=$primary_host run "$@"; }
on_standby() { PGHOST=$standby_host run "$@"; }
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }
on_primary -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
for i in 1 2; do on_primary -c "INSERT INTO kepler.records (id, entity_type) VALUES ('$i', 't')"; done
start=$(on_primary -c "SELECT cursor FROM kepler.changes_since() WHERE row_id = '1'")

data=$(server_data_dir "$standby")
rm -rf "$data"
mkdir -m 700 "$data"
chown "$SERVER_USER" "$data"
run_as_server_user "$PG_BIN/pg_basebackup" -h "$primary_host" -U postgres -D "$data" -R -c fast
start_server "$standby" "$major" 'max_prepared_transactions = 5'
standby_host=$PGHOST
caught_up() {
  local at
  at=$(on_primary -c 'SELECT pg_current_wal_lsn()')
  for _ in $(seq 100); do
    [[ $(on_standby -c "SELECT pg_last_wal_replay_lsn() >= '$at'") == t ]] && return
    sleep 0.1
  done
  die 'the standby does not catch up'
}
expect 'upkeep on a standby' "$(PGOPTIONS='-c client_min_messages=notice' PGHOST=$standby_host "$PG_BIN/psql" -XAtq -c 'CALL kepler.maintain()' 2>&1)" \
  'NOTICE:  this server is a standby: kepler.maintain has nothing to do here'
changes="SELECT coalesce(string_agg(row_id, ' ' ORDER BY n), '-') FROM kepler.changes_since('$start') WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n)"
caught_up
expect 'on the standby' "$(on_standby -c "$changes")" '2'
[[ -n $(on_standby -c 'SELECT kepler.feed_cursor()') ]] || die 'no cursor on the standby'
on_standby -c 'SELECT FROM kepler.feed_lag()'
# Whoever watches a database may ask the standby.
expect 'errors that doctor() finds on the standby' "$(on_standby -c "SELECT count(*) FROM kepler.doctor() WHERE severity = 'error'")" 0
expect 'metrics on the standby' "$(on_standby -c "SELECT count(*) > 100 FROM kepler.metrics()")" t

# A transaction that is prepared and one that commits behind it: neither is served, here and there.
on_primary -c 'BEGIN' -c "INSERT INTO kepler.records (id, entity_type) VALUES ('prepared', 't')" -c "PREPARE TRANSACTION 'p'"
on_primary -c "INSERT INTO kepler.records (id, entity_type) VALUES ('3', 't')"
expect 'what holds it back' "$(on_primary -c 'SELECT held_by, prepared_transaction, database_name, role_name FROM kepler.feed_lag()')" 'prepared transaction|p|postgres|postgres'
expect 'who holds the horizon' "$(on_primary -c 'SELECT held_by, name, holds_feed FROM kepler.stat_horizon')" 'prepared transaction|p|t'
expect 'what doctor() says of it' "$(on_primary -c "SELECT object_name, statement FROM kepler.doctor('{\"held_for\": \"0\"}') WHERE check_name = 'horizon'")" \
  "prepared transaction p|ROLLBACK PREPARED 'p';"
expect 'beside a prepared transaction' "$(on_primary -c "$changes")" '2'
caught_up
expect 'the same on the standby' "$(on_standby -c "$changes")" '2'

# The standby takes over. What the old primary writes then is lost.
run_as_server_user "$PG_BIN/pg_ctl" promote -s -w -D "$data"
on_primary -c "COMMIT PREPARED 'p'"
on_primary -c "INSERT INTO kepler.records (id, entity_type) VALUES ('lost', 't')"
for _ in 1 2 3 4 5; do on_primary -c "SELECT pg_current_xact_id()" >/dev/null; done
on_primary -c "INSERT INTO kepler.records (id, entity_type) VALUES ('lost too', 't')"
lost=$(on_primary -c "SELECT cursor FROM kepler.changes_since() WHERE row_id = 'lost too'")
on_standby -c "INSERT INTO kepler.records (id, entity_type) VALUES ('4', 't')"
expect 'a new epoch' "$(on_standby -c 'SELECT max(epoch) FROM kepler.feed_epochs')" 2
expect 'after the promotion, beside the prepared transaction' "$(on_standby -c "$changes")" '2'
on_standby -c "COMMIT PREPARED 'p'"
expect 'after the promotion' "$(on_standby -c "$changes")" '2 prepared 3 4'
if error=$(on_standby -c "SELECT FROM kepler.changes_since('$lost')" 2>&1); then die 'a cursor behind what was lost was taken'; fi
[[ $error == *'restored to an earlier state'* ]] || die "$error"
