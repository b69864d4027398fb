//! The workspace that a call works in.

use crate::settings;
use pgrx::prelude::*;

/// The session's workspace: `kepler.workspace_id`, or `default` where nothing was set. Looks
/// nothing up: it runs once for each row that takes it as a default.
#[pg_extern(stable, parallel_safe)]
fn current_workspace_id() -> String {
    settings::workspace_id()
}
