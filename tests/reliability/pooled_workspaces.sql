-- Roles and workspaces of pooled_workspaces.sh. app logs in and is a member of six workspaces; gate logs in and becomes another
-- role for each request: acme and globex, each a member of one workspace, or web, a member of several.
INSERT INTO kepler.workspaces (id, name) SELECT 'w' || i, 'w' || i FROM generate_series(0, 6) AS i;
CREATE ROLE kepler_pooled_app LOGIN;
CREATE ROLE kepler_pooled_own LOGIN;
CREATE ROLE kepler_pooled_gate LOGIN NOINHERIT;
CREATE ROLE kepler_pooled_web;
CREATE ROLE kepler_pooled_acme;
CREATE ROLE kepler_pooled_globex;
GRANT kepler_pooled_web, kepler_pooled_acme, kepler_pooled_globex TO kepler_pooled_gate;
SELECT kepler.grant_access('kepler_pooled_app', 'writer', 'w' || i) FROM generate_series(0, 5) AS i;
SELECT kepler.grant_access('kepler_pooled_web', 'writer', 'w' || i) FROM generate_series(0, 1) AS i;
SELECT kepler.grant_access('kepler_pooled_acme', 'writer', 'w0');
SELECT kepler.grant_access('kepler_pooled_globex', 'writer', 'w1');
SELECT kepler.grant_access('kepler_pooled_own', 'writer', 'w2');
-- Something of each workspace that is there from the beginning, also of w6, where nobody is a member.
INSERT INTO kepler.entities (workspace_id, id, type) SELECT 'w' || i, 'e' || i, 'contact' FROM generate_series(0, 6) AS i;
INSERT INTO kepler.records (workspace_id, entity_id, entity_type, external_id, data)
SELECT 'w' || i, 'e' || i, 'contact', 'first', jsonb_build_object('of', 'w' || i) FROM generate_series(0, 6) AS i;
