//! `remove_enrichment_members`: takes out of `records.enrichment` what should not be there.
//!
//! A worker does so with a settle. This is for what no worker has in hand: a result of which more is known by now.

use super::direct::Own;
use super::refusal;
use crate::answer::{self, Answer, Outcome};
use crate::arguments::ArgumentError;
use crate::installed::require_tables;
use crate::pg::array::Array;
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::check_for_interrupts;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

thread_local! {
    // In the order of upserts. What was found stays the newest: who holds the record merges into what is left.
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id, r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL,
                 r.enrichment IS NOT NULL AND ($3 IS NULL OR r.enrichment ?| $3)
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r
          WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.entity_id COLLATE \"C\", r.external_id, r.id COLLATE \"C\" FOR NO KEY UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
    static REMOVE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment = NULLIF(r.enrichment - $3, '{}'::jsonb), updated_at = $4
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id
          RETURNING r.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// Takes members out of what was found for records; all of it where `members` is NULL.
///
/// Errors: 55000 before `install()`, 22004 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn remove_enrichment_members(
    record_ids: Option<Vec<Option<String>>>,
    members: Option<Vec<Option<String>>>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?;
    let members = members.map(|members| members.into_iter().flatten().collect::<Vec<_>>());
    let workspace_id = workspace::argument(workspace_id)?;
    let told = Spi::connect_mut(|client| {
        let _own = Own::begin();
        remove(client, &Text::new(&workspace_id), &ids, members.as_deref())
    });
    Ok(TableIterator::new(answer::rows(told)))
}

fn remove(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    ids: &[Option<String>],
    members: Option<&[String]>,
) -> Vec<Answer<Option<String>>> {
    let mut given = Array::texts(ids.iter().flatten().map(String::as_str));
    let mut names = members.map(|members| Array::texts(members.iter().map(String::as_str)));
    let parameters =
        [Some(workspace.datum()), Some(given.datum()), names.as_mut().map(|names| names.datum())];
    let rows = LOCK.with(|plan| plan.run(client, &parameters));
    let known: HashMap<&str, (bool, bool)> = rows
        .iter::<3>()
        .filter_map(|row| Some((row.text(0)?, (row.boolean(1)?, row.boolean(2)?))))
        .collect();
    let mut seen = HashSet::new();
    let concerned: Vec<&str> = rows
        .iter::<3>()
        .filter(|row| row.boolean(1) == Some(true) && row.boolean(2) == Some(true))
        .filter_map(|row| row.text(0))
        .filter(|id| seen.insert(*id))
        .collect();
    let mut fates = HashMap::new();
    if !concerned.is_empty() {
        write(client, workspace, &concerned, members, &mut fates, &mut false);
    }
    let told = ids.iter().map(|id| {
        let answer = |outcome| Answer::new(id.clone(), outcome);
        match id.as_deref().and_then(|id| Some((id, known.get(id)?))) {
            None => answer(Outcome::NotFound),
            Some((_, (false, _))) => answer(Outcome::Gone),
            // Of one that is named again it is so by then.
            Some((id, _)) => match fates.remove(id) {
                None => answer(Outcome::Unchanged),
                Some(None) => answer(Outcome::Updated),
                Some(Some(refusal)) => Answer::rejected(Some(id.to_owned()), refusal),
            },
        }
    });
    told.collect()
}

/// What the database refuses is found by halves.
fn write(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    ids: &[&str],
    members: Option<&[String]>,
    fates: &mut HashMap<String, Option<Refusal>>,
    probed: &mut bool,
) {
    check_for_interrupts!();
    let refusal = match subtransaction::attempt_rows(|| write_all(client, workspace, ids, members))
    {
        Ok(written) => {
            fates.extend(written);
            return;
        }
        Err(refusal) => refusal,
    };
    if !*probed {
        // Raises what is refused whatever the record, for want of a privilege, say.
        *probed = true;
        write_all(client, workspace, &[], members);
    }
    if let [id] = ids {
        fates.insert((*id).to_owned(), Some(refusal));
        return;
    }
    let (first, second) = ids.split_at(ids.len() / 2);
    write(client, workspace, first, members, fates, probed);
    write(client, workspace, second, members, fates, probed);
}

fn write_all(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    ids: &[&str],
    members: Option<&[String]>,
) -> Vec<(String, Option<Refusal>)> {
    let mut given = Array::texts(ids.iter().copied());
    let mut names = members.map(|members| Array::texts(members.iter().map(String::as_str)));
    let parameters = [
        Some(workspace.datum()),
        Some(given.datum()),
        names.as_mut().map(|names| names.datum()),
        Some(pg_sys::Datum::from(now())),
    ];
    let rows = REMOVE.with(|plan| plan.run(client, &parameters));
    let written: HashSet<&str> = rows.iter::<1>().filter_map(|row| row.text(0)).collect();
    let kept = |id: &str| (!written.contains(id)).then(refusal::suppressed);
    ids.iter().map(|&id| (id.to_owned(), kept(id))).collect()
}
