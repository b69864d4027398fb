//! One table of a blueprint, from its object in the document to its columns and rules.

use super::context::Context;
use super::field::{self, Beside};
use super::names::{problem_with_document_name, problem_with_schema, problem_with_sql_name};
use super::rules::UniqueSet;
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::blueprint::duration::{self, Duration};
use crate::structure::constant::Constant;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::rules::{Columns, read_names};
use crate::structure::document::{Rename, are_too_many, check_circles};
use crate::structure::model::{Check, Default, Field, Index, KeyKind, TIMES};
use crate::structure::table::{ColumnDefault, Reference};
use std::collections::{HashMap, HashSet};

/// Unique sets, references, checks and indexes of a table, of each.
const MAX_RULES: usize = 1_000;

/// A table under reading. Fields are named as the document names them.
pub(super) struct Draft<'j> {
    pub(super) pointer: String,
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) table_name: String,
    pub(super) label: Option<String>,
    pub(super) description: Option<String>,
    pub(super) renamed_from: Option<String>,
    /// The columns: that of `key` first, those of `times` last.
    pub(super) fields: Vec<Field>,
    /// Of each field.
    pub(super) beside: Vec<Beside<'j>>,
    by_name: HashMap<String, usize>,
    pub(super) key: Option<PrimaryKey>,
    /// A length of time, and the field that it is counted from.
    pub(super) retention: Option<(Duration, String)>,
    pub(super) history: bool,
    pub(super) lists: Lists<'j>,
    /// All of the fields could be read.
    pub(super) whole: bool,
    /// What is unique could be read, all of it.
    pub(super) is_unique_whole: bool,
    /// Names of fields that could not be read: rules over them would only say again what is wrong.
    pub(super) unread: HashSet<String>,
    /// A field that could not be read has no name, so that any may be its own.
    nameless: bool,
    pub(super) unique: Vec<UniqueSet>,
    pub(super) references: Vec<ReadReference>,
    /// Those without a name, in normal form, and the others.
    pub(super) checks: Vec<Check>,
    pub(super) named_checks: Vec<(Check, String, String)>,
    pub(super) indexes: Vec<ReadIndex>,
}

/// What the table says over several fields, unread.
#[derive(std::default::Default)]
pub(super) struct Lists<'j> {
    pub(super) unique: &'j [Json],
    pub(super) references: &'j [Json],
    pub(super) checks: &'j [Json],
    pub(super) indexes: &'j [Json],
}

pub(super) struct PrimaryKey {
    pub(super) fields: Vec<String>,
    pub(super) name: Option<String>,
    /// The place of the name.
    pub(super) name_at: String,
}

pub(super) struct ReadReference {
    /// With names of fields; the target's schema and table are those of the database.
    pub(super) reference: Reference,
    pub(super) name: Option<String>,
    pub(super) pointer: String,
}

pub(super) struct ReadIndex {
    pub(super) index: Index,
    pub(super) name: Option<String>,
    pub(super) suffix: &'static str,
    pub(super) pointer: String,
}

/// A table's columns, as rules see them.
pub(super) struct Scope<'s, 'j> {
    pub(super) draft: &'s Draft<'j>,
    pub(super) context: &'s Context<'s>,
}

impl Columns for Scope<'_, '_> {
    fn kind_of(&self, name: &str) -> Option<(FieldKind, bool)> {
        let field = self.draft.field(name).filter(|_| !self.draft.unread.contains(name));
        field.map(|field| (field.kind.clone(), field.list))
    }

    fn is_unread(&self, name: &str) -> bool {
        self.draft.unread.contains(name) || self.draft.nameless && self.draft.field(name).is_none()
    }

    fn constant(&self, kind: &FieldKind, json: &Json) -> Result<Constant, String> {
        self.context.constant(kind, false, json)
    }
}

impl<'j> Draft<'j> {
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|at| &self.fields[*at])
    }

    /// The column of a field.
    pub(super) fn column(&self, name: &str) -> String {
        match self.by_name.get(name) {
            Some(at) => self.beside[*at].column.clone(),
            None => name.to_owned(),
        }
    }

    fn add(&mut self, field: Field, beside: Beside<'j>, problems: &mut Problems) {
        if let Some(first) = self.by_name.get(&field.name) {
            let message =
                format!("\"{}\" is the name of {} too", field.name, self.beside[*first].pointer);
            problems.add(format!("{}/name", beside.pointer), message);
            self.whole = false;
            return;
        }
        self.by_name.insert(field.name.clone(), self.fields.len());
        self.fields.push(field);
        self.beside.push(beside);
    }

    pub(super) fn read(
        json: &'j Json,
        pointer: String,
        schema: &str,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut keys = Keys::open(json, pointer.clone(), problems)?;
        let name = keys.text("name", problems);
        if name.is_none() && !keys.has("name") {
            problems.add(keys.at("name"), "is missing");
        }
        let table_name = keys.text("table", problems);
        match (&name, &table_name) {
            (Some(name), _) if problem_with_document_name(name).is_some() => {
                let problem = problem_with_document_name(name).unwrap_or_default();
                problems.add(keys.at("name"), problem);
            }
            (Some(name), None) => {
                if let Some(problem) = problem_with_sql_name(name) {
                    problems.add(keys.at("name"), format!("{problem}; give it a \"table\""));
                }
            }
            _ => {}
        }
        if let Some(problem) = table_name.as_deref().and_then(problem_with_sql_name) {
            problems.add(keys.at("table"), problem);
        }
        let own_schema = keys.text("schema", problems);
        if let Some(problem) = own_schema.as_deref().and_then(problem_with_schema) {
            problems.add(keys.at("schema"), problem);
        }
        let label = keys.text("label", problems);
        let description = keys.description(problems);
        let renamed_from = keys.text("renamed_from", problems);
        let key = keys.take("key");
        let times = keys.boolean("times", problems);
        let retention = keys.take("retention");
        let history = keys.boolean("history", problems);
        let fields = keys.list("fields", problems);
        if fields.is_none() && !keys.has("fields") {
            problems.add(keys.at("fields"), "is missing: an array of fields");
        }
        let mut list = |key| few(&mut keys, key, problems);
        let lists = Lists {
            unique: list("unique"),
            references: list("references"),
            checks: list("checks"),
            indexes: list("indexes"),
        };
        keys.close(problems);
        let name = name?;
        let mut draft = Self {
            table_name: table_name.unwrap_or_else(|| name.clone()),
            name,
            schema: own_schema.unwrap_or_else(|| schema.to_owned()),
            label,
            description,
            renamed_from,
            fields: Vec::new(),
            beside: Vec::new(),
            by_name: HashMap::new(),
            key: None,
            retention: None,
            history,
            lists,
            whole: fields.is_some(),
            is_unique_whole: true,
            unread: HashSet::new(),
            nameless: fields.is_none(),
            unique: Vec::new(),
            references: Vec::new(),
            checks: Vec::new(),
            named_checks: Vec::new(),
            indexes: Vec::new(),
            pointer,
        };
        let fields = fields.unwrap_or_default();
        if are_too_many(fields, &format!("{}/fields", draft.pointer), problems) {
            draft.whole = false;
            draft.nameless = true;
            return Some(draft);
        }
        let named = key.and_then(|key| draft.read_key(key, problems));
        for (at, json) in fields.iter().enumerate() {
            let pointer = format!("{}/fields/{at}", draft.pointer);
            match field::read(json, &pointer, context, problems) {
                Some((field, beside)) => draft.add(field, beside, problems),
                None => {
                    draft.whole = false;
                    match json.get("name").and_then(Json::as_str) {
                        Some(name) => draft.unread.extend([name.to_owned()]),
                        None => draft.nameless = true,
                    }
                }
            }
        }
        if times {
            draft.add_times(problems);
        }
        if let Some((fields, name)) = named {
            draft.take_key(fields, name, context, problems);
        }
        draft.check_columns(problems);
        if let Some(json) = retention
            && draft.whole
        {
            draft.retention = draft.read_retention(json, problems);
        }
        if history && draft.whole {
            draft.check_history(problems);
        }
        Some(draft)
    }

    /// Reads `key`: adds its column, or gives the list of fields and the name.
    fn read_key(
        &mut self,
        json: &'j Json,
        problems: &mut Problems,
    ) -> Option<(&'j [Json], Option<String>)> {
        let pointer = format!("{}/key", self.pointer);
        let mut keys = Keys::open(json, pointer.clone(), problems)?;
        let fields = keys.list("fields", problems);
        let name = keys.text("name", problems);
        let kinds = KeyKind::ALL.map(|kind| (kind.name(), kind));
        let kind = keys.choice("type", &kinds, problems);
        let constraint = keys.text("constraint", problems);
        if let Some(problem) = constraint.as_deref().and_then(problem_with_sql_name) {
            problems.add(keys.at("constraint"), problem);
        }
        if keys.has("fields") {
            for key in ["name", "type"].into_iter().filter(|key| keys.has(key)) {
                problems.add(keys.at(key), "a key has either fields, or a name and a type");
            }
            keys.close(problems);
            return Some((fields?, constraint));
        }
        let name_at = keys.at("name");
        if !keys.has("name") {
            problems.add(&name_at, "is missing; or \"fields\", for a key of fields of the table");
        }
        keys.close(problems);
        let name = name?;
        let problem = problem_with_document_name(&name)
            .or_else(|| super::names::problem_with_column_name(&name));
        if let Some(problem) = problem {
            problems.add(&name_at, problem);
        }
        let kind = kind.unwrap_or(KeyKind::Bigint);
        let mut field = plain(&name, kind.field_kind());
        let mut beside = beside(&pointer, &name);
        match kind {
            KeyKind::Bigint => {
                beside.default = Some(ColumnDefault::Identity { always: false });
            }
            KeyKind::Uuid => field.default = Some(Default::Uuid),
            KeyKind::Cuid => field.default = Some(Default::Cuid),
        }
        self.add(field, beside, problems);
        self.key = Some(PrimaryKey {
            fields: vec![name],
            name: constraint,
            name_at: format!("{pointer}/constraint"),
        });
        None
    }

    fn add_times(&mut self, problems: &mut Problems) {
        let pointer = format!("{}/times", self.pointer);
        for name in TIMES {
            let mut beside = beside(&pointer, name);
            beside.default = Some(ColumnDefault::Clock);
            if name == "updated_at" {
                beside.fills.push("touch".to_owned());
            }
            if let Some(at) = self.by_name.get(name) {
                let message = format!("adds \"{name}\", which is {} too", self.beside[*at].pointer);
                problems.add(&pointer, message);
                self.whole = false;
                continue;
            }
            self.add(plain(name, FieldKind::Timestamp), beside, problems);
        }
    }

    fn take_key(
        &mut self,
        items: &'j [Json],
        name: Option<String>,
        context: &Context<'_>,
        problems: &mut Problems,
    ) {
        let pointer = format!("{}/key/fields", self.pointer);
        let scope = Scope { draft: self, context };
        let Some(names) = read_names(items, &pointer, Json::as_str, &scope, problems) else {
            return;
        };
        for name in &names {
            // A primary key makes its columns so.
            if let Some(at) = self.by_name.get(*name) {
                self.fields[*at].required = true;
            }
        }
        self.key = Some(PrimaryKey {
            fields: names.into_iter().map(str::to_owned).collect(),
            name,
            name_at: format!("{}/key/constraint", self.pointer),
        });
    }

    /// Reads `retention`: how old rows must be, by which field, before they may be deleted for their age.
    fn read_retention(&self, json: &Json, problems: &mut Problems) -> Option<(Duration, String)> {
        let mut keys = Keys::open(json, format!("{}/retention", self.pointer), problems)?;
        let floor = keys.text("floor", problems);
        let field = keys.text("field", problems);
        for key in ["floor", "field"].into_iter().filter(|key| !keys.has(key)) {
            problems.add(keys.at(key), "is missing");
        }
        let duration = floor.as_deref().and_then(Duration::read);
        if floor.is_some() && duration.is_none() {
            problems.add(keys.at("floor"), duration::EXPECTED);
        }
        if let Some(name) = &field {
            match self.field(name) {
                None => {
                    let message = format!("\"{name}\" is not a field of the table");
                    problems.add(keys.at("field"), message);
                }
                Some(found) if !is_moment(&found.kind, found.list) => {
                    problems.add(keys.at("field"), "must be a field of type timestamp or date");
                }
                Some(_) => {}
            }
        }
        keys.close(problems);
        Some((duration?, field?))
    }

    /// Whether the history can tell the rows from one another, and may name them.
    fn check_history(&self, problems: &mut Problems) {
        let at = || format!("{}/history", self.pointer);
        let Some(key) = &self.key else {
            return problems.add(at(), "needs a \"key\", by which rows are told from one another");
        };
        let is_sensitive =
            |name: &&String| self.field(name).is_some_and(|field| field.sensitive.is_some());
        if let Some(name) = key.fields.iter().find(is_sensitive) {
            let message = format!(
                "the field \"{name}\" of the key is \"sensitive\": the history names rows by their keys"
            );
            problems.add(at(), message);
        }
    }

    fn check_columns(&self, problems: &mut Problems) {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for (field, beside) in self.fields.iter().zip(&self.beside) {
            if let Some(first) = seen.insert(&beside.column, &beside.pointer) {
                let key = if beside.column == field.name { "name" } else { "column" };
                let message = format!("\"{}\" is the column of {first} too", beside.column);
                problems.add(format!("{}/{key}", beside.pointer), message);
            }
        }
        let renames = self.fields.iter().zip(&self.beside).filter_map(|(field, beside)| {
            let from = field.renamed_from.as_deref()?;
            Some(Rename { place: beside.pointer.clone(), from, to: &field.name })
        });
        check_circles(renames.collect(), problems);
    }
}

/// Whether a value says when something was.
pub(super) fn is_moment(kind: &FieldKind, list: bool) -> bool {
    !list
        && match kind {
            FieldKind::Timestamp | FieldKind::Date => true,
            FieldKind::Native(native) => {
                native.schema.is_none()
                    && ["timestamp", "timestamptz"].contains(&native.name.as_str())
            }
            _ => false,
        }
}

/// A list of rules. Each costs every write something, and each is compared with the others.
fn few<'j>(keys: &mut Keys<'j>, key: &'static str, problems: &mut Problems) -> &'j [Json] {
    let items = keys.list(key, problems).unwrap_or_default();
    if items.len() > MAX_RULES {
        let message = format!("holds {}, and a table has at most {MAX_RULES} {key}", items.len());
        problems.add(keys.at(key), message);
        return &[];
    }
    items
}

fn plain(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        column: None,
        label: None,
        description: None,
        kind,
        list: false,
        required: true,
        unique: false,
        case_insensitive: false,
        default: None,
        min_length: None,
        min: None,
        max: None,
        unindexed: false,
        sensitive: None,
        renamed_from: None,
        renamed_values: Vec::new(),
    }
}

fn beside<'j>(pointer: &str, name: &str) -> Beside<'j> {
    Beside {
        pointer: pointer.to_owned(),
        column: name.to_owned(),
        default: None,
        fills: Vec::new(),
        index: None,
        actions: None,
    }
}
