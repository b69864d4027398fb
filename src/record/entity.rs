//! Finds or makes the entity that a call's records belong to.

use super::options::Request;
use super::seen;
use crate::arguments::OptionsObject;
use crate::enrichment::queue::{self, Queueing};
use crate::error::Error;
use crate::id::new_id;
use crate::jsonb::pointer::Pointers;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::pg::{row_security, subtransaction};
use crate::record::error::RecordError;
use crate::workspace::WorkspaceError;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::rc::Rc;

/// So often may the entity be another one by the time that its lock is held.
const MAX_FINDS: usize = 3;

/// An entity, as far as an upsert needs it.
#[derive(Clone)]
pub(crate) struct Entity {
    pub(crate) id: String,
    /// The places that do not count when a record is compared.
    pub(crate) ignored: Rc<Pointers>,
    /// This call made it: it has no records yet.
    pub(crate) is_new: bool,
    /// What the enrichment policy of its type says, if there is one.
    pub(crate) queueing: Option<Queueing>,
    /// The full sync run that is open. To be trusted behind the entity's lock (see `seen`).
    pub(crate) open_run: Option<Rc<str>>,
}

/// Workspace, source, type and connection.
type Key = (String, String, String, Option<String>);

thread_local! {
    static KNOWN: UntilWritten<Key, Entity> =
        UntilWritten::of(&[c"entities", c"enrichment_policies", c"sync_runs"]);
    static FIND: Statement = const { Statement::new(
        c"SELECT e.id, pg_catalog.array_to_json(e.ignored_paths)::text,
                 (SELECT (p.turns_by IS NOT DISTINCT FROM 'entity')::integer
                         + 2 * p.clear_on_change::integer + 4 * p.notify::integer
                         + 8 * (p.turns_by IS NOT DISTINCT FROM 'source')::integer
                  FROM kepler.enrichment_policies AS p
                  WHERE p.workspace_id = $1 AND p.entity_type = $3),
                 (SELECT r.id FROM kepler.sync_runs AS r
                  WHERE r.workspace_id = $1 AND r.entity_id = e.id AND r.mode = 'full'::kepler.sync_mode
                    AND r.status = 'RUNNING'::kepler.sync_status)
          FROM (SELECT e.id, e.ignored_paths
                FROM kepler.entities AS e
                WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3
                  AND e.connection_id = $4
                UNION ALL
                SELECT e.id, e.ignored_paths
                FROM kepler.entities AS e
                WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3
                  AND e.connection_id IS NULL AND $4 IS NULL) AS e",
        &[pg_sys::TEXTOID; 4],
    ) };
    static PARENTS: Statement = const { Statement::new(
        c"SELECT EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = $1),
                 $2 IS NULL OR EXISTS (
                     SELECT FROM kepler.connections AS c WHERE c.workspace_id = $1 AND c.id = $2)",
        &[pg_sys::TEXTOID; 2],
    ) };
    static MAKE: Statement = const { Statement::new(
        c"INSERT INTO kepler.entities (workspace_id, source, type, connection_id, id)
          VALUES ($1, $2, $3, $4, $5)
          ON CONFLICT (workspace_id, connection_id, source, type) DO NOTHING",
        &[pg_sys::TEXTOID; 5],
    ) };
}

/// The entity of a request, made if it is not there.
pub(crate) fn find_or_make(client: &mut SpiClient<'_>, request: &Request) -> Result<Entity, Error> {
    let workspace = Text::new(&request.workspace_id);
    let source = Text::new(&request.source);
    let kind = Text::new(&request.entity_type);
    let connection = request.connection_id.as_deref().map(Text::new);
    let key = [
        Some(workspace.datum()),
        Some(source.datum()),
        Some(kind.datum()),
        connection.as_ref().map(Text::datum),
    ];
    let known = KNOWN.with(|known| {
        known.find(Some(&request.workspace_id), names(request), |_| find(client, &key))
    })?;
    if let Some(entity) = known {
        return Ok(entity);
    }

    check_parents(client, request, &key)?;
    let id = new_id();
    let id_text = Text::new(&id);
    let parameters = [key[0], key[1], key[2], key[3], Some(id_text.datum())];
    let mut make = || MAKE.with(|plan| plan.run(client, &parameters).count());
    let made = match subtransaction::attempt(&mut make) {
        Ok(made) => made,
        // The workspace or the connection was deleted since it was looked for.
        Err(refusal) if refusal.code.to_string() == "23503" => {
            check_parents(client, request, &key)?;
            return Err(RecordError::Contended.into());
        }
        // A rule of the user's: its error arrives as it is.
        Err(_) => make(),
    };
    if made == 1 {
        let queueing = queue::find(client, &workspace, &kind);
        return Ok(Entity { id, ignored: Rc::default(), is_new: true, queueing, open_run: None });
    }
    // Another session made it meanwhile, and has committed: the insert waited for it.
    if let Some(entity) = find(client, &key)? {
        return Ok(entity);
    }
    Err(match row_security::is_active(c"entities") {
        true => RecordError::EntityHidden(request.entity_type.clone()).into(),
        false => RecordError::Contended.into(),
    })
}

/// The entity of a request, if it is there.
pub(crate) fn find_existing(
    client: &mut SpiClient<'_>,
    request: &Request,
) -> Result<Option<Entity>, Error> {
    let workspace = Text::new(&request.workspace_id);
    let source = Text::new(&request.source);
    let kind = Text::new(&request.entity_type);
    let connection = request.connection_id.as_deref().map(Text::new);
    let key = [
        Some(workspace.datum()),
        Some(source.datum()),
        Some(kind.datum()),
        connection.as_ref().map(Text::datum),
    ];
    KNOWN.with(|known| {
        known.find(Some(&request.workspace_id), names(request), |_| find(client, &key))
    })
}

/// The same, behind the lock that upserts of its records share.
pub(super) fn find_or_make_shared(
    client: &mut SpiClient<'_>,
    request: &Request,
) -> Result<Entity, Error> {
    for _ in 0..MAX_FINDS {
        let entity = find_or_make(client, request)?;
        seen::share(&request.workspace_id, &entity.id);
        if entity.is_new {
            return Ok(entity);
        }
        if keeps_snapshot() {
            seen::require_current(client, &request.workspace_id, &entity.id)?;
            return Ok(entity);
        }
        // The lock brought word of what others have done.
        let again = find_or_make(client, request)?;
        if again.id == entity.id {
            return Ok(again);
        }
    }
    Err(RecordError::Contended.into())
}

/// Has the session look the entity up again.
pub(crate) fn forget(request: &Request) {
    KNOWN.with(|known| known.forget(names(request)));
}

fn names(request: &Request) -> Key {
    (
        request.workspace_id.clone(),
        request.source.clone(),
        request.entity_type.clone(),
        request.connection_id.clone(),
    )
}

/// Says which of workspace and connection is not there.
fn check_parents(
    client: &mut SpiClient<'_>,
    request: &Request,
    key: &[Parameter; 4],
) -> Result<(), Error> {
    let parents = PARENTS.with(|plan| plan.run(client, &[key[0], key[3]]));
    if let Some(row) = parents.iter::<2>().next() {
        if row.boolean(0) != Some(true) {
            return Err(WorkspaceError::Missing(request.workspace_id.clone()).into());
        }
        if row.boolean(1) != Some(true) {
            return Err(RecordError::NoConnection {
                id: request.connection_id.clone().unwrap_or_default(),
                workspace: request.workspace_id.clone(),
            }
            .into());
        }
    }
    Ok(())
}

fn find(client: &mut SpiClient<'_>, key: &[Parameter; 4]) -> Result<Option<Entity>, Error> {
    let rows = FIND.with(|plan| plan.run(client, key));
    let Some(row) = rows.iter::<4>().next() else { return Ok(None) };
    let mut ignored = Pointers::default();
    let text = row.text(1).unwrap_or("[]");
    // Direct SQL may have put anything here.
    let paths: Vec<String> = serde_json::from_str(text).map_err(|_| RecordError::BadPointer {
        pointer: text.to_owned(),
        problem: "it must be an array of texts, none of them NULL".to_owned(),
    })?;
    for path in paths {
        ignored.insert(&path).map_err(|error| RecordError::BadPointer {
            pointer: path.clone(),
            problem: error.to_string(),
        })?;
    }
    Ok(Some(Entity {
        id: row.text(0).unwrap_or_default().to_owned(),
        ignored: Rc::new(ignored),
        is_new: false,
        queueing: Queueing::from_bits(row.integer(2)),
        open_run: row.text(3).map(Rc::from),
    }))
}

/// What `set_entity_options` takes.
pub(crate) struct EntityOptions {
    ignored_paths: Option<Vec<String>>,
}

/// Checks the options of an entity; every pointer must be one.
pub(crate) fn read_options(options: serde_json::Value) -> Result<EntityOptions, Error> {
    let mut options = OptionsObject::open("options", options)?;
    let mut ignored_paths = None;
    match options.take("ignored_paths") {
        None => {}
        Some(serde_json::Value::Array(paths)) => {
            let mut pointers = Pointers::default();
            let mut kept = Vec::new();
            for (at, path) in paths.iter().enumerate() {
                match path.as_str().map(|path| (path, pointers.insert(path))) {
                    Some((path, Ok(()))) => kept.push(path.to_owned()),
                    Some((_, Err(error))) => {
                        options.problem(format!("/ignored_paths/{at}: {error}"))
                    }
                    None => options.problem(format!("/ignored_paths/{at}: must be a string")),
                }
            }
            ignored_paths = Some(kept);
        }
        Some(_) => options.problem("/ignored_paths: must be an array of JSON Pointers"),
    }
    options.close()?;
    Ok(EntityOptions { ignored_paths })
}

/// Sets the options of a request's entity, and gives its id.
pub(crate) fn set_options(
    client: &mut SpiClient<'_>,
    request: &Request,
    options: &EntityOptions,
) -> Result<String, Error> {
    let entity = find_or_make(client, request)?;
    if let Some(paths) = &options.ignored_paths {
        client.update(
            "UPDATE kepler.entities AS e SET ignored_paths = $3
             WHERE e.workspace_id = $1 AND e.id = $2 AND e.ignored_paths IS DISTINCT FROM $3",
            None,
            &[
                request.workspace_id.as_str().into(),
                entity.id.as_str().into(),
                paths.clone().into(),
            ],
        )?;
    }
    Ok(entity.id)
}
