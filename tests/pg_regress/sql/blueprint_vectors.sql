-- An index over vectors is better built when the rows are there: it is noted and told until somebody has built it, and nobody calls
-- that drift.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
\set document '{"blueprint": "vec", "extensions": ["vector"], "tables": [{"name": "Doc", "table": "docs", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "embedding", "type": "vector", "dimensions": 3}], "indexes": [{"fields": ["embedding"], "method": "hnsw", "metric": "cosine", "options": {"m": 8}}]}]}'
SELECT operation, object, phase, hazards FROM kepler.plan_blueprint(:'document');
SELECT * FROM kepler.apply_blueprint(:'document');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
SELECT * FROM kepler.apply_blueprint(:'document');
SELECT object_type, object, kind, expected FROM kepler.blueprint_drift('vec') WHERE kind <> 'coverage';
-- Built by hand, by the statement.
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
SELECT object_type, object, kind FROM kepler.blueprint_drift('vec') WHERE kind <> 'coverage';
SELECT version, outcome, deferred FROM kepler.apply_blueprint(:'document');
SELECT deferred FROM kepler.blueprints;
-- Or with everything else.
SELECT outcome FROM kepler.drop_blueprint('vec');
SELECT outcome, deferred FROM kepler.apply_blueprint(:'document', options => '{"vector_indexes": "now"}');
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'vec.docs'::regclass AND NOT indisprimary;
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
-- Dropped by hand it is missing.
DROP INDEX vec.docs_embedding_idx;
SELECT operation, phase FROM kepler.repair_blueprint('vec');
SELECT version, outcome, array_length(deferred, 1) AS deferred FROM kepler.apply_blueprint(:'document');
SELECT object_type, object, kind FROM kepler.blueprint_drift('vec') WHERE kind <> 'coverage';
ROLLBACK;
