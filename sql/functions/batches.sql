-- The forms of the functions over batches that take json and jsonb: all else is as in the form that takes text.
-- Literals resolve to text, which is the form to prefer: it keeps every digit and every key that was sent, and what
-- json or jsonb cannot hold would fail the call before it starts. comments.sql gives all forms one comment.
DO $$
DECLARE
    batch record;
    form text;
BEGIN
    FOR batch IN
        SELECT p.oid, p.proname AS name, b.argument, pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
            pg_catalog.pg_get_function_result(p.oid) AS result,
            (SELECT pg_catalog.string_agg(
                '$' || n || CASE WHEN p.proargnames[n] = b.argument THEN '::pg_catalog.text' ELSE '' END, ', ' ORDER BY n)
             FROM pg_catalog.generate_series(1, p.pronargs) AS n) AS passed
        FROM (VALUES
            ('upsert_records', 'records'), ('upsert_records_summary', 'records'), ('insert_entries', 'entries'),
            ('upsert_entries', 'entries'), ('update_entries', 'entries'), ('set_entry_links', 'links'), ('settle_records', 'results'),
            ('add_execution_steps', 'steps'), ('add_messages', 'messages'), ('remember_many', 'memories'),
            ('set_memory_embeddings', 'embeddings'), ('set_message_embeddings', 'embeddings')
        ) AS b (name, argument)
        LEFT JOIN pg_catalog.pg_proc AS p
            ON p.proname = b.name AND p.pronamespace = 'kepler'::pg_catalog.regnamespace
    LOOP
        FOREACH form IN ARRAY ARRAY['json', 'jsonb'] LOOP
            EXECUTE pg_catalog.format(
                'CREATE FUNCTION kepler.%I(%s) RETURNS %s LANGUAGE sql VOLATILE AS %L', batch.name,
                pg_catalog.replace(batch.arguments, batch.argument || ' text', batch.argument || ' ' || form), batch.result,
                pg_catalog.format(' SELECT * FROM kepler.%I(%s) ', batch.name, batch.passed));
        END LOOP;
    END LOOP;
END
$$;
