//! What Postgres makes of a document: whether it can have its types, defaults and conditions, and how the catalog prints them.
//!
//! Types round, widen and spell in ways of their own. So a literal of a document and what the catalog has are not compared by
//! imitating that: Postgres reads the literal as the definition of a column does, and prints it as the catalog does.
//!
//! It is read as the owner, as the definition will be: only what a document may say, and what the owner has let through.

use super::document::Reading;
use super::document::types::OF_EXTENSION;
use super::facts::{self, Wanted};
use super::model::{Blueprint, ModelTable};
use super::observed::Tables;
use super::registry;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::field_types::kind::FieldKind;
use crate::ident::{qualified, quote};
use crate::pg::local_settings::LocalSettings;
use crate::pg::role::ActAs;
use crate::pg::subtransaction::Refusal;
use crate::pg::understood;
use crate::structure::apply;
use crate::structure::constant::Constant;
use crate::structure::ddl::Dialect;
use crate::structure::deparse::Expression;
use crate::structure::document::Problem;
use crate::structure::document::asked::Question;
use crate::structure::error::Document;
use crate::structure::meaning::{MEANING, PRINTING};
use crate::structure::model::Default;
use crate::structure::observe::Observed;
use crate::structure::table::{Column, ColumnDefault, Rule, Table};
use pgrx::spi::SpiClient;

/// While this lives, Postgres reads and prints as it does for the definitions of tables. The fields end in their order.
struct Asking {
    _printing: LocalSettings,
    _meaning: LocalSettings,
    _owner: ActAs,
}

impl Asking {
    fn begin() -> Result<Self, Error> {
        let owner = Owner::find()?.act();
        let meaning = LocalSettings::set(MEANING);
        let printing = LocalSettings::set(PRINTING);
        Ok(Self { _printing: printing, _meaning: meaning, _owner: owner })
    }
}

/// The blueprint of a document, or all that is wrong with it. `trusted` is whether the owner lets any SQL through.
pub(crate) fn judge(
    client: &mut SpiClient<'_>,
    reading: Reading,
    trusted: bool,
) -> Result<Blueprint, Error> {
    let Reading { blueprint, mut problems, asked } = reading;
    if !asked.is_empty() && registry::require_administrator().is_ok() {
        let is_foreign = |kind: &FieldKind| matches!(kind, FieldKind::Native(native) if native.schema.as_deref() == Some(OF_EXTENSION));
        let needs_facts = asked.iter().any(|asked| match &asked.what {
            Question::Type(kind) | Question::Operators { of: (kind, _), class: None, .. } => {
                is_foreign(kind)
            }
            Question::Operators { class: Some(_), .. } => true,
            Question::Default(column) => is_foreign(&column.kind),
            Question::Rule { columns, .. } | Question::Predicate { columns, .. } => {
                columns.iter().any(|column| is_foreign(&column.kind))
            }
        });
        let facts = match needs_facts {
            true => facts::load(client, &Wanted::default())?,
            false => facts::Facts::default(),
        };
        let judge = Judge { dialect: apply::dialect(client)?, facts, trusted };
        let _asking = Asking::begin()?;
        for asked in asked {
            pgrx::check_for_interrupts!();
            if let Some(message) = judge.problem(asked.what) {
                problems.push(Problem { pointer: asked.pointer, message });
            }
        }
    }
    match blueprint {
        Some(blueprint) if problems.is_empty() => Ok(blueprint),
        _ => Err(Document::Blueprint.invalid(problems).into()),
    }
}

struct Judge {
    dialect: Dialect,
    facts: facts::Facts,
    trusted: bool,
}

impl Judge {
    /// What is wrong, if something is. What rests on a type that is not there yet is not known.
    fn problem(&self, what: Question) -> Option<String> {
        match what {
            Question::Type(kind) => {
                let sql_type = self.sql_type(kind, false)?;
                understood::check_type(&sql_type).err().and_then(told)
            }
            Question::Default(mut column) => {
                if let Some(ColumnDefault::Sql(sql)) = &column.default
                    && sql.trusted
                    && !self.trusted
                {
                    return None;
                }
                column.kind = self.settled(column.kind)?;
                let sql_type = self.known_type(&column.kind, column.list)?;
                let default = self.dialect.default(&column)?;
                understood::check_default(&default, &sql_type, &column.name).err().and_then(told)
            }
            Question::Rule { columns, rule } => {
                let columns = self.settled_columns(columns)?;
                let from = self.from(&columns)?;
                let (rules, names, guarded) = (Vec::new(), Vec::new(), Vec::new());
                let table = Table { description: None, columns, rules, names, guarded };
                let condition = self.dialect.condition(&table, &rule)?;
                understood::condition(&condition, &from, None).err().and_then(told)
            }
            Question::Predicate { columns, sql } => {
                if sql.trusted && !self.trusted {
                    return None;
                }
                let from = self.from(&self.settled_columns(columns)?)?;
                match understood::condition(&sql.text, &from, None) {
                    Ok(condition) if !condition.is_immutable => Some(
                        "it is not the same for ever, or not in every session, and what an index holds must be"
                            .to_owned(),
                    ),
                    Ok(_) => None,
                    Err(refusal) => told(refusal),
                }
            }
            Question::Operators { method, class, of: (kind, list) } => {
                let kind = self.settled(kind)?;
                let sql_type = self.known_type(&kind, list)?;
                let class = match class {
                    None => None,
                    Some((Some(schema), name)) if schema == OF_EXTENSION => {
                        Some((self.facts.class_schema(method.name(), &name)?, name))
                    }
                    Some((schema, name)) => {
                        Some((schema.unwrap_or_else(|| "pg_catalog".to_owned()), name))
                    }
                };
                let class = class.as_ref().map(|(schema, name)| (schema.as_str(), name.as_str()));
                understood::check_operator_class(method.name(), class, &sql_type)
                    .err()
                    .map(|refusal| words(&refusal))
            }
        }
    }

    /// A type with the schema of its extension, if that is there.
    fn settled(&self, kind: FieldKind) -> Option<FieldKind> {
        let FieldKind::Native(mut native) = kind else { return Some(kind) };
        if native.schema.as_deref() == Some(OF_EXTENSION) {
            let schema = self.facts.type_schema(&native.name)?;
            native.schema = Some(schema).filter(|schema| schema != "pg_catalog");
        }
        Some(FieldKind::Native(native))
    }

    fn settled_columns(&self, columns: Vec<Column>) -> Option<Vec<Column>> {
        let settle = |column: Column| {
            let kind = self.settled(column.kind.clone())?;
            self.known_type(&kind, column.list)?;
            Some(Column { kind, ..column })
        };
        columns.into_iter().map(settle).collect()
    }

    fn sql_type(&self, kind: FieldKind, list: bool) -> Option<String> {
        self.settled(kind).map(|kind| self.dialect.sql_type(&kind, list))
    }

    /// As SQL spells it, if it is there.
    fn known_type(&self, kind: &FieldKind, list: bool) -> Option<String> {
        let sql_type = self.dialect.sql_type(kind, list);
        let may_be_missing = match kind {
            FieldKind::Native(native) => native.schema.is_some(),
            kind => matches!(kind, FieldKind::NamedEnum { .. }),
        };
        (!may_be_missing || understood::check_type(&sql_type).is_ok()).then_some(sql_type)
    }

    /// One row without values, of a table that need not be there.
    fn from(&self, columns: &[Column]) -> Option<String> {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| {
                let sql_type = self.dialect.sql_type(&column.kind, column.list);
                format!("NULL::{sql_type} AS {}", quote(&column.name))
            })
            .collect();
        Some(format!("(SELECT {}) AS t", columns.join(", ")))
    }
}

/// What Postgres has against it. An enum that is not there yet, or its schema, is no fault.
fn told(refusal: Refusal) -> Option<String> {
    let code = refusal.code.to_string();
    (!matches!(code.as_str(), "42704" | "3F000")).then(|| words(&refusal))
}

fn words(refusal: &Refusal) -> String {
    let hint = refusal.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("Postgres refuses it, {}: {}{hint}", refusal.code, refusal.message)
}

/// Gives the values that rules compare with the form in which their types print them.
pub(crate) fn settle_rules(blueprint: &mut Blueprint, dialect: &Dialect) -> Result<(), Error> {
    let is_native = |table: &ModelTable, rule: &Rule| match rule {
        Rule::Compare { column, .. } => table
            .table
            .column(column)
            .is_some_and(|column| matches!(column.kind, FieldKind::Native(_))),
        _ => false,
    };
    let needs = |table: &ModelTable| table.table.rules.iter().any(|rule| is_native(table, rule));
    if !blueprint.tables.iter().any(needs) {
        return Ok(());
    }
    let _asking = Asking::begin()?;
    for table in blueprint.tables.iter_mut().filter(|table| needs(table)) {
        let columns = &table.table.columns;
        for rule in &mut table.table.rules {
            let Rule::Compare { column, value, .. } = rule else { continue };
            let Some(column) = columns.iter().find(|known| known.name == *column) else { continue };
            if let Some(settled) = settled_value(dialect, column, value) {
                *value = settled;
            }
        }
    }
    Ok(())
}

fn settled_value(dialect: &Dialect, column: &Column, value: &Constant) -> Option<Constant> {
    let FieldKind::Native(native) = &column.kind else { return None };
    let mut whole = native.clone();
    whole.modifiers = Vec::new();
    let kind = FieldKind::Native(whole);
    let sql_type = dialect.sql_type(&kind, false);
    let printed = understood::default(&value.literal(&sql_type), &sql_type, &column.name).ok()?;
    Expression::parse(&printed)?.constant(&kind, false)
}

/// Takes for the same what Postgres prints alike: defaults of a table that is there, and conditions of its indexes. `target` is to
/// become what `observed` is called now.
pub(crate) fn settle_table(
    target: &mut ModelTable,
    observed: &Observed,
    dialect: &Dialect,
) -> Result<(), Error> {
    let mut asking = None;
    let renames = target.renames.clone();
    for column in &mut target.table.columns {
        let renamed = renames.iter().find(|(_, to)| *to == column.name).map(|(from, _)| from);
        let before = observed.table.column(&column.name);
        let Some(before) = before.or_else(|| observed.table.column(renamed?)) else { continue };
        let is_doubtful = before.kind == column.kind
            && before.list == column.list
            && before.default != column.default
            && before.default.is_some()
            && match &column.default {
                Some(ColumnDefault::Sql(sql)) => !sql.trusted,
                Some(ColumnDefault::Field(Default::Value(_))) => true,
                _ => false,
            }
            && !dialect.same_default(before, column);
        let printed = observed.details.defaults.iter().find(|(name, _)| *name == before.name);
        let (true, Some((_, printed)), Some(default)) =
            (is_doubtful, printed, dialect.default(column))
        else {
            continue;
        };
        if asking.is_none() {
            asking = Some(Asking::begin()?);
        }
        let sql_type = dialect.sql_type(&column.kind, column.list);
        if understood::default(&default, &sql_type, &column.name).is_ok_and(|own| own == *printed) {
            column.default.clone_from(&before.default);
        }
    }
    let from = format!("ONLY {}", qualified(&observed.schema, &observed.name));
    for rule in &mut target.table.rules {
        let Rule::Index(index) = rule else { continue };
        let Some(own) = index.predicate.as_ref().filter(|sql| !sql.trusted) else { continue };
        let like = observed.rules.iter().filter_map(|named| match &named.rule {
            Rule::Index(there) if there.columns == index.columns => there.predicate.as_ref(),
            _ => None,
        });
        let others: Vec<_> = like.collect();
        if others.is_empty() || others.contains(&own) {
            continue;
        }
        if asking.is_none() {
            asking = Some(Asking::begin()?);
        }
        let table = Some((observed.name.as_str(), observed.details.oid));
        let Ok(condition) = understood::condition(&own.text, &from, table) else { continue };
        let same = others.iter().find(|there| condition.printed.as_ref() == Some(&there.text));
        let normal = same.map(|there| there.normal.clone());
        if let (Some(normal), Some(predicate)) = (normal, &mut index.predicate) {
            predicate.normal = normal;
        }
    }
    Ok(())
}

/// Finds the rules of blueprints behind checks that no reading of what Postgres prints has understood.
pub(crate) fn recognise<'m>(
    tables: &mut Tables,
    models: impl Iterator<Item = &'m ModelTable>,
    dialect: &Dialect,
) -> Result<(), Error> {
    let mut asking = None;
    for model in models {
        let place = (model.schema.clone(), model.table_name.clone());
        let Some(observed) = tables.get_mut(&place) else { continue };
        if observed.details.unread_checks.is_empty() {
            continue;
        }
        if asking.is_none() {
            asking = Some(Asking::begin()?);
        }
        let from = format!("ONLY {}", qualified(&observed.schema, &observed.name));
        let name = observed.name.clone();
        for rule in &model.table.rules {
            let Some(condition) = dialect.condition(&model.table, rule) else { continue };
            let table = Some((name.as_str(), observed.details.oid));
            let Ok(condition) = understood::condition(&condition, &from, table) else { continue };
            let unread = &mut observed.details.unread_checks;
            let same =
                unread.iter().position(|one| Some(&one.expression) == condition.printed.as_ref());
            if let Some(at) = same {
                let check = unread.remove(at);
                observed.recognise(&check, rule.clone());
            }
        }
    }
    Ok(())
}

/// Whether Postgres itself has a type of a name, which fields do not have.
pub(crate) fn is_postgres_own(name: &str) -> Result<bool, Error> {
    let _asking = Asking::begin()?;
    Ok(understood::check_type(&format!("pg_catalog.{}", quote(name))).is_ok())
}
