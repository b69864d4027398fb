//! What is to be there before anything is made: schemas, extensions, and trust in SQL.

use super::matched::Matched;
use super::{Planner, schemas_of};
use crate::ident::quote;
use crate::pg::role;
use crate::structure::blueprint::registry::Stored;
use crate::structure::sql_text::SqlText;
use crate::structure::step::{Stage, Step};
use crate::structure::table::{ColumnDefault, Rule, Table};
use std::collections::HashSet;

impl Planner<'_> {
    /// Schemas that are to be there, and what is to be there before anything is made in them.
    pub(super) fn surroundings(&self, trusted: &HashSet<String>) -> Vec<Step> {
        let blueprint = self.blueprint();
        let mut steps = Vec::new();
        let mut refuse = |operation: &'static str, object: &str, why: String, sql: String| {
            let step = Step::refused(operation, object, why).stage(Stage::Schema);
            steps.push(Step { sql, ..step });
        };
        let applied = self.request.stored.and_then(|stored| stored.applied.as_ref());
        if let Some((given, found)) =
            blueprint.version.zip(applied.and_then(|version| version.document_version))
            && (given as i32) < found
        {
            let why = format!("version {found} was applied, and the document says version {given}");
            refuse("check_version", &blueprint.name, why, String::new());
        }
        if let Some(owner) = self.request.stored.and_then(|stored| stored.workspace_id.as_ref())
            && owner != self.request.workspace_id
            && !self.request.is_owner
        {
            let why = format!("it belongs to workspace \"{owner}\", which is not the session's");
            refuse("check_workspace", &blueprint.name, why, String::new());
        }
        for extension in &blueprint.extensions {
            if !self.facts.extensions.contains(extension) {
                let sql = format!("CREATE EXTENSION {}", quote(extension));
                let why =
                    "the extension is not in this database: a superuser may run the statement";
                refuse("create_extension", extension, why.to_owned(), sql);
            }
        }
        let mut create = Vec::new();
        for schema in schemas_of(blueprint) {
            if self.is_of_role(&schema) {
                let why = "a role has the name of the schema, and Postgres looks there first for what that role's \
                           statements name: the owner of Kepler's tables, or a superuser, applies a blueprint in it";
                refuse("create_schema", &schema, why.to_owned(), String::new());
                continue;
            }
            let Some(fact) = self.facts.schema(&schema) else {
                let quoted = quote(&schema);
                let step =
                    Step::instant("create_schema", &schema, format!("CREATE SCHEMA {quoted}"));
                let step = step.stage(Stage::Schema);
                create.push(step.undone_by(format!("DROP SCHEMA {quoted}")));
                continue;
            };
            if !fact.trusted {
                let why = format!(
                    "the schema belongs to \"{}\", who could put other tables into the place of the blueprint's: \
                     give it to the owner of Kepler's tables, or let the blueprint have another schema",
                    fact.owner
                );
                refuse("create_schema", &schema, why, String::new());
                continue;
            }
            let is_open = trusted.contains(&schema) || fact.ours && fact.empty;
            if !(is_open || self.request.is_owner) {
                let why = "the schema is there already and not a blueprint's: the owner of Kepler's tables, or a \
                           superuser, has to apply the first version";
                refuse("create_schema", &schema, why.to_owned(), String::new());
            }
        }
        steps.extend(create);
        steps
    }

    /// Whether a schema that the blueprint is not in yet is first in the search path of a role (`"$user"`), and the caller
    /// may not put anything there.
    fn is_of_role(&self, schema: &str) -> bool {
        let versions = || self.request.stored.into_iter().flat_map(Stored::versions);
        let is_in = versions().any(|version| schemas_of(&version.blueprint).contains(schema));
        let is_known = is_in && self.facts.schema(schema).is_some();
        !self.request.is_owner && !is_known && role::exists(schema)
    }

    /// SQL that nobody has vouched for yet.
    pub(super) fn untrusted(&self, matched: &[Matched]) -> Vec<Step> {
        if self.request.manner.trusted && self.request.is_owner {
            return Vec::new();
        }
        let mut steps = Vec::new();
        for table in matched {
            let Some(target) = &table.target else { continue };
            let known = table.managed.as_ref().map(|table| texts(&table.table));
            for (object, text) in texts(&target.table) {
                let is_known = known.as_ref().is_some_and(|known| {
                    // An expression that compares as equal may be another: only what was let through is known.
                    let same = |known: &SqlText| known.trusted && known.text == text.text;
                    known.iter().any(|(other, known)| *other == object && same(known))
                });
                if text.trusted && !is_known {
                    let why = format!(
                        "this SQL is not known to be harmless: {}. The owner of Kepler's tables, or a superuser, lets it \
                         through with {{\"trusted\": true}} in options",
                        crate::json::shorten(&text.text)
                    );
                    let step = Step::refused("trust_sql", &object, why).stage(Stage::Schema);
                    steps.push(step);
                }
            }
        }
        steps
    }
}

/// The expressions of a table, by column or by index.
fn texts(table: &Table) -> Vec<(String, &SqlText)> {
    let defaults = table.columns.iter().filter_map(|column| match &column.default {
        Some(ColumnDefault::Sql(text)) => Some((column.name.clone(), text)),
        _ => None,
    });
    let predicates = table.rules.iter().filter_map(|rule| match rule {
        Rule::Index(index) => Some((rule.columns().join(","), index.predicate.as_ref()?)),
        _ => None,
    });
    defaults.chain(predicates).collect()
}
