//! Queries that are made at run time, over the same parameters.
//!
//! Those whose best plan depends on the values are planned anew each time: a plan made for a large tenant,
//! and kept, gives a small one a fraction of its rows from an index on vectors. Those that can be carried
//! out in one way only are planned once; and those that come again with the same values, but for some that no choice
//! depends on, for a while (`kept_for`).

mod kept_for;

pub(crate) use kept_for::Whose;

use crate::pg::array::Array;
use crate::pg::plan::{Order, OwnedStatement, Parameter, arguments};
use crate::pg::planner::OwnTablesAreLarge;
use crate::pg::rows::Rows;
use crate::pg::varlena::{self, Text};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

/// What finding a row through an index costs at most, in the planner's units: two pages, fetched one
/// by one.
const COST_A_ROW: f64 = 10.0;

/// A session keeps so many.
const MAX_KEPT: usize = 200;

type Kept = HashMap<(String, Vec<pg_sys::Oid>, Order), Rc<OwnedStatement>>;

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// The parameters of a few queries that are about the same thing; each uses those that it names.
#[derive(Default)]
pub(crate) struct Parameters {
    types: Vec<pg_sys::Oid>,
    values: Vec<Parameter>,
    /// What the datums point to.
    texts: Vec<Text>,
    arrays: Vec<Array>,
    bytes: Vec<Vec<u64>>,
}

impl Parameters {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.types.len()
    }

    /// Adds a value that outlives this, and gives its name in SQL.
    pub(crate) fn datum(&mut self, sql_type: pg_sys::Oid, value: Parameter) -> String {
        self.types.push(sql_type);
        self.values.push(value);
        format!("${}", self.types.len())
    }

    pub(crate) fn text(&mut self, text: &str) -> String {
        let text = Text::new(text);
        let datum = text.datum();
        self.texts.push(text);
        self.datum(pg_sys::TEXTOID, Some(datum))
    }

    pub(crate) fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> String {
        self.array(pg_sys::TEXTARRAYOID, Array::texts(texts))
    }

    pub(crate) fn array(&mut self, array_type: pg_sys::Oid, mut array: Array) -> String {
        let datum = array.datum();
        self.arrays.push(array);
        self.datum(array_type, Some(datum))
    }

    /// A `varlena` as it is stored, the length word included.
    pub(crate) fn stored(&mut self, sql_type: pg_sys::Oid, stored: &[u8]) -> String {
        let mut words = vec![0_u64; stored.len().div_ceil(8)];
        // SAFETY: the vector holds at least as many initialized bytes; u8 has no alignment.
        unsafe {
            words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(stored.as_ptr(), stored.len());
        }
        let datum = pg_sys::Datum::from(words.as_ptr());
        self.bytes.push(words);
        self.datum(sql_type, Some(datum))
    }

    /// Raises where it is no `jsonpath`.
    pub(crate) fn jsonpath(&mut self, path: &str) -> String {
        let text = CString::new(path).unwrap_or_default();
        let argument = Some(pg_sys::Datum::from(text.as_ptr()));
        // SAFETY: the function takes a C string, and gives a varlena in the current memory.
        let stored = unsafe {
            let read = pgrx::direct_function_call_as_datum(pg_sys::jsonpath_in, &[argument]);
            read.and_then(|read| varlena::stored(read))
        };
        self.stored(pg_sys::JSONPATHOID, stored.unwrap_or_default())
    }

    pub(crate) fn time(&mut self, microseconds: i64) -> String {
        self.datum(pg_sys::TIMESTAMPTZOID, Some(pg_sys::Datum::from(microseconds)))
    }

    /// Runs one query, planned for these values, and gives its rows. All of them see what the calling
    /// statement sees: a row that one has found is there for the next.
    ///
    /// Raises what the statement raises.
    pub(crate) fn run<'conn>(&self, client: &mut SpiClient<'conn>, sql: &str) -> Rows<'conn> {
        self.execute(client, sql, true)
    }

    /// The same with a fresh snapshot: for what must see what others have committed while this waited
    /// for a lock. Kepler's tables count as large, whatever statistics say of them.
    pub(crate) fn run_fresh<'conn>(&self, client: &mut SpiClient<'conn>, sql: &str) -> Rows<'conn> {
        let _large = OwnTablesAreLarge::begin();
        self.execute(client, sql, false)
    }

    /// The same, planned as the settings say that hold: for what goes through whole tables.
    pub(crate) fn run_as_set<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        sql: &str,
    ) -> Rows<'conn> {
        self.execute(client, sql, false)
    }

    fn execute<'conn>(
        &self,
        _client: &mut SpiClient<'conn>,
        sql: &str,
        in_snapshot: bool,
    ) -> Rows<'conn> {
        let (sql, mut types, mut values, nulls) = self.arguments(sql);
        // SAFETY: `_client` shows that SPI is connected; types, values and nulls have one length, and
        // the datums live as long as `self` or, as `datum` asks, longer.
        unsafe {
            pg_sys::SPI_tuptable = std::ptr::null_mut();
            let status = pg_sys::SPI_execute_with_args(
                sql.as_ptr(),
                types.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                in_snapshot,
                0,
            );
            Rows::take(status)
        }
    }

    /// Runs a query that is planned once for any values, as [`OwnedStatement`] is, and sees what the
    /// calling statement sees.
    ///
    /// Raises what the statement raises.
    pub(crate) fn run_kept<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        sql: String,
        order: Order,
    ) -> Rows<'conn> {
        let key = (sql, self.types.clone(), order);
        let known = KEPT.with_borrow(|kept| kept.get(&key).cloned());
        let statement = known.unwrap_or_else(|| {
            let made = OwnedStatement::ordered(key.0.clone(), key.1.clone(), order);
            let statement = Rc::new(made);
            KEPT.with_borrow_mut(|kept| {
                if kept.len() >= MAX_KEPT {
                    kept.clear();
                }
                kept.insert(key, Rc::clone(&statement));
            });
            statement
        });
        statement.run_in_snapshot(client, &self.values)
    }

    /// The rows of a query, if Postgres expects it to give at most so many, without reading much more, and it
    /// does. Planned for these values; where more are expected nothing is run, otherwise one row more at
    /// most is looked for.
    ///
    /// Raises what the statement raises.
    pub(crate) fn few<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        sql: &str,
        most: usize,
    ) -> Option<Rows<'conn>> {
        self.planned(client, sql, |portal, plan| few_of(portal, plan, most))
    }

    /// The same for a query that may come again soon with the values of the same scope: from the second time on its plan
    /// is kept for a while.
    ///
    /// Raises what the statement raises.
    pub(crate) fn few_of_scope<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        sql: &str,
        most: usize,
        whose: Whose,
    ) -> Option<Rows<'conn>> {
        let Some(statement) = whose.statement(sql, &self.types) else {
            return self.few(client, sql, most);
        };
        // SAFETY: of a portal that is open.
        unsafe {
            look_at(statement.open(client, &self.values), |portal, plan| few_of(portal, plan, most))
        }
    }

    /// How many rows Postgres expects a query to give, planned for these values. Nothing is run.
    ///
    /// Raises what the statement raises.
    pub(crate) fn expected_rows(&self, client: &mut SpiClient<'_>, sql: &str) -> f64 {
        // SAFETY: a plan has a tree.
        self.planned(client, sql, |_, plan| unsafe { (*plan.planTree).plan_rows })
    }

    /// Whether a query with a LIMIT gives its rows in the order of an index, and reads no others than those on the way. Nothing
    /// is run.
    ///
    /// Raises what the statement raises.
    pub(crate) fn follows_an_index(&self, client: &mut SpiClient<'_>, sql: &str) -> bool {
        use pg_sys::NodeTag::{T_IndexOnlyScan, T_IndexScan, T_Limit, T_Result};
        self.planned(client, sql, |_, plan| {
            let mut node = plan.planTree;
            // SAFETY: nodes of a plan, of which each begins with its tag, and whose trees end with null.
            unsafe {
                while !node.is_null() && matches!((*node).type_, T_Limit | T_Result) {
                    node = (*node).lefttree;
                }
                !node.is_null() && matches!((*node).type_, T_IndexScan | T_IndexOnlyScan)
            }
        })
    }

    /// The tables that a query reads, planned for these values: of a partitioned one the partitions that
    /// its conditions leave, too. Nothing is run.
    ///
    /// Raises what the statement raises, where the rights are missing that it needs too.
    pub(crate) fn relations(&self, client: &mut SpiClient<'_>, sql: &str) -> Vec<pg_sys::Oid> {
        self.planned(client, sql, |_, plan| {
            let relations = plan.relationOids;
            // SAFETY: a list of oids of the plan.
            unsafe {
                (0..pg_sys::list_length(relations))
                    .map(|at| pg_sys::list_nth_oid(relations, at))
                    .collect()
            }
        })
    }

    /// Plans a query for these values, and looks at the plan.
    fn planned<T>(
        &self,
        _client: &mut SpiClient<'_>,
        sql: &str,
        look: impl FnOnce(pg_sys::Portal, &pg_sys::PlannedStmt) -> T,
    ) -> T {
        let (sql, mut types, mut values, nulls) = self.arguments(sql);
        // SAFETY: as in `execute`. A portal that was opened for one query has one plan, and is closed here,
        // or with the transaction that an error ends.
        unsafe {
            let portal = pg_sys::SPI_cursor_open_with_args(
                std::ptr::null(),
                sql.as_ptr(),
                types.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                true,
                pg_sys::CURSOR_OPT_NO_SCROLL as i32,
            );
            look_at(portal, look)
        }
    }

    /// A statement and its parameters as SPI takes them.
    fn arguments(
        &self,
        sql: &str,
    ) -> (CString, Vec<pg_sys::Oid>, Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
        let (values, nulls) = arguments(&self.values);
        (CString::new(sql).unwrap_or_default(), self.types.clone(), values, nulls)
    }
}

/// Looks at the plan of a portal, and closes it.
///
/// # Safety
/// The portal was opened for one query.
unsafe fn look_at<T>(
    portal: pg_sys::Portal,
    look: impl FnOnce(pg_sys::Portal, &pg_sys::PlannedStmt) -> T,
) -> T {
    // SAFETY: such a portal has one plan.
    unsafe {
        let plan = &*pg_sys::list_nth((*portal).stmts, 0).cast::<pg_sys::PlannedStmt>();
        let seen = look(portal, plan);
        pg_sys::SPI_cursor_close(portal);
        seen
    }
}

fn few_of<'conn>(
    portal: pg_sys::Portal,
    plan: &pg_sys::PlannedStmt,
    most: usize,
) -> Option<Rows<'conn>> {
    // SAFETY: the portal is open, its plan has a tree, and the rows that it gives are SPI's last.
    let rows = unsafe {
        let tree = &*plan.planTree;
        let affordable = COST_A_ROW * most as f64;
        if tree.plan_rows > most as f64 || tree.total_cost > affordable {
            return None;
        }
        pg_sys::SPI_cursor_fetch(portal, true, most as i64 + 1);
        Rows::take(pg_sys::SPI_OK_CURSOR as i32)
    };
    (rows.count() <= most).then_some(rows)
}
