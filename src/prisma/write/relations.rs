//! Relations: a field on either side for each foreign key, and for each table that is a relation of many to many.
//!
//! They are named as Prisma's own introspection names them, so that a schema of `prisma db pull` and this one agree.

use super::facts::{Reaction, ReferenceFact};
use super::model::{Blocks, Join, Model, is_unique};
use super::names;
use super::types::quoted;
use std::collections::HashSet;

/// A field that is not a column.
pub(super) struct RelationField {
    pub(super) name: String,
    /// With `?` or `[]`.
    pub(super) type_text: String,
    pub(super) attributes: Vec<String>,
}

/// A foreign key between two models.
struct Link<'f> {
    from: usize,
    to: usize,
    reference: &'f ReferenceFact,
}

/// Gives the models their relations.
pub(super) fn relate(blocks: &mut Blocks<'_>) {
    let links = links(&mut blocks.models);
    let ambiguous = ambiguous(&blocks.models, &links, &blocks.joins);
    let mut named: HashSet<String> = HashSet::new();
    let mut backward = Vec::new();
    for link in &links {
        let is_ambiguous = ambiguous.contains(&pair(link.from, link.to));
        let (forward, back) = fields(&blocks.models, link, is_ambiguous, &mut named);
        add(&mut blocks.models[link.from], forward);
        backward.push((link.to, back));
    }
    for (place, field) in backward {
        add(&mut blocks.models[place], field);
    }
    for join in &blocks.joins {
        let [a, b] = join.models;
        let is_ambiguous = ambiguous.contains(&pair(a, b));
        let [of_a, of_b] = sides(&blocks.models, join, is_ambiguous);
        add(&mut blocks.models[a], of_a);
        add(&mut blocks.models[b], of_b);
    }
}

fn add(model: &mut Model<'_>, mut field: RelationField) {
    field.name = model.taken.take(field.name);
    model.relations.push(field);
}

fn pair(one: usize, two: usize) -> (usize, usize) {
    (one.min(two), one.max(two))
}

/// The foreign keys that Prisma can say; the others are noted.
fn links<'f>(models: &mut [Model<'f>]) -> Vec<Link<'f>> {
    let mut links = Vec::new();
    for from in 0..models.len() {
        let table = models[from].table;
        for reference in &table.references {
            let target = models.iter().position(|model| model.table.oid == reference.target);
            match target
                .ok_or("its table is no model")
                .and_then(|to| problem(&models[from], &models[to], reference).map_or(Ok(to), Err))
            {
                Ok(to) => links.push(Link { from, to, reference }),
                Err(problem) => models[from].notes.push(format!(
                    "reference {} to {}, because {problem}",
                    quoted(&reference.name),
                    quoted(&reference.target_name),
                )),
            }
        }
    }
    links
}

/// Why Prisma's parser would refuse a relation.
fn problem(from: &Model<'_>, to: &Model<'_>, reference: &ReferenceFact) -> Option<&'static str> {
    let mut wanted = reference.target_columns.clone();
    wanted.sort_unstable();
    let has_key = to.table.indexes.iter().filter(|index| is_unique(index)).any(|index| {
        let mut numbers = index.numbers();
        numbers.sort_unstable();
        numbers == wanted
    });
    if !has_key {
        return Some("Prisma finds no unique key there");
    }
    for (own, other) in reference.columns.iter().zip(&reference.target_columns) {
        let own = from.place(*own).map(|place| &from.types[place]);
        let other = to.place(*other).map(|place| &to.types[place]);
        let (Some(own), Some(other)) = (own, other) else { return Some("a column is missing") };
        if !own.is_supported() || !other.is_supported() {
            return Some("Prisma does not know the type of a column");
        }
        if own.text != other.text || own.list != other.list {
            return Some("the types of its columns are two for Prisma");
        }
    }
    None
}

/// Pairs of models with more than one relation, or whose field would bear the name of a column.
fn ambiguous(
    models: &[Model<'_>],
    links: &[Link<'_>],
    joins: &[Join<'_>],
) -> HashSet<(usize, usize)> {
    let mut ambiguous = HashSet::new();
    let mut seen = HashSet::new();
    let between = links.iter().map(|link| pair(link.from, link.to));
    for pair in between.chain(joins.iter().map(|join| pair(join.models[0], join.models[1]))) {
        if !seen.insert(pair) {
            ambiguous.insert(pair);
        }
    }
    for link in links {
        let field = models[link.to].name.prisma.as_str();
        if models[link.from].fields(&link.reference.columns).contains(&field) {
            ambiguous.insert(pair(link.from, link.to));
        }
    }
    ambiguous
}

fn fields(
    models: &[Model<'_>],
    link: &Link<'_>,
    is_ambiguous: bool,
    named: &mut HashSet<String>,
) -> (RelationField, RelationField) {
    let (from, to, reference) = (&models[link.from], &models[link.to], link.reference);
    let is_self = link.from == link.to;
    let (one, other) = (&from.name.prisma, &to.name.prisma);
    let columns = from.fields(&reference.columns);
    let prefix = if is_self { "other_" } else { "" };
    let (relation, forward, back) = if is_ambiguous {
        let name = format!("{one}_{}To{other}", columns.join("_"));
        let forward = format!("{other}_{name}");
        let back = format!("{prefix}{one}_{name}");
        (Some(unused(name, named)), forward, back)
    } else {
        let name = is_self.then(|| unused(format!("{one}To{other}"), named));
        (name, other.clone(), format!("{prefix}{one}"))
    };
    let mut arguments: Vec<String> = relation.iter().map(|name| quoted(name)).collect();
    arguments.push(format!("fields: [{}]", columns.join(", ")));
    arguments.push(format!("references: [{}]", to.fields(&reference.target_columns).join(", ")));
    let is_required =
        |number: &i16| from.table.column(*number).is_some_and(|column| column.required);
    let any_required = reference.columns.iter().any(is_required);
    let all_required = reference.columns.iter().all(is_required);
    let usual = if any_required { Reaction::Restrict } else { Reaction::SetNull };
    if reference.on_delete != usual {
        arguments.push(format!("onDelete: {}", action(reference.on_delete)));
    }
    if reference.on_update != Reaction::Cascade {
        arguments.push(format!("onUpdate: {}", action(reference.on_update)));
    }
    let names = from.table.names(&reference.columns);
    if reference.name != names::of_constraint(&from.table.name, &names, "_fkey") {
        arguments.push(format!("map: {}", quoted(&reference.name)));
    }
    let is_usable = from.has_identifier && to.has_identifier;
    let ignore =
        |model: &Model<'_>| (!is_usable && !model.is_ignored()).then(|| "@ignore".to_owned());
    let mut attributes = vec![format!("@relation({})", arguments.join(", "))];
    attributes.extend(ignore(from));
    let forward = RelationField {
        name: forward,
        type_text: if all_required { other.clone() } else { format!("{other}?") },
        attributes,
    };
    // Prisma asks for a unique key of just these fields where there is one at most.
    let is_one = from
        .table
        .indexes
        .iter()
        .any(|index| is_unique(index) && index.numbers() == reference.columns);
    let mut attributes: Vec<String> =
        relation.iter().map(|name| format!("@relation({})", quoted(name))).collect();
    attributes.extend(ignore(to));
    let back = RelationField {
        name: back,
        type_text: if is_one { format!("{one}?") } else { format!("{one}[]") },
        attributes,
    };
    (forward, back)
}

/// Two foreign keys may have the same columns.
fn unused(name: String, named: &mut HashSet<String>) -> String {
    let mut unused = name.clone();
    for number in 2_u32.. {
        if named.insert(unused.clone()) {
            break;
        }
        unused = format!("{name}_{number}");
    }
    unused
}

fn action(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::NoAction => "NoAction",
        Reaction::Restrict => "Restrict",
        Reaction::Cascade => "Cascade",
        Reaction::SetNull => "SetNull",
        Reaction::SetDefault => "SetDefault",
    }
}

/// The fields of a relation of many to many.
fn sides(models: &[Model<'_>], join: &Join<'_>, is_ambiguous: bool) -> [RelationField; 2] {
    let [a, b] = join.models.map(|place| models[place].name.prisma.as_str());
    let is_self = join.models[0] == join.models[1];
    let own_name = &join.table.name[1..];
    let is_usual = !is_self && !is_ambiguous && join.table.name == format!("_{a}To{b}");
    let suffix = if is_ambiguous { join.table.name.as_str() } else { "" };
    let side = |model: &str, letter: &str| RelationField {
        name: names::sanitized(
            &format!("{model}{suffix}{}", if is_self { letter } else { "" }),
            "field",
        ),
        type_text: format!("{model}[]"),
        attributes: if is_usual {
            Vec::new()
        } else {
            vec![format!("@relation({})", quoted(own_name))]
        },
    };
    [side(b, "_A"), side(a, "_B")]
}
