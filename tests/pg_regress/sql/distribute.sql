-- Without Citus the functions for a cluster change nothing, and say what is missing. No other function notices them.
\set SHOW_CONTEXT never
BEGIN;
SELECT what, relation, action, reason FROM kepler.plan_distribution() WHERE what = 'check';

-- Where each table would lie. What is not listed here is distributed by workspace, and has the column for that.
SELECT relation, reason FROM kepler.plan_distribution() WHERE what = 'table' AND action <> 'distribute' ORDER BY reason, relation::text;
SELECT p.relation FROM kepler.plan_distribution() AS p WHERE p.action = 'distribute' AND NOT EXISTS (
    SELECT FROM pg_attribute AS a WHERE a.attrelid = p.relation AND a.attname = 'workspace_id' AND a.attnotnull);
-- Each table of Kepler's has its place.
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.oid NOT IN (SELECT p.relation FROM kepler.plan_distribution() AS p WHERE p.what = 'table');

-- The foreign keys that a trigger stands in for are those that it knows.
SELECT relation, reason FROM kepler.plan_distribution() WHERE what = 'key';
SELECT k.conname FROM pg_constraint AS k
WHERE k.contype = 'f' AND k.confdeltype = 'n' AND k.connamespace = 'kepler'::regnamespace AND k.conparentid = 0
    AND NOT EXISTS (
        SELECT FROM kepler_internal.emptied_references() AS e
        WHERE e.relation = k.conrelid AND e.name = k.conname
            AND pg_get_constraintdef(k.oid) LIKE format('%% ON DELETE SET NULL (%s)', e.column_name));

SAVEPOINT before;
SELECT kepler.distribute();
ROLLBACK TO before;
SELECT kepler.distribute(0);
ROLLBACK TO before;
SELECT count(*) AS undistributed FROM kepler.undistribute();

-- For the owner alone, whatever level a role has.
CREATE ROLE distribute_admin;
SELECT kepler.grant_access('distribute_admin', 'admin');
SET LOCAL ROLE distribute_admin;
SAVEPOINT before;
SELECT kepler.plan_distribution();
ROLLBACK TO before;
SELECT kepler.distribute();
ROLLBACK TO before;
SELECT kepler.undistribute();
ROLLBACK TO before;
-- What the planner alone may call, and what a cluster alone calls.
SELECT kepler_internal.ship(1, 2, 3);
ROLLBACK TO before;
-- What it reads is what the planner puts there: a function, a place, a text, and the function's own type of result.
SELECT kepler_internal.ship('kepler.next_claim_at'::regproc::oid::bigint, 1, 'lead'::text, 12345);
ROLLBACK TO before;
SELECT kepler_internal.ship('kepler.next_claim_at'::regproc::oid, 1, 'lead'::text, 12345);
ROLLBACK TO before;
SELECT kepler_internal.ship('kepler.next_claim_at'::regproc::oid, 1, 'lead'::text, 'default'::text);
ROLLBACK TO before;
SELECT kepler_internal.ship('kepler.next_claim_at'::regproc::oid, 1::bigint, 'lead'::text, 'default'::text);
ROLLBACK TO before;
SELECT kepler_internal.ship(NULL::oid, NULL::integer, NULL::text, NULL::text);
ROLLBACK TO before;
SELECT kepler_internal.enter_part('default', '{}');
ROLLBACK TO before;
SELECT kepler_internal.look_into_part('default', '{kepler.workspace_id,other}');
ROLLBACK;
-- There are no parts and no nodes; what lies somewhere is here.
SELECT count(*) FROM (SELECT kepler_internal.part_keys() UNION ALL SELECT kepler_internal.node_keys()) AS k;
SELECT kepler_internal.relation_here('kepler.records');
