//! The namespaces that memories are in.
//!
//! Each is found by one look-up in the index, behind the one before: what a list costs is the namespaces that it
//! gives, however many memories they have. A list that is cut to a depth looks behind all that is below.

use crate::error::Error;
use crate::memory::access::Reader;
use crate::memory::embedded::Embedded;
use crate::memory::narrow::narrowest;
use crate::memory::place::{ANY_LABEL, SEPARATOR};
use crate::memory::scope::{Scope, User};
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// So many are looked up by one statement at most.
const CHUNK: usize = 1_000;
/// If a user has no more memories, or not in these namespaces, the namespaces are read from those.
const FEW: usize = 2_000;

/// What is asked for.
pub(super) struct Wanted {
    /// What a namespace begins and ends with; a label may stand for any.
    pub(super) prefix: Vec<String>,
    pub(super) suffix: Vec<String>,
    /// It is cut to so many labels.
    pub(super) max_depth: Option<usize>,
    pub(super) max_rows: usize,
    /// The last one of the page before.
    pub(super) after: Option<String>,
}

impl Wanted {
    /// The labels that a namespace begins with for sure.
    pub(super) fn fixed(&self) -> String {
        let fixed = self.prefix.iter().take_while(|label| *label != ANY_LABEL);
        fixed.map(String::as_str).collect::<Vec<_>>().join("/")
    }

    fn meets(&self, labels: &[&str]) -> bool {
        let is = |(wanted, label): (&String, &&str)| wanted == ANY_LABEL || wanted == label;
        labels.len() >= self.prefix.len().max(self.suffix.len())
            && self.prefix.iter().zip(labels).all(is)
            && self.suffix.iter().rev().zip(labels.iter().rev()).all(is)
    }

    /// Whether all that is below a cut namespace is as good as any of it.
    fn skips(&self) -> Option<usize> {
        let depth = self.max_depth?;
        (self.suffix.is_empty() && depth >= self.prefix.len()).then_some(depth)
    }

    /// The least place, a namespace with a slash behind it, that comes behind another one.
    fn behind(&self, namespace: &str) -> String {
        let labels = 1 + namespace.matches(SEPARATOR).count();
        // A cut namespace stands for all that is below it.
        match self.max_depth == Some(labels) {
            true => format!("{namespace}0"),
            false => format!("{namespace}/\u{1}"),
        }
    }

    /// What of a namespace is given, if it is one of those.
    fn cut(&self, place: &str) -> Option<String> {
        let labels: Vec<&str> = place.strip_suffix(SEPARATOR)?.split(SEPARATOR).collect();
        let depth = self.max_depth.unwrap_or(labels.len()).min(labels.len());
        self.meets(&labels).then(|| labels[..depth].join("/"))
    }
}

/// Namespaces in their order, label by label.
pub(super) fn run(
    client: &mut SpiClient<'_>,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Vec<String>, Error> {
    let _reader = Reader::open(client, &scope.workspace_id)?;
    let mut from = wanted.after.as_ref().map_or(String::new(), |after| wanted.behind(after));
    let mut found: Vec<String> = Vec::new();
    loop {
        pgrx::check_for_interrupts!();
        let (places, is_last) = chunk(client, scope, wanted, &from)?;
        for place in &places {
            let Some(namespace) = wanted.cut(place) else { continue };
            // In their order those that are cut to the same stand together.
            if found.last() != Some(&namespace) && wanted.after.as_ref() != Some(&namespace) {
                found.push(namespace);
            }
            if found.len() >= wanted.max_rows {
                return Ok(found);
            }
        }
        match places.last() {
            Some(last) if !is_last => from = next(wanted, last),
            _ => return Ok(found),
        }
    }
}

/// Where the look-up behind a place begins.
fn next(wanted: &Wanted, place: &str) -> String {
    match wanted.skips() {
        Some(depth) if place.matches(SEPARATOR).count() >= depth => {
            let labels: Vec<&str> = place.split(SEPARATOR).take(depth).collect();
            format!("{}0", labels.join("/"))
        }
        _ => format!("{place}\u{1}"),
    }
}

/// Some places from one on, in their order, and whether these are all.
fn chunk(
    client: &mut SpiClient<'_>,
    scope: &Scope,
    wanted: &Wanted,
    from: &str,
) -> Result<(Vec<String>, bool), Error> {
    let mut parameters = Parameters::default();
    let conditions = scope.conditions(&mut parameters)?;
    let all = format!("{} AND m.namespace <> ''", conditions.rows.conditions);
    let from = parameters.text(from);
    let few = match scope.user {
        User::Any => None,
        _ => narrowest(client, Embedded::Memories, &conditions, &parameters, FEW),
    };
    if let Some(keys) = few {
        let sql = format!(
            "SELECT DISTINCT m.namespace || '/' COLLATE \"C\" \
             FROM (SELECT m.* FROM kepler.memories AS m WHERE {} OFFSET 0) AS m \
             WHERE {all} AND (m.namespace || '/') >= {from}",
            keys.sql
        );
        return Ok((read(client, &parameters, sql, Order::Sorted), true));
    }
    let next = match wanted.skips() {
        Some(depth) => {
            let depth = depth as i32;
            let depth = parameters.datum(pg_sys::INT4OID, Some(pg_sys::Datum::from(depth)));
            format!(
                "CASE WHEN pg_catalog.cardinality(w.labels) OPERATOR(pg_catalog.>) {depth} \
                 THEN pg_catalog.array_to_string(w.labels[:{depth}], '/') || '0' \
                 ELSE w.place || E'\\x01' END COLLATE \"C\""
            )
        }
        None => "(w.place || E'\\x01') COLLATE \"C\"".to_owned(),
    };
    let first = |from: &str| {
        format!(
            "(SELECT m.namespace || '/' AS place FROM kepler.memories AS m \
              WHERE {all} AND (m.namespace || '/') >= {from} ORDER BY m.namespace || '/' LIMIT 1)"
        )
    };
    let count = wanted.max_rows.min(CHUNK);
    let most = parameters.datum(pg_sys::INT8OID, Some(pg_sys::Datum::from(count)));
    // A place ends with a slash, and so its labels with an empty one.
    let sql = format!(
        "WITH RECURSIVE w AS (\
             SELECT f.place, pg_catalog.string_to_array(f.place, '/') AS labels FROM {first} AS f \
             UNION ALL \
             SELECT n.place, pg_catalog.string_to_array(n.place, '/') \
             FROM w CROSS JOIN LATERAL {following} AS n) \
         SELECT w.place FROM w LIMIT {most}",
        first = first(&from),
        following = first(&next),
    );
    let places = read(client, &parameters, sql, Order::OfIndex);
    let is_last = places.len() < count;
    Ok((places, is_last))
}

fn read(
    client: &mut SpiClient<'_>,
    parameters: &Parameters,
    sql: String,
    order: Order,
) -> Vec<String> {
    let rows = parameters.run_kept(client, sql, order);
    let mut places: Vec<String> =
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
    places.sort_unstable();
    places
}
