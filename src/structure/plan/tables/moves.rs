//! The names that tables give and take, with those of what goes along with them.

use super::{Prepared, TableGoal};
use crate::structure::observe::{Extra, NamedRule};
use crate::structure::plan::room::{self, Kind, Move};
use crate::structure::plan::tables_made;
use crate::structure::step::Stage;
use crate::structure::table::Rule;

impl Prepared {
    /// The names that a table as a whole gives and takes.
    pub(super) fn table_moves(&self, table: &TableGoal<'_>, moves: &mut Vec<Move>) {
        let target = table.target.map(|to| (to.schema.as_str(), to.table_name.as_str()));
        let now = table.now.as_ref();
        let Some(now) = now else {
            if let (Some((schema, name)), Some(target)) = (target, &self.target) {
                let stage = Stage::CreateTable;
                moves.push(Move::in_schema(Kind::Table, schema, None, Some(name), stage));
                let sequences = self.sequences.then.values();
                moves.extend(sequences.map(|sequence| {
                    Move::in_schema(Kind::Sequence, schema, None, Some(sequence), stage)
                }));
                for (rule, name) in target.named_rules() {
                    let (kind, stage) = match rule {
                        Rule::PrimaryKey(_) | Rule::Unique(_) => (Kind::Index, stage),
                        Rule::Index(_) => (Kind::Index, tables_made::index_stage(rule)),
                        _ => continue,
                    };
                    moves.push(Move::in_schema(kind, schema, None, name, stage));
                }
            }
            return;
        };
        let observed = now.observed;
        let place = (observed.schema.as_str(), observed.name.as_str());
        if target == Some(place) || target.is_some() && table.managed.is_none() {
            return;
        }
        let stage = if target.is_some() { Stage::Rename } else { Stage::DropTable };
        moves.push(Move::between(Kind::Table, Some(place), target, stage));
        if target.is_some_and(|(schema, _)| schema == observed.schema) {
            return;
        }
        // What is in its schema goes along.
        let kind = |named: &NamedRule| room::kind_of(&named.rule, named.by);
        let rules = observed.rules.iter().filter(|named| kind(named) != Kind::Constraint);
        let rules = rules.map(|named| (Kind::Index, &named.name));
        let has_index = |extra: &&Extra| match extra.kind {
            "index" => true,
            "constraint" => room::kind_of_extra(&extra.definition) == Kind::Key,
            _ => false,
        };
        let extras = observed.extras.iter().filter(has_index);
        let extras = extras.map(|extra| (Kind::Index, &extra.name));
        let sequences =
            now.keeping.sequences.iter().map(|(_, state)| (Kind::Sequence, &state.name));
        for (kind, name) in rules.chain(extras).chain(sequences) {
            let from = Some((place.0, name.as_str()));
            let to = target.map(|(schema, _)| (schema, name.as_str()));
            moves.push(Move::between(kind, from, to, stage));
        }
    }
}
