//! Plans that were made for the values of one scope, and are kept for it.
//!
//! To plan takes as long as to compare fifty rows, and what a scope's plan depends on, its values and the statistics,
//! seldom changes between two searches. So the plan of a scope that comes again is kept for a minute, or until Postgres
//! hears of a change of its tables (ANALYZE is one). A plan that was made for other values is never taken. It is right for
//! any: should the scope have grown meanwhile, it takes longer, and finds the same.

use crate::pg::clock::now;
use crate::pg::plan::OwnedStatement;
use crate::pg::planner::own_tables_are_large;
use crate::settings;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A session knows of so many scopes; a plan takes some 100 kB.
const MAX_SCOPES: usize = 32;
/// For so long, in microseconds, a plan is kept.
const BELIEVED: i64 = 60_000_000;

/// What a plan is kept for: the values that it depends on, as a hash. Values that are told apart by nothing here share a
/// plan, which is right for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whose(pub(crate) u64);

/// A statement of a scope, since when it is known, and its plan if it came again.
struct Known {
    at: i64,
    sql: String,
    types: Vec<pg_sys::Oid>,
    planned: Option<Rc<OwnedStatement>>,
}

thread_local! {
    static KNOWN: RefCell<HashMap<u64, Known>> = RefCell::default();
}

impl Whose {
    /// The statement with its plan; None at its first time, and where Postgres is to plan as it does for everybody.
    pub(super) fn statement(self, sql: &str, types: &[pg_sys::Oid]) -> Option<Rc<OwnedStatement>> {
        if !settings::planner_hooks() {
            return None;
        }
        let seed = self.0 ^ u64::from(own_tables_are_large());
        let key = xxh3_64_with_seed(sql.as_bytes(), seed);
        let now = now();
        KNOWN.with_borrow_mut(|all| {
            if let Some(known) = all.get_mut(&key)
                && known.sql == sql
                && known.types == types
            {
                let is_old = now >= known.at.saturating_add(BELIEVED);
                if is_old || known.planned.is_none() {
                    let made = OwnedStatement::by_first_values(sql.to_owned(), types.to_vec());
                    known.at = now;
                    known.planned = Some(Rc::new(made));
                }
                return known.planned.clone();
            }
            if all.len() >= MAX_SCOPES
                && let Some(oldest) =
                    all.iter().min_by_key(|(_, known)| known.at).map(|(key, _)| *key)
            {
                all.remove(&oldest);
            }
            let known =
                Known { at: now, sql: sql.to_owned(), types: types.to_vec(), planned: None };
            all.insert(key, known);
            None
        })
    }
}
