-- Sessions remember which entry table a record name has, and its version.
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.entry_tables
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.entry_tables
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.entry_tables ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.entry_tables ENABLE ALWAYS TRIGGER announce_truncated;
