//! How many rows a GIN index on documents gives for a `jsonpath`, told from a few of its pages.
//!
//! Postgres reads all rows of a value from such an index before it gives the first one: no LIMIT bounds that. And
//! statistics know nothing of what was loaded since. But the index itself tells a rare value from a common one: the rows of
//! a rare one stand in the entry of the value or in a few more pages. To count them takes a page for each level of the index, and
//! one for some thousands of rows. Rows that are not sorted in yet are counted too: how many they are depends on nothing but
//! when autovacuum came.
//!
//! This decides how a search goes on and nothing else. So dead rows do count, two values with the same hash are one, and
//! whatever is not as expected means that there may be many.

use super::gin_pages::{
    Entry, HEADER, IN_TREE, IS_DATA, MAX_STEPS, NO_PAGE, Page, RIGHT_BOUND, find, pending, read,
};
use crate::poll;
use pgrx::pg_sys;
use std::ffi::CString;

unsafe extern "C-unwind" {
    fn gin_extract_jsonb_query_path(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum;
}

/// `@?` as the operator class numbers it (`jsonb.h`).
const EXISTS: usize = 15;

/// What Postgres makes of a `jsonpath` for an index (`jsonb_gin.c`; the same since version 12).
#[repr(C)]
struct Node {
    kind: i32,
    /// Of a value its place, otherwise how many parts there are.
    number: usize,
    parts: [*const Node; 0],
}

const ANY: i32 = 0;
const ALL: i32 = 1;
const VALUE: i32 = 2;

/// How many rows at most an index of the class `jsonb_path_ops` gives for a `jsonpath`; None where that is more than `limit`, or
/// the index does not tell.
///
/// Raises where it is no `jsonpath`.
pub(crate) fn most_rows(index: pg_sys::Oid, path: &str, limit: usize) -> Option<usize> {
    let text = CString::new(path).ok()?;
    // SAFETY: the functions take a C string and a `jsonpath`, and write to what outlives the calls; the keys and the tree
    // are in the memory of the moment. The index is open while its pages are read.
    unsafe {
        let argument = Some(pg_sys::Datum::from(text.as_ptr()));
        let path = pgrx::direct_function_call_as_datum(pg_sys::jsonpath_in, &[argument])?;
        let (mut count, mut mode) = (0_i32, 0_i32);
        let mut tree: *const *const Node = std::ptr::null();
        let none = pg_sys::Datum::null();
        let keys = pg_sys::DirectFunctionCall7Coll(
            Some(gin_extract_jsonb_query_path),
            pg_sys::InvalidOid,
            path,
            (&raw mut count).into(),
            EXISTS.into(),
            none,
            (&raw mut tree).into(),
            none,
            (&raw mut mode).into(),
        );
        let keys = keys.cast_mut_ptr::<pg_sys::Datum>();
        let root = tree.as_ref().and_then(|tree| tree.as_ref())?;
        if keys.is_null() || count <= 0 {
            return None;
        }
        let keys = std::slice::from_raw_parts(keys, count as usize);
        let keys: Vec<i32> = keys.iter().map(|key| key.value() as i32).collect();
        let opened = pg_sys::relation_open(index, pg_sys::AccessShareLock as i32);
        let index = Index { read: &|block| read(opened, block), limit };
        let most = index.most_rows(root, &keys);
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        most.filter(|most| *most <= limit)
    }
}

impl Node {
    /// Where all parts must hold, as many rows as the rarest has.
    fn most(&self, of_value: &impl Fn(usize) -> Option<usize>) -> Option<usize> {
        // The number of a value or of parts is an `int` in a union that is wider.
        let number = self.number as u32 as usize;
        // SAFETY: a node of several parts has as many as it says.
        let parts = || unsafe {
            std::slice::from_raw_parts(self.parts.as_ptr(), number).iter().map(|part| &**part)
        };
        match self.kind {
            VALUE => of_value(number),
            ALL => parts().filter_map(|part| part.most(of_value)).min(),
            ANY => parts().map(|part| part.most(of_value)).sum(),
            _ => None,
        }
    }
}

/// The pages of an index, and how many rows of a key are counted.
struct Index<'i> {
    read: &'i dyn Fn(u32) -> Page,
    limit: usize,
}

impl Index<'_> {
    fn most_rows(&self, root: &Node, keys: &[i32]) -> Option<usize> {
        let mut waiting = vec![0_usize; keys.len()];
        pending(self.read, |entry| {
            if let Some(key) = entry.key() {
                for (at, _) in keys.iter().enumerate().filter(|(_, sought)| **sought == key) {
                    waiting[at] += 1;
                }
            }
            Some(())
        })?;
        root.most(&|at| Some(self.rows_of_key(*keys.get(at)?)? + waiting.get(at)?))
    }

    /// The rows of a key that are sorted in; None where they are more than the limit.
    fn rows_of_key(&self, key: i32) -> Option<usize> {
        let is_before = |entry: &Entry<'_>| entry.key().is_some_and(|own| own < key);
        let (page, at) = find(self.read, is_before)?;
        let found = at.and_then(|at| page.entry(at));
        let Some(found) = found.filter(|found| found.key() == Some(key)) else { return Some(0) };
        match found.rows()? {
            IN_TREE => self.rows_of_tree(found.block()?),
            rows => Some(usize::from(rows)),
        }
    }

    /// Counts the rows of a tree, page by page.
    fn rows_of_tree(&self, root: u32) -> Option<usize> {
        let mut page = (self.read)(root);
        for _ in 0..MAX_STEPS {
            if page.flags()? & IS_DATA == 0 {
                return None;
            }
            if page.is_leaf()? {
                break;
            }
            let (first, _) = *page.links()?.first()?;
            page = (self.read)(first);
        }
        let mut rows = 0;
        // Pages may be empty, and one that was given to others may lead back.
        for _ in 0..self.limit + MAX_STEPS {
            poll::check();
            // A page that is none of the tree any more tells nothing.
            if page.flags()? & IS_DATA == 0 || !page.is_leaf()? || !page.has_lists()? {
                return None;
            }
            let (mut at, end) = (HEADER + RIGHT_BOUND, page.lower()?);
            while at < end {
                rows += page.rows_of_list(at)?;
                at = page.end_of_list(at)?;
            }
            let next = page.next()?;
            if rows > self.limit {
                return None;
            }
            if next == NO_PAGE {
                return Some(rows);
            }
            page = (self.read)(next);
        }
        None
    }
}
