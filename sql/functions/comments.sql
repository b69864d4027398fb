-- What \df+ and docs/reference.md say about each function. The forms that take text are described
-- in full, the others refer to them.

COMMENT ON FUNCTION kepler.install() IS
'Creates Kepler''s tables in the schema kepler, or brings them to the version of the library, in one transaction. Can be repeated.
Returns one row for each step of the schema; result is applied (by this call) or present (before it).
Errors: 55P03 while another session runs it; 55000 if the tables are newer than the library; 0A000 if the database is not in UTF8 or pgvector is older than 0.8.4.';

COMMENT ON FUNCTION kepler.status() IS
'What is installed, how much it holds and what waits: a JSON object with the versions of library, extension, schema, Postgres and pgvector, and the session''s workspace.
tables: for each of Kepler''s tables rows (of all workspaces), bytes, and whether the number of rows is estimated (above 64 MB once analysed, and where the caller may not read the table). made: entry tables and embeddings, taken together.
enrichment: oldest_ready_at, how many leases there are and how many have expired. executions: how many are running, and how many of them overdue.
For every level of access and for members of pg_monitor. Errors: 55000 before install().';
COMMENT ON FUNCTION kepler_internal.table_status(regclass) IS 'Internal: rows and bytes of a table';

COMMENT ON FUNCTION kepler.version() IS
'The version of the loaded library. status() also gives that of the extension''s SQL, which ALTER EXTENSION brings up to it.';

COMMENT ON FUNCTION kepler.current_workspace_id() IS
'The workspace that calls and inserts use unless they name one: the setting kepler.workspace_id, or default. It is not looked up. Only a superuser may change the setting directly.';

COMMENT ON FUNCTION kepler.cuid() IS
'A new identifier: 24 lower-case letters and digits, the first a letter (^[a-z][a-z0-9]{23}$).
Ids are in the order of their making, to the millisecond; within a session each is greater than the one before. An id holds its time (nine base-36 digits, which every reader can decode) and 72 bits of randomness.';

COMMENT ON FUNCTION kepler.jsonb_hash(jsonb) IS
'128 bits over what a document says. Key order, white space, escapes and the spelling of numbers (1, 1.0, 1e0) do not count; everything else does. The same on every machine and in every version. Not cryptographic. NULL gives NULL.';

COMMENT ON FUNCTION kepler.record_document(anyelement) IS
'The data of a record with its enrichment laid over it (top-level members), as jsonb.
record: a row of kepler.records, as in SELECT kepler.record_document(r) FROM kepler.records AS r; it may be any row with the columns data and enrichment.';

COMMENT ON FUNCTION kepler.upsert_records(text, text, text, text, text, text, text, jsonb, text) IS
'Inserts, updates, soft-deletes or leaves alone the records that a JSON array describes. Returns one row for each element, in the order of the array (ordinal begins at 1).
records: the text of a JSON array. Without key, each element is an envelope {external_id, data, source_updated_at, deleted}, of which external_id and data are required. With key, each element is a flat document and is itself the data; key names the top-level field that holds its external id, updated_at_key the one that holds the source''s time.
entity_type, source, connection_id: name the entity, which is made if it is not there.
merge: replace (new data takes the place of the stored), shallow (its top-level members do), or deep (objects are merged at every level).
options: {"invalid_characters": "strip"} leaves out what jsonb cannot hold (U+0000, lone surrogates) instead of rejecting the element.
outcome: inserted, updated, refreshed, restored, deleted, unchanged, stale, superseded, or rejected, the last with error_code and error. An invalid element, and one that the database refuses (a constraint, an index, a trigger or a policy of yours; error_code is the SQLSTATE, or not_written), is rejected by itself; the others land.
Errors, which undo the whole call: 55000 before install(); 22004 and 22023 for arguments; 22P02 if records cannot be divided into elements; 54000 if there are more than 4,000,000; 23503 for an unknown workspace or connection; 40001 if records kept vanishing while it ran (run it again); 42501 if row security hides the entity.';

COMMENT ON FUNCTION kepler.upsert_records_summary(text, text, text, text, text, text, text, jsonb, text) IS
'Does what upsert_records does, and returns counts instead of rows: a JSON object with total, a count for every outcome (0 included), and rejected_by_code, an object of counts by error_code.
Arguments and errors are those of upsert_records.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, text, text, boolean, text, text, text, jsonb, text) IS
'Upserts one record, given by its parts, and returns one row. It stands in a select list, for many rows of a table, or in FROM. (f(…)).* calls a function once for each of its columns: write FROM f(…) instead.
data: the text of a JSON object; may be NULL if deleted is true.
source_updated_at: when the source last changed it, a text, read as in a batch (without an offset it is UTC). An older time than the stored one changes nothing (stale); NULL switches this guard off.
deleted: true soft-deletes it; where there is no such record, a deleted one is inserted.
The other arguments are those of upsert_records. A record that is not valid is answered with rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace or connection; 40001 if the record kept vanishing (run it again); 42501 if row security hides the entity.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, json, text, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text, for values of type json. Prefer text: what json refuses cannot be answered with rejected.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, jsonb, text, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text, for values of type jsonb. Prefer text: what jsonb refuses cannot be answered with rejected.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, text, anyelement, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with a text for source_updated_at, for values of other types: timestamptz, timestamp or date (UTC, whatever the session''s zone is), or a number, a Unix time.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, json, anyelement, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text for data, for values of type json. source_updated_at may be of any type that says a time.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, jsonb, anyelement, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text for data, for values of type jsonb. source_updated_at may be of any type that says a time.';

COMMENT ON FUNCTION kepler.fold(text) IS
'The text without regard to case: Unicode''s full case folding, in canonical composition. Two texts differ only in case (or in how an accent is encoded) where it is equal.
It is the same in every database, locale and version of Postgres, so an index over it survives dump and restore. NULL gives NULL.';

COMMENT ON FUNCTION kepler.set_entity_options(text, jsonb, text, text, text) IS
'Finds or makes the entity, sets what upserts of its records do, and returns its id.
options: {"ignored_paths": ["/fetched_at", …]}, an array of JSON Pointers (RFC 6901) to places that do not count when an upsert compares a record. It replaces the earlier array; without it nothing is set.
Errors: 55000 before install(); 22004 and 22023 for arguments, unknown options and malformed pointers; 23503 for an unknown workspace or connection.';

COMMENT ON FUNCTION kepler.delete_records(text[], text) IS
'Soft-deletes records: sets deleted_at, keeps everything else.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is deleted, unchanged (it was deleted already, or the id came earlier in the array) or not_found.
What the database refuses (a constraint, an index, a trigger of yours) is rejected with error_code and error; the others are changed.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.restore_records(text[], text) IS
'Brings soft-deleted and archived records back: deleted_at becomes NULL, status ACTIVE.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is restored, unchanged (there was nothing to restore, or the id came earlier in the array) or not_found.
What the database refuses (a constraint, an index, a trigger of yours) is rejected with error_code and error; the others are changed.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.archive_records(text[], text) IS
'Sets the status of records to ARCHIVED. Upserts go on updating archived records and leave them archived.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is archived, unchanged (it was archived already, or the id came earlier in the array) or not_found.
What the database refuses (a constraint, an index, a trigger of yours) is rejected with error_code and error; the others are changed.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.create_entry_table(text, text, text) IS
'Makes a table from a structure, in one transaction: takes note of it in kepler.entry_tables, keeps the structure as version 1 in kepler.structures, and creates the table in the schema kepler_data. Returns the table.
name: what users call the table: at most 128 bytes, unique in the workspace. "Inventory Record" becomes kepler_data.inventory_record_1_entries; the number is unique in the database.
structure: the text of a structure document, {"fields": [{"name", "type", …}], "key", "unique", "indexes", "checks"}, or of a JSON Schema of an object.
The table belongs to the owner of kepler.entry_tables. Another caller may read and write it; its row security shows it in its own workspace only.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if structure is no JSON; 22023 with all problems of the structure, each with its JSON Pointer, in DETAIL; 23503 for an unknown workspace; 42P07 if the name is taken; 0A000 if Postgres could not keep such a table; 55P03 if the lock on a table that it refers to was not to be had.';

COMMENT ON FUNCTION kepler.create_entry_table(text, json, text) IS
'The same as create_entry_table with text, for values of type json.';

COMMENT ON FUNCTION kepler.create_entry_table(text, jsonb, text) IS
'The same as create_entry_table with text, for values of type jsonb.';

COMMENT ON FUNCTION kepler.plan_entry_table(text, text, text) IS
'What alter_entry_table would do to reach a structure, or create_entry_table if there is no such table, without doing it. Returns one row for each step, and none if the table is as described.
structure: as for create_entry_table; a field''s renamed_from tells what it is called now.
class: instant (only the catalog changes), scan (every row is read), rewrite and convert (every row is written anew: to be allowed), or refused, in which case hazards tells what to do instead. lock: the strongest lock on the table, held to the end of the transaction. est_rows: rows that are read or written. undo: what would take the step back, if anything does.
Errors: those of create_entry_table, save 42P07 and 55P03.';

COMMENT ON FUNCTION kepler.plan_entry_table(text, json, text) IS
'The same as plan_entry_table with text, for values of type json.';

COMMENT ON FUNCTION kepler.plan_entry_table(text, jsonb, text) IS
'The same as plan_entry_table with text, for values of type jsonb.';

COMMENT ON FUNCTION kepler.alter_entry_table(text, text, text[], jsonb, text) IS
'Changes an entry table to a structure, in one transaction, and returns the version that it has then: the present one if nothing is to be done. What users added to the table by hand stays. A field that the structure does not have any more is hidden, with its data: restore_field brings it back.
structure: as for plan_entry_table.
allow: an array of rewrite and convert, the classes of steps that need permission.
options: {"version": n} refuses unless n is the present version; {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often a lock is tried for.
Errors: those of plan_entry_table; 42P01 for an unknown table; 0A000 if a step is refused; 55000 if a step needs permission; 23514 if entries stand in the way, with their number and keys in DETAIL; 55P03 if the lock was not to be had; 40001 if the table changed meanwhile (plan again).';

COMMENT ON FUNCTION kepler.alter_entry_table(text, json, text[], jsonb, text) IS
'The same as alter_entry_table with text, for values of type json.';

COMMENT ON FUNCTION kepler.alter_entry_table(text, jsonb, text[], jsonb, text) IS
'The same as alter_entry_table with text, for values of type jsonb.';

COMMENT ON FUNCTION kepler.drop_entry_table(text, text) IS
'Takes an entry table out of use. Its entries and versions are kept until purge_entry_table, under another name of the table, which is returned; its name is free. Its references to other tables sleep until restore_entry_table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table; 2BP01 if other entry tables refer to it; 55P03 if the lock was not to be had.';

COMMENT ON FUNCTION kepler.restore_entry_table(text, text) IS
'Brings back the entry table of this name that was dropped last, with its entries and all its rules. Returns the table.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 if none was dropped; 22023 if a table that it refers to is not there; 42P07 if the name is taken; 23514 if its entries refer to others that are gone; 55P03 if the lock was not to be had.';

COMMENT ON FUNCTION kepler.purge_entry_table(text, text[], text) IS
'Deletes the entry table of this name that was dropped last, with all its entries and versions, for good.
allow: must hold purge.
Errors: 55000 before install(), if the table is in use, or if allow does not hold purge; 22004 and 22023 for arguments; 42P01 if there is none; 55P03 if the lock was not to be had.';

COMMENT ON FUNCTION kepler.restore_field(text, text, text) IS
'Brings back a field that a change hid, with its data and its rules, as far as the fields that they name are there. Returns the new version. Of several hidden fields of one name, the one hidden last.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table; 42703 if no such field is hidden; 42701 if a field in use has the name; 22023 if the table that it refers to is not there; 23514 if entries do not meet its rules any more; 55P03 if the lock was not to be had.';

COMMENT ON FUNCTION kepler.purge_field(text, text, text[], text) IS
'Deletes a hidden field with its data, for good. Of several of one name, the one hidden last.
allow: must hold purge.
Errors: 55000 before install(), or if allow does not hold purge; 22004 and 22023 for arguments; 42P01 for an unknown table; 42703 if no such field is hidden; 55P03 if the lock was not to be had.';

COMMENT ON FUNCTION kepler.structure_of(regclass) IS
'The structure document that would make a table like this one, entry table or not. What a structure cannot say is left out, with a warning for each.
Errors: 55000 before install(); 22004 for a NULL argument; 42809 if the relation is no table.';

COMMENT ON FUNCTION kepler.entry_json_schema(text, text) IS
'The JSON Schema (2020-12) of an entry of a table, for clients and language models. What JSON Schema cannot say stands under x-kepler; given to plan_entry_table, it is the same structure.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42P01 for an unknown table.';

COMMENT ON FUNCTION kepler.insert_entries(text, text, text, text) IS
'Inserts entries into an entry table. Returns one row for each, in the order of the array (ordinal begins at 1).
name: the record name of the table. entries: the text of a JSON array of objects, whose keys are fields of the table. A field that is left out gets its default; nothing is rounded, cut or guessed, and an unknown field is an error. Whole numbers and decimals may stand in strings; bytes are base64; a time without an offset is UTC. The key, created_at and updated_at may be given (a generated bigint key only with the privilege UPDATE on its sequence, which is then moved on).
on_error: reject (any violation fails the call, which names all of them) or skip (the valid entries are written).
outcome: inserted or rejected, the latter with error_code, error and violations: an array of objects with path (a JSON Pointer into entries), code and message.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if entries cannot be divided into elements; 54000 if there are more than 4,000,000; 42P01 for an unknown table; 23503 for an unknown workspace; with reject the SQLSTATE of the first violation.';

COMMENT ON FUNCTION kepler.upsert_entries(text, text[], text, text, text) IS
'Inserts, updates or leaves alone entries, and returns one row for each, as insert_entries does.
key: the fields that find a stored entry: a unique set of the table in any order, or the table''s key alone. Where a field is case_insensitive, case does not count. Every element must have them.
A field that an element leaves out stays as it is stored; null empties it. What does not differ is not written. Of several elements for one entry the last wins.
outcome: inserted, updated, unchanged, superseded or rejected.
Errors: those of insert_entries, and 42703 or 42P10 if key is no unique set; 40001 if entries kept vanishing while it ran (run it again).';

COMMENT ON FUNCTION kepler.update_entries(text, text, text, text) IS
'Changes stored entries, and returns one row for each element, as insert_entries does.
entries: each element has the table''s key, and the fields to change. What does not differ is not written.
outcome: updated, unchanged, not_found, superseded (a later element is for the same entry) or rejected.
Errors: those of upsert_entries.';

COMMENT ON FUNCTION kepler.delete_entries(text, text[], text) IS
'Deletes entries: their rows really go. Returns one row for each id, in their order; outcome is deleted, not_found, unchanged (the id came earlier in the array) or rejected (something still refers to the entry, or a trigger objects).
entry_ids: values of the table''s key, as text.
Errors: 55000 before install(); 22004 for a NULL argument; 42P01 for an unknown table; 23503 for an unknown workspace.';

COMMENT ON FUNCTION kepler.is_connected(text, text, text) IS
'Whether a user has an active connection to an external system.
user_id: a value of kepler.users.id.
provider: compared with kepler.connections.provider without regard to case.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.required_connections(text, text) IS
'The external systems that a workflow needs, and whether its user has them. One row for each system, and for each connection that the definition names by its id.
workflow_id: a value of kepler.workflows.id. A system is needed where the trigger or an action has a member app (or, without one, provider), and where required_providers names it; case does not count. Actions may be nested under a member actions. A member connection_id asks for that very connection.
connected: whether an active connection of the user serves the need; connection_id and status are those of the best one found. reason, where not: not_connected, inactive, unknown_connection, other_user, other_provider, or no_user (the workflow''s user was deleted). used_by: JSON Pointers to what needs it.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown workflow.';

COMMENT ON FUNCTION kepler.validate_workflow(text, jsonb, jsonb, text[], text) IS
'What is wrong with the definition of a workflow, all at once, before it is stored: one row for each problem, none if it is well.
user_id: the user whose connections it would use.
trigger, actions, required_providers: as in kepler.workflows.
path: a JSON Pointer into {trigger, actions, required_providers}. code: not_an_object, not_an_array, no_actions, too_deep, invalid_app, invalid_connection_id, or a reason of required_connections. problem: the same for people.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';

COMMENT ON FUNCTION kepler.start_execution(text, text, interval, jsonb, text) IS
'Starts a run of a workflow, or finds the one that the same key has started. Returns one row.
workflow_id: a value of kepler.workflows.id. Overdue runs of this workflow become ABANDONED first.
idempotency_key: the caller''s name for this run. There is one run for a key and workflow, whatever became of it; sessions that start it at once make one. NULL: each call is a run.
timeout: how long the run may be silent before it counts as abandoned; an hour by default, at most 366 days.
metadata: a JSON object to keep with the run.
outcome: started, with the token that heartbeat, steps and finish ask for; or existing, without it: the token is given out once, and only its hash is stored.
Errors: 55000 before install(), and for a workflow that is inactive or has no user; 22004 and 22023 for arguments; 23503 for an unknown workflow; 40001 if runs with the key kept vanishing (run it again).';

COMMENT ON FUNCTION kepler.extend_execution(text, text, interval, text) IS
'Says that a run is alive: its deadline becomes now plus the timeout. Returns the new deadline, or NULL if the run is lost: it has ended, was abandoned or deleted, or the token is not its own.
timeout: another one for this time; the run''s own by default.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler_internal.finish_execution(text, text, text, jsonb, text, text) IS 'Internal: kepler.finish_execution';
COMMENT ON FUNCTION kepler.finish_execution(text, text, text, jsonb, text, text) IS
'Ends a run, once. Returns what became of the report: finished; duplicate (the same report again); stale (the run has ended otherwise or was abandoned, or the token is not its own; the outcome stays); or not_found.
status: SUCCESS or FAILURE.
results: any JSON.
error: a message or a log. A text holds no NUL: write it as an escape.
A run beyond its deadline that nobody has abandoned yet can still finish. What comes after the abandonment is kept in late_finish, the first time.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.abandon_executions(integer, text) IS
'Makes runs that are beyond their deadline ABANDONED, and returns them, the longest overdue first.
max_rows: at most so many. Runs whose row another session holds are skipped, and so are, with a warning, those that the database refuses to write.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.add_execution_steps(text, text, text, text) IS
'Logs steps of a run. Returns one row for each element, in their order.
steps: the text of a JSON array of objects {name, number, status, input, output, error, started_at, ended_at}, of which name is required. Without a number a step follows the last; status is SUCCESS unless it is RUNNING, FAILURE or SKIPPED. The number of a step that is still RUNNING changes that step.
outcome: inserted, updated, unchanged, rejected (with error_code, which is an SQLSTATE where the database itself refuses the step, and error; the others land), stale (the run has ended, or the token is not its own) or not_found.
error may be any JSON: what is no string is stored as its JSON text, and characters that cannot be stored are stored as escapes, which the answer says in error.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if steps cannot be divided into elements.';

COMMENT ON FUNCTION kepler.execution_report(text, timestamptz, timestamptz, text) IS
'How workflows fare: a row for each, by name, those without a run included. It changes nothing.
workflow_id: one workflow; NULL for all.
since, until: runs that started at since or later, and before until.
runs is the sum of running, overdue (running beyond the deadline), succeeded, failed and abandoned. success_rate: succeeded of those that have ended, from 0 to 1, NULL where none has. p50_duration, p95_duration: of those that succeeded or failed.
Errors: 55000 before install(); 22004 for a NULL workspace; 23503 for an unknown workflow.';

COMMENT ON FUNCTION kepler.execution_transitions() IS
'The changes of kepler.executions.status that are legal, for functions and for direct SQL, and what makes them.';

COMMENT ON FUNCTION kepler_internal.require_arguments(text[], text[]) IS
'Private: fails with 22004 for the first argument that is NULL.';
COMMENT ON FUNCTION kepler_internal.require_user(text, text) IS
'Private: fails with 23503 if the user is not there.';
COMMENT ON FUNCTION kepler_internal.require_workflow(text, text) IS
'Private: the status of a workflow; fails with 23503 if it is not there.';
COMMENT ON FUNCTION kepler_internal.workflow_steps(jsonb, jsonb) IS
'Private: trigger and actions of a definition, with their paths.';
COMMENT ON FUNCTION kepler_internal.required_connections(text, jsonb, jsonb, text[], text) IS
'Private: what required_connections and validate_workflow share.';
COMMENT ON FUNCTION kepler_internal.guard_execution() IS
'Private: refuses direct SQL that would falsify an execution.';
COMMENT ON FUNCTION kepler_internal.guard_execution_step() IS
'Private: refuses direct SQL that would falsify a step.';
COMMENT ON FUNCTION kepler_internal.execution_token_hash(text) IS
'Private: what is stored of a token.';
COMMENT ON FUNCTION kepler_internal.check_timeout(interval) IS
'Private: fails with 22023 for a timeout that is none.';
COMMENT ON FUNCTION kepler_internal.abandon_overdue(text, integer, text) IS
'Private: what abandon_executions and start_execution share.';
COMMENT ON FUNCTION kepler_internal.execution_steps_given(text) IS
'Internal: what each element of add_execution_steps says, or what is wrong with it.';
COMMENT ON FUNCTION kepler_internal.is_about_session(text) IS
'Private: whether an SQLSTATE is about the session or the server, and not about what is written.';
COMMENT ON FUNCTION kepler_internal.execution_report(text, timestamptz, timestamptz, text) IS
'Private: execution_report, whose columns bear the names of its arguments.';
COMMENT ON FUNCTION kepler_internal.latest_schema_version() IS
'Private: the newest schema version that the library knows.';
COMMENT ON FUNCTION kepler_internal.require_tables() IS
'Private: fails with 55000 and a hint before install().';
COMMENT ON FUNCTION kepler_internal.touch_changed_record() IS
'Private: moves updated_at on a direct update of a record that changes anything.';
COMMENT ON FUNCTION kepler_internal.reset_enrichment() IS
'Private: sends a record whose content has changed back to enrichment.';
COMMENT ON FUNCTION kepler_internal.touch_updated_at() IS
'Private: moves updated_at on a direct update.';
COMMENT ON FUNCTION kepler_internal.refuse_workspace_change() IS
'Private: refuses to move a row to another workspace.';
COMMENT ON FUNCTION kepler_internal.refuse_secret() IS
'Private: refuses a secret_ref that is no reference, without showing it.';
COMMENT ON FUNCTION kepler_internal.create_entry_table(text, text, text) IS
'Private: what the forms of create_entry_table share.';
COMMENT ON FUNCTION kepler_internal.drop_entry_table(text, text) IS
'Private: drop_entry_table, with the table''s number for a result.';
COMMENT ON FUNCTION kepler_internal.restore_entry_table(text, text) IS
'Private: restore_entry_table, with the table''s number for a result.';
COMMENT ON FUNCTION kepler_internal.entry_json_schema(text, text) IS
'Private: json_schema as text.';
COMMENT ON FUNCTION kepler_internal.dependents(oid) IS
'Internal: what rests on a table or its columns.';
COMMENT ON FUNCTION kepler_internal.foreign_table(text, text[], oid) IS
'Private: finds a table that does not belong to the workspace, for callers without the rights of the owner.';
COMMENT ON FUNCTION kepler_internal.lock_relations(regclass[], text[], integer, integer) IS
'Private: locks relations, each in its mode, in short attempts with pauses between.';
COMMENT ON FUNCTION kepler_internal.rows_in_the_way(text, boolean) IS
'Private: counts the rows of a query, and gives the keys of some.';
COMMENT ON FUNCTION kepler_internal.table_facts(regclass) IS
'Private: what the catalog says of a table, as one object.';

COMMENT ON FUNCTION kepler.json_update(jsonb, jsonb) IS
'The document after update operations, all or none of them. NULL for a document that is NULL. The document as it is where nothing changes.
operations: {"$set": {"result.org1": {"ok": true}}, "$inc": {"count": 1}}, where dots divide the keys of a path; or, for keys that hold dots, begin with $ or are empty, [{"op": "$set", "path": ["org.1", "ok"], "value": true}]. No path may be the same as another or lead through it.
Operators, as in MongoDB: $set, $unset, $inc, $mul, $min, $max, $bit, $rename, $push (with $each, $position, $sort, $slice), $pop, $addToSet (with $each), $pull (a value, or a condition as json_matches has it), $pullAll, $setOnInsert, which does nothing here, and $currentDate, which needs the clock of update_document and upsert_document. Missing parents become objects; numbers are exact.
Errors: 22004 if operations is NULL; 22023 if it is not valid, with every problem. Where an operation does not fit the document: 2203C for a scalar in the way, 22033 for an element that an array cannot have, 22036, 22039 and 42804 for a value of the wrong kind, 22003 for a number out of range. 54000 for a document that would be too large.';

COMMENT ON FUNCTION kepler.update_document(regclass, jsonb, text, jsonb, jsonb) IS
'Applies operations (see json_update) to the document in one row, in one UPDATE from the version that it has locked: of concurrent calls none is lost. Returns one row, with the document as it is then.
relation, column_name: the table, and its column of type jsonb. key: a JSON object of columns and values; the columns must be a primary key or a unique constraint.
options: {"revision_column": "version"} adds 1 to that column with each change; "expected_revision": 3 beside it makes another revision an error.
Outcomes: updated; unchanged (the document is so already, and nothing was written); not_found (there is no such row; document is NULL).
Errors: those of json_update; 22004 if an argument, or the document, is NULL; 22023 for key and options; 42P10 if the key is not unique; 42703 for the columns; 40001 for another revision than expected, with the one found, and for a row that kept changing.';

COMMENT ON FUNCTION kepler.upsert_document(regclass, jsonb, text, jsonb, jsonb, jsonb) IS
'Does what update_document does, and makes the row where it is not there: from the key and from what the operations, $setOnInsert included, make of an empty object. A document that is NULL counts as empty.
new_row: a JSON object of columns and values that a new row gets beside its key and its document, read as the columns'' types read them; null is NULL. A row that is there keeps its own.
options: as for update_document. With revision_column a new row has revision 1; an expected_revision of 0 expects that there is no row.
The other arguments are those of update_document.
Outcomes: inserted, updated, unchanged.
Errors: those of update_document.';

COMMENT ON FUNCTION kepler.json_matches(jsonb, jsonb) IS
'Whether a document meets a filter. Never NULL: a document that is NULL meets none.
filter: {"topic": "x", "year": {"$gte": 2020}, "$or": [...]}, all of which must hold; dots divide the keys of a path. Or, for keys that hold dots or begin with $, [{"op": "$gte", "path": ["site.year"], "value": 2020}].
Operators, as in MongoDB: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex (with $options; the syntax of the Rust crate regex), $elemMatch, $all, $size, $contains (what @> of jsonb says) and $not beside a path; $and, $or, $nor and $not around filters. Values of another type have no order; a missing value counts as null, so $ne and $nin hold; of an array each element is a value too.
Errors: 22004 if filter is NULL; 22023 if it is not valid, with every problem.';

COMMENT ON FUNCTION kepler_internal.filter_condition(text, text, integer) IS
'Private: a filter as a condition in SQL on a column, and the values of its parameters, all of type text.';
COMMENT ON FUNCTION kepler_internal.json_update_changes(jsonb, jsonb) IS
'Private: whether json_update would give another document.';

COMMENT ON FUNCTION kepler.enrichment_transitions() IS
'The legal changes of records.enrichment_status. Any other, by whatever means, fails with 23514.';

COMMENT ON FUNCTION kepler.set_enrichment_policy(text, integer, interval, interval, interval, boolean, boolean, boolean, text) IS
'Lets workers enrich the records of a type, or changes how. Queues those that are there and UNAPPLIED, and returns how many; from then on upserts and direct SQL queue what is new or changed. What is not given stays as it is.
max_attempts (5 at first): after so many attempts that failed or expired a record is FAILED. lease (5 minutes): how long a claim holds without a heartbeat.
backoff_base (10 seconds), backoff_cap (1 hour): an attempt waits for between half and all of base * 2^(attempts - 1), at most cap.
clear_on_change (false): changed content empties records.enrichment at once, instead of keeping what was found until the new result.
fair (false): claims take turns between entities. notify (false): upserts that queue something notify the channel kepler_enrichment, once a call.
Waits for transactions that write records of the type. Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace.';

COMMENT ON FUNCTION kepler.drop_enrichment_policy(text, text) IS
'Ends the enrichment of a type: its records leave the queue, PENDING ones are UNAPPLIED, workers that hold some are stale. What was found stays. Returns false if there was no policy.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.claim_records(text, text, integer, interval, jsonb, text) IS
'Claims up to max_rows (at most 10,000) records of a type for a worker, the oldest first, under one lease; they are PENDING. Takes back what expired leases hold. Waits for nobody: what is locked is left to others. No rows if nothing is ready (see next_claim_at).
A record that the database refuses to mark (a CHECK, a trigger, a unique index) waits longer each time, and kepler.failed_enrichments says why; the call warns of it and goes on with others.
worker: a name, for people to read. lease: how long it holds without a heartbeat; the policy''s if NULL.
options: {"fair": false} takes the oldest first in spite of a fair policy.
lease_id is the same in all rows, and greater than that of every earlier claim. attempt begins at 1 for each content.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler.extend_lease(bigint, interval, text) IS
'Extends a lease to the given interval from now, or to that of the claim; never shortens it. Returns when it ends now, or NULL: it is lost, and the worker can stop.
Errors: 55000 before install(); 22004 and 22023 for arguments.';

COMMENT ON FUNCTION kepler.settle_records(bigint, text, text) IS
'Takes what a worker has to say about records of its lease, and returns one row for each element, in their order. What is not settled stays leased; the lease goes with its last record.
results: the text of a JSON array of {record_id, action, result, error, retryable, retry_in}. outcome is complete (the default; the members of result are laid over records.enrichment), fail (with error; tried again unless retryable is false or this was the last attempt) or release (given back; the attempt does not count). retry_in, in seconds, takes the place of the backoff.
outcome in the answer: applied, retry, failed, released, duplicate (this lease has settled it before), stale (the lease is lost, or does not hold the record: nothing changes), superseded (its content changed since the claim: the result is dropped, the record queued again), gone (deleted or archived), not_found (there is no such record) or rejected, with error_code and error: the element cannot be understood, or the database refuses to write it (error_code is then the SQLSTATE). The record of what is rejected stays leased: fail it, or its attempt expires.
error of fail may be any JSON: what is no string is stored as its JSON text, and characters that cannot be stored are stored as escapes, which the answer says in error.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if results cannot be divided into elements.';

COMMENT ON FUNCTION kepler.complete_records(bigint, text[], jsonb[], text) IS
'Completes records of a lease. results: NULL, or an element for each record, a JSON object or NULL, which is laid over records.enrichment. Answers as settle_records does.
Errors: those of settle_records, and 22023 if the arrays differ in length.';

COMMENT ON FUNCTION kepler.fail_records(bigint, text[], text, boolean, interval, text) IS
'Fails records of a lease, for one reason. retryable: whether they are tried again, as long as attempts are left. retry_in: when; by the backoff if NULL. Answers and errors are those of settle_records.';

COMMENT ON FUNCTION kepler.release_records(bigint, text[], interval, text) IS
'Gives records of a lease back, all of them if record_ids is NULL; the attempt does not count. retry_in: when they are ready again; at once if NULL. Answers and errors are those of settle_records.';

COMMENT ON FUNCTION kepler.requeue_records(text[], text, text, integer, text) IS
'Queues records anew that are FAILED or APPLIED, with all attempts before them. Either record_ids, with a row for each, or an entity_type, with a row for each that was requeued or rejected: up to max_rows are requeued that have enrichment_status, those that changed longest ago first.
outcome: requeued, unchanged (UNAPPLIED or PENDING, or named before), gone (deleted or archived), not_found or rejected (the database refuses to write it: error_code is the SQLSTATE).
Errors: 55000 before install(); 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler.next_claim_at(text, text) IS
'When a claim is next likely to find something: the earliest time of what is ready or waits, or when the next lease ends. A time that is over means now; while all that is ready is in the hands of others, it is a second from now. NULL: nothing is queued or leased.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';

COMMENT ON FUNCTION kepler_internal.is_direct() IS 'Internal: whether a change of a record comes from direct SQL, and not from Kepler''s own statements';
COMMENT ON FUNCTION kepler_internal.require_name(text, text) IS 'Internal: checks an argument that names something';
COMMENT ON FUNCTION kepler_internal.require_ids(text, text[]) IS 'Internal: checks an argument that holds ids';
COMMENT ON FUNCTION kepler_internal.unlease_record() IS
'Private: takes the lease from a record that is not PENDING any more.';
COMMENT ON FUNCTION kepler_internal.refuse_transition() IS 'Trigger: refuses a change of enrichment_status that is not legal';
COMMENT ON FUNCTION kepler_internal.queue_changed_record() IS 'Trigger: keeps the queue under direct SQL';
COMMENT ON FUNCTION kepler_internal.dequeue_deleted_records() IS 'Trigger: takes deleted records out of the queue';
COMMENT ON FUNCTION kepler_internal.forget_truncated_records() IS 'Trigger: empties the queue and ends the leases where all records are gone';
COMMENT ON FUNCTION kepler_internal.begin_enrichment() IS 'Trigger: queues the backlog of a policy that direct SQL inserts';
COMMENT ON FUNCTION kepler_internal.change_fairness() IS 'Trigger: lets what is queued take turns, or not, as the policy says';
COMMENT ON FUNCTION kepler_internal.end_enrichment() IS 'Trigger: ends the leases and empties the queue of a type whose policy goes';
COMMENT ON FUNCTION kepler_internal.give_back_lease() IS 'Trigger: gives back what a lease holds that direct SQL deletes';
COMMENT ON FUNCTION kepler_internal.refuse_enrichment_change() IS 'Trigger: refuses a change of what keeps the queue';
COMMENT ON FUNCTION kepler_internal.keep_queued() IS 'Trigger: refuses to take a record out of the queue that is to be enriched';
COMMENT ON FUNCTION kepler_internal.keep_lease_records() IS 'Trigger: refuses to take its records from a lease';
COMMENT ON FUNCTION kepler_internal.refuse_truncate() IS 'Trigger: refuses TRUNCATE of what keeps the queue';

COMMENT ON FUNCTION kepler.create_embedding_space(text, integer, text, text) IS
'Makes an embedding space: tables kepler_data.<name>_embeddings and <name>_message_embeddings for embeddings of memories and of messages by one model. Spaces live side by side; the oldest is the one that workspaces search until they activate another (activate_embedding_space). Returns the table for memories.
name: up to 44 of a to z, 0 to 9 and _. dimensions: of each embedding, up to 16,000. model: what makes them. metric: cosine, inner_product or l2.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42710 if there is such a space; 42P07 if a table of its name is there; 42501 for roles that may not create tables in kepler_data.';
COMMENT ON FUNCTION kepler.remember(text, vector, text, text, jsonb, double precision, timestamptz, timestamptz, text, boolean, text, text) IS
'Remembers one thing, and returns its memory_id and the action: added, duplicate, merged or superseded.
embedding: of the content, by the model of the space; NULL leaves it to pending_memory_embeddings. space: by default the one that the workspace searches.
user_id: whom it is about; NULL: the workspace''s own. context_type: preference, reasoning, pattern, fact or a word of yours. metadata: a JSON object for filters. relevance_score: how important it is, from 0 to 1.
valid_from: true since when (now if NULL). expires_at: when it is to be forgotten. supersedes: the memory_id whose place it takes, of the same user; that one ends, and is found with as_of.
dedupe: true looks for what is remembered already of the same user and context_type. The same content is a duplicate; one whose embedding points the same way (cosine from 0.97), with the same words in the same order but for case and punctuation, is merged. The older content stays; the metadata, the greater relevance_score, the earlier valid_from and the later expires_at of the new are kept, and the embedding where there was none.
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.remember(jsonb, vector, text, text, jsonb, double precision, timestamptz, timestamptz, text, boolean, text, text) IS
'The same as remember with text, for content that is a JSON object or array: its format is JSON.';
COMMENT ON FUNCTION kepler.remember_many(text, boolean, text, text) IS
'Remembers the elements of a JSON array, and returns a row for each, in their order: memory_id, action (added, duplicate, merged, superseded or rejected), and for what is rejected error_code (of the first thing that is wrong, or the SQLSTATE where a constraint or trigger refuses it) and error. The others land.
memories: an array, as text, json or jsonb, of {content, embedding, user_id, context_type, relevance_score, metadata, valid_from, expires_at, supersedes}. content is a string, or an object or array, which is remembered as JSON; embedding an array of numbers; times are ISO 8601 with an offset.
dedupe, space: as in remember. An element can repeat an earlier one of its batch.
Errors, which undo the whole call: 55000 before install(); 22004 and 22023 for arguments; 22P02 if memories cannot be divided into elements; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_memories(vector, integer, text, text, text[], jsonb, double precision, timestamptz, jsonb, double precision, boolean, text, text) IS
'Finds memories by meaning, words and time, best first. If so many meet the conditions max_rows rows come back, whatever the conditions are; exhausted is true where there are fewer.
embedding: of the question, by the model of the space. query_text: its words, any of which counts, up to 100,000 bytes; what either finds is united (reciprocal rank fusion). One of the two is needed.
max_rows: from 1 to 10,000. user_id: * is everybody''s in the workspace, NULL those of no user. context_types: any of these. filter: a condition on metadata, as in json_matches. min_similarity: leaves out what is less similar; not what has no embedding and was found by its words.
as_of: what held at this time; now if NULL. What has expired or was superseded is not found.
weights: {"similarity": 0.7, "importance": 0.15, "recency": 0.1, "frequency": 0.05}; what is not named does not count, and with similarity alone the order is that of the distance. Otherwise the score orders the four times as many, but at least 40, that are most similar. Each part is from 0 to 1; in a search for words the fused rank takes the place of similarity.
diversity: from 0 to 1, how unlike each other results are to be (maximal marginal relevance; up to 200 rows); equal ones come again only where there are no others. It and min_similarity need an embedding. touch: whether the access is noted.
space: by default the one that the workspace searches.
similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_messages(vector, integer, text, text, text, text[], text[], jsonb, timestamptz, timestamptz, double precision, integer, text, text) IS
'Finds messages of conversations by meaning, words and time, best first, with those around them. If so many meet the conditions max_rows hits come back, whatever the conditions are; exhausted is true where there are fewer.
embedding: of the question, by the model of the space. query_text: its words, any of which counts; what either finds is united (reciprocal rank fusion). One of the two is needed. By meaning only messages are found that have an embedding (set_message_embeddings).
max_rows: hits, from 1 to 10,000; with expand to 1,000. user_id: whose conversations: * is everybody''s in the workspace, NULL those of no user. conversation_id: * is any. kinds: conversations of any of these. roles: system, user, assistant, tool. filter: a condition on metadata of messages, as in json_matches. sent_from, sent_before: sent at or after the one, and before the other. min_similarity: leaves out what is less similar; not what has no embedding and was found by its words.
expand: so many messages (up to 100) before and after each hit in its conversation, whatever the conditions say of them. Neighbourhoods that overlap or touch are one passage, and no message comes twice.
space: by default the one that the workspace searches.
Rows: the passage with the best hit first, each in the order of its conversation. Without expand each hit is a passage. is_hit: false for a neighbour, which has no score, similarity and ranks. hit: the place of the hit, 1 for the best; of a neighbour, that of the hit it stands nearest to.
score: from 0 to 1; the similarity, or in a search for words the fused rank. similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace or conversation.';
COMMENT ON FUNCTION kepler.last_search() IS
'How the last search of this session (search_memories, search_messages, search_vectors) went: the plan, whether there are no more (exhausted), and how many rows, or hits, it gave. An answer without rows cannot tell these. One row; NULLs before the first search, and after one that failed. Behind a pooler that shares sessions: in the transaction of the search.
Errors: 55000 before install().';

COMMENT ON FUNCTION kepler.touch_memories(text[], text) IS
'Notes that memories were used, as a search does for those that it gives: the time, and one more hit. At most once a minute each; what another transaction is noting is passed over; nothing in a read-only transaction. Returns how many were noted.
Errors: 55000 before install(); 22004 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.forget(text[], text, text) IS
'Deletes memories for good, with their embeddings and accesses; end_memories ends them from a time on. Returns a row for each id: deleted, unchanged (named before) or not_found. What a deleted memory had superseded is superseded by its successor.
user_id: whose memories they must be: * is anybody''s in the workspace, NULL those of no user; another''s memory is not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.end_memories(text[], timestamptz, text, text) IS
'Ends memories: from the time on they are not found, and expire_memories deletes them. Returns a row for each id: updated, unchanged (named before, or that was its time already) or not_found.
at: sets expires_at; a later time than before is taken too. user_id: as for forget.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.expire_memories(integer, text) IS
'Deletes up to max_rows memories that have expired, those first that expired first, and returns how many. What another transaction holds is left to the next call.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.memory_history(text, text, text) IS
'What a memory said before, and what took its place: the memories of its chain of supersedes that are of the same user, the oldest first. No row if there is no such memory.
user_id: whose memory it must be: * is anybody''s in the workspace, NULL one of no user; of another''s there is no row.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.pending_memory_embeddings(text, integer, text, text) IS
'Memories of the workspace that have no embedding in a space, for whoever computes them: up to max_rows (at most 10,000), in the order of their ids. after: the last memory_id of the call before; a worker that passes it does not look at the same ones again. A memory whose content has changed is pending again.
content_hash: SHA-256 of the content in UTF-8, in hexadecimal digits; handed back to set_memory_embeddings it makes sure that the content is still the same.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.set_memory_embeddings(text, text, text) IS
'Sets the embeddings of memories in a space, and returns a row for each element: inserted (it had none), updated, unchanged, superseded (a later element is about the same memory, or its content has changed), not_found, or rejected, with error_code (of the first thing that is wrong, or the SQLSTATE where the database refuses it) and error. Searches go on in the space that the workspace has activated.
embeddings: a JSON array of {memory_id, embedding, content_hash}, as text, json or jsonb. content_hash: that of the content that was embedded, as pending_memory_embeddings has it; without it an embedding of a content that has changed meanwhile is taken for that of the new one.
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 22P02 if embeddings cannot be divided into elements; 42704 for the space.';
COMMENT ON FUNCTION kepler.pending_message_embeddings(text, integer, bigint, text[], text) IS
'Messages of the workspace that have no embedding in a space, for whoever computes them: up to max_rows (at most 10,000), in the order of their ids; not those without any text. after: the last message_id of the call before; a worker that passes it does not look at the same ones again. roles: only messages of these, since not all are worth an embedding. A message whose content has changed is pending again.
content_hash: SHA-256 of the content in UTF-8, in hexadecimal digits; handed back to set_message_embeddings it makes sure that the content is still the same.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.set_message_embeddings(text, text, text) IS
'Sets the embeddings of messages in a space, and returns a row for each element: inserted (it had none), updated, unchanged, superseded (a later element is about the same message, or its content has changed), not_found, or rejected, with error_code and error. Searches go on in the space that the workspace has activated.
embeddings: a JSON array of {message_id, embedding, content_hash}, as text, json or jsonb; content_hash as for set_memory_embeddings.
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 22P02 if embeddings cannot be divided into elements; 42704 for the space.';
COMMENT ON FUNCTION kepler.activate_embedding_space(text, text) IS
'Has the workspace search another space from now on. Refused (55000) as long as a memory of the workspace has no embedding there, or a message that has one in the space searched now, with how many. Waits for transactions that are writing memories or embeddings of the workspace.
Errors: 55000 before install() and for a retired space; 22004 and 22023 for arguments; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.retire_embedding_space(text) IS
'Ends a space: it takes no embeddings, and cannot be activated. Refused (55006) while a workspace searches it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space.';
COMMENT ON FUNCTION kepler.drop_embedding_space(text) IS
'Drops a retired space with its tables and all its embeddings.
Errors: 55000 before install(), and if it is not retired; 22004 and 22023 for arguments; 42704 for the space; 42501 for roles that do not own the tables.';
COMMENT ON FUNCTION kepler.index_advice(regclass) IS
'Which index each column of type vector should have, in the tables of embedding spaces and in all others, or in one relation: a row for each.
advice: create, rebuild (an IVFFlat index that has too few lists for the rows: the statement makes another beside it), drop (what another has replaced, or one whose building was interrupted), analyze, or none, with the reason and the statement. Run one, then ask again. None below 50,000 rows: all are compared as fast. Columns outside of spaces are taken to be compared by cosine.
build_memory: bytes that building it takes; a lower maintenance_work_mem makes it many times slower.
No index finds its way past very many rows with the same vector: a search that notices it compares all rows of its scope (plan exact_after_index). Texts that repeat, as "ok", are better embedded once or not at all.
Errors: 55000 before install().';
COMMENT ON FUNCTION kepler.recall_check(text, text, integer, integer, text) IS
'Holds searches for stored embeddings, chosen at random, against exact ones: the share of the max_rows nearest that they find (recall), how many gave fewer rows than exist (shortfalls), and their times in milliseconds beside those of the exact ones. NULL where nothing is stored.
searched: memories or messages. samples: how many searches, at most 10,000. max_rows: how many rows each of them asks for, at most 1,000.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_vectors(regclass, text, vector, integer, jsonb, text, double precision) IS
'Finds the rows of any table whose vectors are nearest to the embedding, nearest first, by the rule that holds for search_memories: if so many rows meet the condition, max_rows rows come back. Reads as the caller.
relation, column_name: a table or materialized view and its column of type vector. Rows where it is NULL are not found. Of a partitioned table, and of one that others inherit from, each part that the condition leaves is searched, through its own index; under row security all of it is compared.
condition: a JSON object of columns and values that they must have; of an array one of its values, of null none. metric: cosine, inner_product or l2; an HNSW index is used if it has the operators of the metric.
document: the row as JSON. similarity: the cosine, the inner product, or 1 / (1 + distance). min_similarity: leaves out what is less similar.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42809 if relation is no table or has foreign tables among its parts, or the column is no vector; 22P02 for a value that is none of its column''s.';
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
COMMENT ON FUNCTION kepler_internal.lock_record_type() IS 'Trigger: takes the lock of the type of a record that direct SQL queues, or takes out of the queue';
COMMENT ON FUNCTION kepler_internal.list_embedding_space(text, integer, text, text) IS 'Internal: writes a space into the list';
COMMENT ON FUNCTION kepler_internal.require_retired_space(text) IS 'Internal: fails unless there is such a space, and it is retired';
COMMENT ON FUNCTION kepler_internal.forget_deleted_memories() IS 'Trigger: takes what belongs to deleted memories along';
COMMENT ON FUNCTION kepler_internal.forget_deleted_messages() IS 'Trigger: takes the embeddings of deleted messages along';
COMMENT ON FUNCTION kepler_internal.create_embedding_table(text, text, regclass, integer, text, text) IS 'Internal: makes a table of a space';
COMMENT ON FUNCTION kepler_internal.require_roles(text[]) IS 'Internal: checks an argument that holds roles of messages';

COMMENT ON FUNCTION kepler.estimate_tokens(text) IS
'About how many tokens a text has: a quarter of its bytes, rounded up. NULL gives NULL. Rough: code, numbers and rare scripts have more. Count with the model''s own tokenizer where the limit is hard.';
COMMENT ON FUNCTION kepler.add_message(text, text, text, text, integer, text, jsonb, timestamptz, vector, text) IS
'Adds a message to a conversation, as its last one. Returns one row. Who adds to the same conversation meanwhile waits for the end of this transaction, and comes behind.
role: system, user, assistant or tool. content: its text; may be empty. user_id: who wrote it; where it is NULL and the role is user, the user of the conversation.
token_count: as the model''s tokenizer counts; NULL is estimated (estimate_tokens). external_id: the caller''s name for the message: a message with it that is there already is not added again. metadata: a JSON object. sent_at: when it was written; has no part in the order.
embedding: of the content, by the model of the space that the workspace searches; NULL leaves it to set_message_embeddings, which takes those of a batch too.
number: its place, from 1, without gaps but for what is deleted. outcome: added or existing (same external_id, role and content).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all that is wrong; 22000 for an embedding of other dimensions; 42704 where there is no space for it; 23503 for an unknown conversation or user; 23505 if another message has the external_id.';
COMMENT ON FUNCTION kepler.add_messages(text, text, text) IS
'Adds messages to a conversation, in their order. Returns one row for each element.
messages: a JSON array of objects {role, content, user_id, token_count, external_id, metadata, sent_at, embedding}, of which role and content are required, as text, json or jsonb; see add_message.
outcome: added, existing (same external_id, role and content) or rejected (with error_code, of the first thing that is wrong, or the SQLSTATE where a constraint or trigger refuses it, and error, with all of them; the others land).
message_id, number: of the message added, or of the one that has the external_id.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation.';
COMMENT ON FUNCTION kepler.conversation_window(text, integer, integer, integer, integer, boolean, text) IS
'The messages of a conversation that fit, without gaps, in their order. The newest, from before back; with after alone the next ones.
before, after: only messages with a lower number, with a higher one. max_tokens, max_rows: what the window may hold; NULL is no limit. keep_system: whether the system messages (with a lower number than before) are always in, whatever their place; they are counted first.
A call of tools and their answers are in a window together or not at all, wherever it begins and ends: a message and the messages of role tool behind it. tokens: token_count, or its estimate.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation; 54000 if the system messages, or the first messages to be taken, do not fit.';
COMMENT ON FUNCTION kepler_internal.require_conversation(text, text) IS 'Internal: fails unless there is such a conversation';
COMMENT ON FUNCTION kepler_internal.check_window(text, integer, integer) IS 'Internal: fails if an argument of conversation_window is too low';
COMMENT ON FUNCTION kepler_internal.number_message() IS 'Trigger: gives a message that direct SQL adds the next number';
COMMENT ON FUNCTION kepler_internal.refuse_message_move() IS 'Trigger: refuses another place for a message';
COMMENT ON FUNCTION kepler_internal.restart_attempts() IS
    'Trigger: what waits for its next attempt begins anew when direct SQL changes its content';
COMMENT ON FUNCTION kepler_internal.clear_enrichment() IS
    'Trigger: empties records.enrichment when direct SQL changes the content, where the policy says so';
COMMENT ON FUNCTION kepler_internal.refuse_entity_rename() IS 'Trigger: refuses another type or source for an entity that has records';
COMMENT ON FUNCTION kepler_internal.abandon_executions(integer, text) IS 'Internal: see abandon_executions';
COMMENT ON FUNCTION kepler_internal.expire_memories(integer, text) IS 'Internal: see expire_memories';

COMMENT ON FUNCTION kepler.grant_access(regrole, text) IS
'Gives a role a level of access, in place of the one that it had: all rights that the functions of the level need, on Kepler''s tables, on entry tables and embedding spaces, and on those that are made later. PUBLIC has none.
level: reader (reads and searches), writer (changes records, entries, memories, conversations, workflows too), worker (reads; enriches records, runs workflows, brings embeddings), admin (all that; declares entry tables, embedding spaces, policies, workspaces). No level makes triggers, foreign keys or types.
Only for the owner of Kepler''s tables and superusers. What the role was granted on these tables by hand is taken.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for an unknown role; 42501 for other callers.';
COMMENT ON FUNCTION kepler.revoke_access(regrole) IS
'Takes from a role its level of access, and what else it was granted on Kepler''s schemas, tables and functions. Returns whether it had a level.
Only for the owner of Kepler''s tables and superusers.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for an unknown role; 42501 for other callers.';
COMMENT ON FUNCTION kepler_internal.require_workspace(text) IS
'Internal: checks the argument workspace_id, which for those without the rights of the owner must be the session''s';

-- The last statement of all: nothing is for everybody. Rights come with a level of access.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal FROM PUBLIC;
