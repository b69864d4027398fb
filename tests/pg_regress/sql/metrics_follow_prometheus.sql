-- metrics() gives what Prometheus takes: names, types, help and labels as its linter wants them, each sample once.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('scrape "it"', 'x');
SELECT kepler.use_workspace('scrape "it"');
SELECT count(*) FROM kepler.set_enrichment_policy(E'a\nb');
INSERT INTO kepler.consumers (name, cursor) VALUES ('c', kepler.feed_cursor());
SELECT count(*) FROM kepler.create_embedding_space('scraped', 3, 'm');
CREATE TEMPORARY TABLE samples AS SELECT * FROM kepler.metrics();
CREATE TEMPORARY TABLE names AS SELECT * FROM kepler_internal.metric_names();

SELECT n.name AS bad_name FROM names AS n WHERE n.name !~ '^kepler_[a-z][a-z_]*[a-z]$' OR n.name ~ '__|_(count|sum|bucket|info_total|gauge|counter|ms|millis|kb|mb|kilobytes|minutes|hours|days|percent)$';
SELECT n.name AS bad_type FROM names AS n WHERE n.type NOT IN ('gauge', 'counter') OR (n.type = 'counter') <> (n.name ~ '_total$');
SELECT n.name AS bad_help FROM names AS n WHERE n.help !~ '^[A-Z0-9].*[^.\s]$' OR n.help ~ '\n';
SELECT n.name AS twice FROM names AS n GROUP BY 1 HAVING count(*) > 1;
-- An age is in seconds, and a size in bytes.
SELECT n.name AS without_unit FROM names AS n WHERE n.name ~ 'age' AND n.name !~ '_seconds$';
SELECT DISTINCT l.key AS bad_label FROM samples AS s CROSS JOIN LATERAL jsonb_each(s.labels) AS l (key, value)
WHERE l.key !~ '^[a-z][a-z_]*$' OR l.key IN ('le', 'quantile', 'job', 'instance', 'type', 'name') OR jsonb_typeof(l.value) <> 'string';
-- All samples of a name have its labels, and no two have the same values.
SELECT s.name AS differ FROM samples AS s JOIN names AS n ON n.name = s.name
WHERE NOT (s.labels ?& n.label_names AND (SELECT count(*) FROM jsonb_object_keys(s.labels)) = cardinality(n.label_names));
SELECT s.name, s.labels FROM samples AS s GROUP BY 1, 2 HAVING count(*) > 1;
SELECT s.name AS odd FROM samples AS s WHERE s.value IS NULL OR s.value = 'NaN' OR s.value < 0;
SELECT s.name AS unknown FROM samples AS s WHERE NOT EXISTS (SELECT FROM names AS n WHERE (n.name, n.type, n.help) = (s.name, s.type, s.help));
SELECT s.labels FROM samples AS s WHERE s.name = 'kepler_queue_ready_records' AND s.labels ->> 'workspace_id' LIKE 'scrape%';
ROLLBACK;
