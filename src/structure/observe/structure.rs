//! What the structure of an entry table can say; anything else is an extra.

use super::{By, Extra, HIDDEN_PREFIX, HiddenColumn, NamedRule};
use crate::field_types::kind::{FieldKind, OnDelete};
use crate::ident::problem_with_field_name;
use crate::pgvector::Metric;
use crate::structure::facts::{
    ColumnFact, ConstraintFact, ConstraintKind, Facts, IndexFact, Reaction,
};
use crate::structure::model::{Index, IndexColumn, Key, KeyKind, MAX_FIELD_NAME, Method, TIMES};
use crate::structure::printed::{PrintedDefault, read_check, read_default, read_folded};
use crate::structure::table::{Column, ColumnDefault, Reference, Rule, Target, UniqueColumn};

/// Why something gives no rule.
enum Nothing {
    /// It is about a hidden column, and sleeps with it.
    Hidden,
    Extra(String),
}

impl From<&str> for Nothing {
    fn from(reason: &str) -> Nothing {
        Nothing::Extra(reason.to_owned())
    }
}

pub(super) struct Observer<'f> {
    facts: &'f Facts,
    pub(super) key: Option<Key>,
    pub(super) columns: Vec<Column>,
    pub(super) rules: Vec<NamedRule>,
    pub(super) hidden: Vec<HiddenColumn>,
    pub(super) extras: Vec<Extra>,
}

impl<'f> Observer<'f> {
    pub(super) fn read(facts: &'f Facts) -> Self {
        let mut observer = Self {
            facts,
            key: None,
            columns: Vec::new(),
            rules: Vec::new(),
            hidden: Vec::new(),
            extras: Vec::new(),
        };
        observer.columns();
        observer.constraints();
        observer.indexes();
        observer
    }

    fn extra(
        &mut self,
        kind: &'static str,
        name: &str,
        definition: String,
        reason: impl Into<String>,
    ) {
        self.extras.push(Extra { kind, name: name.to_owned(), definition, reason: reason.into() });
    }

    fn columns(&mut self) {
        let facts = self.facts;
        self.key = find_key(facts);
        for fact in &facts.columns {
            if fact.name.starts_with(HIDDEN_PREFIX) {
                self.hidden.push(HiddenColumn { name: fact.name.clone(), number: fact.number });
                continue;
            }
            match column_kind(fact) {
                Ok((kind, list)) => {
                    let default = self.default(fact, &kind, list);
                    self.columns.push(Column {
                        name: fact.name.clone(),
                        kind,
                        list,
                        required: fact.not_null,
                        default,
                        description: fact.description.clone(),
                    });
                }
                Err(reason) => self.extra("column", &fact.name, fact.type_text(), reason),
            }
            if !fact.default_collation {
                let reason = "no field has a collation of its own";
                self.extra("collation", &fact.name, fact.type_text(), reason);
            }
        }
    }

    fn default(
        &mut self,
        fact: &ColumnFact,
        kind: &FieldKind,
        list: bool,
    ) -> Option<ColumnDefault> {
        let key = self.key.as_ref().filter(|key| key.name == fact.name).map(|key| key.kind);
        if let Some(identity) = fact.identity {
            let reason = match (key, identity) {
                (Some(KeyKind::Bigint), 'd') => return Some(ColumnDefault::Key(KeyKind::Bigint)),
                (Some(KeyKind::Bigint), _) => "the identity of a key is made BY DEFAULT",
                _ => "only a key of type bigint is an identity",
            };
            self.extra("identity", &fact.name, "GENERATED AS IDENTITY".to_owned(), reason);
            return (key == Some(KeyKind::Bigint)).then_some(ColumnDefault::Key(KeyKind::Bigint));
        }
        let text = fact.default.as_deref()?;
        use crate::structure::model::Default::{Cuid, Uuid};
        let reason = match read_default(text, kind, list) {
            Some(PrintedDefault::Null) => return None,
            Some(PrintedDefault::Field(default)) => match (key, &default) {
                (Some(kind @ KeyKind::Uuid), Uuid) | (Some(kind @ KeyKind::Cuid), Cuid) => {
                    return Some(ColumnDefault::Key(kind));
                }
                (Some(_), _) => "no key is filled like this",
                (None, _) => return Some(ColumnDefault::Field(default)),
            },
            Some(PrintedDefault::Clock) if TIMES.contains(&fact.name.as_str()) => {
                return Some(ColumnDefault::Clock);
            }
            Some(PrintedDefault::Clock) => "a field's time is that of the transaction",
            None => "a field's default is a value, the time, or a new id",
        };
        self.extra("default", &fact.name, text.to_owned(), reason);
        None
    }

    /// Refuses rules over columns that are not in the table.
    fn known<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<(), Nothing> {
        let mut unknown = None;
        for name in names {
            if name.starts_with(HIDDEN_PREFIX) {
                return Err(Nothing::Hidden);
            }
            if !self.columns.iter().any(|column| column.name == *name) {
                unknown = Some(name);
            }
        }
        match unknown {
            None => Ok(()),
            Some(name) => {
                Err(Nothing::Extra(format!("it uses column \"{name}\", which is not a field")))
            }
        }
    }

    /// Whether a column is a field, and not one that every table has.
    fn is_field(&self, name: &str) -> bool {
        !TIMES.contains(&name) && self.key.as_ref().is_none_or(|key| key.name != name)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn constraints(&mut self) {
        let facts = self.facts;
        let checked = |constraint: &&ConstraintFact| constraint.kind != ConstraintKind::NotNull;
        for fact in facts.constraints.iter().filter(checked) {
            let rules = self.known(&fact.columns).and_then(|()| {
                if !fact.enforced {
                    return Err("it is not enforced".into());
                }
                if fact.deferrable {
                    return Err("it is deferrable".into());
                }
                match fact.kind {
                    ConstraintKind::Check => self.check(fact),
                    ConstraintKind::Reference => self.reference(fact).map(|rule| vec![rule]),
                    ConstraintKind::PrimaryKey if self.key.is_some() => Ok(Vec::new()),
                    ConstraintKind::PrimaryKey => {
                        Err("a key is one column of type bigint, uuid or text".into())
                    }
                    ConstraintKind::Unique => facts
                        .indexes
                        .iter()
                        .find(|index| index.constraint.as_ref() == Some(&fact.name))
                        .ok_or_else(|| Nothing::from("its index is missing"))
                        .and_then(|index| self.unique(index))
                        .map(|rule| vec![rule]),
                    ConstraintKind::Exclusion => Err("a structure has no exclusions".into()),
                    ConstraintKind::NotNull => Ok(Vec::new()),
                }
            });
            match rules {
                Ok(rules) => {
                    let shared = rules.len() > 1;
                    self.rules.extend(rules.into_iter().map(|rule| NamedRule {
                        rule,
                        name: fact.name.clone(),
                        by: By::Constraint,
                        validated: fact.validated,
                        shared,
                    }));
                }
                Err(Nothing::Hidden) => {}
                Err(Nothing::Extra(reason)) => {
                    self.extra("constraint", &fact.name, fact.text(), reason);
                }
            }
        }
    }

    fn check(&self, fact: &ConstraintFact) -> Result<Vec<Rule>, Nothing> {
        let rules = fact
            .expression
            .as_deref()
            .and_then(|text| read_check(text, &self.columns))
            .ok_or("a check compares a field with a value or another field")?;
        // Of the key and the times only comparisons can be said.
        let sayable = |rule: &Rule| match rule {
            Rule::OneOf { column, .. } | Rule::MinLength { column, .. } => self.is_field(column),
            _ => true,
        };
        if rules.iter().all(sayable) { Ok(rules) } else { Err("its column is not a field".into()) }
    }

    fn reference(&self, fact: &ConstraintFact) -> Result<Rule, Nothing> {
        let target = fact.target.as_ref().ok_or("its target is missing")?;
        let ([column], [target_column]) = (fact.columns.as_slice(), target.columns.as_slice())
        else {
            return Err("a reference is one column".into());
        };
        if !target.primary_key {
            return Err("a reference is to the primary key".into());
        }
        if !self.is_field(column) {
            return Err("its column is not a field".into());
        }
        if fact.match_type != Some('s') {
            return Err("a reference is MATCH SIMPLE".into());
        }
        if !matches!(fact.on_update, Some(Reaction::NoAction | Reaction::Cascade)) {
            return Err("no reference has such an ON UPDATE".into());
        }
        let on_delete = match fact.on_delete {
            // They differ only inside of a transaction, and in tables that somebody else made.
            Some(Reaction::NoAction | Reaction::Restrict) => OnDelete::Restrict,
            Some(Reaction::Cascade) => OnDelete::Cascade,
            Some(Reaction::SetNull) => OnDelete::SetNull,
            Some(Reaction::SetDefault) | None => {
                return Err("no reference has such an ON DELETE".into());
            }
        };
        self.column(column)
            .and_then(key_kind)
            .ok_or("a reference is of type bigint, uuid or text")?;
        let target = Target {
            schema: target.schema.clone(),
            table: target.table.clone(),
            columns: vec![target_column.clone()],
        };
        Ok(Rule::Reference(Reference::to_key(column.clone(), target, on_delete)))
    }

    fn indexes(&mut self) {
        for fact in self.facts.indexes.iter().filter(|index| index.constraint.is_none()) {
            let rule = if fact.unique { self.unique(fact) } else { self.index(fact) };
            match rule {
                Ok(rule) => self.rules.push(NamedRule {
                    rule,
                    name: fact.name.clone(),
                    by: By::Index,
                    validated: fact.valid,
                    shared: false,
                }),
                Err(Nothing::Hidden) => {}
                Err(Nothing::Extra(reason)) => {
                    let definition = fact.definition.clone().unwrap_or_default();
                    self.extra("index", &fact.name, definition, reason);
                }
            }
        }
    }

    /// Refuses what neither an index nor a unique set has.
    fn is_plain(&self, fact: &IndexFact) -> Result<(), Nothing> {
        self.known(fact.columns.iter().filter_map(|key| key.name.as_ref()))?;
        let mut expressions = fact.columns.iter().filter_map(|key| key.expression.as_ref());
        if expressions.any(|expression| expression.contains(HIDDEN_PREFIX)) {
            return Err(Nothing::Hidden);
        }
        if fact.predicate.is_some() {
            return Err("it is about some of the rows".into());
        }
        if fact.included > 0 {
            return Err("it carries more columns".into());
        }
        if fact.columns.iter().any(|key| !key.default_collation) {
            return Err("it has a collation of its own".into());
        }
        Ok(())
    }

    fn unique(&self, fact: &IndexFact) -> Result<Rule, Nothing> {
        self.is_plain(fact)?;
        if fact.nulls_not_distinct {
            return Err("NULLs are never equal".into());
        }
        if fact.method != "btree" || !fact.columns.iter().all(|key| key.default_operator_class) {
            return Err("it is not a plain B-tree".into());
        }
        let mut columns = Vec::new();
        for key in &fact.columns {
            let folded =
                key.expression.as_deref().and_then(|text| read_folded(text, &self.columns));
            let (name, case_insensitive) = match (&key.name, folded) {
                (Some(name), _) => (name.clone(), false),
                (None, Some(name)) => (name, true),
                (None, None) => {
                    return Err("only columns and kepler.fold() of them are unique".into());
                }
            };
            columns.push(UniqueColumn { name, case_insensitive });
        }
        if columns.iter().any(|column| !self.is_in_btree(&column.name)) {
            return Err("no field of this type is unique".into());
        }
        if let [column] = columns.as_slice()
            && self.key.as_ref().is_some_and(|key| key.name == column.name)
        {
            return Err("the key is unique already".into());
        }
        Ok(Rule::Unique(columns))
    }

    fn is_in_btree(&self, name: &str) -> bool {
        self.column(name).is_some_and(|column| !column.list && column.kind.is_comparable())
    }

    fn index(&self, fact: &IndexFact) -> Result<Rule, Nothing> {
        self.is_plain(fact)?;
        let mut columns = Vec::new();
        for key in &fact.columns {
            let name = key.name.clone().ok_or("an index is over fields, not expressions")?;
            columns.push(IndexColumn::plain(name, key.descending));
        }
        let all = |test: &dyn Fn(&str) -> bool| columns.iter().all(|column| test(&column.name));
        let default_classes = fact.columns.iter().all(|key| key.default_operator_class);
        let method = match fact.method.as_str() {
            "btree" if fact.columns.iter().any(|key| key.descending != key.nulls_first) => {
                return Err("NULLs stand where the direction puts them".into());
            }
            "btree" if default_classes && all(&|name| self.is_in_btree(name)) => Method::Btree,
            "gin" if default_classes && all(&|name| self.is_in_gin(name)) => Method::Gin,
            "hnsw" => {
                let metric = match fact.columns.as_slice() {
                    [key] => Metric::ALL
                        .into_iter()
                        .find(|metric| metric.operator_class() == key.operator_class),
                    _ => None,
                };
                Method::Hnsw(metric.ok_or("no index has such operators")?)
            }
            "btree" | "gin" => return Err("no index has such operators".into()),
            _ => return Err("an index is btree, gin or hnsw".into()),
        };
        Ok(Rule::Index(Index::plain(columns, method)))
    }

    fn is_in_gin(&self, name: &str) -> bool {
        self.column(name).is_some_and(|column| column.list || column.kind == FieldKind::Json)
    }
}

fn column_kind(fact: &ColumnFact) -> Result<(FieldKind, bool), String> {
    if let Some(problem) = problem_with_field_name(&fact.name, MAX_FIELD_NAME) {
        return Err(problem);
    }
    if fact.generated.is_some() {
        return Err("no field is computed".to_owned());
    }
    fact.field_kind()
}

fn find_key(facts: &Facts) -> Option<Key> {
    let primary = facts.indexes.iter().find(|index| {
        index.primary
            && index.valid
            && index.immediate
            && index.included == 0
            && index.method == "btree"
    })?;
    let [key] = primary.columns.as_slice() else { return None };
    let fact = facts.columns.iter().find(|fact| Some(&fact.name) == key.name.as_ref())?;
    let (kind, list) = column_kind(fact).ok()?;
    let kind = of_key(&kind).filter(|_| !list && !fact.name.starts_with(HIDDEN_PREFIX))?;
    Some(Key { name: fact.name.clone(), column: None, kind })
}

pub(crate) fn key_kind(column: &Column) -> Option<KeyKind> {
    of_key(&column.kind).filter(|_| !column.list)
}

fn of_key(kind: &FieldKind) -> Option<KeyKind> {
    KeyKind::ALL.into_iter().find(|key| key.field_kind() == *kind)
}
