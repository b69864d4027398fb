//! Puts together what the queries tell.

use super::cells::{char_of, numbers, oid, oids, one, optional, optional_texts, text, texts};
use super::{oid_array, statements};
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::Statement;
use crate::pg::rows::{Row, Rows};
use crate::pg::snapshot::LatestSnapshot;
use crate::structure::facts::{
    ColumnFact, ConstraintFact, ConstraintKind, Facts, IndexColumnFact, IndexFact, Reaction,
    TargetFact,
};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::thread::LocalKey;

/// `"default"` and `"C"`, which expressions have, and columns of type `name`.
const NO_COLLATION: u32 = 0;
const DEFAULT_COLLATION: u32 = 100;

pub(super) struct Reader<'r, 'c> {
    pub(super) client: &'r SpiClient<'c>,
    pub(super) snapshot: &'r LatestSnapshot,
    pub(super) relations: Array,
}

/// A table on its way, and what Rust needs for putting it together.
struct Table {
    facts: Facts,
    /// By number: name, type and collation.
    columns: HashMap<i32, (String, u32, u32)>,
}

struct Type {
    schema: String,
    name: String,
    kind: char,
    collation: u32,
    storage: String,
    element: Option<(String, char)>,
    list: bool,
}

struct OperatorClass {
    schema: String,
    name: String,
    method: u32,
    input: u32,
    is_default: bool,
}

/// A column as the catalog has it, without its type.
struct RawColumn {
    fact: ColumnFact,
    type_oid: u32,
    collation: u32,
    storage: String,
}

impl<'c> Reader<'_, 'c> {
    fn run(&mut self, statement: &'static LocalKey<Statement>) -> Rows<'c> {
        let parameters = [Some(self.relations.datum())];
        statement.with(|statement| self.snapshot.run(self.client, statement, &parameters))
    }

    fn run_for(
        &self,
        statement: &'static LocalKey<Statement>,
        oids: impl IntoIterator<Item = u32>,
    ) -> Rows<'c> {
        let oids: Vec<pg_sys::Oid> = oids.into_iter().map(pg_sys::Oid::from).collect();
        let mut oids = oid_array(&oids);
        let parameters = [Some(oids.datum())];
        statement.with(|statement| self.snapshot.run(self.client, statement, &parameters))
    }

    pub(super) fn read(mut self) -> Result<Vec<Facts>, Error> {
        let mut tables = self.tables();
        let collations = self.columns(&mut tables);
        self.defaults(&mut tables);
        self.descriptions(&mut tables);
        let keys = self.constraints(&mut tables)?;
        self.indexes(&mut tables, &keys, collations);
        self.more(&mut tables)?;
        let mut facts: Vec<Facts> = tables.into_values().map(|table| table.facts).collect();
        facts.iter_mut().for_each(Facts::leave_out_dropped);
        Ok(facts)
    }

    fn tables(&mut self) -> HashMap<u32, Table> {
        let rows = self.run(&statements::TABLES);
        let tables = rows.iter::<16>().map(|row| {
            let facts = Facts {
                schema: text(&row, 1),
                name: text(&row, 2),
                kind: char_of(&row, 3).unwrap_or('r'),
                description: None,
                estimated_rows: row.bigint(5).unwrap_or_default(),
                pages: row.integer(6).unwrap_or_default().into(),
                attribute_count: row.integer(7).unwrap_or_default() as u16,
                columns: Vec::new(),
                constraints: Vec::new(),
                indexes: Vec::new(),
                dependents: Vec::new(),
                oid: oid(&row, 0),
                owner: text(&row, 4),
                persistence: char_of(&row, 8),
                access_method: optional(&row, 9),
                tablespace: optional(&row, 10),
                options: texts(&row, 11),
                replica_identity: char_of(&row, 12),
                of_type: optional(&row, 13),
                row_security: row.boolean(14) == Some(true),
                row_security_forced: row.boolean(15) == Some(true),
                policies: Vec::new(),
                parents: Vec::new(),
                children: Vec::new(),
                sequences: Vec::new(),
                triggers: Vec::new(),
                rules: Vec::new(),
                statistics: Vec::new(),
            };
            (facts.oid, Table { facts, columns: HashMap::new() })
        });
        tables.collect()
    }

    /// Gives the names of the collations that some column has of its own.
    fn columns(&mut self, tables: &mut HashMap<u32, Table>) -> HashMap<u32, String> {
        let rows = self.run(&statements::COLUMNS);
        let mut raw: Vec<(u32, RawColumn)> =
            rows.iter::<14>().map(|row| raw_column(&row)).collect();
        raw.sort_by_key(|(_, column)| column.fact.number);
        let wanted: HashSet<u32> = raw.iter().map(|(_, column)| column.type_oid).collect();
        let types: HashMap<u32, Type> = self
            .run_for(&statements::TYPES, wanted)
            .iter::<9>()
            .map(|row| (oid(&row, 0), read_type(&row)))
            .collect();
        let own = |column: &RawColumn| {
            types.get(&column.type_oid).is_some_and(|of| of.collation != column.collation)
        };
        let wanted: HashSet<u32> = raw
            .iter()
            .filter(|(_, column)| own(column))
            .map(|(_, column)| column.collation)
            .collect();
        let collations = self.collations(wanted);
        for (relation, column) in raw {
            let (Some(table), Some(of)) = (tables.get_mut(&relation), types.get(&column.type_oid))
            else {
                continue;
            };
            let mut fact = column.fact;
            fact.type_schema = of.schema.clone();
            fact.type_name = of.name.clone();
            fact.type_kind = of.kind;
            fact.element_type = of.element.as_ref().map(|(name, _)| name.clone());
            fact.element_kind = of.element.as_ref().map(|(_, kind)| *kind);
            fact.list = Some(of.list);
            fact.default_collation = of.collation == column.collation;
            if !fact.default_collation {
                fact.collation = collations.get(&column.collation).cloned();
            }
            if column.storage != of.storage {
                let word = match column.storage.as_str() {
                    "p" => "PLAIN",
                    "e" => "EXTERNAL",
                    "x" => "EXTENDED",
                    _ => "MAIN",
                };
                fact.options.insert(0, format!("STORAGE {word}"));
            }
            let entry = (fact.name.clone(), column.type_oid, column.collation);
            table.columns.insert(fact.number.into(), entry);
            table.facts.columns.push(fact);
        }
        collations
    }

    fn collations(&self, wanted: HashSet<u32>) -> HashMap<u32, String> {
        if wanted.is_empty() {
            return HashMap::new();
        }
        let rows = self.run_for(&statements::COLLATIONS, wanted);
        rows.iter::<2>().map(|row| (oid(&row, 0), text(&row, 1))).collect()
    }

    fn defaults(&mut self, tables: &mut HashMap<u32, Table>) {
        for row in self.run(&statements::DEFAULTS).iter::<3>() {
            let number = row.integer(1).unwrap_or_default();
            let column = tables.get_mut(&oid(&row, 0)).and_then(|table| {
                let mut columns = table.facts.columns.iter_mut();
                columns.find(|column| i32::from(column.number) == number)
            });
            if let Some(column) = column {
                let of = if column.generated.is_some() {
                    &mut column.computed
                } else {
                    &mut column.default
                };
                *of = optional(&row, 2);
            }
        }
    }

    fn descriptions(&mut self, tables: &mut HashMap<u32, Table>) {
        for row in self.run(&statements::DESCRIPTIONS).iter::<3>() {
            let number = row.integer(1).unwrap_or_default();
            let Some(table) = tables.get_mut(&oid(&row, 0)) else { continue };
            if number == 0 {
                table.facts.description = optional(&row, 2);
                continue;
            }
            let mut columns = table.facts.columns.iter_mut();
            if let Some(column) = columns.find(|column| i32::from(column.number) == number) {
                column.description = optional(&row, 2);
            }
        }
    }

    /// Gives the names of the constraints that indexes are made for, by the indexes.
    fn constraints(
        &mut self,
        tables: &mut HashMap<u32, Table>,
    ) -> Result<HashMap<u32, String>, Error> {
        let mut keys = HashMap::new();
        let mut found = Vec::new();
        for row in self.run(&statements::CONSTRAINTS).iter::<21>() {
            let Some(table) = tables.get(&oid(&row, 0)) else { continue };
            let names = |column: usize| -> Vec<String> {
                let numbers = numbers(&row, column).into_iter();
                numbers.filter_map(|n| Some(table.columns.get(&n)?.0.clone())).collect()
            };
            let kind: ConstraintKind = one(&row, 3)?;
            if matches!(
                kind,
                ConstraintKind::PrimaryKey | ConstraintKind::Unique | ConstraintKind::Exclusion
            ) {
                keys.insert(oid(&row, 4), text(&row, 2));
            }
            let target =
                (kind == ConstraintKind::Reference && row.text(16).is_some()).then(|| TargetFact {
                    schema: text(&row, 15),
                    table: text(&row, 16),
                    primary_key: row.boolean(17) == Some(true),
                    index_method: optional(&row, 18),
                    columns: texts(&row, 19),
                });
            let reaction = |column| -> Result<Option<Reaction>, Error> {
                row.text(column).map(|_| one(&row, column)).transpose()
            };
            let fact = ConstraintFact {
                name: text(&row, 2),
                kind,
                definition: optional(&row, 6),
                columns: names(5),
                expression: optional(&row, 7),
                validated: row.boolean(8) == Some(true),
                enforced: row.boolean(9) == Some(true),
                deferrable: row.boolean(10) == Some(true),
                fires: row.boolean(20) == Some(true),
                target,
                on_delete: reaction(11)?,
                on_update: reaction(12)?,
                match_type: char_of(&row, 13),
                set_columns: names(14),
            };
            found.push((oid(&row, 0), oid(&row, 1), fact));
        }
        found.sort_by_key(|(_, constraint, _)| *constraint);
        for (relation, _, fact) in found {
            if let Some(table) = tables.get_mut(&relation) {
                table.facts.constraints.push(fact);
            }
        }
        Ok(keys)
    }

    fn indexes(
        &mut self,
        tables: &mut HashMap<u32, Table>,
        keys: &HashMap<u32, String>,
        mut collations: HashMap<u32, String>,
    ) {
        let rows = self.run(&statements::INDEXES);
        let none = [NO_COLLATION, DEFAULT_COLLATION];
        let wanted: HashSet<u32> = rows
            .iter::<22>()
            .flat_map(|row| oids(&row, 18))
            .filter(|collation| !none.contains(collation) && !collations.contains_key(collation))
            .collect();
        collations.extend(self.collations(wanted));
        let classes = self.operator_classes();
        let mut found: Vec<(u32, u32, IndexFact)> = Vec::new();
        for row in rows.iter::<22>() {
            let Some(table) = tables.get(&oid(&row, 0)) else { continue };
            let (numbers, options) = (numbers(&row, 16), numbers(&row, 19));
            let (class_oids, own_collations) = (oids(&row, 17), oids(&row, 18));
            let expressions = optional_texts(&row, 20);
            let class_options = texts(&row, 21);
            let keys_count = row.integer(10).unwrap_or_default().max(0) as usize;
            let columns = (0..keys_count).map(|at| {
                let column = numbers.get(at).and_then(|number| table.columns.get(number));
                let class = class_oids.get(at).and_then(|class| classes.get(class));
                let collation = own_collations.get(at).copied().unwrap_or_default();
                let option = options.get(at).copied().unwrap_or_default();
                let prefix = format!("{}=", at + 1);
                // Types may be indexed by the class of a type that theirs is stored as.
                let is_default = class.is_some_and(|class| {
                    class.is_default
                        && column.is_none_or(|(_, of, _)| {
                            class.input == *of
                                || !classes.values().any(|other| {
                                    other.method == class.method
                                        && other.is_default
                                        && other.input == *of
                                })
                        })
                });
                IndexColumnFact {
                    name: column.map(|(name, ..)| name.clone()),
                    expression: expressions.get(at).cloned().flatten(),
                    descending: option & 1 == 1,
                    nulls_first: option & 2 == 2,
                    operator_class: class.map(|class| class.name.clone()).unwrap_or_default(),
                    operator_class_schema: class
                        .map(|class| class.schema.clone())
                        .unwrap_or_default(),
                    default_operator_class: is_default,
                    operator_class_options: class_options
                        .iter()
                        .filter_map(|options| options.strip_prefix(&prefix))
                        .map(str::to_owned)
                        .collect(),
                    collation: column
                        .is_some_and(|(.., of)| *of != collation)
                        .then(|| collations.get(&collation).cloned())
                        .flatten(),
                    default_collation: match column {
                        Some((.., of)) => *of == collation,
                        None => none.contains(&collation),
                    },
                }
            });
            let fact = IndexFact {
                name: text(&row, 2),
                unique: row.boolean(4) == Some(true),
                primary: row.boolean(5) == Some(true),
                valid: row.boolean(6) == Some(true),
                immediate: row.boolean(7) == Some(true),
                method: text(&row, 3),
                constraint: keys.get(&oid(&row, 1)).cloned(),
                is_partial: row.boolean(11) == Some(true),
                predicate: optional(&row, 12),
                nulls_not_distinct: row.boolean(8) == Some(true),
                included: (row.integer(9).unwrap_or_default() - keys_count as i32).max(0) as u16,
                definition: optional(&row, 15),
                options: texts(&row, 13),
                tablespace: optional(&row, 14),
                columns: columns.collect(),
            };
            found.push((oid(&row, 0), oid(&row, 1), fact));
        }
        found.sort_by_key(|(_, index, _)| *index);
        for (relation, _, fact) in found {
            if let Some(table) = tables.get_mut(&relation) {
                table.facts.indexes.push(fact);
            }
        }
    }

    fn operator_classes(&self) -> HashMap<u32, OperatorClass> {
        let rows = statements::OPERATOR_CLASSES
            .with(|statement| self.snapshot.run(self.client, statement, &[]));
        let class = |row: Row<'_, 6>| {
            let class = OperatorClass {
                schema: text(&row, 1),
                name: text(&row, 2),
                method: oid(&row, 3),
                input: oid(&row, 4),
                is_default: row.boolean(5) == Some(true),
            };
            (oid(&row, 0), class)
        };
        rows.iter::<6>().map(class).collect()
    }

    fn more(&mut self, tables: &mut HashMap<u32, Table>) -> Result<(), Error> {
        for row in self.run(&statements::MORE).iter::<3>() {
            let (Some(table), Some(of)) = (tables.get_mut(&oid(&row, 0)), row.text(2)) else {
                continue;
            };
            let facts = &mut table.facts;
            match row.text(1).unwrap_or_default() {
                "policy" => facts.policies.push(serde_json::from_str(of)?),
                "sequence" => facts.sequences.push(serde_json::from_str(of)?),
                "trigger" => facts.triggers.push(serde_json::from_str(of)?),
                "parent" => facts.parents.push(of.to_owned()),
                "child" => facts.children.push(of.to_owned()),
                "rule" => facts.rules.push(of.to_owned()),
                _ => facts.statistics.push(of.to_owned()),
            }
        }
        for facts in tables.values_mut().map(|table| &mut table.facts) {
            facts.policies.sort_by(|a, b| a.name.cmp(&b.name));
            facts.sequences.sort_by(|a, b| (a.column, &a.name).cmp(&(b.column, &b.name)));
            facts.triggers.sort_by(|a, b| a.name.cmp(&b.name));
            // A foreign key has two on each side.
            facts.triggers.dedup_by(|a, b| a.internal && b.internal && a.name == b.name);
            for names in
                [&mut facts.parents, &mut facts.children, &mut facts.rules, &mut facts.statistics]
            {
                names.sort();
            }
        }
        Ok(())
    }
}

fn raw_column(row: &Row<'_, 14>) -> (u32, RawColumn) {
    let mut options = texts(row, 13);
    match row.text(11) {
        Some("p") => options.insert(0, "COMPRESSION pglz".to_owned()),
        Some("l") => options.insert(0, "COMPRESSION lz4".to_owned()),
        _ => {}
    }
    if let Some(statistics) = row.integer(12).filter(|statistics| *statistics != -1) {
        options.insert(0, format!("STATISTICS {statistics}"));
    }
    let fact = ColumnFact {
        number: row.integer(1).unwrap_or_default() as u16,
        name: text(row, 2),
        type_schema: String::new(),
        type_name: String::new(),
        type_kind: 'b',
        element_type: None,
        element_kind: None,
        list: None,
        printed_type: optional(row, 5),
        modifier: row.integer(4).unwrap_or(-1),
        not_null: row.boolean(6) == Some(true),
        default_collation: true,
        default: None,
        identity: char_of(row, 8),
        generated: char_of(row, 9),
        description: None,
        computed: None,
        collation: None,
        options,
    };
    let column =
        RawColumn { fact, type_oid: oid(row, 3), collation: oid(row, 7), storage: text(row, 10) };
    (oid(row, 0), column)
}

fn read_type(row: &Row<'_, 9>) -> Type {
    Type {
        schema: text(row, 1),
        name: text(row, 2),
        kind: char_of(row, 3).unwrap_or('b'),
        collation: oid(row, 4),
        storage: text(row, 5),
        element: optional(row, 6).zip(char_of(row, 7)),
        list: row.boolean(8) == Some(true),
    }
}
