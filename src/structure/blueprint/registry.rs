//! Which blueprints there are, and what was applied: the tables of `sql/schema/0012_blueprints.sql`. Only this writes to
//! them, as their owner: whoever could name a table there could have it changed with the rights of the owner.

use super::error::BlueprintError;
use super::lists::{List, Listed, act_as_owner};
use super::model::{Blueprint, Tenancy};
use super::plan::Place;
use super::renames::Renames;
use crate::access::cap;
use crate::access::error::AccessError;
use crate::access::level::Level;
use crate::access::owner::{BLUEPRINTS, Owner};
use crate::error::Error;
use crate::json::Json;
use crate::pg::direct::Direct;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::{relation, role};
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// A blueprint that was applied, or whose first version is under way.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) workspace_id: Option<String>,
    /// 0 before the first is reached.
    pub(crate) version: i32,
    pub(crate) applied: Option<Version>,
    /// Those that were begun since, and not reached: all but the last were given up.
    pub(crate) pending: Vec<Version>,
    pub(crate) made_schemas: Vec<String>,
    pub(crate) deferred: Vec<Deferred>,
}

/// One version of a blueprint.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) number: i32,
    pub(crate) document_version: Option<i32>,
    /// In normal form.
    pub(crate) text: String,
    pub(crate) blueprint: Blueprint,
    pub(crate) printed: Printed,
}

/// How Postgres prints trusted expressions: normal forms by table and normal form in the document.
pub(crate) type Printed = HashMap<String, String>;

/// An index that a statement of its own builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deferred {
    pub(crate) schema: String,
    pub(crate) table: String,
    /// Of the index.
    pub(crate) name: String,
    pub(crate) statement: String,
    /// An index over vectors, which the blueprint does without until there are rows. The others are waited for.
    pub(crate) of_vectors: bool,
}

impl Deferred {
    fn read(json: &Json) -> Option<Self> {
        let text = |key: &str| json.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            schema: text("schema")?,
            table: text("table")?,
            name: text("name")?,
            statement: text("statement")?,
            of_vectors: json.get("of_vectors") == Some(&Json::Boolean(true)),
        })
    }

    fn json(&self) -> Json {
        let pairs = [
            ("schema", Json::string(&self.schema)),
            ("table", Json::string(&self.table)),
            ("name", Json::string(&self.name)),
            ("statement", Json::string(&self.statement)),
            ("of_vectors", Json::Boolean(self.of_vectors)),
        ];
        Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

impl Stored {
    /// The document that the database is to be like: what was applied last, or is under way.
    pub(crate) fn present(&self) -> Option<&Version> {
        self.pending.last().or(self.applied.as_ref())
    }

    /// The versions whose tables and rules are the blueprint's.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.applied.iter().chain(&self.pending)
    }

    /// How Postgres prints expressions of theirs.
    pub(crate) fn printed(&self) -> Printed {
        self.versions().flat_map(|version| version.printed.clone()).collect()
    }
}

/// For what administrators do: the owner writes for them, and this right tells who they are.
pub(crate) fn require_administrator() -> Result<(), Error> {
    let table = relation::named(c"kepler", c"blueprints").ok_or(crate::installed::NotInstalled)?;
    if role::may_in_part(pg_sys::ACL_UPDATE, table) {
        return Ok(());
    }
    let (table, role) = ("blueprints".to_owned(), role::name(role::current()));
    Err(AccessError::NoRight { table, role, level: "admin" }.into())
}

/// A blueprint that is not a workspace's own concerns all of them.
pub(crate) fn require_administrator_of(tenancy: &Tenancy) -> Result<(), Error> {
    match tenancy {
        Tenancy::Workspace => Ok(()),
        Tenancy::Database | Tenancy::Field { .. } => {
            Ok(cap::require_in_all(Level::Admin, "change tables that all workspaces share")?)
        }
    }
}

thread_local! {
    // What is in force, as the catalog is read beside it, and not what an older snapshot has.
    static BLUEPRINT: Statement = const { Statement::new(
        c"SELECT b.workspace_id, b.version, b.made_schemas, b.deferred::text
          FROM kepler.blueprints AS b WHERE b.name = $1",
        &[pg_sys::TEXTOID],
    ) };
    static VERSIONS: Statement = const { Statement::new(
        c"SELECT v.version, v.document_version, v.document::text, v.printed::text, v.renames::text
          FROM kepler.blueprint_versions AS v WHERE v.blueprint_name = $1 AND v.version >= $2 ORDER BY v.version",
        &[pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
}

impl Stored {
    /// Whether the caller may be told of it: it is of the session's workspace, or of none, or the caller's as the owner.
    fn is_shown(&self) -> Result<bool, Error> {
        match &self.workspace_id {
            None => Ok(true),
            Some(of) => Ok(Owner::find()?.is_caller() || *of == workspace::workspace_id()?),
        }
    }
}

/// Whether the session is shown a blueprint: it is of its workspace, or of none. For policies, row by row.
pub(crate) fn is_shown(name: &str) -> Result<bool, Error> {
    let found = LISTED.find(name, &[c"workspace_id"]);
    match found.first().and_then(|row| row.first()) {
        Some(Some(of)) => Ok(*of == workspace::workspace_id()?),
        Some(None) => Ok(true),
        None => Ok(false),
    }
}

static LISTED: Direct = Direct { table: c"blueprints", index: c"blueprints_pkey", key: c"name" };

/// The blueprint of a name, if it is not another workspace's.
pub(crate) fn find(client: &mut SpiClient<'_>, name: &str) -> Result<Option<Stored>, Error> {
    let found = find_any(client, name)?;
    if let Some(stored) = &found
        && !stored.is_shown()?
    {
        return Err(BlueprintError::NameTaken(name.to_owned()).into());
    }
    Ok(found)
}

/// The blueprint of a name.
fn find_any(client: &mut SpiClient<'_>, name: &str) -> Result<Option<Stored>, Error> {
    let _owner = act_as_owner()?;
    let text = Text::new(name);
    let rows = BLUEPRINT.with(|statement| statement.run_latest(client, &[Some(text.datum())]));
    let Some(row) = rows.iter::<4>().next() else { return Ok(None) };
    let deferred = match Json::parse(row.text(3).unwrap_or_default()) {
        Ok(Json::Array(items)) => items.iter().filter_map(Deferred::read).collect(),
        _ => Vec::new(),
    };
    let mut stored = Stored {
        name: name.to_owned(),
        workspace_id: row.text(0).map(str::to_owned),
        version: row.integer(1).unwrap_or_default(),
        made_schemas: row
            .array::<&str>(2)
            .map(|names| names.iter().flatten().map(str::to_owned).collect())
            .unwrap_or_default(),
        deferred,
        applied: None,
        pending: Vec::new(),
    };
    let parameters = [Some(text.datum()), Some(pg_sys::Datum::from(stored.version))];
    let rows = VERSIONS.with(|statement| statement.run_latest(client, &parameters));
    for row in rows.iter::<5>() {
        let text = row.text(2).unwrap_or_default().to_owned();
        let mut version = Version {
            number: row.integer(0).unwrap_or_default(),
            document_version: row.integer(1),
            blueprint: super::parse(&text)?,
            text,
            printed: serde_json::from_str(row.text(3).unwrap_or_default())?,
        };
        if version.number == stored.version {
            stored.applied = Some(version);
        } else {
            let renames: Renames = serde_json::from_str(row.text(4).unwrap_or_default())?;
            renames.tell(&mut version.blueprint);
            stored.pending.push(version);
        }
    }
    Ok(Some(stored))
}

/// The same; fails if it does not exist.
pub(crate) fn require(client: &mut SpiClient<'_>, name: &str) -> Result<Stored, Error> {
    let shown = match find_any(client, name)? {
        Some(stored) if stored.is_shown()? => Some(stored),
        _ => None,
    };
    shown.ok_or_else(|| BlueprintError::Missing(name.to_owned()).into())
}

/// Schemas that any blueprint is in.
pub(crate) fn used_schemas(client: &mut SpiClient<'_>) -> Result<Vec<String>, Error> {
    let _owner = act_as_owner()?;
    let rows = client.update(
        "SELECT DISTINCT s.name FROM kepler.blueprints AS b
         CROSS JOIN LATERAL pg_catalog.unnest(b.schemas) AS s (name) ORDER BY 1",
        None,
        &[],
    )?;
    crate::structure::registry::texts(rows)
}

/// What is noted of a version when its first step is about to be run, or all are.
pub(crate) struct Note<'n> {
    pub(crate) blueprint: &'n Blueprint,
    /// In normal form.
    pub(crate) text: &'n str,
    pub(crate) workspace_id: Option<&'n str>,
    pub(crate) number: i32,
    /// Whether the number is one that was not reached before.
    pub(crate) is_new: bool,
    pub(crate) plan: &'n str,
    pub(crate) schemas: Vec<String>,
    pub(crate) made_schemas: Vec<String>,
    pub(crate) tables: BTreeMap<Place, Listed>,
    pub(crate) enums: BTreeMap<Place, Listed>,
}

/// Notes a version as being under way, and whose tables and types are whose.
pub(crate) fn begin(client: &mut SpiClient<'_>, note: &Note<'_>) -> Result<(), Error> {
    let owner = Owner::find()?;
    owner.require_own_code(client, BLUEPRINTS)?;
    let _owner = owner.act();
    let name = note.blueprint.name.as_str();
    client.update(
        "INSERT INTO kepler.blueprints AS b (name, workspace_id, pending_version, schemas, made_schemas)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET pending_version = excluded.pending_version,
             workspace_id = excluded.workspace_id,
             schemas = excluded.schemas, made_schemas = excluded.made_schemas",
        None,
        &[
            name.into(),
            note.workspace_id.into(),
            note.is_new.then_some(note.number).into(),
            note.schemas.clone().into(),
            note.made_schemas.clone().into(),
        ],
    )?;
    client.update(
        "INSERT INTO kepler.blueprint_versions AS v (blueprint_name, version, document, document_version, plan, renames)
         VALUES ($1, $2, $3::pg_catalog.json, $4, $5::pg_catalog.jsonb, $6::pg_catalog.jsonb)
         ON CONFLICT (blueprint_name, version) DO UPDATE SET plan = v.plan OPERATOR(pg_catalog.||) excluded.plan
         WHERE excluded.plan <> '[]'::pg_catalog.jsonb",
        None,
        &[
            name.into(),
            note.number.into(),
            note.text.into(),
            note.blueprint.version.map(|version| version as i32).into(),
            note.plan.into(),
            serde_json::to_string(&Renames::of(note.blueprint))?.into(),
        ],
    )?;
    List::Tables.note(client, name, &note.tables)?;
    List::Enums.note(client, name, &note.enums)
}

/// Notes that a version is reached.
pub(crate) fn finish(
    client: &mut SpiClient<'_>,
    name: &str,
    number: i32,
    deferred: &[Deferred],
    printed: &Printed,
) -> Result<(), Error> {
    let _owner = Owner::find()?.act();
    let deferred = Json::Array(deferred.iter().map(Deferred::json).collect()).to_string();
    client.update(
        "UPDATE kepler.blueprints SET version = $2, pending_version = NULL, deferred = $3::pg_catalog.jsonb
         WHERE name = $1",
        None,
        &[name.into(), number.into(), deferred.into()],
    )?;
    let printed = serde_json::to_string(printed)?;
    client.update(
        "UPDATE kepler.blueprint_versions SET applied_at = pg_catalog.clock_timestamp(), printed = $3::pg_catalog.jsonb
         WHERE blueprint_name = $1 AND version = $2 AND (applied_at IS NULL OR printed <> $3::pg_catalog.jsonb)",
        None,
        &[name.into(), number.into(), printed.into()],
    )?;
    Ok(())
}

/// Notes which indexes are still to be built.
pub(crate) fn note_deferred(
    client: &mut SpiClient<'_>,
    name: &str,
    noted: &[Deferred],
    deferred: &[Deferred],
) -> Result<(), Error> {
    if noted == deferred {
        return Ok(());
    }
    let owner = Owner::find()?;
    owner.require_own_code(client, BLUEPRINTS)?;
    let _owner = owner.act();
    let deferred = Json::Array(deferred.iter().map(Deferred::json).collect()).to_string();
    client.update(
        "UPDATE kepler.blueprints SET deferred = $2::pg_catalog.jsonb WHERE name = $1",
        None,
        &[name.into(), deferred.into()],
    )?;
    Ok(())
}

/// A schema that a blueprint made, and that another one is in, is that one's to drop when it is forgotten.
pub(crate) fn hand_over_schemas(client: &mut SpiClient<'_>, from: &Stored) -> Result<(), Error> {
    if from.made_schemas.is_empty() {
        return Ok(());
    }
    let owner = Owner::find()?;
    owner.require_own_code(client, BLUEPRINTS)?;
    let _owner = owner.act();
    client.update(
        "UPDATE kepler.blueprints AS b SET made_schemas = b.made_schemas OPERATOR(pg_catalog.||) h.names
         FROM (SELECT s.heir, pg_catalog.array_agg(s.name ORDER BY s.name) AS names
               FROM (SELECT m.name, (SELECT o.name FROM kepler.blueprints AS o
                                     WHERE o.name <> $1 AND m.name = ANY (o.schemas) ORDER BY o.name LIMIT 1) AS heir
                     FROM pg_catalog.unnest($2::text[]) AS m (name)
                     JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = m.name) AS s
               GROUP BY s.heir) AS h
         WHERE b.name = h.heir AND NOT b.made_schemas OPERATOR(pg_catalog.@>) h.names",
        None,
        &[from.name.as_str().into(), from.made_schemas.clone().into()],
    )?;
    Ok(())
}

/// Forgets a blueprint with its versions.
pub(crate) fn delete(client: &mut SpiClient<'_>, name: &str) -> Result<(), Error> {
    let owner = Owner::find()?;
    owner.require_own_code(client, BLUEPRINTS)?;
    let _owner = owner.act();
    client.update("DELETE FROM kepler.blueprints WHERE name = $1", None, &[name.into()])?;
    Ok(())
}
