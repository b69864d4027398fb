-- Elements that are copied into the inbox are merged in steps, with the outcomes of upsert_records. A run reads all of its inbox
-- in one way, whoever goes on with it, and does not end while rows of it wait there.
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE FUNCTION public.begin_run(name text, entity_type text, mode text DEFAULT 'full') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    begun record;
BEGIN
    SELECT * INTO begun FROM kepler.begin_sync('crm', entity_type, mode, 'crm');
    UPDATE kepler.sync_runs AS r SET id = name WHERE r.id = begun.sync_run_id;
    RETURN concat_ws(' after ', name, begun.abandoned_run_id);
END
$$;
CREATE FUNCTION public.short(counts jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(counts) AS c WHERE c.value NOT IN ('0', '{}')
$$;
CREATE VIEW public.stored AS
SELECT r.external_id, r.data, r.source_updated_at AT TIME ZONE 'UTC' AS changed, r.deleted_at IS NOT NULL AS deleted
FROM kepler.records AS r WHERE r.source = 'crm' ORDER BY r.external_id;
CREATE VIEW public.rejected AS
SELECT r.external_id, r.document, r.error_code, r.options, r.sync_run_id FROM kepler.rejects AS r ORDER BY r.id;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
SELECT begin_run('lines', 'contact');

-- A row says for which run it is, or the session does.
COPY kepler.inbox (line) FROM STDIN;
{}
\.
SET kepler.sync_run_id = 'nobody';
COPY kepler.inbox (line) FROM STDIN;
{}
\.
SET kepler.sync_run_id = 'lines';

-- Lines arrive as they were sent: backslashes, tabs, quotes, commas, escapes of NUL and of returns, and text of any script.
COPY kepler.inbox (line) FROM STDIN WITH (FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02');
{"id": "1", "t": "a\\b \"c\" 'd' \t e,f;g|h $$ \\N \\. \r\n ä😀", "at": "2024-01-01"}
{"id": "2", "t": "\u0000", "at": "2024-01-01"}
	{"id": "3",	"t": null, "at": "2024-01-01"}	

{"id": "4", "at": "2024-01-01"} {"id": "5"}
{"id": "4"
[{"id": "6"}]
{"t": "without an id"}
{"id": "7", "at": "2024-01-01", "gone": true}
{"id": "8", "n": 1}
{"id": "8", "n": 2}
"\N"
\.
SELECT line FROM kepler.inbox ORDER BY id LIMIT 4;
-- Line ends of Windows too.
\copy kepler.inbox (line) FROM PROGRAM 'printf ''{"id": "9"}\r\n{"id": "10"}\r\n''' WITH (FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02')
SELECT phase, done, total, rate FROM kepler.sync_progress;
-- A run does not end before they are merged.
SELECT * FROM kepler.finish_sync('lines', allow_rejects => true, dry_run => true);
SELECT * FROM kepler.finish_sync('lines', allow_rejects => true);
CALL kepler.sweep_sync('lines', allow_rejects => true);
-- What is wrong with an argument is told before anything is merged.
SELECT * FROM kepler.merge_inbox_batch('lines', 0);
SELECT * FROM kepler.merge_inbox_batch('lines', NULL);
SELECT * FROM kepler.merge_inbox_batch('lines', merge => 'none');
SELECT * FROM kepler.merge_inbox_batch('lines', updated_at_key => 'at');
SELECT * FROM kepler.merge_inbox_batch('lines', id_key => 'id', options => '{"x": 1}');
SELECT * FROM kepler.merge_inbox_batch(NULL);
SELECT * FROM kepler.merge_inbox_batch('nobody');
-- A step.
SELECT outcome, merged, short(counts) AS counts, remaining
FROM kepler.merge_inbox_batch('lines', 5, id_key => 'id', updated_at_key => 'at', deleted_key => 'gone', options => '{"invalid_characters": "strip"}');
SELECT phase, done, total, rate > 0 AS has_rate, estimated_end > active_at AS has_end FROM kepler.sync_progress;
-- Whoever goes on need not say it again, and cannot say something else.
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('lines', 2, id_key => 'idd');
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('lines', 2, id_key => 'id');
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('lines', 2);
SELECT outcome, merged, short(counts) AS counts, remaining
FROM kepler.merge_inbox_batch('lines', 1, 'replace', 'id', 'at', 'gone', '{"invalid_characters": "strip"}');
BEGIN;
CALL kepler.merge_inbox('lines');
ROLLBACK;
CALL kepler.merge_inbox('lines', 2);
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('lines');
TABLE stored;
TABLE rejected;
SELECT merged, to_merge, inbox_options FROM kepler.sync_runs WHERE id = 'lines';
SELECT phase, done, total FROM kepler.sync_progress;
SELECT outcome, status, seen, rejected, deleted FROM kepler.finish_sync('lines', allow_rejects => true, allow_empty => true);
TABLE kepler.sync_progress;

-- A run that has ended takes no more.
COPY kepler.inbox (line) FROM STDIN;
{}
\.
SELECT * FROM kepler.merge_inbox_batch('lines');

-- Elements by their fields, for which a column names the run. Beside lines they are read as upsert_record reads them.
RESET kepler.sync_run_id;
SELECT begin_run('fields', 'contact');
COPY kepler.inbox (sync_run_id, external_id, data, source_updated_at, deleted) FROM STDIN;
fields	1	{"id": "other", "n": 1}	2024-01-02	\N
fields	3	\N	2024-01-03T00:00:00Z	t
fields	7	{"n": 7}	2023-01-01	f
fields	\N	{"n": 1}	\N	\N
fields	9	nothing	\N	\N
fields	9	{"n": 9}	yesterday	\N
fields	11	{"n": 11}	\N	\N
\.
INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('fields', '{"id": "12", "n": 12}'), ('fields', '{"n": 13}'), ('fields', '  '), ('fields', NULL);
\set VERBOSITY terse
INSERT INTO kepler.inbox (sync_run_id, line, external_id) VALUES ('fields', '{"id": "12"}', '12');
\set VERBOSITY default
-- Rejects are kept, each as it is to be read.
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('fields', id_key => 'id');
TABLE stored;
TABLE rejected;
SELECT count(*) FROM kepler.inbox;

-- Rows of a run that failed go away, in steps; those of one that was abandoned, when another begins.
INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('fields', '{"id": "14"}');
SELECT kepler.abort_sync('fields', 'the source was gone');
SELECT count(*) FROM kepler.inbox;
SELECT begin_run('older', 'contact');
INSERT INTO kepler.inbox (sync_run_id, line) SELECT 'older', format('{"id": "%s"}', i) FROM generate_series(1, 15000) AS i;
SELECT begin_run('newer', 'contact');
SELECT count(*) FROM kepler.inbox;
SELECT begin_run('newest', 'contact');
SELECT count(*) FROM kepler.inbox;
-- Those of a run that is deleted go with it.
INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('newest', '{"id": "14"}');
DELETE FROM kepler.records;
DELETE FROM kepler.entities;
SELECT count(*) FROM kepler.inbox;

-- Where rows cannot be taken out, nothing is merged again and again. A byte-order mark is named.
SELECT begin_run('kept', 'contact');
INSERT INTO kepler.inbox (sync_run_id, line) VALUES ('kept', e'\ufeff{"id": "1"}');
CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON kepler.inbox FOR EACH ROW EXECUTE FUNCTION keep();
CALL kepler.merge_inbox('kept', id_key => 'id');
SET client_min_messages = warning;
DROP FUNCTION public.keep CASCADE;
RESET client_min_messages;
CALL kepler.merge_inbox('kept', id_key => 'id');
SELECT error_code, error FROM kepler.rejects WHERE sync_run_id = 'kept';

-- A step takes rows of about 16 MB, one at least, and a large one as well.
SELECT begin_run('large', 'contact', 'incremental');
INSERT INTO kepler.inbox (sync_run_id, external_id, data) SELECT 'large', i, jsonb_build_object('t', repeat('x', 6000000)) FROM generate_series(1, 4) AS i;
INSERT INTO kepler.inbox (sync_run_id, external_id, data) VALUES ('large', '5', jsonb_build_object('t', repeat('x', 20000000)));
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('large');
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('large');
SELECT outcome, merged, short(counts) AS counts, remaining FROM kepler.merge_inbox_batch('large');
SELECT external_id, octet_length(data->>'t') AS length FROM kepler.records WHERE source = 'crm' ORDER BY 1;
SELECT outcome, status, seen FROM kepler.finish_sync('large');

DELETE FROM kepler.records;
DELETE FROM kepler.rejects;
DELETE FROM kepler.entities;
DELETE FROM kepler.connections;
DROP VIEW public.rejected, public.stored;
DROP FUNCTION public.begin_run, public.short;
