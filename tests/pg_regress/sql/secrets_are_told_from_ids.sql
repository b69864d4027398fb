-- Credentials of forty kinds are found in a table, and 5,000 ids, hashes, images, cursors and URLs are taken for none. They are made here, from
-- digests: nobody's scanner takes this file for a leak.
\set SHOW_CONTEXT never
BEGIN;
-- A text of letters of an alphabet, the same each time.
CREATE FUNCTION pg_temp.body(alphabet text, length integer, seed text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT string_agg(substr(alphabet, 1 + (('x' || substr(md5(seed || i), 1, 7))::bit(28)::integer % char_length(alphabet)), 1), '' ORDER BY i)
FROM generate_series(1, length) AS i $$;
CREATE FUNCTION pg_temp.an(length integer, seed text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT pg_temp.body('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', length, seed) $$;
CREATE FUNCTION pg_temp.hex(length integer, seed text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_temp.body('0123456789abcdef', length, seed) $$;
CREATE FUNCTION pg_temp.b64(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT replace(encode(convert_to($1, 'UTF8'), 'base64'), E'\n', '') $$;
CREATE FUNCTION pg_temp.b64url(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT rtrim(translate(pg_temp.b64($1), '+/', '-_'), '=') $$;

CREATE TABLE found (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, expected text, value text);
INSERT INTO found (expected, value) SELECT k.expected, format(w.around, k.value)
FROM generate_series(1, 3) AS s (s)
CROSS JOIN LATERAL (VALUES
    ('aws_access_key_id', 'AK' || 'IA' || pg_temp.body('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16, 'a' || s)),
    ('google_api_key', 'AI' || 'za' || pg_temp.an(35, 'b' || s)),
    ('google_oauth_client_secret', 'GOC' || 'SPX-' || pg_temp.an(28, 'c' || s)),
    ('google_oauth_access_token', 'ya' || '29.' || pg_temp.an(120, 'd' || s)),
    ('azure_storage_account_key', 'Account' || 'Key=' || pg_temp.an(86, 'e' || s) || '=='),
    ('azure_client_secret', pg_temp.an(3, 'f' || s) || '8' || 'Q~' || pg_temp.an(34, 'g' || s)),
    ('digitalocean_token', 'dop' || '_v1_' || pg_temp.hex(64, 'h' || s)),
    ('databricks_token', 'da' || 'pi' || pg_temp.hex(32, 'i' || s)),
    ('supabase_token', 'sbp' || '_' || pg_temp.hex(40, 'j' || s)),
    ('github_token', 'gh' || 'o_' || pg_temp.an(36, 'k' || s)),
    ('github_fine_grained_token', 'github' || '_pat_' || pg_temp.an(22, 'l' || s) || '_' || pg_temp.an(59, 'm' || s)),
    ('gitlab_token', 'gl' || 'pat-' || pg_temp.an(20, 'n' || s)),
    ('npm_token', 'np' || 'm_' || pg_temp.an(36, 'o' || s)),
    ('pypi_token', 'py' || 'pi-AgEIcHlwaS5vcmc' || pg_temp.an(150, 'p' || s)),
    ('docker_token', 'dckr' || '_pat_' || pg_temp.an(27, 'q' || s)),
    ('terraform_token', pg_temp.an(14, 'r' || s) || '.atlas' || 'v1.' || pg_temp.an(67, 's' || s)),
    ('vault_token', 'hv' || 's.' || pg_temp.an(95, 't' || s)),
    ('age_secret_key', 'AGE-SECRET' || '-KEY-1' || pg_temp.body('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58, 'u' || s)),
    ('anthropic_api_key', 'sk' || '-ant-api03-' || pg_temp.an(93, 'v' || s) || 'AA'),
    ('openai_api_key', 'sk' || '-proj-' || pg_temp.an(120, 'w' || s)),
    ('huggingface_token', 'h' || 'f_' || pg_temp.an(34, 'x' || s)),
    ('groq_api_key', 'gs' || 'k_' || pg_temp.an(52, 'y' || s)),
    ('stripe_api_key', 'sk' || '_live_' || pg_temp.an(24, 'z' || s)),
    ('stripe_webhook_secret', 'wh' || 'sec_' || pg_temp.an(32, 'A' || s)),
    ('square_token', 'sq0' || 'atp-' || pg_temp.an(22, 'B' || s)),
    ('slack_token', 'xo' || 'xb-' || pg_temp.body('123456789', 12, 'C' || s) || '-' || pg_temp.an(24, 'D' || s)),
    ('slack_webhook', 'https://hooks.' || 'slack.com/services/T0' || pg_temp.an(8, 'E' || s) || '/B0' || pg_temp.an(8, 'F' || s) || '/' || pg_temp.an(24, 'G' || s)),
    ('telegram_bot_token', pg_temp.body('123456789', 10, 'H' || s) || ':A' || 'A' || pg_temp.an(33, 'I' || s)),
    ('shopify_token', 'shp' || 'at_' || pg_temp.hex(32, 'J' || s)),
    ('hubspot_token', 'pat' || '-na1-' || md5('K' || s)::uuid),
    ('salesforce_access_token', '00' || 'D' || pg_temp.an(15, 'L' || s) || '!' || pg_temp.an(96, 'M' || s)),
    ('salesforce_refresh_token', '5Ae' || 'p861' || pg_temp.an(80, 'N' || s)),
    ('notion_token', 'nt' || 'n_' || pg_temp.body('123456789', 11, 'O' || s) || pg_temp.an(35, 'P' || s)),
    ('linear_token', 'lin' || '_api_' || pg_temp.an(40, 'Q' || s)),
    ('figma_token', 'fig' || 'd_' || pg_temp.an(40, 'R' || s)),
    ('postman_api_key', 'PM' || 'AK-' || pg_temp.hex(24, 'S' || s) || '-' || pg_temp.hex(34, 'T' || s)),
    ('sendgrid_api_key', 'S' || 'G.' || pg_temp.an(22, 'U' || s) || '.' || pg_temp.an(43, 'V' || s)),
    ('grafana_token', 'gl' || 'sa_' || pg_temp.an(32, 'W' || s) || '_' || pg_temp.hex(8, 'X' || s)),
    ('new_relic_key', 'NR' || 'AK-' || pg_temp.body('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 27, 'Y' || s)),
    ('sentry_token', 'sn' || 'tryu_' || pg_temp.hex(64, 'Z' || s)),
    ('json_web_token', pg_temp.b64url('{"alg":"HS256","typ":"JWT"}') || '.' || pg_temp.b64url('{"sub":"' || s || '"}') || '.' || pg_temp.an(43, 'aa' || s)),
    ('private_key', '-----BEGIN ' || 'PRIVATE KEY-----' || E'\n' || pg_temp.an(64, 'ab' || s) || E'\n-----END PRIVATE KEY-----'),
    ('url_password', 'postgresql://app:' || pg_temp.an(12, 'ac' || s) || '@db.internal:5432/app'),
    ('connection_string_password', 'Server=db;Database=app;User ID=sa;Password=' || pg_temp.an(14, 'ad' || s) || ';Encrypt=true'),
    ('authorization_header', 'Authorization: Bearer ' || pg_temp.an(40, 'ae' || s)),
    ('authorization_header', 'Authorization: Basic ' || pg_temp.b64('app:' || pg_temp.an(12, 'af' || s))),
    ('query_secret', 'https://api.example.org/x?access_token=' || pg_temp.an(40, 'ag' || s))
) AS k (expected, value)
CROSS JOIN (VALUES ('%s'), ('please use %s, thank you'), (E'A=%s\nB=1'), ('["a", {"b": "%s"}]')) AS w (around)
WHERE w.around NOT LIKE '[%' OR k.value NOT LIKE E'%\n%';
SELECT count(DISTINCT expected) AS kinds, count(*) > 500 AS many FROM found;
SELECT f.expected, count(*), min(f.value) FROM found AS f
LEFT JOIN kepler.find_secrets('found') AS s ON s.key ->> 'id' = f.id::text AND s.column_name = 'value' AND s.kind = f.expected
WHERE s.kind IS NULL GROUP BY 1;
SELECT s.kind, f.expected FROM found AS f JOIN kepler.find_secrets('found') AS s ON s.key ->> 'id' = f.id::text WHERE s.kind <> f.expected;

CREATE TABLE harmless (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text);
INSERT INTO harmless (value) SELECT v FROM generate_series(1, 250) AS s, LATERAL unnest(ARRAY[
    md5('a' || s)::uuid::text, pg_temp.body('abcdefghijklmnopqrstuvwxyz0123456789', 24, 'b' || s), md5('c' || s), encode(sha256(convert_to('d' || s, 'UTF8')), 'hex'), substr(encode(sha256(convert_to('e' || s, 'UTF8')), 'hex'), 1, 40),
    'W/"' || md5('f' || s) || '"', '001' || pg_temp.an(15, 'g' || s), '00D' || pg_temp.an(12, 'h' || s), pg_temp.b64('{"id": ' || s || ', "at": "2026-01-01"}'), 'user' || s || '@example.com',
    'https://example.com/items?page_token=' || pg_temp.an(60, 'i' || s), 'https://example.com/a?cursor=' || pg_temp.b64url('{"after": ' || s || '}') || '&limit=' || s, pg_temp.an(21, 'j' || s), 'pk' || '_live_' || pg_temp.an(24, 'k' || s), 'cus_' || pg_temp.an(14, 'l' || s),
    pg_temp.b64url('{"alg":"none"}') || '.' || pg_temp.b64url('{"sub":"' || s || '"}') || '.', 'eyJ' || pg_temp.an(30, 'm' || s) || '.' || pg_temp.an(30, 'n' || s), 'data:image/png;base64,iVBORw0KGgo' || pg_temp.an(80, 'o' || s) || '/' || pg_temp.an(60, 'p' || s) || '+' || pg_temp.an(64, 'q' || s),
    '{"nextPageToken": "' || pg_temp.an(40, 'r' || s) || '", "syncToken": "' || pg_temp.an(30, 's' || s) || '", "secretRef": "vault:team/' || s || '", "password": "${DB_PASSWORD}", "token_type": "Bearer", "key": "' || md5('t' || s) || '"}',
    'commit ' || substr(encode(sha256(convert_to('u' || s, 'UTF8')), 'hex'), 1, 40)]) AS v;
SELECT count(*) FROM harmless;
SELECT s.kind, h.value FROM kepler.find_secrets('harmless') AS s JOIN harmless AS h ON h.id::text = s.key ->> 'id';
ROLLBACK;
