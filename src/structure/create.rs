//! The statements that make a new table.

use super::budget;
use super::ddl::{Dialect, Names, wished_name};
use super::plan::guarded;
use super::step::{Class, Relation, Step};
use super::table::{Rule, Table};
use crate::ident::{MAX_NAME, qualified, quote, quote_literal};

/// The table, its columns and rules, and what keeps it in order. A problem with its size refuses it.
pub(crate) fn steps(
    table: &Table,
    schema: &str,
    name: &str,
    workspace_id: &str,
    dialect: &Dialect,
) -> Vec<Step> {
    let qualified_name = qualified(schema, name);
    let mut names = Names::default();
    // As Postgres will call it.
    names.choose(&format!("{name}_pkey"));
    let mut lines: Vec<String> =
        table.columns.iter().map(|column| dialect.column(column)).collect();
    let mut indexes = Vec::new();
    for rule in &table.rules {
        let rule_name = names.choose(&wished_name(rule, name));
        match dialect.constraint(table, rule) {
            Some(definition) => {
                lines.push(format!("CONSTRAINT {} {definition}", quote(&rule_name)));
            }
            None => {
                if let Some(sql) = dialect.index(rule, &qualified_name, &rule_name) {
                    indexes.push(with_width(
                        Step::instant("add_index", &rule_name, sql),
                        table,
                        rule,
                    ));
                }
            }
        }
    }
    let sql = format!("CREATE TABLE {qualified_name} (\n    {}\n)", lines.join(",\n    "));
    let mut create =
        Step::instant("create_table", name, sql).undone_by(format!("DROP TABLE {qualified_name}"));
    for rule in table.rules.iter().filter(|rule| matches!(rule, Rule::Unique(_))) {
        create.hazards.extend(budget::index_width(table, rule));
    }
    match budget::row_width(table) {
        Err(why) => create = Step { hazards: vec![why], ..create.class(Class::Refused) },
        Ok(warning) => create.hazards.extend(warning),
    }
    let mut steps = vec![create];
    steps.extend(indexes);
    let relation = Relation { schema: schema.to_owned(), table: name.to_owned(), key: Vec::new() };
    steps.extend(guarded::of_new_table(table, &relation));
    steps.extend(guards(&qualified_name, name, workspace_id));
    steps.extend(descriptions(table, &qualified_name, name));
    steps
}

fn with_width(mut step: Step, table: &Table, rule: &Rule) -> Step {
    step.hazards.extend(budget::index_width(table, rule));
    step
}

/// `updated_at` moves on direct updates, and the rows are those of one workspace.
fn guards(table: &str, name: &str, workspace_id: &str) -> [Step; 2] {
    // OLD.* and not OLD, which would be a field of that name.
    let trigger = format!(
        "CREATE TRIGGER touch_updated_at BEFORE UPDATE ON {table} FOR EACH ROW \
         WHEN (OLD.* OPERATOR(pg_catalog.*<>) NEW.* \
         AND OLD.updated_at OPERATOR(pg_catalog.=) NEW.updated_at) \
         EXECUTE FUNCTION kepler_internal.touch_updated_at()"
    );
    let owner = quote_literal(workspace_id);
    let policy = format!(
        "CREATE POLICY workspace ON {table} \
         USING ({owner} OPERATOR(pg_catalog.=) kepler.current_workspace_id()); \
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    );
    [
        Step::instant("add_trigger", "touch_updated_at", trigger),
        Step::instant("secure", name, policy),
    ]
}

fn descriptions(table: &Table, qualified_name: &str, name: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(text) = &table.description {
        let sql = format!("COMMENT ON TABLE {qualified_name} IS {}", quote_literal(text));
        steps.push(Step::instant("describe", name, sql));
    }
    for column in &table.columns {
        if let Some(text) = &column.description {
            let sql = format!(
                "COMMENT ON COLUMN {qualified_name}.{} IS {}",
                quote(&column.name),
                quote_literal(text)
            );
            steps.push(Step::instant("describe", &column.name, sql));
        }
    }
    steps
}

/// The name of the table with a record name, as seed systems have it: `Inventory Record` and 1 make
/// `inventory_record_1_entries`. What would be too long is cut, and a hash of it put there.
pub(crate) fn table_name(record_name: &str, number: i64) -> String {
    let mut slug = String::new();
    for c in record_name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_end_matches('_');
    let slug = match slug.bytes().next() {
        None => "record".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("record_{slug}"),
        Some(_) => slug.to_owned(),
    };
    let suffix = format!("_{number}_entries");
    // Names of its indexes begin with it and are cut in turn.
    format!("{}{suffix}", crate::ident::shortened(&slug, MAX_NAME - suffix.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_names_become_table_names() {
        for (record_name, number, expected) in [
            ("Inventory Record", 1, "inventory_record_1_entries"),
            ("  weird -- name!  ", 2, "weird_name_2_entries"),
            ("2024 Sales", 3, "record_2024_sales_3_entries"),
            ("訂單", 4, "record_4_entries"),
            ("Café", 5, "caf_5_entries"),
            ("select", 6, "select_6_entries"),
        ] {
            assert_eq!(table_name(record_name, number), expected);
        }
        let long = table_name(&"very long ".repeat(12), i64::MAX);
        assert!(long.len() <= MAX_NAME, "{long}");
        assert_ne!(long, table_name(&"very long ".repeat(13), i64::MAX));
    }
}
