//! `retry_rejects`: tries what was rejected again, as it was to be read. What lands leaves the table.
//!
//! A document that lay there for a while must not overwrite what came after it. Where the source gives times, the
//! stale guard sees to that; else a record that is not in the state any more in which the document met it has been
//! written since, and keeps what it has.

use super::decode;
use super::error::RecordError;
use super::options::Arguments;
use super::rejects::MAX_DOCUMENT;
use super::seen;
use super::upsert;
use crate::access::owner;
use crate::answer::{Answer, Code, Outcome, Rejection, Row, rows};
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::check_for_interrupts;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// A call takes at most so many.
const MAX_ROWS: i32 = 100_000;
/// About so many bytes of documents are in hand at a time.
const CHUNK_BYTES: i64 = 16 << 20;

thread_local! {
    // Those that were tried least often come first, or a call would meet the same ones for ever. Whoever retries one
    // of them holds its row; another session takes others.
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id, r.document_bytes::bigint FROM kepler.rejects AS r
          WHERE r.workspace_id = $1 AND ($2 IS NULL OR r.sync_run_id = $2)
            AND ($3 IS NULL OR EXISTS (
                SELECT FROM kepler.entities AS e
                WHERE e.workspace_id = $1 AND e.id = r.entity_id AND e.type = $3))
          ORDER BY r.tries, r.id LIMIT $4 FOR UPDATE OF r SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static LOCK_OF_RUN: Statement = const { Statement::new(
        c"SELECT r.id, r.document_bytes::bigint FROM kepler.rejects AS r
          WHERE r.workspace_id = $1 AND r.sync_run_id = $2
            AND ($3 IS NULL OR EXISTS (
                SELECT FROM kepler.entities AS e
                WHERE e.workspace_id = $1 AND e.id = r.entity_id AND e.type = $3))
          ORDER BY r.tries, r.id LIMIT $4 FOR UPDATE OF r SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static LOCK_OF_TYPE: Statement = const { Statement::new(
        c"SELECT r.id, r.document_bytes::bigint
          FROM kepler.entities AS e
          CROSS JOIN LATERAL (
              SELECT x.id, x.document_bytes, x.tries FROM kepler.rejects AS x
              WHERE x.workspace_id = $1 AND x.entity_id = e.id
              ORDER BY x.tries, x.id LIMIT $4 FOR UPDATE SKIP LOCKED) AS r
          WHERE e.workspace_id = $1 AND $2 IS NULL AND e.type = $3
          ORDER BY r.tries, r.id LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    // What was named is waited for.
    static LOCK_THESE: Statement = const { Statement::new(
        c"SELECT r.id, r.document_bytes::bigint FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.rejects AS r WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.id FOR UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
    static READ: Statement = const { Statement::new(
        c"SELECT r.id, r.external_id, r.document, r.options::text, r.record_state, e.type, e.source, e.connection_id,
              r.document_bytes
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.rejects AS r
          JOIN kepler.entities AS e ON e.workspace_id = $1 AND e.id = r.entity_id
          WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.id",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
    static LEAVE: Statement = const { Statement::new(
        c"DELETE FROM kepler.rejects AS r USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id
          RETURNING r.sync_run_id, r.rejections",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
    static PURGE: Statement = const { Statement::new(
        c"DELETE FROM kepler.rejects AS r
          WHERE r.workspace_id = $1 AND r.id = ANY (ARRAY(
              SELECT x.id FROM kepler.rejects AS x
              WHERE x.workspace_id = $1 AND x.received_at <= pg_catalog.statement_timestamp() - $2
                AND ($3 IS NULL OR x.sync_run_id = $3)
                AND ($4 IS NULL OR EXISTS (
                    SELECT FROM kepler.entities AS e
                    WHERE e.workspace_id = $1 AND e.id = x.entity_id AND e.type = $4))
              ORDER BY x.received_at LIMIT $5 FOR UPDATE OF x SKIP LOCKED))",
        &[
            pg_sys::TEXTOID, pg_sys::INTERVALOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID,
        ],
    ) };
    static STAY: Statement = const { Statement::new(
        c"UPDATE kepler.rejects AS r
          SET tries = r.tries + 1, error_code = COALESCE(n.error_code, r.error_code), error = COALESCE(n.error, r.error),
              external_id = n.external_id,
              updated_at = $6
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS error_code,
                       pg_catalog.unnest($4) AS error, pg_catalog.unnest($5) AS external_id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID,
        ],
    ) };
}

/// What names a reject in its answer.
#[derive(Clone, Default)]
struct Ids {
    reject: Option<i64>,
    external_id: Option<String>,
    record_id: Option<String>,
}

type Told = Answer<Ids>;

/// A row of the answer. (pgrx must see the type spelt out where a function returns it.)
type RetryRow = (
    i32,
    Option<i64>,
    Option<String>,
    Option<String>,
    &'static str,
    Option<String>,
    Option<String>,
);

/// Tries rejects again: those of the ids, or those of a type, of a sync run or of the workspace, the least tried first.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, and those of `upsert_records`.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.retry_rejects(
    reject_ids bigint[] DEFAULT NULL,
    entity_type text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
    max_rows integer DEFAULT 1000,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, reject_id bigint, external_id text, record_id text, outcome text, error_code text, error text)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn retry_rejects(
    reject_ids: Option<Vec<Option<i64>>>,
    entity_type: Option<String>,
    sync_run_id: Option<String>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(reject_id, Option<i64>),
            name!(external_id, Option<String>),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    if reject_ids.is_some() && (entity_type.is_some() || sync_run_id.is_some()) {
        return Err(Error::from(RecordError::IdsAndMore).into());
    }
    let max_rows = bound(max_rows)?;
    let entity_type = entity_type.map(|given| name("entity_type", Some(given))).transpose()?;
    let workspace_id = workspace::argument(workspace_id)?;
    for right in [pg_sys::ACL_UPDATE, pg_sys::ACL_DELETE] {
        owner::require_right("rejects", right)?;
    }
    let answers = Spi::connect_mut(|client| -> Result<Vec<Told>, Error> {
        let workspace = Text::new(&workspace_id);
        let call = Call { workspace_id: &workspace_id, workspace };
        match reject_ids {
            Some(ids) => call.these(client, ids),
            None => call.some(client, entity_type.as_deref(), sync_run_id.as_deref(), max_rows),
        }
    })?;
    Ok(TableIterator::new(rows(answers).map(told)))
}

fn told((ordinal, ids, outcome, error_code, error): Row<Ids>) -> RetryRow {
    (ordinal, ids.reject, ids.external_id, ids.record_id, outcome, error_code, error)
}

/// Deletes rejects that were sent long ago, the oldest first, and gives their number.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn purge_rejects(
    older_than: default!(Option<Interval>, "'30 days'"),
    entity_type: default!(Option<String>, "NULL"),
    sync_run_id: default!(Option<String>, "NULL"),
    max_rows: default!(Option<i32>, "10000"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<i64, ErrorReport> {
    require_tables()?;
    let older_than = older_than.ok_or(ArgumentError::Null("older_than"))?;
    let max_rows = bound(max_rows)?;
    let entity_type = entity_type.map(|given| name("entity_type", Some(given))).transpose()?;
    let workspace_id = workspace::argument(workspace_id)?;
    owner::require_right("rejects", pg_sys::ACL_DELETE)?;
    owner::require_right("rejects", pg_sys::ACL_UPDATE)?;
    let count = Spi::connect_mut(|client| {
        let workspace = Text::new(&workspace_id);
        let (kind, run) =
            (entity_type.as_deref().map(Text::new), sync_run_id.as_deref().map(Text::new));
        let parameters = [
            Some(workspace.datum()),
            older_than.into_datum(),
            run.as_ref().map(Text::datum),
            kind.as_ref().map(Text::datum),
            Some(pg_sys::Datum::from(max_rows)),
        ];
        PURGE.with(|plan| plan.run(client, &parameters)).count()
    });
    Ok(count as i64)
}

fn bound(max_rows: Option<i32>) -> Result<i32, Error> {
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if (1..=MAX_ROWS).contains(&max_rows) {
        return Ok(max_rows);
    }
    Err(RecordError::MaxRows { given: max_rows, most: MAX_ROWS }.into())
}

/// A reject as it is read.
struct Reject {
    id: i64,
    external_id: Option<String>,
    document: Option<String>,
    document_bytes: i32,
    base: Option<u128>,
}

/// What is tried by one upsert: how it is to be read, type, source and connection.
type Group = (String, String, String, Option<String>);

struct Call<'a> {
    workspace_id: &'a str,
    workspace: Text,
}

impl Call<'_> {
    fn place(&self) -> Parameter {
        Some(self.workspace.datum())
    }

    fn these(&self, client: &mut SpiClient<'_>, ids: Vec<Option<i64>>) -> Result<Vec<Told>, Error> {
        let mut given = numbers(ids.iter().flatten().copied());
        let rows = LOCK_THESE.with(|plan| plan.run(client, &[self.place(), Some(given.datum())]));
        let mut locked: Vec<(i64, i64)> =
            rows.iter::<2>().filter_map(|row| Some((row.bigint(0)?, row.bigint(1)?))).collect();
        locked.dedup();
        let answers = self.retry(client, &locked)?;
        let told: HashMap<Option<i64>, Told> =
            answers.into_iter().map(|answer| (answer.id.reject, answer)).collect();
        let not_found = |id| Answer::new(Ids { reject: id, ..Ids::default() }, Outcome::NotFound);
        Ok(ids
            .into_iter()
            .map(|id| told.get(&id).cloned().unwrap_or_else(|| not_found(id)))
            .collect())
    }

    fn some(
        &self,
        client: &mut SpiClient<'_>,
        entity_type: Option<&str>,
        sync_run_id: Option<&str>,
        max_rows: i32,
    ) -> Result<Vec<Told>, Error> {
        let (kind, run) = (entity_type.map(Text::new), sync_run_id.map(Text::new));
        let statement = match (&kind, &run) {
            (_, Some(_)) => &LOCK_OF_RUN,
            (Some(_), None) => &LOCK_OF_TYPE,
            (None, None) => &LOCK,
        };
        let parameters = [
            self.place(),
            run.as_ref().map(Text::datum),
            kind.as_ref().map(Text::datum),
            Some(pg_sys::Datum::from(max_rows)),
        ];
        let rows = statement.with(|plan| plan.run(client, &parameters));
        let mut locked: Vec<(i64, i64)> =
            rows.iter::<2>().filter_map(|row| Some((row.bigint(0)?, row.bigint(1)?))).collect();
        locked.sort_unstable();
        drop(rows);
        self.retry(client, &locked)
    }

    /// Tries locked rejects, in the order of their ids. `locked`: each with the size of its document.
    fn retry(&self, client: &mut SpiClient<'_>, locked: &[(i64, i64)]) -> Result<Vec<Told>, Error> {
        let mut answers = Vec::with_capacity(locked.len());
        let mut rest = locked;
        while !rest.is_empty() {
            check_for_interrupts!();
            let mut bytes = 0;
            let fits = |(_, size): &&(i64, i64)| {
                bytes += size;
                bytes <= CHUNK_BYTES
            };
            let (chunk, tail) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            rest = tail;
            self.retry_chunk(client, chunk, &mut answers)?;
        }
        answers.sort_by_key(|answer: &Told| answer.id.reject);
        Ok(answers)
    }

    fn retry_chunk(
        &self,
        client: &mut SpiClient<'_>,
        chunk: &[(i64, i64)],
        answers: &mut Vec<Told>,
    ) -> Result<(), Error> {
        let mut ids = numbers(chunk.iter().map(|(id, _)| *id));
        let rows = READ.with(|plan| plan.run(client, &[self.place(), Some(ids.datum())]));
        let mut groups: BTreeMap<Group, Vec<Reject>> = BTreeMap::new();
        for row in rows.iter::<9>() {
            let text = |column| row.text(column).map(str::to_owned);
            let given = |column| row.text(column).unwrap_or_default().to_owned();
            let group = (given(5), given(6), given(3), text(7));
            groups.entry(group).or_default().push(Reject {
                id: row.bigint(0).unwrap_or_default(),
                external_id: text(1),
                document: text(2),
                document_bytes: row.integer(8).unwrap_or_default(),
                base: row.uuid(4),
            });
        }
        drop(rows);
        let first = answers.len();
        for (group, rejects) in groups {
            self.retry_group(client, group, rejects, answers)?;
        }
        self.settle(client, &answers[first..]);
        Ok(())
    }

    fn retry_group(
        &self,
        client: &mut SpiClient<'_>,
        (entity_type, source, reading, connection_id): Group,
        rejects: Vec<Reject>,
        answers: &mut Vec<Told>,
    ) -> Result<(), Error> {
        let (whole, cut): (Vec<Reject>, Vec<Reject>) =
            rejects.into_iter().partition(|reject| reject.document.is_some());
        let ids = |reject: &Reject| Ids {
            reject: Some(reject.id),
            external_id: reject.external_id.clone(),
            record_id: None,
        };
        answers.extend(cut.iter().map(|reject| {
            let is_large = usize::try_from(reject.document_bytes).unwrap_or(0) > MAX_DOCUMENT;
            let message = if is_large {
                "the document was too large to be kept: it must be sent again"
            } else {
                "the document was not kept, because it held a secret: it must be sent again"
            };
            Answer::rejected(ids(reject), Rejection::new(DOCUMENT_NOT_KEPT, message))
        }));
        if whole.is_empty() {
            return Ok(());
        }
        let request = Arguments::of_reading(&reading).and_then(|read| {
            Arguments {
                workspace_id: Some(self.workspace_id.to_owned()),
                entity_type: Some(entity_type),
                source: Some(source),
                connection_id,
                ..read
            }
            .check()
        });
        let request = match request {
            Ok(request) => request,
            // Somebody has changed them.
            Err(error) => {
                let rejection = Rejection::new(INVALID_OPTIONS, error.text());
                let answer = |reject| Answer::rejected(ids(reject), rejection.clone());
                answers.extend(whole.iter().map(answer));
                return Ok(());
            }
        };
        let now = now();
        let text = |reject: &'_ Reject| reject.document.clone().unwrap_or_default();
        let documents: Vec<String> = whole.iter().map(text).collect();
        let elements =
            documents.iter().map(|document| decode::alone(document, &request.shape, now)).collect();
        let bases: Vec<Option<u128>> = whole.iter().map(|reject| reject.base).collect();
        let (done, _) = upsert::run(client, &request, elements, Some(&bases))?;
        answers.extend(whole.iter().zip(done).map(|(reject, answer)| Answer {
            id: Ids {
                reject: Some(reject.id),
                external_id: answer.id.external_id,
                record_id: answer.id.record_id,
            },
            outcome: answer.outcome,
            rejection: answer.rejection,
            note: answer.note,
        }));
        Ok(())
    }

    /// Notes in the table what became of its rows.
    fn settle(&self, client: &mut SpiClient<'_>, answers: &[Told]) {
        let landed = answers.iter().filter(|answer| !answer.is_rejected());
        let mut landed = numbers(landed.filter_map(|answer| answer.id.reject));
        if landed.count() > 0 {
            let rows = LEAVE.with(|plan| plan.run(client, &[self.place(), Some(landed.datum())]));
            let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
            for row in rows.iter::<2>() {
                if let Some(run) = row.text(0) {
                    *runs.entry(run).or_default() += row.integer(1).unwrap_or(1) as usize;
                }
            }
            for (run, count) in runs {
                seen::take_back(client, self.workspace_id, run, count);
            }
        }
        let mut ids = Array::new(array::BIGINT);
        let [mut codes, mut errors, mut external_ids] = [(); 3].map(|()| Array::new(array::TEXT));
        for answer in answers {
            let (Some(id), Some(rejection)) = (answer.id.reject, &answer.rejection) else {
                continue;
            };
            ids.push_bytes(&id.to_ne_bytes());
            if *rejection.code() == DOCUMENT_NOT_KEPT {
                // It was not tried: why it was rejected is still why.
                codes.push_null();
                errors.push_null();
            } else {
                codes.push_text(&rejection.code().name());
                errors.push_text(&rejection.text());
            }
            match &answer.id.external_id {
                Some(external_id) => external_ids.push_text(external_id),
                None => external_ids.push_null(),
            }
        }
        if ids.count() > 0 {
            let parameters = [
                self.place(),
                Some(ids.datum()),
                Some(codes.datum()),
                Some(errors.datum()),
                Some(external_ids.datum()),
                Some(pg_sys::Datum::from(now())),
            ];
            STAY.with(|plan| plan.run(client, &parameters));
        }
    }
}

const DOCUMENT_NOT_KEPT: Code = Code::own("document_not_kept");
const INVALID_OPTIONS: Code = Code::own("invalid_options");

fn numbers(numbers: impl Iterator<Item = i64>) -> Array {
    let mut array = Array::new(array::BIGINT);
    numbers.for_each(|number| array.push_bytes(&number.to_ne_bytes()));
    array
}
