//! The statements that make a table of a blueprint, and what stands on it: its trigger and its policy.

use super::guarded;
use super::key_of;
use super::tables::{Guard, Keeping, KeyOf, Terms, key_of_target};
use crate::ident::{qualified, quote, quote_literal};
use crate::structure::blueprint::model::{FILL_TRIGGER, Fill};
use crate::structure::budget;
use crate::structure::ddl::Dialect;
use crate::structure::model::{Index, Method};
use crate::structure::step::{Class, Lock, Phase, Relation, Stage, Step};
use crate::structure::table::{Rule, Table};
use std::collections::HashSet;

/// The policy of tables whose rows belong to a workspace.
pub(super) const POLICY: &str = "workspace";

/// A table that is not there yet; each of its rules has a name.
pub(super) struct NewTable<'t> {
    pub(super) table: &'t Table,
    pub(super) schema: &'t str,
    pub(super) name: &'t str,
    pub(super) fills: &'t [Fill],
    pub(super) history: bool,
    pub(super) guard: &'t Guard,
    /// Keys that are not there before an index is built.
    pub(super) awaited: &'t HashSet<KeyOf>,
}

impl NewTable<'_> {
    /// One statement for the table and what is checked in it; indexes and references follow.
    pub(super) fn steps(&self, terms: Terms, dialect: &Dialect) -> Vec<Step> {
        let table = qualified(self.schema, self.name);
        let relation = Relation {
            schema: self.schema.to_owned(),
            table: self.name.to_owned(),
            key: key_of(self.table),
        };
        let mut lines: Vec<String> =
            self.table.columns.iter().map(|column| dialect.column(column)).collect();
        let mut rest = Vec::new();
        let mut hazards = Vec::new();
        for (rule, name) in self.table.named_rules() {
            let name = name.unwrap_or_default();
            hazards.extend(match rule {
                Rule::Unique(_) => budget::index_width(self.table, rule),
                _ => None,
            });
            match (rule, dialect.constraint(self.table, rule)) {
                (Rule::Reference(reference), Some(definition)) => {
                    let quoted = quote(name);
                    let sql = format!("ALTER TABLE {table} ADD CONSTRAINT {quoted} {definition}");
                    let back = format!("ALTER TABLE {table} DROP CONSTRAINT {quoted}");
                    let mut step = Step::instant("add_reference", name, sql)
                        .lock(Lock::ShareRowExclusive)
                        .stage(Stage::Reference)
                        .undone_by(back);
                    let target = &reference.target;
                    step.also_locks.push((
                        target.schema.clone(),
                        target.table.clone(),
                        Lock::ShareRowExclusive,
                    ));
                    if self.awaited.contains(&key_of_target(reference)) {
                        step = step.phase(Phase::After);
                    }
                    rest.push(step);
                }
                (_, Some(definition)) => {
                    lines.push(format!("CONSTRAINT {} {definition}", quote(name)));
                }
                (_, None) => {
                    let Some(sql) = dialect.index(rule, &table, name) else { continue };
                    let mut step = Step::instant("add_index", name, sql)
                        .lock(Lock::Share)
                        .stage(index_stage(rule))
                        .undone_by(format!("DROP INDEX {}", qualified(self.schema, name)));
                    step.hazards.extend(budget::index_width(self.table, rule));
                    rest.push(deferred(step, rule, terms));
                }
            }
        }
        let sql = if lines.is_empty() {
            format!("CREATE TABLE {table} ()")
        } else {
            format!("CREATE TABLE {table} (\n    {}\n)", lines.join(",\n    "))
        };
        let mut create = Step::instant("create_table", self.name, sql)
            .stage(Stage::CreateTable)
            .undone_by(format!("DROP TABLE {table}"));
        create.hazards = hazards;
        match budget::row_width(self.table) {
            Err(why) => create = Step { hazards: vec![why], ..create.class(Class::Refused) },
            Ok(warning) => create.hazards.extend(warning),
        }
        if self.table.columns.len() > budget::COLUMNS_REFUSE {
            let why = format!(
                "a table of {} columns has no room to change: {} is the limit",
                self.table.columns.len(),
                budget::COLUMNS_REFUSE
            );
            create = Step { hazards: vec![why], ..create.class(Class::Refused) };
        }
        let mut steps = vec![create];
        steps.extend(rest);
        steps.extend(fill_steps(&[], self.fills, &relation));
        steps.extend(guarded::of_new_table(self.table, &relation));
        steps.extend(guard_steps(&Keeping::default(), self.guard, &[], &relation));
        steps.extend(self.history.then(|| history_step(true, &relation)));
        steps.extend(self.descriptions(&table));
        steps.into_iter().map(|step| step.of(&relation)).collect()
    }

    fn descriptions(&self, table: &str) -> Vec<Step> {
        let whole =
            self.table.description.as_ref().map(|text| {
                (self.name, format!("COMMENT ON TABLE {table} IS "), quote_literal(text))
            });
        let columns = self.table.columns.iter().filter_map(|column| {
            let text = quote_literal(column.description.as_ref()?);
            let comment = format!("COMMENT ON COLUMN {table}.{} IS ", quote(&column.name));
            Some((column.name.as_str(), comment, text))
        });
        whole
            .into_iter()
            .chain(columns)
            .map(|(object, comment, text)| {
                Step::instant("describe", object, format!("{comment}{text}"))
                    .lock(Lock::ShareUpdateExclusive)
                    .stage(Stage::Describe)
                    .undone_by(format!("{comment}NULL"))
            })
            .collect()
    }
}

/// References may lead to a unique index.
pub(super) fn index_stage(rule: &Rule) -> Stage {
    match rule {
        Rule::Index(Index { unique: true, .. }) => Stage::Key,
        _ => Stage::Rule,
    }
}

/// An index over vectors is better built when there are rows: IVFFlat learns its lists from them.
pub(super) fn deferred(step: Step, rule: &Rule, terms: Terms) -> Step {
    let of_vectors =
        matches!(rule, Rule::Index(Index { method: Method::Hnsw(_) | Method::Ivfflat(_), .. }));
    if !(of_vectors && terms.defer_vector_indexes) {
        return step;
    }
    Step { optional: true, ..step }.phase(Phase::Deferred).hazard(
        "deferred: an index over vectors is built when the rows are there: run the statement then, or apply with \
         {\"vector_indexes\": \"now\"} in options",
    )
}

/// The trigger that fills columns.
pub(super) fn fill_steps(now: &[Fill], wanted: &[Fill], relation: &Relation) -> Vec<Step> {
    let sorted = |fills: &[Fill]| {
        let mut fills: Vec<(String, String)> =
            fills.iter().map(|fill| (fill.column.clone(), fill.with.clone())).collect();
        fills.sort();
        fills
    };
    if sorted(now) == sorted(wanted) {
        return Vec::new();
    }
    let table = qualified(&relation.schema, &relation.table);
    let trigger = quote(FILL_TRIGGER);
    let drop = format!("DROP TRIGGER {trigger} ON {table}");
    let make = |fills: &[Fill]| {
        let arguments: Vec<String> = fills
            .iter()
            .flat_map(|fill| [quote_literal(&fill.column), quote_literal(&fill.with)])
            .collect();
        // Ids are only made for new rows, and a trigger costs every update.
        let on = if fills.iter().any(|fill| fill.with == "touch") {
            "INSERT OR UPDATE"
        } else {
            "INSERT"
        };
        format!(
            "CREATE OR REPLACE TRIGGER {trigger} BEFORE {on} ON {table} FOR EACH ROW \
             EXECUTE FUNCTION kepler_internal.fill_columns({})",
            arguments.join(", ")
        )
    };
    let back = if now.is_empty() { drop.clone() } else { make(now) };
    let (operation, sql) = match (now, wanted) {
        ([], _) => ("add_trigger", make(wanted)),
        (_, []) => ("drop_trigger", drop),
        _ => ("change_trigger", make(wanted)),
    };
    let lock = if wanted.is_empty() { Lock::AccessExclusive } else { Lock::ShareRowExclusive };
    let step = Step::instant(operation, FILL_TRIGGER, sql).stage(Stage::Guard).lock(lock);
    vec![step.of(relation).undone_by(back)]
}

/// Begins or ends the history of a table. Those are kept on who made them, and written down as such: the functions that
/// users call do it.
pub(super) fn history_step(begins: bool, relation: &Relation) -> Step {
    let table = quote_literal(&qualified(&relation.schema, &relation.table));
    let call =
        |function| format!("SELECT kepler.{function}({table}::pg_catalog.regclass, 'history')");
    let (operation, sql, undo) = match begins {
        true => ("track_history", call("track"), call("untrack")),
        false => ("untrack_history", call("untrack"), call("track")),
    };
    let lock = if begins { Lock::ShareRowExclusive } else { Lock::AccessExclusive };
    let step = Step::instant(operation, &relation.table, sql).stage(Stage::Track).lock(lock);
    step.of(relation).undone_by(undo)
}

/// The policy that shows rows to their workspace alone. `renames` are those of the table's columns: a policy follows them.
pub(super) fn guard_steps(
    keeping: &Keeping,
    wanted: &Guard,
    renames: &[(String, String)],
    relation: &Relation,
) -> Vec<Step> {
    let now = match &keeping.guard {
        Guard::Column(column) if !is_column(wanted, column) => {
            let renamed = renames.iter().find(|(from, _)| from == column);
            Guard::Column(renamed.map_or(column, |(_, to)| to).clone())
        }
        other => other.clone(),
    };
    let table = qualified(&relation.schema, &relation.table);
    let mut steps = Vec::new();
    if keeping.forced && *wanted != Guard::Open {
        let force = |word| format!("ALTER TABLE {table} {word}FORCE ROW LEVEL SECURITY");
        let step = Step::instant("unforce", &relation.table, force("NO "));
        // What reads rows later in the plan reads all of them.
        steps.push(step.stage(Stage::DropRule).of(relation).undone_by(force("")));
    }
    if now == *wanted {
        return steps;
    }
    let condition = |guard: &Guard| {
        let whose = match guard {
            Guard::Workspace(id) => quote_literal(id),
            Guard::Column(column) => quote(column),
            Guard::Open | Guard::Foreign(_) => return None,
        };
        Some(format!("{whose} OPERATOR(pg_catalog.=) kepler.current_workspace_id()"))
    };
    let secure = |condition: &str| {
        format!(
            "CREATE POLICY {POLICY} ON {table} USING ({condition}); \
             ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        )
    };
    // Policies of others go on to hold.
    let disable = match keeping.other_policies {
        true => String::new(),
        false => format!("; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
    };
    let open = format!("DROP POLICY {POLICY} ON {table}{disable}");
    if now != Guard::Open {
        // Before the columns that it names leave.
        let sql = match wanted {
            Guard::Open => open.clone(),
            _ => format!("DROP POLICY {POLICY} ON {table}"),
        };
        let mut step = Step::instant("open", &relation.table, sql).stage(Stage::DropRule);
        step.undo = condition(&now).map(|condition| secure(&condition));
        if *wanted == Guard::Open && !keeping.other_policies {
            step = step.hazard(
                "tenancy: whoever may read the table sees the rows of every workspace from now on",
            );
        }
        steps.push(step.of(relation));
    }
    if let Some(condition) = condition(wanted) {
        let step = Step::instant("secure", &relation.table, secure(&condition));
        steps.push(step.stage(Stage::Guard).of(relation).undone_by(open));
    }
    steps
}

fn is_column(guard: &Guard, name: &str) -> bool {
    matches!(guard, Guard::Column(column) if column == name)
}
