#!/usr/bin/env bash
# Promise: a plan and a drift read what their own blueprint is about, and not more where the database holds hundreds of other
# tables, types and schemas (TABLES=400).
# Runs on: 16, because the catalog is read in the same way.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
start_server "$major"
database=kepler_blueprint_among_others
drop() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"; }
trap drop EXIT
fresh_database $database install
"$PG_BIN/psql" -XAtq -d $database -v ON_ERROR_STOP=1 -v tables="${TABLES:-400}" <<'SQL'
SET client_min_messages = warning;
-- Pages that a call reads, once a session has made its plans.
CREATE FUNCTION public.pages(call text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answer json;
    least bigint;
BEGIN
    FOR i IN 1 .. 5 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || call INTO answer;
        least := least((answer -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (answer -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint, least);
    END LOOP;
    RETURN least;
END
$$;
CREATE TABLE public.read (call text, before bigint, after bigint);
CREATE FUNCTION public.document(more text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "enums": {"status": ["new", "sent"]}, "tables": [
    {"name": "customers", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "email", "type": "text", "unique": true}%s]},
    {"name": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "customer", "type": "reference", "to": "customers"},
        {"name": "status", "type": "enum", "enum": "status"}, {"name": "total", "type": "integer", "min": 0, "default": 0}]}]}', more)
$$;
SELECT steps > 0 FROM kepler.apply_blueprint(public.document(''));
INSERT INTO public.read (call) VALUES
    ('SELECT * FROM kepler.plan_blueprint(public.document(''''))'),
    ('SELECT * FROM kepler.plan_blueprint(public.document('', {"name": "note", "type": "text"}''))'),
    ('SELECT * FROM kepler.blueprint_drift(''shop'')');
UPDATE public.read SET before = public.pages(call);
-- Nobody waits for the disk.
SET synchronous_commit = off;
CREATE SCHEMA others;
CREATE TYPE others.kind AS ENUM ('a', 'b');
CREATE TABLE others.first (id bigint PRIMARY KEY);
SELECT format('CREATE SCHEMA others_%1$s; CREATE TYPE others_%1$s.kind AS ENUM (''a'')', i) FROM generate_series(1, :tables / 10) AS i \gexec
SELECT format('CREATE TABLE others.t%s (id bigserial PRIMARY KEY, a text UNIQUE, k others.kind DEFAULT ''a'', f bigint REFERENCES others.first, CHECK (id > 0))', i)
FROM generate_series(1, :tables) AS i \gexec
ANALYZE;
\c
UPDATE public.read SET after = public.pages(call);
SELECT format('%s pages, then %s: %s', before, after, call) FROM public.read;
DO $$
DECLARE
    worse text := (SELECT string_agg(call, ', ') FROM public.read WHERE after > before * 1.5 + 50);
BEGIN
    IF worse IS NOT NULL THEN
        RAISE EXCEPTION 'it reads more among others: %', worse;
    END IF;
END
$$;
SQL
