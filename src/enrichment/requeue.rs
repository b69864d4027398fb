//! Gives records that are finished back to the queue. One that the database refuses to write is found by
//! halves, and the others are given back.

use super::direct::Own;
use super::refusal;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::check_for_interrupts;
use pgrx::iter::TableIterator;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

thread_local! {
    static REQUEUE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status, updated_at = $3
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id
            AND r.enrichment_status IN ('FAILED'::kepler.record_enrichment_status,
                                        'APPLIED'::kepler.record_enrichment_status)
          RETURNING r.id, r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static ENQUEUE: Statement = const { Statement::new(
        c"SELECT kepler_internal.enqueue($2, $1)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id
            AND EXISTS (
                SELECT FROM kepler.records AS r
                WHERE r.workspace_id = $1 AND r.id = n.id
                  AND (r.deleted_at IS NOT NULL OR r.status <> 'ACTIVE'::kepler.record_status))",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static DEQUEUE_TYPE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q WHERE q.workspace_id = $1 AND q.entity_type = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
}

/// One that was sent, and why it was not written.
type Answer = (String, Option<Refusal>);

/// Makes records UNAPPLIED and queues them. The caller holds their rows.
#[pg_extern(schema = "kepler_internal", name = "requeue", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn requeue_in_sql(
    record_ids: Vec<String>,
    workspace_id: &str,
) -> TableIterator<
    'static,
    (name!(record_id, String), name!(error_code, Option<String>), name!(error, Option<String>)),
> {
    let ids: Vec<&str> = record_ids.iter().map(String::as_str).collect();
    let mut answers = Vec::with_capacity(ids.len());
    let workspace = Text::new(workspace_id);
    let _own = Own::begin();
    Spi::connect_mut(|client| {
        if !ids.is_empty() {
            requeue(client, Some(workspace.datum()), &ids, &mut answers, &mut false);
        }
    });
    TableIterator::new(answers.into_iter().map(|(id, refusal)| {
        let code = refusal.as_ref().map(|refusal| refusal.code.to_string());
        (id, code, refusal.map(|refusal| refusal.message))
    }))
}

fn requeue(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    ids: &[&str],
    answers: &mut Vec<Answer>,
    probed: &mut bool,
) {
    check_for_interrupts!();
    let refusal = match subtransaction::attempt_rows(|| requeue_all(client, workspace, ids)) {
        Ok(mut written) => {
            answers.append(&mut written);
            return;
        }
        Err(refusal) => refusal,
    };
    if !*probed {
        // Raises what is refused whatever the record, for want of a privilege, say.
        *probed = true;
        requeue_all(client, workspace, &[]);
    }
    if let [id] = ids {
        answers.push(((*id).to_owned(), Some(refusal)));
        return;
    }
    let (first, second) = ids.split_at(ids.len() / 2);
    requeue(client, workspace, first, answers, probed);
    requeue(client, workspace, second, answers, probed);
}

fn requeue_all(client: &mut SpiClient<'_>, workspace: Parameter, ids: &[&str]) -> Vec<Answer> {
    let mut given = Array::texts(ids.iter().copied());
    let now = Some(pg_sys::Datum::from(crate::pg::clock::now()));
    let rows = REQUEUE.with(|plan| plan.run(client, &[workspace, Some(given.datum()), now]));
    let written: HashSet<&str> = rows
        .iter::<2>()
        .filter(|row| row.boolean(1) == Some(true))
        .filter_map(|row| row.text(0))
        .collect();
    let mut queued = Array::texts(written.iter().copied());
    ENQUEUE.with(|plan| plan.run(client, &[workspace, Some(queued.datum())]));
    let kept = |id: &str| (!written.contains(id)).then(refusal::suppressed);
    ids.iter().map(|&id| (id.to_owned(), kept(id))).collect()
}

/// Takes records out of the queue that are deleted or archived.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn dequeue(record_ids: Vec<Option<String>>, workspace_id: &str) {
    let (workspace, _own) = (Text::new(workspace_id), Own::begin());
    let mut ids = Array::texts(record_ids.iter().flatten().map(String::as_str));
    let parameters = [Some(workspace.datum()), Some(ids.datum())];
    Spi::connect_mut(|client| {
        DEQUEUE.with(|plan| plan.run(client, &parameters));
    });
}

/// Empties the queue of a type.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn dequeue_type(entity_type: &str, workspace_id: &str) {
    let (workspace, _own) = (Text::new(workspace_id), Own::begin());
    let entity_type = Text::new(entity_type);
    let parameters = [Some(workspace.datum()), Some(entity_type.datum())];
    Spi::connect_mut(|client| {
        DEQUEUE_TYPE.with(|plan| plan.run(client, &parameters));
    });
}
