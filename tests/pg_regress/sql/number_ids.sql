-- An external id that is a number is the text that ->> gives of it, so that a join with data finds the record.
BEGIN;
SELECT count(*), count(*) FILTER (WHERE outcome = 'inserted') AS inserted FROM kepler.upsert_records('number', '[
    {"id": 1}, {"id": 1.0}, {"id": 1.50}, {"id": -2}, {"id": -0.0}, {"id": -0}, {"id": 1e2}, {"id": 1.5e3}, {"id": 1.50e1}, {"id": 12E-3},
    {"id": 0.10}, {"id": 0e5}, {"id": 0.000e2}, {"id": -12.30e-2}, {"id": 9007199254740993}, {"id": 123456789012345678901234567890},
    {"id": 1e-7}, {"id": 5E+1}, {"id": 10.00}]', id_key => 'id');
SELECT external_id, data ->> 'id' AS in_data FROM kepler.records WHERE entity_type = 'number' AND external_id <> data ->> 'id';
SELECT external_id FROM kepler.records WHERE entity_type = 'number' ORDER BY data -> 'id', external_id;
-- What is no key.
SELECT outcome, error_code FROM kepler.upsert_records('number', '[{"id": 1e200}, {"id": 1e-200}, {"id": 1e99999999}, {"id": 01}, {"id": 1.}]', id_key => 'id');
ROLLBACK;
