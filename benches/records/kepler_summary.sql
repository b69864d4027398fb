-- Kepler, answered by counts.
SELECT kepler.upsert_records_summary('item', $1, source => 'bench')
