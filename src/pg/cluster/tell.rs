//! The workspace goes along with what Citus sends to other nodes.
//!
//! A statement on distributed tables runs on their nodes in sessions that Citus opened, and policies ask there for the workspace
//! that was chosen here. So it is told first: Citus hands `SET LOCAL` on to all nodes that the transaction reaches. Each of them
//! asks anew whether the role is a member of what it was told.

use super::part;
use crate::error::Error;
use crate::ident::quote_literal;
use crate::pg::local_settings::{LocalSettings, look_at, own_value, set_for_transaction};
use crate::pg::transaction;
use crate::pg::whole::Spi;
use crate::settings::{self, WORKSPACE_ID};
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};

/// What direct SQL needs where the rows are: who acts, and for what request, which the history notes; what is done with secrets;
/// for which run rows are copied into the inbox; and how times read, which Citus sends as texts.
const SETTINGS: [&CStr; 7] = [
    c"kepler.actor",
    c"kepler.request_id",
    c"kepler.on_secret",
    c"kepler.secret_reference_schemes",
    c"kepler.sync_run_id",
    DATE_STYLE,
    INTERVAL_STYLE,
];
const DATE_STYLE: &CStr = c"DateStyle";
const INTERVAL_STYLE: &CStr = c"IntervalStyle";

/// Whether all nodes read times as this session writes them, of which a setting speaks, or the two of them.
fn is_read_anywhere(name: Option<&CStr>) -> bool {
    // SAFETY: variables of the session.
    let (dates, intervals) = unsafe { (pg_sys::DateStyle as u32, pg_sys::IntervalStyle as u32) };
    (name == Some(INTERVAL_STYLE) || dates == pg_sys::USE_ISO_DATES)
        && (name == Some(DATE_STYLE) || intervals != pg_sys::INTSTYLE_SQL_STANDARD)
}

/// A setting that other nodes need, if somebody has set it.
fn to_be_told(name: &CStr) -> Option<String> {
    let is_needless =
        (name == DATE_STYLE || name == INTERVAL_STYLE) && is_read_anywhere(Some(name));
    if is_needless { None } else { own_value(name) }
}

/// Whether what is read is told of too: other nodes might take the times in it for others.
pub(crate) fn writes_times_otherwise() -> bool {
    !is_read_anywhere(None)
}

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
    let id = CString::new(workspace_id).unwrap_or_default();
    set_for_transaction(c"kepler.sent_workspace_id", &id);
    announce([(c"kepler.sent_workspace_id", true)])?;
    told.note();
    Ok(())
}

/// Tells them what somebody has set.
pub(crate) fn tell_settings() -> Result<(), Error> {
    let set = SETTINGS.map(to_be_told);
    let is_nothing = set.iter().all(Option::is_none);
    let lines = set.each_ref().map(Option::is_some);
    let told = Told::Settings(set);
    let is_first =
        || TOLD.with_borrow(|told| !told.iter().any(|(_, told)| matches!(told, Told::Settings(_))));
    if is_nothing && is_first() || told.is_known() {
        return Ok(());
    }
    announce(SETTINGS.into_iter().zip(lines))?;
    told.note();
    Ok(())
}

/// Tells other nodes settings as the session has them, those that nobody has set as their own, for this transaction. In a DO
/// statement Citus takes the transaction for one of several statements and hands SET LOCAL on to all nodes that it reaches; and
/// with an intermediate result, of no rows here, it begins it on each of them. A procedure would need rights, which a role that has
/// been granted some on tables by hand has not.
fn announce(settings: impl IntoIterator<Item = (&'static CStr, bool)>) -> Result<(), Error> {
    let mut body = "BEGIN ".to_owned();
    for (name, is_set) in settings {
        let name = name.to_string_lossy();
        body += &if is_set {
            format!(
                "EXECUTE pg_catalog.format('SET LOCAL {name} = %L', pg_catalog.current_setting('{name}')); "
            )
        } else {
            format!("SET LOCAL {name} = DEFAULT; ")
        };
    }
    body += "PERFORM pg_catalog.create_intermediate_result('kepler', 'SELECT 1 LIMIT 0'); END";
    part::watch();
    let _settings = LocalSettings::set(&[(c"citus.propagate_set_commands", c"local")]);
    run(&format!("DO LANGUAGE plpgsql {}", quote_literal(&body)))
}

fn run(sql: &str) -> Result<(), Error> {
    Spi::connect_mut(|client| {
        client.update(sql, None, &[])?;
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

/// Has the transaction commit in two phases. Where it has written to a single node Citus sends COMMIT alone otherwise, and only
/// warns if that fails. An insertion of nothing on this node lets Citus prepare what was written to others.
pub(super) fn commit_in_two_phases() -> Result<(), Error> {
    if IN_TWO_PHASES.get() {
        return Ok(());
    }
    part::watch();
    run("INSERT INTO kepler.two_phase AS p SELECT true WHERE false")?;
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
