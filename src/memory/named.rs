//! Users and languages that elements name, and that are not there.

use super::access::searched;
use crate::answer::Violation;
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

thread_local! {
    static USERS: Statement = const { Statement::new(
        c"SELECT n.id FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE NOT EXISTS (SELECT FROM kepler.users AS u WHERE u.workspace_id = $1 AND u.id = n.id)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Those of the users that are not there.
pub(super) fn unknown_users<'u>(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    named: impl Iterator<Item = &'u str>,
) -> HashSet<String> {
    let named: HashSet<&str> = named.collect();
    if named.is_empty() {
        return HashSet::new();
    }
    let mut ids = Array::texts(named);
    let rows = USERS.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(ids.datum())]));
    rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
}

/// The elements whose language is none of the workspace's, and what is said of each.
pub(super) fn unknown_languages<'l>(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    languages: impl Iterator<Item = Option<&'l str>>,
) -> Result<Vec<(usize, Violation)>, Error> {
    let mut unknown = Vec::new();
    for (at, language) in languages.enumerate() {
        let Some(language) = language else { continue };
        let searched = searched(client, workspace_id)?;
        if !searched.has(language) {
            let text = Error::from(searched.lacks(language)).text();
            unknown.push((at, Violation::invalid("language", text)));
        }
    }
    Ok(unknown)
}
