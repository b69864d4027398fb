//! How many rows of a tenant hold a word, told from the index on words itself.
//!
//! Statistics know nothing of what was loaded since they were made, nor of a tenant among many. But a GIN index lists the
//! rows of each word in their order, and each row of a tenant holds a word that names the tenant. So the rows that both
//! lists have are counted, from copies of the index's pages (`ginblock.h` and `ginpostinglist.c` describe them): all of
//! them where the tenant's list has a few pages, otherwise those around pages of it that are spread evenly. No row of the
//! table is read, and no row of another tenant counts.
//!
//! This decides the order of what is found and nothing else. So dead rows do count, and whatever is not as expected is no
//! answer. Rows that are not sorted into the index yet are read too: they may be all that a tenant has. While they are being
//! sorted in, they may count twice.

use super::gin::{
    Entry, HEADER, IN_TREE, IS_DATA, MAX_STEPS, NO_PAGE, PAGE, Page, RIGHT_BOUND, find, read,
};
use super::varlena;
use pgrx::pg_sys;
use std::collections::HashSet;

/// So many pages of the tenant's list are read, and so many of a word's.
const TENANT_PAGES: usize = 16;
const WORD_PAGES: usize = 64;
/// A list of what is not sorted in is limited by Kepler's tables to a fraction of this.
const PENDING_PAGES: usize = 512;
const META: u32 = 0;
const IS_LIST: u16 = 1 << 4;
const IS_COMPRESSED: u16 = 1 << 7;
/// Of an entry's first half: that the rows are compressed.
const COMPRESSED: u32 = 1 << 31;
/// A list: its first row, how many bytes follow, and those.
const LIST: usize = 8;
/// A link of a tree: a page, and up to which row it goes.
const LINK: usize = 10;
/// A row's place within its page takes so many bits of its number.
const OFFSET_BITS: u32 = 11;

/// How many rows a tenant has, and how many of them hold each word; estimates where it has many.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) rows: f64,
    pub(crate) of_words: Vec<f64>,
}

/// Counts the rows of a tenant by an index on words. `tenant` is the word that all its rows hold.
pub(crate) fn count(index: pg_sys::Oid, tenant: &str, words: &[&str]) -> Option<Counts> {
    // SAFETY: an index, which is open while its pages are read.
    unsafe {
        let opened = pg_sys::relation_open(index, pg_sys::AccessShareLock as i32);
        let counts = Index { read: &|block| read(opened, block) }.count(tenant, words);
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        counts
    }
}

/// Counts the rows of all tenants that hold each word.
pub(crate) fn count_all(index: pg_sys::Oid, words: &[&str]) -> Option<Vec<f64>> {
    // SAFETY: as above.
    unsafe {
        let opened = pg_sys::relation_open(index, pg_sys::AccessShareLock as i32);
        let counts = Index { read: &|block| read(opened, block) }.count_all(words);
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        counts
    }
}

/// The pages of an index.
struct Index<'i> {
    read: &'i dyn Fn(u32) -> Page,
}

/// Rows by their numbers, in their order.
type Numbers = Vec<u64>;

/// Where the rows of a word are.
enum Postings {
    List(Numbers),
    Tree(u32),
}

/// Rows of the tenant that stand in one page, or in a list.
struct Part {
    rows: Numbers,
}

impl Index<'_> {
    fn count(&self, tenant: &str, words: &[&str]) -> Option<Counts> {
        let pending = self.pending(Some(tenant), words)?;
        let (parts, scale) = match self.postings(tenant)? {
            Postings::List(rows) => (vec![Part { rows }], 1.0),
            Postings::Tree(root) => self.spread(root)?,
        };
        let seen: usize = parts.iter().map(|part| part.rows.len()).sum();
        let rows = scale * seen as f64;
        let mut of_words = Vec::with_capacity(words.len());
        for (word, pending) in words.iter().zip(&pending.of_words) {
            let found = match self.postings(word)? {
                Postings::List(list) => {
                    let both: usize = parts.iter().map(|part| shared(&part.rows, &list)).sum();
                    // A word has no more rows than its list.
                    (scale * both as f64).min(list.len() as f64)
                }
                Postings::Tree(root) => rows * self.share(root, &parts)?,
            };
            of_words.push(found + pending);
        }
        Some(Counts { rows: rows + pending.rows, of_words })
    }

    fn count_all(&self, words: &[&str]) -> Option<Vec<f64>> {
        let mut of_words = self.pending(None, words)?.of_words;
        for (word, rows) in words.iter().zip(&mut of_words) {
            *rows += match self.postings(word)? {
                Postings::List(list) => list.len() as f64,
                Postings::Tree(root) => {
                    let (parts, scale) = self.spread(root)?;
                    scale * parts.iter().map(|part| part.rows.len()).sum::<usize>() as f64
                }
            };
        }
        Some(of_words)
    }

    /// What is not sorted in yet, of a tenant or of all: entries of rows, one after the other.
    fn pending(&self, tenant: Option<&str>, words: &[&str]) -> Option<Counts> {
        let mut rows = HashSet::new();
        let mut entries: Vec<(u64, usize)> = Vec::new();
        let mut block = (self.read)(META).u32(HEADER)?;
        for _ in 0..PENDING_PAGES {
            if block == NO_PAGE {
                break;
            }
            let page = (self.read)(block);
            // The list was sorted in meanwhile.
            if page.flags()? & IS_LIST == 0 {
                break;
            }
            for at in 0..page.entries()? {
                let entry = page.entry(at)?;
                let Some(key) = entry.word() else { continue };
                if tenant.is_some_and(|tenant| *key == *tenant.as_bytes()) {
                    rows.insert(entry.row()?);
                }
                if let Some(at) = words.iter().position(|word| *key == *word.as_bytes()) {
                    entries.push((entry.row()?, at));
                }
            }
            block = page.next()?;
        }
        let mut of_words = vec![0.0; words.len()];
        for (_, at) in entries.iter().filter(|(row, _)| tenant.is_none() || rows.contains(row)) {
            of_words[*at] += 1.0;
        }
        Some(Counts { rows: rows.len() as f64, of_words })
    }

    /// The rows of a word; none where no row holds it.
    fn postings(&self, word: &str) -> Option<Postings> {
        let word = word.as_bytes();
        let (page, at) = find(self.read, |entry| entry.word().is_some_and(|own| *own < *word))?;
        let found = at.and_then(|at| page.entry(at));
        match found.filter(|found| found.word().is_some_and(|own| *own == *word)) {
            None => Some(Postings::List(Vec::new())),
            Some(found) => found.postings(),
        }
    }

    /// Pages of a tree that are spread over it evenly, or all of them, and how many times as many there are.
    fn spread(&self, root: u32) -> Option<(Vec<Part>, f64)> {
        let mut blocks = vec![root];
        let mut scale = 1.0;
        for _ in 0..MAX_STEPS {
            let pages: Vec<Page> = blocks.iter().map(|block| (self.read)(*block)).collect();
            if pages.iter().any(|page| page.flags().is_none_or(|flags| flags & IS_DATA == 0)) {
                return None;
            }
            if pages.first()?.is_leaf()? {
                let parts = pages.iter().map(|page| Some(Part { rows: page.rows()? }));
                return Some((parts.collect::<Option<_>>()?, scale));
            }
            let mut below = Vec::new();
            for page in &pages {
                below.extend(page.links()?.into_iter().map(|(block, _)| block));
            }
            if below.len() > TENANT_PAGES {
                scale *= below.len() as f64 / TENANT_PAGES as f64;
                below = (0..TENANT_PAGES)
                    .map(|at| below[(2 * at + 1) * below.len() / (2 * TENANT_PAGES)])
                    .collect();
            }
            blocks = below;
        }
        None
    }

    /// The share of the tenant's rows that a word's tree has too.
    fn share(&self, root: u32, parts: &[Part]) -> Option<f64> {
        let (mut seen, mut both) = (0, 0);
        let most = (WORD_PAGES / parts.len().max(1)).max(2);
        for part in parts {
            let Some(last) = part.rows.last() else { continue };
            let mut from = 0;
            for _ in 0..most {
                // Pages of the tree that hold rows of other tenants only are passed over.
                let Some(row) = part.rows.get(from) else { break };
                let page = self.leaf(root, *row)?;
                let list = page.rows()?;
                // As far as this page goes, whether it still has rows or not, and one row at least.
                let to = match page.bound()? {
                    Some(end) if end < *last => {
                        part.rows.partition_point(|row| *row <= end).max(from + 1)
                    }
                    _ => part.rows.len(),
                };
                both += shared(&part.rows[from..to], &list);
                seen += to - from;
                from = to;
            }
        }
        Some(if seen == 0 { 0.0 } else { both as f64 / seen as f64 })
    }

    /// The page of a tree that a row would stand in.
    fn leaf(&self, root: u32, row: u64) -> Option<Page> {
        let mut page = (self.read)(root);
        for _ in 0..MAX_STEPS {
            if page.flags()? & IS_DATA == 0 {
                return None;
            }
            // A page that was split meanwhile goes on in the next one.
            if page.bound()?.is_some_and(|end| end < row) {
                page = (self.read)(page.next()?);
                continue;
            }
            if page.is_leaf()? {
                return Some(page);
            }
            let links = page.links()?;
            let (block, _) = links.iter().find(|(_, up_to)| *up_to >= row).or(links.last())?;
            page = (self.read)(*block);
        }
        None
    }
}

/// How many rows two lists have in common.
fn shared(rows: &[u64], list: &[u64]) -> usize {
    let (mut a, mut b, mut both) = (0, 0, 0);
    while let (Some(row), Some(other)) = (rows.get(a), list.get(b)) {
        both += usize::from(row == other);
        a += usize::from(row <= other);
        b += usize::from(other <= row);
    }
    both
}

impl Page {
    /// The number of a row: its page, in two halves, and its place there.
    fn row(&self, at: usize) -> Option<u64> {
        let block = u64::from(self.u16(at)?) << 16 | u64::from(self.u16(at + 2)?);
        Some(block << OFFSET_BITS | u64::from(self.u16(at + 4)?))
    }

    /// Up to which row a page of a tree goes; None for the last one of its level.
    fn bound(&self) -> Option<Option<u64>> {
        if self.next()? == NO_PAGE { Some(None) } else { self.row(HEADER).map(Some) }
    }

    /// The rows of a leaf of a tree.
    fn rows(&self) -> Option<Numbers> {
        if self.flags()? & IS_COMPRESSED == 0 {
            return None;
        }
        let mut rows = Vec::new();
        let (mut at, end) = (HEADER + RIGHT_BOUND, self.lower()?);
        while at < end {
            at = self.list(at, &mut rows)?;
        }
        Some(rows)
    }

    /// Adds the rows of a list, and gives where it ends.
    fn list(&self, at: usize, rows: &mut Numbers) -> Option<usize> {
        let mut row = self.row(at)?;
        let length = usize::from(self.u16(at + 6)?);
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
        // Lists begin at even places.
        Some(at + LIST + length.next_multiple_of(2))
    }

    /// The links of a page within a tree.
    fn links(&self) -> Option<Vec<(u32, u64)>> {
        let count = usize::from(self.u16(PAGE - 4)?);
        let link = |at: usize| {
            let at = HEADER + RIGHT_BOUND + LINK * at;
            let block = u32::from(self.u16(at)?) << 16 | u32::from(self.u16(at + 2)?);
            Some((block, self.row(at + 4)?))
        };
        (0..count).map(link).collect()
    }
}

impl Entry<'_> {
    /// The word; None behind all words.
    fn word(&self) -> Option<Box<[u8]>> {
        let bytes = self.stored_key()?;
        // Most are short, and begin with a byte that says how long they are.
        if let [length, word @ ..] = bytes
            && length & 1 == 1
            && *length != 1
        {
            return word.get(..usize::from(length >> 1) - 1).map(Box::from);
        }
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        // SAFETY: the vector holds at least as many bytes. What begins in no other way is a `varlena` of four bytes that
        // say how long it is, whole or compressed, and aligned here.
        unsafe {
            words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            let length = u32::from_le_bytes(*bytes.first_chunk()?) >> 2;
            if length < 4 || length as usize > bytes.len() {
                return None;
            }
            Some(Box::from(varlena::bytes(pg_sys::Datum::from(words.as_ptr()))))
        }
    }

    /// The row of what is not sorted in yet.
    fn row(&self) -> Option<u64> {
        self.page.row(self.at)
    }

    fn postings(&self) -> Option<Postings> {
        let count = usize::from(self.rows()?);
        if count == usize::from(IN_TREE) {
            return Some(Postings::Tree(self.block()?));
        }
        let at = self.block()?;
        let mut rows = Vec::with_capacity(count);
        if count > 0 {
            if at & COMPRESSED == 0 {
                return None;
            }
            self.page.list(self.at + (at & !COMPRESSED) as usize, &mut rows)?;
        }
        Some(Postings::List(rows))
    }
}
