-- Kepler, and all its outcome rows read.
SELECT count(*) FROM kepler.upsert_records('item', $1, source => 'bench')
