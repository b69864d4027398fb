#!/usr/bin/env bash
# Promise: kepler.maintain() goes on wherever it was interrupted: its session killed (kill -9), cancelled by statement_timeout, or
# with a table that another session has locked; and what kills it comes last the next time. Of several runners one runs, and the
# others end at once without an error. Called by a scheduler again and again beside writers (a loop of psql stands for
# cron) it leaves nothing undone. An old snapshot holds it back from nothing but seals. Where there is nothing to do it reads a few
# pages for each workspace with something open, and writes one row for each step, whatever the number of workspaces.
# Runs on: 18, because what it rests on (transactions, locks, signals) is the same on both.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/server-log.sh
source "$ROOT/tools/server-log.sh"

major=${PG_MAJOR:-${PG:-18}}
name=maintenance-$major
work=$(mktemp -d)
trap 'remove_server "$name" "$major"; rm -rf "$work"' EXIT
remove_server "$name" "$major"
start_server "$name" "$major"
run() { PGOPTIONS="-c client_min_messages=${MESSAGES:-warning} ${OPTIONS:-}" "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -v SHOW_CONTEXT=never "$@"; }
expect() { [[ $2 == "$3" ]] || die "$1: $2, and not $3"; }
wait_for() {
  for _ in $(seq 200); do
    [[ $(run -c "$2") == t ]] && return
    sleep 0.05
  done
  die "never: $1"
}
maintain() { run -c 'CALL kepler.maintain()'; }
run -c 'CREATE EXTENSION kepler CASCADE' -c 'SELECT FROM kepler.install()' >/dev/null
run >/dev/null <<'SQL'
SELECT kepler.create_workspace('a'), kepler.create_workspace('b');
CREATE FUNCTION forget(workspace text) RETURNS void LANGUAGE sql AS $$
    SELECT kepler.remember('short of life ' || clock_timestamp(), expires_at => '2001-01-01', workspace_id => workspace)
$$;
-- A trigger that takes its time, in one workspace.
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.workspace_id = 'a' THEN
        PERFORM pg_sleep(60);
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER dawdle BEFORE DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION dawdle();
CREATE VIEW expired AS SELECT workspace_id, count(*) FROM kepler.memories WHERE expires_at < now() GROUP BY 1;
SELECT forget('a');
SQL

# The first time nobody knows what will happen in a. Killed there, it does b first.
begin() {
  MESSAGES=notice maintain >"$work/first" 2>&1 &
  first=$!
  wait_for "$1" "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
}
begin 'a run in a'
# Meanwhile another one says that, and is no failure.
expect 'a second runner' "$(MESSAGES=notice maintain 2>&1)" 'NOTICE:  another session is running kepler.maintain'
expect 'what is noted' "$(run -c "SELECT outcome FROM kepler.stat_maintenance WHERE workspace_id = 'a'")" started
pid=$(run -c "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
kill_backend "$pid"
wait "$first" && die 'a killed run has ended well'
for _ in $(seq 200); do run -c 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.05; done
expect 'after the kill' "$(run -c 'SELECT * FROM expired')" 'a|1'
run -c "SELECT FROM forget('b')"
begin 'a run in a again'
expect 'what is in the way comes last' "$(run -c 'SELECT * FROM expired')" 'a|1'
run -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
wait "$first" && die 'a terminated run has ended well'
# By statement_timeout the same, again and again.
for _ in 1 2; do
  run -c "SELECT FROM forget('b')"
  OPTIONS='-c statement_timeout=300ms' maintain >"$work/out" 2>&1 && die 'it has not met the trigger'
  grep -q 'canceling statement due to statement timeout' "$work/out" || die "cancelled: $(cat "$work/out")"
done
expect 'cancelled, with b done' "$(run -c 'SELECT * FROM expired')" 'a|1'
run -c 'DROP TRIGGER dawdle ON kepler.memories'
maintain
expect 'all is done' "$(run -c 'SELECT * FROM expired')" ''
# It ends before the timeout where the work can be cut.
run -c 'CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN OLD; END $$' \
  -c 'CREATE TRIGGER dawdle BEFORE DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION dawdle()' \
  -c "INSERT INTO kepler.memories (workspace_id, content, expires_at) SELECT 'a', 'm' || i, '2001-01-01' FROM generate_series(1, 3000) AS i"
OPTIONS='-c statement_timeout=3s' maintain
expect 'in time' "$(run -c "SELECT outcome FROM kepler.stat_maintenance WHERE workspace_id = 'a'")" unfinished
run -c 'DROP TRIGGER dawdle ON kepler.memories'
maintain
expect 'the rest' "$(run -c 'SELECT * FROM expired')" ''

# A table that somebody has locked, and does not give back; an old snapshot that wrote.
run -c "SELECT FROM forget('a')" -c "SELECT kepler.track('kepler.workflows', 'history')" -c "INSERT INTO kepler.workflows (id, name) VALUES ('w', 'w')" >/dev/null
coproc holder { "$PG_BIN/psql" -XAtq; }
holder_pid=$!
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id(); LOCK TABLE kepler.sync_runs IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${holder[1]}"
while read -r line <&"${holder[0]}"; do [[ $line == held ]] && break; done
run -c "INSERT INTO kepler.workflows (id, name) VALUES ('x', 'x')"
maintain >"$work/out" 2>&1
expect 'nothing to wake anybody for' "$(cat "$work/out")" ''
expect 'beside a lock' "$(run -c "SELECT string_agg(format('%s %s %s', step, outcome, last_error_code), ', ' ORDER BY step) FROM kepler.stat_maintenance WHERE step IN ('abandon_syncs', 'expire_memories') AND workspace_id IS NULL")" 'abandon_syncs failed 55P03, expire_memories finished '
unsealed="SELECT count(*) > 0 FROM kepler.history AS h WHERE NOT EXISTS (SELECT FROM kepler.history_seals AS s WHERE (s.epoch, s.xid, s.sequence) >= (h.epoch, h.xid, h.sequence))"
expect 'beside an old transaction' "$(run -c "$unsealed")" t
echo 'COMMIT; \q' >&"${holder[1]}"
wait "$holder_pid" || true
run -c 'UPDATE kepler.maintenance SET next_at = NULL'
maintain
expect 'without it' "$(run -c "$unsealed")" f

# A scheduler, and writers: three runners at a time, all the time.
for _ in 1 2 3; do
  (for _ in $(seq 4); do maintain; done) >"$work/runner.$RANDOM" 2>&1 &
done
for i in $(seq 8); do run -c "SELECT FROM forget('a')" -c "SELECT FROM forget('b')" -c "INSERT INTO kepler.workflows (id, name) VALUES ('l$i', 'l')"; done
wait
[[ -z $(cat "$work"/runner.*) ]] || die "a runner says: $(cat "$work"/runner.*)"
maintain
expect 'after the scheduler' "$(run -c 'SELECT * FROM expired')$(run -c "$unsealed")" f
expect 'its chain' "$(run -c 'SELECT outcome FROM kepler.verify_history()')" intact

# With nothing to do: workspaces with something open in each table that is looked at.
run >/dev/null <<'SQL'
CREATE PROCEDURE fill(first integer, last integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kepler.workspaces (id, name) SELECT 'w' || i, 'w' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.memories (workspace_id, content, expires_at) SELECT 'w' || i, 'm', '2999-01-01' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.workflows (workspace_id, id, name) SELECT 'w' || i, 'w', 'w' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.executions (workspace_id, workflow_id, timeout, deadline_at, next_check_at)
    SELECT 'w' || i, 'w', '1 day', clock_timestamp() + interval '1 day', clock_timestamp() + interval '1 day' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.entities (workspace_id, id, type, source) SELECT 'w' || i, 'e', 'lead', 'MANUAL' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.sync_runs (workspace_id, id, entity_id) SELECT 'w' || i, 'r', 'e' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.sync_seen (workspace_id, sync_run_id, external_ids) SELECT 'w' || i, 'r', '{x}' FROM generate_series(first, last) AS i;
    INSERT INTO kepler.enrichment_policies (workspace_id, entity_type, backlog_after) SELECT 'w' || i, 'lead', NULL FROM generate_series(first, last) AS i;
    INSERT INTO kepler.records (workspace_id, id, entity_type, entity_id) SELECT 'w' || i, 'r' || n, 'lead', 'e' FROM generate_series(first, last) AS i, generate_series(1, 3) AS n;
    INSERT INTO kepler.leases (workspace_id, entity_type, worker, length, deadline, lease_until, open_records)
    SELECT 'w' || i, 'lead', 'w', '1 day', clock_timestamp() + interval '1 day', clock_timestamp() + interval '1 day', 1 FROM generate_series(first, last) AS i;
END
$$;
SQL
read_pages="SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::bigint FROM pg_statio_user_tables WHERE schemaname = 'kepler'"
written="SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'kepler'"
idle() {
  local pages rows
  run -c 'VACUUM ANALYZE' >/dev/null
  maintain
  run -c 'SELECT pg_stat_force_next_flush()' >/dev/null
  pages=$(run -c "$read_pages") rows=$(run -c "$written")
  "$PG_BIN/psql" -XAtq -c '\timing on' -c 'CALL kepler.maintain()' -c 'SELECT pg_stat_force_next_flush()' | grep -a Time | head -n 1 >"$work/time"
  took=$(cat "$work/time")
  wait_for 'the statistics' "SELECT ($written) > $rows"
  pages_read=$(($(run -c "$read_pages") - pages)) rows_written=$(($(run -c "$written") - rows))
}
run -c "CALL fill(1, 100)"
idle
few=$pages_read
run -c "CALL fill(101, 400)"
idle
say "idle: $few pages with 100 workspaces, $pages_read with 400; $rows_written rows written; $took"
((pages_read < 30 * 400 && pages_read < 8 * few)) || die "an idle run reads $pages_read pages"
steps=$(run -c 'SELECT count(*) - 1 FROM kepler_internal.maintenance_steps()')
((rows_written <= steps + 1)) || die "an idle run writes $rows_written rows"
expect 'rows that are kept' "$(run -c "SELECT count(*) < 30 FROM kepler.maintenance")" t
