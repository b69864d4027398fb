//! Searches in tables whose rows lie in the parts of a cluster: in the part of a workspace, or in all of them.

use super::relation::Relation;
use super::rows::kept;
use crate::access::current;
use crate::access::membership::{self, Standing};
use crate::error::Error;
use crate::ident::quote;
use crate::memory::error::MemoryError;
use crate::memory::nearest::Plan;
use crate::pg::cluster::part;
use crate::pg::cluster::places::Lies;
use crate::pg::query::Parameters;
use crate::pg::role;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use pgrx::{AnyElement, IntoDatum};

/// A row, as it is given.
pub(super) type Row =
    (AnyElement, Option<f64>, Option<f64>, &'static str, bool, f64, Option<i32>, Option<i32>);

/// What a search was called with.
pub(super) struct Given<'g> {
    pub(super) relation: pg_sys::Oid,
    pub(super) column: &'g str,
    pub(super) embedding: Option<AnyElement>,
    pub(super) max_rows: i32,
    pub(super) filter: Option<AnyElement>,
    /// The same as JSON has it.
    pub(super) filter_text: Option<String>,
    pub(super) metric: &'g str,
    pub(super) min_similarity: Option<f64>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) query_text: Option<String>,
    pub(super) words_column: Option<String>,
    pub(super) language: Option<String>,
    pub(super) fusion: Option<AnyElement>,
}

/// Whether the rows of a table lie in parts, and this session works in none of them.
pub(super) fn are_rows_of(relation: pg_sys::Oid) -> bool {
    part::current() == 0 && part::lies(relation) == Lies::Distributed
}

/// Workspaces that name the parts that are to be searched.
fn keys(client: &mut SpiClient<'_>, given: &Given<'_>) -> Result<Vec<String>, Error> {
    if !matches!(*membership::standing(role::outer()), Standing::Anywhere) {
        return Ok(vec![current::workspace_id()?]);
    }
    let filter = given.filter_text.as_deref().unwrap_or_default();
    let filter = serde_json::from_str::<serde_json::Value>(filter).unwrap_or_default();
    if let Some(workspace) = filter["workspace_id"].as_str() {
        return Ok(vec![workspace.to_owned()]);
    }
    if given.query_text.is_some() {
        // How rare a word is among all rows no part knows.
        let table = Relation::find(client, given.relation, false)?.table;
        return Err(MemoryError::Distributed { table }.into());
    }
    let found = client.update(
        "SELECT pg_catalog.array_agg(k) FROM kepler_internal.part_keys() AS k",
        None,
        &[],
    )?;
    Ok(found.first().get_one::<Vec<String>>()?.unwrap_or_default())
}

/// The rows lie in the given memory.
pub(super) fn search(
    client: &mut SpiClient<'_>,
    given: &Given<'_>,
    memory: pg_sys::MemoryContext,
) -> Result<Vec<Row>, Error> {
    let keys = keys(client, given)?;
    let schema = client
        .update(
            "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension AS e
             JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'",
            None,
            &[],
        )?
        .first()
        .get_one::<String>()?
        .unwrap_or_default();
    let mut parameters = Parameters::default();
    let relation = parameters.datum(pg_sys::REGCLASSOID, Some(given.relation.into()));
    let number = given.min_similarity.and_then(IntoDatum::into_datum);
    let max_rows = Some(pg_sys::Datum::from(given.max_rows));
    let columns = match &given.columns {
        Some(columns) => parameters.texts(columns.iter().map(String::as_str)),
        None => "NULL".to_owned(),
    };
    let text = |parameters: &mut Parameters, text: Option<&str>| match text {
        Some(text) => parameters.text(text),
        None => "NULL".to_owned(),
    };
    let element = |parameters: &mut Parameters, given: &Option<AnyElement>| match given {
        Some(given) => parameters.datum(given.oid(), Some(given.datum())),
        None => "NULL".to_owned(),
    };
    let arguments = [
        relation,
        text(&mut parameters, Some(given.column)),
        format!("{}::{}.vector", element(&mut parameters, &given.embedding), quote(&schema)),
        parameters.datum(pg_sys::INT4OID, max_rows),
        element(&mut parameters, &given.filter),
        text(&mut parameters, Some(given.metric)),
        parameters.datum(pg_sys::FLOAT8OID, number),
        columns,
        text(&mut parameters, given.query_text.as_deref()),
        text(&mut parameters, given.words_column.as_deref()),
        text(&mut parameters, given.language.as_deref()),
        element(&mut parameters, &given.fusion),
    ];
    let (mut found, mut plan) = (Vec::new(), Plan::Exact);
    for key in &keys {
        pgrx::check_for_interrupts!();
        let key = parameters.text(key);
        let sql = format!(
            "SELECT s.document, s.similarity, s.distance, s.plan, s.score, s.vector_rank, s.text_rank
             FROM kepler_internal.search_vectors_of_part({}, {key}) AS s",
            arguments.join(", ")
        );
        for row in parameters.run(client, &sql).iter::<7>() {
            let Some(document) = row.datum(0).and_then(|document| kept(document, memory)) else {
                continue;
            };
            plan = plan.max(Plan::named(row.text(3).unwrap_or_default()));
            let score = row.float(4).unwrap_or(0.0);
            let (similarity, distance) = (row.float(1), row.float(2));
            found.push((
                document,
                similarity,
                distance,
                "",
                false,
                score,
                row.integer(5),
                row.integer(6),
            ));
        }
    }
    if keys.len() > 1 {
        found.sort_by(|one, other| {
            let distance = |row: &Row| row.2.unwrap_or(f64::INFINITY);
            distance(one).total_cmp(&distance(other))
        });
        found.truncate(usize::try_from(given.max_rows).unwrap_or_default());
    }
    let exhausted = found.len() < usize::try_from(given.max_rows).unwrap_or_default();
    for (at, row) in found.iter_mut().enumerate() {
        (row.3, row.4) = (plan.name(), exhausted);
        if keys.len() > 1 {
            row.6 = row.6.map(|_| at as i32 + 1);
        }
    }
    Ok(found)
}
