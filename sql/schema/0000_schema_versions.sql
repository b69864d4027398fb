-- Which files of this folder have run. install() creates this table before it runs the first file.
CREATE TABLE kepler.schema_versions (
    version integer PRIMARY KEY,
    name text NOT NULL,
    library_version text NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE kepler.schema_versions IS 'Steps of Kepler''s schema that have run in this database';
COMMENT ON COLUMN kepler.schema_versions.version IS 'Number of the step, from 1';
COMMENT ON COLUMN kepler.schema_versions.library_version IS 'Version of the extension that ran the step';
