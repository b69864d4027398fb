//! Statements that a session plans once and runs often, and the rows they give.
//!
//! pgrx's own interface copies each value and looks up its type for each row; a batch reads tens of
//! thousands of rows, so this reads them where SPI put them.

use crate::pg::cluster::places::Lies;
use crate::pg::cluster::rewrite::KeptForPart;
use crate::pg::cluster::{self, part};
use crate::pg::foreign_keys::Unchecked;
use crate::pg::large::PlanForLargeTables;
use crate::pg::local_settings::LocalSettings;
use crate::pg::planner::{EstimatedBy, OwnStatement};
use crate::pg::rows::Rows;
use crate::pg::snapshot::LatestSnapshot;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::ptr;

/// Settings under which statements are planned. The tables may be empty or without statistics when a
/// plan is made, and it must fit when they are large: look-ups by index, in the order of the arrays
/// that drive them, however few or many the planner thinks there are. They do not hold while a
/// statement runs: the plans of users' triggers are the users'.
const PLANNING: &[(&CStr, &CStr)] = &[
    (c"enable_indexscan", c"on"),
    (c"enable_tidscan", c"on"),
    (c"enable_nestloop", c"on"),
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_memoize", c"off"),
    (c"enable_material", c"off"),
    (c"jit", c"off"),
];

/// What a kept statement is planned for, beside look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// Rows may be put in order.
    Sorted,
    /// They come in the order of an index.
    OfIndex,
    /// In the order of the table, from an index that tells all places of rows at once (GIN).
    OfTable,
}

impl Order {
    fn settings(self) -> &'static [(&'static CStr, &'static CStr)] {
        match self {
            Order::Sorted => &[],
            Order::OfIndex => &[(c"enable_sort", c"off")],
            Order::OfTable => &[(c"enable_bitmapscan", c"on")],
        }
    }
}

/// How a kept statement is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planned {
    /// For any values: as a look-up in large tables.
    ForAny(Order),
    /// As the values of the moment would have it, under the settings of the moment. Right for any.
    ByTheFirst,
}

/// The text of a statement that was put together, a zero at its end.
pub(crate) const fn sql(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(sql) => sql,
        Err(_) => unreachable!(),
    }
}

/// A statement with parameters, planned at its first use in a session, for any parameters. Postgres
/// plans it anew when a table it names has changed.
pub(crate) struct Statement {
    sql: &'static CStr,
    types: &'static [pg_sys::Oid],
    plan: Plan,
}

/// A `tid` as Postgres stores it.
pub(crate) type Tid = [u8; 6];

/// From how pgrx has it.
pub(crate) fn tid(place: pg_sys::ItemPointerData) -> Tid {
    let mut bytes = Tid::default();
    let parts = [place.ip_blkid.bi_hi, place.ip_blkid.bi_lo, place.ip_posid];
    for (to, part) in bytes.chunks_exact_mut(2).zip(parts) {
        to.copy_from_slice(&part.to_ne_bytes());
    }
    bytes
}

/// A parameter; `None` is SQL NULL.
pub(crate) type Parameter = Option<pg_sys::Datum>;

impl Statement {
    pub(crate) const fn new(sql: &'static CStr, types: &'static [pg_sys::Oid]) -> Self {
        Self { sql, types, plan: Plan::of_own_text(Order::Sorted) }
    }

    /// One whose few rows come in the order of an index: nothing is read to be put in order.
    pub(crate) const fn in_order(sql: &'static CStr, types: &'static [pg_sys::Oid]) -> Self {
        Self { sql, types, plan: Plan::of_own_text(Order::OfIndex) }
    }

    /// Runs the statement with a fresh snapshot and gives its rows.
    ///
    /// Raises what the statement raises. By-reference parameters must outlive the call.
    pub(crate) fn run<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(self.sql, self.types, parameters, Sight::Transaction) }
    }

    /// Runs an insert without the checks of foreign keys that consist of `constant` columns, which have the same
    /// value in all rows: see [`crate::pg::foreign_keys`] for what the caller must do.
    pub(crate) fn run_unchecked<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
        constant: &'static [&'static CStr],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe {
            let statement = self.plan.make(self.sql, self.types, parameters);
            let _unchecked = Unchecked::begin(statement, constant);
            self.plan.run(self.sql, self.types, parameters, Sight::Transaction)
        }
    }

    /// Runs a query that only reads, and sees what the calling statement sees.
    pub(crate) fn run_in_snapshot<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(self.sql, self.types, parameters, Sight::Caller) }
    }

    /// Runs a query that only reads, and sees what was committed when the snapshot was taken.
    pub(crate) fn run_in<'conn>(
        &self,
        _client: &SpiClient<'conn>,
        _snapshot: &LatestSnapshot,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected. The snapshot is the active one while it lives.
        unsafe { self.plan.run(self.sql, self.types, parameters, Sight::Caller) }
    }

    /// Runs a query that only reads, and sees all that is committed, also where the transaction keeps
    /// to an older snapshot.
    pub(crate) fn run_latest<'conn>(
        &self,
        _client: &SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(self.sql, self.types, parameters, Sight::Latest) }
    }
}

/// A statement that is made at run time. Its plan goes with it.
pub(crate) struct OwnedStatement {
    sql: CString,
    types: Vec<pg_sys::Oid>,
    plan: Plan,
}

impl OwnedStatement {
    /// `types`: those of the parameters. The text holds no zero byte.
    pub(crate) fn new(sql: String, types: Vec<pg_sys::Oid>) -> Self {
        Self::ordered(sql, types, Order::Sorted)
    }

    pub(crate) fn ordered(sql: String, types: Vec<pg_sys::Oid>, order: Order) -> Self {
        let plan = Plan::planned(Planned::ForAny(order), false);
        Self { sql: CString::new(sql).unwrap_or_default(), types, plan }
    }

    pub(crate) fn text(&self) -> &CStr {
        &self.sql
    }

    /// Says that the statement consists of Kepler's words and of names alone: see `policy_conditions`.
    pub(crate) fn of_own_text(mut self) -> Self {
        self.plan.is_own_text = true;
        self
    }

    /// Planned by the values, and under the settings, of its first use: for statements that are run with the same
    /// values again, but for those that no choice depends on.
    pub(crate) fn by_first_values(sql: String, types: Vec<pg_sys::Oid>) -> Self {
        let plan = Plan::planned(Planned::ByTheFirst, false);
        Self { sql: CString::new(sql).unwrap_or_default(), types, plan }
    }

    /// Opens a portal for a query that only reads, and sees what the calling statement sees.
    pub(crate) fn open(
        &self,
        _client: &mut SpiClient<'_>,
        parameters: &[Parameter],
    ) -> pg_sys::Portal {
        // SAFETY: `_client` shows that SPI is connected; values and nulls have one length.
        unsafe {
            self.plan.make(&self.sql, &self.types, parameters);
            let _settings = generic_plans();
            let (mut values, nulls) = arguments(parameters);
            pg_sys::SPI_cursor_open(
                ptr::null(),
                self.plan.made.get(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                true,
            )
        }
    }

    /// As [`Statement::run_in_snapshot`].
    pub(crate) fn run_in_snapshot<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(&self.sql, &self.types, parameters, Sight::Caller) }
    }

    /// As [`Statement::run_latest`].
    pub(crate) fn run_latest<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(&self.sql, &self.types, parameters, Sight::Latest) }
    }

    /// As [`Statement::run`].
    pub(crate) fn run<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        parameters: &[Parameter],
    ) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected.
        unsafe { self.plan.run(&self.sql, &self.types, parameters, Sight::Transaction) }
    }

    /// Runs a statement without parameters that writes to all rows that are committed, also where the transaction keeps
    /// to an older snapshot: for tables that nobody else writes to meanwhile.
    pub(crate) fn write_latest<'conn>(&self, _client: &mut SpiClient<'conn>) -> Rows<'conn> {
        // SAFETY: `_client` shows that SPI is connected; there are no parameters.
        unsafe { self.plan.run(&self.sql, &self.types, &[], Sight::LatestToWrite) }
    }
}

impl Drop for OwnedStatement {
    fn drop(&mut self) {
        let of_parts = self.plan.of_parts.take().into_iter().map(|(_, plan)| plan);
        for plan in of_parts.chain([self.plan.made.get()]) {
            // While a panic unwinds or the process ends, memory is no concern.
            if !plan.is_null() && !std::thread::panicking() {
                // SAFETY: the plan was kept by `make`, is ours, and is freed once.
                unsafe { pg_sys::SPI_freeplan(plan) };
            }
        }
    }
}

/// What a statement sees.
#[derive(PartialEq, Eq)]
enum Sight {
    /// What the isolation level of the transaction says.
    Transaction,
    /// All that is committed, and what the transaction did.
    Latest,
    /// The same, for a statement that writes.
    LatestToWrite,
    /// What the statement sees that called the function.
    Caller,
}

/// Postgres' plan, null before the first use.
struct Plan {
    made: Cell<pg_sys::SPIPlanPtr>,
    /// The part of a cluster that it is for, and the plans for other parts.
    part: Cell<u32>,
    of_parts: RefCell<Vec<(u32, pg_sys::SPIPlanPtr)>>,
    planned: Planned,
    /// Whether nobody but Kepler has written any part of the statement.
    is_own_text: bool,
}

/// Parameters as SPI takes them.
pub(super) fn arguments(parameters: &[Parameter]) -> (Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
    let values = parameters.iter().map(|p| p.unwrap_or(pg_sys::Datum::null())).collect();
    let nulls = parameters.iter().map(|p| if p.is_some() { b' ' } else { b'n' } as _).collect();
    (values, nulls)
}

/// For running a kept plan: a session's own mode would outrank the wish for a generic one.
fn generic_plans() -> Option<LocalSettings> {
    // SAFETY: reads a setting.
    let mode = unsafe { pg_sys::plan_cache_mode };
    let forced = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN;
    (mode == forced as i32).then(|| LocalSettings::set(&[(c"plan_cache_mode", c"auto")]))
}

impl Plan {
    const fn of_own_text(order: Order) -> Self {
        Self::planned(Planned::ForAny(order), true)
    }

    const fn planned(planned: Planned, is_own_text: bool) -> Self {
        Self {
            made: Cell::new(ptr::null_mut()),
            part: Cell::new(0),
            of_parts: RefCell::new(Vec::new()),
            planned,
            is_own_text,
        }
    }

    /// # Safety
    /// SPI must be connected; the parameters must be of the given types.
    unsafe fn run<'conn>(
        &self,
        sql: &CStr,
        types: &[pg_sys::Oid],
        parameters: &[Parameter],
        sight: Sight,
    ) -> Rows<'conn> {
        assert_eq!(parameters.len(), types.len(), "one parameter for each type");
        let (mut values, nulls) = arguments(parameters);
        // SAFETY: SPI is connected; the plan is ours, its parameters match in number (asserted) and
        // type (the callers pass what `types` says). A latest snapshot is valid until the next one is
        // taken, and SPI copies it.
        unsafe {
            self.make(sql, types, parameters);
            let _settings = generic_plans();
            pg_sys::SPI_tuptable = ptr::null_mut();
            let writes = sight == Sight::LatestToWrite;
            let status = if sight == Sight::Latest || writes {
                pg_sys::SPI_execute_snapshot(
                    self.made.get(),
                    values.as_mut_ptr(),
                    nulls.as_ptr(),
                    pg_sys::GetLatestSnapshot(),
                    ptr::null_mut(),
                    !writes,
                    writes,
                    0,
                )
            } else {
                pg_sys::SPI_execute_plan(
                    self.made.get(),
                    values.as_mut_ptr(),
                    nulls.as_ptr(),
                    sight == Sight::Caller,
                    0,
                )
            };
            Rows::take(status)
        }
    }

    /// Sees to it that there is a plan, and gives its statement; null if a rule has left none.
    ///
    /// # Safety
    /// SPI must be connected; the parameters must be of the given types.
    unsafe fn make(
        &self,
        sql: &CStr,
        types: &[pg_sys::Oid],
        parameters: &[Parameter],
    ) -> *mut pg_sys::PlannedStmt {
        // SAFETY: SPI is connected. The plan is one statement, so it has one source; the pointers
        // that Postgres gives are valid until it is asked to plan again.
        unsafe {
            self.turn_to(part::current());
            if self.made.get().is_null() {
                let plan = pg_sys::SPI_prepare_cursor(
                    sql.as_ptr(),
                    types.len() as i32,
                    types.as_ptr().cast_mut(),
                    (pg_sys::CURSOR_OPT_GENERIC_PLAN | pg_sys::CURSOR_OPT_NO_SCROLL) as i32,
                );
                assert!(!plan.is_null(), "SPI_prepare_cursor failed");
                // Kept for the life of the session, or of the statement.
                pg_sys::SPI_keepplan(plan);
                self.made.set(plan);
            }
            // What other sessions have changed is to be known before, and not while it runs.
            pg_sys::AcceptInvalidationMessages();
            let sources = pg_sys::SPI_plan_get_plan_sources(self.made.get());
            let source = &*pg_sys::list_nth(sources, 0).cast::<pg_sys::CachedPlanSource>();
            let user = pg_sys::GetUserId();
            // All that Postgres looks at: where it finds a difference it plans anew, as the session's
            // settings have it.
            let usable = source.is_valid
                && source.gplan.as_ref().is_some_and(|plan| {
                    plan.is_valid
                        && (!plan.dependsOnRole || plan.planRoleId == user)
                        && (plan.saved_xmin == pg_sys::InvalidTransactionId
                            || plan.saved_xmin == pg_sys::TransactionXmin)
                })
                && is_search_path_of(source)
                && (!source.dependsOnRLS
                    || (source.rewriteRoleId == user
                        && source.rewriteRowSecurity == pg_sys::row_security));
            if !usable && self.is_for_citus(self.made.get()) {
                return ptr::null_mut();
            }
            if !usable {
                let _kept = KeptForPart::begin();
                let plan_it = || {
                    let _own = self.is_own_text.then(|| OwnStatement::begin(sql));
                    let plan = pg_sys::SPI_plan_get_cached_plan(self.made.get());
                    pg_sys::ReleaseCachedPlan(plan, pg_sys::CurrentResourceOwner);
                };
                match self.planned {
                    Planned::ForAny(order) => {
                        let _settings = LocalSettings::set(PLANNING);
                        let _order = LocalSettings::set(order.settings());
                        let _large = PlanForLargeTables::begin();
                        plan_it();
                    }
                    Planned::ByTheFirst => {
                        let _estimated = EstimatedBy::values(types, parameters);
                        plan_it();
                    }
                }
            }
            // A rule `DO INSTEAD NOTHING` leaves no statement.
            match source.gplan.as_ref().map(|plan| plan.stmt_list) {
                Some(statements) if !statements.is_null() => pg_sys::list_nth(statements, 0).cast(),
                _ => ptr::null_mut(),
            }
        }
    }
}

impl Plan {
    /// Takes up what was made for a part of a cluster, if anything was.
    fn turn_to(&self, part: u32) {
        let before = self.part.replace(part);
        if before != part {
            let mut of_parts = self.of_parts.borrow_mut();
            let next = of_parts.iter().position(|(of, _)| *of == part);
            let next = next.map(|at| of_parts.swap_remove(at).1);
            let plan = self.made.replace(next.unwrap_or(ptr::null_mut()));
            if !plan.is_null() {
                of_parts.push((before, plan));
            }
        }
    }

    /// Whether Citus plans the statement, which it does for the values of each run.
    ///
    /// # Safety
    /// The plan was made.
    unsafe fn is_for_citus(&self, plan: pg_sys::SPIPlanPtr) -> bool {
        if !cluster::is_loaded() || self.part.get() != 0 {
            return false;
        }
        // SAFETY: as in `make`; what a statement depends on is a list of oids.
        unsafe {
            let sources = pg_sys::SPI_plan_get_plan_sources(plan);
            let source = &mut *pg_sys::list_nth(sources, 0).cast::<pg_sys::CachedPlanSource>();
            let tables = source.relationOids;
            let count = pg_sys::list_length(tables);
            let is_distributed =
                (0..count).any(|at| part::lies(pg_sys::list_nth_oid(tables, at)) != Lies::Here);
            let (generic, custom) =
                (pg_sys::CURSOR_OPT_GENERIC_PLAN as i32, pg_sys::CURSOR_OPT_CUSTOM_PLAN as i32);
            source.cursor_options &= !(generic | custom);
            source.cursor_options |= if is_distributed { custom } else { generic };
            is_distributed
        }
    }
}

/// Whether a statement was read under the search path that holds now. The first temporary table of a session
/// changes it.
///
/// # Safety
/// The source is one of Postgres'.
unsafe fn is_search_path_of(source: &pg_sys::CachedPlanSource) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        if source.search_path.is_null() {
            return true;
        }
        #[cfg(feature = "pg16")]
        return pg_sys::OverrideSearchPathMatchesCurrent(source.search_path);
        #[cfg(not(feature = "pg16"))]
        return pg_sys::SearchPathMatchesCurrentEnvironment(source.search_path);
    }
}
