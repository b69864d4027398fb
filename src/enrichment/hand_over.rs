//! Ends attempts: the records' status, the queue, the log and the lease, a batch at a time.
//!
//! The caller holds the leases, the records and their rows in the queue.

use super::outcome::End;
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static RECORDS: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = n.status::kepler.record_enrichment_status, updated_at = $2,
              enrichment = CASE WHEN n.result IS NULL THEN r.enrichment
                                WHEN r.enrichment IS NULL THEN n.result
                                ELSE r.enrichment || n.result END
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS status,
                       pg_catalog.unnest($5) AS result) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::JSONBARRAYOID,
        ],
    ) };
    static DONE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static BACK: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET lease_id = NULL, content_hash = NULL, attempt = n.attempt, ready_at = n.ready_at
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS attempt,
                       pg_catalog.unnest($4) AS ready_at) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    static LOG: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_attempts
              (workspace_id, ended_at, lease_id, record_id, attempt, outcome, error)
          SELECT $1, $2, pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
                 pg_catalog.unnest($6)::kepler.attempt_outcome, pg_catalog.unnest($7)",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
    static END_LEASES: Statement = const { Statement::new(
        c"DELETE FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.id = ANY (ARRAY(
                SELECT n.id FROM (SELECT pg_catalog.unnest($2) AS id) AS n
                WHERE (SELECT q.record_id FROM kepler.enrichment_queue AS q
                       WHERE q.workspace_id = $1 AND q.lease_id = n.id LIMIT 1) IS NULL))",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
}

/// What a record is after an attempt.
pub(crate) enum Next<'r> {
    /// APPLIED, with what was found, a `jsonb` with its length word.
    Applied {
        result: Option<&'r [u8]>,
    },
    Failed,
    /// UNAPPLIED and in the queue again.
    Again {
        attempt: i32,
        ready_at: i64,
    },
}

/// Attempts that end together.
pub(crate) struct HandOver {
    record: Array,
    status: Array,
    result: Array,
    done: Array,
    back: Array,
    back_attempt: Array,
    back_ready_at: Array,
    log_lease: Array,
    log_attempt: Array,
    log_outcome: Array,
    log_error: Array,
}

impl HandOver {
    pub(crate) fn new() -> Self {
        Self {
            result: Array::new(array::JSONB),
            record: Array::new(array::TEXT),
            status: Array::new(array::TEXT),
            done: Array::new(array::TEXT),
            back: Array::new(array::TEXT),
            back_attempt: Array::new(array::INTEGER),
            back_ready_at: Array::new(array::TIMESTAMPTZ),
            log_lease: Array::new(array::BIGINT),
            log_attempt: Array::new(array::INTEGER),
            log_outcome: Array::new(array::TEXT),
            log_error: Array::new(array::TEXT),
        }
    }

    /// One attempt of a record.
    pub(crate) fn push(
        &mut self,
        record_id: &str,
        lease_id: i64,
        attempt: i32,
        end: End,
        error: Option<&str>,
        next: &Next<'_>,
    ) {
        self.record.push_text(record_id);
        match next {
            Next::Applied { result } => {
                self.status.push_text("APPLIED");
                match result {
                    Some(result) => self.result.push_bytes(result),
                    None => self.result.push_null(),
                }
                self.done.push_text(record_id);
            }
            Next::Failed => {
                self.status.push_text("FAILED");
                self.result.push_null();
                self.done.push_text(record_id);
            }
            Next::Again { attempt, ready_at } => {
                self.status.push_text("UNAPPLIED");
                self.result.push_null();
                self.back.push_text(record_id);
                self.back_attempt.push_bytes(&attempt.to_ne_bytes());
                self.back_ready_at.push_time(Some(*ready_at));
            }
        }
        self.log_lease.push_bytes(&lease_id.to_ne_bytes());
        self.log_attempt.push_bytes(&attempt.to_ne_bytes());
        self.log_outcome.push_text(end.name());
        match error {
            Some(error) => self.log_error.push_text(error),
            None => self.log_error.push_null(),
        }
    }

    /// A row of the queue whose record is not PENDING: what put it there went around Kepler.
    pub(crate) fn drop_row(&mut self, record_id: &str) {
        self.done.push_text(record_id);
    }

    /// Writes all of it, and ends the leases that hold nothing more.
    pub(crate) fn write(
        mut self,
        client: &mut SpiClient<'_>,
        workspace_id: &Text,
        now: i64,
        leases: &[i64],
    ) -> Result<(), Error> {
        let workspace = Some(workspace_id.datum());
        let now = Some(pg_sys::Datum::from(now));
        let sent = self.record.count();
        if sent > 0 {
            let record = Some(self.record.datum());
            let parameters =
                [workspace, now, record, Some(self.status.datum()), Some(self.result.datum())];
            let written = RECORDS.with(|plan| plan.run(client, &parameters)).count();
            if written != sent {
                return Err(Error::NotWritten { sent, written });
            }
        }
        if self.done.count() > 0 {
            DONE.with(|plan| plan.run(client, &[workspace, Some(self.done.datum())]));
        }
        if self.back.count() > 0 {
            let parameters = [
                workspace,
                Some(self.back.datum()),
                Some(self.back_attempt.datum()),
                Some(self.back_ready_at.datum()),
            ];
            BACK.with(|plan| plan.run(client, &parameters));
        }
        if sent > 0 {
            let parameters = [
                workspace,
                now,
                Some(self.log_lease.datum()),
                Some(self.record.datum()),
                Some(self.log_attempt.datum()),
                Some(self.log_outcome.datum()),
                Some(self.log_error.datum()),
            ];
            LOG.with(|plan| plan.run(client, &parameters));
        }
        let mut ids = Array::new(array::BIGINT);
        for id in leases {
            ids.push_bytes(&id.to_ne_bytes());
        }
        END_LEASES.with(|plan| plan.run(client, &[workspace, Some(ids.datum())]));
        Ok(())
    }
}
