//! Policies of workspaces as conditions among others, where no caller could learn of a row that they hide.
//!
//! Postgres evaluates a policy before all that might show a row to its caller, and uses an index only with operators that
//! cannot. `=` of enums, numerics and arrays, jsonb's operators and `LIKE` are not known to be such, and with them the index is
//! lost. That is needless in two kinds of statements, where the policy then holds as a condition of WHERE, which the database
//! checks as any other:
//!
//! - Statements that are part of Kepler. They call nothing but Postgres, pgvector and Kepler, so who runs one sees what it
//!   returns and no more. That goes for policies of tables in Kepler's schemas.
//! - Statements of anybody on a table that belongs to one workspace as a whole, as entry tables do. Its policy names no
//!   column: it holds for all rows or for none, and Postgres asks it once, before it reads any. That is so where no outer
//!   join makes the rows optional, and there alone it is moved. And only where it holds for the session that plans, since
//!   the planner shows statistics to the operators of a statement.
//!
//! Policies are told by their expression. Where a user has added another one, all stay where Postgres has put them.

// As in `planner`: errors pass through as Postgres raised them.

use super::row_security::{OfWorkspace, Whose};
use pgrx::pg_sys;
use std::ffi::{CStr, c_int, c_void};

unsafe extern "C-unwind" {
    fn palloc0(size: usize) -> *mut c_void;
    fn lappend(list: *mut pg_sys::List, item: *mut c_void) -> *mut pg_sys::List;
    fn makeBoolConst(value: bool, is_null: bool) -> *mut pg_sys::Node;
    fn make_and_qual(one: *mut pg_sys::Node, other: *mut pg_sys::Node) -> *mut pg_sys::Node;
    fn query_tree_walker_impl(
        query: *mut pg_sys::Query,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;
    fn expression_tree_walker_impl(
        node: *mut pg_sys::Node,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
    ) -> bool;
}

/// Whose words a statement consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    Kepler,
    /// Anybody, and it names the workspace of its rows, as Kepler's functions do. The policy stays a policy.
    Function,
    Anybody,
}

/// Moves policies of workspaces into the conditions of a query and of queries in it.
///
/// # Safety
/// A query that the planner was given. Where Kepler is the author, its text is Kepler's, and so are its tables.
pub(super) unsafe fn make_conditions(query: *mut pg_sys::Query, mut author: Author) {
    // SAFETY: as the caller says.
    unsafe {
        match author {
            Author::Anybody => visit_kept(query),
            Author::Kepler | Author::Function => {
                visit(query.cast(), (&raw mut author).cast());
            }
        }
    }
}

/// A query none of whose rows an outer join makes optional, as the outermost one: a condition on the session in it gates
/// all that it reads, whether Postgres plans it by itself or as part of the query around it. What may become a part of an
/// outer join's optional side is not reached from here, and keeps its policies: its conditions would be checked in the join,
/// after rows were read. These are the optional sides themselves, and what asks EXISTS or IN.
///
/// # Safety
/// A query that the planner was given, or such a one in it.
unsafe fn visit_kept(query: *mut pg_sys::Query) {
    // SAFETY: as the caller says; the lists of a query hold what Postgres puts there.
    unsafe {
        // MERGE joins its target in a way of its own.
        if (*query).commandType == pg_sys::CmdType::CMD_MERGE {
            return;
        }
        for at in 0..pg_sys::list_length((*query).cteList) {
            let with = pg_sys::list_nth((*query).cteList, at).cast::<pg_sys::CommonTableExpr>();
            if is_apart(with) {
                visit_kept((*with).ctequery.cast());
            }
        }
        if !(*query).jointree.is_null() {
            descend(query, (*query).jointree.cast(), std::ptr::null_mut(), Author::Anybody);
        }
        visit_members(query, (*query).setOperations);
    }
}

/// The queries that UNION and the like put together. Postgres plans those with a condition by themselves.
///
/// # Safety
/// A node of the query's tree of set operations, or null.
unsafe fn visit_members(query: *mut pg_sys::Query, node: *mut pg_sys::Node) {
    // SAFETY: a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblRef => {
                visit_item(query, (*node.cast::<pg_sys::RangeTblRef>()).rtindex);
            }
            pg_sys::NodeTag::T_SetOperationStmt => {
                let operation = node.cast::<pg_sys::SetOperationStmt>();
                visit_members(query, (*operation).larg);
                visit_members(query, (*operation).rarg);
            }
            _ => {}
        }
    }
}

/// A query in FROM, or a name of WITH that stands for one and is used nowhere else.
///
/// # Safety
/// `item` is a place in the query's list of relations.
unsafe fn visit_item(query: *mut pg_sys::Query, item: c_int) {
    // SAFETY: as the caller says. Names are C strings.
    unsafe {
        let entry = pg_sys::list_nth((*query).rtable, item - 1).cast::<pg_sys::RangeTblEntry>();
        match (*entry).rtekind {
            pg_sys::RTEKind::RTE_SUBQUERY => visit_kept((*entry).subquery),
            pg_sys::RTEKind::RTE_CTE if (*entry).ctelevelsup == 0 => {
                let name = CStr::from_ptr((*entry).ctename);
                for at in 0..pg_sys::list_length((*query).cteList) {
                    let with =
                        pg_sys::list_nth((*query).cteList, at).cast::<pg_sys::CommonTableExpr>();
                    let is_it = CStr::from_ptr((*with).ctename) == name;
                    if is_it && (*with).cterefcount == 1 && !(*with).cterecursive {
                        visit_kept((*with).ctequery.cast());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether Postgres plans a query of WITH by itself, wherever it is used.
///
/// # Safety
/// A query of WITH.
unsafe fn is_apart(with: *const pg_sys::CommonTableExpr) -> bool {
    use pg_sys::CTEMaterialize::{CTEMaterializeAlways, CTEMaterializeDefault};
    // SAFETY: as the caller says.
    unsafe {
        let query = (*with).ctequery.cast::<pg_sys::Query>();
        let is_told = (*with).ctematerialized == CTEMaterializeAlways;
        let is_shared = (*with).ctematerialized == CTEMaterializeDefault && (*with).cterefcount > 1;
        let is_write = (*query).commandType != pg_sys::CmdType::CMD_SELECT;
        !(*with).cterecursive && (is_told || is_shared || is_write)
    }
}

unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: Postgres walks the tree with this function; a node's tag says what it is. The context is the author.
    unsafe {
        if node.is_null() {
            return false;
        }
        let author = *context.cast::<Author>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let query = node.cast::<pg_sys::Query>();
                // MERGE joins its target in a way of its own.
                let is_merge = (*query).commandType == pg_sys::CmdType::CMD_MERGE;
                if !is_merge && !(*query).jointree.is_null() {
                    descend(query, (*query).jointree.cast(), std::ptr::null_mut(), author);
                }
                query_tree_walker_impl(query, Some(visit), context, 0)
            }
            _ => expression_tree_walker_impl(node, Some(visit), context),
        }
    }
}

/// `place`: the conditions that hold for all rows of what the node joins; null where none do.
///
/// # Safety
/// A node of the query's join tree.
unsafe fn descend(
    query: *mut pg_sys::Query,
    node: *mut pg_sys::Node,
    place: *mut *mut pg_sys::Node,
    author: Author,
) {
    // SAFETY: a node's tag says what it is. A place is that of a node above, which is there as long.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblRef => {
                let table = (*node.cast::<pg_sys::RangeTblRef>()).rtindex;
                move_policy(query, table, place, author);
                if author == Author::Anybody && !place.is_null() {
                    visit_item(query, table);
                }
            }
            pg_sys::NodeTag::T_FromExpr => {
                let from = node.cast::<pg_sys::FromExpr>();
                for at in 0..pg_sys::list_length((*from).fromlist) {
                    let item = pg_sys::list_nth((*from).fromlist, at).cast();
                    descend(query, item, &raw mut (*from).quals, author);
                }
            }
            pg_sys::NodeTag::T_JoinExpr => {
                let join = node.cast::<pg_sys::JoinExpr>();
                let on = &raw mut (*join).quals;
                let none = std::ptr::null_mut();
                // What an outer join says in its ON is asked after rows were read, and so is what an inner join does on its
                // optional side.
                let is_asked_first = author == Author::Kepler || !place.is_null();
                let inner = if is_asked_first { on } else { none };
                let optional = if author == Author::Kepler { on } else { none };
                // Rows of the side that an outer join keeps must not be lost by its ON.
                let (left, right) = match (*join).jointype {
                    pg_sys::JoinType::JOIN_INNER => (inner, inner),
                    pg_sys::JoinType::JOIN_LEFT => (place, optional),
                    pg_sys::JoinType::JOIN_RIGHT => (optional, place),
                    _ => (none, none),
                };
                descend(query, (*join).larg, left, author);
                descend(query, (*join).rarg, right, author);
            }
            _ => {}
        }
    }
}

/// # Safety
/// `table` is a place in the query's list of relations.
unsafe fn move_policy(
    query: *mut pg_sys::Query,
    table: c_int,
    place: *mut *mut pg_sys::Node,
    author: Author,
) {
    // SAFETY: as the caller says; the list of policies holds conditions.
    unsafe {
        let entry = pg_sys::list_nth((*query).rtable, table - 1).cast::<pg_sys::RangeTblEntry>();
        let is_table = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION;
        if !is_table || pg_sys::list_length((*entry).securityQuals) != 1 {
            return;
        }
        let policy = pg_sys::list_nth((*entry).securityQuals, 0).cast::<pg_sys::Node>();
        let Some(of_workspace) = OfWorkspace::read(policy, table) else { return };
        let condition = match (author, of_workspace.whose) {
            (Author::Kepler, Whose::EachItsOwn) => apart(policy),
            (Author::Function, Whose::EachItsOwn) => {
                let of_table = lappend(std::ptr::null_mut(), apart(policy).cast());
                (*entry).securityQuals = of_table;
                return;
            }
            (Author::Kepler, Whose::OneWorkspace) => policy,
            (Author::Anybody, Whose::OneWorkspace) if of_workspace.holds() => policy,
            _ => return,
        };
        if !place.is_null() {
            *place = make_and_qual(*place, condition);
            (*entry).securityQuals = std::ptr::null_mut();
        }
    }
}

/// The policy as `CASE WHEN workspace_id = … THEN true END IS NOT NULL`, which the planner does not take apart. Kepler's statements
/// name their workspace, and are planned as they are for the owner. Of two values that a column equals it would make a
/// condition on the whole join, and takes a join with such a one for slow, whatever its indexes.
///
/// # Safety
/// A condition.
unsafe fn apart(policy: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: nodes are made as Postgres makes them, zeroed and in the current memory, which is the query's.
    unsafe {
        let when = palloc0(size_of::<pg_sys::CaseWhen>()).cast::<pg_sys::CaseWhen>();
        (*when).xpr.type_ = pg_sys::NodeTag::T_CaseWhen;
        (*when).expr = policy.cast();
        (*when).result = makeBoolConst(true, false).cast();
        (*when).location = -1;
        let case = palloc0(size_of::<pg_sys::CaseExpr>()).cast::<pg_sys::CaseExpr>();
        (*case).xpr.type_ = pg_sys::NodeTag::T_CaseExpr;
        (*case).casetype = pg_sys::BOOLOID;
        (*case).args = lappend(std::ptr::null_mut(), when.cast());
        (*case).defresult = makeBoolConst(false, true).cast();
        (*case).location = -1;
        let holds = palloc0(size_of::<pg_sys::NullTest>()).cast::<pg_sys::NullTest>();
        (*holds).xpr.type_ = pg_sys::NodeTag::T_NullTest;
        (*holds).arg = case.cast();
        (*holds).nulltesttype = pg_sys::NullTestType::IS_NOT_NULL;
        (*holds).location = -1;
        holds.cast()
    }
}
