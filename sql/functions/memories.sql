-- Remembering, for callers with one memory; forgetting, and what became of memories.

CREATE FUNCTION kepler.remember(
    content text,
    embedding @extschema:vector@.vector DEFAULT NULL,
    user_id text DEFAULT NULL,
    context_type text DEFAULT 'fact',
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT 0.5,
    valid_from timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    supersedes text DEFAULT NULL,
    dedupe boolean DEFAULT false,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (memory_id text, action text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler._remember($1, false, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) $$;

CREATE FUNCTION kepler.remember(
    content jsonb,
    embedding @extschema:vector@.vector DEFAULT NULL,
    user_id text DEFAULT NULL,
    context_type text DEFAULT 'fact',
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT 0.5,
    valid_from timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    supersedes text DEFAULT NULL,
    dedupe boolean DEFAULT false,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (memory_id text, action text)
LANGUAGE sql VOLATILE
AS $$
SELECT * FROM kepler._remember($1::pg_catalog.text, true, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
$$;
