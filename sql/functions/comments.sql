-- What \df+ and docs/reference.md say about each function. The forms that take text are described
-- in full, the others refer to them.

COMMENT ON FUNCTION kepler.install() IS
'Creates Kepler''s tables in the schema kepler, or brings them to the version of the library, in one transaction. Can be repeated.
Returns one row for each step of the schema; result is applied (by this call) or present (before it).
Errors: 55P03 while another session runs it; 55000 if the tables are newer than the library; 0A000 if the database is not in UTF8 or pgvector is older than 0.8.4.';

COMMENT ON FUNCTION kepler.status() IS
'What is installed and how much it holds: a JSON object with the versions of library, extension, schema, Postgres and pgvector, the session''s workspace, and for each table rows (of all workspaces), bytes, and whether the number of rows is estimated (tables above 64 MB, once analysed).
Errors: 55000 before install().';

COMMENT ON FUNCTION kepler.version() IS
'The version of the loaded library. status() also gives that of the extension''s SQL, which ALTER EXTENSION brings up to it.';

COMMENT ON FUNCTION kepler.current_workspace_id() IS
'The workspace that calls and inserts use unless they name one: the setting kepler.workspace_id, or default. It is not looked up. Only a superuser may change the setting directly.';

COMMENT ON FUNCTION kepler.cuid() IS
'A new identifier (CUID2): 24 lower-case letters and digits, the first a letter.';

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
options: {"invalid_characters": "strip"} leaves out what jsonb cannot hold (\u0000, lone surrogates) instead of rejecting the element.
outcome: inserted, updated, refreshed, undeleted, deleted, unchanged, stale, superseded, or rejected, the last with error_code and error. An invalid element is rejected by itself; the others land.
Errors, which undo the whole call: 55000 before install(); 22004 and 22023 for arguments; 22P02 if records cannot be divided into elements; 54000 if there are more than 4,000,000; 23503 for an unknown workspace or connection; 40001 if records kept vanishing while it ran (run it again); 09000 if a trigger kept a record from being written.';

COMMENT ON FUNCTION kepler.upsert_records(text, json, text, text, text, text, text, jsonb, text) IS
'The same as upsert_records with text, for values of type json. Prefer text: json refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.upsert_records(text, jsonb, text, text, text, text, text, jsonb, text) IS
'The same as upsert_records with text, for values of type jsonb. Prefer text: jsonb refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.upsert_records_summary(text, text, text, text, text, text, text, jsonb, text) IS
'Does what upsert_records does, and returns counts instead of rows: a JSON object with total, a count for every outcome (0 included), and rejected_by_code, an object of counts by error_code.
Arguments and errors are those of upsert_records.';

COMMENT ON FUNCTION kepler.upsert_records_summary(text, json, text, text, text, text, text, jsonb, text) IS
'The same as upsert_records_summary with text, for values of type json. Prefer text, as for upsert_records.';

COMMENT ON FUNCTION kepler.upsert_records_summary(text, jsonb, text, text, text, text, text, jsonb, text) IS
'The same as upsert_records_summary with text, for values of type jsonb. Prefer text, as for upsert_records.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, text, timestamptz, boolean, text, text, text, jsonb, text) IS
'Upserts one record, given by its parts, and returns one row as upsert_records does.
data: the text of a JSON object; may be NULL if deleted is true.
source_updated_at: when the source last changed it. An older time than the stored one changes nothing (stale); NULL switches this guard off.
deleted: true soft-deletes it; where there is no such record, a deleted one is inserted.
The other arguments are those of upsert_records. A record that is not valid is answered with rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace or connection; 40001 if the record kept vanishing (run it again); 09000 if a trigger kept it from being written.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, json, timestamptz, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text, for values of type json. Prefer text: what json refuses cannot be answered with rejected.';

COMMENT ON FUNCTION kepler.upsert_record(text, text, jsonb, timestamptz, boolean, text, text, text, jsonb, text) IS
'The same as upsert_record with text, for values of type jsonb. Prefer text: what jsonb refuses cannot be answered with rejected.';

COMMENT ON FUNCTION kepler.set_entity_options(text, jsonb, text, text, text) IS
'Finds or makes the entity, sets what upserts of its records do, and returns its id.
options: {"ignored_paths": ["/fetched_at", …]}, an array of JSON Pointers (RFC 6901) to places that do not count when an upsert compares a record. It replaces the earlier array; without it nothing is set.
Errors: 55000 before install(); 22004 and 22023 for arguments, unknown options and malformed pointers; 23503 for an unknown workspace or connection.';

COMMENT ON FUNCTION kepler.delete_records(text[], text) IS
'Soft-deletes records: sets deleted_at, keeps everything else.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is deleted, unchanged (it was deleted already, or the id came earlier in the array) or not_found.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.restore_records(text[], text) IS
'Brings soft-deleted and archived records back: deleted_at becomes NULL, status ACTIVE.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is restored, unchanged (there was nothing to restore, or the id came earlier in the array) or not_found.
Errors: 55000 before install(); 22004 for a NULL argument.';

COMMENT ON FUNCTION kepler.archive_records(text[], text) IS
'Sets the status of records to ARCHIVED. Upserts go on updating archived records and leave them archived.
record_ids: values of kepler.records.id. Returns one row for each, in their order; outcome is archived, unchanged (it was archived already, or the id came earlier in the array) or not_found.
Errors: 55000 before install(); 22004 for a NULL argument.';

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

COMMENT ON FUNCTION kepler.insert_entries(text, json, text, text) IS
'The same as insert_entries with text, for values of type json. Prefer text: json refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.upsert_entries(text, text[], json, text, text) IS
'The same as upsert_entries with text, for values of type json. Prefer text: json refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.update_entries(text, json, text, text) IS
'The same as update_entries with text, for values of type json. Prefer text: json refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.insert_entries(text, jsonb, text, text) IS
'The same as insert_entries with text, for values of type jsonb. Prefer text: jsonb keeps one of two equal keys, and refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.upsert_entries(text, text[], jsonb, text, text) IS
'The same as upsert_entries with text, for values of type jsonb. Prefer text: jsonb keeps one of two equal keys, and refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler.update_entries(text, jsonb, text, text) IS
'The same as update_entries with text, for values of type jsonb. Prefer text: jsonb keeps one of two equal keys, and refuses some documents before this function can answer for them one by one.';

COMMENT ON FUNCTION kepler._latest_schema_version() IS
'Private: the newest schema version that the library knows.';
COMMENT ON FUNCTION kepler._require_tables() IS
'Private: fails with 55000 and a hint before install().';
COMMENT ON FUNCTION kepler._set_record_state(text, text, text[], text) IS
'Private: what delete_records, restore_records and archive_records share.';
COMMENT ON FUNCTION kepler._touch_changed_record() IS
'Private: moves updated_at on a direct update of a record that changes anything.';
COMMENT ON FUNCTION kepler._reset_enrichment() IS
'Private: sends a record whose content has changed back to enrichment.';
COMMENT ON FUNCTION kepler._touch_updated_at() IS
'Private: moves updated_at on a direct update.';
COMMENT ON FUNCTION kepler._refuse_workspace_change() IS
'Private: refuses to move a row to another workspace.';
COMMENT ON FUNCTION kepler._refuse_secret() IS
'Private: refuses a secret_ref that is no reference, without showing it.';

COMMENT ON FUNCTION kepler.json_update(jsonb, jsonb) IS
'The document after update operations, all or none of them. NULL for a document that is NULL. The document as it is where nothing changes.
operations: {"$set": {"result.org1": {"ok": true}}, "$inc": {"count": 1}}, where dots divide the keys of a path; or, for keys that hold dots, begin with $ or are empty, [{"op": "$set", "path": ["org.1", "ok"], "value": true}]. No path may be the same as another or lead through it.
Operators, as in MongoDB: $set, $unset, $inc, $mul, $min, $max, $rename, $push (with $each, $position, $sort, $slice), $addToSet (with $each), $pull (a value or a condition), and $setOnInsert, which does nothing here. Missing parents become objects; numbers are exact.
Errors: 22004 if operations is NULL; 22023 if it is not valid, with every problem. Where an operation does not fit the document: 2203C for a scalar in the way, 22033 for an element that an array cannot have, 22036, 22039 and 42804 for a value of the wrong kind, 22003 for a number out of range. 54000 for a document that would be too large.';

COMMENT ON FUNCTION kepler.update_document(regclass, jsonb, text, jsonb, jsonb) IS
'Applies operations (see json_update) to the document in one row, in one UPDATE from the version that it has locked: of concurrent calls none is lost. Returns one row, or none where there is no such row. changed is false where the document stayed as it is; then nothing was written.
relation, column_name: the table, and its column of type jsonb. key: a JSON object of columns and values; the columns must be a primary key or a unique constraint.
options: {"revision_column": "version"} adds 1 to that column with each change; "expected_revision": 3 beside it makes another revision an error.
Errors: those of json_update; 22004 if an argument, or the document, is NULL; 22023 for key and options; 42P10 if the key is not unique; 42703 for the columns; 40001 for another revision than expected, with the one found, and for a row that kept changing.';

COMMENT ON FUNCTION kepler.upsert_document(regclass, jsonb, text, jsonb, jsonb) IS
'The same as update_document, and where there is no such row it is made, from the key and from what the operations, $setOnInsert included, make of an empty object. Returns one row. A document that is NULL counts as empty.
With revision_column a new row has revision 1; an expected_revision of 0 expects that there is no row.';

COMMENT ON FUNCTION kepler._json_update_changes(jsonb, jsonb) IS
'Private: whether json_update would give another document.';
