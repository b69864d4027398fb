//! Columns of blueprints whose values Postgres counts up: identities, and sequences that a column owns.
//!
//! A number that was given out is not given out again, so whatever counts next goes on where the last one stood.

use super::room::{Kind, Move};
use super::tables::{SequenceNames, SequenceState};
use super::{Planner, Surroundings};
use crate::ident::{MAX_NAME, qualified, quote, quote_literal, shortened};
use crate::structure::ddl::{identity_word, postgres_name};
use crate::structure::step::{Class, Phase, Stage, Step};
use crate::structure::table::{Column, ColumnDefault};

/// Whether a sequence fills it.
pub(super) fn is_generated(column: &Column) -> bool {
    matches!(column.default, Some(ColumnDefault::Identity { .. } | ColumnDefault::Serial))
}

/// How a column counts, and the name of the sequence, which is in the schema of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counting {
    Not,
    Serial(String),
    Identity { always: bool, sequence: String },
}

impl Counting {
    fn of(column: &Column, sequence: impl FnOnce() -> String) -> Self {
        match column.default {
            Some(ColumnDefault::Serial) => Self::Serial(sequence()),
            Some(ColumnDefault::Identity { always }) => {
                Self::Identity { always, sequence: sequence() }
            }
            _ => Self::Not,
        }
    }

    fn sequence(&self) -> Option<&str> {
        match self {
            Self::Not => None,
            Self::Serial(sequence) | Self::Identity { sequence, .. } => Some(sequence),
        }
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl<'g> Planner<'g> {
    /// The sequence of a column by the names that both have now.
    fn sequence_of(&self, column: &str, around: &Surroundings<'_>) -> String {
        let known = around.sequence_states.iter().find(|(of, _)| of == column);
        let made = || postgres_name(&self.goal.observed.name, Some(column), "seq");
        let name = known.map_or_else(made, |(_, sequence)| sequence.name.clone());
        qualified(&self.goal.observed.schema, &name)
    }

    /// How a column counts before the plan, by the name that it has then.
    fn counts_now(&self, column: &Column, names: &SequenceNames) -> Counting {
        let made = || postgres_name(&self.goal.observed.name, Some(&column.name), "seq");
        Counting::of(column, || names.now.get(&column.name).cloned().unwrap_or_else(made))
    }

    /// And after it.
    fn counts_then(&self, column: &Column, names: &SequenceNames) -> Counting {
        let made = || postgres_name(&self.goal.observed.name, Some(&column.name), "seq");
        Counting::of(column, || names.then.get(&column.name).cloned().unwrap_or_else(made))
    }

    /// Whether a sequence fills a column that does not have it any more.
    pub(super) fn is_loose(&self, source: &Column) -> bool {
        let of = |(column, sequence): &(String, SequenceState)| {
            *column == source.name && !sequence.owned && !sequence.identity
        };
        self.around().is_some_and(|around| around.sequence_states.iter().any(of))
    }

    /// A sequence that somebody lets count otherwise, as the column's type wants it again.
    fn mend_sequence(&mut self, source: &Column, column: &Column, around: &Surroundings<'g>) {
        let of = |(name, sequence): &&(String, SequenceState)| {
            *name == source.name && sequence.fault.is_some()
        };
        let Some((_, state)) = around.sequence_states.iter().find(of) else { return };
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
        let (_, sequence) = around.sequence_states.iter().find(of)?;
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
                let undo = "undo: Postgres computes no column that it does not compute already";
                self.push(Step::instant("stop_computing", &source.name, sql).hazard(undo));
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
            let counted = self.counts_now(source, around.sequences);
            let sql = self.transition(source, &counted, &Counting::Not);
            let back = self.transition(source, &Counting::Not, &counted);
            self.note_sequence(&counted, &Counting::Not, Stage::Column);
            let step = Step::instant("stop_generating", &source.name, sql).undone_by(back);
            self.push(step.hazard(
                "generated: rows that are inserted without the column get no number from now on",
            ));
        }
    }

    /// When the column has its type and is NOT NULL.
    pub(super) fn start_generating(&mut self, around: &Surroundings<'g>) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            if !is_generated(column) {
                continue;
            }
            let idle = self.idle_sequence(source, around);
            let is_loose = self.is_loose(source);
            let is_same = is_generated(source) || is_loose || idle.is_some();
            if is_same && source.kind == column.kind {
                self.mend_sequence(source, column, around);
            }
            if let Some(ColumnDefault::Serial) = column.default
                && self.take_sequence(source, column, idle, around)
            {
                continue;
            }
            let now = self.counts_now(source, around.sequences);
            let then = self.counts_then(column, around.sequences);
            if now.is_same_kind(&then) {
                self.go_on_generating(source, column, &now);
                continue;
            }
            let sql = self.transition(column, &now, &then);
            // What counted before was of the type of then.
            let before = Column { kind: source.kind.clone(), ..column.clone() };
            let back = self.transition(&before, &then, &now);
            // An identity needs a column that is NOT NULL, and that may come last.
            let (stage, phase) = match !source.required && self.is_required_online(column) {
                true => (Stage::Finish, Phase::Finish),
                false => (Stage::Column, Phase::Prepare),
            };
            self.note_sequence(&now, &then, stage);
            // Only where nothing has counted yet, the rows are asked.
            let class = if now == Counting::Not { Class::Scan } else { Class::Instant };
            let step = Step::instant("change_generated", &column.name, sql).class(class);
            self.push(step.stage(stage).phase(phase).undone_by(back));
        }
    }

    /// Of a column and a sequence that somebody has parted: the one takes its numbers from the other again.
    fn take_sequence(
        &mut self,
        source: &Column,
        column: &Column,
        idle: Option<String>,
        around: &Surroundings<'g>,
    ) -> bool {
        let name = quote(&column.name);
        if self.is_loose(source) {
            let sequence = self.sequence_of(&source.name, around);
            let sql = format!("ALTER SEQUENCE {sequence} OWNED BY {}.{name}", self.table);
            let back = format!("ALTER SEQUENCE {sequence} OWNED BY NONE");
            self.push(Step::instant("change_generated", &column.name, sql).undone_by(back));
            return true;
        }
        let Some(sequence) = idle.filter(|_| !is_generated(source)) else { return false };
        let sequence = quote_literal(&sequence);
        let sql = self.alter(&format!(
            "ALTER COLUMN {name} SET DEFAULT pg_catalog.nextval({sequence}::pg_catalog.regclass)"
        ));
        let back = self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT"));
        self.push(Step::instant("change_generated", &column.name, sql).undone_by(back));
        true
    }

    /// A sequence that stays, under the name that it has.
    fn go_on_generating(&mut self, source: &Column, column: &Column, now: &Counting) {
        let (sql, back) = match (&source.default, &column.default, now) {
            (
                Some(ColumnDefault::Identity { always: old }),
                Some(ColumnDefault::Identity { always: new }),
                _,
            ) if old != new => {
                let name = quote(&column.name);
                let set = |always| {
                    let word = identity_word(always);
                    self.alter(&format!("ALTER COLUMN {name} SET GENERATED {word}"))
                };
                (set(*new), set(*old))
            }
            // Its numbers end where the old type's did. Of an identity Postgres sees to that.
            (_, _, Counting::Serial(sequence)) if source.kind != column.kind => {
                let sequence = qualified(&self.goal.observed.schema, sequence);
                let sql = |column: &Column| {
                    let sql_type = self.goal.dialect.sql_type(&column.kind, false);
                    format!("ALTER SEQUENCE {sequence} AS {sql_type}")
                };
                (sql(column), sql(source))
            }
            _ => return,
        };
        self.push(Step::instant("change_generated", &column.name, sql).undone_by(back));
    }

    /// A sequence that was named after the table and its column stays so.
    pub(super) fn rename_sequences(&mut self, around: &Surroundings<'g>) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            let now = self.counts_now(source, around.sequences);
            let then = self.counts_then(column, around.sequences);
            let (Some(old), Some(new)) = (now.sequence(), then.sequence()) else { continue };
            if !now.is_same_kind(&then) || old == new {
                continue;
            }
            let rename = |from: &str, to: &str| {
                let from = qualified(&self.goal.observed.schema, from);
                format!("ALTER SEQUENCE {from} RENAME TO {}", quote(to))
            };
            let step = Step::instant("rename_sequence", new, rename(old, new));
            let step = step.stage(Stage::Finish).undone_by(rename(new, old));
            self.push(step);
            self.note_sequence(&now, &then, Stage::Finish);
        }
    }

    /// Postgres gives it the name, if that is free.
    pub(super) fn note_new_sequence(&mut self, column: &Column) {
        let Some(around) = self.around() else { return };
        let then = self.counts_then(column, around.sequences);
        self.note_sequence(&Counting::Not, &then, Stage::Column);
    }

    /// It goes with its column.
    pub(super) fn note_dropped_sequence(&mut self, column: &Column, names: &SequenceNames) {
        let counted = self.counts_now(column, names);
        self.note_sequence(&counted, &Counting::Not, Stage::Column);
    }

    fn note_sequence(&mut self, now: &Counting, then: &Counting, stage: Stage) {
        let schema = self.goal.observed.schema.clone();
        let (from, to) = (now.sequence(), then.sequence());
        if from.or(to).is_none() {
            return;
        }
        self.plan.moves.push(Move::in_schema(Kind::Sequence, &schema, from, to, stage));
    }

    /// The statements from one way of counting to another one.
    fn transition(&self, column: &Column, from: &Counting, to: &Counting) -> String {
        let name = quote(&column.name);
        let sql_type = self.goal.dialect.sql_type(&column.kind, false);
        let place = |sequence: &str| qualified(&self.goal.observed.schema, sequence);
        let regclass =
            |sequence: &str| format!("{}::pg_catalog.regclass", quote_literal(&place(sequence)));
        let column_does = |what: &str| self.alter(&format!("ALTER COLUMN {name} {what}"));
        let own = |sequence: &str| {
            format!("ALTER SEQUENCE {} OWNED BY {}.{name}", place(sequence), self.table)
        };
        let count = |sequence: &str| {
            column_does(&format!("SET DEFAULT pg_catalog.nextval({})", regclass(sequence)))
        };
        let create = |sequence: &str| format!("CREATE SEQUENCE {} AS {sql_type}", place(sequence));
        let drop = |sequence: &str| format!("DROP SEQUENCE {}", place(sequence));
        let rename = |old: &str, new: &str| {
            format!("ALTER SEQUENCE {} RENAME TO {}", place(old), quote(new))
        };
        let identity = |always: bool, sequence: &str| {
            let word = identity_word(always);
            let place = place(sequence);
            column_does(&format!("ADD GENERATED {word} AS IDENTITY (SEQUENCE NAME {place})"))
        };
        let go_on = |old: &str, new: &str| {
            let (new, old) = (regclass(new), place(old));
            format!("SELECT pg_catalog.setval({new}, last_value, is_called) FROM {old}")
        };
        let begin = |sequence: &str| {
            let most = format!("coalesce(pg_catalog.max({name}), 0)");
            format!(
                "SELECT pg_catalog.setval({}, greatest({most}, 1), {most} OPERATOR(pg_catalog.>) 0) FROM {}",
                regclass(sequence),
                self.table
            )
        };
        let aside = |sequence: &str| shortened(&format!("kepler_aside_{sequence}"), MAX_NAME);
        let statements = match (from, to) {
            (Counting::Not, Counting::Not) => Vec::new(),
            (Counting::Not, Counting::Serial(new)) => {
                vec![create(new), begin(new), own(new), count(new)]
            }
            (Counting::Not, Counting::Identity { always, sequence }) => {
                vec![identity(*always, sequence), begin(sequence)]
            }
            (Counting::Serial(old), Counting::Not) => {
                vec![column_does("DROP DEFAULT"), drop(old)]
            }
            (Counting::Identity { .. }, Counting::Not) => vec![column_does("DROP IDENTITY")],
            (Counting::Serial(old), Counting::Identity { always, sequence: new }) => {
                let mut all = vec![
                    column_does("DROP DEFAULT"),
                    format!("ALTER SEQUENCE {} OWNED BY NONE", place(old)),
                ];
                let mut old = old.clone();
                if old == *new {
                    old = aside(new);
                    all.push(rename(new, &old));
                }
                all.extend([identity(*always, new), go_on(&old, new), drop(&old)]);
                all
            }
            (Counting::Identity { sequence: old, .. }, Counting::Serial(new)) => {
                let made = if old == new { aside(new) } else { new.clone() };
                let mut all = vec![create(&made), go_on(old, &made), column_does("DROP IDENTITY")];
                if made != *new {
                    all.push(rename(&made, new));
                }
                all.extend([own(new), count(new)]);
                all
            }
            (Counting::Serial(_), Counting::Serial(_))
            | (Counting::Identity { .. }, Counting::Identity { .. }) => Vec::new(),
        };
        statements.join("; ")
    }
}
