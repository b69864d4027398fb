#!/usr/bin/env bash
# Promise: what a node cannot commit is no success: of a call alone, of one in a transaction block, a function or a larger statement,
# and of direct SQL. A trigger that fires when a worker commits refuses it there, as a crash of the worker would at this moment.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

database=kepler_citus_commits
start_cluster
drop_cluster_database $database
on_node "$COORDINATOR" -d postgres -c "DROP ROLE IF EXISTS kepler_commits_writer"
cluster_database $database install distribute
run_psql() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d $database "$@"; }
run_psql -o /dev/null <<'SQL'
CREATE ROLE kepler_commits_writer LOGIN;
SELECT kepler.create_workspace('acme');
SELECT kepler.create_workspace('globex');
SELECT kepler.grant_access('kepler_commits_writer', 'writer');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'u', 'u@example.com');
CREATE TABLE public.done (what text);
SELECT citus_add_local_table_to_metadata('public.done');
GRANT INSERT, SELECT ON public.done TO PUBLIC;
CREATE FUNCTION public.remembers(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN PERFORM kepler.remember(what, user_id => 'u', workspace_id => 'acme'); END $$;
SQL
for node in "${CITUS_WORKERS[@]}"; do
  on_node "$node" -d $database -o /dev/null <<'SQL'
SET citus.enable_manual_changes_to_shards = on;
SET citus.override_table_visibility = off;
SET citus.enable_ddl_propagation = off;
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not committed here'; END $$;
SELECT format('CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()', c.oid::regclass)
FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relname ~ '^(memories|conversations|users)_[0-9]+$' \gexec
SQL
done

# refused WHAT SQL…: psql tells of an error, and nothing is there.
refused() {
  local what=$1 said statements=()
  for statement in "${@:2}"; do statements+=(-c "$statement"); done
  if said=$(run_psql -o /dev/null "${statements[@]}" 2>&1); then die "$what: acknowledged, and not committed: $said"; fi
  [[ $said == *'not committed here'* ]] || die "$what: another error: $said"
  [[ $(run_psql -c 'SELECT (SELECT count(*) FROM kepler.memories), (SELECT count(*) FROM kepler.conversations), (SELECT count(*) FROM public.done), (SELECT min(email) FROM kepler.users)') == '0|0|0|u@example.com' ]] ||
    die "$what: something is there"
}
# psql sends each -c by itself: BEGIN and COMMIT stand in statements of their own.
call="SELECT kepler.remember('a', user_id => 'u', workspace_id => 'acme')"
insert="INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('acme', 'c', 'u')"
refused 'a call' "$call"
refused 'rows of a call' "SELECT * FROM kepler.remember('a', user_id => 'u', workspace_id => 'acme')"
refused 'a count of the rows of a call' "SELECT outcome, count(*) FROM kepler.remember('a', user_id => 'u', workspace_id => 'acme') WHERE outcome <> 'x' GROUP BY 1 ORDER BY 1"
refused 'a call in a block' BEGIN "$call" COMMIT
refused 'a call after a savepoint' BEGIN 'SAVEPOINT a' "$call" 'ROLLBACK TO a' "$call" 'RELEASE a' COMMIT
refused 'a call and a table' BEGIN "INSERT INTO public.done VALUES ('a')" "$call" COMMIT
refused 'a call within a write' "INSERT INTO public.done SELECT outcome FROM kepler.remember('a', user_id => 'u', workspace_id => 'acme')"
refused 'two calls' "SELECT kepler.remember('a', user_id => 'u', workspace_id => 'acme'), kepler.remember('a', workspace_id => 'globex')"
refused 'a function' "SELECT public.remembers('a')"
refused 'DO' "DO \$\$ BEGIN PERFORM kepler.remember('a', user_id => 'u', workspace_id => 'acme'); END \$\$"
refused 'direct SQL' "$insert"
refused 'direct SQL in a block' BEGIN "$insert" COMMIT
update="UPDATE kepler.users SET email = 'n@example.com' WHERE workspace_id = 'acme' AND id"
refused 'an UPDATE' "$update = 'u'"
refused 'an UPDATE that reads another table' "$update IN (SELECT 'u' FROM pg_class OFFSET 0)"
refused 'an UPDATE that reads a common table expression' "WITH x AS MATERIALIZED (SELECT 'u' AS id) $update IN (SELECT x.id FROM x)"
refused 'an UPDATE of what an UPDATE has given' "WITH x AS ($update = 'u' RETURNING id) SELECT count(*) FROM x"
refused 'an INSERT of what another table has' "INSERT INTO kepler.conversations (workspace_id, id, user_id) SELECT 'acme', 'c', 'u' FROM (SELECT FROM pg_class LIMIT 1) AS c"
refused 'COPY' "COPY kepler.conversations (workspace_id, id, user_id) FROM PROGRAM 'echo acme,c,u' (FORMAT csv)"
role='SET ROLE kepler_commits_writer'
refused 'a call of a role' "$role" "SELECT kepler.use_workspace('acme', false)" "SELECT kepler.remember('a', user_id => 'u')"
refused 'direct SQL of a role' "$role" "SELECT kepler.use_workspace('acme', false)" "$insert"
refused 'reading, then writing' "$role" BEGIN "SELECT kepler.use_workspace('acme')" 'SELECT count(*) FROM kepler.users' "$insert" COMMIT
# What fails behind a call undoes it. (The trigger of the workers would refuse it only later.)
if said=$(run_psql -o /dev/null -c "SELECT 1 / (length(outcome) - length(outcome)) FROM kepler.remember('a', user_id => 'u', workspace_id => 'acme')" 2>&1); then die 'a division by zero'; fi
[[ $said == *'division by zero'* ]] || die "a division by zero: $said"
for node in "${CITUS_NODES[@]}"; do
  [[ $(on_node "$node" -d $database -c 'SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()') -eq 0 ]] || die "$node has prepared transactions left"
done
echo 'what is not committed is told'
