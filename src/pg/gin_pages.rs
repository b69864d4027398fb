//! The pages of a GIN index, as `ginblock.h` and `ginpostinglist.c` describe them: where the entry of a key is, the rows of a key, and
//! what is not sorted in yet.
//!
//! A page is copied and then looked at. What is not as expected is None, and no answer.

use pgrx::pg_sys;

pub(super) const PAGE: usize = pg_sys::BLCKSZ as usize;
/// Of a page's header, up to the places of its items.
pub(super) const HEADER: usize = 24;
const ITEM: usize = 4;
/// A page of a posting tree says first up to which row it goes.
pub(super) const RIGHT_BOUND: usize = 8;
/// The link to the next page, how many items there are, and what kind of page it is.
const OPAQUE: usize = 8;
const META: u32 = 0;
const ROOT: u32 = 1;
pub(super) const NO_PAGE: u32 = u32::MAX;
pub(super) const IS_DATA: u16 = 1;
const IS_LEAF: u16 = 1 << 1;
const IS_LIST: u16 = 1 << 4;
const IS_COMPRESSED: u16 = 1 << 7;
/// Of an entry: where its key is, what of its flags says that there is none, and that its rows stand in a tree.
const KEY: usize = 8;
const HAS_NULL: u16 = 0x8000;
pub(super) const IN_TREE: u16 = 0xFFFF;
/// A list of rows: its first row, how many bytes follow, and those.
const LIST: usize = 8;
/// A link of a tree: a page, and up to which row it goes.
const LINK: usize = 10;
/// A row's place within its page takes so many bits of its number.
const OFFSET_BITS: u32 = 11;
/// No index is so high, and no page was split so often at once.
pub(super) const MAX_STEPS: usize = 64;
/// A list of what is not sorted in is limited by Kepler's tables to a fraction of this.
const PENDING_PAGES: usize = 512;

/// Rows by their numbers, in their order.
pub(super) type Numbers = Vec<u64>;

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

    /// Whether a page of a tree has rows, in lists.
    pub(super) fn has_lists(&self) -> Option<bool> {
        Some(self.flags()? & IS_COMPRESSED != 0)
    }

    /// The number of a row: its page, in two halves, and its place there.
    pub(super) fn row(&self, at: usize) -> Option<u64> {
        let block = u64::from(self.u16(at)?) << 16 | u64::from(self.u16(at + 2)?);
        Some(block << OFFSET_BITS | u64::from(self.u16(at + 4)?))
    }

    /// Up to which row a page of a tree goes; None for the last one of its level.
    pub(super) fn bound(&self) -> Option<Option<u64>> {
        if self.next()? == NO_PAGE { Some(None) } else { self.row(HEADER).map(Some) }
    }

    /// Where a list ends. Each begins at an even place.
    pub(super) fn end_of_list(&self, at: usize) -> Option<usize> {
        Some(at + LIST + usize::from(self.u16(at + 6)?).next_multiple_of(2))
    }

    /// How many rows a list has: the first one, and one for each step, whose last byte alone is less than 128.
    pub(super) fn rows_of_list(&self, at: usize) -> Option<usize> {
        let steps = self.bytes(at + LIST, usize::from(self.u16(at + 6)?))?;
        Some(1 + steps.iter().filter(|byte| **byte < 0x80).count())
    }

    /// Adds the rows of a list.
    pub(super) fn list(&self, at: usize, rows: &mut Numbers) -> Option<()> {
        let mut row = self.row(at)?;
        let length = usize::from(self.u16(at + 6)?);
        rows.reserve(1 + length);
        rows.push(row);
        // Each row by how far it is from the one before, seven bits to a byte, the lowest first.
        let (mut step, mut shift) = (0_u64, 0);
        for byte in self.bytes(at + LIST, length)? {
            step |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 != 0 {
                shift += 7;
                if shift > 42 {
                    return None;
                }
            } else {
                row += step;
                rows.push(row);
                (step, shift) = (0, 0);
            }
        }
        Some(())
    }

    /// The links of a page within a tree.
    pub(super) fn links(&self) -> Option<Vec<(u32, u64)>> {
        let count = usize::from(self.u16(PAGE - 4)?);
        let link = |at: usize| {
            let at = HEADER + RIGHT_BOUND + LINK * at;
            let block = u32::from(self.u16(at)?) << 16 | u32::from(self.u16(at + 2)?);
            Some((block, self.row(at + 4)?))
        };
        (0..count).map(link).collect()
    }
}

/// An entry of a page: a key, and where its rows are, or those of all keys up to it.
pub(super) struct Entry<'p> {
    pub(super) page: &'p Page,
    pub(super) at: usize,
}

impl Entry<'_> {
    /// A key of four bytes; None for what is no key: it stands behind all keys.
    pub(super) fn key(&self) -> Option<i32> {
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

    /// The row of what is not sorted in yet.
    pub(super) fn row(&self) -> Option<u64> {
        self.page.row(self.at)
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

/// Gives `each` all entries of what is not sorted in yet.
pub(super) fn pending(
    read: impl Fn(u32) -> Page,
    mut each: impl FnMut(&Entry<'_>) -> Option<()>,
) -> Option<()> {
    let mut block = read(META).u32(HEADER)?;
    for _ in 0..PENDING_PAGES {
        if block == NO_PAGE {
            break;
        }
        let page = read(block);
        // The list was sorted in meanwhile.
        if page.flags()? & IS_LIST == 0 {
            break;
        }
        for at in 0..page.entries()? {
            each(&page.entry(at)?)?;
        }
        block = page.next()?;
    }
    Some(())
}
