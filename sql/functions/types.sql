-- Types that tables and functions share.

CREATE TYPE kepler.connection_status AS ENUM ('ACTIVE', 'INACTIVE');
COMMENT ON TYPE kepler.connection_status IS 'Whether a connection is in use';

CREATE TYPE kepler.record_status AS ENUM ('ACTIVE', 'ARCHIVED');
COMMENT ON TYPE kepler.record_status IS 'Whether the application still works with a record';

CREATE TYPE kepler.record_enrichment_status AS ENUM ('UNAPPLIED', 'PENDING', 'APPLIED', 'FAILED');
COMMENT ON TYPE kepler.record_enrichment_status IS 'How far the enrichment of a record has come';
