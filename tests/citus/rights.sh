#!/usr/bin/env bash
# Promise: roles have on a cluster the rights that they have on one server, where only some columns of a table are theirs to change,
# and no others: they load into the inbox by COPY and INSERT, in their own workspace alone, whatever node they talk to and whatever they
# say that they are; also after parts have moved. What is done by hand to the lists of levels holds on all nodes, with the transaction
# that does it.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
database=kepler_citus_rights
start_cluster
roles=(one two all varies reader worker new)
for name in "$database" "${database}_copy"; do drop_cluster_database "$name"; done
for node in "${CITUS_NODES[@]}"; do
  for role in "${roles[@]}" renamed; do on_node "$node" -d postgres -c "DROP ROLE IF EXISTS kepler_rights_$role"; done
done
cluster_database "$database" install
for role in "${roles[@]}"; do on_node "$COORDINATOR" -d "$database" -c "CREATE ROLE kepler_rights_$role LOGIN"; done
# run_as NODE ROLE: plays what stands on its input, on a node; answers and codes of errors in one line.
run_as() (
  use_server "$1" citus
  PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v VERBOSITY=sqlstate -d "$database" ${2:+-U "kepler_rights_$2"} 2>&1 | tr '\n' ' ' | sed 's/ERROR:  //g; s/ *$//'
)
# expect WANTED ROLE [NODE]: the same, held against what is meant to come.
expect() { local got; got=$(run_as "${3:-$COORDINATOR}" "$2"); [[ $got == "$1" ]] || die "${2:-owner} on ${3:-the coordinator}: \"$got\" instead of \"$1\""; }
expect '' '' <<'SQL'
SELECT kepler.create_workspace(w) FROM unnest('{acme,globex}'::text[]) AS w \g /dev/null
INSERT INTO kepler.connections (workspace_id, id, name, reference_id) VALUES ('acme', 'crm', 'crm', 'crm'), ('globex', 'crm', 'crm', 'crm');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'a', 'a@example.com'), ('globex', 'g', 'g@example.com');
SELECT kepler.upsert_record('lead', '1', '{"n": 1}', source => 'crm', workspace_id => 'acme') \g /dev/null
SELECT kepler.grant_access('kepler_rights_all', 'writer') \g /dev/null
SELECT kepler.grant_access('kepler_rights_one', 'writer', 'acme') \g /dev/null
SELECT kepler.grant_access('kepler_rights_two', 'writer', 'acme') \g /dev/null
SELECT kepler.grant_access('kepler_rights_two', 'admin', 'globex') \g /dev/null
SQL
run=$(run_as "$COORDINATOR" '' <<<"SELECT sync_run_id FROM kepler.begin_sync('crm', 'lead', workspace_id => 'acme')")
of_globex=$(run_as "$COORDINATOR" '' <<<"SELECT sync_run_id FROM kepler.begin_sync('crm', 'lead', workspace_id => 'globex')")
distribute "$database"
# Some get their levels on the cluster.
expect '' '' <<'SQL'
SELECT kepler.grant_access('kepler_rights_varies', 'reader', 'acme') \g /dev/null
SELECT kepler.grant_access('kepler_rights_varies', 'writer', 'globex') \g /dev/null
SELECT kepler.grant_access('kepler_rights_reader', 'reader', 'acme') \g /dev/null
SELECT kepler.grant_access('kepler_rights_worker', 'worker', 'acme') \g /dev/null
SQL

# loads WHEN: each role loads what it may, and nothing else. The inbox is empty before and after.
loads() {
  expect '4' one <<SQL
SET kepler.sync_run_id = '$run';
COPY kepler.inbox (line) FROM STDIN;
{"id": "1"}
\\.
COPY kepler.inbox (external_id, data, deleted) FROM STDIN (FORMAT csv, HEADER);
external_id,data,deleted
2,{},f
\\.
INSERT INTO kepler.inbox (line) VALUES ('{"id": "3"}'), ('{"id": "4"}');
SELECT count(*) FROM kepler.inbox_rows WHERE workspace_id = 'acme' AND sync_run_id = '$run';
SQL
  expect '42501 42501' two <<SQL
SET kepler.sync_run_id = '$run';
COPY kepler.inbox (line) FROM STDIN;
INSERT INTO kepler.inbox (line) VALUES ('{}');
SQL
  expect 'acme 5 globex 2 globex' two <<SQL
BEGIN;
SELECT kepler.use_workspace('acme');
SET LOCAL kepler.sync_run_id = '$run';
COPY kepler.inbox (line) FROM STDIN;
{"id": "5"}
\\.
SELECT count(*) FROM kepler.inbox_rows;
COMMIT;
BEGIN;
SELECT kepler.use_workspace('globex');
SET LOCAL kepler.sync_run_id = '$of_globex';
SAVEPOINT a;
COPY kepler.inbox (line) FROM STDIN;
{"id": "undone"}
\\.
ROLLBACK TO a;
PREPARE load AS INSERT INTO kepler.inbox (line) VALUES (\$1);
EXECUTE load ('{"id": "1"}');
EXECUTE load ('{"id": "2"}');
SELECT count(*) FROM kepler.inbox_rows;
SELECT DISTINCT workspace_id FROM kepler.inbox_rows;
COMMIT;
SQL
  expect 'acme 1 globex 42704' all <<SQL
SELECT kepler.use_workspace('acme', false);
SET kepler.sync_run_id = '$run';
INSERT INTO kepler.inbox (line) SELECT format('{"id": "%s"}', i) FROM generate_series(6, 9) AS i;
SELECT count(*) FROM kepler.inbox_rows WHERE line LIKE '%"9"%';
-- A run of another workspace is unknown.
SELECT kepler.use_workspace('globex', false);
INSERT INTO kepler.inbox (line) VALUES ('{}');
SQL
  expect 'acme 42501 42501 globex' varies <<SQL
SELECT kepler.use_workspace('acme', false);
SET kepler.sync_run_id = '$run';
COPY kepler.inbox (line) FROM STDIN;
INSERT INTO kepler.inbox (line) VALUES ('{}');
SELECT kepler.use_workspace('globex', false);
SET kepler.sync_run_id = '$of_globex';
INSERT INTO kepler.inbox (line) VALUES ('{"id": "3"}');
SQL
  for role in reader worker new; do
    expect '42501 42501' $role <<SQL
SET kepler.sync_run_id = '$run';
COPY kepler.inbox (line) FROM STDIN;
INSERT INTO kepler.inbox (line) VALUES ('{}');
SQL
  done
  # Nobody names the workspace, or the number, by any way.
  expect '42501 42501 42501 42501 42501 42501 42501 42501' one <<SQL
COPY kepler.inbox FROM STDIN;
COPY kepler.inbox (workspace_id, sync_run_id, line) FROM STDIN;
COPY kepler.inbox (id, sync_run_id, line) FROM STDIN;
INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('acme', '$run', '{}');
INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('globex', '$of_globex', '{}');
INSERT INTO kepler.inbox (id, sync_run_id, line) OVERRIDING SYSTEM VALUE VALUES (1, '$run', '{}');
INSERT INTO kepler.inbox_rows (workspace_id, sync_run_id, line) VALUES ('acme', '$run', '{}');
SELECT count(*) FROM kepler.inbox;
SQL
  # On a node of the rows, at the parts themselves, as a session of Citus', with the workspace of another.
  for node in "${CITUS_WORKERS[@]}"; do
    for name in nobody citus_internal; do
      expect 't 42501 42501 42501 42501 42501' one "$node" <<SQL
SET citus.override_table_visibility = off;
SET citus.enable_manual_changes_to_shards = on;
SELECT 'kepler.' || min(relname) FILTER (WHERE relname ~ '^inbox_[0-9]+\$') AS part, 'kepler.' || min(relname) FILTER (WHERE relname ~ '^inbox_rows_[0-9]+\$') AS rows
    FROM pg_class WHERE relnamespace = 'kepler'::regnamespace AND relname ~ '^inbox_' \\gset
SELECT has_table_privilege(:'part', 'INSERT');
SET application_name = '$name gpid=1';
SET kepler.sent_workspace_id = 'globex';
INSERT INTO :part (workspace_id, sync_run_id, id, line) OVERRIDING SYSTEM VALUE VALUES ('globex', '$of_globex', 1, '{}');
COPY :part (workspace_id, sync_run_id, id, line) FROM STDIN;
globex	$of_globex	1	{}
\\.
INSERT INTO :rows (workspace_id, sync_run_id, id, line) OVERRIDING SYSTEM VALUE VALUES ('globex', '$of_globex', 1, '{}');
TRUNCATE :part;
SELECT count(*) FROM :part;
SQL
    done
  done
  expect 'acme|9 globex|3' '' <<'SQL'
SELECT workspace_id, count(*) FROM kepler.inbox GROUP BY 1 ORDER BY 1;
DELETE FROM kepler.inbox;
SQL
  # Columns of other tables: a worker's of records, a reader's of its consumers and of what a search notes.
  expect '{"by": "worker"} 42501 42501 42501' worker <<'SQL'
UPDATE kepler.records SET enrichment = '{"by": "worker"}' WHERE external_id = '1' RETURNING enrichment;
UPDATE kepler.records SET data = '{}' WHERE external_id = '1';
UPDATE kepler.records SET enrichment = '{}', external_id = '2' WHERE external_id = '1';
INSERT INTO kepler.records (entity_type) VALUES ('lead');
SQL
  expect '42501 42501' reader <<'SQL'
UPDATE kepler.consumers SET cursor = cursor;
UPDATE kepler.consumers SET name = 'other';
UPDATE kepler.memory_access SET hits = 1;
UPDATE kepler.memory_access SET memory_id = 'other';
SQL
  echo "rights hold $1"
}
loads 'on the cluster'
for mode in block_writes force_logical; do
  for workspace in acme globex; do
    expect '' '' <<SQL
CALL citus_cleanup_orphaned_resources();
SELECT citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, n.nodename, n.nodeport, shard_transfer_mode => '$mode')
FROM citus_shards AS s JOIN pg_dist_node AS n ON n.nodename <> s.nodename AND n.groupid > 0
WHERE s.shardid = get_shard_id_for_distribution_column('kepler.parts', '$workspace') \\g /dev/null
SQL
  done
  loads "after $mode"
done
# Without the check nobody may load; distribute() brings it back.
forged="INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('globex', '$of_globex', '{}');"
expect '' '' <<<'ALTER TABLE kepler.inbox_rows DROP CONSTRAINT inbox_rows_of_session'
expect '42501 42501' one <<<"INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('$run', '{}'); $forged"
for node in "${CITUS_WORKERS[@]}"; do
  expect '42501' one "$node" <<SQL
SET citus.override_table_visibility = off;
SET citus.enable_manual_changes_to_shards = on;
SELECT 'kepler.' || min(relname) AS part FROM pg_class WHERE relnamespace = 'kepler'::regnamespace AND relname ~ '^inbox_[0-9]+\$' \\gset
${forged/kepler.inbox/:part}
SQL
done
expect '' '' <<<'SELECT kepler.distribute() \g /dev/null'
loads 'with the check again'

# The lists of levels, changed by hand. levels: what each node has.
levels() {
  local node
  for node in "${CITUS_WORKERS[@]}"; do
    on_node "$node" -d "$database" -c "SELECT string_agg(concat_ws(':', replace(l.role, 'kepler_rights_', ''), l.level, l.workspace), ' ' ORDER BY l.role, l.workspace) FROM kepler_internal.levels_here() AS l"
  done
}
# are WANTED: on all nodes alike.
are() { local got; got=$(levels | sort -u); [[ $got == "$1" ]] || die "levels: \"$got\" instead of \"$1\""; }
before='all:writer one:writer:acme reader:reader:acme two:writer:acme two:admin:globex varies:reader:acme varies:writer:globex worker:worker:acme'
are "$before"
# A membership that is taken ends with the next statement; one that is given begins.
expect 'acme a globex g' two <<'SQL'
SELECT kepler.use_workspace('acme', false);
SELECT string_agg(id, NULL) FROM kepler.users;
SELECT kepler.use_workspace('globex', false);
SELECT string_agg(id, NULL) FROM kepler.users;
SQL
expect '' '' <<<"DELETE FROM kepler.workspace_members WHERE role_name = 'kepler_rights_two' AND workspace_id = 'acme'"
are "${before/ two:writer:acme/}"
expect '42501 g 0' two <<'SQL'
SELECT kepler.use_workspace('acme', false);
SELECT string_agg(id, NULL) FROM kepler.users;
SELECT count(*) FROM kepler.users WHERE workspace_id = 'acme';
SQL
for node in "${CITUS_WORKERS[@]}"; do
  expect 'g 42501' two "$node" <<'SQL'
SELECT string_agg(id, NULL) FROM kepler.users;
SELECT kepler.use_workspace('acme', false);
SQL
done
expect '' '' <<<"INSERT INTO kepler.workspace_members (workspace_id, role_name, level, granted_to)
  SELECT 'acme', role_name, 'writer', granted_to FROM kepler.workspace_members WHERE role_name = 'kepler_rights_two'"
are "$before"
expect 'acme a' two <<'SQL'
SELECT kepler.use_workspace('acme', false);
SELECT string_agg(id, NULL) FROM kepler.users;
SQL
# Rights stay as they are, here and there: a role that has some by hand is placed in a workspace so, and gets no others.
for node in "${CITUS_NODES[@]}"; do
  on_node "$node" -d "$database" -c 'SET citus.enable_ddl_propagation = off' -c 'GRANT USAGE ON SCHEMA kepler TO kepler_rights_new' \
    -c 'GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO kepler_rights_new'
done
expect '' '' <<'SQL'
GRANT SELECT ON kepler.users, kepler.workspace_members TO kepler_rights_new;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('acme', 'kepler_rights_new', 'reader');
SQL
are "${before/ one:writer:acme/ new:reader:acme one:writer:acme}"
expect 'acme a 42501 42501' new <<'SQL'
SELECT kepler.current_workspace_id();
SELECT string_agg(id, NULL) FROM kepler.users;
SELECT count(*) FROM kepler.records;
SELECT kepler.status();
SQL
for node in "${CITUS_WORKERS[@]}"; do expect 'a 42501 42501' new "$node" <<<'SELECT string_agg(id, NULL) FROM kepler.users; SELECT count(*) FROM kepler.conversations; SELECT kepler.count_memories();'; done
expect '' '' <<'SQL'
DELETE FROM kepler.workspace_members WHERE role_name = 'kepler_rights_new';
REVOKE ALL ON kepler.users, kepler.workspace_members FROM kepler_rights_new;
SQL
are "$before"
# It is of its transaction, and of its part.
expect '' '' <<'SQL'
BEGIN;
DELETE FROM kepler.workspace_members;
ROLLBACK;
BEGIN;
SAVEPOINT a;
TRUNCATE kepler.workspace_members, kepler.access_levels;
ROLLBACK TO a;
UPDATE kepler.access_levels SET level = 'reader';
COMMIT;
SQL
are "${before/all:writer/all:reader}"
# No other triggers fire, and no row is a role's that has come to a name, or has no rights.
expect '' '' <<'SQL'
SET session_replication_role = replica;
UPDATE kepler.access_levels SET level = 'writer';
RESET session_replication_role;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('acme', 'kepler_rights_new', 'admin'), ('acme', 'kepler_rights_nobody', 'admin');
SQL
are "$before"
expect '' '' <<'SQL'
ALTER ROLE kepler_rights_reader RENAME TO kepler_rights_renamed;
CREATE ROLE kepler_rights_reader LOGIN;
DELETE FROM kepler.workspace_members WHERE role_name IN ('kepler_rights_new', 'kepler_rights_nobody');
SQL
are "${before/ reader:reader:acme/ renamed:reader:acme}"
# Who may not tell the nodes changes nothing.
expect '42501' two <<<"DELETE FROM kepler.workspace_members"
# grant_access and revoke_access go on from there, and all can be taken at once.
expect '' '' <<'SQL'
SELECT kepler.grant_access('kepler_rights_new', 'reader', 'globex') \g /dev/null
SELECT kepler.revoke_access('kepler_rights_renamed') \g /dev/null
SQL
are "${before/all:writer one:writer:acme reader:reader:acme/all:writer new:reader:globex one:writer:acme}"
expect '' '' <<<'TRUNCATE kepler.workspace_members'
are 'all:writer'
expect '42501' one <<<'SELECT count(*) FROM kepler.users'
echo 'lists that are changed by hand hold everywhere'

# On one server again, and in a copy of the cluster's database there, rights are those of one server.
# checks DATABASE: what stands for the rows of the inbox, and who may insert into all of its columns.
checks() {
  on_node "$COORDINATOR" -d "$1" -c "SELECT (SELECT count(*) FROM pg_constraint WHERE conname = 'inbox_rows_of_session'),
    (SELECT string_agg(replace(r.rolname, 'kepler_rights_', ''), ' ' ORDER BY r.rolname) FROM pg_roles AS r
     WHERE r.rolname LIKE 'kepler\_rights\_%' AND has_table_privilege(r.rolname, 'kepler.inbox', 'INSERT')),
    (SELECT string_agg(replace(r.rolname, 'kepler_rights_', ''), ' ' ORDER BY r.rolname) FROM pg_roles AS r
     WHERE r.rolname LIKE 'kepler\_rights\_%' AND has_any_column_privilege(r.rolname, 'kepler.inbox', 'INSERT')),
    (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tell\_nodes%')"
}
expect '' '' <<'SQL'
SELECT kepler.revoke_access('kepler_rights_two') \g /dev/null
SELECT kepler.grant_access('kepler_rights_one', 'writer', 'acme') \g /dev/null
SQL
expect '' one <<<"INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('$run', '{}');"
is() { [[ $2 == "$3" ]] || die "$1: \"$2\", and not \"$3\""; }
is 'on the cluster' "$(checks "$database")" '1|all one varies|all one varies|4'
"$PG_BIN/pg_dump" -d "$database" --extension=kepler --extension=vector >"$work/dump.sql"
on_node "$COORDINATOR" -d postgres -c "CREATE DATABASE ${database}_copy TEMPLATE template0"
on_node "$COORDINATOR" -d "${database}_copy" -o /dev/null -f "$work/dump.sql"
is 'in a copy' "$(checks "${database}_copy")" '1|all one varies|all one varies|4'
is 'rows in a copy' "$(on_node "$COORDINATOR" -d "${database}_copy" -c 'SELECT workspace_id FROM kepler.inbox')" acme
# said SQL…: what a role that nobody has on a list says there, to get at another workspace.
said() { on_node "$COORDINATOR" -d "${database}_copy" -v VERBOSITY=sqlstate -c "SET ROLE kepler_rights_$1" -c "$2" 2>&1 || true; }
for role in one all varies; do is "$role, in a copy" "$(said $role "$forged")" 'ERROR:  42501'; done
on_node "$COORDINATOR" -d "${database}_copy" -o /dev/null -c 'SELECT kepler.install()'
is 'after install()' "$(checks "${database}_copy")" '0||all one varies|4'
for role in one all varies; do is "$role, after install()" "$(said $role "$forged")" 'ERROR:  42501'; done
# Nobody is told there.
on_node "$COORDINATOR" -d "${database}_copy" -c "DELETE FROM kepler.access_levels"
are 'all:writer one:writer:acme'
expect '' '' <<<'SELECT kepler.undistribute() \g /dev/null'
is 'after undistribute()' "$(checks "$database")" '0||all one varies|0'
expect '42501 42501' varies <<<"$forged INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('$run', '{}');"
expect '2' one <<<"INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('$run', '{}'); SELECT count(*) FROM kepler.inbox_rows;"
echo 'and go on one server'
