-- Postgres checks keys and references over all rows, whatever policies hide. In tables that hold rows of several workspaces, a plan
-- warns of unique sets and references that would tell what others have.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMP TABLE documents (version integer, document text);
INSERT INTO documents VALUES (1, '{"blueprint": "desk", "tenancy": {"field": "tenant"}, "tables": [
    {"name": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [
        {"name": "tenant", "type": "text", "required": true}, {"name": "number", "type": "integer", "unique": true}, {"name": "code", "type": "text"}],
     "unique": [["tenant", "code"], ["tenant", "id"], {"fields": ["code"], "name": "code_of_all", "index": true}]},
    {"name": "kinds", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "label", "type": "text", "unique": true}]},
    {"name": "lines", "key": {"name": "id", "type": "bigint"}, "fields": [
        {"name": "tenant", "type": "text", "required": true}, {"name": "order_id", "type": "bigint"}, {"name": "other", "type": "reference", "to": "orders"}, {"name": "kind", "type": "reference", "to": "kinds"}],
     "references": [{"fields": ["tenant", "order_id"], "to": "orders", "to_fields": ["tenant", "id"]}]}]}');
SELECT p.operation, p.object, h.hazard FROM documents AS d, kepler.plan_blueprint(d.document) AS p, unnest(p.hazards) AS h (hazard) WHERE d.version = 1 ORDER BY p.step;
SELECT outcome FROM documents AS d, kepler.apply_blueprint(d.document) WHERE d.version = 1;

-- What is told: a number that another workspace has is refused, and one that nobody has is not.
INSERT INTO kepler.workspaces (id, name) VALUES ('desk_a', 'A'), ('desk_b', 'B');
INSERT INTO desk.orders (tenant, number, code) VALUES ('desk_b', 7, 'B');
CREATE ROLE desk_a;
SELECT kepler.grant_access('desk_a', 'writer', 'desk_a');
SET LOCAL ROLE desk_a;
SELECT count(*) FROM desk.orders;
SAVEPOINT s;
INSERT INTO desk.orders (tenant, number) VALUES ('desk_a', 7);
ROLLBACK TO s;
INSERT INTO desk.lines (tenant, other) SELECT 'desk_a', 1;
INSERT INTO desk.orders (tenant, code) VALUES ('desk_a', 'A');
INSERT INTO desk.lines (tenant, order_id) VALUES ('desk_a', 1);
ROLLBACK TO s;
RESET ROLE;

-- A later version is warned of too.
SELECT p.operation, p.object, h.hazard FROM documents AS d, kepler.plan_blueprint(replace(d.document, '"label", "type": "text"', '"label", "type": "text"')) AS p, unnest(p.hazards) AS h (hazard);
SELECT p.operation, p.object, h.hazard FROM documents AS d,
    kepler.plan_blueprint(replace(d.document, '["tenant", "id"],', '["tenant", "id"], ["number", "code"],')) AS p, unnest(p.hazards) AS h (hazard);
ROLLBACK;
