"""A Singer target that fills Kepler, the Postgres extension for synced records."""
