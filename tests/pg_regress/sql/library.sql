-- Documents and chunks on the blueprint that is shipped: ingested, searched with the chunks around a hit, filtered by dataset, ingested
-- again, deleted; and two workspaces that see nothing of each other.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
\getenv source PG_ABS_SRCDIR
\set file :source '/../../examples/blueprints/library.json'
\set document `cat :'file'`
SET client_min_messages = warning;
SELECT outcome, deferred FROM kepler.apply_blueprint(replace(:'document', '1536', '3'));
SELECT count(*) AS steps_left FROM kepler.plan_blueprint(replace(:'document', '1536', '3'));
CREATE ROLE library_app;
SELECT kepler.grant_access('library_app', 'writer');
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('globex', 'Globex');

-- What an application does: a document is one statement, and takes the place of what came from the same source.
CREATE FUNCTION ingest(dataset_slug text, source text, title text, metadata jsonb, chunks jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    in_dataset text;
    document text;
    answer bigint;
BEGIN
    INSERT INTO library.datasets (slug, name) VALUES (dataset_slug, dataset_slug) ON CONFLICT (workspace_id, slug) DO NOTHING;
    SELECT id INTO in_dataset FROM library.datasets WHERE workspace_id = kepler.current_workspace_id() AND slug = dataset_slug;
    INSERT INTO library.documents AS d (dataset_id, source, title, metadata) VALUES (in_dataset, source, title, metadata)
    ON CONFLICT ON CONSTRAINT documents_workspace_id_dataset_id_source_key DO UPDATE SET title = excluded.title, metadata = excluded.metadata RETURNING d.id INTO document;
    DELETE FROM library.chunks WHERE workspace_id = kepler.current_workspace_id() AND document_id = document;
    INSERT INTO library.chunks (dataset_id, document_id, number, text, metadata, words, embedding)
    SELECT in_dataset, document, c.number, c.text, coalesce(c.metadata, '{}'), to_tsvector('english', concat_ws(' ', title, c.text)), c.embedding
    FROM jsonb_to_recordset(chunks) AS c (number integer, text text, metadata jsonb, embedding vector);
    GET DIAGNOSTICS answer = ROW_COUNT;
    RETURN answer;
END $$;
-- The chunks that answer, each with those around it, best document first.
CREATE FUNCTION passages(embedding vector, query_text text, max_rows integer, around integer, filter jsonb DEFAULT NULL)
RETURNS TABLE (title text, number integer, text text, is_hit boolean) LANGUAGE sql STABLE AS $$
    SELECT d.title, c.number, c.text, bool_or(h.number = c.number)
    FROM (SELECT s.document ->> 'document_id' AS document_id, (s.document ->> 'number')::integer AS number, s.score
          FROM kepler.search_vectors('library.chunks', 'embedding', embedding, max_rows, filter, columns => '{document_id,number}', query_text => query_text) AS s) AS h
    JOIN library.chunks AS c ON c.workspace_id = kepler.current_workspace_id() AND c.document_id = h.document_id AND c.number BETWEEN h.number - around AND h.number + around
    JOIN library.documents AS d ON d.workspace_id = c.workspace_id AND d.id = c.document_id
    GROUP BY d.title, c.document_id, c.number, c.text
    ORDER BY max(max(h.score)) OVER (PARTITION BY c.document_id) DESC, c.document_id, c.number
$$;
CREATE FUNCTION dataset(dataset_slug text) RETURNS text LANGUAGE sql STABLE AS 'SELECT id FROM library.datasets WHERE workspace_id = kepler.current_workspace_id() AND slug = dataset_slug';

-- As the application of Acme.
BEGIN;
SET LOCAL ROLE library_app;
SELECT kepler.use_workspace('acme');
SELECT public.ingest('handbook', 'leave.md', 'Leave', '{"team": "people"}', '[
    {"number": 1, "text": "Everybody has thirty days of holiday a year.", "metadata": {"page": 1}, "embedding": "[1, 0.1, 0]"},
    {"number": 2, "text": "Ask your team before you book a flight.", "metadata": {"page": 1}, "embedding": "[0.8, 0.4, 0]"},
    {"number": 3, "text": "Days that are left go with form KX-12 into the next year.", "metadata": {"page": 2, "valid": "2026-01-01T00:00:00+01:00"}, "embedding": "[0.9, 0, 0.4]"},
    {"number": 4, "text": "Whoever is ill says so before nine.", "metadata": {"page": 3}, "embedding": "[0.1, 0.9, 0]"},
    {"number": 5, "text": "Parental leave is described elsewhere.", "metadata": {"page": 3}}]');
SELECT public.ingest('faq', 'faq.md', 'Questions', '{}', '[
    {"number": 1, "text": "Can I take half a day? Yes.", "metadata": {"page": 1}, "embedding": "[0.95, 0.1, 0.1]"},
    {"number": 2, "text": "Where is the printer? On the second floor.", "metadata": {"page": 1}, "embedding": "[0, 0, 1]"}]');
-- By meaning and by words, with the neighbours; by a code that no model knows; by words alone, what has no embedding yet.
SELECT * FROM public.passages('[1, 0.1, 0]', 'how long is my holiday', 1, 1);
SELECT * FROM public.passages('[0, 0, 1]', 'form KX-12', 1, 1, jsonb_build_object('dataset_id', public.dataset('handbook')));
SELECT * FROM public.passages(NULL, 'parental', 1, 1);
-- Neighbours of two hits that touch come once.
SELECT number, is_hit FROM public.passages('[0.9, 0.2, 0.1]', 'year', 2, 1, jsonb_build_object('dataset_id', public.dataset('handbook')));
-- One dataset, several, none; ranges, patterns and times of chunks; documents that are looked up first.
SELECT count(*) FILTER (WHERE document ->> 'dataset_id' = public.dataset('faq')) AS faq, count(*) FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 99, jsonb_build_object('dataset_id', public.dataset('faq')));
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 99, jsonb_build_object('dataset_id', jsonb_build_object('$in', jsonb_build_array(public.dataset('faq'), public.dataset('handbook')))));
SELECT count(*) FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 99, '{"dataset_id": "none"}');
SELECT document -> 'number' AS number FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 99, '{"metadata.page": {"$between": [2, 3]}, "text": {"$ilike": "%YEAR%"}, "metadata.valid": {"$lt": {"$date": "2026-01-01"}}, "created_at": {"$gte": {"$date": "2026-01-01"}}}', columns => '{number}');
SELECT count(*) FROM (SELECT jsonb_agg(id) AS ids FROM library.documents WHERE kepler.json_matches(metadata, '{"team": "people"}')) AS d,
    kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 99, jsonb_build_object('document_id', jsonb_build_object('$in', d.ids)));
-- The answer has neither vectors nor words, unless they are asked for.
SELECT (SELECT array_agg(key ORDER BY key) FROM jsonb_object_keys(document) AS key) AS keys FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0, 0]', 1);
-- Again: what is left of the old chunks is nothing.
SELECT public.ingest('handbook', 'leave.md', 'Leave', '{}', '[{"number": 1, "text": "Everybody has thirty-one days.", "embedding": "[1, 0, 0]"}]');
SELECT title, number, text FROM public.passages('[1, 0, 0]', 'KX-12 days', 9, 1, jsonb_build_object('dataset_id', public.dataset('handbook')));

COMMIT;

-- Globex has the same names, and sees its own.
BEGIN;
SET LOCAL ROLE library_app;
SELECT kepler.use_workspace('globex');
SELECT public.ingest('handbook', 'leave.md', 'Leave', '{}', '[{"number": 1, "text": "Holiday is for the others.", "embedding": "[1, 0.1, 0]"}, {"number": 2, "text": "Work work work.", "embedding": "[0, 1, 0]"}]');
SELECT title, number, text FROM public.passages('[1, 0.1, 0]', 'thirty days of holiday', 9, 9);
SELECT count(*) FROM kepler.search_vectors('library.chunks', 'embedding', '[1, 0.1, 0]', 99, '{"workspace_id": "acme"}', query_text => 'thirty');
SELECT count(*) AS chunks, count(DISTINCT workspace_id) AS workspaces FROM library.chunks;
-- A chunk belongs to a document of its own workspace and dataset.
INSERT INTO library.chunks (workspace_id, dataset_id, document_id, number, text, words) VALUES ('acme', 'x', 'x', 1, 'x', 'x');
INSERT INTO library.chunks (dataset_id, document_id, number, text, words) SELECT 'x', id, 9, 'x', 'x' FROM library.documents;
-- What others write tells nothing: how rare a word is, is counted among one's own.
SELECT string_agg(score::text, ' ' ORDER BY score) AS scores FROM kepler.search_vectors('library.chunks', 'embedding', NULL, 9, query_text => 'holiday work') \gset before_
COMMIT;
BEGIN;
SET LOCAL ROLE library_app;
SELECT kepler.use_workspace('acme');
SELECT public.ingest('handbook', 'other.md', 'Other', '{}', (SELECT jsonb_agg(jsonb_build_object('number', i, 'text', 'holiday holiday ' || i, 'embedding', '[1, 0.1, 0]')) FROM generate_series(1, 500) AS i));
COMMIT;
BEGIN;
SET LOCAL ROLE library_app;
SELECT kepler.use_workspace('globex');
SELECT string_agg(score::text, ' ' ORDER BY score) = :'before_scores' AS same FROM kepler.search_vectors('library.chunks', 'embedding', NULL, 9, query_text => 'holiday work');
COMMIT;

-- A document takes its chunks along, and a dataset its documents; nobody else's.
BEGIN;
SET LOCAL ROLE library_app;
SELECT kepler.use_workspace('acme');
DELETE FROM library.documents WHERE source = 'other.md';
SELECT count(*) FROM library.chunks;
DELETE FROM library.datasets WHERE slug = 'handbook';
SELECT (SELECT count(*) FROM library.documents) AS documents, (SELECT count(*) FROM library.chunks) AS chunks;
COMMIT;
SELECT workspace_id, count(*) FROM library.chunks GROUP BY 1 ORDER BY 1;

DROP FUNCTION ingest, passages, dataset;
SELECT outcome FROM kepler.drop_blueprint('library', '{"with_rows": true}');
SELECT kepler.revoke_access('library_app');
DROP ROLE library_app;
DELETE FROM kepler.workspaces WHERE id IN ('acme', 'globex');
