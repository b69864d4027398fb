//! Columns of blueprints whose values Postgres counts up: identities, and sequences that a column owns.

use super::tables::SequenceState;
use super::{Planner, Surroundings};
use crate::ident::{qualified, quote, quote_literal};
use crate::structure::ddl::{composed_name, identity_word};
use crate::structure::step::{Class, Phase, Stage, Step};
use crate::structure::table::{Column, ColumnDefault};

/// Whether a sequence fills it.
pub(super) fn is_generated(column: &Column) -> bool {
    matches!(column.default, Some(ColumnDefault::Identity { .. } | ColumnDefault::Serial))
}

impl<'g> Planner<'g> {
    /// The name of the sequence that a column owns, by the name that the column has now.
    fn sequence_of(&self, column: &str, around: &Surroundings<'_>) -> String {
        let known = around.sequences.iter().find(|(of, _)| of == column);
        let made = || composed_name(&self.goal.observed.name, &[column], "seq");
        let name = known.map_or_else(made, |(_, sequence)| sequence.name.clone());
        qualified(&self.goal.observed.schema, &name)
    }

    /// Whether a sequence fills a column that does not have it any more.
    pub(super) fn is_loose(&self, source: &Column) -> bool {
        let of = |(column, sequence): &(String, SequenceState)| {
            *column == source.name && !sequence.owned && !sequence.identity
        };
        self.around().is_some_and(|around| around.sequences.iter().any(of))
    }

    /// A sequence that somebody lets count otherwise, as the column's type wants it again.
    fn mend_sequence(&mut self, source: &Column, column: &Column, around: &Surroundings<'g>) {
        let of = |(name, sequence): &&(String, SequenceState)| {
            *name == source.name && sequence.fault.is_some()
        };
        let Some((_, state)) = around.sequences.iter().find(of) else { return };
        let sequence = self.sequence_of(&source.name, around);
        let sql_type = self.goal.dialect.sql_type(&column.kind, false);
        let sql = format!(
            "ALTER SEQUENCE {sequence} AS {sql_type} INCREMENT BY 1 NO MINVALUE NO MAXVALUE START WITH 1 CACHE 1 NO CYCLE"
        );
        let back = state.fault.as_ref().map(|fault| format!("ALTER SEQUENCE {sequence} {fault}"));
        let step = Step::instant("change_sequence", &column.name, sql);
        self.push(Step { undo: back, ..step });
    }

    /// The sequence that a column has and takes no numbers from.
    fn idle_sequence(&self, source: &Column, around: &Surroundings<'_>) -> Option<String> {
        let of = |(column, sequence): &&(String, SequenceState)| {
            *column == source.name && sequence.owned && !sequence.identity && !sequence.feeds
        };
        let (_, sequence) = around.sequences.iter().find(of)?;
        Some(qualified(&self.goal.observed.schema, &sequence.name))
    }

    /// No field is computed: what somebody has made so keeps its values.
    fn stop_computing(&mut self) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            let mut extras = self.goal.observed.extras.iter();
            let is_computed = |extra: &&crate::structure::observe::Extra| {
                extra.kind == "generated column" && extra.name == source.name
            };
            let Some(extra) = extras.find(is_computed) else { continue };
            if extra.definition.ends_with(" STORED") {
                let name = quote(&source.name);
                let sql = self.alter(&format!("ALTER COLUMN {name} DROP EXPRESSION"));
                self.push(Step::instant("stop_computing", &source.name, sql));
            } else {
                let why = format!(
                    "the column is computed by hand ({}), and Postgres makes no plain one of it: drop it",
                    extra.definition
                );
                self.push(Step::refused("stop_computing", &source.name, why));
            }
        }
    }

    /// Before the column changes its type or may be NULL: an identity allows neither.
    pub(super) fn stop_generating(&mut self, around: &Surroundings<'g>) {
        self.stop_computing();
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            if !is_generated(source) || is_generated(column) {
                continue;
            }
            let name = quote(&source.name);
            let sql = match source.default {
                Some(ColumnDefault::Serial) => {
                    let sequence = self.sequence_of(&source.name, around);
                    let drop = self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT"));
                    format!("{drop}; DROP SEQUENCE {sequence}")
                }
                _ => self.alter(&format!("ALTER COLUMN {name} DROP IDENTITY")),
            };
            self.push(Step::instant("stop_generating", &source.name, sql).hazard(
                "generated: rows that are inserted without the column get no number from now on",
            ));
        }
    }

    /// When the column has its type and is NOT NULL.
    pub(super) fn start_generating(&mut self, around: &Surroundings<'g>) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            let idle = self.idle_sequence(source, around);
            let is_same = is_generated(source) || self.is_loose(source) || idle.is_some();
            if is_generated(column) && is_same && source.kind == column.kind {
                self.mend_sequence(source, column, around);
            }
            let sql = match (&source.default, &column.default) {
                (_, Some(ColumnDefault::Serial)) if self.is_loose(source) => {
                    let sequence = self.sequence_of(&source.name, around);
                    let name = quote(&column.name);
                    let sql = format!("ALTER SEQUENCE {sequence} OWNED BY {}.{name}", self.table);
                    let back = format!("ALTER SEQUENCE {sequence} OWNED BY NONE");
                    let step = Step::instant("change_generated", &column.name, sql);
                    self.push(step.undone_by(back));
                    continue;
                }
                (
                    Some(ColumnDefault::Identity { always: old }),
                    Some(ColumnDefault::Identity { always: new }),
                ) => {
                    if old == new {
                        continue;
                    }
                    let name = quote(&column.name);
                    let set = |always| {
                        let word = identity_word(always);
                        self.alter(&format!("ALTER COLUMN {name} SET GENERATED {word}"))
                    };
                    let step = Step::instant("change_generated", &column.name, set(*new));
                    let step = step.undone_by(set(*old));
                    self.push(step);
                    continue;
                }
                (Some(ColumnDefault::Serial), Some(ColumnDefault::Serial)) => {
                    if source.kind == column.kind {
                        continue;
                    }
                    // Its numbers end where the old type's did.
                    let sequence = self.sequence_of(&source.name, around);
                    let sql_type = self.goal.dialect.sql_type(&column.kind, false);
                    format!("ALTER SEQUENCE {sequence} AS {sql_type}")
                }
                (_, Some(ColumnDefault::Serial)) => match self.idle_sequence(source, around) {
                    Some(sequence) => {
                        let name = quote(&column.name);
                        let sequence = quote_literal(&sequence);
                        let sql = self.alter(&format!(
                            "ALTER COLUMN {name} SET DEFAULT pg_catalog.nextval({sequence}::pg_catalog.regclass)"
                        ));
                        self.push(Step::instant("change_generated", &column.name, sql));
                        continue;
                    }
                    None => self.make_serial(source, column, around),
                },
                (_, Some(ColumnDefault::Identity { always })) => {
                    self.make_identity(source, column, *always, around)
                }
                _ => continue,
            };
            let step = Step::instant("change_generated", &column.name, sql).class(Class::Scan);
            // An identity needs a column that is NOT NULL, and that may come last.
            let step = match !source.required && self.is_required_online(column) {
                true => step.stage(Stage::Finish).phase(Phase::Finish),
                false => step,
            };
            self.push(step);
        }
    }

    /// A free name in the schema, for a sequence on its way.
    fn aside(&self) -> String {
        let oid_free = format!("{}_kepler", self.goal.observed.name);
        qualified(&self.goal.observed.schema, &composed_name(&oid_free, &[], "seq"))
    }

    fn next_number(&self, source: &Column, column: &Column, around: &Surroundings<'_>) -> String {
        let name = quote(&column.name);
        match source.default {
            Some(ColumnDefault::Serial) => {
                let sequence = self.sequence_of(&source.name, around);
                format!(
                    "pg_catalog.coalesce(pg_catalog.pg_sequence_last_value({}::pg_catalog.regclass), 0) + 1",
                    quote_literal(&sequence)
                )
                .replace("pg_catalog.coalesce", "coalesce")
            }
            _ => format!("(SELECT coalesce(pg_catalog.max({name}), 0) + 1 FROM {})", self.table),
        }
    }

    fn make_serial(&self, source: &Column, column: &Column, around: &Surroundings<'_>) -> String {
        let name = quote(&column.name);
        let sql_type = self.goal.dialect.sql_type(&column.kind, false);
        let aside = self.aside();
        let wanted = composed_name(&self.goal.observed.name, &[&column.name], "seq");
        let mut sql = vec![format!("CREATE SEQUENCE {aside} AS {sql_type}")];
        let from_identity = matches!(source.default, Some(ColumnDefault::Identity { .. }));
        let next = if from_identity {
            format!(
                "coalesce(pg_catalog.pg_sequence_last_value(pg_catalog.pg_get_serial_sequence({}, {})\
                 ::pg_catalog.regclass), 0) + 1",
                quote_literal(&self.table),
                quote_literal(&column.name)
            )
        } else {
            self.next_number(source, column, around)
        };
        sql.push(format!(
            "SELECT pg_catalog.setval({}::pg_catalog.regclass, {next}, false)",
            quote_literal(&aside)
        ));
        if from_identity {
            sql.push(self.alter(&format!("ALTER COLUMN {name} DROP IDENTITY")));
        }
        sql.push(format!("ALTER SEQUENCE {aside} RENAME TO {}", quote(&wanted)));
        let sequence = qualified(&self.goal.observed.schema, &wanted);
        sql.push(format!("ALTER SEQUENCE {sequence} OWNED BY {}.{name}", self.table));
        sql.push(self.alter(&format!(
            "ALTER COLUMN {name} SET DEFAULT pg_catalog.nextval({}::pg_catalog.regclass)",
            quote_literal(&sequence)
        )));
        sql.join("; ")
    }

    fn make_identity(
        &self,
        source: &Column,
        column: &Column,
        always: bool,
        around: &Surroundings<'_>,
    ) -> String {
        let name = quote(&column.name);
        let word = identity_word(always);
        let mut sql = Vec::new();
        let add = self.alter(&format!("ALTER COLUMN {name} ADD GENERATED {word} AS IDENTITY"));
        let set = |next: &str| {
            format!(
                "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass, {next}, false)",
                quote_literal(&self.table),
                quote_literal(&column.name)
            )
        };
        if matches!(source.default, Some(ColumnDefault::Serial)) {
            // The new sequence is to have the old one's name.
            let (old, aside) = (self.sequence_of(&source.name, around), self.aside());
            let short = composed_name(&format!("{}_kepler", self.goal.observed.name), &[], "seq");
            sql.push(self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT")));
            sql.push(format!("ALTER SEQUENCE {old} OWNED BY NONE"));
            sql.push(format!("ALTER SEQUENCE {old} RENAME TO {}", quote(&short)));
            sql.push(add);
            sql.push(set(&format!(
                "coalesce(pg_catalog.pg_sequence_last_value({}::pg_catalog.regclass), 0) + 1",
                quote_literal(&aside)
            )));
            sql.push(format!("DROP SEQUENCE {aside}"));
        } else {
            sql.push(add);
            sql.push(set(&self.next_number(source, column, around)));
        }
        sql.join("; ")
    }
}
