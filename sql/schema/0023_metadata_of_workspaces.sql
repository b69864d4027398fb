-- The indexes on metadata know the workspace: they are over the metadata below its id, as in {"acme": {"topic": "x"}}. So what a filter costs is
-- what the own rows cost: others' rows with the same values are not read, and no time tells of them. Writes wait
-- while the indexes are built; the former ones go at the end.
CREATE INDEX memories_metadata_of_idx ON kepler.memories USING gin (jsonb_set('{}', ARRAY[workspace_id], metadata, true) jsonb_path_ops) WITH (gin_pending_list_limit = 256);
CREATE INDEX messages_metadata_of_idx ON kepler.messages USING gin (jsonb_set('{}', ARRAY[workspace_id], metadata, true) jsonb_path_ops) WITH (gin_pending_list_limit = 256);
-- Nothing is planned by what they hold: the searches ask them how many rows they have.
ALTER INDEX kepler.memories_metadata_of_idx ALTER COLUMN 1 SET STATISTICS 0;
ALTER INDEX kepler.messages_metadata_of_idx ALTER COLUMN 1 SET STATISTICS 0;
DROP INDEX IF EXISTS kepler.memories_metadata_idx, kepler.messages_metadata_idx;
