//! The versions of a row, from what it is now backwards.
//!
//! A state is known by column, and a column is the same one under all names that it had: within a part of the
//! database's life by the number that Postgres gives it, and beyond a restore, and between nodes of a cluster, by its name.

use super::image;
use crate::feed::tell::Operation;
use crate::jsonb::builder::Builder;
use crate::jsonb::entry;
use crate::jsonb::parse::{InvalidCharacters, Parser};
use crate::jsonb::view::{Container, Value};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// A layout that a table had.
pub(super) struct Layout {
    /// What it is listed under; None is the present one.
    pub(super) id: Option<i64>,
    /// The node that it was listed on; 0 is this one.
    pub(super) node: u32,
    pub(super) epoch: i32,
    pub(super) relation: u32,
    pub(super) created_at: i64,
    pub(super) columns: Vec<LaidOut>,
}

pub(super) struct LaidOut {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) type_name: String,
}

/// A column through all layouts.
struct Identity {
    name: String,
    type_name: String,
}

/// Which columns of the layouts are the same.
pub(super) struct Identities {
    identities: Vec<Identity>,
    /// By the number of a layout: columns by their names then.
    of_layout: HashMap<Option<LayoutId>, HashMap<String, usize>>,
}

/// The node that a layout is of, and its number there. The present layout has none.
type LayoutId = (u32, i64);

impl Identities {
    /// `layouts`: the oldest first, and the present one last.
    pub(super) fn of(layouts: &[Layout]) -> Self {
        let mut identities: Vec<Identity> = Vec::new();
        let mut found: Vec<Vec<usize>> = Vec::new();
        for (at, layout) in layouts.iter().enumerate() {
            let is_same_origin = |other: &Layout| {
                (other.node, other.epoch, other.relation)
                    == (layout.node, layout.epoch, layout.relation)
            };
            let by_number = layouts[..at].iter().rposition(is_same_origin);
            // Between this layout and its former one on this node, another node may have had columns that came meanwhile.
            let last = at.checked_sub(1);
            let by_name =
                last.filter(|last| by_number.is_none() || layouts[*last].node != layout.node);
            let mut own = Vec::new();
            for column in &layout.columns {
                let in_layout = |of: Option<usize>, is_same: &dyn Fn(&LaidOut) -> bool| {
                    let place = layouts[of?].columns.iter().position(is_same)?;
                    Some(found[of?][place])
                };
                let numbered = in_layout(by_number, &|other| other.number == column.number);
                let named = in_layout(by_name, &|other| other.name == column.name);
                let same = numbered.or(named).filter(|identity| !own.contains(identity));
                if let (Some(one), Some(other)) = (same, named)
                    && !found
                        .iter()
                        .chain([&own])
                        .any(|of| of.contains(&one) && of.contains(&other))
                {
                    // Another node came to know the column under its new name.
                    let of_other =
                        found.iter_mut().flatten().filter(|identity| **identity == other);
                    of_other.for_each(|identity| *identity = one);
                }
                let identity = same.unwrap_or_else(|| {
                    identities.push(Identity { name: String::new(), type_name: String::new() });
                    identities.len() - 1
                });
                identities[identity].name.clone_from(&column.name);
                identities[identity].type_name.clone_from(&column.type_name);
                own.push(identity);
            }
            found.push(own);
        }
        let of_layout = layouts
            .iter()
            .zip(&found)
            .map(|(layout, own)| {
                let names = layout.columns.iter().map(|column| column.name.clone());
                (layout.id.map(|id| (layout.node, id)), names.zip(own.iter().copied()).collect())
            })
            .collect();
        Self { identities, of_layout }
    }

    fn find(&self, layout: Option<LayoutId>, name: &str) -> Option<usize> {
        self.of_layout.get(&layout)?.get(name).copied()
    }

    /// The values of an image, by column.
    pub(super) fn values(&self, layout: Option<LayoutId>, image: Option<&[u8]>) -> Values {
        let mut values = Values::new();
        let Some(bytes) = image else { return values };
        for (key, stored) in Container::root(bytes).pairs() {
            let name = String::from_utf8_lossy(key);
            if let Some(identity) = self.find(layout, &name) {
                values.insert(identity, Kept { kind: stored.kind, bytes: stored.bytes.to_vec() });
            }
        }
        values
    }

    fn add(&self, builder: &mut Builder, identity: usize, kept: &Kept) {
        let type_name = self.identities[identity].type_name.as_str();
        kept.add(builder, type_name);
    }

    /// Two columns may have had one name, at different times.
    fn key(&self, identity: usize, taken: &mut Vec<String>) -> String {
        let mut name = self.identities[identity].name.clone();
        while taken.contains(&name) {
            name.push_str("_before");
        }
        taken.push(name.clone());
        name
    }

    /// A state as a JSON object, under the names that the columns have now.
    pub(super) fn object(&self, values: &Values, builder: &mut Builder) -> Option<Vec<u8>> {
        let (mut out, mut taken) = (Vec::new(), Vec::new());
        builder.reset();
        builder.open_object();
        // The later ones have the names now.
        for (identity, kept) in values.iter().rev() {
            builder.key(self.key(*identity, &mut taken).as_bytes());
            self.add(builder, *identity, kept);
        }
        image::finish(builder, &mut out).ok().map(|()| out)
    }

    /// What a change made of columns: an object with `old` and `new` for each; of a value that is not kept, neither.
    pub(super) fn difference(
        &self,
        event: &Event,
        after: &State,
        before: &State,
        builder: &mut Builder,
    ) -> Option<Vec<u8>> {
        let empty = Values::new();
        let of = |state: &State| match state {
            State::Row(values) => values.clone(),
            _ => empty.clone(),
        };
        let (new, mut old) = (of(after), of(before));
        let changed: Vec<usize> = match event.operation {
            Operation::Insert if matches!(after, State::Unknown) => return None,
            Operation::Insert => new.keys().copied().collect(),
            Operation::Delete => old.keys().copied().collect(),
            Operation::Update => {
                let overwritten = self.values(Some(event.layout()), event.old_values.as_deref());
                let keys = overwritten.keys().copied().collect();
                old.extend(overwritten);
                keys
            }
            Operation::Truncate => return None,
        };
        let withheld =
            event.withheld.iter().filter_map(|name| self.find(Some(event.layout()), name));
        let mut all: Vec<(usize, bool)> = changed.into_iter().map(|at| (at, true)).collect();
        all.extend(withheld.map(|at| (at, false)));
        all.sort_unstable();
        let (mut out, mut taken) = (Vec::new(), Vec::new());
        builder.reset();
        builder.open_object();
        for (identity, is_kept) in all.into_iter().rev() {
            builder.key(self.key(identity, &mut taken).as_bytes());
            builder.open_object();
            let sides = [
                ("old", &old, event.operation != Operation::Insert),
                ("new", &new, event.operation != Operation::Delete),
            ];
            for (side, values, has_side) in sides {
                if let Some(kept) = values.get(&identity).filter(|_| is_kept && has_side) {
                    builder.key(side.as_bytes());
                    self.add(builder, identity, kept);
                }
            }
            builder.close().ok()?;
        }
        image::finish(builder, &mut out).ok().map(|()| out)
    }
}

/// A value of an image.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    kind: u32,
    bytes: Vec<u8>,
}

impl Kept {
    /// As JSON has values of the type: numbers and truth as such, documents as what they say.
    fn add(&self, builder: &mut Builder, type_name: &str) {
        if self.kind != entry::STRING {
            return builder.copy(self.kind, &self.bytes);
        }
        let is_number = || {
            let first = self.bytes.iter().find(|byte| **byte != b'-');
            first.is_some_and(u8::is_ascii_digit)
        };
        match type_name {
            "boolean" => return builder.boolean(self.bytes == b"t"),
            "smallint" | "integer" | "bigint" | "real" | "double precision" | "numeric"
                if is_number() && builder.number(&self.bytes).is_ok() =>
            {
                return;
            }
            "json" | "jsonb" => {
                let mut document = Vec::new();
                let mut parser = Parser::new(InvalidCharacters::Reject);
                if parser.parse(&self.bytes, &mut document).is_ok() {
                    let root = Container::root(&document[4..]);
                    return match root.value() {
                        Value::Null => builder.null(),
                        Value::Boolean(is) => builder.boolean(is),
                        Value::Number(number) => builder.copy(entry::NUMERIC, number),
                        Value::String(text) => image::string(builder, text),
                        Value::Container(_) => builder.copy(entry::CONTAINER, &document[4..]),
                    };
                }
            }
            _ => {}
        }
        image::string(builder, &self.bytes);
    }
}

/// Values by column.
pub(super) type Values = BTreeMap<usize, Kept>;

/// What is known of a row at a moment.
#[derive(Debug, Clone)]
pub(super) enum State {
    Row(Values),
    Absent,
    /// What was done to it meanwhile is not told.
    Unknown,
}

/// A change of a row.
pub(super) struct Event {
    /// The node that has noted it; 0 is this one.
    pub(super) node: u32,
    pub(super) epoch: i32,
    pub(super) xid: u64,
    pub(super) sequence: i64,
    pub(super) created_at: i64,
    pub(super) operation: Operation,
    pub(super) layout: i64,
    pub(super) statement: i64,
    pub(super) old_values: Option<Vec<u8>>,
    pub(super) withheld: Vec<String>,
    pub(super) is_redacted: bool,
    pub(super) actor: Option<String>,
    pub(super) request: Option<String>,
    pub(super) role: Option<String>,
}

impl Event {
    fn layout(&self) -> LayoutId {
        (self.node, self.layout)
    }

    /// What the row was before, as far as it can be told by what it was after.
    pub(super) fn undo(&self, identities: &Identities, after: &State) -> State {
        if self.is_redacted {
            return State::Unknown;
        }
        match self.operation {
            Operation::Insert => State::Absent,
            Operation::Truncate => State::Unknown,
            Operation::Delete => {
                State::Row(identities.values(Some(self.layout()), self.old_values.as_deref()))
            }
            Operation::Update => {
                let State::Row(values) = after else { return State::Unknown };
                let mut values = values.clone();
                for name in &self.withheld {
                    if let Some(identity) = identities.find(Some(self.layout()), name) {
                        values.remove(&identity);
                    }
                }
                values.extend(identities.values(Some(self.layout()), self.old_values.as_deref()));
                // Columns that came later were not there.
                if let Some(columns) = identities.of_layout.get(&Some(self.layout())) {
                    values.retain(|identity, _| columns.values().any(|own| own == identity));
                }
                State::Row(values)
            }
        }
    }
}

/// Puts the changes that nodes have noted, those of each node in a list, into the order in which they were made, the newest first.
/// On a node transactions and their numbers say it: where a trigger of a row changes the same row again, it is told of before the
/// statement that it fired for. Between nodes the times do.
pub(super) fn in_order(of_nodes: Vec<Vec<Event>>) -> Vec<Event> {
    let transactions = |mut events: Vec<Event>| {
        let transaction = |event: &Event| (event.epoch, event.xid);
        events.sort_by_key(|event| Reverse((event.epoch, event.sequence)));
        let mut found: Vec<Vec<Event>> = Vec::new();
        for event in events {
            match found.last_mut() {
                Some(last) if transaction(&last[0]) == transaction(&event) => last.push(event),
                _ => found.push(vec![event]),
            }
        }
        for events in &mut found {
            // Of one statement the later ones stay the later ones.
            events.sort_by_key(|event| Reverse(event.statement));
        }
        found
    };
    let of_nodes = of_nodes.into_iter().map(transactions).collect();
    merged(of_nodes, |transaction| Reverse(transaction[0].created_at))
        .into_iter()
        .flatten()
        .collect()
}

/// One list of several, by a key. The order of each stays.
pub(super) fn merged<T, K: Ord>(lists: Vec<Vec<T>>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut lists: Vec<_> = lists.into_iter().map(|list| list.into_iter().peekable()).collect();
    let mut merged = Vec::new();
    loop {
        let heads =
            lists.iter_mut().enumerate().filter_map(|(at, list)| Some((key(list.peek()?), at)));
        let Some((_, next)) = heads.min() else { return merged };
        merged.extend(lists[next].next());
    }
}
