//! Writes an archive into a database, in the caller's transaction: all of it, or nothing.

use super::archive::{Archive, Line, Place};
use super::error::TenantError;
use super::shape::problem_of_definition;
use crate::access::owner::Owner;
use crate::enrichment::direct::Own;
use crate::error::Error;
use crate::pg::array::{Array, BIGINT};
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;
use std::ffi::{CStr, CString};

const WHAT: &str = "import a workspace";

/// Under these an archive is printed, and is read the same way.
const READING: &[(&CStr, &CStr)] = &[
    (c"timezone", c"UTC"),
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"bytea_output", c"hex"),
    (c"lc_monetary", c"C"),
    // What was stored is stored again as it was: it is not this import that would bring a secret to light.
    (c"kepler.on_secret", c"allow"),
];

thread_local! {
    static BEGIN: Statement = const { Statement::new(
        c"SELECT kepler_internal.begin_import($1, $2, $3, $4)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTOID],
    ) };
    static WRITE: Statement = const { Statement::new(
        c"SELECT kepler_internal.import_lines($1, $2, $3, $4)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT8ARRAYOID, pg_sys::BOOLOID],
    ) };
    static FINISH: Statement = const { Statement::new(
        c"SELECT f.relation::pg_catalog.oid, f.rows FROM kepler_internal.finish_import($1, $2, $3) AS f",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Writes lines to tables in the part that the session works in, as `Import::write` has it done. Gives those that are to be tried again.
pub(super) fn write_in_part(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    lines: Vec<String>,
    numbers: Vec<i64>,
    is_last: bool,
) -> Result<Vec<i64>, Error> {
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    let _settings = LocalSettings::set(READING);
    let _owner = owner.act();
    let _own = Own::begin();
    let later = client
        .update(
            "SELECT kepler_internal.import_lines_here($1, $2, $3, $4)",
            None,
            &[workspace_id.into(), lines.into(), numbers.into(), is_last.into()],
        )?
        .first()
        .get_one::<Vec<i64>>()?;
    Ok(later.unwrap_or_default())
}

/// What was imported: tables, and how many rows of each.
pub(super) type Imported = Vec<(pg_sys::Oid, i64)>;

pub(super) fn import(
    client: &mut SpiClient<'_>,
    archive: pg_sys::Oid,
    workspace_id: Option<String>,
) -> Result<Imported, Error> {
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    owner.require_own_event_triggers(client)?;
    let archive = Archive::open(client, archive)?;
    let head = archive.check(client)?;
    let workspace_id = workspace_id.unwrap_or_else(|| named_by(&head));
    let _settings = LocalSettings::set(READING);
    let _workspace =
        LocalSettings::set_workspace(&CString::new(workspace_id.as_str()).unwrap_or_default());
    let mut import = Import {
        owner,
        head: Text::new(&head),
        workspace: Text::new(&workspace_id),
        definitions: Vec::new(),
        to_finish: None,
        later: Vec::new(),
    };
    let mut place = Place::start();
    let mut is_head = true;
    while let Some(mut lines) = archive.next(client, &mut place) {
        if std::mem::take(&mut is_head) && !lines.is_empty() {
            lines.remove(0);
        }
        import.take(client, lines)?;
    }
    import.finish(client)
}

/// The workspace that the head of an archive is of.
fn named_by(head: &str) -> String {
    let head = serde_json::from_str::<serde_json::Value>(head).unwrap_or_default();
    head["workspace"]["id"].as_str().unwrap_or_default().to_owned()
}

struct Import {
    owner: Owner,
    head: Text,
    workspace: Text,
    /// What is said of spaces, blueprints and entry tables, which come before all rows.
    definitions: Vec<Line>,
    /// What is to be done when all rows are there, once they have begun.
    to_finish: Option<Vec<String>>,
    /// Lines that refer to rows that were not there yet.
    later: Vec<Line>,
}

impl Import {
    fn take(&mut self, client: &mut SpiClient<'_>, lines: Vec<Line>) -> Result<(), Error> {
        let mut rows = Vec::new();
        for line in lines {
            if line.text.starts_with("{\"table\":") {
                rows.push(line);
            } else if line.text.starts_with("{\"end\":") {
                continue;
            } else if self.to_finish.is_none() && rows.is_empty() {
                if let Some(problem) = problem_of_definition(&line.text) {
                    return Err(TenantError::BadLine { line: line.number, problem }.into());
                }
                self.definitions.push(line);
            } else {
                let problem = "It is neither a row nor the end.".to_owned();
                return Err(TenantError::BadLine { line: line.number, problem }.into());
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.begin(client);
        let later = self.write(client, rows, false);
        self.later.extend(later);
        Ok(())
    }

    /// Gives the lines that refer to rows that are not there yet.
    fn write(&self, client: &mut SpiClient<'_>, lines: Vec<Line>, is_last: bool) -> Vec<Line> {
        let mut texts = Array::texts(lines.iter().map(|line| line.text.as_str()));
        let mut numbers = Array::new(BIGINT);
        lines.iter().for_each(|line| numbers.push_bytes(&line.number.to_ne_bytes()));
        let parameters = [
            Some(self.workspace.datum()),
            Some(texts.datum()),
            Some(numbers.datum()),
            Some(pg_sys::Datum::from(is_last)),
        ];
        let _owner = self.owner.act();
        // What keeps the queue and leases in order under direct SQL does not fire: their rows are in the archive.
        let _own = Own::begin();
        let rows = WRITE.with(|statement| statement.run(client, &parameters));
        let Some(row) = rows.iter::<1>().next() else { return Vec::new() };
        let later: HashSet<i64> = row
            .array::<i64>(0)
            .map(|numbers| numbers.iter().flatten().collect())
            .unwrap_or_default();
        lines.into_iter().filter(|line| later.contains(&line.number)).collect()
    }

    /// Writes the lines that were put off, round by round, and at last all that are left at once: they refer to each other.
    fn write_later(&mut self, client: &mut SpiClient<'_>) {
        let mut later = std::mem::take(&mut self.later);
        while !later.is_empty() {
            let before = later.len();
            later = self.write(client, later, false);
            if later.len() == before {
                self.write(client, std::mem::take(&mut later), true);
            }
        }
    }

    /// Makes what the rows go into.
    fn begin(&mut self, client: &mut SpiClient<'_>) {
        if self.to_finish.is_some() {
            return;
        }
        let mut definitions = Array::texts(self.definitions.iter().map(|line| line.text.as_str()));
        let mut numbers = Array::new(BIGINT);
        self.definitions.iter().for_each(|line| numbers.push_bytes(&line.number.to_ne_bytes()));
        let parameters = [
            Some(self.head.datum()),
            Some(definitions.datum()),
            Some(numbers.datum()),
            Some(self.workspace.datum()),
        ];
        let _owner = self.owner.act();
        let _own = Own::begin();
        let rows = BEGIN.with(|statement| statement.run(client, &parameters));
        let given = rows.iter::<1>().next().and_then(|row| {
            let texts = row.array::<&str>(0)?;
            Some(texts.iter().flatten().map(str::to_owned).collect())
        });
        self.to_finish = Some(given.unwrap_or_default());
    }

    fn finish(mut self, client: &mut SpiClient<'_>) -> Result<Imported, Error> {
        self.begin(client);
        self.write_later(client);
        let to_finish = self.to_finish.unwrap_or_default();
        let mut to_finish = Array::texts(to_finish.iter().map(String::as_str));
        let parameters =
            [Some(self.head.datum()), Some(self.workspace.datum()), Some(to_finish.datum())];
        let _owner = self.owner.act();
        let _own = Own::begin();
        let rows = FINISH.with(|statement| statement.run(client, &parameters));
        Ok(rows.iter::<2>().filter_map(|row| Some((row.oid(0)?, row.bigint(1)?))).collect())
    }
}
