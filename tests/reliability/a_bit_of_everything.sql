-- Something of each kind that Kepler makes or holds, for the tests of an administrator's work: they source it in a database where
-- install() ran, where the roles kepler_some_reader (a level in all workspaces) and kepler_some_member (in one) exist.
SET client_min_messages = warning;
SELECT kepler.grant_access('kepler_some_reader', 'reader');
SELECT kepler.create_workspace('other', name => 'other');
SELECT kepler.grant_access('kepler_some_member', 'writer', 'other');

-- Records, people, connections; of two workspaces.
INSERT INTO kepler.users (id, email) VALUES ('u', 'Ü@example.com');
INSERT INTO kepler.connections (id, name, reference_id, user_id) VALUES ('c', 'c', 'r', 'u');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'env:KEY');
SELECT count(*) FROM kepler.upsert_records('contact', (
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('n', i, 't', 'äöü'))) FROM generate_series(1, 50) AS i)::text,
    connection_id => 'c');
SELECT count(*) FROM kepler.upsert_records('contact', '[{"external_id": "x", "data": {}}]', workspace_id => 'other');
SELECT kepler.upsert_record('contact', 'bad', '[]', connection_id => 'c', options => '{"keep_rejects": true}');

-- A queue with a lease, runs, a sync under way.
SELECT kepler.set_enrichment_policy('lead');
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}]');
SELECT count(*) FROM kepler.claim_records('lead', 'worker', 1);
INSERT INTO kepler.workflows (id, user_id, name, trigger, actions) VALUES ('w', 'u', 'w', '{"app": "Gmail"}', '[{"app": "Slack"}]');
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', 'done');
SELECT kepler.add_execution_steps(execution_id, token, '[{"name": "a"}]') FROM run;
DROP TABLE run;
SELECT kepler.begin_sync('c', 'contact');
INSERT INTO kepler.inbox (sync_run_id, line) SELECT sync_run_id, '{"id": 1}' FROM kepler.begin_sync(NULL, 'copied');

-- Memory.
SELECT kepler.create_embedding_space('small', 3, 'model');
SELECT kepler.remember('what is remembered', '[1, 2, 3]', user_id => 'u');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
SELECT kepler.add_message('talk', 'user', 'said before', embedding => '[1, 2, 3]');

-- Tables that were asked for: entry tables, one of them dropped, and a model in a schema of its own and one that was there.
SELECT kepler.create_entry_table('Order', '{"fields": [{"name": "code", "type": "text", "unique": true, "case_insensitive": true}, {"name": "kept", "type": "integer"}]}');
SELECT kepler.create_entry_table('Line', '{"fields": [{"name": "of", "type": "reference", "to": "Order"}]}');
SELECT kepler.insert_entries('Order', '[{"code": "Straße", "kept": 1}, {"code": "b"}]');
SELECT kepler.insert_entries('Line', '[{"of": 1}]');
SELECT kepler.alter_entry_table('Order', '{"fields": [{"name": "code", "type": "text", "unique": true, "case_insensitive": true}]}');
SELECT kepler.create_entry_table('Gone', '{"fields": []}');
SELECT kepler.drop_entry_table('Gone');
CREATE SCHEMA app;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "model", "enums": {"state": ["a", "b"]}, "tables": [
    {"name": "Parent", "schema": "model", "key": {"name": "id", "type": "bigint"}, "times": true, "fields": [
        {"name": "state", "type": "enum", "enum": "state", "default": "a"}, {"name": "code", "type": "text", "fill": "cuid", "unique": true, "case_insensitive": true},
        {"name": "child", "type": "reference", "to": "Child"}]},
    {"name": "Child", "schema": "app", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "type": "reference", "to": "Parent"}]}]}');

-- Tracked tables of one's own, for the feed and for the history.
CREATE TABLE app.orders (id integer PRIMARY KEY, note text);
CREATE TABLE app.audited (id integer PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE app.audited_first PARTITION OF app.audited DEFAULT;
SELECT kepler.track('app.orders'), kepler.track('app.audited', 'history'), kepler.track('kepler_data.line_2_entries', 'history');
INSERT INTO app.orders VALUES (1, 'one');
INSERT INTO app.audited VALUES (1, 'one');
UPDATE app.audited SET note = 'two';
SELECT kepler.acknowledge_changes('indexer', kepler.feed_cursor());
SELECT kepler.seal_history();
