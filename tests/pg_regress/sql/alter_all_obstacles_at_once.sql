-- Whatever stands in the way of a change is told in one answer, and nothing was changed: refused steps together, missing
-- permission together, entries in the way of all steps together. Peers half-applied such changes.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Customer', '{"fields": []}');
SELECT kepler.create_entry_table('Order', '{"fields": [{"name": "number", "type": "text"}, {"name": "amount", "type": "text"}, {"name": "note", "type": "text"},
    {"name": "state", "type": "text"}, {"name": "customer", "type": "bigint"}, {"name": "starts", "type": "date"}, {"name": "ends", "type": "date"}]}');
INSERT INTO kepler_data.customer_1_entries DEFAULT VALUES;
INSERT INTO kepler_data.order_2_entries (number, amount, note, state, customer, starts, ends) VALUES
    ('A1', '10', 'fine', 'open', 1, '2024-01-01', '2024-01-02'),
    ('a1', 'ten', 'far too long', 'closed', 2, '2024-01-02', '2024-01-01'),
    (NULL, '-3', NULL, 'lost', NULL, NULL, NULL);
\set document '{"fields": [{"name": "no", "renamed_from": "number", "type": "text", "required": true, "unique": true, "case_insensitive": true}, {"name": "amount", "type": "integer", "min": 0}, {"name": "note", "type": "text", "max_length": 5, "required": true}, {"name": "state", "type": "enum", "values": ["open", "closed"]}, {"name": "customer", "type": "reference", "to": "Customer"}, {"name": "starts", "type": "date"}, {"name": "ends", "type": "date"}, {"name": "channel", "type": "text", "required": true}], "checks": [{"field": "starts", "op": "<=", "other_field": "ends"}]}'
SELECT operation, object, class, lock FROM kepler.plan_entry_table('Order', :'document');
CREATE TEMP VIEW traces AS SELECT attname::text, atttypid::regtype::text AS type, attnotnull::text FROM pg_attribute WHERE attrelid = 'kepler_data.order_2_entries'::regclass AND attnum > 0
    UNION ALL SELECT conname, pg_get_constraintdef(oid), convalidated::text FROM pg_constraint WHERE conrelid = 'kepler_data.order_2_entries'::regclass
    UNION ALL SELECT t.ctid::text, o::text, NULL FROM kepler_data.order_2_entries AS o, kepler.entry_tables AS t;
CREATE TEMP TABLE before AS TABLE traces;
SELECT kepler.alter_entry_table('Order', :'document', allow => '{convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
TABLE traces EXCEPT TABLE before;
SELECT record_name, version FROM kepler.entry_tables ORDER BY number;

-- With the entries put right it goes through.
UPDATE kepler_data.order_2_entries SET number = 'A' || entry_id, amount = entry_id, note = 'ok', state = 'open', customer = 1, starts = NULL;
SELECT kepler.alter_entry_table('Order', replace(:'document', '"required": true}]', '"required": true, "default": "web"}]'), allow => '{convert}');
SELECT entry_id, no, amount, note, state, customer, channel FROM kepler_data.order_2_entries ORDER BY 1;
-- A key that is not of type bigint is shown as well.
SELECT kepler.create_entry_table('Keyed', '{"key": {"type": "uuid"}, "fields": [{"name": "a", "type": "text"}]}');
INSERT INTO kepler_data.keyed_3_entries (entry_id, a) VALUES ('00000000-0000-4000-8000-000000000002', 'x'), ('00000000-0000-4000-8000-000000000001', NULL);
SELECT kepler.alter_entry_table('Keyed', '{"key": {"type": "uuid"}, "fields": [{"name": "a", "type": "text", "required": true}]}');
ROLLBACK;
