//! Whether the library, the extension's functions and the tables are of one version.
//!
//! New files serve all databases of a server at once, before anybody upgrades them; and a restored dump brings the tables of
//! its time to the functions of now. What is found out of step is looked at again with each call; what is in step stays so.

use super::relation;
use super::varlena;
use crate::pg::undone;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;
use std::sync::OnceLock;

/// What is behind the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The functions of an older extension are called.
    Extension,
    /// The functions are the library's own, and the tables are older.
    Tables,
}

impl Behind {
    /// What to run.
    pub(crate) fn hint(self) -> &'static CStr {
        match self {
            Self::Extension => c"ALTER EXTENSION kepler UPDATE; SELECT kepler.install();",
            Self::Tables => c"SELECT kepler.install();",
        }
    }
}

/// The newest schema version that the library knows.
static LATEST: OnceLock<i32> = OnceLock::new();

thread_local! {
    /// The moment at which all was found in step.
    static IN_STEP: Cell<Option<u64>> = const { Cell::new(None) };
    /// What was found last.
    static BEHIND: Cell<Option<Behind>> = const { Cell::new(None) };
    /// Whether the tables are being brought forward.
    static INSTALLING: Cell<bool> = const { Cell::new(false) };
}

/// Says what the library's tables are; once, when it is loaded.
pub(crate) fn expect(latest: i32) {
    LATEST.get_or_init(|| latest);
}

/// While it lives, nothing is behind: the tables are being brought forward.
pub(crate) struct Installing;

impl Installing {
    pub(crate) fn begin() -> Self {
        INSTALLING.set(true);
        IN_STEP.set(None);
        Self
    }
}

impl Drop for Installing {
    fn drop(&mut self) {
        INSTALLING.set(false);
    }
}

/// What is behind the library, if anything is. Reads two rows until all is in step.
pub(crate) fn behind() -> Option<Behind> {
    if INSTALLING.get() || IN_STEP.get().is_some_and(undone::holds) {
        return None;
    }
    let moment = undone::moment();
    let found = look();
    BEHIND.set(found.flatten());
    IN_STEP.set((found == Some(None)).then_some(moment));
    found.flatten()
}

/// What was behind when it was last looked at: for errors, on whose way nothing can be read.
pub(crate) fn known_behind() -> Option<Behind> {
    BEHIND.get().filter(|_| !INSTALLING.get())
}

/// A session's first statement of Kepler's finds out whether anything is behind.
pub(crate) fn note() {
    if BEHIND.get().is_none() && IN_STEP.get().is_none() {
        behind();
    }
}

/// What is behind, if there are tables.
fn look() -> Option<Option<Behind>> {
    let latest = *LATEST.get()?;
    let tables = relation::named(c"kepler", c"schema_versions")?;
    // SAFETY: as in `direct`: the table is open while it is read, an error closes all of it with the transaction.
    let version = unsafe {
        let number = pg_sys::get_attnum(tables, c"version".as_ptr());
        let mut version = 0;
        if number > 0 {
            each_row(tables, |row| {
                version = version.max(row.value(number).map_or(0, |datum| datum.value() as i32));
            });
        }
        version
    };
    if version >= latest {
        return Some(None);
    }
    let is_older = of_extension().is_some_and(|found| found != env!("CARGO_PKG_VERSION"));
    Some(Some(if is_older { Behind::Extension } else { Behind::Tables }))
}

/// The version of the extension in this database.
pub(crate) fn of_extension() -> Option<String> {
    let mut version = None;
    // SAFETY: as above; the columns are those of the catalog in Postgres 16 to 18: a name, and a text.
    unsafe {
        each_row(pg_sys::ExtensionRelationId, |row| {
            let name = row.value(pg_sys::Anum_pg_extension_extname as i16);
            let is_ours = name.is_some_and(|name| {
                CStr::from_ptr(name.cast_mut_ptr::<std::ffi::c_char>()) == c"kepler"
            });
            if is_ours && let Some(text) = row.value(pg_sys::Anum_pg_extension_extversion as i16) {
                version = Some(String::from_utf8_lossy(varlena::bytes(text)).into_owned());
            }
        });
    }
    version
}

struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl Row<'_> {
    fn value(&self, number: i16) -> Option<pg_sys::Datum> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        (!*self.nulls.get(at)?).then(|| self.values[at])
    }
}

/// Each row of a small table, in a snapshot of this moment.
///
/// # Safety
/// The relation exists.
unsafe fn each_row(relation: pg_sys::Oid, mut take: impl FnMut(&Row<'_>)) {
    // SAFETY: the table is open while it is read. The scan holds a row until the next one is asked for.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let opened = pg_sys::table_open(relation, lock);
        if (*(*opened).rd_rel).relkind as u8 != pg_sys::RELKIND_RELATION {
            pg_sys::table_close(opened, lock);
            return;
        }
        let scan = pg_sys::systable_beginscan(
            opened,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        let width = (*(*opened).rd_att).natts as usize;
        let (mut values, mut nulls) = (vec![pg_sys::Datum::null(); width], vec![true; width]);
        loop {
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(
                row,
                (*opened).rd_att,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            take(&Row { values: &values, nulls: &nulls });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(opened, lock);
    }
}
