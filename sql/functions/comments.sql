-- What \df+ and docs/reference.md say about each function, in one format that tools/reference_rules.sql checks: what it
-- does; a line for each argument that needs one; "Outcomes: …"; "Errors: …". The forms of a function share a comment.

COMMENT ON FUNCTION kepler.install() IS
'Creates Kepler''s tables in the schema kepler, or upgrades them to the version of the library, in one transaction. It can be repeated.
Returns one row for each step of the schema.
Outcomes: applied (by this call), unchanged (it was there).
Errors: 55P03 while another session runs it; 55000 if the tables are newer than the library; 0A000 if the database is not in UTF8 or pgvector is older than 0.8.4.';

COMMENT ON FUNCTION kepler.uninstall(boolean, jsonb) IS
'Drops Kepler''s tables, entry tables, embedding tables and the tables of blueprints, and the triggers that track put on other tables, in one transaction. Tables and enums that a blueprint has adopted stay: they were there before. DROP EXTENSION kepler; DROP SCHEMA kepler; then take the rest, and nothing is left. Nothing is dropped with CASCADE. It can be repeated.
with_rows: true also where the tables hold rows, which are deleted with them.
options: {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for the locks.
Returns one row for each object. hint: what to do about an object that is kept, as a statement where one does.
Outcomes: dropped, kept (not Kepler''s to drop, or dropped by another command).
Errors: 2BP01 if something of somebody else''s rests on Kepler''s tables or on the extension (a view, a foreign key, a default, a policy, a subscription, …), with all of it in DETAIL; 55000 if the tables hold rows, if they are newer than the library, and in a transaction that is not READ COMMITTED; 55P03 if a table is in use, or another session runs install() or uninstall(); 40001 if tables were made meanwhile; 22004 and 22023 for arguments; 42501 for callers other than the owner of the tables and superusers.';

COMMENT ON FUNCTION kepler.uninstall_report() IS
'Shows what uninstall would drop and keep, and what is in its way, without doing anything. Returns one row for each object.
rows: how many a table holds, counted now. hint: a statement that takes an object out of the way, where there is a short one, or what to do about an object that is kept.
Outcomes: dropped, blocks (somebody else''s object, which rests on Kepler''s), kept.
Errors: 42501 for callers other than the owner of the tables and superusers.';
COMMENT ON FUNCTION kepler_internal.made_objects(oid, text[]) IS 'Internal: what Kepler made that is no member of the extension';
COMMENT ON FUNCTION kepler_internal.made_schemas() IS 'Internal: the schemas that Kepler made beside those of the extension';
COMMENT ON FUNCTION kepler_internal.given_schema_rights(oid) IS 'Internal: the rights on schemas of others that roles have for tables of blueprints';
COMMENT ON FUNCTION kepler_internal.with_parts(oid[], oid[]) IS 'Internal: objects, and what goes with them without being asked for';
COMMENT ON FUNCTION kepler_internal.plan_uninstall(oid, oid, text[]) IS 'Internal: what uninstall drops, what blocks it, and what stays';
COMMENT ON FUNCTION kepler_internal.way_out(oid, oid, integer, text, text) IS 'Internal: a statement that takes an object off what it rests on';
COMMENT ON FUNCTION kepler_internal.held_by_tables(regclass[]) IS 'Internal: which tables hold more than install() put there';

COMMENT ON FUNCTION kepler.status() IS
'Shows what is installed, how much data it holds and what waits: a JSON object with the versions of library, extension, schema, Postgres and pgvector, and the session''s workspace.
tables: for each of Kepler''s tables the number of rows (of all workspaces), bytes, and whether the number is estimated (for an analysed table above 64 MB, and for a table that the caller may not read).
made: entry tables and embeddings, added up.
enrichment: oldest_ready_at, the number of leases and of expired leases.
executions: the number of running and of overdue executions.
For every level of access and for members of pg_monitor.
Errors: 55000 before install().';
COMMENT ON FUNCTION kepler_internal.table_status(regclass) IS 'Internal: rows and bytes of a table';

COMMENT ON FUNCTION kepler.metrics() IS
'What the views kepler.stat_… show, as samples for Prometheus: a name, its labels, a value, and the type (gauge or counter) and the help of the name. Names have their unit in them, and end with _total where the value only grows.
A call costs some look-ups in indexes for each workspace, type, entity, consumer and table, however many rows they hold: counts stop at a number that is a metric of its own, and estimates are called so.
For members of pg_monitor.
Errors: 55000 before install(); 42501 for other roles.';
COMMENT ON FUNCTION kepler_internal.require_monitor() IS 'Internal: fails unless the caller may look at all workspaces';
COMMENT ON FUNCTION kepler_internal.metric_names() IS 'Internal: name, type, labels and help of each metric';

COMMENT ON FUNCTION kepler.doctor(jsonb) IS
'What is wrong with this installation, one row a finding; none if all is well. severity is error (data is not safe, or functions fail), warning (it will be, or costs much), or notice. statement mends it, if a statement does; hint says what to think of before or after.
It compares Kepler''s own tables with those that install() makes, column by column, and looks at indexes, triggers, row security and rights; versions of library, extension, schema, pgvector and Postgres; vacuum, statistics and sequences; transactions that hold the horizon, consumers that have stopped, and partitions. It reads the catalog and statistics, and no data. A check that fails is a finding (check_failed).
options: {"held_for": "1 hour"} is how long a transaction may be under way, and {"silent_for": "1 day"} how long a consumer for which changes wait may acknowledge nothing.
It works before install() and on a standby too. For members of pg_monitor and whoever has the rights of the owner of Kepler''s tables; the owner sees more (which roles have which level, what is tracked).
Errors: 22023 for options; 42501 for other roles.';
COMMENT ON FUNCTION kepler_internal.described_tables() IS 'Internal: how Kepler''s tables are made, an object a row';
COMMENT ON FUNCTION kepler_internal.expected_tables() IS 'Internal: how install() makes Kepler''s tables, an object a row';
COMMENT ON FUNCTION kepler_internal.expected_tables_text() IS 'Internal: the same, a JSON object a line';
COMMENT ON FUNCTION kepler_internal.server_warning(integer) IS 'Internal: what is wrong with a version of Postgres, a server_version_num';
COMMENT ON FUNCTION kepler_internal.doctor_access() IS 'Internal: findings of doctor() about owners and rights';
COMMENT ON FUNCTION kepler_internal.doctor_vacuum() IS 'Internal: findings of doctor() about vacuum, statistics and sequences';
COMMENT ON FUNCTION kepler_internal.doctor_indexes() IS 'Internal: findings of doctor() about indexes, foreign keys and partitions';
COMMENT ON FUNCTION kepler_internal.doctor_installation() IS 'Internal: findings of doctor() about versions';
COMMENT ON FUNCTION kepler_internal.doctor_server() IS 'Internal: findings of doctor() about the server and its settings';
COMMENT ON FUNCTION kepler_internal.doctor_tables() IS 'Internal: findings of doctor() about the definitions of tables';
COMMENT ON FUNCTION kepler_internal.doctor_upkeep(interval, interval) IS 'Internal: findings of doctor() about what is held up or not done';

COMMENT ON FUNCTION kepler.version() IS
'The version of the loaded library. status() also shows the version of the extension''s SQL, which ALTER EXTENSION upgrades.';

COMMENT ON FUNCTION kepler.current_workspace_id() IS
'The workspace that the session works in, which calls and inserts use unless they name one: the one that use_workspace chose, or that a superuser set as kepler.workspace_id. If none was set, it is the only workspace that the role of the session is a member of, or default for roles with a level in all workspaces, for roles without a level, and for the owner of Kepler''s tables. The function does not check that the workspace exists.
Errors: 42501 if the role is not a member of the workspace that was set, or if it is a member of several and none was set.';

COMMENT ON FUNCTION kepler.cuid() IS
'A new identifier: 24 lower-case letters and digits, the first a letter (^[a-z][a-z0-9]{23}$).
Ids are in the order of their making, to the millisecond; within a session each is greater than the one before. An id holds its time (nine base-36 digits, which every reader can decode) and 72 bits of randomness.';

COMMENT ON FUNCTION kepler.jsonb_hash(jsonb) IS
'A hash of 128 bits over the content of a document. Key order, white space, escapes and the spelling of numbers (1, 1.0, 1e0) do not count; everything else does. The hash is the same on every machine and in every version. It is not cryptographic. NULL gives NULL.';

COMMENT ON FUNCTION kepler.record_document(anyelement) IS
'The data of a record, with the top-level members of its enrichment merged into it, as jsonb.
record: a row of kepler.records, as in SELECT kepler.record_document(r) FROM kepler.records AS r; it may be any row with the columns data and enrichment.';

COMMENT ON FUNCTION kepler.upsert_records(text, text, text, text, text, text, text, text, text, jsonb, text) IS
'Inserts, updates, soft-deletes or leaves alone the records that a batch describes. Returns one row for each element, in their order (ordinal begins at 1).
records: a JSON array, or one JSON object on each line (newline-delimited JSON: a broken line is rejected by itself, a blank line is no element), as text, json or jsonb. Prefer text: json and jsonb refuse some documents before this function can answer for them one by one. Without id_key, each element is an envelope {external_id, data, source_updated_at, deleted}, of which external_id and data are required. With id_key, each element is a flat document and is itself the data.
id_key, updated_at_key, deleted_key: where a flat document says its external id, the source''s time, and that the record was deleted. Each is the name of a member, or a JSON Pointer such as /metadata/id. id_key may be a JSON array of them, as text (''["/order/id", "line"]''): the external id is then the JSON array of the parts, as array_to_json(ARRAY[…])::text gives it. As deleted count true, 1, "true", "t", "yes", "y", "1" (in any case) and a time after 1970-01-01; as not deleted false, 0, null, "", "false", "f", "no", "n", "0", a time up to 1970-01-01, and a missing member. Anything else is rejected (invalid_deleted).
entity_type, source, connection_id: identify the entity, which is created if it does not exist. source is MANUAL if it is NULL.
sync_run_id: the open sync run that the call is for. It gives source and connection_id, which may be left out; given ones must be its own. What the call rejects is kept in kepler.rejects.
merge: replace (new data replaces the stored data), shallow (new top-level members replace stored ones), deep (objects are merged at every level), or merge_patch (as deep, and null removes a member: RFC 7386).
options: {"invalid_characters": "strip"} removes what jsonb cannot hold (U+0000, lone surrogates) instead of rejecting the element. {"source_updated_at": …} is the source''s time of all flat documents of the call; it excludes updated_at_key. {"keep_rejects": true}, the default of a call with sync_run_id, keeps rejected elements in kepler.rejects (at most 10,000 of an entity; a warning says how many more there were), for retry_rejects.
A warning says so if most elements are superseded because id_key gives them the same external id.
An element that is not valid, or that the database refuses (one of your constraints, indexes, triggers or policies; error_code is then the SQLSTATE, or not_written), is rejected by itself. The others are written.
Outcomes: inserted, updated, refreshed, restored, deleted, unchanged, stale (older than what is stored), superseded (a later element is for the same record), rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if records cannot be divided into elements; 54000 if there are more than 4,000,000; 23503 for an unknown workspace or connection; 40001 if records kept vanishing while it ran, or a sync run changed some that the transaction cannot see (run it again); 42501 if row security hides the entity; 42704 for an unknown sync run, and 55000 if it has ended.';

COMMENT ON FUNCTION kepler.upsert_records_summary(text, text, text, text, text, text, text, text, text, jsonb, text) IS
'Does what upsert_records does, and returns counts instead of rows: a JSON object with total, a count for every outcome (0 included), and rejected_by_code, an object of counts by error_code.
The arguments are those of upsert_records.
Errors: those of upsert_records.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, text, text, boolean, text, text, text, text, jsonb, text) IS
'Upserts one record, given by its parts, and returns one row. Call it in a select list, for many rows of a table, or in FROM. (f(…)).* calls a function once for each of its columns: write FROM f(…) instead.
data: a JSON object, as text, json or jsonb; may be NULL if deleted is true.
source_updated_at: when the source last changed the record, a text, read as in a batch (without an offset it is UTC), a timestamptz, a timestamp or a date (UTC, whatever the session''s zone is), or a number, a Unix time. A time older than the stored one changes nothing (stale); NULL switches this guard off.
deleted: true soft-deletes the record; an unknown record is inserted as a deleted one.
The other arguments are those of upsert_records. The outcome of an invalid record is rejected.
Outcomes: those of upsert_records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace or connection; 40001 if the record kept vanishing, or a sync run changed some that the transaction cannot see (run it again); 42501 if row security hides the entity; 42704 for an unknown sync run, and 55000 if it has ended.';

COMMENT ON FUNCTION kepler.fold(text) IS
'Folds the case of content: Unicode''s full case folding, in canonical composition. Two texts with equal results differ at most in case, or in how an accent is encoded.
The result is the same in every database, locale and version of Postgres, so an index over it survives dump and restore. NULL gives NULL.';

COMMENT ON FUNCTION kepler.set_entity_options(text, jsonb, text, text, text) IS
'Finds or creates an entity, sets options for upserts of its records, and returns the entity''s id.
options: {"ignored_paths": ["/fetched_at", …]}, an array of JSON Pointers (RFC 6901) to places that an upsert ignores when it compares a record. The array replaces the earlier one; without it nothing is set.
entity_type, source, connection_id: name the entity.
Errors: 55000 before install(); 22004 and 22023 for arguments, unknown options and malformed pointers; 23503 for an unknown workspace or connection.';

COMMENT ON FUNCTION kepler.delete_records(text[], text) IS
'Soft-deletes records: sets deleted_at, keeps everything else.
record_ids: values of kepler.records.id. Returns one row for each, in their order.
external_ids: in the other form, the ids that the source gives. entity_type, source and connection_id then name the entity, as for an upsert.
Outcomes: deleted, unchanged (it was so already, or the id came earlier in the array), not_found, rejected (a constraint, an index or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.restore_records(text[], text) IS
'Brings soft-deleted and archived records back: deleted_at becomes NULL, status ACTIVE.
record_ids: values of kepler.records.id. Returns one row for each, in their order.
external_ids: in the other form, the ids that the source gives. entity_type, source and connection_id then name the entity, as for an upsert.
Outcomes: restored, unchanged (it was so already, or the id came earlier in the array), not_found, rejected (a constraint, an index or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.archive_records(text[], text) IS
'Sets the status of records to ARCHIVED. Upserts go on updating archived records and leave them archived.
record_ids: values of kepler.records.id. Returns one row for each, in their order.
external_ids: in the other form, the ids that the source gives. entity_type, source and connection_id then name the entity, as for an upsert.
Outcomes: archived, unchanged (it was so already, or the id came earlier in the array), not_found, rejected (a constraint, an index or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.retry_rejects(bigint[], text, text, integer, text) IS
'Tries rejected elements again that kepler.rejects holds, each read as its call read it (options). Returns one row for each.
What is not rejected again leaves the table. What is rejected again stays with its new reason, and tries is one more. A document may be repaired there first, by an UPDATE.
reject_ids: values of kepler.rejects.id; answered in their order. Without them, up to max_rows (at most 100,000) are taken, those with the fewest tries first; rows that another session is retrying are left to it.
entity_type, sync_run_id: only those of a type, of a sync run, or both; of the whole workspace if neither is given.
An element never overwrites what came after it. If source and record have times, the older one is stale. If they have not, a record that was written since the element was sent keeps what it has (superseded).
An element of more than 1 MB, or with a secret in it, was not kept whole, and must be sent again: its error_code is document_not_kept, and the row keeps the reason that it has.
Outcomes: inserted, updated, refreshed, restored, deleted, unchanged, stale (older than what is stored), superseded (the record was written since, or a later element is for the same record), rejected, not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 40001 if records kept vanishing while it ran (run it again); 42501 if row security hides the entity.';

COMMENT ON FUNCTION kepler.purge_rejects(interval, text, text, integer, text) IS
'Deletes up to max_rows (at most 100,000) rejects that were sent longer ago than older_than, the oldest first, and returns their number. Rows that another session is retrying are left to the next call.
entity_type, sync_run_id: only those of a type, or of a sync run.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.create_entry_table(text, text, text) IS
'Creates a table from a structure, in one transaction: records it in kepler.entry_tables, stores the structure as version 1 in kepler.structures, and creates the table in the schema kepler_data. Returns the table.
entry_table: the name that users give the table: at most 128 bytes, unique in the workspace. "Inventory Record" becomes kepler_data.inventory_record_1_entries; the number is unique in the database.
structure: as text, json or jsonb, a structure document, {"fields": [{"name", "type", …}], "key", "unique", "indexes", "checks"}, or a JSON Schema of an object.
The table belongs to the owner of kepler.entry_tables. Another caller may read and write it; row security shows its rows only in the workspace of the table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if structure is not valid JSON; 22023 with all problems of the structure, each with its JSON Pointer, in DETAIL; 23503 for an unknown workspace; 42P07 if the name is taken; 0A000 if Postgres cannot hold such a table; 55P03 if the lock on a referenced table could not be taken.';

COMMENT ON FUNCTION kepler.plan_entry_table(text, text, text) IS
'Shows the steps that alter_entry_table would take to reach a structure, or create_entry_table if the table does not exist, without taking them. Returns one row for each step, and no row if the table matches the structure.
entry_table: what users call the table.
structure: as for create_entry_table; a field''s renamed_from is its current name.
class: instant (only the catalog changes), scan (every row is read), rewrite and convert (every row is written again: needs permission), or refused, in which case hazards says what to do instead. lock: the strongest lock on the table, held to the end of the transaction. estimated_rows: rows that are read or written. undo: how to undo the step, if possible.
Errors: those of create_entry_table, except 42P07 and 55P03.';

COMMENT ON FUNCTION kepler.alter_entry_table(text, text, text[], jsonb, text) IS
'Changes an entry table to match a structure, in one transaction. Returns the new version, or the current one if nothing changes. Columns and rules that users added by hand stay. A field that the structure no longer has is hidden, with its data: restore_field restores it.
entry_table: what users call the table.
structure: as for plan_entry_table.
allow: an array of rewrite and convert, the classes of steps that need permission.
options: {"version": n} fails unless n is the current version; {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for a lock.
Errors: those of plan_entry_table; 42P01 for an unknown table; 0A000 if a step is refused; 55000 if a step needs permission; 23514 if entries block the change, with their number and keys in DETAIL; 55P03 if the lock could not be taken; 40001 if the table changed meanwhile (plan again).';

COMMENT ON FUNCTION kepler.drop_entry_table(text, text) IS
'Takes an entry table out of use. Its entries and versions are kept until purge_entry_table, in a table with another name, which is returned. The name is free. Its references to other tables do not hold until restore_entry_table.
entry_table: what users call the table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table; 2BP01 if other entry tables refer to it; 55P03 if the lock could not be taken.';

COMMENT ON FUNCTION kepler.restore_entry_table(text, text) IS
'Restores the entry table of this name that was dropped last, with its entries and all its rules. Returns the table.
entry_table: what users call the table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 if none was dropped; 22023 if a referenced table does not exist; 42P07 if the name is taken; 23514 if its entries refer to deleted entries; 55P03 if the lock could not be taken.';

COMMENT ON FUNCTION kepler.rename_entry_table(text, text, text) IS
'Gives an entry table another name. The table in kepler_data, and the indexes, constraints and sequences that are named after it, are renamed with it; the number in their names stays. References to it follow, in every version of every structure. Returns the table.
entry_table: what users call the table. new_name: what they will call it; the present name changes nothing.
The version stays. Views, policies, triggers and functions that Postgres knows to use the table go on. A publication sends it by the new name, of which a warning tells. The text of other functions and of clients has to change.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table; 42P07 if the new name is taken; 55P03 if the lock could not be taken; 40001 if the table changed meanwhile (call it again).';

COMMENT ON FUNCTION kepler.purge_entry_table(text, text) IS
'Deletes the entry table of this name that was dropped last, with all its entries and versions, for good.
entry_table: what users call the table.
Errors: 55000 before install(), and if the table is in use: drop_entry_table comes first; 22004 and 22023 for arguments; 42P01 if there is none; 55P03 if the lock could not be taken.';

COMMENT ON FUNCTION kepler.restore_field(text, text, jsonb, text) IS
'Restores a hidden field with its data, and with its rules if the fields that they name exist. Returns the new version. Of several hidden fields with one name, it restores the one that was hidden last.
entry_table: what users call the table. field: the name that the field had.
options: {"name": text} and {"column": text} give the field another name, to documents and in the database, for example because its old one has been taken; {"required": false} restores a required field although entries have no value in it. Also those of alter_entry_table: version, lock_timeout_ms, lock_attempts.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table; 42703 if no such field is hidden; 42701 if a field in use has the name; 22023 if the referenced table does not exist; 23514 if entries do not meet its rules any more; 55P03 if the lock could not be taken; 40001 if the table has another version than options names, or changed meanwhile (call it again).';

COMMENT ON FUNCTION kepler.purge_field(text, text, text) IS
'Deletes a hidden field with its data, for good. Of several hidden fields with one name, it deletes the one that was hidden last.
entry_table: what users call the table. field: the name of the field.
Errors: 55000 before install(), and if the field is in use: a change hides it first; 22004 and 22023 for arguments; 42P01 for an unknown table; 42703 if no such field is hidden; 55P03 if the lock could not be taken.';

COMMENT ON FUNCTION kepler.structure_of(regclass) IS
'The structure document that would make a table like this one, entry table or not. Parts that a structure cannot express are left out, with a warning for each.
Errors: 55000 before install(); 22004 for a NULL argument; 42809 if the relation is not a table.';

COMMENT ON FUNCTION kepler.entry_json_schema(text, text) IS
'The JSON Schema (2020-12) of an entry of a table, for clients and language models. The member x-kepler holds what JSON Schema cannot express. Passed to plan_entry_table, the schema is the same structure.
entry_table: what users call the table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table.';

COMMENT ON FUNCTION kepler.plan_blueprint(text, jsonb) IS
'Shows the steps that apply_blueprint would take to make the database like a blueprint, without taking them. Returns one row for each step, in order, and no row if the database is as the document says.
blueprint: as text, json or jsonb, a blueprint document, {"blueprint": name, "schema", "enums", "tables": [{"name", "fields": [{"name", "type", …}], "key", "unique", "indexes", "references", "checks"}], "seed": {table: {"rows": […]}}}.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"online": true} plans what apply_blueprint_online would do.
class: as for plan_entry_table, and drop (a column, table or value that the document no longer names is destroyed: needs permission). phase: what apply_blueprint_online commits together. before: values of enums, which only a later transaction may use. prepare: what reads no rows. validate: rows are read, under a lock that lets others write. finish: what rests on that. deferred: an index that a statement of its own builds, which no function can run. after: what waits for such an index. Rows of the seed that are to be written are steps of the operation seed, one for each table, with their number in estimated_rows; existing rows are read with the rights of the caller.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if blueprint is not valid JSON; 22023 with all problems of the document, each with its JSON Pointer, in DETAIL; 42501 without the level admin.';

COMMENT ON FUNCTION kepler.plan_blueprint(json, jsonb) IS
'Shows the steps that apply_blueprint would take to make the database like a blueprint, without taking them. Returns one row for each step, in order, and no row if the database is as the document says.
blueprint: as text, json or jsonb, a blueprint document, {"blueprint": name, "schema", "enums", "tables": [{"name", "fields": [{"name", "type", …}], "key", "unique", "indexes", "references", "checks"}], "seed": {table: {"rows": […]}}}.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"online": true} plans what apply_blueprint_online would do.
class: as for plan_entry_table, and drop (a column, table or value that the document no longer names is destroyed: needs permission). phase: what apply_blueprint_online commits together. before: values of enums, which only a later transaction may use. prepare: what reads no rows. validate: rows are read, under a lock that lets others write. finish: what rests on that. deferred: an index that a statement of its own builds, which no function can run. after: what waits for such an index. Rows of the seed that are to be written are steps of the operation seed, one for each table, with their number in estimated_rows; existing rows are read with the rights of the caller.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if blueprint is not valid JSON; 22023 with all problems of the document, each with its JSON Pointer, in DETAIL; 42501 without the level admin.';

COMMENT ON FUNCTION kepler.plan_blueprint(jsonb, jsonb) IS
'Shows the steps that apply_blueprint would take to make the database like a blueprint, without taking them. Returns one row for each step, in order, and no row if the database is as the document says.
blueprint: as text, json or jsonb, a blueprint document, {"blueprint": name, "schema", "enums", "tables": [{"name", "fields": [{"name", "type", …}], "key", "unique", "indexes", "references", "checks"}], "seed": {table: {"rows": […]}}}.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"online": true} plans what apply_blueprint_online would do.
class: as for plan_entry_table, and drop (a column, table or value that the document no longer names is destroyed: needs permission). phase: what apply_blueprint_online commits together. before: values of enums, which only a later transaction may use. prepare: what reads no rows. validate: rows are read, under a lock that lets others write. finish: what rests on that. deferred: an index that a statement of its own builds, which no function can run. after: what waits for such an index. Rows of the seed that are to be written are steps of the operation seed, one for each table, with their number in estimated_rows; existing rows are read with the rights of the caller.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if blueprint is not valid JSON; 22023 with all problems of the document, each with its JSON Pointer, in DETAIL; 42501 without the level admin.';

COMMENT ON FUNCTION kepler.apply_blueprint(text, text[], jsonb) IS
'Makes the database like a blueprint, in one transaction: schemas, enums, tables with their keys, references, indexes, checks, triggers and policies. Keeps the document as a version in kepler.blueprint_versions. Applied again, the same document changes nothing. What users added to the tables by hand stays. Rows of the seed are written last, by the caller and with the caller''s rights.
blueprint: as for plan_blueprint.
allow: an array of rewrite, convert and drop, the classes of steps that need permission.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"version": n} fails unless n is the present version, 0 for none; {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for its locks.
Outcomes: applied, unchanged (the database is as the document says).
Returns one row: blueprint_name, version and outcome; steps is how many were run; deferred holds the statements that build indexes and that nobody has run yet: an index over vectors is better built when the rows are there.
The tables belong to the owner of Kepler''s tables. Roles with a level of access get its rights on them.
Errors: those of plan_blueprint; 0A000 if a step is refused; 55000 if a step needs permission; 23514 if rows block the change, with their number and keys in DETAIL; 23503 if a row of the seed looks up a row that does not exist, 23505 if two of them have one key, and whatever writing them raises; 55000 if a trigger keeps them out or changes them; 55P03 if a lock could not be taken; 40001 if the database changed meanwhile (plan again).';

COMMENT ON FUNCTION kepler.apply_blueprint(json, text[], jsonb) IS
'Makes the database like a blueprint, in one transaction: schemas, enums, tables with their keys, references, indexes, checks, triggers and policies. Keeps the document as a version in kepler.blueprint_versions. Applied again, the same document changes nothing. What users added to the tables by hand stays. Rows of the seed are written last, by the caller and with the caller''s rights.
blueprint: as for plan_blueprint.
allow: an array of rewrite, convert and drop, the classes of steps that need permission.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"version": n} fails unless n is the present version, 0 for none; {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for its locks.
Outcomes: applied, unchanged (the database is as the document says).
Returns one row: blueprint_name, version and outcome; steps is how many were run; deferred holds the statements that build indexes and that nobody has run yet: an index over vectors is better built when the rows are there.
The tables belong to the owner of Kepler''s tables. Roles with a level of access get its rights on them.
Errors: those of plan_blueprint; 0A000 if a step is refused; 55000 if a step needs permission; 23514 if rows block the change, with their number and keys in DETAIL; 23503 if a row of the seed looks up a row that does not exist, 23505 if two of them have one key, and whatever writing them raises; 55000 if a trigger keeps them out or changes them; 55P03 if a lock could not be taken; 40001 if the database changed meanwhile (plan again).';

COMMENT ON FUNCTION kepler.apply_blueprint(jsonb, text[], jsonb) IS
'Makes the database like a blueprint, in one transaction: schemas, enums, tables with their keys, references, indexes, checks, triggers and policies. Keeps the document as a version in kepler.blueprint_versions. Applied again, the same document changes nothing. What users added to the tables by hand stays. Rows of the seed are written last, by the caller and with the caller''s rights.
blueprint: as for plan_blueprint.
allow: an array of rewrite, convert and drop, the classes of steps that need permission.
options: {"adopt": true} takes over tables, enums, columns, rules, triggers and policies of the document''s names that were made by hand; {"trusted": true} lets SQL expressions through that are not known to be harmless, run as the owner in a security-restricted context (both for the owner and superusers); {"vector_indexes": "now"} builds indexes over vectors with everything else, and defers none; {"version": n} fails unless n is the present version, 0 for none; {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for its locks.
Outcomes: applied, unchanged (the database is as the document says).
Returns one row: blueprint_name, version and outcome; steps is how many were run; deferred holds the statements that build indexes and that nobody has run yet: an index over vectors is better built when the rows are there.
The tables belong to the owner of Kepler''s tables. Roles with a level of access get its rights on them.
Errors: those of plan_blueprint; 0A000 if a step is refused; 55000 if a step needs permission; 23514 if rows block the change, with their number and keys in DETAIL; 23503 if a row of the seed looks up a row that does not exist, 23505 if two of them have one key, and whatever writing them raises; 55000 if a trigger keeps them out or changes them; 55P03 if a lock could not be taken; 40001 if the database changed meanwhile (plan again).';

COMMENT ON PROCEDURE kepler.apply_blueprint_online(text, text[], jsonb, integer, text, text[]) IS
'Makes the database like a blueprint while others work in it: a procedure that commits each phase of the plan (plan_blueprint shows them with {"online": true}), so that no strong lock is held while rows are read. Interrupted or failed, it leaves a state from which the next call goes on.
blueprint, allow and options: as for apply_blueprint.
Outcomes: applied, unchanged, unfinished (there are indexes to build by statements of their own).
Answers with version, outcome and deferred: the statements that no function can run, such as CREATE INDEX CONCURRENTLY. Run them as the owner of the tables, and call it again: it checks them and goes on. Applied with something deferred, it is an index over vectors, which can wait.
Errors: those of apply_blueprint; 2D000 inside of a transaction.';

COMMENT ON PROCEDURE kepler.apply_blueprint_online(json, text[], jsonb, integer, text, text[]) IS
'Makes the database like a blueprint while others work in it: a procedure that commits each phase of the plan (plan_blueprint shows them with {"online": true}), so that no strong lock is held while rows are read. Interrupted or failed, it leaves a state from which the next call goes on.
blueprint, allow and options: as for apply_blueprint.
Outcomes: applied, unchanged, unfinished (there are indexes to build by statements of their own).
Answers with version, outcome and deferred: the statements that no function can run, such as CREATE INDEX CONCURRENTLY. Run them as the owner of the tables, and call it again: it checks them and goes on. Applied with something deferred, it is an index over vectors, which can wait.
Errors: those of apply_blueprint; 2D000 inside of a transaction.';

COMMENT ON PROCEDURE kepler.apply_blueprint_online(jsonb, text[], jsonb, integer, text, text[]) IS
'Makes the database like a blueprint while others work in it: a procedure that commits each phase of the plan (plan_blueprint shows them with {"online": true}), so that no strong lock is held while rows are read. Interrupted or failed, it leaves a state from which the next call goes on.
blueprint, allow and options: as for apply_blueprint.
Outcomes: applied, unchanged, unfinished (there are indexes to build by statements of their own).
Answers with version, outcome and deferred: the statements that no function can run, such as CREATE INDEX CONCURRENTLY. Run them as the owner of the tables, and call it again: it checks them and goes on. Applied with something deferred, it is an index over vectors, which can wait.
Errors: those of apply_blueprint; 2D000 inside of a transaction.';

COMMENT ON FUNCTION kepler.blueprint_drift(text) IS
'Compares the database with a blueprint, from the database alone. Returns one row for each difference.
blueprint_name: the name in the document.
kind: missing, changed (expected and actual say how), extra (in the blueprint''s tables, or in a schema that it created; never dropped), deferred (an index that is to be built by the statement in expected), or coverage: what is not compared, and what an import could not carry over. object_type and object name what differs. Rows of the seed are missing, or changed where the document says update: seen with the caller''s rights.
Errors: 55000 before install(); 22004 for arguments; 42704 if there is no such blueprint.';

COMMENT ON FUNCTION kepler.repair_blueprint(text) IS
'Shows the steps back from drift: the plan of the version that was applied last, or is under way, without taking them. The columns are those of plan_blueprint. To take them, apply the document of kepler.blueprint_versions again.
blueprint_name: the name in the document.
Errors: those of blueprint_drift; 42501 without the level admin.';

COMMENT ON FUNCTION kepler.drop_blueprint(text, jsonb) IS
'Drops the tables and enums of a blueprint, the schemas that it created if nothing else is in them, and its versions. Refuses while the tables hold rows, or something of somebody''s rests on them.
blueprint_name: the name in the document.
options: {"with_rows": true} drops tables with their rows; {"keep_tables": true} drops nothing, and forgets that the tables are a blueprint''s (for the owner of Kepler''s tables); {"lock_timeout_ms": 500, "lock_attempts": 10} as for apply_blueprint.
Outcomes: deleted.
Returns one row: the last version, the outcome, and steps: how many objects were dropped.
Errors: those of blueprint_drift; 42501 without the level admin, or where the tables hold rows of several workspaces and the caller is not the owner; 55000 if tables hold rows; 2BP01 if something rests on them; 55P03 if a lock could not be taken.';

COMMENT ON FUNCTION kepler.blueprint_diagram(text) IS
'The tables of a blueprint and their references as a Mermaid diagram (erDiagram), for a README or a review.
blueprint_name: the name in the document.
Errors: those of blueprint_drift.';

COMMENT ON FUNCTION kepler.insert_entries(text, text, text, text) IS
'Inserts entries into an entry table. Returns one row for each, in the order of the array (ordinal begins at 1).
entry_table: what users call the table. entries: a JSON array of objects, as text, json or jsonb, whose keys are fields of the table. Prefer text: jsonb keeps one of two equal keys, and json and jsonb refuse some documents before this function can answer for them one by one. A missing field gets its default. Nothing is rounded, truncated or guessed, and an unknown field is an error. Whole numbers and decimals may be written as strings; bytes are base64; a time without an offset is UTC. The key, created_at and updated_at may be given (a generated bigint key only with the privilege UPDATE on its sequence, which is then moved on).
on_error: fail (any violation fails the call, which names all of them) or skip (the valid entries are written).
violations: all problems of a rejected entry, an array of objects with path (a JSON Pointer into entries), code and message.
Outcomes: inserted, rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if entries cannot be divided into elements; 54000 if there are more than 4,000,000; 42P01 for an unknown table; 23503 for an unknown workspace; with on_error fail the code of the first violation, as 23502 or 22P02.';

COMMENT ON FUNCTION kepler.upsert_entries(text, text[], text, text, text) IS
'Inserts, updates or leaves alone entries, and returns one row for each, as insert_entries does.
key_fields: the fields that identify a stored entry: a unique set of the table in any order, or the table''s key alone. The case of case_insensitive fields does not count. Every element must have these fields.
A field that an element leaves out keeps its stored value; null sets it to NULL. An entry that does not change is not written. Of several elements for one entry the last wins.
The other arguments are those of insert_entries.
Outcomes: inserted, updated, unchanged, superseded (a later element is for the same entry), rejected.
Errors: those of insert_entries, and 42703 or 42P10 if key_fields is not a unique set; 40001 if entries kept vanishing during the call (run it again).';

COMMENT ON FUNCTION kepler.update_entries(text, text, text, text) IS
'Changes stored entries, and returns one row for each element, as insert_entries does.
entries: each element has the table''s key, and the fields to change. An entry that does not change is not written.
The other arguments are those of insert_entries.
Outcomes: updated, unchanged, not_found, superseded (a later element is for the same entry), rejected.
Errors: those of upsert_entries.';

COMMENT ON FUNCTION kepler.set_entry_links(text, text, text, text, text, text) IS
'Sets the many-to-many links of entries as lists. Returns one row for each element, as insert_entries does; entry_id is the entry whose links are set.
entry_table: what users call the table of links: an entry table with two references that are unique together. field: the reference to the entries whose links are set.
links: a JSON array of objects, as text, json or jsonb, each with both references: that of field names an entry, the other is the list of all that it is linked to, in any order. Missing links are inserted, with defaults for the other fields of the table; others are deleted; those that stay are not written. An empty list removes all links.
target_field: a unique field of the entries at the other end, by which the lists name them; their key if NULL.
The other arguments are those of insert_entries.
Outcomes: updated, unchanged, not_found (no such entry), superseded (a later element is for the same entry), rejected.
Errors: those of insert_entries, and 42703 if there is no such field; 42P10 if the table holds no links of field, another field of it is required and has no default, or target_field is not unique; 40001 if links of these entries have changed since the snapshot of a transaction with REPEATABLE READ.';

COMMENT ON FUNCTION kepler.delete_entries(text, text[], text) IS
'Deletes entries for good. Returns one row for each id, in their order.
entry_table: what users call the table. entry_ids: values of the table''s key, as text.
Outcomes: deleted, not_found, unchanged (the id came earlier in the array), rejected (another row still refers to the entry, or a trigger refuses).
Errors: 55000 before install(); 22004 for a NULL argument; 42P01 for an unknown table; 23503 for an unknown workspace.';

COMMENT ON FUNCTION kepler.is_connected(text, text, text) IS
'Whether a user has an active connection to an external system.
user_id: a value of kepler.users.id.
provider: compared with kepler.connections.provider, ignoring case.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.required_connections(text, text) IS
'The external systems that a workflow needs, and whether its user has them. One row for each system, and for each connection that the definition names by its id.
workflow_id: a value of kepler.workflows.id. A system is needed if the trigger or an action names it in a member app (or, without app, provider), or if required_providers names it; case does not count. Actions may be nested under a member actions. A member connection_id requires that connection.
connected: whether an active connection of the user meets the need; connection_id and status are those of the best connection found. reason, if it is not met: not_connected, inactive, unknown_connection, other_user, other_provider, or no_user (the workflow''s user was deleted). used_by: JSON Pointers to the places that need the system.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown workflow.';

COMMENT ON FUNCTION kepler.validate_workflow(text, jsonb, jsonb, text[], text) IS
'Checks the definition of a workflow before it is stored: one row for each problem, no row if it is valid.
user_id: the user whose connections the workflow would use.
trigger, actions, required_providers: as in kepler.workflows.
path: a JSON Pointer into {trigger, actions, required_providers}. code: not_an_object, not_an_array, no_actions, too_deep, invalid_app, invalid_connection_id, or a reason of required_connections. message: the same for people.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.start_execution(text, text, interval, jsonb, text, text, text) IS
'Starts a run of a workflow, or finds the run that the same key has started. Returns one row.
workflow_id: a value of kepler.workflows.id. Overdue runs of this workflow become ABANDONED first.
idempotency_key: the caller''s name for this run. A workflow has one run for a key, whatever the state of that run; sessions that start the same key at once make one run. NULL: each call makes a run.
timeout: how long the run may go without extend_execution before it is overdue; an hour by default, at most 366 days.
metadata: a JSON object to keep with the run.
retry_of: the run of the same workflow that this one tries again, which has ended as FAILURE, ABANDONED or CANCELLED. A run is retried once: who asks again gets the retry that is there. To try once more, retry the retry.
caller_token: a token of the caller''s own, random and of 16 to 500 bytes, which takes the place of the one that Kepler makes. Who lost the answer asks again with the same key, or the same retry_of, and the same token, and gets the run as started while it is RUNNING or WAITING.
token: what extend_execution, add_execution_steps, suspend_execution and finish_execution ask for. It is given out once, with started, and only its hash is stored.
workflow_version: the definition that this run runs (kepler.workflow_versions).
Outcomes: started, duplicate (the key has a run, or the run a retry, whatever became of it).
Errors: 55000 before install(), for a workflow that is inactive or has no user, and for a run that cannot be retried; 22004 and 22023 for arguments; 23503 for an unknown workflow or execution; 40001 if runs with the key kept vanishing (run it again).';

COMMENT ON FUNCTION kepler.extend_execution(text, text, interval, text) IS
'Extends a run: its deadline becomes now plus the timeout. Returns the new deadline, or NULL if the run is lost: it has ended, was abandoned or deleted, or the token is not the run''s.
timeout: the timeout for this call; the run''s own by default.
execution_id, token: as start_execution gave them.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler_internal.finish_execution(text, text, text, jsonb, text, text) IS 'Internal: kepler.finish_execution';
COMMENT ON FUNCTION kepler.finish_execution(text, text, text, jsonb, text, text) IS
'Ends a run, once. Returns one row: what became of the report, and the status and the end of the run as they are stored.
execution_id, token: as start_execution gave them.
status: SUCCESS or FAILURE.
results: any JSON.
error: a message or a log. A text holds no NUL: write it as an escape.
A run beyond its deadline that nobody has abandoned yet can still finish. What comes after the abandonment or the cancellation is kept in late_finish, the first time.
Outcomes: finished, duplicate (the same report again), stale (the run has ended otherwise, was abandoned or cancelled, or waits for a person, or the token is not its own; what is stored stays), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.suspend_execution(text, text, jsonb, text, interval, text) IS
'Has a run wait for a person: it becomes WAITING, and its worker gives it up. Returns one row.
execution_id, token: as start_execution or resume_execution gave them.
question: what is asked, any JSON; kept in kepler.execution_questions.
user_id: who is asked; NULL for anybody. Kepler does not check who answers.
timeout: how long the question stands; then the run is overdue, and abandon_executions makes it ABANDONED. NULL: for ever. At most 366 days.
number: the number of the question, which answer_execution asks for. deadline_at: until when it stands.
Outcomes: suspended, duplicate (the run waits with this very question), stale (the run has ended, waits with another question, or the token is not its own), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.answer_execution(text, integer, jsonb, text, text) IS
'Answers the question of a run that waits. The first answer counts. The run then waits, without a deadline, until a worker calls resume_execution. Returns one row.
execution_id: a value of kepler.executions.id. number: of the question, as in kepler.execution_questions.
answer: any JSON. user_id: who answers; NULL if no user does.
answered_at: when the question was answered, by this call or before.
Outcomes: answered, duplicate (the same answer again), stale (it has another answer, or the run no longer waits), not_found.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.resume_execution(text, text, interval, text) IS
'Goes on with a run whose question is answered: it becomes RUNNING, with a new deadline and a new token. Tokens from before are no longer the run''s. Returns one row.
execution_id: a value of kepler.executions.id. timeout: until the first extend_execution; the run''s own by default.
caller_token: a token of the caller''s own, as for start_execution: with it, a call whose answer was lost can be repeated. It must not be the token from before the question.
workflow_id, workflow_version: the definition that the run runs. number, question, answer, answered_by: the latest question.
Outcomes: resumed, waiting (there is no answer yet), stale (the run does not wait: another worker has it, or it has ended), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.cancel_execution(text, text, text) IS
'Ends a run that is RUNNING or WAITING as CANCELLED, at once and for good. Its worker''s next extend_execution gives NULL, steps and finish_execution answer stale; what the worker reports is kept in late_finish. Returns one row: what became of the call, and the status and the end of the run as they are stored.
execution_id: a value of kepler.executions.id. reason: kept as the error of the run.
Outcomes: cancelled, duplicate (it was cancelled before), stale (it has ended otherwise), not_found.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.execution_retries(text, text) IS
'The runs that tried the same again, from the first that is still there: one row for each, in their order; no row for an unknown execution.
execution_id: any run of the chain. attempt: counts from 1.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.abandon_executions(integer, text) IS
'Sets runs beyond their deadline to ABANDONED and returns them, the longest overdue first; those that ran before those that waited for a person.
max_rows: the most runs to abandon. Runs whose row another session has locked are skipped. Runs that the database refuses to write are skipped with a warning.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.add_execution_steps(text, text, text, text) IS
'Logs steps of a run. Returns one row for each element, in their order.
steps: a JSON array, as text, json or jsonb, of objects {name, number, status, input, output, error, started_at, ended_at}, of which name is required. A step without a number gets the next one. status is SUCCESS (the default), RUNNING, FAILURE or SKIPPED. The number of a step that is still RUNNING changes that step.
error may be any JSON: a value that is not a string is stored as its JSON text. Characters that cannot be stored are stored as escapes, and the answer says so in error.
execution_id, token: as start_execution gave them.
Outcomes: inserted, updated, unchanged, rejected (error_code is an SQLSTATE where the database itself refuses the step), stale (the run has ended, or the token is not its own), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if steps cannot be divided into elements.';

COMMENT ON FUNCTION kepler.execution_report(text, timestamptz, timestamptz, text) IS
'Reports how workflows perform: one row for each workflow, by name, also for workflows without a run. It changes nothing.
workflow_id: one workflow; NULL for all.
started_from, started_before: runs that started at started_from or later, and before started_before.
runs is the sum of running, overdue (running beyond the deadline), waiting, succeeded, failed, abandoned and cancelled. success_rate: the share of successes among runs that succeeded, failed or were abandoned, from 0 to 1, NULL if there is none. p50_duration, p95_duration: of runs that succeeded or failed, the time that they waited for people included.
Errors: 55000 before install(); 22004 for a NULL workspace; 23503 for an unknown workflow.';

COMMENT ON FUNCTION kepler.execution_report_by_user(text, text, timestamptz, timestamptz, text) IS
'Reports how the runs of users went: one row for each user and workflow that have runs, also for deleted workflows; user_id is NULL for runs whose user was deleted. It changes nothing.
user_id, workflow_id: one of them; NULL for all.
started_from, started_before: runs that started at started_from or later, and before started_before.
name: of the workflow, at its latest version. running: those beyond their deadline included. The other columns are as in execution_report.
Errors: 55000 before install(); 22004 for a NULL workspace; 23503 for an unknown user or workflow.';

COMMENT ON FUNCTION kepler.execution_transitions() IS
'The legal changes of kepler.executions.status, for functions and for direct SQL, and what causes them.';

COMMENT ON FUNCTION kepler_internal.secrets_in(text, boolean) IS 'Internal: the secrets in a text, for find_secrets';
COMMENT ON FUNCTION kepler_internal.without_secrets(text) IS 'Internal: a text with a mark in place of each secret';
COMMENT ON FUNCTION kepler_internal.secrets_in_jsonb(jsonb, boolean) IS 'Internal: the secrets in a jsonb, for find_secrets';
COMMENT ON FUNCTION kepler_internal.require_arguments(text[], text[]) IS 'Internal: fails with 22004 for the first argument that is NULL';
COMMENT ON FUNCTION kepler_internal.require_user(text, text) IS 'Internal: fails with 23503 if the user does not exist';
COMMENT ON FUNCTION kepler_internal.require_workflow(text, text) IS 'Internal: the status of a workflow; fails with 23503 if it does not exist';
COMMENT ON FUNCTION kepler_internal.workflow_steps(jsonb, jsonb) IS 'Internal: trigger and actions of a definition, with their paths';
COMMENT ON FUNCTION kepler_internal.required_connections(text, jsonb, jsonb, text[], text) IS 'Internal: what required_connections and validate_workflow share';
COMMENT ON FUNCTION kepler_internal.check_in_time() IS 'Trigger: keeps next_check_at from lying behind deadline_at';
COMMENT ON FUNCTION kepler_internal.guard_execution() IS 'Trigger: refuses direct SQL that would falsify an execution';
COMMENT ON FUNCTION kepler_internal.guard_execution_step() IS 'Trigger: refuses direct SQL that would falsify a step';
COMMENT ON FUNCTION kepler_internal.execution_token_hash(text) IS 'Internal: what is stored of a token';
COMMENT ON FUNCTION kepler_internal.guard_execution_question() IS 'Trigger: refuses direct SQL that would falsify a question or its answer';
COMMENT ON FUNCTION kepler_internal.guard_workflow_version() IS 'Trigger: refuses to change a version of a workflow, and to delete the current one';
COMMENT ON FUNCTION kepler_internal.number_workflow_version() IS 'Trigger: gives a changed definition the next number';
COMMENT ON FUNCTION kepler_internal.keep_workflow_version() IS 'Trigger: keeps the definition that a workflow has got';
COMMENT ON FUNCTION kepler_internal.drop_workflow_versions() IS 'Trigger: deletes the versions of deleted workflows that have no runs';
COMMENT ON FUNCTION kepler_internal.fill_workflow_version() IS 'Trigger: the version of a run that is inserted without one';
COMMENT ON FUNCTION kepler_internal.check_caller_token(text) IS 'Internal: fails with 22023 for a token that could be guessed';
COMMENT ON FUNCTION kepler_internal.require_retriable(text, text, text) IS 'Internal: fails unless an execution can be tried again';
COMMENT ON FUNCTION kepler_internal.execution_retries(text, text) IS 'Internal: execution_retries, whose columns bear the names of its arguments';
COMMENT ON FUNCTION kepler_internal.execution_report_by_user(text, text, timestamptz, timestamptz, text) IS 'Internal: execution_report_by_user, whose columns bear the names of its arguments';
COMMENT ON FUNCTION kepler_internal.check_timeout(interval) IS 'Internal: fails with 22023 for an invalid timeout';
COMMENT ON FUNCTION kepler_internal.abandon_overdue(text, integer, text, kepler.execution_status) IS 'Internal: what abandon_executions and start_execution share';
COMMENT ON FUNCTION kepler_internal.execution_steps_given(text) IS 'Internal: the elements that add_execution_steps was given, as Postgres can read them';
COMMENT ON FUNCTION kepler_internal.is_about_session(text) IS 'Internal: whether an SQLSTATE is about the session or the server, and not about what is written';
COMMENT ON FUNCTION kepler_internal.execution_report(text, timestamptz, timestamptz, text) IS 'Internal: execution_report, whose columns bear the names of its arguments';
COMMENT ON FUNCTION kepler_internal.latest_schema_version() IS 'Internal: the newest schema version that the library knows';
COMMENT ON FUNCTION kepler_internal.require_commits(text) IS 'Internal: fails with 2D000 and a hint where a procedure cannot commit';
COMMENT ON FUNCTION kepler_internal.require_tables() IS 'Internal: fails with 55000 and a hint before install()';
COMMENT ON FUNCTION kepler_internal.touch_updated_at() IS 'Trigger: moves updated_at on a direct update';
COMMENT ON FUNCTION kepler_internal.fill_columns() IS 'Trigger: fills columns that a row leaves empty with ids and times, and moves times on';
COMMENT ON FUNCTION kepler_internal.check_secret_references() IS 'Trigger: refuses values that are no references to secrets, without showing them';
COMMENT ON FUNCTION kepler_internal.refuse_workspace_change() IS 'Trigger: refuses to move a row to another workspace';
COMMENT ON FUNCTION kepler_internal.guard_secrets() IS 'Trigger: refuses a row with a secret in a column, or puts a mark in its place';
COMMENT ON FUNCTION kepler_internal.apply_blueprint_step(text, text[], jsonb) IS 'Internal: one transaction of apply_blueprint_online';
COMMENT ON FUNCTION kepler_internal.blueprint_facts(oid, jsonb) IS 'Internal: what the catalog says beside the tables of a blueprint';
COMMENT ON FUNCTION kepler_internal.create_entry_table(text, text, text) IS 'Internal: what the forms of create_entry_table share';
COMMENT ON FUNCTION kepler_internal.drop_entry_table(text, text) IS 'Internal: drop_entry_table, with the table''s number for a result';
COMMENT ON FUNCTION kepler_internal.restore_entry_table(text, text) IS 'Internal: restore_entry_table, with the table''s number for a result';
COMMENT ON FUNCTION kepler_internal.rename_entry_table(text, text, text) IS 'Internal: rename_entry_table, with the table''s number for a result';
COMMENT ON FUNCTION kepler_internal.entry_json_schema(text, text) IS 'Internal: entry_json_schema as text';
COMMENT ON FUNCTION kepler_internal.foreign_table(text, text[], oid) IS 'Internal: finds a table that does not belong to the workspace, for callers without the rights of the owner';
COMMENT ON FUNCTION kepler_internal.lock_relations(regclass[], text[], integer, integer) IS 'Internal: locks relations, each in its mode, in short attempts with pauses between';
COMMENT ON FUNCTION kepler_internal.rows_in_the_way(text, boolean) IS 'Internal: counts the rows of a query, and gives the keys of some';
COMMENT ON FUNCTION kepler_internal.table_facts(regclass) IS 'Internal: what the catalog says of a table, as one object';
COMMENT ON FUNCTION kepler_internal.prisma_facts(text[]) IS 'Internal: what the catalog says of the tables of schemas, as one object';
COMMENT ON FUNCTION kepler_internal.prisma_expressions(oid[]) IS 'Internal: the expressions and types of tables, as a new session prints them';

COMMENT ON FUNCTION kepler.find_secrets(regclass, boolean) IS
'Looks for secrets in the rows of a table: in columns of type text, varchar, char, citext, json and jsonb, and in lists of text, varchar, json and jsonb. Returns one row for each, in no order, and never a value. It reads the table once, as its caller, under the row security of the caller; memory is that of the largest value. At most 1,000 are told of one value.
relation: a table, partitioned table, materialized view or foreign table. include_possible: true tells too what looks random and nothing more, in texts, and forms that harmless ids have.
key: the primary key of the row, each value as text, or its ctid, with the table where several are read as one. column_name. path: where in the value, as a JSON Pointer; empty for the whole. kind: of secret, such as github_token, password or url_password. certainty: certain (such values are refused where secrets are) or possible.
Errors: 55000 before install(); 22004 for a NULL argument; 42P01 for a relation that does not exist, 42809 for one that is not a table; 42501 without the right to read it.';

COMMENT ON FUNCTION kepler.blueprint_from_prisma(text, text, jsonb) IS
'The document of a blueprint for a schema of Prisma (schema.prisma, for PostgreSQL): the tables, columns, types, constraints and indexes that Prisma would make, under its names. plan_blueprint and apply_blueprint take it. Of type json, so that fields keep their order. Nothing is read or written but the arguments.
What cannot be carried over, and what is not Prisma''s, is left out with a warning for each. The document keeps them in import_warnings.
prisma_schema: the text of a file; or, for a schema that is spread over several files, a JSON object of their names and texts, as jsonb. blueprint_name: the name in the registry of blueprints. options: schema (the SQL schema of models that name none; the one in a connection string, or public), vector_dimensions (for vectors whose type does not say them: a number, or an object with one for each "Model.field"), descriptions (true: comments with three slashes become comments in the database), citext (false where the extension citext cannot be had: such fields become text whose unique keys ignore the case), sensitive (fields whose names are those of secrets: true makes them what the warning proposes; or an object with "reference", true or false for each "Model.field").
Errors: 22004 and 22023 for arguments; 42601 where the text is not in Prisma''s language, and 22023 where it is but what it says cannot be, with line and column of each problem; 0A000 for the other language of Prisma 8; 54000 for a text that is too long.';
COMMENT ON FUNCTION kepler.blueprint_from_prisma(jsonb, text, jsonb) IS
'The document of a blueprint for a schema of Prisma (schema.prisma, for PostgreSQL): the tables, columns, types, constraints and indexes that Prisma would make, under its names. plan_blueprint and apply_blueprint take it. Of type json, so that fields keep their order. Nothing is read or written but the arguments.
What cannot be carried over, and what is not Prisma''s, is left out with a warning for each. The document keeps them in import_warnings.
prisma_schema: the text of a file; or, for a schema that is spread over several files, a JSON object of their names and texts, as jsonb. blueprint_name: the name in the registry of blueprints. options: schema (the SQL schema of models that name none; the one in a connection string, or public), vector_dimensions (for vectors whose type does not say them: a number, or an object with one for each "Model.field"), descriptions (true: comments with three slashes become comments in the database), citext (false where the extension citext cannot be had: such fields become text whose unique keys ignore the case), sensitive (fields whose names are those of secrets: true makes them what the warning proposes; or an object with "reference", true or false for each "Model.field").
Errors: 22004 and 22023 for arguments; 42601 where the text is not in Prisma''s language, and 22023 where it is but what it says cannot be, with line and column of each problem; 0A000 for the other language of Prisma 8; 54000 for a text that is too long.';

COMMENT ON FUNCTION kepler.prisma_schema(text) IS
'Writes a schema.prisma for all tables and enums of one schema of the database, or of several, made by Kepler or not. Prisma''s parser accepts it, and its engine finds no difference to the database. Names that Prisma does not have are mapped. What Prisma cannot say (checks, expressions in indexes, row level security, …) stands in a comment above the model. What the trigger of a blueprint fills is said as @default(cuid()), @default(uuid()) and the like, and @updatedAt.
schema_names: a name, or an array of names; all that their tables refer to must be among them.
Errors: 22004 if schema_names is or holds NULL, and for no name; 3F000 for a schema that does not exist; 22023 for one of Postgres'' own, and for tables that refer to another schema; 55000 before install(), for Kepler''s own.';
COMMENT ON FUNCTION kepler.prisma_schema(text[]) IS
'Writes a schema.prisma for all tables and enums of one schema of the database, or of several, made by Kepler or not. Prisma''s parser accepts it, and its engine finds no difference to the database. Names that Prisma does not have are mapped. What Prisma cannot say (checks, expressions in indexes, row level security, …) stands in a comment above the model. What the trigger of a blueprint fills is said as @default(cuid()), @default(uuid()) and the like, and @updatedAt.
schema_names: a name, or an array of names; all that their tables refer to must be among them.
Errors: 22004 if schema_names is or holds NULL, and for no name; 3F000 for a schema that does not exist; 22023 for one of Postgres'' own, and for tables that refer to another schema; 55000 before install(), for Kepler''s own.';

COMMENT ON FUNCTION kepler.json_update(jsonb, jsonb) IS
'Applies update operations to a document, all or none of them, and returns the result. A NULL document gives NULL. Operations that change nothing return the document as it is.
operations: {"$set": {"result.org1": {"ok": true}}, "$inc": {"count": 1}}, where dots separate the keys of a path; or, for keys that contain dots, begin with $ or are empty, [{"op": "$set", "path": ["org.1", "ok"], "value": true}]. No path may equal another or lead through it.
Operators, as in MongoDB: $set, $unset, $inc, $mul, $min, $max, $bit, $rename, $push (with $each, $position, $sort, $slice), $pop, $addToSet (with $each), $pull (a value, or a condition as json_matches has it), $pullAll, $setOnInsert, which does nothing here, and $currentDate, which needs the clock of update_document and upsert_document. Missing parents become objects; numbers are exact.
Errors: 22004 if operations is NULL; 22023 if it is not valid, with every problem. If an operation does not fit the document: 2203C for a scalar that blocks a path, 22033 for an element that an array cannot have, 22036, 22039 and 42804 for a value of the wrong kind, 22003 for a number out of range. 54000 for a document that would be too large. 0A000 in a database that is not in UTF8.';

COMMENT ON FUNCTION kepler.update_document(regclass, jsonb, text, jsonb, jsonb) IS
'Applies operations (see json_update) to the document in one row. One UPDATE computes the new document from the row version that it has locked, so no concurrent call is lost. Returns one row, with the resulting document.
relation, column_name: the table, and its column of type jsonb. key: a JSON object of columns and values; the columns must be a primary key or a unique constraint.
options: {"revision_column": "version"} adds 1 to that column with each change; with "expected_revision": 3 beside it, another revision is an error.
Outcomes: updated; unchanged (the document is so already, and nothing was written); not_found (there is no such row; document is NULL).
Errors: those of json_update; 22004 if an argument, or the document, is NULL; 22023 for key and options; 42P10 if the key is not unique; 42703 for the columns; 40001 for another revision than expected, with the revision found, and for a row that kept changing.';

COMMENT ON FUNCTION kepler.upsert_document(regclass, jsonb, text, jsonb, jsonb, jsonb) IS
'Does what update_document does, and inserts a missing row. The new row has the key, and the document that the operations, $setOnInsert included, make of an empty object. A NULL document counts as empty.
new_row: a JSON object of further columns and values for a new row, read as the columns'' types read them; null is NULL. An existing row keeps its values.
options: as for update_document. With revision_column a new row has revision 1; an expected_revision of 0 expects that the row does not exist.
The other arguments are those of update_document.
Outcomes: inserted, updated, unchanged.
Errors: those of update_document.';

COMMENT ON FUNCTION kepler.json_matches(jsonb, jsonb) IS
'Whether a document matches a filter. Never NULL: a NULL document matches no filter.
filter: {"topic": "x", "year": {"$gte": 2020}, "$or": [...]}, all of which must hold; dots separate the keys of a path. Or, for keys that contain dots or begin with $, [{"op": "$gte", "path": ["site.year"], "value": 2020}].
Operators, as in MongoDB: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex (with $options; the syntax of the Rust crate regex), $elemMatch, $all, $size and $not beside a path; also $between ([least, most], both included, by one value), $like and $ilike (patterns of LIKE; $ilike ignores case) and $contains (as @> of jsonb); $and, $or, $nor and $not around filters. {"$date": "2026-01-31T09:30:00Z"} as an operand is a time: strings that are times are compared with it as such. Values of different types have no order. A missing value counts as null, so $ne and $nin hold. Each element of an array counts as a value too.
A GIN index on the document serves equality ($eq, $in, $all, $contains) with strings, numbers and booleans, also of nested keys, if the filter is a constant. Under row security Postgres does not use it.
Errors: 22004 if filter is NULL; 22023 if it is not valid, with every problem; 0A000 in a database that is not in UTF8.';

COMMENT ON FUNCTION kepler_internal.json_matches_support(internal) IS 'Internal: tells the planner which index serves json_matches, and how many rows it leaves';
COMMENT ON FUNCTION kepler_internal.filter_condition(text, text, integer) IS 'Internal: a filter as a condition in SQL on a column, and the values of its parameters, all of type text';
COMMENT ON FUNCTION kepler_internal.json_update_changes(jsonb, jsonb) IS 'Internal: whether json_update would give another document';

COMMENT ON FUNCTION kepler.enrichment_transitions() IS
'The legal changes of records.enrichment_status. Every other change, also by direct SQL, fails with 23514.';

COMMENT ON FUNCTION kepler.set_enrichment_policy(text, integer, interval, interval, interval, boolean, boolean, boolean, boolean, text, integer, integer, text) IS
'Lets workers enrich the records of a type, or changes the policy of a type. From then on upserts and direct SQL queue new and changed records. Settings that are not given keep their values.
entity_type: the type of the records.
max_attempts (initially 5): the number of failed or expired attempts after which a record is FAILED. lease (5 minutes): how long a claim lasts without extend_lease.
backoff_base (10 seconds), backoff_cap (1 hour): an attempt waits for between half and all of base * 2^(attempts - 1), at most cap.
clear_on_change (false): changed content empties records.enrichment at once, instead of keeping the old result until the new one.
fair (false): claims take turns between entities. notify (false): an upsert that queues something notifies the channel kepler_enrichment, once a call.
priorities (false): claims take records with a higher priority first (schedule_records); where they take turns, within each turn.
records_per_minute (0), leases_per_minute (0): so many records, and so many claims that get some, within any 60 seconds, at most; 0 means no limit. What was claimed counts, whatever became of it, unless the claim is rolled back.
limit_by (type): whether the limits hold for the whole type, for each entity, or for each source. With entity and source claims take turns between them, so source does not go with fair.
Outcomes: inserted, updated, unchanged.
queued: how many records of before the policy this call has queued. If the workspace has at most 10,000 records and no transaction is writing records of the type, that is all of them, and writers of the type wait until the transaction ends. Otherwise a notice says to CALL kepler.queue_backlog after the transaction.
remaining: about how many rows queue_backlog has to look at, by the statistics; 0 if and only if nothing is left. In a REPEATABLE READ or SERIALIZABLE transaction all is left to queue_backlog.
Waits for no writer. A transaction that began before the policy and keeps to its snapshot (REPEATABLE READ) can write no records of the type after it (40001).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace.';

COMMENT ON FUNCTION kepler.pause_enrichment(text, text) IS
'Pauses the enrichment of a type: claims that begin after it is committed return no rows, and next_claim_at returns NULL. What is claimed already can be settled, and its leases extended; a lease that ends is taken back after the pause. Records are queued meanwhile. Returns whether the type was not paused before.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler.resume_enrichment(text, text) IS
'Ends the pause of a type. Returns whether it was paused.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON PROCEDURE kepler.queue_backlog(text, integer, text) IS
'Queues the records of a type that existed before its policy, or before the policy became fair, in steps that each commit: writers and claims never wait for longer than one step. Can be stopped at any time; the next call continues. Several can run at once.
entity_type: the type of the records. max_rows: how many records of the workspace, of any type, a step looks at; at most 10,000.
First waits for the transactions that are writing records of the type, and later for whoever holds one of the records; nobody waits behind it meanwhile. Cannot run inside of a transaction. kepler.enrichment_policies shows how far it is (backlog_after, backlog_queued, fair_keys_after).
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.wait_for_writers(text, integer, text) IS 'Internal: waits for the transactions that write records of a type, and may not know its policy';
COMMENT ON FUNCTION kepler_internal.queue_backlog_step(text, integer, text) IS 'Internal: queues a part of the backlog of a type; NULL when nothing is left, otherwise the record to wait for, or an empty text';
COMMENT ON FUNCTION kepler_internal.wait_for_record(text, text) IS 'Internal: waits until nobody holds a record';

COMMENT ON FUNCTION kepler.delete_connection(text, text, integer, text) IS
'Deletes a connection with its entities and credentials, once nothing hangs on it any more. Its records lose their entity, and are archived or deleted: no worker gets them.
connection_id: the connection. records: "keep" archives them and notes where they came from (adopt_records); "delete" deletes them softly.
max_rows: about how many records a call changes; at most 10,000. Call it again, each time in a transaction of its own, until it answers deleted. The connection is INACTIVE meanwhile.
changed: how many records this call has changed.
Outcomes: deleted; started (some of the records are left); not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 09000 if a trigger prevents a write.';

COMMENT ON FUNCTION kepler.adopt_records(text, text, text, integer, text) IS
'Gives records that delete_connection has kept to the connection that takes the place of the former one, instead of syncing them anew beside the old ones. They get the entity of their type and source, and those that were active are so again, and queued.
connection_id: the new connection. reference_id, connection_name: those of the former one; NULL means that they are the same.
max_rows: how many records a call looks at; at most 10,000. Call it again until it gives no rows.
Outcomes: restored (it belongs to the new connection); superseded (the new connection has a record with this external id: the old one stays archived, and is not looked at again); unchanged (it has another entity by now); not_found (it was deleted for good).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 if there is no such connection.';
COMMENT ON FUNCTION kepler_internal.detach_records(text, boolean, integer, text) IS 'Internal: takes records of a connection from their entities, and archives or deletes them';

COMMENT ON PROCEDURE kepler.rename_entity(text, text, text, text, text, integer, text) IS
'Gives an entity another type, and if wanted another source, with its records. The entity is renamed at once: upserts under the new name find its records from then on. The records follow in steps that each commit, and move in the queue to the policy of the new type; workers that hold some are stale. Can be stopped at any time: the next call continues.
An upsert under the old name makes a new entity of that name, with records of its own: change the callers first.
entity_type, source, connection_id: what the entity is known by. new_type: its type from now on. new_source: its source; the same if NULL.
max_rows: how many records a step looks at; at most 10,000.
First waits for the transactions that are writing records of the old type. Cannot run inside of a transaction.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if there is no such entity; 42710 if there is another with the new name; 09000 if a trigger prevents a write; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.begin_rename_entity(text, text, text, text, text, integer, text) IS 'Internal: gives an entity its new name, and its id';
COMMENT ON FUNCTION kepler_internal.rename_entity_step(text, text, boolean, integer, text) IS 'Internal: gives a part of the records of an entity its type and source, and where to go on; NULL when all have them';
COMMENT ON FUNCTION kepler_internal.wait_for_upserts(text, text) IS 'Internal: waits for the transactions that write records of a type';

COMMENT ON FUNCTION kepler.drop_enrichment_policy(text, text) IS
'Ends the enrichment of a type: its records leave the queue, PENDING records become UNAPPLIED, and results of workers that hold some are stale. Stored results stay. Returns false if there was no policy.
Up to 10,000 records are given back and taken out of the queue at once, if nobody is writing, claiming or settling some. Otherwise a notice says to CALL kepler.drop_backlog after the transaction: nobody claims or settles records of the type meanwhile.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON PROCEDURE kepler.drop_backlog(text, integer, text) IS
'Removes what drop_enrichment_policy has left: leases, whose records become UNAPPLIED, and rows of the queue, in steps that each commit: nobody waits for longer than one step. Can be stopped at any time; the next call continues. Ends if the type gets a policy again, which then takes over what is left.
entity_type: the type of the records. max_rows: how many records a step gives back and takes out of the queue; at most 10,000.
First waits for the transactions that are writing records of the type, and later for whoever holds what is left. Cannot run inside of a transaction.
Errors: 55000 before install(), and if the type has a policy; 22004 and 22023 for arguments; 09000 if a trigger keeps something; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.wait_for_former_writers(text, integer, text) IS 'Internal: waits for the transactions that write records of a type, and may know its policy, which is gone';
COMMENT ON FUNCTION kepler_internal.drop_backlog_step(text, integer, integer, text) IS 'Internal: removes a part of what the policy of a type has left; NULL when nothing is left, otherwise whether somebody is to be waited for';
COMMENT ON FUNCTION kepler_internal.wait_for_leftover(text, integer, text) IS 'Internal: waits until nobody holds what comes first of what the policy of a type has left';

COMMENT ON FUNCTION kepler.claim_records(text, text, integer, interval, jsonb, text) IS
'Claims up to max_rows (at most 10,000) records of a type for a worker, the oldest first, under one lease, and sets them to PENDING. It first takes back the records of expired leases. It waits for nobody: locked records are left to other claims. It returns no rows if nothing is ready (see next_claim_at).
entity_type: the type of the records.
A record that the database refuses to mark (a CHECK, a trigger, a unique index) waits longer each time, and kepler.failed_enrichments says why; the call warns of it and continues with others.
worker: a name, for people to read. lease: how long the lease lasts without extend_lease; the policy''s if NULL.
options: {"fair": false} takes the oldest first in spite of a fair policy. {"filter": {…}} takes only records whose data meets the filter, as in json_matches, the oldest first. Such a claim looks at no more than 1,000 records that are ready, and the next one of the session with the same filter goes on behind them: no rows need not mean that nothing meets it. Wait a second before the next claim.
external_id, source and entity_id are those of the record. enrichment: what was found before; NULL if nothing was.
If the policy has priorities, the higher ones come first, then those that were ready first. If it has limits, the claim takes no more than they allow. While the type is paused there are no rows.
lease_id is the same in all rows, and greater than that of every earlier claim. attempt begins at 1 for each content.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler.extend_lease(bigint, interval, text) IS
'Extends a lease, and never shortens it. Returns the new end, or NULL if the lease is lost and the worker can stop.
lease_id: as claim_records gave it. lease: how long it holds from now on; NULL means the length that the claim had.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.settle_records(bigint, text, text) IS
'Settles records of a lease, and returns one row for each element, in their order. Records that are not settled stay leased; the lease is deleted with its last record.
lease_id: as claim_records gave it.
results: a JSON array, as text, json or jsonb, of {record_id, action, result, remove, error, retryable, retry_in}. action is complete (the default; the members of records.enrichment that remove, an array of names, lists are removed, and the members of result are merged into the rest; null is a value like any other), fail (with error; the record is tried again unless retryable is false or this was the last attempt) or release (the record returns to the queue; the attempt does not count). retry_in, in seconds, takes the place of the backoff.
The error of a failure may be any JSON: a value that is not a string is stored as its JSON text. Characters that cannot be stored are stored as escapes, and the answer says so in error.
Outcomes: applied, retried, failed, released, duplicate (this lease has settled it before), stale (the lease is lost, or does not hold the record: nothing changes), superseded (its content changed since the claim: the result is dropped, the record queued again), gone, not_found, rejected (the element cannot be understood, or the database refuses to write it: error_code is then the SQLSTATE).
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if results cannot be divided into elements.';

COMMENT ON FUNCTION kepler.complete_records(bigint, text[], jsonb[], text) IS
'Completes records of a lease.
lease_id: as claim_records gave it. record_ids: records that it holds. results: NULL, or an element for each record, a JSON object or NULL, whose members are merged into records.enrichment.
Outcomes: those of settle_records.
Errors: those of settle_records, and 22023 if the arrays differ in length.';

COMMENT ON FUNCTION kepler.fail_records(bigint, text[], text, boolean, interval, text) IS
'Fails records of a lease, for one reason.
lease_id: as claim_records gave it. record_ids: records that it holds. error: what went wrong. retryable: whether they are tried again, as long as attempts are left. retry_in: after how long; NULL means the backoff.
Outcomes: those of settle_records.
Errors: those of settle_records.';

COMMENT ON FUNCTION kepler.release_records(bigint, text[], interval, text) IS
'Gives records of a lease back, all of them if record_ids is NULL; the attempt does not count.
lease_id: as claim_records gave it. retry_in: after how long they are ready again; NULL means at once.
Outcomes: those of settle_records.
Errors: those of settle_records.';

COMMENT ON FUNCTION kepler.requeue_records(text[], text, text, jsonb, integer, text) IS
'Queues records anew that are FAILED or APPLIED, with all attempts before them. Either record_ids, with a row for each, or an entity_type, with a row for each that was requeued or rejected: up to max_rows are requeued that have enrichment_status, those that changed longest ago first.
filter: only records whose data meets it, as in json_matches; with an entity_type records are read until max_rows meet it.
Outcomes: requeued, unchanged (UNAPPLIED or PENDING, named before, or its data does not meet the filter), gone, not_found, rejected (the database refuses to write it: error_code is the SQLSTATE).
Errors: 55000 before install(); 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler.schedule_records(text[], integer, timestamptz, text) IS
'Sets the priority of records in the queue, and the earliest time at which they are claimed. Both belong to the place in the queue: they hold through retries and new content, until the record is APPLIED or FAILED. Call it in the transaction of the upsert or requeue_records, and no worker gets the records before.
record_ids: a row for each. priority: from 0 (that of a record without one) to 9; claims take the higher first if the policy says priorities => true. NULL leaves it as it is.
not_before: the earliest time; one that is over makes a record ready now that waits for a retry. NULL leaves it as it is.
Outcomes: updated; unchanged (it is so already, was named before, or is not in the queue: it is PENDING, APPLIED or FAILED, or its type has no policy); gone; not_found; rejected (error_code no_priorities: the policy has none).
Waits for whoever holds a record.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.remove_enrichment_members(text[], text[], text) IS
'Removes members from records.enrichment, whatever the status of the records; the status stays. Workers do so with remove in settle_records.
record_ids: a row for each. members: names at the top level; NULL removes all. A record that has none left has NULL.
Outcomes: updated, unchanged (it has none of them, or was named before), gone, not_found, rejected (the database refuses to write it: error_code is the SQLSTATE).
Waits for whoever holds a record.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON PROCEDURE kepler.repair_enrichment(integer, text, bigint, bigint, bigint) IS
'Finds what no function of Kepler leaves behind, but writes around its triggers can: records that are PENDING under a lease that does not exist, which become UNAPPLIED and are queued, and leases under which no record is PENDING, which end. It reads the records of the workspace by their key, in steps that each commit, while workers go on. Can be stopped at any time.
max_rows: how many records a step reads; at most 10,000.
requeued: how many records became UNAPPLIED. ended: how many leases ended. held: how many were passed by because somebody had them locked; call it again.
Records that are UNAPPLIED and not queued are what queue_backlog finds. Cannot run inside of a transaction.
Errors: 55000 before install(); 22004 and 22023 for arguments; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.repair_enrichment_step(text, integer, text) IS 'Internal: gives back records whose lease does not exist, and where to go on; NULL when all were looked at';
COMMENT ON FUNCTION kepler_internal.repair_leases_step(bigint, integer, text) IS 'Internal: ends leases that hold nothing, and where to go on; NULL when all were looked at';

COMMENT ON FUNCTION kepler.next_claim_at(text, text) IS
'When a claim is next likely to find something: the earliest time at which a queued record is ready or a lease ends. A time in the past means now. While other sessions hold all ready records, the answer is a second from now. While a limit is used up, the answer is when it lets a claim get something again. NULL: nothing is queued or leased, or the type is paused.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler_internal.is_direct() IS 'Internal: whether a change of a record comes from direct SQL, and not from Kepler''s own statements';
COMMENT ON FUNCTION kepler_internal.require_name(text, text) IS 'Internal: checks an argument that names something';
COMMENT ON FUNCTION kepler_internal.require_ids(text, text[]) IS 'Internal: checks an argument that holds ids';
COMMENT ON FUNCTION kepler_internal.queue_changed_record() IS 'Trigger: keeps the queue under direct SQL';
COMMENT ON FUNCTION kepler_internal.check_record_change() IS 'Trigger: refuses a change of enrichment_status or of the lease that is not legal, and empties records.enrichment when direct SQL changes the content, where the policy says so';
COMMENT ON FUNCTION kepler_internal.finish_record_change() IS 'Trigger: sends a record whose content has changed back to enrichment, takes it from its lease, and moves updated_at on';
COMMENT ON FUNCTION kepler_internal.require_administrator_of_all() IS 'Trigger: refuses changes of the list of spaces by roles that are administrators of some workspaces only';
COMMENT ON FUNCTION kepler_internal.tell_sessions() IS 'Trigger: tells all sessions that an entity, a policy, a space or the space of a workspace has changed';
COMMENT ON FUNCTION kepler_internal.dequeue_deleted_records() IS 'Trigger: takes deleted records out of the queue';
COMMENT ON FUNCTION kepler_internal.forget_truncated_records() IS 'Trigger: empties the queue and ends the leases where all records are gone';
COMMENT ON FUNCTION kepler_internal.begin_enrichment() IS 'Trigger: queues the backlog of a policy that direct SQL inserts, if one step is enough';
COMMENT ON FUNCTION kepler_internal.change_fairness() IS 'Trigger: gives what is queued its entity when direct SQL makes a policy fair, if one step is enough';
COMMENT ON FUNCTION kepler_internal.end_enrichment() IS 'Trigger: ends the leases and empties the queue of a type whose policy goes';
COMMENT ON FUNCTION kepler_internal.give_back_lease() IS 'Trigger: gives back what a lease holds that direct SQL deletes';
COMMENT ON FUNCTION kepler_internal.refuse_enrichment_change() IS 'Trigger: refuses a change of what keeps the queue';
COMMENT ON FUNCTION kepler_internal.keep_queued() IS 'Trigger: refuses to take a record out of the queue that is to be enriched';
COMMENT ON FUNCTION kepler_internal.keep_failed() IS 'Trigger: refuses to take a record out of the list of failures that is FAILED';
COMMENT ON FUNCTION kepler_internal.keep_lease_records() IS 'Trigger: refuses to take its records from a lease';
COMMENT ON FUNCTION kepler_internal.refuse_truncate() IS 'Trigger: refuses TRUNCATE of what keeps the queue';

COMMENT ON FUNCTION kepler.create_embedding_space(text, integer, text, text) IS
'Creates an embedding space: the tables kepler_data.<name>_embeddings and <name>_message_embeddings for the embeddings of memories and messages by one model. Spaces exist side by side. Workspaces search the oldest space until they activate another (activate_embedding_space). Returns the table for memories.
space: its name, up to 44 characters a to z, 0 to 9 and _. dimensions: of each embedding, up to 16,000. model: the model that makes the embeddings. metric: cosine, inner_product or l2.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42710 if the space exists; 42P07 if a table with its name exists; 42501 for roles that may not create tables in kepler_data.';
COMMENT ON FUNCTION kepler.remember(text, vector, text, text, jsonb, double precision, timestamptz, timestamptz, text, boolean, text, text, text, text, interval, text) IS
'Remembers one thing, and returns one row.
content: a text, or a JSON object or array as jsonb, whose format is then JSON.
embedding: of the content, by the model of the space; NULL leaves it to pending_memory_embeddings. space: by default the one that the workspace searches.
user_id: whom it is about; NULL: the workspace''s own. context_type: preference, reasoning, pattern, fact or a word of yours. metadata: a JSON object for filters. relevance_score: how important it is, from 0 to 1.
valid_from: from when on it is true (now if NULL). expires_at: when it is forgotten. supersedes: the id of an older memory of the same user, whose place it takes; the older memory ends, and is found only with as_of.
key: the caller''s own name, unique among the memories of the same user and namespace; the memory then takes the place of the one that is stored under it, wholly: what is not given gets its default, and the embedding of another content goes. An expired memory gives its key free, and so does a superseded one. namespace: a path of labels, for example users/ada/facts; empty is the root. ttl: how long the memory lives on; unless expires_at says otherwise it expires that long after now, and each read with touch extends that again.
dedupe: true looks for what is remembered already of the same user, namespace and context_type, without a key. A memory with a key is told by that, and not looked for. The same content is a duplicate; one whose embedding points the same way (cosine from 0.97), with the same words in the same order but for case and punctuation, is merged. The older content stays; the metadata, the greater relevance_score, the earlier valid_from and the later expires_at of the new are kept, and the embedding where there was none.
language: whose words the content has: one of those that the workspace has (set_language); NULL: that of the workspace.
Outcomes: inserted, duplicate (the same was remembered already), merged (taken into one that is nearly the same), updated (the key had a memory that said something else), unchanged (it says so already, and nothing was written).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.remember_many(text, boolean, text, text) IS
'Remembers the elements of a JSON array, and returns a row for each, in their order. A rejected element has the code of its first problem, or the SQLSTATE if a constraint or trigger refuses it, and its error names all problems. The other elements are remembered.
memories: an array, as text, json or jsonb, of {content, embedding, user_id, context_type, relevance_score, metadata, valid_from, expires_at, supersedes, key, namespace, ttl, language}. content is a string, or an object or array, which is remembered as JSON; embedding an array of numbers; times are ISO 8601 with an offset; ttl is a number of seconds.
dedupe, space: as in remember. An element can repeat an earlier one of its batch.
Outcomes: inserted, updated, unchanged, duplicate, merged, superseded (a later element has the same key), rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if memories cannot be divided into elements; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_memories(vector, integer, text, text, text[], jsonb, double precision, timestamptz, jsonb, jsonb, double precision, boolean, text, text, text) IS
'Finds memories by meaning, words and time, best first. It returns max_rows rows if that many memories meet the conditions, whatever the conditions are; exhausted is true if there are fewer.
embedding: of the question, by the model of the space. query_text: words, any of which counts, up to 100,000 bytes, in any of the languages of the workspace; the rarer a word is in the workspace, the more it counts (BM25). The hits of both are combined: see fusion. One of the two is required.
max_rows: from 1 to 10,000. user_id: * means everybody in the workspace, NULL memories of no user. context_types: any of these. filter: a condition on metadata, as in json_matches. min_similarity: leaves out memories that are less similar, except word hits without an embedding. namespace: only memories in this namespace or below it; empty: all.
as_of: searches the memories that were valid at this time; now if NULL. Expired and superseded memories are not found.
weights: {"similarity": 0.97, "importance": 0.015, "recency": 0.01, "frequency": 0.005}; parts that are not named do not count, and with similarity alone the order is that of the distance. Otherwise the score orders the most similar memories: four times as many as max_rows, and at least 40. Each part is from 0 to 1; in a search for words the relevance that fusion describes takes the place of similarity.
fusion: {"vector": 1, "text": 1}: how much each way counts: how far the similarity stands out from what is usual in the workspace, and the score by words; both are from 0 to 1. With "k", a number from 0 on, their ranks count instead (reciprocal rank fusion). What is not named stays as it is by default. In a space of another metric than cosine ranks are combined, with a k of 5. By ranks text is 2 by default.
diversity: from 0 to 1, how much results should differ from each other (maximal marginal relevance; up to 200 rows); equal results are repeated only if there are no others. diversity and min_similarity need an embedding. touch: whether kepler.memory_access records what was found, and memories with a ttl live on. Without it a search writes nothing, and frequency and the last access stay as they are.
space: by default the one that the workspace searches.
similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_messages(vector, integer, text, text, text, text[], text[], jsonb, timestamptz, timestamptz, double precision, jsonb, integer, text, text) IS
'Finds messages of conversations by meaning, words and time, best first, with their neighbours. It returns max_rows hits if that many messages meet the conditions, whatever the conditions are; exhausted is true if there are fewer.
embedding: of the question, by the model of the space. query_text: words, any of which counts; the rarer a word is in the workspace, the more it counts (BM25). The hits of both are combined: see fusion. One of the two is required. Search by meaning finds only messages with an embedding (set_message_embeddings).
max_rows: the number of hits, from 1 to 10,000; with expand up to 1,000. user_id: whose conversations: * means everybody''s in the workspace, NULL those of no user. conversation_id: * means any. kinds: conversations of any of these kinds. roles: system, user, assistant, tool. filter: a condition on the metadata of messages, as in json_matches. sent_from, sent_before: sent at or after the first time, and before the second. min_similarity: leaves out messages that are less similar, except word hits without an embedding.
fusion: {"vector": 1, "text": 1}, as in search_memories.
expand: this many messages (up to 100) before and after each hit in its conversation, whether they meet the conditions or not. Neighbourhoods that overlap or touch form one passage, and no message is returned twice.
space: by default the space that the workspace searches.
Rows: the passage with the best hit first, each passage in the order of its conversation. Without expand each hit is a passage. is_hit: false for a neighbour, which has no score, similarity and ranks. hit: the rank of the hit, 1 for the best; for a neighbour, the rank of the nearest hit.
score: from 0 to 1; the similarity, or in a search for words what fusion describes. similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace or conversation.';
COMMENT ON FUNCTION kepler.last_search() IS
'Shows how the last search of this session (search_memories, search_messages, search_vectors) ran: its plan, whether there are no more rows (exhausted), and the number of rows, or hits. A search without rows cannot show these itself. Returns one row, with NULLs before the first search and after a search that failed. Behind a pooler that shares sessions, call it in the transaction of the search.
Errors: 55000 before install().';

COMMENT ON FUNCTION kepler.touch_memories(text[], text) IS
'Records that memories were used, as a search with touch does: the time, and one more hit; and memories with a ttl live on, if the caller may change them. At most once a minute for each memory. Memories that another transaction is recording are skipped, and under REPEATABLE READ those that others have recorded, extended or deleted since the snapshot; a read-only or SERIALIZABLE transaction records nothing. Returns the number of recorded memories.
memory_ids: values of kepler.memories.id.
Errors: 55000 before install(); 22004 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.forget(text[], text, text, text[], text) IS
'Deletes memories for good, with their embeddings and accesses; end_memories ends them from a time on. Returns a row for each id, in their order. What a deleted memory had superseded is superseded by its successor.
memory_ids: values of kepler.memories.id. keys, namespace: instead of ids, the keys of the user in the namespace. user_id: whose memories they must be: * is anybody''s in the workspace (not with keys), NULL those of no user; another''s memory is not_found.
Outcomes: deleted, unchanged (named before), not_found, rejected (a constraint or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.get_memories(text[], text[], text, text, boolean, text) IS
'Finds memories by their ids, or by the keys of a user in a namespace. Returns a row for each that there is, in the order in which they are asked for; ordinal says which it is. Expired and superseded memories are not there.
memory_ids: values of kepler.memories.id. keys, namespace: instead of ids, the keys of the user in exactly this namespace; empty is the root. user_id: whose memories they must be: * is anybody''s in the workspace (not with keys), NULL those of no user. touch: as in search_memories.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.list_memories(text, text, text[], jsonb, timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, integer, text, boolean, text) IS
'Lists memories, page by page. Expired and superseded memories are not listed.
user_id: * means everybody in the workspace, NULL memories of no user. namespace: only memories in this namespace or below it; empty: all. context_types: any of these. filter: a condition on metadata, as in json_matches. created_from, created_before, updated_from, updated_before: at or after the first time of each, and before the second.
order_by: id (the order in which they were made; the newest first), updated_at (the last changed first) or key (namespace and key, the first first; only memories that have a key). descending: the other way round, if it is given so. max_rows: from 1 to 10,000. after: the cursor of the last row of the page before, with the same order_by. Rows that are added or deleted meanwhile shift no page; in the order of updated_at a memory that is changed meanwhile moves.
touch: as in search_memories.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.count_memories(text, text, text[], jsonb, timestamptz, timestamptz, timestamptz, timestamptz, integer, text) IS
'Counts the memories that list_memories would list.
user_id, namespace, context_types, filter, created_from, created_before, updated_from, updated_before: as in list_memories. max_rows: counts no further; NULL counts all.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.list_namespaces(text, text, integer, integer, text, text, text) IS
'Lists the namespaces that memories are in, in the order of their labels, without the root. Those of expired and superseded memories are not listed.
prefix, suffix: the labels that a namespace begins and ends with; * stands for any label, as in users/*/facts. max_depth: cuts namespaces to so many labels, and gives each of them once. max_rows: from 1 to 10,000. after: the last namespace of the page before. user_id: * means the memories of everybody in the workspace, NULL those of no user.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.update_memory(text, text, vector, jsonb, double precision, text, text, text, timestamptz, interval, text, text, text) IS
'Changes a memory. What is NULL stays as it is.
memory_id: a value of kepler.memories.id. content: a text, or a JSON object or array as jsonb; another content deletes the embeddings in all spaces, but for the one that is given. embedding: by the model of the space; space: by default the one that the workspace searches.
metadata: a merge patch (RFC 7386): members replace those that are stored, and null removes one. relevance_score, context_type, namespace, key: the new ones. expires_at: infinity means never, and ends a ttl. ttl: the memory then lives so long from now on, unless expires_at is given, and so long after each read with touch.
user_id: whose memory it must be: * is anybody''s in the workspace, NULL one of no user; another''s memory is not_found.
Outcomes: updated, unchanged (it says so already), not_found (expired and superseded memories are not there either).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 23505 if another memory has the key; 42704 for the space; 54000 if the metadata would be too large.';
COMMENT ON FUNCTION kepler.end_memories(text[], timestamptz, text, text) IS
'Ends memories: from the time on they are not found, and expire_memories deletes them. Returns a row for each id, in their order.
memory_ids: values of kepler.memories.id. at: sets expires_at; a later time than before is taken too, and a ttl ends. user_id: as for forget.
Outcomes: updated, unchanged (named before, or that was its time already), not_found, rejected (a constraint or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.expire_memories(integer, text) IS
'Deletes up to max_rows expired memories, the longest expired first, and returns their number. Memories that another transaction has locked are left to the next call.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.memory_history(text, text, text) IS
'The versions of a memory: all memories of the same user in its chain of supersedes, the oldest first. No row if the memory does not exist.
user_id: whose memory it must be: * means anybody''s in the workspace, NULL a memory of no user. For a memory of another user no row is returned.
memory_id: of any of them.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.pending_memory_embeddings(text, integer, text, text) IS
'Memories of the workspace without an embedding in a space, for a worker that computes embeddings: up to max_rows (at most 10,000), in the order of their ids. after_id: the last memory_id of the previous call, so that a worker does not read the same memories again. A memory whose content has changed is pending again.
content_hash: SHA-256 of the content in UTF-8, in hexadecimal digits; handed back to set_memory_embeddings it makes sure that the content is still the same.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.set_memory_embeddings(text, text, text) IS
'Sets the embeddings of memories in a space, and returns a row for each element, in their order. Searches go on in the space that the workspace has activated.
embeddings: a JSON array of {memory_id, embedding, content_hash}, as text, json or jsonb. content_hash: that of the content that was embedded, as pending_memory_embeddings has it; without it an embedding of a content that has changed meanwhile is taken for that of the new one.
Outcomes: inserted, updated, unchanged, superseded (a later element is about the same memory, or its content has changed), not_found, rejected (error_code is that of the first problem, or the SQLSTATE if the database refuses it).
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 22P02 if embeddings cannot be divided into elements; 42704 for the space.';
COMMENT ON FUNCTION kepler.pending_message_embeddings(text, integer, bigint, text[], text) IS
'Messages of the workspace without an embedding in a space, for a worker that computes embeddings: up to max_rows (at most 10,000), in the order of their ids, except messages without text. after_id: the last message_id of the previous call, so that a worker does not read the same messages again. roles: only messages of these roles, since not all are worth an embedding. A message whose content has changed is pending again.
content_hash: SHA-256 of the content in UTF-8, in hexadecimal digits; handed back to set_message_embeddings it makes sure that the content is still the same.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.set_message_embeddings(text, text, text) IS
'Sets the embeddings of messages in a space, and returns a row for each element, in their order. Searches go on in the space that the workspace has activated.
embeddings: a JSON array of {message_id, embedding, content_hash}, as text, json or jsonb; content_hash as for set_memory_embeddings.
Outcomes: inserted, updated, unchanged, superseded (a later element is about the same message, or its content has changed), not_found, rejected (error_code is that of the first problem, or the SQLSTATE if the database refuses it).
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 22P02 if embeddings cannot be divided into elements; 42704 for the space.';
COMMENT ON FUNCTION kepler.activate_embedding_space(text, text) IS
'Makes the workspace search another space from now on. Refused (55000) while a memory of the workspace has no embedding in the new space, or a message has an embedding only in the old one; the error says how many. Waits for transactions that write memories or embeddings of the workspace.
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.retire_embedding_space(text) IS
'Retires a space: it accepts no embeddings any more, and cannot be activated. Refused (55006) while a workspace searches it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.drop_embedding_space(text) IS
'Drops a retired space with its tables and all its embeddings.
Errors: 55000 before install(), and if the space is not retired; 22004 and 22023 for arguments; 42704 for the space; 42501 for roles that do not own the tables.';
COMMENT ON FUNCTION kepler.index_advice(regclass) IS
'Advises which index each column of type vector should have, in the tables of embedding spaces and in all other tables, or in one relation: a row for each column.
advice: create, rebuild (an IVFFlat index has too few lists for its rows: the statement creates another one beside it), drop (another index has replaced this one, or its building was interrupted), analyze, or none, with the reason and the statement. Run one statement, then ask again. Below 50,000 rows the advice is none: comparing all rows is as fast. Columns outside of spaces are assumed to be compared by cosine.
build_memory: the bytes that building the index takes; with a lower maintenance_work_mem building is many times slower.
No index can find its way past very many rows with the same vector. A search that notices this compares all rows of its scope (plan exact_after_index). Texts that repeat, such as "ok", are better embedded once or not at all.
Errors: 55000 before install().';
COMMENT ON FUNCTION kepler.recall_check(text, text, integer, integer, text, double precision) IS
'Compares searches for stored embeddings, chosen at random, with exact searches: the share of the max_rows nearest rows that they find (recall), how many searches returned fewer rows than exist (shortfalls), and their times in milliseconds beside those of the exact searches. NULL if nothing is stored.
searched: memories or messages. samples: how many searches, at most 10,000. max_rows: how many rows each of them asks for, at most 1,000. min_recall: the share that a proposal has to find.
search_width: how many candidates for up to ten rows the searches took from the index; NULL if they compared all rows. proposed_width: the smallest of 10, 20, 40, 60, 100, 150, 200, 300, 400, 600, 800 and 1,000 candidates that finds min_recall, or 1,000 if none does, with the recall and the median time of the same searches. set_search_width() takes it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.set_search_width(text, integer) IS
'Sets how many candidates a search in a space takes from an index on vectors, for up to ten rows: 10 to 1,000. More rows take more, in proportion. NULL: the default, 100, or 200 if an HNSW index was built with an ef_construction below 100, and 150 of an IVFFlat index. The setting holds for all workspaces and sessions from the commit on. More candidates find more of the nearest rows and take longer; no search returns fewer rows for it. recall_check() proposes a number.
Where a session, a role or the database sets hnsw.ef_search, that counts instead. Tables outside of spaces (search_vectors) have that setting alone.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space; 42501 for roles that do not administer all workspaces.';
COMMENT ON FUNCTION kepler.search_vectors(regclass, text, vector, integer, jsonb, text, double precision, text[], text, text, text, jsonb) IS
'Finds the rows of any table whose vectors are nearest to the embedding, whose words answer query_text, or both, best first. As with search_memories, it returns max_rows rows if that many rows meet the filter. Reads as the caller, who needs the right to the columns that are searched, filtered by and shown; for a search by words, under row security, of a table with partitions or children, and where it would run code of others, to the whole table.
relation, column_name: a table or materialized view and its column of type vector. Rows where it is NULL are found by words alone. Of a partitioned table, and of one that others inherit from, each part that the filter leaves is searched, through its own index; under row security all of it is compared.
embedding: NULL searches by words alone. max_rows: from 1 to 10,000.
filter: as in json_matches, for the row as JSON: {"organization": "acme", "size": {"$gte": 10}, "part": {"$in": ["head", "body"]}, "meta.topic": "x", "created_at": {"$gte": {"$date": "2026-01-31"}}}. Members name columns; a dotted path goes into a column of type json or jsonb. Scalars are compared as their column''s type, in its collation, so that indexes and partitions serve; a column that is NULL is null. metric: cosine, inner_product or l2; an HNSW index is used if it has the operators of the metric.
min_similarity: leaves out what is less similar, except word hits without an embedding.
columns: the columns of document; NULL gives all but vectors and columns of type tsvector.
query_text: words to look for, any of which counts; the rarer ones count for more, and long texts for less. words_column: a column of type tsvector; NULL is the table''s only one. language: the text search configuration that its words were made with. fusion: how both ways are combined, as in search_memories (what similarity is usual, some rows of the table tell, unless row security holds).
document: the row as JSON. similarity: the cosine, the inner product, or 1 / (1 + distance). score: from 0 to 1. vector_rank, text_rank: the place among what each way found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42501 without the right to read; 42704 for the language; 42703 for columns that do not exist; 42809 if relation is not a table or has foreign tables among its parts, if the column is not a vector, or words_column not a tsvector. 22023 names every problem of the filter, also columns that do not exist and values of another type than their column.';
COMMENT ON FUNCTION kepler_internal.word_score(tsvector, bytea) IS 'Internal: how well a text answers a question by its words, for searches';
COMMENT ON FUNCTION kepler_internal.embedding_table(text) IS 'Internal: a table of a space by its name, if it is a table of the owner';
COMMENT ON FUNCTION kepler_internal.create_embedding_tables(text) IS 'Internal: makes the tables of a listed space, as the caller';
COMMENT ON FUNCTION kepler_internal.retire_embedding_space(text) IS 'Internal: see retire_embedding_space';
COMMENT ON FUNCTION kepler_internal.activate_embedding_space(text, text) IS 'Internal: see activate_embedding_space';
COMMENT ON FUNCTION kepler_internal.drop_message_embeddings() IS 'Trigger: the embeddings of a message go when its content changes';
COMMENT ON FUNCTION kepler_internal.refuse_memory_rename() IS 'Trigger: refuses another id for a memory';
COMMENT ON FUNCTION kepler_internal.memory_chain(text, text) IS 'Internal: the ids of the memories that took each other''s place';
COMMENT ON FUNCTION kepler_internal.successors(text[], text[], text[]) IS 'Internal: what took the place of deleted memories';
COMMENT ON FUNCTION kepler_internal.note_numbered_messages() IS 'Trigger: notes the last numbers on conversations';
COMMENT ON FUNCTION kepler_internal.require_max_rows(integer, integer) IS 'Internal: checks an argument that bounds the rows';
COMMENT ON FUNCTION kepler_internal.require_space(text, boolean) IS 'Internal: fails unless there is such an embedding space, with its table where that is needed';
COMMENT ON FUNCTION kepler_internal.complete_embedding() IS 'Trigger: whose memory an embedding belongs to, where it was inserted without';
COMMENT ON FUNCTION kepler_internal.move_embeddings() IS 'Trigger: embeddings go with a memory that becomes another user''s, or of another type';
COMMENT ON FUNCTION kepler_internal.drop_memory_embeddings() IS 'Trigger: the embeddings of a memory go when its content changes';
COMMENT ON FUNCTION kepler_internal.load_library() IS 'Trigger: loads the library, which plans the checks of foreign keys';
COMMENT ON FUNCTION kepler_internal.list_embedding_space(text, integer, text, text) IS 'Internal: writes a space into the list';
COMMENT ON FUNCTION kepler_internal.require_retired_space(text) IS 'Internal: fails unless there is such a space, and it is retired';
COMMENT ON FUNCTION kepler_internal.forget_deleted_memories() IS 'Trigger: takes what belongs to deleted memories along';
COMMENT ON FUNCTION kepler_internal.forget_deleted_messages() IS 'Trigger: takes the embeddings of deleted messages along';
COMMENT ON FUNCTION kepler_internal.create_embedding_table(text, text, regclass, integer, text, text) IS 'Internal: makes a table of a space';
COMMENT ON FUNCTION kepler_internal.require_roles(text[]) IS 'Internal: checks an argument that holds roles of messages';

COMMENT ON FUNCTION kepler.estimate_tokens(text) IS
'Estimates the number of tokens of content: a quarter of its bytes, rounded up. NULL gives NULL. The estimate is rough: code, numbers and rare scripts have more tokens. If the limit is hard, count with the model''s own tokenizer.';
COMMENT ON FUNCTION kepler.add_message(text, text, text, text, integer, text, jsonb, timestamptz, vector, text, text) IS
'Adds a message to a conversation, as its last one. Returns one row. A concurrent call for the same conversation waits for the end of this transaction, and its message comes after this one.
conversation_id: a value of kepler.conversations.id. role: system, user, assistant or tool. content: its text; may be empty. user_id: who wrote it; where it is NULL and the role is user, the user of the conversation.
token_count: as the model''s tokenizer counts; NULL is estimated (estimate_tokens). external_id: the caller''s name for the message; a second message with the same external_id is not added. metadata: a JSON object. sent_at: when it was written; it does not affect the order.
embedding: of the content, by the model of the space that the workspace searches; NULL leaves it to set_message_embeddings, which takes those of a batch too.
number: its place, from 1, without gaps except where messages were deleted.
language: whose words the content has: one of those that the workspace has (set_language); NULL: that of the workspace.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 if there is no embedding space for the embedding; 23503 for an unknown conversation or user; 23505 if another message has the external_id.';
COMMENT ON FUNCTION kepler.add_messages(text, text, text) IS
'Adds messages to a conversation, in their order. Returns one row for each element.
messages: a JSON array of objects {role, content, user_id, token_count, external_id, metadata, sent_at, embedding, language}, of which role and content are required, as text, json or jsonb; see add_message.
message_id, number: of the new message, or of the message that has the external_id.
conversation_id: a value of kepler.conversations.id.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content), rejected (error_code is that of the first problem, or the SQLSTATE if a constraint or trigger refuses it; error names all problems).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation.';
COMMENT ON FUNCTION kepler.conversation_window(text, integer, integer, integer, integer, boolean, text) IS
'The messages of a conversation that fit into a window, without gaps, in their order: the newest, back from before; with after alone the next ones.
before, after: only messages with a lower number, with a higher number. max_tokens, max_rows: the limits of the window; NULL is no limit. keep_system: whether the window always includes the system messages (with a lower number than before), wherever they are; they are counted first.
A tool call and its results (a message, and the messages with role tool that follow it) are in a window together or not at all. token_count: as it is stored, or else estimated (estimate_tokens).
conversation_id: a value of kepler.conversations.id.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation; 54000 if the system messages, or the first messages of the window, do not fit.';
COMMENT ON FUNCTION kepler_internal.require_conversation(text, text) IS 'Internal: fails unless there is such a conversation';
COMMENT ON FUNCTION kepler_internal.check_window(text, integer, integer) IS 'Internal: fails if an argument of conversation_window is too low';
COMMENT ON FUNCTION kepler_internal.number_message() IS 'Trigger: gives a message that direct SQL adds the next number';
COMMENT ON FUNCTION kepler_internal.refuse_message_move() IS 'Trigger: refuses another place for a message';
COMMENT ON FUNCTION kepler_internal.refuse_entity_rename() IS 'Trigger: refuses another type or source for an entity that has records';
COMMENT ON FUNCTION kepler_internal.abandon_executions(integer, text) IS 'Internal: see abandon_executions';
COMMENT ON FUNCTION kepler_internal.expire_memories(integer, text) IS 'Internal: see expire_memories';
COMMENT ON FUNCTION kepler.text_words(text, text) IS
'The words of content, for an index of your own: stems and stop words as the text search configuration language has them, without accents (café is cafe), and pairs of characters of scripts without spaces between words (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese), so that a word is found inside a sentence.
language: the name of a configuration: english, german, simple, …; one of another schema than pg_catalog is named with its schema. NULL content gives NULL. A word of more than 2,047 bytes is left out, and so is the end of a text of more words than a tsvector holds (1 MB).
The same in every database and locale, so a generated column may hold it. A question is taken apart with it too.
Errors: 22004 if language is NULL; 42704 if there is no such configuration; 42501 for its schema; 0A000 in a database that is not in UTF8.';
COMMENT ON FUNCTION kepler.set_language(text, text[], text) IS
'Sets the language of a workspace: the text search configuration that the words of its new memories and messages are made with. maintain() and refresh_words make the words of those anew that have a language which the workspace had before; until then searches find them by the words that they have.
language: as in text_words; simple suits every language. A configuration must belong to a superuser or to the owner of Kepler''s tables.
other_languages: those that memories and messages may have of their own, up to 30. NULL leaves them as they are; what is in the list no more becomes a former language. Each costs every search by words a little.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for a configuration of somebody else; 42704 if there is no such configuration; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.refresh_words(integer, text) IS
'Looks at the next max_rows memories and messages of a workspace whose language was set, and makes the words of those anew that have a former language. Returns how many it looked at; 0: nothing is left. maintain() calls it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler_internal.refresh_words(integer, text) IS 'Internal: see refresh_words';
COMMENT ON FUNCTION kepler_internal.require_language(text) IS 'Internal: fails unless rows may have words of a language';
COMMENT ON FUNCTION kepler_internal.make_words() IS 'Trigger: makes the words of a memory or message whose content or language is new';
COMMENT ON FUNCTION kepler_internal.change_workspace() IS 'Trigger: checks the languages of a workspace, notes those that go, and moves updated_at on';

COMMENT ON FUNCTION kepler_internal.index_advice(regclass) IS 'Internal: index_advice, whose columns bear the name of its argument';
COMMENT ON FUNCTION kepler_internal.try_memories(text[], timestamptz, text, text) IS 'Internal: deletes or ends those memories that the database lets go, and tells of the others why not';
COMMENT ON FUNCTION kepler_internal.named_memories(text[], text[], text, text, text) IS 'Internal: the ids of the memories that forget is to delete';
COMMENT ON FUNCTION kepler_internal.change_memories(text[], timestamptz, text, text) IS 'Internal: what forget and end_memories share';
COMMENT ON FUNCTION kepler_internal.memory_history(text, text, text) IS 'Internal: memory_history, whose columns bear the name of its argument';
COMMENT ON FUNCTION kepler.grant_access(regrole, text, text) IS
'Gives a role a level of access, in place of its previous level, in all workspaces or in one: all rights that the functions of its levels need, on Kepler''s tables, on entry tables and embedding spaces, also on those that are created later. PUBLIC has none.
level: reader (reads and searches), writer (also changes records, entries, memories, conversations, workflows), worker (reads; enriches records, runs workflows, sets embeddings), admin (all of that; declares entry tables, embedding spaces, policies, workspaces). No level may create triggers, foreign keys or types.
workspace_id: the workspace; NULL means all workspaces. A role with a level in all workspaces keeps it beside those in single ones. In a workspace where a role has a lower level than in others, what that level does not hold is refused (42501).
Only for the owner of Kepler''s tables and superusers. Rights that the role was granted on these tables by hand are revoked.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for an unknown role; 23503 for an unknown workspace; 42501 for other callers.';
COMMENT ON FUNCTION kepler.revoke_access(regrole, text) IS
'Revokes the level of access of a role in one workspace, or all of its levels, those in single workspaces included. Without a level left, the role also loses everything else that it was granted on Kepler''s schemas, tables and functions. Returns whether the role had such a level.
workspace_id: the workspace; NULL means all workspaces.
Only for the owner of Kepler''s tables and superusers.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for an unknown role; 42501 for other callers.';
COMMENT ON FUNCTION kepler.use_workspace(text, boolean) IS
'Has the session work in a workspace that its role is a member of, and returns the id of the workspace. The role is the one that logged in or that SET ROLE names, also inside of functions that run as their owner.
is_local: true (the default) sets the workspace for the transaction, which must be inside of BEGIN and COMMIT; false for the session, unless kepler.workspace_per_transaction is on, which superusers set for roles whose clients share connections.
A transaction works in one workspace: after its first use of one, only the owner of Kepler''s tables and superusers can choose another. ROLLBACK TO a savepoint also gives back what was chosen after it.
Errors: 55000 before install(), and if is_local is false while kepler.workspace_per_transaction is on; 22004 and 22023 for arguments; 42501 if the role is not a member of the workspace; 23503 if a role that may work in all workspaces names one that does not exist; 25P01 if is_local is true outside of a transaction block; 25001 if the transaction has used another workspace.';
COMMENT ON FUNCTION kepler_internal.sees_blueprint(text) IS 'Internal: whether row security shows the session what is listed of a blueprint';
COMMENT ON FUNCTION kepler_internal.lock_memories(text) IS 'Internal: keeps others from writing memories of a workspace until the transaction ends';
COMMENT ON FUNCTION kepler_internal.workspaces_that_search(text, boolean) IS 'Internal: a few workspaces that search an embedding space';
COMMENT ON FUNCTION kepler_internal.sees_level(text) IS 'Internal: whether row security shows the session the level of a role in all workspaces';
COMMENT ON FUNCTION kepler_internal.require_workspace(text) IS 'Internal: checks the argument workspace_id, which for those without the rights of the owner must be the session''s';

-- The forms of a function (text, json, jsonb) have one comment, that of the first.
DO $$
DECLARE
    form record;
BEGIN
    FOR form IN
        SELECT p.oid::pg_catalog.regprocedure AS signature, pg_catalog.max(d.description) OVER (PARTITION BY p.proname) AS comment,
            d.description IS NULL AS lacks_one
        FROM pg_catalog.pg_proc AS p
        LEFT JOIN pg_catalog.pg_description AS d
            ON d.objoid OPERATOR(pg_catalog.=) p.oid AND d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'kepler'::pg_catalog.regnamespace
    LOOP
        CONTINUE WHEN NOT form.lacks_one OR form.comment IS NULL;
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION %s IS %L', form.signature, form.comment);
    END LOOP;
END
$$;

-- The last statement: PUBLIC gets no rights. Rights come with a level of access.
REVOKE ALL ON ALL ROUTINES IN SCHEMA kepler, kepler_internal FROM PUBLIC;

COMMENT ON FUNCTION kepler.begin_sync(text, text, text, text, jsonb, text) IS
'Begins a sync run of an entity, which is created if it does not exist. Returns one row. An open run of the same entity and mode is abandoned: abandoned_run_id.
connection_id, entity_type, source: identify the entity. connection_id may be NULL.
mode: full (the run lists all records in its scope, and finish_sync deletes the others) or incremental (finish_sync deletes nothing).
scope: a filter over data, as json_matches takes it: the records that a full run covers. NULL covers all.
cursor: where the last run of the entity that succeeded ended.
Until a full run ends, every upsert of records of its entity notes what it met. The function waits for the transactions that upsert such records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace or connection; 40001 in a transaction that keeps to its snapshot, if another run began meanwhile; 42501 if row security hides the entity.';

COMMENT ON FUNCTION kepler.checkpoint_sync(text, text, text) IS
'Notes how far an open run has come, and returns when. resume_sync returns the cursor, and a run that succeeds leaves it on its entity.
sync_run_id: the open run.
cursor: any text.
Errors: 55000 before install(), and if the run has ended; 22004 and 22023 for arguments; 42704 for an unknown run.';

COMMENT ON FUNCTION kepler.resume_sync(text, text, text, text, text, text) IS
'Finds an open run, so that any process can go on with it. Returns one row, or none if no run of the entity is open. What upserts noted before is kept.
sync_run_id: the run; or leave it out, and connection_id, entity_type, source and mode (NULL: either) find the newest open run of an entity.
seen and counts: of the calls that carried its id.
Errors: 55000 before install(), and if the run has ended; 22004 and 22023 for arguments; 42704 for an unknown run.';

COMMENT ON FUNCTION kepler.finish_sync(text, double precision, boolean, boolean, boolean, integer, text, text) IS
'Ends a run, in steps. The first call of a full run checks the guards. Every call soft-deletes up to max_rows of the records in its scope that no upsert met, and that nobody has written, since the run began. Call it until the outcome is finished, or use the procedure sweep_sync. Returns one row.
sync_run_id: the open run.
max_delete_fraction: the run is refused if it would delete more than this fraction of the live records in its scope.
allow_rejects: whether the run may delete although elements of it were rejected.
allow_empty: whether the run may delete although it met nothing.
dry_run: changes nothing. remaining is what would be deleted, and error says which guard would refuse it.
cursor: where the next run begins; if NULL, the cursor of the last checkpoint.
deleted and remaining: so far, and still to be looked at. records: the live records in its scope when the sweep began. error: what the database refused to delete.
Outcomes: finished (the run is SUCCESS), unfinished (call it again).
Errors: 55000 before install(), if the run has ended otherwise, and if a guard refuses, with the counts in DETAIL; 22004 and 22023 for arguments; 25000 for a full run in a transaction that keeps to its snapshot; 42704 for an unknown run.';

COMMENT ON PROCEDURE kepler.sweep_sync(text, double precision, boolean, boolean, integer, text, text) IS
'Ends a run as finish_sync does, with all its steps, and commits after each. It cannot be called in a transaction block.
sync_run_id: the open run.
The arguments are those of finish_sync.
Errors: those of finish_sync; 2D000 in a transaction block.';
COMMENT ON FUNCTION kepler_internal.sweep_sync_step(text, double precision, boolean, boolean, integer, text, text) IS 'Internal: one step of sweep_sync; gives whether it was the last';
COMMENT ON FUNCTION kepler_internal.forget_sync_notes() IS 'Trigger: deletes what deleted sync runs noted';

COMMENT ON FUNCTION kepler.merge_inbox_batch(text, integer, text, text, text, text, jsonb, text) IS
'Upserts the next rows that were copied into kepler.inbox for an open run, as upsert_records does, and takes them out: up to max_rows, or 16 MB, in the order of their ids. Call it until the outcome is finished, or use the procedure merge_inbox. Returns one row. Calls for one run wait for each other.
sync_run_id: the open run.
merge, id_key, updated_at_key, deleted_key, options: how lines are read, as for upsert_records. The run keeps what its first call says, and later ones may leave it out (NULL). merge NULL in the first call: replace.
merged: rows that were taken. counts: their outcomes, as upsert_records_summary gives them; a blank row is no element. remaining: about how many rows are left, by their ids; 0 only if none is.
What is rejected goes to kepler.rejects.
Outcomes: finished (the inbox of the run is empty), unfinished (call it again).
Errors: 55000 before install(), if the run has ended, and if this role cannot delete the rows; 22004 and 22023 for arguments, and if they say something else than the run keeps; 42704 for an unknown run.';

COMMENT ON PROCEDURE kepler.merge_inbox(text, integer, text, text, text, text, jsonb, text) IS
'Merges all that is in the inbox of a run, as merge_inbox_batch does, and commits after each step. It cannot be called in a transaction block. It counts the rows first, for kepler.sync_progress.
sync_run_id: the open run.
The arguments are those of merge_inbox_batch.
Errors: those of merge_inbox_batch; 2D000 in a transaction block.';
COMMENT ON FUNCTION kepler_internal.merge_inbox_step(text, integer, text, text, text, text, jsonb, boolean, text) IS 'Internal: one step of merge_inbox; gives whether it was the last';
COMMENT ON FUNCTION kepler_internal.require_copied_run() IS 'Trigger: refuses rows for a sync run that is not open';
COMMENT ON FUNCTION kepler_internal.share_copied_run(text, text) IS 'Internal: keeps a full run from sweeping while rows are copied in for it';
COMMENT ON FUNCTION kepler_internal.copied_sync_run() IS 'Internal: the run that the setting kepler.sync_run_id names; fails if it names none';

COMMENT ON FUNCTION kepler.abort_sync(text, text, text) IS
'Ends a run as FAILURE: it deletes nothing (more), and leaves the cursor of its entity. Returns whether this call ended it.
sync_run_id: the open run.
error: why; it is shown in issues of the entity and of its connection until a run succeeds.
Errors: 55000 before install(), and if the run has succeeded; 22004 and 22023 for arguments; 42704 for an unknown run.';

COMMENT ON FUNCTION kepler.abandon_syncs(interval, integer, text) IS
'Ends open sync runs that have shown no sign of life, as ABANDONED, and returns them, the longest silent first. A call that carries the run''s id, and a checkpoint, are signs of life. An abandoned run deletes nothing. The function also deletes a part of what ended runs have noted.
silent_for: how long, up to 10 years. max_rows: how many runs at most, up to 10,000.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.track(regclass, text) IS
'Writes down changes of a table from now on: of rows that are inserted, updated or deleted, and of TRUNCATE. Returns false if it was done already. Records are in the feed, and deleted executions and enrichment attempts in the history, from the beginning.
relation: a table with a primary key; of a partitioned table the whole (what is written to a partition directly is not noticed). level: feed (which rows changed, in the change feed), history (what they were before, and by whom they were changed, in the history), deletions (what deleted rows were, in the history; replaces history, and is replaced by it). Feed and history are independent of each other.
Makes triggers on the table, which a dump restores, and locks it against writers until the transaction ends. For administrators: entry tables of the session''s workspace, and tables that the caller owns. For the owner of Kepler''s tables: these as well.
Errors: 55000 before install(), if the table has no primary key, and for a history if a column of the key is sensitive; 22004 and 22023 for arguments; 42809 for what is no plain table, or has a deferrable primary key; 42501 for a table of somebody else or of another workspace.';
COMMENT ON FUNCTION kepler.untrack(regclass, text) IS
'Ends what track began. What is in the feed and in the history stays. Returns false if the table was not tracked at this level.
relation: the table. Who may track it may end it. level: feed, history or deletions.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for a table of somebody else or of another workspace.';
COMMENT ON FUNCTION kepler.changes_since(text, integer, regclass, text, text, text) IS
'Returns the changes behind a position, one row for each, in an order in which nothing can come later in between: what transactions under way have written comes after they end (feed_lag tells which).
cursor: the cursor of the last change that was dealt with, or of feed_cursor(); NULL for the oldest change that is there. consumer: reads from the cursor of a named consumer instead, and does not move it (acknowledge_changes does).
max_rows: at most 100,000. relation, entity_type: only changes of this table, of rows of this type. A call with them looks at 10,000 changes, or max_rows; where the last of these is not asked for, a last row without an operation has the cursor to go on from.
workspace_id: NULL for changes of tables without a column workspace_id, which are for the owner of Kepler''s tables alone.
row_id: the primary key without workspace_id, as text; of several columns a JSON array of texts; NULL for TRUNCATE, which empties the table. Read the row by it: operation tells what was done then, and the row may have changed since. sequence: of two changes of one row the later one has the greater, but for a trigger AFTER … FOR EACH ROW that changes its own row again, which is told first.
An update of a record that only moves its enrichment between UNAPPLIED and PENDING is no change.
Errors: 55000 before install(), if changes behind the cursor have been deleted for their age, and if the database was restored to a state before the cursor; 22004 and 22023 for arguments, also for a cursor of another workspace or database; 42704 for an unknown consumer; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables without the relation.';
COMMENT ON FUNCTION kepler.feed_cursor(text) IS
'The position of now in the change feed. To copy a table and then follow its changes: take the cursor first, then copy, then read changes_since(cursor). Changes that were made meanwhile may be in the copy as well; none is missing.
Errors: 55000 before install(); 22023 for arguments; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables.';
COMMENT ON FUNCTION kepler.acknowledge_changes(text, text, text) IS
'Stores how far a named consumer has come, and adds the consumer if it is new. Returns one row.
consumer: its name. cursor: that of the last change that was dealt with.
acknowledged_cursor: what is stored now. On a cluster, where a cursor stands in two feeds, that is the greater position of each.
Outcomes: inserted (a new consumer), updated, unchanged, stale (the consumer is further on already: nothing is changed).
Errors: 55000 before install(), and if the database was restored to a state before the cursor; 22004 and 22023 for arguments; 23503 for an unknown workspace; 42501 for another workspace.';
COMMENT ON FUNCTION kepler.feed_lag(text) IS
'Shows what the end of the feed waits for, and how far its consumers are behind. Returns one row.
horizon: the oldest transaction under way; changes of it and of later ones are not served yet. next_xid: the number that the next transaction gets.
held_by: session or prepared transaction, with pid or prepared_transaction, database_name, role_name, state and began_at; NULL if nothing is held back. It may be in another database. What only reads holds nothing back, and a replication slot neither. On a standby it is not known.
consumers: a JSON array of objects {consumer, waiting, oldest_at, acknowledged_at, problem}; waiting is counted up to 10,000; problem says why a consumer cannot go on.
On a cluster consumers read two feeds, that of the workspace''s node and that of the coordinator: what waits is counted in both, and the end of the first is shown unless nothing holds it back and something holds back the other one.
Errors: 55000 before install(); 22023 for arguments; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables.';
COMMENT ON PROCEDURE kepler.maintain_feed(interval) IS
'Makes the partitions of the feed for the next weeks, and deletes old changes, in steps that commit. maintain does it too, and keeps 30 days. Nobody waits for it longer than a tenth of a second: what is in use then stays until the next call. If it is late, changes go to a default partition, in the same order.
keep: how long changes are kept at least; they go a week at a time. A consumer behind what was deleted gets an error.
Cannot run inside of a transaction. For the owner of Kepler''s tables.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for other callers; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.consumer_lag(text) IS 'Internal: how far the consumers of a workspace are behind';
COMMENT ON FUNCTION kepler_internal.changes_of_part(text, integer, text, text, text, text) IS 'Internal: changes_since in the feed of the node where the workspace lies; before the changes a row of where they begin';
COMMENT ON FUNCTION kepler_internal.feed_cursor_of_part(text) IS 'Internal: feed_cursor in the feed of the node where the workspace lies';
COMMENT ON FUNCTION kepler_internal.consumer_lag_of_part(text) IS 'Internal: how far the consumers of a workspace are behind in the feed of the node where it lies, and where they stand in the one of the coordinator';
COMMENT ON FUNCTION kepler_internal.feed_tables_elsewhere() IS 'Internal: numbers in the feed of tracked tables whose rows are on other nodes of a cluster, or on all of them';
COMMENT ON FUNCTION kepler_internal.stat_feed_of_cluster(text, text) IS 'Internal: what stat_feed is on the coordinator of a cluster';
COMMENT ON FUNCTION kepler_internal.feed_horizon_of_part(text) IS 'Internal: what holds the end of the feed back on the node where the workspace lies; without a workspace, on this node';
COMMENT ON FUNCTION kepler_internal.maintain_feed_step(boolean, interval) IS 'Internal: a step of maintain_feed, as the owner of the feed; gives whether there is more to do';
COMMENT ON FUNCTION kepler_internal.make_partitions(text, text, integer) IS 'Internal: makes partitions of the feed or of the history ahead';
COMMENT ON FUNCTION kepler_internal.oldest_changes(timestamptz) IS 'Internal: the table of the oldest changes before a time';
COMMENT ON FUNCTION kepler_internal.drop_changes_before(timestamptz) IS 'Internal: drops an old partition of the feed, or deletes some old changes';
COMMENT ON FUNCTION kepler_internal.drop_old_changes(interval) IS 'Internal: drops an old partition of the feed, or deletes some old changes';
COMMENT ON FUNCTION kepler_internal.make_feed_triggers(regclass, integer, text) IS 'Internal: makes the triggers of a tracked table';
COMMENT ON FUNCTION kepler_internal.drop_feed_triggers(regclass, text) IS 'Internal: drops the triggers of a tracked table that call a function';
COMMENT ON FUNCTION kepler_internal.tell_feed() IS 'Trigger: what a statement has changed goes into the feed';
COMMENT ON FUNCTION kepler.row_history(regclass, text, integer, text) IS
'Returns the versions of a row that were kept since the table was tracked at level history, the newest first, one row for each change: what it changed, what the row was after it, and by whom it was made.
relation: the table; the caller needs SELECT on it. id: the primary key without workspace_id, as text; of several columns a JSON array of texts. max_rows: at most 10,000. workspace_id: NULL for rows without a workspace, for the owner of Kepler''s tables.
changes: an object of the columns that changed, each with old and new; without a value that is not kept (sensitive fields) or not known. row_data: the row after the change, under the names that its columns have now; NULL after DELETE, and where it is not known (before a TRUNCATE or a redaction, and before the table was tracked last). actor, request_id: what the settings kepler.actor and kepler.request_id said; role_name: the role of the session.
Errors: 55000 before install(), and if no history is kept of the table; 22004 and 22023 for arguments; 42501 for a table that the caller may not read, or sees by policies that are not by workspace, and for another workspace; 0A000 beside distributed tables of a cluster.';
COMMENT ON FUNCTION kepler.row_as_of(regclass, text, timestamptz, text) IS
'Returns a row as it was at a time, as a JSON object; NULL if it was not there. A change counts from when its statement ran.
relation, id, workspace_id: as for row_history. as_of: a time since which the table is tracked at level history.
Sensitive fields are left out. jsonb_populate_record makes a row of it.
Errors: 55000 before install(), if no history is kept of the table, and if it is not known what the row was (the table was not tracked, a TRUNCATE took it, or its history was redacted); 22004 and 22023 for arguments; 42501 and 0A000 as for row_history.';
COMMENT ON FUNCTION kepler.seal_history() IS
'Seals what the history has of transactions that have ended, in a chain of hashes, and returns the anchor of the last seal: NULL if there is nothing to seal. Keep the anchor where nobody who can change the database can change it. On the coordinator of a cluster each node''s chain is sealed, and the anchor has one for each.
No writer waits for it. For the owner of Kepler''s tables. maintain does it too, and commits between the seals.
Errors: 55000 before install(); 42501 for other callers.';
COMMENT ON FUNCTION kepler.verify_history(text, text) IS
'Compares the history with its seals, and with an anchor that was kept outside: whether anything was changed, added or removed since. One row.
anchor: one that seal_history returned; NULL compares the chain with itself alone. after: an older anchor up to which the chain was verified before; NULL begins at the beginning.
problem: the first break; broken_at: when that was written. seals, sealed_rows: how many were compared; redacted_rows: how many of them were redacted (history_redactions says why). Rows behind the last seal are not compared.
For the owner of Kepler''s tables. Reads the whole of what it compares. On the coordinator of a cluster it compares what each node keeps.
Outcomes: intact (nothing was changed), broken (the history or a seal was changed; problem says where).
Errors: 55000 before install(); 22023 for what is no anchor; 42501 for other callers.';
COMMENT ON FUNCTION kepler_internal.tell_history() IS 'Trigger: what a statement has overwritten goes into the history';
COMMENT ON FUNCTION kepler_internal.refuse_history_change() IS 'Trigger: rows of the history are not changed';
COMMENT ON FUNCTION kepler_internal.make_history_triggers(regclass, integer, text, boolean) IS 'Internal: makes the triggers of a table whose history is kept';
COMMENT ON FUNCTION kepler_internal.protect_history(regclass) IS 'Internal: has a table refuse changes of its rows';
COMMENT ON FUNCTION kepler_internal.make_history_partitions_step() IS 'Internal: the step make_history_partitions of maintain';
COMMENT ON FUNCTION kepler_internal.content_hash(text[]) IS 'Internal: SHA-256 of texts, each with its length';
COMMENT ON FUNCTION kepler_internal.microseconds(timestamptz) IS 'Internal: a time as it is hashed';
COMMENT ON FUNCTION kepler_internal.sealable(integer, xid8, bigint, integer, xid8, bigint, bigint) IS 'Internal: what is to be sealed between two positions, and its hashes';
COMMENT ON FUNCTION kepler_internal.seal_hash(bytea, bigint, bytea, integer) IS 'Internal: the hash of a seal';
COMMENT ON FUNCTION kepler_internal.seal_changes(integer, integer) IS 'Internal: adds a seal, if there is anything to seal; gives whether there may be more';
COMMENT ON FUNCTION kepler_internal.seal_history_step() IS 'Internal: the same as the owner of the history';
COMMENT ON FUNCTION kepler_internal.last_anchor() IS 'Internal: the number and the hash of the last seal';
COMMENT ON FUNCTION kepler_internal.history_anchor() IS 'Internal: the same as the owner of the history';
COMMENT ON FUNCTION kepler_internal.check_history(text, text) IS 'Internal: recomputes the chain of seals';
COMMENT ON FUNCTION kepler_internal.verify_history_chain(text, text) IS 'Internal: the same as the owner of the history';
COMMENT ON FUNCTION kepler_internal.redacted_positions(bigint) IS 'Internal: a hash of the numbers of the rows that a redaction emptied';
COMMENT ON FUNCTION kepler_internal.redact_changes(text, text, text[], text, text, integer, integer) IS 'Internal: takes values and keys out of rows of the history, and leaves their hashes';
COMMENT ON FUNCTION kepler_internal.redact_history(text, text, text, text[], text, integer) IS 'Internal: the same as the owner of the history: of rows of a table, of an actor, or all of a workspace; gives how many rows it were, max_rows at most';
COMMENT ON FUNCTION kepler_internal.require_active_nodes() IS 'Internal: fails while a node of a cluster is not active';
COMMENT ON FUNCTION kepler_internal.history_elsewhere(regclass, text, timestamptz, bigint, text) IS 'Internal: what nodes of a cluster have of the history of a row, but for the one where the row lies';
COMMENT ON FUNCTION kepler_internal.history_of_part(regclass, text, timestamptz, bigint, text, text) IS 'Internal: what a node of a cluster has of the history of a row';
COMMENT ON FUNCTION kepler_internal.row_history_with(regclass, text, integer, text[], integer[], text) IS 'Internal: row_history on the node of a row, with what other nodes have told';
COMMENT ON FUNCTION kepler_internal.row_as_of_with(regclass, text, timestamptz, text[], integer[], text) IS 'Internal: row_as_of on the node of a row, with what other nodes have told';
COMMENT ON FUNCTION kepler_internal.seal_history_of_nodes(text) IS 'Internal: seals what other nodes of a cluster keep, and gives the anchor of all';
COMMENT ON FUNCTION kepler_internal.verify_history_of_nodes(text, text) IS 'Internal: compares what each node of a cluster keeps with its seals';
COMMENT ON FUNCTION kepler_internal.row_image(record) IS 'Internal: a row of a table as the history keeps it';
COMMENT ON FUNCTION kepler_internal.read_sql(text, text, text[], text[]) IS 'Internal: what an expression in a document becomes, for tests';

COMMENT ON FUNCTION kepler.create_workspace(text, text) IS
'Makes a workspace, and returns its id.
workspace_id: at most 128 bytes; a new one by default. name: for people; the id by default.
For the owner of Kepler''s tables, and for roles with the level admin in all workspaces.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42710 if it exists; 42501 for other callers.';
COMMENT ON FUNCTION kepler.workspace_report(text) IS
'What a workspace holds: a row for each table that may hold rows of it, also where there are none. It is the dry run of delete_workspace, which deletes all of them but the history, and of export_workspace.
relation: the table, those that others refer to first. kind: table, entry table, embedding table or blueprint table. rows: those of the workspace, counted. is_exported: whether an archive holds them.
For administrators of the workspace.
Errors: 55000 before install(); 40001 where a table was rewritten or emptied after the statement began; 22004 and 22023 for arguments; 23503 for an unknown workspace; 42501 for another workspace, and below the level admin.';
COMMENT ON FUNCTION kepler.export_workspace(text) IS
'Gives a workspace as an archive, a row for each line of newline-delimited JSON: a head (versions, the workspace, and for each table its columns and number of rows), a line for each embedding space, blueprint and entry table with the versions of its structure, a line for each row, and an end with the number of lines and a checksum. import_workspace reads it.
All of it is as of the statement that calls. The lines do not depend on the settings of the session, and but for the first and the last they are equal each time while nothing changes.
The feed, positions in it, which tables are tracked, the history and the rights of roles are left out, since they are of this database. The secrets of connections are references, and are exported as such.
The lines wait in memory as far as work_mem reaches, and then in a temporary file.
For administrators of the workspace.
Errors: 55000 before install(), and for a workspace that is being deleted; 40001 where a table was rewritten or emptied after the statement began; 22004 and 22023 for arguments; 23503 for an unknown workspace; 42501 for another workspace, and below the level admin.';
COMMENT ON FUNCTION kepler.import_workspace(regclass, text) IS
'Writes an archive of export_workspace into this database, with all ids, in the transaction of the caller: all of it, or nothing. Returns a row for each table that had rows in the archive.
archive: a table (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text), into whose column line the file was copied, a row for each line. It is read twice: nothing is written unless all of it is there and unchanged.
workspace_id: the workspace to make; that of the archive by default. One that exists must hold nothing.
relation, rows: what was written. Embedding spaces and blueprints of the archive are made where there is none of the name, blueprints without their seed; those that exist stay as they are. Entry tables are made anew with all versions of their structures and their hidden and dropped parts.
The queue and leases are as they were, and the triggers that keep them in order do not add to them. The inserted rows are told to the feed. Secrets in them are stored as they were, whatever kepler.on_secret says.
In tables that workspaces share, numbers of sequences may be 2^40 ahead of those that were given, and take half of what is left.
For the owner of Kepler''s tables.
Errors: 55000 before install(), if the workspace already holds data or is being deleted, and for a table or column that this database does not have; 22004 and 22023 for arguments; 42703 if archive is no such table; 22000 for an archive that is cut or was altered, and for lines that cannot be written or hold what is not known, each with its number, a JSON Pointer and the reason; 42710 if the name of an embedding space or blueprint is taken by another one; 42501 for other callers.';
COMMENT ON PROCEDURE kepler.delete_workspace(text, boolean, integer) IS
'Deletes a workspace for good, with its entry tables, blueprints and all rows that workspace_report counts, in steps that commit. The history keeps its hashes, and loses what it says of the workspace. From the first step on, functions refuse to work in it. Interrupted, it goes on when it is called again.
with_rows: false refuses a workspace that holds rows. max_rows: how many rows a step deletes at most, from 1 to 100000.
The workspace default cannot be deleted, since sessions work in it that set none.
Cannot run inside of a transaction. For the owner of Kepler''s tables.
Errors: 55000 before install(), for a workspace that holds rows, and for default; 22004 and 22023 for arguments; 23503 for an unknown workspace; 23503 or 23001 if a table that is not Kepler''s refers to its rows; 2BP01 if a view or the like uses one of its entry tables; 42501 for other callers; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler.export_user(text, text) IS
'Gives what is stored about a person in kepler.users, as lines of an archive: the user, what refers to the user by a foreign key (connections, workflows, executions, memories, conversations, messages, tables of blueprints), and what belongs to that (credentials, steps, embeddings). Messages of other users in the person''s conversations are left out.
For callers who may not read kepler.credentials it is left out, which the first line says as left_out.
user_id: the person.
All of it is as of the statement that calls, and does not depend on the settings of the session.
Errors: 55000 before install(); 40001 where a table was rewritten or emptied after the statement began; 22004 and 22023 for arguments; 23503 for an unknown user; 42501 for another workspace, and without the right to read one of the tables.';
COMMENT ON FUNCTION kepler_internal.redact_user(text, text, bigint) IS 'Internal: takes out of the history what rows about a person were, and gives how many rows it were';
COMMENT ON FUNCTION kepler.erase_user(text, text) IS
'Erases a person in kepler.users, in the transaction of the caller. Returns a row for each table and outcome.
user_id: the person.
Deleted are the user, memories and conversations of the user with their embeddings and messages, and credentials of the user''s connections. Anonymised are messages in conversations of others, which keep their place and lose their content; connections, which become INACTIVE without their secret_ref; workflows; executions, which lose their metadata; and questions of executions, which lose what the user answered. Rows of blueprints go or lose the reference as on_delete says.
What free text and documents say about a person is not looked for: records, entries, and what runs were given and gave back. The feed holds no values. Called with the rights of the owner of Kepler''s tables, it redacts the history of these rows and of rows that named the person before, also where the person is not found; called by others it leaves the history as it is. Actors in the history stay.
relation, outcome, rows: what was done to how many rows.
Outcomes: deleted, anonymised, not_found (also where the person was erased before).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 or 23001 if a table refers to the user with on_delete restrict; 42501 for another workspace, and without the right to change one of the tables.';
COMMENT ON FUNCTION kepler_internal.workspace_relations(text) IS 'Internal: the tables with rows of a workspace, those that others refer to first';
COMMENT ON FUNCTION kepler_internal.left_out_of_archives() IS 'Internal: the tables that an archive leaves out, with the reason of each';
COMMENT ON FUNCTION kepler_internal.require_unrewritten(regclass) IS 'Internal: fails where a table was rewritten after the snapshot of the statement';
COMMENT ON FUNCTION kepler_internal.require_administrator(text) IS 'Internal: fails unless the caller may read all of a workspace';
COMMENT ON FUNCTION kepler_internal.archived_value(text, oid) IS 'Internal: how a column stands in an archive, as an expression';
COMMENT ON FUNCTION kepler_internal.archived_columns(regclass, text) IS 'Internal: the columns of a table that an archive holds';
COMMENT ON FUNCTION kepler_internal.archive_query(text, regclass, text, text) IS 'Internal: a query for rows of a table as lines of an archive';
COMMENT ON FUNCTION kepler_internal.archived_entry_table(text, text, regclass) IS 'Internal: what an archive says of an entry table';
COMMENT ON FUNCTION kepler_internal.line_checksum(text) IS 'Internal: the checksum of a line of an archive';
COMMENT ON FUNCTION kepler_internal.begin_import(text, text[], bigint[], text) IS 'Internal: makes what the rows of an archive go into';
COMMENT ON FUNCTION kepler_internal.import_space(jsonb) IS 'Internal: makes an embedding space of an archive';
COMMENT ON FUNCTION kepler_internal.import_blueprint(jsonb, text) IS 'Internal: makes a blueprint of an archive, and gives its tables';
COMMENT ON FUNCTION kepler_internal.import_entry_table(jsonb, jsonb, text) IS 'Internal: makes one entry table as an archive describes it';
COMMENT ON FUNCTION kepler_internal.import_structures(jsonb, text) IS 'Internal: writes what an archive says of an entry table';
COMMENT ON FUNCTION kepler_internal.refuse_members(text[], bigint[], text[]) IS 'Internal: fails where a row of an archive has a member that is no column, or one twice';
COMMENT ON FUNCTION kepler_internal.refuse_numbers(text[], bigint[], text, bigint, bigint) IS 'Internal: fails where a row of an archive has a number that would use up a sequence';
COMMENT ON FUNCTION kepler_internal.numbered_columns(regclass) IS 'Internal: the columns of a table that a sequence numbers, and how far an import may take it';
COMMENT ON FUNCTION kepler_internal.try_definition(text, jsonb, jsonb, text) IS 'Internal: writes a definition of an archive; errors tell the line';
COMMENT ON FUNCTION kepler_internal.require_empty_workspace(text) IS 'Internal: fails if a workspace holds anything that an import could meet';
COMMENT ON FUNCTION kepler_internal.held_by_workspace(text) IS 'Internal: which tables of a workspace hold rows';
COMMENT ON FUNCTION kepler_internal.import_entry_tables(jsonb[], text) IS 'Internal: makes entry tables as an archive describes them';
COMMENT ON FUNCTION kepler_internal.current_structure(jsonb) IS 'Internal: the structure in force, of what an archive says of an entry table';
COMMENT ON FUNCTION kepler_internal.without_references(jsonb, text[]) IS 'Internal: a structure without references to other tables than some';
COMMENT ON FUNCTION kepler_internal.with_keys_of_references(jsonb, jsonb[]) IS 'Internal: a structure with plain columns in place of references';
COMMENT ON FUNCTION kepler_internal.checked_type(text) IS 'Internal: a type as Postgres prints it, if it exists';
COMMENT ON FUNCTION kepler_internal.import_statement(regclass, text, text[]) IS 'Internal: the statement that inserts rows of an archive';
COMMENT ON FUNCTION kepler_internal.import_lines(text, text[], bigint[], boolean) IS 'Internal: writes lines of an archive';
COMMENT ON FUNCTION kepler_internal.archived_row(text) IS 'Internal: the row of a line of an archive';
COMMENT ON FUNCTION kepler_internal.refuse_lines(text, regclass, text, text[], bigint[], text) IS 'Internal: tells which lines of an archive cannot be written';
COMMENT ON FUNCTION kepler_internal.finish_import(text, text, text[]) IS 'Internal: puts foreign keys back, and moves sequences behind imported numbers';
COMMENT ON FUNCTION kepler_internal.begin_workspace_deletion(text, boolean, integer) IS 'Internal: the first step of delete_workspace';
COMMENT ON FUNCTION kepler_internal.delete_workspace_step(text, integer, text) IS 'Internal: a step of delete_workspace; gives where to go on';
COMMENT ON FUNCTION kepler_internal.mark_workspace_deleted(text, boolean) IS 'Internal: marks a workspace, so that nothing works in it any more';
COMMENT ON FUNCTION kepler_internal.delete_entry_table(text, text, text) IS 'Internal: drops an entry table of a workspace that is being deleted';
COMMENT ON FUNCTION kepler_internal.delete_rows(regclass, text, text, integer, text[]) IS 'Internal: deletes some rows of a workspace from a table';
COMMENT ON FUNCTION kepler_internal.delete_workspace_part(text, integer, jsonb) IS 'Internal: what a step of delete_workspace does, as the owner';
COMMENT ON FUNCTION kepler_internal.delete_circles(text) IS 'Internal: deletes rows of a workspace that refer to each other';
COMMENT ON FUNCTION kepler_internal.user_relations(text) IS 'Internal: the rows about a person, as conditions by table';

COMMENT ON FUNCTION kepler.set_retention(regclass, interval, text, jsonb, text) IS
'Says how long rows of a table are kept, or changes it. Rows that are older are deleted by run_retention (or maintain), and not before. One policy for a table, a filter and a workspace: policies with other filters stand beside each other.
relation: a table of the caller, an entry table, a table of a blueprint, or one of Kepler''s own that grow: records, rejects, executions, enrichment_attempts, conversations, messages, memories, sync_runs, feed. Not the history, which is kept for ever.
keep: how old a row must be, counted from the start of the transaction that deletes it, in UTC. Not shorter than a floor that a structure or a blueprint declares; whatever is declared later holds too.
time_column: a timestamptz, a timestamp (read as UTC) or a date (as old as the end of the day); initially the one of the declared floor, else created_at; of records deleted_at, so that only deleted records go; of executions and sync_runs ended_at. A row without a time is kept, and one of -infinity.
filter: only rows that meet it, in the common grammar over the columns: {"temporary": true}.
workspace_id: whose rows, where the table has a workspace_id or is one of a workspace; NULL for all rows, which is the owner''s to say. The feed takes NULL alone.
Kept in any case: records that a worker holds or that are PENDING, runs under way, rows that others refer to (without ON DELETE CASCADE or SET …), rows with which younger ones of a table with a floor would go, and changes that a consumer has not read. A notice says if no index leads to the oldest rows.
For administrators, and for the owner of a table that is not Kepler''s.
Outcomes: inserted, updated, unchanged.
Errors: 55000 before install(), and where what would go along cannot be told; 22004 and 22023 for arguments, also for a keep below a floor; 42809 for what has no rows that grow old; 42703 and 42804 for the column; 42501 for other callers; 23503 for an unknown workspace; 54000 beyond 100 policies for a table and a workspace, and beyond 1000 for the tables of a role that does not own Kepler''s tables.';
COMMENT ON FUNCTION kepler.drop_retention(bigint) IS
'Ends a retention policy: nothing is deleted by it any more. Returns false if there is none with this number that the caller may see.
policy_id: its number, as set_retention and retention_report give it. For whoever may set it.
Errors: 55000 before install(); 22004 for arguments; 42501 for other callers.';
COMMENT ON FUNCTION kepler.retention_report() IS
'Tells of each policy what it would delete now, and how its last passes went. The owner of Kepler''s tables sees all; others those of their workspace and of their tables. Reads up to 10,000 rows of a policy, along an index.
floor: the longest that structure or blueprint declare. older_than: what is older goes. row_count: how many rows that are; is_estimate: as Postgres estimates them, where no index leads to them or there are more. partition_count: partitions that go as a whole. oldest_at: time of the oldest row that is left and meets the filter; due_at: when it comes of age.
kept_rows: old rows that the last pass kept since others refer to them. deleted_rows, dropped_partitions: so far. problem: why it cannot run, or how its last batch failed. missing_index: the index that would lead to the oldest rows.
Errors: 55000 before install().';
COMMENT ON PROCEDURE kepler.run_retention(interval) IS
'Deletes rows that are older than their policies keep them: a batch of each policy in turn, each in a transaction of its own that takes a fifth of a second or so, until nothing is left or the time is over. The next call goes on where this one was stopped, also by a crash. Runs the policies that the caller may run, as the owner of each table; a policy that fails stops no other, and a warning says why. Two runs at a time share the policies.
budget: how long it may take; the batch that is under way is finished.
Cannot run inside of a transaction.
Errors: 55000 before install(); 22004 and 22023 for arguments; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.apply_retention(bigint, integer) IS 'Internal: one batch of a policy; gives how many rows went, or were looked at where none went, and 0 when nothing is left';
COMMENT ON FUNCTION kepler_internal.retention_begun(bigint) IS 'Internal: notes that a run takes a policy up';
COMMENT ON FUNCTION kepler_internal.retention_candidates(bigint, timestamptz) IS 'Internal: the policies that the caller may run';
COMMENT ON FUNCTION kepler_internal.retention_failed(bigint, text, text) IS 'Internal: notes that a batch of a policy failed';
COMMENT ON FUNCTION kepler_internal.retention_floors(oid) IS 'Internal: the floors that structures and blueprints declare for a table';
COMMENT ON FUNCTION kepler_internal.is_undercut(interval, interval) IS 'Internal: whether a time to keep is shorter than a floor, on any day';
COMMENT ON FUNCTION kepler_internal.references_to(oid) IS 'Internal: the foreign keys that refer to a table';
COMMENT ON FUNCTION kepler_internal.reference_condition(oid, text, text) IS 'Internal: a foreign key as a condition over two rows';
COMMENT ON FUNCTION kepler_internal.deleted_along(oid, integer) IS 'Internal: the tables with floors whose rows would be deleted along with rows of a table';
COMMENT ON FUNCTION kepler_internal.kept_by_references(oid, oid) IS 'Internal: the references that keep a row, of tables that a role can read by an index';
COMMENT ON FUNCTION kepler_internal.begin_retention(interval) IS 'Internal: begins run_retention';
COMMENT ON FUNCTION kepler_internal.open_retention(timestamptz) IS 'Internal: the next policies of run_retention';
COMMENT ON FUNCTION kepler_internal.next_retention(jsonb, boolean) IS 'Internal: the next batch of run_retention';
COMMENT ON FUNCTION kepler_internal.retention_step(jsonb) IS 'Internal: one batch of run_retention';
COMMENT ON FUNCTION kepler_internal.retention_step_failed(jsonb, text, text) IS 'Internal: a batch of run_retention that failed';

COMMENT ON PROCEDURE kepler.maintain(interval) IS
'Does all that must happen now and then: makes partitions ahead, takes back what expired leases hold, ends overdue executions and silent sync runs, queues and drops backlogs, seals the history, deletes expired memories and what retention policies let go, drops old partitions of the feed, goes on with interrupted deletions of workspaces, and notes which indexes are advised. Call it once a minute, from any scheduler.
budget: about how long it may work, up to a day. What there was no time for comes first the next time. Where statement_timeout is set, it ends before three quarters of that.
Each step is a transaction of its own. One that fails stops no other: a warning says so, kepler.maintenance keeps it, and it is tried again after a pause that grows from a minute to an hour. One session runs it at a time: others, and standbys, return at once with a notice.
Cannot run inside of a transaction. For the owner of Kepler''s tables.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for other callers; 25006 in a read-only transaction; 2D000 inside of a transaction.';
COMMENT ON FUNCTION kepler_internal.maintain_step(interval, boolean) IS 'Internal: the next part of maintain, a transaction; gives whether there is another';
COMMENT ON FUNCTION kepler_internal.maintenance_steps() IS 'Internal: the steps of maintain, in their order';
COMMENT ON FUNCTION kepler_internal.maintenance_due(text) IS 'Internal: what a step of maintain finds to do';
COMMENT ON FUNCTION kepler_internal.find_maintenance() IS 'Internal: what all steps of maintain find to do, what has waited longest first';
COMMENT ON FUNCTION kepler_internal.begin_maintenance(text, text, text) IS 'Internal: notes that a step begins with an object';
COMMENT ON FUNCTION kepler_internal.end_maintenance(text, text, text, text, bigint, double precision, text, text) IS 'Internal: notes how a step ended with an object; gives how often in a row it came to nothing';
COMMENT ON FUNCTION kepler_internal.end_maintenance_run(timestamptz, text[], text[], boolean[], bigint[], double precision[], double precision[], text[], text[]) IS 'Internal: notes how a run of maintain ended for each step';
COMMENT ON FUNCTION kepler_internal.maintenance_pause(integer) IS 'Internal: how long what came to nothing so often is left alone';
COMMENT ON FUNCTION kepler_internal.maintain_part(text, text, text, integer, text) IS 'Internal: a bounded part of a step of maintain';
COMMENT ON FUNCTION kepler_internal.try_maintenance(text, text, text, integer, text) IS 'Internal: the same, with what went wrong as an answer';
COMMENT ON FUNCTION kepler_internal.lacks_partitions(text, text, integer) IS 'Internal: whether a partition of the feed or of the history is missing';
COMMENT ON FUNCTION kepler_internal.feed_kept_for() IS 'Internal: how long maintain keeps the feed; NULL where a retention policy says it';
COMMENT ON FUNCTION kepler_internal.has_old_changes(interval) IS 'Internal: whether the feed holds changes that are older';
COMMENT ON FUNCTION kepler_internal.has_unsealed_changes() IS 'Internal: whether there is something to seal';
COMMENT ON FUNCTION kepler_internal.leased_types() IS 'Internal: types with leases, and the first deadline of each';
COMMENT ON FUNCTION kepler_internal.queued_types() IS 'Internal: types with something in the queue';
COMMENT ON FUNCTION kepler_internal.workspaces_with_sync_notes() IS 'Internal: workspaces in which ended sync runs have left notes';
COMMENT ON FUNCTION kepler_internal.advise_indexes() IS 'Internal: notes what index_advice proposes';
COMMENT ON FUNCTION kepler_internal.reap_leases(text, text, integer) IS 'Internal: takes back what expired leases of a type hold';
COMMENT ON FUNCTION kepler_internal.tidy_syncs(text, integer) IS 'Internal: ends silent sync runs of a workspace, and deletes what ended ones have noted';

COMMENT ON FUNCTION kepler.plan_distribution() IS
'Tells what distribute would do on a Citus cluster, and what keeps it from that. Changes nothing.
what: check (something that must be mended first), table or key. action: refuse, distribute (by workspace), replicate (every node has all rows), keep, or replace (a foreign key by a trigger). reason: why.
For the owner of Kepler''s tables.
Errors: 55000 before install(); 42501 for other callers.';
COMMENT ON FUNCTION kepler.distribute(integer) IS
'Distributes Kepler''s tables over the nodes of a Citus cluster, by workspace, in one transaction. Call it on the coordinator; from then on calls for a workspace go to the node where it lies. Called again, it does what is left to do: nothing, or new tables.
shard_count: into how many parts; NULL: what citus.shard_count says. It is that of the first call.
Outcomes: distributed, unchanged.
For a superuser who owns Kepler''s tables: settings of the database are changed on every node.
Errors: 55000 before install(), without Citus, on another node than the coordinator, and where a node lacks Kepler or has another version; 0A000 where Citus is too old, or a table of somebody else refers to Kepler''s; 22023 for arguments; 42501 for other callers.';
COMMENT ON FUNCTION kepler.undistribute() IS
'Brings all rows back to the coordinator, into the tables that they were distributed from, in one transaction. Nobody can work with them meanwhile. What the other nodes kept for themselves, the feed and the history of their workspaces, stays there.
Outcomes: undistributed (nothing where nothing is distributed).
For a superuser who owns Kepler''s tables.
Errors: 55000 before install(); 42501 for other callers.';
COMMENT ON FUNCTION kepler_internal.ship(anyelement, "any") IS 'Internal: sends a call to the node of its workspace; the planner puts it in the place of the call';
COMMENT ON FUNCTION kepler_internal.cluster_tables() IS 'Internal: how each table is to lie in a cluster';
COMMENT ON FUNCTION kepler_internal.lies_now(regclass) IS 'Internal: how a table lies, as Citus knows it';
COMMENT ON FUNCTION kepler_internal.distribution_problems() IS 'Internal: what keeps the tables from being distributed';
COMMENT ON FUNCTION kepler_internal.begin_history_anew(regclass[]) IS 'Internal: has the history of tables begin now';
COMMENT ON FUNCTION kepler_internal.begin_feed_anew() IS 'Internal: has all consumers of the feed begin anew';
COMMENT ON FUNCTION kepler_internal.install_on_node() IS 'Internal: installs Kepler on a worker of a cluster';
COMMENT ON FUNCTION kepler_internal.is_step_of_each_node(text) IS 'Internal: whether each node of a cluster does a step of maintain for itself';
COMMENT ON FUNCTION kepler_internal.maintain_node(text, text, integer) IS 'Internal: a bounded part of a step of maintain on another node of a cluster';
COMMENT ON FUNCTION kepler_internal.maintenance_due_on_nodes(text) IS 'Internal: other nodes of a cluster on which a step of maintain finds something to do';
COMMENT ON FUNCTION kepler_internal.levels_here() IS 'Internal: the levels of access that roles of this node have';
COMMENT ON FUNCTION kepler_internal.set_levels(jsonb) IS 'Internal: has roles of this node have these levels and no others';
COMMENT ON FUNCTION kepler_internal.set_levels_of_nodes() IS 'Internal: has roles have on all nodes the levels that they have here';
COMMENT ON FUNCTION kepler_internal.make_node(jsonb) IS 'Internal: gives a worker that joins a cluster tables of its own, and roles their levels there';
COMMENT ON FUNCTION kepler_internal.other_nodes() IS 'Internal: the workers of a cluster, each with the key of a part that lies there';
COMMENT ON FUNCTION kepler_internal.run_in_part(text, text) IS 'Internal: runs a command on the node of a part, in this transaction';
COMMENT ON FUNCTION kepler_internal.run_on_idle_node(text, integer, text) IS 'Internal: runs a command on a node of a cluster that has no parts';
COMMENT ON FUNCTION kepler_internal.run_on_node(text, integer, text, text) IS 'Internal: runs a command on another node of a cluster';
COMMENT ON FUNCTION kepler_internal.run_on_other_nodes(text) IS 'Internal: runs a command on all other nodes of a cluster';
COMMENT ON FUNCTION kepler_internal.set_up_new_nodes() IS 'Internal: sets up workers that joined a cluster after the tables were distributed';
COMMENT ON FUNCTION kepler_internal.prepare_node(text[]) IS 'Internal: gives a node the tables that it has for itself';
COMMENT ON FUNCTION kepler_internal.set_up_node() IS 'Internal: sets what sessions of a node need';
COMMENT ON FUNCTION kepler_internal.distribute_table(regclass) IS 'Internal: gives a new table its place in a cluster';
COMMENT ON FUNCTION kepler_internal.part_keys() IS 'Internal: an id for each part of a cluster, as a workspace there may have';
COMMENT ON FUNCTION kepler_internal.maintenance_due_of_part(text, text) IS 'Internal: what a step of maintain finds to do in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.maintenance_due_in_parts(text) IS 'Internal: the same in all parts';
COMMENT ON FUNCTION kepler_internal.maintain_step_of_part(text, text, text, integer, text) IS 'Internal: a bounded part of a step of maintain, on the node of its workspace';
COMMENT ON FUNCTION kepler_internal.is_distributed() IS 'Internal: whether Kepler''s tables are distributed';
COMMENT ON FUNCTION kepler_internal.emptied_references() IS 'Internal: foreign keys that empty a column';
COMMENT ON FUNCTION kepler_internal.require_node(boolean) IS 'Internal: fails where there is no cluster to set up';
COMMENT ON FUNCTION kepler_internal.guard_inbox(boolean) IS 'Internal: puts the check in its place that says on a cluster whose a row of the inbox is, or takes it away, with the rights that need it';
COMMENT ON FUNCTION kepler_internal.may_take_in(text) IS 'Internal: whether a row of the inbox of another workspace than the session''s may be stored';
COMMENT ON FUNCTION kepler_internal.set_lists(jsonb) IS 'Internal: has the lists of levels of a node of a cluster say what those of the coordinator do';
COMMENT ON FUNCTION kepler_internal.set_lists_of_nodes() IS 'Internal: the same on all other nodes';
COMMENT ON FUNCTION kepler_internal.watch_levels(boolean) IS 'Internal: has what is done by hand to the lists of levels reach the other nodes of a cluster, or no longer';
COMMENT ON FUNCTION kepler_internal.tell_nodes() IS 'Trigger: has the lists of levels of other nodes of a cluster say what those of this one do';
COMMENT ON FUNCTION kepler_internal.empty_references() IS 'Trigger: empties the columns that refer to a row that is deleted, where Citus has no foreign key for that';
COMMENT ON FUNCTION kepler_internal.enter_part(text, text[]) IS 'Internal: begins a call that was sent to the node of its workspace; gives the workspace';
COMMENT ON FUNCTION kepler_internal.look_into_part(text, text[]) IS 'Internal: begins a call that was sent to a part of a cluster, whatever workspaces lie there; gives the id that named the part';
COMMENT ON FUNCTION kepler_internal.look_into_node(text) IS 'Internal: begins to look into what a node of a cluster without parts has for itself of a workspace; gives the workspace';
COMMENT ON FUNCTION kepler_internal.relation_here(regclass) IS 'Internal: what has the rows of a table here: in a part of a cluster its shard';
COMMENT ON FUNCTION kepler_internal.each_node_has(name) IS 'Internal: whether each node of a cluster has a table of this name for itself';
COMMENT ON FUNCTION kepler_internal.node_keys() IS 'Internal: an id for each node of a cluster that has parts, as a workspace there may have';
COMMENT ON FUNCTION kepler_internal.held_in_tables(text, boolean) IS 'Internal: which tables hold rows of a workspace, in a part of a cluster or elsewhere';
COMMENT ON FUNCTION kepler_internal.held_by_workspace_of_part(text) IS 'Internal: which tables in the part of a workspace hold rows of it';
COMMENT ON FUNCTION kepler_internal.wait_for_workspace_of_part(text) IS 'Internal: waits for those who have inserted rows of a workspace';
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows(text, integer, jsonb, boolean) IS 'Internal: deletes rows of a workspace from its tables';
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows_in_parts(text, integer, jsonb) IS 'Internal: the same on all nodes of a cluster';
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows_of_part(text, integer, text, text) IS 'Internal: the same in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.redact_history_of_node(text, text, integer, text) IS 'Internal: redacts the history of a workspace on a node';
COMMENT ON FUNCTION kepler_internal.redact_history_in_parts(text, text, integer) IS 'Internal: redacts the history of a workspace on all nodes with parts';
COMMENT ON FUNCTION kepler_internal.redact_user_of_node(text, text, text) IS 'Internal: takes a person out of the history on a node';
COMMENT ON FUNCTION kepler_internal.redact_user_elsewhere(text, text) IS 'Internal: takes a person out of the history on all nodes of a cluster';
COMMENT ON FUNCTION kepler_internal.erase_user_of_part(text, text) IS 'Internal: erases a person in the part of the workspace; where there is no cluster, here';
COMMENT ON FUNCTION kepler_internal.status_of_work() IS 'Internal: what waits, for status()';
COMMENT ON FUNCTION kepler_internal.status_of_part(text[], text) IS 'Internal: what status() says of a part of a cluster';
COMMENT ON FUNCTION kepler_internal.status_in_parts() IS 'Internal: what status() says of all parts';
COMMENT ON FUNCTION kepler_internal.is_counted(regclass, name, text) IS 'Internal: whether metrics() count a table here';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_workspaces() IS 'Internal: what metrics() say of workspaces';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_spaces() IS 'Internal: what metrics() say of embedding spaces';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_spaces_here() IS 'Internal: what metrics() say of embedding spaces in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_tables(text) IS 'Internal: what metrics() say of tables';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_feed() IS 'Internal: samples of what waits for consumers of the feed';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_database() IS 'Internal: what metrics() say of the database as a whole';
COMMENT ON FUNCTION kepler_internal.metric_samples_of_part(boolean, text) IS 'Internal: what metrics() say of a part of a cluster';
COMMENT ON FUNCTION kepler_internal.metric_samples_in_parts() IS 'Internal: what metrics() say of all parts';
COMMENT ON FUNCTION kepler_internal.apply_retention_of_part(bigint, bigint, timestamptz, bigint, text) IS 'Internal: a batch of a policy of retention in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.look_at_retention_of_part(bigint, text) IS 'Internal: what a policy of retention would delete in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.complete_node(jsonb, jsonb, text) IS 'Internal: gives a node of a cluster the views that it lacks';
COMMENT ON FUNCTION kepler_internal.complete_nodes() IS 'Internal: the same for all nodes with parts';
COMMENT ON FUNCTION kepler_internal.find_secrets_of_part(regclass, boolean, text) IS 'Internal: find_secrets in a part of a cluster, or here';
COMMENT ON FUNCTION kepler_internal.import_lines_here(text, text[], bigint[], boolean) IS 'Internal: writes lines of an archive to tables that lie here';
COMMENT ON FUNCTION kepler_internal.import_lines_of_part(text, text[], bigint[], boolean) IS 'Internal: writes lines of an archive in the part of the workspace';
COMMENT ON FUNCTION kepler_internal.continue_numbers(text, boolean) IS 'Internal: has sequences go on behind imported numbers';
COMMENT ON FUNCTION kepler_internal.continue_numbers_of_part(text) IS 'Internal: the same in the part of the workspace';
COMMENT ON FUNCTION kepler_internal.search_vectors_of_part(regclass, text, vector, integer, jsonb, text, double precision, text[], text, text, text, jsonb, text) IS 'Internal: search_vectors in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.vectors_of_part(regclass, text, text) IS 'Internal: how many rows of a table with vectors lie in a part of a cluster, or here';
COMMENT ON FUNCTION kepler_internal.workspaces_that_search_of_part(text, boolean, text) IS 'Internal: which workspaces in a part of a cluster search an embedding space';
COMMENT ON FUNCTION kepler_internal.views_of_parts() IS 'Internal: views that ask the parts of a cluster';
COMMENT ON FUNCTION kepler_internal.view_rows_of_part(text, text) IS 'Internal: the rows of a view in a part of a cluster';
COMMENT ON FUNCTION kepler_internal.view_rows_in_parts(text) IS 'Internal: the rows of a view in all parts';
COMMENT ON FUNCTION kepler_internal.asks_parts(text) IS 'Internal: whether a view asks the parts';
COMMENT ON FUNCTION kepler_internal.turn_views(jsonb) IS 'Internal: has views ask the parts, or read as before';
COMMENT ON FUNCTION kepler_internal.former_views() IS 'Internal: what views read before they asked the parts';
COMMENT ON FUNCTION kepler_internal.require_cluster_owner() IS 'Internal: fails unless the caller has the rights of the owner of Kepler''s tables';
