//! A snapshot that several queries share.

use super::plan::{Parameter, Statement};
use super::rows::Rows;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// All that was committed when it was taken, also where the transaction keeps to an older snapshot.
pub(crate) struct LatestSnapshot(());

impl LatestSnapshot {
    pub(crate) fn take(_client: &SpiClient<'_>) -> Self {
        // SAFETY: within a transaction, as SPI is connected. What is pushed is a copy.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        Self(())
    }

    /// Runs a query that only reads. By-reference parameters must outlive the call.
    pub(crate) fn run<'conn>(
        &self,
        client: &SpiClient<'conn>,
        statement: &Statement,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        statement.run_in(client, self, parameters)
    }
}

impl Drop for LatestSnapshot {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort takes the snapshot away.
        if !std::thread::panicking() {
            // SAFETY: the snapshot was pushed by `take`; those that were pushed since are gone.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
