//! What the policies of a table say to the role that calls: the one place that tells the policy of workspaces from others.
//!
//! Each of Kepler's tables has one policy, `workspace_id = kepler.current_workspace_id()`, for everybody and all commands. A
//! role under it sees all rows of the session's workspace and no others. Users may add policies: then nobody but Postgres
//! knows what a role sees.

use super::role;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char, c_int};

// As Postgres has them: the planner's hook calls this too, and no wrapper of pgrx may be on the way of an error there.
unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_func_namespace(function: pg_sys::Oid) -> pg_sys::Oid;
    fn get_func_name(function: pg_sys::Oid) -> *mut c_char;
    fn pfree(place: *mut std::ffi::c_void);
    fn OidFunctionCall0Coll(function: pg_sys::Oid, collation: pg_sys::Oid) -> pg_sys::Datum;
    fn OidFunctionCall2Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        one: pg_sys::Datum,
        other: pg_sys::Datum,
    ) -> pg_sys::Datum;
}

/// Whether policies apply to the current role on a table of the schema `kepler`.
pub(crate) fn is_active(table: &CStr) -> bool {
    // SAFETY: look-ups in the catalog; the last one is given the oid of a table, and raises nothing.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"kepler".as_ptr(), true);
        let relation = pg_sys::get_relname_relid(table.as_ptr(), schema);
        relation != pg_sys::InvalidOid && role::is_secured(relation)
    }
}

/// The policies of a table that hold for the role that calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policies {
    /// It sees all rows.
    None,
    /// It sees the rows of the workspace that this function gives, all of them and no others.
    Workspace(pg_sys::Oid),
    /// It sees what only Postgres can tell.
    Others,
}

impl Policies {
    pub(crate) fn of(relation: pg_sys::Oid) -> Self {
        if !role::is_secured(relation) {
            return Self::None;
        }
        // SAFETY: the description of a table is valid until it is closed.
        let function = unsafe {
            let table = pg_sys::RelationIdGetRelation(relation);
            if table.is_null() {
                return Self::Others;
            }
            let function = function_of_only_policy((*table).rd_rsdesc);
            pg_sys::RelationClose(table);
            function
        };
        function.map_or(Self::Others, Self::Workspace)
    }
}

/// What the role that calls sees of a few tables, all of which it may read. Holds as long as its standpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All rows.
    All,
    /// All rows of the workspace that this function gives; of some tables perhaps all rows.
    Workspace(pg_sys::Oid),
}

/// None where it may not read all of them, or Postgres alone can tell what it sees.
pub(crate) fn seen(relations: &[pg_sys::Oid]) -> Option<Seen> {
    let mut seen = Seen::All;
    for relation in relations {
        if !role::may(pg_sys::ACL_SELECT, *relation) {
            return None;
        }
        seen = match (Policies::of(*relation), seen) {
            (Policies::None, seen) => seen,
            (Policies::Workspace(function), Seen::All) => Seen::Workspace(function),
            (Policies::Workspace(function), Seen::Workspace(same)) if function == same => seen,
            _ => return None,
        };
    }
    Some(seen)
}

impl Seen {
    /// Whether all rows of a workspace are among them, or all that there are. Raises where the role may work in no workspace.
    pub(crate) fn shows(self, workspace_id: Option<&str>) -> bool {
        match (self, workspace_id) {
            (Self::All, _) => true,
            (Self::Workspace(_), None) => false,
            // What the policy compares with, and nothing else.
            (Self::Workspace(function), Some(workspace_id)) => {
                // SAFETY: the function takes nothing and gives a text.
                let own = unsafe {
                    let own = pg_sys::OidFunctionCall0Coll(function, pg_sys::InvalidOid);
                    <&str as pgrx::FromDatum>::from_datum(own, false)
                };
                own == Some(workspace_id)
            }
        }
    }
}

/// # Safety
/// Null, or the description of a table that is open.
unsafe fn function_of_only_policy(
    description: *const pg_sys::RowSecurityDesc,
) -> Option<pg_sys::Oid> {
    // SAFETY: as the caller says: a list of policies, and what they say. The roles are an array of oids without NULLs.
    unsafe {
        let description = description.as_ref()?;
        if pg_sys::list_length(description.policies) != 1 {
            return None;
        }
        let policy =
            &*pg_sys::list_nth(description.policies, 0).cast::<pg_sys::RowSecurityPolicy>();
        // Behind the array's head: its length, its lower bound, and the first role.
        let (roles, head) = (policy.roles.cast::<u32>(), size_of::<pg_sys::ArrayType>() / 4);
        let for_all =
            (*policy.roles).ndim == 1 && *roles.add(head) == 1 && *roles.add(head + 2) == 0;
        if !for_all || policy.polcmd != b'*' as c_char || !policy.permissive {
            return None;
        }
        if !policy.with_check_qual.is_null() {
            return None;
        }
        let policy = OfWorkspace::read(policy.qual.cast(), 1)?;
        (policy.whose == Whose::EachItsOwn).then_some(policy.function)
    }
}

/// Whose the rows are that a policy of workspaces shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the workspace that a column names.
    EachItsOwn,
    /// All rows of the table, which belongs to one workspace.
    OneWorkspace,
}

/// A policy `workspace_id = kepler.current_workspace_id()`, or one that names a workspace in place of the column, as those of
/// entry tables do.
#[derive(Clone, Copy)]
pub(super) struct OfWorkspace {
    pub(super) whose: Whose,
    comparison: *const pg_sys::OpExpr,
    /// What gives the session's workspace.
    function: pg_sys::Oid,
}

impl OfWorkspace {
    /// # Safety
    /// The node is null or the condition of a policy, and lives as long as what is read of it.
    pub(super) unsafe fn read(node: *mut pg_sys::Node, table: c_int) -> Option<Self> {
        // SAFETY: a node's tag says what it is; an operator with two arguments has two. The name is a C string.
        unsafe {
            if node.is_null() || (*node).type_ != pg_sys::NodeTag::T_OpExpr {
                return None;
            }
            let comparison = node.cast_const().cast::<pg_sys::OpExpr>();
            if (*comparison).opno != pg_sys::Oid::from(pg_sys::TextEqualOperator) {
                return None;
            }
            let whose = uncast(pg_sys::list_nth((*comparison).args, 0).cast());
            let whose = match (*whose).type_ {
                pg_sys::NodeTag::T_Var => {
                    let column = &*whose.cast::<pg_sys::Var>();
                    let is_own = column.varno as c_int == table && column.varlevelsup == 0;
                    (is_own && column.varattno > 0).then_some(Whose::EachItsOwn)?
                }
                pg_sys::NodeTag::T_Const => {
                    let is_null = (*whose.cast::<pg_sys::Const>()).constisnull;
                    (!is_null).then_some(Whose::OneWorkspace)?
                }
                _ => return None,
            };
            let own: *mut pg_sys::Node = pg_sys::list_nth((*comparison).args, 1).cast();
            if (*own).type_ != pg_sys::NodeTag::T_FuncExpr {
                return None;
            }
            let call = &*own.cast::<pg_sys::FuncExpr>();
            let schema = get_namespace_oid(c"kepler".as_ptr(), true);
            if !call.args.is_null() || get_func_namespace(call.funcid) != schema {
                return None;
            }
            let name = get_func_name(call.funcid);
            if name.is_null() {
                return None;
            }
            let is_own = CStr::from_ptr(name) == c"current_workspace_id";
            pfree(name.cast());
            is_own.then_some(Self { whose, comparison, function: call.funcid })
        }
    }

    /// Whether each row names its workspace.
    pub(super) fn is_of_each_row(&self) -> bool {
        self.whose == Whose::EachItsOwn
    }

    /// Whether the one workspace is the session's. Raises where the role may work in none.
    ///
    /// # Safety
    /// The condition is there, and names one workspace.
    pub(super) unsafe fn holds(&self) -> bool {
        // SAFETY: as the caller says: a text stands before the function, which takes nothing and gives one.
        unsafe {
            let whose: *mut pg_sys::Node =
                uncast(pg_sys::list_nth((*self.comparison).args, 0).cast());
            let own = OidFunctionCall0Coll(self.function, pg_sys::InvalidOid);
            let equal = pg_sys::Oid::from(pg_sys::F_TEXTEQ);
            let whose = (*whose.cast::<pg_sys::Const>()).constvalue;
            let collation = (*self.comparison).inputcollid;
            OidFunctionCall2Coll(equal, collation, whose, own).value() != 0
        }
    }
}

/// What stands behind a cast that changes nothing, as that of a varchar to text.
///
/// # Safety
/// A node.
unsafe fn uncast(node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: as the caller says, and the tag.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_RelabelType => (*node.cast::<pg_sys::RelabelType>()).arg.cast(),
            _ => node,
        }
    }
}
