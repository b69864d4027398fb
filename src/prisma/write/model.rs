//! The models: tables with their names and types in Prisma's language, before their relations are known.

use super::documents::Documents;
use super::facts::{Expressions, Facts, IndexFact, Reaction, ReferenceFact, TableFact};
use super::names::{self, Name, Taken, TypeName};
use super::relations::RelationField;
use super::types::{self, FieldType};
use std::collections::HashMap;

/// A table that is a model.
pub(super) struct Model<'f> {
    pub(super) table: &'f TableFact,
    pub(super) name: Name,
    /// Of the columns, in their order; so are the types.
    pub(super) names: Vec<Name>,
    pub(super) types: Vec<FieldType>,
    /// The names of all its fields.
    pub(super) taken: Taken,
    pub(super) relations: Vec<RelationField>,
    /// Whether a row can be told by columns that Prisma knows.
    pub(super) has_identifier: bool,
    /// What Prisma does not know of the table.
    pub(super) notes: Vec<String>,
}

/// An enum.
pub(super) struct Enum<'f> {
    pub(super) schema: &'f str,
    pub(super) description: Option<&'f str>,
    pub(super) name: Name,
    pub(super) values: Vec<Name>,
}

/// A table that is no model but a relation: `_AToB`, whose rows are pairs.
pub(super) struct Join<'f> {
    pub(super) table: &'f TableFact,
    /// The models that its columns A and B refer to.
    pub(super) models: [usize; 2],
}

/// All that a schema holds.
pub(super) struct Blocks<'f> {
    pub(super) models: Vec<Model<'f>>,
    pub(super) joins: Vec<Join<'f>>,
    pub(super) enums: Vec<Enum<'f>>,
}

impl Model<'_> {
    /// The place of a column.
    pub(super) fn place(&self, number: i16) -> Option<usize> {
        self.table.columns.iter().position(|column| column.number == number)
    }

    /// What the fields of columns are called.
    pub(super) fn fields(&self, numbers: &[i16]) -> Vec<&str> {
        numbers
            .iter()
            .filter_map(|number| self.place(*number))
            .map(|place| self.names[place].prisma.as_str())
            .collect()
    }

    /// A model that Prisma's client cannot use.
    pub(super) fn is_ignored(&self) -> bool {
        !self.has_identifier
    }
}

/// Whether Prisma sees that the index makes its columns unique.
pub(super) fn is_unique(index: &IndexFact) -> bool {
    index.unique && !index.partial && !index.has_expressions()
}

/// Tables that Prisma keeps for itself, or takes for PostGIS's.
fn is_model(table: &TableFact) -> bool {
    const POSTGIS: [&str; 5] = [
        "spatial_ref_sys",
        "geometry_columns",
        "geography_columns",
        "raster_columns",
        "raster_overviews",
    ];
    table.name != "_prisma_migrations"
        && !POSTGIS.iter().any(|name| table.name.eq_ignore_ascii_case(name))
}

fn table_name<'n>(table: &'n TableFact, documents: &'n Documents) -> TypeName<'n> {
    let document = documents.table(&table.schema, &table.name).map(|found| found.name.as_str());
    TypeName { schema: &table.schema, name: &table.name, document }
}

pub(super) fn blocks<'f>(
    facts: &'f Facts,
    expressions: &Expressions,
    documents: &Documents,
) -> Blocks<'f> {
    let tables: Vec<&TableFact> = facts.tables.iter().filter(|table| is_model(table)).collect();
    let (joins, tables): (Vec<&TableFact>, Vec<&TableFact>) =
        tables.into_iter().partition(|table| is_join(table));
    let mut taken = Taken::default();
    let named = tables.iter().map(|table| table_name(table, documents));
    let enums = facts.enums.iter().map(|found| TypeName {
        schema: &found.schema,
        name: &found.name,
        document: documents.enumeration(&found.schema, &found.name),
    });
    let mut all = names::of_types(&named.chain(enums).collect::<Vec<_>>(), &mut taken);
    let enum_names = all.split_off(tables.len());
    let enums: Vec<Enum<'f>> = facts
        .enums
        .iter()
        .zip(enum_names)
        .map(|(found, name)| {
            let values = found.values.iter().map(|value| (value.as_str(), None));
            let values = names::all(values, "value", &mut Taken::default());
            Enum { schema: &found.schema, description: found.description.as_deref(), name, values }
        })
        .collect();
    let places: HashMap<(&str, &str), usize> = facts
        .enums
        .iter()
        .enumerate()
        .map(|(place, found)| ((found.schema.as_str(), found.name.as_str()), place))
        .collect();
    let enum_of = |schema: &str, name: &str| {
        let place = *places.get(&(schema, name))?;
        Some((place, enums[place].name.prisma.clone()))
    };
    let mut models: Vec<Model<'f>> = tables
        .into_iter()
        .zip(all)
        .map(|(table, name)| model(table, name, expressions, documents, &enum_of))
        .collect();
    let mut pairs = Vec::new();
    for table in joins {
        match join(table, &models) {
            Some(found) => pairs.push(found),
            None => {
                for name in names::of_types(&[table_name(table, documents)], &mut taken) {
                    models.push(model(table, name, expressions, documents, &enum_of));
                }
            }
        }
    }
    Blocks { models, joins: pairs, enums }
}

fn model<'f>(
    table: &'f TableFact,
    name: Name,
    expressions: &Expressions,
    documents: &Documents,
    enum_of: &impl Fn(&str, &str) -> Option<(usize, String)>,
) -> Model<'f> {
    let mut taken = Taken::default();
    let document = documents.table(&table.schema, &table.name);
    let columns = table.columns.iter().map(|column| {
        let field = document.and_then(|document| document.field(&column.name));
        (column.name.as_str(), field)
    });
    let names = names::all(columns, "field", &mut taken);
    let types: Vec<FieldType> = table
        .columns
        .iter()
        .map(|column| {
            let printed = expressions.types.get(&key(table, column.number));
            let printed = printed.and_then(Option::as_deref).unwrap_or(&column.type_name);
            types::of(column, printed, enum_of)
        })
        .collect();
    let identifies = |index: &IndexFact| {
        is_unique(index)
            && index.numbers().iter().all(|number| {
                let place = table.columns.iter().position(|column| column.number == *number);
                place.is_some_and(|place| {
                    table.columns[place].required
                        && types[place].is_supported()
                        && !types[place].list
                })
            })
    };
    let has_identifier = table.indexes.iter().any(identifies);
    Model {
        table,
        name,
        names,
        types,
        taken,
        relations: Vec::new(),
        has_identifier,
        notes: Vec::new(),
    }
}

/// How expressions name a column.
pub(super) fn key(table: &TableFact, number: i16) -> String {
    format!("{}.{number}", table.oid)
}

/// Whether a table is as Prisma makes one for an implicit relation of many to many: A and B, a primary key of both, an
/// index on B, and two references that cascade. Prisma makes its names from the table's, and looks at all of them.
fn is_join(table: &TableFact) -> bool {
    let name = |suffix: &str| names::of_constraint(&table.name, &[], suffix);
    let [a, b] = table.columns.as_slice() else { return false };
    let [one, two] = table.references.as_slice() else { return false };
    let is_plain = |index: &IndexFact| {
        !index.partial
            && index.valid
            && index.method == "btree"
            && index.keys == index.columns.len()
    };
    let has_index = |suffix: &str, primary: bool, numbers: &[i16]| {
        table.indexes.iter().any(|index| {
            index.name == name(suffix)
                && index.primary == primary
                && index.unique == primary
                && is_plain(index)
                && index.numbers() == numbers
                && !index.columns.iter().any(|column| column.descending)
        })
    };
    let refers = |reference: &ReferenceFact, suffix: &str, number: i16| {
        reference.name == name(suffix)
            && reference.columns == [number]
            && reference.on_delete == Reaction::Cascade
            && reference.on_update == Reaction::Cascade
            && !reference.deferrable
    };
    table.name.starts_with('_')
        && table.kind == 'r'
        && (a.name.as_str(), b.name.as_str()) == ("A", "B")
        && table.columns.iter().all(|column| column.required && !column.default && !column.identity)
        && table.indexes.len() == 2
        && has_index("_AB_pkey", true, &[a.number, b.number])
        && has_index("_B_index", false, &[b.number])
        && refers(one, "_A_fkey", a.number)
        && refers(two, "_B_fkey", b.number)
        && table.checks.is_empty()
        && table.exclusions.is_empty()
        && !table.row_security
        && !table.inherits
}

/// The relation that such a table is, if Prisma can say it: each side has a key of one column, which it refers to, and the
/// side of A is the first by its name.
fn join<'f>(table: &'f TableFact, models: &[Model<'_>]) -> Option<Join<'f>> {
    let target = |reference: &ReferenceFact, column: usize| {
        let place = models.iter().position(|model| model.table.oid == reference.target)?;
        let model = &models[place];
        let key = model.table.indexes.iter().find(|index| index.primary)?;
        let [number] = reference.target_columns.as_slice() else { return None };
        let id = model.table.column(*number)?;
        let column = &table.columns[column];
        let is_id = key.numbers() == [*number]
            && (&id.type_name, id.modifier, &id.type_schema)
                == (&column.type_name, column.modifier, &column.type_schema)
            && !model.is_ignored();
        is_id.then_some(place)
    };
    let (a, b) = (target(&table.references[0], 0)?, target(&table.references[1], 1)?);
    let is_ordered = models[a].name.prisma <= models[b].name.prisma;
    (is_ordered && models[a].table.schema == table.schema).then_some(Join { table, models: [a, b] })
}
