-- What a blueprint has taken over with `adopt` was there before it, and stays when Kepler goes (kepler.uninstall).

ALTER TABLE kepler.blueprint_tables ADD COLUMN adopted boolean NOT NULL DEFAULT false;
ALTER TABLE kepler.blueprint_enums ADD COLUMN adopted boolean NOT NULL DEFAULT false;

-- Of what releases before have listed the plans tell: what a blueprint has made, or renamed, stands there. Plans do not say the schema;
-- in doubt it was made.
UPDATE kepler.blueprint_tables AS t SET adopted = true
WHERE NOT EXISTS (
    SELECT FROM kepler.blueprint_versions AS v CROSS JOIN LATERAL jsonb_array_elements(v.plan) AS s (step)
    WHERE v.blueprint_name = t.blueprint_name
        AND (s.step ->> 'operation' IN ('rename_table', 'move_table')
            OR (s.step ->> 'operation' = 'create_table' AND s.step ->> 'object' = t.table_name)));
UPDATE kepler.blueprint_enums AS e SET adopted = true
WHERE NOT EXISTS (
    SELECT FROM kepler.blueprint_versions AS v CROSS JOIN LATERAL jsonb_array_elements(v.plan) AS s (step)
    WHERE v.blueprint_name = e.blueprint_name
        AND (s.step ->> 'operation' IN ('rename_type', 'move_type')
            OR (s.step ->> 'operation' = 'create_type' AND s.step ->> 'object' = e.type_name)));

COMMENT ON COLUMN kepler.blueprint_tables.adopted IS 'Whether the table was there before the blueprint, which took it over; uninstall() leaves it';
COMMENT ON COLUMN kepler.blueprint_enums.adopted IS 'Whether the type was there before the blueprint, which took it over; uninstall() leaves it';
