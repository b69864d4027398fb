//! How many rows of a tenant hold a word, told from the index on words itself.
//!
//! Statistics know nothing of what was loaded since they were made, nor of a tenant among many. But a GIN index lists the
//! rows of each word in their order, and each row of a tenant holds a word that names the tenant. So the rows that both
//! lists have are counted, from copies of the index's pages (`gin_pages`). A page has some
//! thirty lists, one behind the other, each with its first row: only those that are looked at are decoded. All of the tenant's are
//! where it has some ten thousand rows, otherwise lists that are spread evenly; how many rows it has is counted without that. Of a word that few rows hold, the tenant's part is told by
//! some of those. No row of the table is read, and no row of another tenant counts.
//!
//! This decides the order of what is found and nothing else. So dead rows do count, and whatever is not as expected is no
//! answer. Rows that are not sorted into the index yet are read too: they may be all that a tenant has. While they are being
//! sorted in, they may count twice.

use super::gin_pages::{
    Entry, HEADER, IN_TREE, IS_DATA, MAX_STEPS, Numbers, Page, RIGHT_BOUND, find, pending, read,
};
use super::varlena;
use pgrx::pg_sys;
use std::collections::HashSet;

/// So many pages of the tenant's rows are read, and so many of their lists. Each has a hundred to three hundred rows.
const TENANT_PAGES: usize = 16;
const TENANT_LISTS: usize = 48;
/// Of a word's pages so many for each of those lists.
const PAGES_A_LIST: usize = 4;
/// So many rows of a rare word are looked for among the tenant's, where those are not all decoded.
const LOOKED_FOR: usize = 64;
const NEARLY_ALL: f64 = 0.9;
/// Of an entry's first half: that the rows are compressed.
const COMPRESSED: u32 = 1 << 31;

/// How many rows a tenant has, and how many of them hold each word; estimates where it has many.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) rows: f64,
    pub(crate) of_words: Vec<f64>,
    /// How many rows of all tenants hold each word, as far as the words have no tree.
    pub(crate) of_all: Vec<Option<usize>>,
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

/// Where the rows of a word are.
enum Postings {
    List(Numbers),
    Tree(u32),
}

/// What is looked at of the rows of a tenant.
struct Sample {
    /// In their order.
    lists: Vec<Numbers>,
    /// How many rows there are in all.
    rows: f64,
    /// Where they stand, unless that is all of them.
    root: Option<u32>,
}

impl Index<'_> {
    fn count(&self, tenant: &str, words: &[&str]) -> Option<Counts> {
        let pending = self.pending(Some(tenant), words)?;
        let sample = match self.postings(tenant)? {
            Postings::List(list) => {
                Sample { rows: list.len() as f64, lists: vec![list], root: None }
            }
            Postings::Tree(root) => self.sample(root)?,
        };
        let rows = sample.rows;
        let (mut of_words, mut of_all) = (Vec::new(), Vec::new());
        for (word, pending) in words.iter().zip(&pending.of_words) {
            let (found, all) = match self.postings(word)? {
                Postings::List(list) => (self.of_list(&list, &sample)?, Some(list.len())),
                Postings::Tree(root) => (self.of_tree(root, &sample)?, None),
            };
            of_words.push(found + pending);
            of_all.push(all);
        }
        Some(Counts { rows: rows + pending.rows, of_words, of_all })
    }

    /// How many of the rows of a list are the tenant's.
    fn of_list(&self, list: &[u64], sample: &Sample) -> Option<f64> {
        let Some(root) = sample.root else {
            return Some(sample.lists.iter().map(|rows| shared(rows, list)).sum::<usize>() as f64);
        };
        let looked_for = list.len().min(LOOKED_FOR);
        let places = (0..looked_for).map(|at| (2 * at + 1) * list.len() / (2 * looked_for));
        Some(list.len() as f64 * self.share(root, places.map(|at| &list[at..=at]))?)
    }

    /// How many of the rows of a word's tree are the tenant's. Where they nearly all are, the tree tells it better than some of the
    /// tenant's rows do.
    fn of_tree(&self, root: u32, sample: &Sample) -> Option<f64> {
        if let Some(tenant) = sample.root {
            let of_all = self.sample(root)?;
            let some = of_all.lists.iter().filter_map(|rows| rows.get(..1));
            let share = self.share(tenant, some)?;
            if share >= NEARLY_ALL {
                return Some(of_all.rows * share);
            }
        }
        Some(sample.rows * self.share(root, sample.lists.iter().map(Vec::as_slice))?)
    }

    fn count_all(&self, words: &[&str]) -> Option<Vec<f64>> {
        let mut of_words = self.pending(None, words)?.of_words;
        for (word, rows) in words.iter().zip(&mut of_words) {
            *rows += match self.postings(word)? {
                Postings::List(list) => list.len() as f64,
                Postings::Tree(root) => self.sample(root)?.rows,
            };
        }
        Some(of_words)
    }

    /// What is not sorted in yet, of a tenant or of all: entries of rows, one after the other.
    fn pending(&self, tenant: Option<&str>, words: &[&str]) -> Option<Counts> {
        let mut rows = HashSet::new();
        let mut entries: Vec<(u64, usize)> = Vec::new();
        pending(self.read, |entry| {
            let Some(key) = entry.word() else { return Some(()) };
            if tenant.is_some_and(|tenant| *key == *tenant.as_bytes()) {
                rows.insert(entry.row()?);
            }
            if let Some(at) = words.iter().position(|word| *key == *word.as_bytes()) {
                entries.push((entry.row()?, at));
            }
            Some(())
        })?;
        let mut of_words = vec![0.0; words.len()];
        for (_, at) in entries.iter().filter(|(row, _)| tenant.is_none() || rows.contains(row)) {
            of_words[*at] += 1.0;
        }
        Some(Counts { rows: rows.len() as f64, of_words, of_all: Vec::new() })
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

    /// Lists of a tree that are spread over it evenly, or all of them.
    fn sample(&self, root: u32) -> Option<Sample> {
        let mut blocks = vec![root];
        let mut scale = 1.0;
        for _ in 0..MAX_STEPS {
            let pages: Vec<Page> = blocks.iter().map(|block| (self.read)(*block)).collect();
            if pages.iter().any(|page| page.flags().is_none_or(|flags| flags & IS_DATA == 0)) {
                return None;
            }
            if pages.first()?.is_leaf()? {
                let leaves: Vec<Leaf> = pages.into_iter().map(Leaf::of).collect::<Option<_>>()?;
                let mut places: Vec<(&Leaf, usize)> = Vec::new();
                for leaf in &leaves {
                    places.extend(leaf.lists.iter().map(|(_, at)| (leaf, *at)));
                }
                let rows: Option<usize> =
                    places.iter().map(|(leaf, at)| leaf.page.rows_of_list(*at)).sum();
                let rows = scale * rows? as f64;
                let is_whole = scale * even(&mut places, TENANT_LISTS) == 1.0;
                let lists = places.into_iter().map(|(leaf, at)| leaf.list(at));
                let root = (!is_whole).then_some(root);
                return Some(Sample { lists: lists.collect::<Option<_>>()?, rows, root });
            }
            let mut below = Vec::new();
            for page in &pages {
                below.extend(page.links()?.into_iter().map(|(block, _)| block));
            }
            scale *= even(&mut below, TENANT_PAGES);
            blocks = below;
        }
        None
    }

    /// The share of rows that a tree has too. They come in their order, in lists.
    fn share<'r>(&self, root: u32, lists: impl Iterator<Item = &'r [u64]>) -> Option<f64> {
        let (mut seen, mut both) = (0, 0);
        let mut leaf: Option<Leaf> = None;
        for rows in lists {
            let mut from = 0;
            for _ in 0..PAGES_A_LIST {
                // Pages of the tree between those rows are passed over.
                let Some(row) = rows.get(from) else { break };
                let page = match leaf.take().filter(|leaf| leaf.goes_to(*row)) {
                    Some(page) => page,
                    None => Leaf::of(self.leaf(root, *row)?)?,
                };
                // As far as this page goes, whether it still has rows or not, and one row at least.
                let to = rows.partition_point(|row| page.goes_to(*row)).max(from + 1);
                both += page.shared(&rows[from..to])?;
                seen += to - from;
                from = to;
                leaf = Some(page);
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

/// Takes at most so many, spread evenly, and gives how many times as many there were.
fn even<T: Copy>(all: &mut Vec<T>, most: usize) -> f64 {
    let count = all.len();
    if count <= most {
        return 1.0;
    }
    *all = (0..most).map(|at| all[(2 * at + 1) * count / (2 * most)]).collect();
    count as f64 / most as f64
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

/// A page of a tree that has rows, in lists: each with its first row, and where it stands.
struct Leaf {
    page: Page,
    lists: Vec<(u64, usize)>,
    bound: Option<u64>,
}

impl Leaf {
    fn of(page: Page) -> Option<Self> {
        if !page.has_lists()? {
            return None;
        }
        let (bound, end) = (page.bound()?, page.lower()?);
        let (mut lists, mut at) = (Vec::new(), HEADER + RIGHT_BOUND);
        while at < end {
            lists.push((page.row(at)?, at));
            at = page.end_of_list(at)?;
        }
        Some(Self { page, lists, bound })
    }

    /// Whether a row stands in this page, or before it.
    fn goes_to(&self, row: u64) -> bool {
        self.bound.is_none_or(|bound| row <= bound)
    }

    fn list(&self, at: usize) -> Option<Numbers> {
        let mut rows = Vec::new();
        self.page.list(at, &mut rows)?;
        Some(rows)
    }

    /// How many of the rows, which come in their order, stand in this page.
    fn shared(&self, rows: &[u64]) -> Option<usize> {
        let (mut both, mut from, mut decoded) = (0, 0, Vec::new());
        while let Some(row) = rows.get(from) {
            let behind = self.lists.partition_point(|(first, _)| first <= row);
            let next = self.lists.get(behind).map_or(u64::MAX, |(first, _)| *first);
            let to = from + rows[from..].partition_point(|row| *row < next);
            if let Some(last) = behind.checked_sub(1) {
                decoded.clear();
                self.page.list(self.lists[last].1, &mut decoded)?;
                both += shared(&rows[from..to], &decoded);
            }
            from = to;
        }
        Some(both)
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
