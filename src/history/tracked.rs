//! The table whose history is asked for, and what a row of it is now.

use super::error::HistoryError;
use super::rebuild::{LaidOut, Layout};
use super::shape;
use super::write::spelling;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::feed::track;
use crate::ident::{quote, quote_literal};
use crate::pg::cluster::part;
use crate::pg::cluster::places::Lies;
use crate::pg::plan::Statement;
use crate::pg::role;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    /// The table by the number in its triggers; where those of another table have it too, it is the one of that name. By its
    /// name alone, which anybody's table can take, only for $3, who has the rights of the owner anyway.
    static TRACKED: Statement = const { Statement::new(
        c"SELECT t.id, t.level, t.tracked_at, t.untracked_at, g.workspace_id, o.is_sole
          FROM kepler.tracked_tables AS t
          CROSS JOIN LATERAL (
              SELECT 0 AS rank, CASE WHEN x.tgnargs = 2 THEN pg_catalog.convert_from(pg_catalog.substring(
                  x.tgargs, pg_catalog.length(t.id::text) + 2,
                  pg_catalog.length(x.tgargs) - pg_catalog.length(t.id::text) - 2), 'UTF8') END AS workspace_id
              FROM pg_catalog.pg_trigger AS x
              WHERE x.tgrelid = $1 AND x.tgfoid = 'kepler_internal.tell_history()'::pg_catalog.regprocedure
                  AND pg_catalog.substring(x.tgargs, 1, pg_catalog.length(t.id::text) + 1)
                      = pg_catalog.convert_to(t.id::text, 'UTF8') || '\\x00'::bytea
              UNION ALL
              SELECT 1, (SELECT e.workspace_id FROM kepler.entry_tables AS e
                  WHERE 'kepler_data.' || pg_catalog.quote_ident(e.table_name) = t.name)
              WHERE t.name = $2 AND $3
          ) AS g
          CROSS JOIN LATERAL (SELECT NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              JOIN pg_catalog.pg_trigger AS x ON x.oid = d.objid AND x.tgparentid = 0
                  AND x.tgrelid <> $1 AND x.tgrelid IS DISTINCT FROM pg_catalog.pg_partition_root($1)
                  AND pg_catalog.substring(x.tgargs, 1, pg_catalog.length(t.id::text) + 1)
                      = pg_catalog.convert_to(t.id::text, 'UTF8') || '\\x00'::bytea
              WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                  AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.refobjid = 'kepler_internal.tell_history()'::pg_catalog.regprocedure) AS is_sole) AS o
          WHERE t.level <> 'feed' AND (o.is_sole OR g.rank = 0 AND t.name = $2)
          ORDER BY g.rank, t.untracked_at DESC NULLS FIRST, t.id DESC LIMIT 1",
        &[pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::BOOLOID],
    ) };
    static SECURED: Statement = const { Statement::new(
        c"SELECT COALESCE(bool_and(p.polpermissive AND p.polroles = '{0}'
                 AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) IN (
                     pg_catalog.format('(%I = kepler.current_workspace_id())', $3),
                     pg_catalog.format('((%I)::text = kepler.current_workspace_id())', $3),
                     COALESCE('(' || pg_catalog.quote_literal($2) || '::text = kepler.current_workspace_id())', ''))), false)
          FROM pg_catalog.pg_policy AS p WHERE p.polrelid = $1 AND p.polcmd IN ('*', 'r')",
        &[pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
}

/// A table of which a history is kept.
pub(super) struct Table {
    pub(super) oid: pg_sys::Oid,
    /// As SQL names it.
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) tracked_at: i64,
    pub(super) is_tracked: bool,
    pub(super) workspace: Option<String>,
    /// The column that has it, if there is one.
    pub(super) tenancy: Option<String>,
    /// Whoever has the rights of the owner reads what another table under the same number was, too.
    pub(super) sees_all: bool,
    /// Whether no other table has triggers with its number.
    pub(super) is_sole: bool,
    /// Whether its rows lie in parts of a cluster.
    pub(super) is_distributed: bool,
}

impl Table {
    /// Looks a table up for a caller who may read it.
    pub(super) fn find(
        client: &mut SpiClient<'_>,
        oid: pg_sys::Oid,
        workspace_id: Option<String>,
    ) -> Result<Self, Error> {
        let asked = match workspace_id {
            Some(_) => Some(workspace::argument(workspace_id)?),
            None => None,
        };
        let spelled = track::spelled(client, oid)?;
        if !role::may(pg_sys::ACL_SELECT, oid) {
            return Err(HistoryError::NoRight(spelled).into());
        }
        let own_name = Text::new(&spelled);
        let sees_all = Owner::find()?.is_caller();
        let (number, level, tracked_at, untracked_at, own, is_sole) = {
            let _owner = Owner::find()?.act();
            let parameters = [Some(oid.into()), Some(own_name.datum()), Some(sees_all.into())];
            let rows = TRACKED.with(|plan| plan.run_latest(client, &parameters));
            let row = rows.iter::<6>().next();
            let found = row.and_then(|row| {
                let own = row.text(4).map(str::to_owned);
                Some((
                    row.integer(0)?,
                    row.text(1)?.to_owned(),
                    row.time(2)?,
                    row.time(3),
                    own,
                    row.boolean(5) == Some(true),
                ))
            });
            found.ok_or(HistoryError::NotKept(spelled.clone()))?
        };
        // SAFETY: a look-up.
        let tenancy = match unsafe { pg_sys::get_attnum(oid, c"workspace_id".as_ptr()) } > 0 {
            true => Some("workspace_id".to_owned()),
            false => shape::tenancy(oid)?,
        };
        // Policies by workspace, of rows or of an entry table as a whole, say of what rows were what they say of them now.
        if role::is_secured(oid) {
            let text = own.as_deref().map(Text::new);
            let whose = text.as_ref().map(Text::datum);
            let column = Text::new(tenancy.as_deref().unwrap_or("workspace_id"));
            let parameters = [Some(oid.into()), whose, Some(column.datum())];
            let rows = SECURED.with(|plan| plan.run_latest(client, &parameters));
            let is_by_workspace = rows.iter::<1>().next().and_then(|row| row.boolean(0));
            if is_by_workspace != Some(true) {
                return Err(HistoryError::Secured(spelled).into());
            }
        }
        if level == "deletions" {
            return Err(HistoryError::DeletionsAlone(spelled).into());
        }
        let has_workspace = tenancy.is_some();
        let workspace = match own {
            Some(own) => {
                workspace::require_own(&own)?;
                Some(own)
            }
            None if has_workspace && asked.is_none() => {
                Owner::find()?.require_caller("read changes of rows without a workspace")?;
                None
            }
            None if has_workspace => asked,
            None => None,
        };
        Ok(Self {
            oid,
            name: spelled,
            number,
            tracked_at,
            is_tracked: untracked_at.is_none(),
            workspace,
            tenancy,
            sees_all,
            is_sole,
            is_distributed: part::lies(oid) == Lies::Distributed,
        })
    }

    /// What the row is now, as an image, and the columns of the table.
    pub(super) fn present(&self, id: &str) -> Result<(Option<Vec<u8>>, Layout, String), Error> {
        let (layout, keys) = self.described(id)?;
        let row_id = spelled(&keys);
        let mut condition = Spi::connect_mut(|client| -> Result<String, Error> {
            let found = client.update(
                CONDITION,
                None,
                &[self.oid.into(), keys.into(), self.workspace.as_deref().into()],
            )?;
            Ok(found.first().get_one::<String>()?.unwrap_or_else(|| "false".to_owned()))
        })?;
        if let Some(column) = &self.tenancy {
            let column = quote(column);
            condition.push_str(&match &self.workspace {
                Some(id) => {
                    format!(" AND t.{column}::text OPERATOR(pg_catalog.=) {}", quote_literal(id))
                }
                None => format!(" AND t.{column} IS NULL"),
            });
        }
        let sql = format!(
            "SELECT kepler_internal.row_image(t.*) FROM {} AS t WHERE {condition}",
            self.name
        );
        let has_names = layout.columns.iter().any(|column| column.type_name.starts_with("reg"));
        let _spelling = spelling(true, has_names);
        let image = Spi::connect_elsewhere(|client| -> Result<Option<Vec<u8>>, Error> {
            let mut rows = client.select(&sql, Some(1), &[])?;
            let Some(row) = rows.next() else { return Ok(None) };
            Ok(row[1].value::<Vec<u8>>()?)
        })?;
        Ok((image, layout, row_id))
    }

    /// The key of a row as the history has it.
    pub(super) fn row_id(&self, id: &str) -> Result<String, Error> {
        Ok(spelled(&self.described(id)?.1))
    }

    /// The columns, and the texts of the key without the workspace.
    fn described(&self, id: &str) -> Result<(Layout, Vec<Option<String>>), Error> {
        // SAFETY: the table exists, and is closed again; the lock stays.
        let (row, columns) = unsafe {
            let opened = pg_sys::table_open(self.oid, pg_sys::AccessShareLock as i32);
            let found = crate::feed::shape::of(opened)
                .and_then(|row| Ok((row, shape::columns(self.oid, (*opened).rd_att)?)));
            pg_sys::table_close(opened, pg_sys::NoLock as i32);
            found?
        };
        let expected = row.key.len();
        let keys: Vec<Option<String>> = if expected == 1 {
            vec![Some(id.to_owned())]
        } else {
            let texts = serde_json::from_str(id).ok();
            let bad = || HistoryError::BadKey { table: self.name.clone(), expected };
            texts.filter(|texts: &Vec<_>| texts.len() == expected).ok_or_else(bad)?
        };
        let columns = columns
            .into_iter()
            .map(|column| LaidOut {
                number: column.number.into(),
                name: column.name,
                type_name: column.type_name,
            })
            .collect();
        let relation = self.oid.to_u32();
        let layout =
            Layout { id: None, node: 0, epoch: 0, relation, created_at: i64::MAX, columns };
        Ok((layout, keys))
    }
}

/// A key as the triggers write it.
fn spelled(keys: &[Option<String>]) -> String {
    match keys {
        [Some(only)] => only.clone(),
        several => serde_json::to_string(several).unwrap_or_default(),
    }
}

/// The condition that finds a row by the texts of its key, by the operators of the primary key.
const CONDITION: &str = "
    SELECT pg_catalog.string_agg(pg_catalog.format('t.%I OPERATOR(%I.%s) %L::%s', k.attname, n.nspname, o.oprname,
        CASE WHEN k.is_workspace THEN $3 ELSE ($2::text[])[k.place] END,
        pg_catalog.format_type(k.atttypid, k.atttypmod)), ' AND ')
    FROM (
        SELECT a.attname, a.atttypid, a.atttypmod, u.opclass,
               a.attname = 'workspace_id' AND i.indnkeyatts > 1 AS is_workspace,
               pg_catalog.count(*) FILTER (WHERE NOT (a.attname = 'workspace_id' AND i.indnkeyatts > 1))
                   OVER (ORDER BY u.place) AS place
        FROM pg_catalog.pg_index AS i
        CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::smallint[]), pg_catalog.unnest(i.indclass::oid[]))
            WITH ORDINALITY AS u (attnum, opclass, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        WHERE i.indrelid = $1 AND i.indisprimary AND u.place <= i.indnkeyatts
    ) AS k
    JOIN pg_catalog.pg_opclass AS c ON c.oid = k.opclass
    JOIN pg_catalog.pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype
        AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
    JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
    JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace";
