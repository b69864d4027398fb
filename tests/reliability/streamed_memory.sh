#!/usr/bin/env bash
# Promise: the memory of the session that merges an inbox does not grow with the number of rows, and a second session sees
# how far it has come: done rises up to a total that is exact. Linux only.
# Runs on: 18, because it is about the memory of the library.
# Long form: STEPS=100, two minutes
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_streamed steps=${STEPS:-20} work=$(mktemp -d)
admin() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
drop() { admin -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap 'drop; rm -rf "$work"' EXIT
fresh_database $database install
rows_of() { echo $(($1 * 2000)); }

# merge TYPE STEPS: copies rows of 1 kB in and merges them; the largest anonymous memory of the session, in kB, as another
# session saw it, is in $work/TYPE, and what that one saw of the progress in $work/TYPE.progress.
admin -d $database -c "CREATE TABLE about (type text, pid integer, run text)"
cat >"$work/watch.sql" <<'SQL'
CREATE FUNCTION pg_temp.memory(pid integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN (regexp_match(pg_read_file(format('/proc/%s/status', pid)), 'RssAnon:\s+(\d+) kB'))[1]::integer;
EXCEPTION WHEN OTHERS THEN
    RETURN 0;
END
$$;
CREATE PROCEDURE pg_temp.watch(kind text, all_rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    session integer; sync_run text; most integer := 0; seen bigint := -1; looks integer := 0; p record;
BEGIN
    LOOP
        SELECT a.pid, a.run INTO session, sync_run FROM about AS a WHERE a.type = kind;
        EXIT WHEN session IS NOT NULL;
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
    LOOP
        COMMIT;
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = session);
        most := greatest(most, pg_temp.memory(session));
        SELECT * INTO p FROM kepler.sync_progress AS v WHERE v.sync_run_id = sync_run;
        IF p.phase = 'merging' AND p.done > 0 THEN
            IF p.done < seen OR p.total <> all_rows OR p.rate IS NULL OR p.estimated_end < p.active_at THEN
                RAISE WARNING 'progress is wrong: %', p;
            END IF;
            looks := looks + (p.done > seen)::integer;
            seen := p.done;
        END IF;
        PERFORM pg_sleep(0.005);
    END LOOP;
    RAISE NOTICE '% %', most, looks;
END
$$;
SQL
merge() {
  local type=$1 rows
  rows=$(rows_of "$2")
  (cat "$work/watch.sql"; echo "CALL pg_temp.watch('$type', $rows);") | "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database >"$work/$type" 2>&1 &
  "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database >"$work/$type.merge" <<SQL
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, '$type') \gset
INSERT INTO kepler.inbox (sync_run_id, line) SELECT :'run', format('{"id": "%s", "text": "%s"}', i, repeat(md5(i::text), 31)) FROM generate_series(1, $rows) AS i;
-- Another session, which has done nothing else.
\c
SET client_min_messages = warning;
SELECT :'run' AS run \gset
INSERT INTO about VALUES ('$type', pg_backend_pid(), :'run');
CALL kepler.merge_inbox(:'run', 2000, id_key => 'id');
SQL
  wait $!
  [[ $(admin -d $database -c "SELECT count(*) FROM kepler.records WHERE entity_type = '$type'") -eq $rows ]] || die "not all rows were merged"
}
merge few "$steps"
merge many $((4 * steps))
grep -h 'WARNING' "$work/few" "$work/many" && die "progress was told wrongly"
read -r few _ < <(sed -n 's/^NOTICE:  //p' "$work/few")
read -r many looks < <(sed -n 's/^NOTICE:  //p' "$work/many")
[[ ${looks:-0} -ge 3 ]] || die "the second session saw only ${looks:-no} steps: $(cat "$work/many")"
# A leak of 20 bytes a row would be more.
[[ $few -eq 0 || $many -lt $((few + 2048)) ]] || die "RssAnon rose from $few kB in $steps steps to $many kB in $((4 * steps))"
echo "RssAnon at most $few kB in $steps steps and $many kB in $((4 * steps)); the second session saw $looks steps"
