//! Who changes rows: the role, and what the application says of itself.
//!
//! A transaction says it once, for each workspace that it changes: a row of its own names no other workspace's.

use crate::error::Error;
use crate::feed::error::FeedError;
use crate::feed::tell::Numbers;
use crate::pg::append::Append;
use crate::pg::varlena::Text;
use crate::pg::{relation, role, undone};
use crate::settings;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::HashMap;

/// What a row says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Identity {
    xid: u64,
    role: u32,
    actor: Option<String>,
    request: Option<String>,
}

#[derive(Default)]
struct Told {
    by: Identity,
    /// The workspaces it was said for, and when.
    workspaces: HashMap<Option<String>, u64>,
}

thread_local! {
    static TOLD: RefCell<Told> = RefCell::default();
}

/// So many workspaces of a transaction are remembered; others are told again.
const MAX_KNOWN: usize = 1_000;

/// Says who changes rows of a workspace, unless this transaction has said so.
pub(super) fn tell(
    workspace: Option<&str>,
    (epoch, xid, now): (i32, u64, i64),
    numbers: &mut Numbers,
) -> Result<(), Error> {
    // SAFETY: reads a variable. It is the role that the session is set to, whatever function runs.
    let role = unsafe { pg_sys::GetOuterUserId() };
    let by = Identity {
        xid,
        role: role.to_u32(),
        actor: settings::actor(),
        request: settings::request_id(),
    };
    let is_told = TOLD.with_borrow_mut(|told| {
        if told.by != by || told.workspaces.len() > MAX_KNOWN {
            told.by = by.clone();
            told.workspaces.clear();
        }
        let at = told.workspaces.get(&workspace.map(str::to_owned));
        at.is_some_and(|moment| undone::holds(*moment))
    });
    if is_told {
        return Ok(());
    }
    let moment = undone::moment();
    let table = relation::named(c"kepler", c"history_transactions").ok_or(FeedError::NoPlace)?;
    let columns = [
        c"xid",
        c"sequence",
        c"created_at",
        c"epoch",
        c"workspace_id",
        c"role_name",
        c"actor",
        c"request_id",
    ];
    let text = |text: Option<&str>| text.map(Text::new);
    let role = Text::new(&role::name(role));
    let (of, actor, request) =
        (text(workspace), text(by.actor.as_deref()), text(by.request.as_deref()));
    let datum = |text: &Option<Text>| text.as_ref().map(Text::datum);
    let mut append = Append::open(table, columns).ok_or(FeedError::NoPlace)?;
    append.push([
        Some(pg_sys::Datum::from(xid)),
        Some(numbers.next().into()),
        Some(now.into()),
        Some(epoch.into()),
        datum(&of),
        Some(role.datum()),
        datum(&actor),
        datum(&request),
    ]);
    append.finish();
    TOLD.with_borrow_mut(|told| told.workspaces.insert(workspace.map(str::to_owned), moment));
    Ok(())
}
