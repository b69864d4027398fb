//! How many rows a GIN index on documents gives for a `jsonpath`, told from a few of its pages.
//!
//! Postgres reads all rows of a value from such an index before it gives the first one: no LIMIT bounds that. And
//! statistics know nothing of what was loaded since. But the index itself tells a rare value from a common one: the rows of
//! a rare one stand in the entry of the value or in one more page, those of a common one in a tree. To see which it is
//! takes a page for each level of the index (`ginblock.h` describes the pages).
//!
//! This decides how a search goes on and nothing else. So rows that are not sorted in yet do not count, dead ones do, and
//! two values with the same hash are one. A page is copied and then looked at, and whatever is not as expected means that
//! there may be many.

use pgrx::pg_sys;
use std::ffi::CString;

unsafe extern "C-unwind" {
    fn gin_extract_jsonb_query_path(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum;
}

pub(super) const PAGE: usize = pg_sys::BLCKSZ as usize;
/// Of a page's header, up to the places of its items.
pub(super) const HEADER: usize = 24;
const ITEM: usize = 4;
/// A page of a posting tree says first up to which row it goes.
pub(super) const RIGHT_BOUND: usize = 8;
/// The link to the next page, how many items there are, and what kind of page it is.
const OPAQUE: usize = 8;
const ROOT: u32 = 1;
pub(super) const NO_PAGE: u32 = u32::MAX;
pub(super) const IS_DATA: u16 = 1;
const IS_LEAF: u16 = 1 << 1;
/// Of an entry: where its key is, what of its flags says that there is none, and that its rows stand in a tree.
const KEY: usize = 8;
const HAS_NULL: u16 = 0x8000;
pub(super) const IN_TREE: u16 = 0xFFFF;
/// No index is so high, and no page was split so often at once.
pub(super) const MAX_STEPS: usize = 64;
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

/// How many rows at most an index of the class `jsonb_path_ops` gives for a `jsonpath`; None where that may be more than
/// a page of the index tells of.
///
/// Raises where it is no `jsonpath`.
pub(crate) fn most_rows(index: pg_sys::Oid, path: &str) -> Option<usize> {
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
        let opened = pg_sys::relation_open(index, pg_sys::AccessShareLock as i32);
        let most = root.most(&|at| {
            let key = keys.get(at)?.value() as i32;
            rows_of_key(key, |block| read(opened, block))
        });
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        most
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

/// A copy of a page.
pub(super) struct Page(Box<[u8; PAGE]>);

/// # Safety
/// The relation is open, and no table.
pub(super) unsafe fn read(relation: pg_sys::Relation, block: u32) -> Page {
    let mut page = Box::new([0_u8; PAGE]);
    // SAFETY: Postgres raises where there is no such page. The buffer is pinned and locked while it is copied.
    unsafe {
        let buffer = pg_sys::ReadBuffer(relation, block);
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
        let bytes = pg_sys::BufferGetBlock(buffer).cast::<u8>();
        bytes.copy_to_nonoverlapping(page.as_mut_ptr(), PAGE);
        pg_sys::UnlockReleaseBuffer(buffer);
    }
    Page(page)
}

impl Page {
    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(self.0.get(at..at + 2)?.try_into().ok()?))
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }

    pub(super) fn bytes(&self, at: usize, length: usize) -> Option<&[u8]> {
        self.0.get(at..at.checked_add(length)?)
    }

    /// Where the page's items end, as its header says.
    pub(super) fn lower(&self) -> Option<usize> {
        Some(usize::from(self.u16(12)?))
    }

    pub(super) fn next(&self) -> Option<u32> {
        self.u32(PAGE - OPAQUE)
    }

    pub(super) fn flags(&self) -> Option<u16> {
        self.u16(PAGE - 2)
    }

    pub(super) fn is_leaf(&self) -> Option<bool> {
        Some(self.flags()? & IS_LEAF != 0)
    }

    pub(super) fn entries(&self) -> Option<usize> {
        Some(self.lower()?.checked_sub(HEADER)? / ITEM)
    }

    pub(super) fn entry(&self, at: usize) -> Option<Entry<'_>> {
        let place: [u8; ITEM] = self.0.get(HEADER + ITEM * at..)?.first_chunk().copied()?;
        // SAFETY: four bytes that are as Postgres has them.
        let place = unsafe { std::mem::transmute::<[u8; ITEM], pg_sys::ItemIdData>(place) };
        Some(Entry { page: self, at: place.lp_off() as usize })
    }
}

/// An entry of a page: a key, and where its rows are, or those of all keys up to it.
pub(super) struct Entry<'p> {
    pub(super) page: &'p Page,
    pub(super) at: usize,
}

impl Entry<'_> {
    /// None for what is no key: it stands behind all keys.
    fn key(&self) -> Option<i32> {
        let flags = self.page.u16(self.at + 6)?;
        (flags & HAS_NULL == 0)
            .then(|| self.page.u32(self.at + KEY))
            .flatten()
            .map(|key| key as i32)
    }

    /// The bytes from its key on, to the end of the page; None for what is no key.
    pub(super) fn stored_key(&self) -> Option<&[u8]> {
        let flags = self.page.u16(self.at + 6)?;
        if flags & HAS_NULL != 0 { None } else { self.page.0.get(self.at + KEY..) }
    }

    /// The page that it leads to: a number in two halves.
    pub(super) fn block(&self) -> Option<u32> {
        Some(u32::from(self.page.u16(self.at)?) << 16 | u32::from(self.page.u16(self.at + 2)?))
    }

    /// How many rows stand in it.
    pub(super) fn rows(&self) -> Option<u16> {
        self.page.u16(self.at + 4)
    }

    fn is_before(&self, key: i32) -> bool {
        self.key().is_some_and(|own| own < key)
    }
}

/// Where an index has its entries for a key: the page, and the place of the first entry there that is not before the key,
/// if there is one. `is_before` compares the key of an entry with it. None where a page is not as expected.
pub(super) fn find(
    read: impl Fn(u32) -> Page,
    is_before: impl Fn(&Entry<'_>) -> bool,
) -> Option<(Page, Option<usize>)> {
    let mut page = read(ROOT);
    for _ in 0..MAX_STEPS {
        if page.flags()? & IS_DATA != 0 {
            return None;
        }
        let (is_leaf, entries, next) = (page.is_leaf()?, page.entries()?, page.next()?);
        let Some(last) = entries.checked_sub(1) else { return is_leaf.then_some((page, None)) };
        // A page that was split meanwhile goes on in the next one.
        if next != NO_PAGE && is_before(&page.entry(last)?) {
            page = read(next);
            continue;
        }
        // Above the leaves the last entry of a level leads to all that is behind, whatever its key: that is of the time when
        // the entry was made, and may be before those to its left.
        let (mut low, mut high) = (0, if is_leaf { entries } else { last });
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&page.entry(middle)?) { low = middle + 1 } else { high = middle }
        }
        if is_leaf {
            return Some((page, (low < entries).then_some(low)));
        }
        page = read(page.entry(low)?.block()?);
    }
    None
}

/// How many rows at most there are for a key, as far as a page tells; None where there may be more.
fn rows_of_key(key: i32, read: impl Fn(u32) -> Page) -> Option<usize> {
    let (page, at) = find(&read, |entry| entry.is_before(key))?;
    let found = at.and_then(|at| page.entry(at));
    let Some(found) = found.filter(|found| found.key() == Some(key)) else { return Some(0) };
    match found.rows()? {
        IN_TREE => rows_of_tree(&read(found.block()?)),
        rows => Some(usize::from(rows)),
    }
}

/// The rows of a tree that is one page: each takes a byte of it at least.
fn rows_of_tree(root: &Page) -> Option<usize> {
    if !root.is_leaf()? || root.next()? != NO_PAGE {
        return None;
    }
    root.lower()?.checked_sub(HEADER + RIGHT_BOUND)
}
