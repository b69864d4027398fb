//! The workspace goes along with what Citus sends to other nodes.
//!
//! A statement on distributed tables runs on their nodes in sessions that Citus opened, and policies ask there for the workspace
//! that was chosen here. So it is told first: Citus hands `SET LOCAL` on to all nodes that the transaction reaches. Each of them
//! asks anew whether the role is a member of what it was told.

use super::part;
use crate::error::Error;
use crate::pg::local_settings::{LocalSettings, look_at, own_value};
use crate::pg::transaction;
use crate::pg::whole::Spi;
use crate::settings::{self, WORKSPACE_ID};
use pgrx::datum::DatumWithOid;
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

/// What direct SQL needs where the rows are: who acts, and for what request, which the history notes; and what is done with secrets.
const SETTINGS: [&CStr; 4] = [
    c"kepler.actor",
    c"kepler.request_id",
    c"kepler.on_secret",
    c"kepler.secret_reference_schemes",
];

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Workspace(String),
    /// Settings, as somebody has set them.
    Settings([Option<String>; SETTINGS.len()]),
}

impl Told {
    /// Whether it was told, and nothing of its kind since.
    fn is_known(&self) -> bool {
        let is_of_kind =
            |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(self);
        TOLD.with_borrow(|told| {
            told.iter()
                .rev()
                .find(|(_, last)| is_of_kind(last))
                .is_some_and(|(_, last)| last == self)
        })
    }

    fn note(self) {
        TOLD.with_borrow_mut(|told| told.push((part::depth(), self)));
    }
}

thread_local! {
    /// What the transaction has told, and how deep in it.
    static TOLD: RefCell<Vec<(i32, Told)>> = const { RefCell::new(Vec::new()) };
    /// Whether the transaction commits in two phases.
    static IN_TWO_PHASES: Cell<bool> = const { Cell::new(false) };
}

/// Shows the workspace that was chosen for the session, or for a statement that another node has sent; empty where none was.
pub(crate) fn look_at_chosen<T>(look: impl FnOnce(&[u8]) -> T) -> T {
    let is_sent =
        super::is_loaded() && part::is_of_citus() && look_at(&WORKSPACE_ID, <[u8]>::is_empty);
    look_at(if is_sent { settings::sent_workspace_id() } else { &WORKSPACE_ID }, look)
}

/// Whether a workspace was chosen.
pub(crate) fn is_chosen() -> bool {
    look_at_chosen(|chosen| !chosen.is_empty())
}

/// Tells the nodes that the transaction reaches from here on the workspace. Citus begins a transaction on all of them.
pub(crate) fn tell(workspace_id: &str) -> Result<(), Error> {
    let told = Told::Workspace(workspace_id.to_owned());
    if told.is_known() {
        return Ok(());
    }
    part::watch();
    let _settings = LocalSettings::set(&[(c"citus.propagate_set_commands", c"local")]);
    call("CALL kepler_internal.tell_workspace($1)", &[workspace_id.into()])?;
    told.note();
    Ok(())
}

/// Tells them what somebody has set.
pub(crate) fn tell_settings() -> Result<(), Error> {
    let set = SETTINGS.map(own_value);
    let is_nothing = set.iter().all(Option::is_none);
    let values = set.to_vec();
    let told = Told::Settings(set);
    let is_first =
        || TOLD.with_borrow(|told| !told.iter().any(|(_, told)| matches!(told, Told::Settings(_))));
    if is_nothing && is_first() || told.is_known() {
        return Ok(());
    }
    part::watch();
    let _settings = LocalSettings::set(&[(c"citus.propagate_set_commands", c"local")]);
    let names = SETTINGS.map(|name| name.to_string_lossy().into_owned()).to_vec();
    call("CALL kepler_internal.tell_settings($1, $2)", &[names.into(), values.into()])?;
    told.note();
    Ok(())
}

fn call(sql: &str, given: &[DatumWithOid<'_>]) -> Result<(), Error> {
    Spi::connect_mut(|client| {
        client.update(sql, None, given)?;
        Ok(())
    })
}

/// A statement writes to other nodes. What it writes by itself Citus sends as it is, and the node commits it before it answers.
/// In a transaction of Citus' it is acknowledged only when the node could still lose it, unless that commits in two phases.
pub(crate) fn write() -> Result<(), Error> {
    let goes_alone = || !transaction::goes_on() && TOLD.with_borrow(Vec::is_empty);
    if IN_TWO_PHASES.get() || transaction::is_read_only() || goes_alone() {
        return Ok(());
    }
    commit_in_two_phases()
}

/// Has the transaction commit in two phases.
pub(super) fn commit_in_two_phases() -> Result<(), Error> {
    if IN_TWO_PHASES.get() {
        return Ok(());
    }
    part::watch();
    call("CALL kepler_internal.commit_in_two_phases()", &[])?;
    IN_TWO_PHASES.set(true);
    Ok(())
}

/// The transaction has ended.
pub(super) fn forget() {
    TOLD.with_borrow_mut(Vec::clear);
    IN_TWO_PHASES.set(false);
}

/// A part of the transaction ends: Citus forgets what was told in it. What is not undone still holds on nodes that were reached.
pub(super) fn part_ends(depth: i32, is_undone: bool) {
    TOLD.with_borrow_mut(|told| {
        let before = told.len();
        told.retain(|(at, _)| *at < depth);
        if !is_undone && told.len() < before {
            told.clear();
        }
    });
}
