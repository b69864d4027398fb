//! What the database says against a row of a seed, with the place of the row in the document.

use super::super::error::{BlueprintError, SeedRefusal};
use super::super::model::{ModelTable, Tenancy};
use super::Seed;
use super::compare::Scene;
use crate::error::Error;
use crate::ident::qualified;
use crate::pg::subtransaction::{Refusal, attempt_placed, would_refuse_placed};
use pgrx::PgSqlErrorCode;

/// Writes rows together. If they are refused, the first one that is finds its way into the error: as many rows before it as
/// the database takes are tried by halves, and undone.
pub(super) fn write_rows(
    scene: &Scene<'_>,
    seed: &Seed,
    rows: &[usize],
    mut write: impl FnMut(&[usize]),
) -> Result<(), Error> {
    let Err(mut refusal) = attempt_placed(|| write(rows)) else { return Ok(()) };
    let (mut taken, mut refused) = (0, rows.len());
    while refused - taken > 1 {
        pgrx::check_for_interrupts!();
        let middle = taken + (refused - taken) / 2;
        match would_refuse_placed(|| write(&rows[..middle])) {
            Some(earlier) => (refused, refusal) = (middle, earlier),
            None => taken = middle,
        }
    }
    Err(error(scene, seed, rows[refused - 1], refusal))
}

fn error(scene: &Scene<'_>, seed: &Seed, at: usize, refusal: Refusal) -> Error {
    let code = refusal.code.standard();
    let table = scene.table(&seed.table);
    let place = table.map_or_else(String::new, |table| {
        format!(" of table {}", qualified(&table.schema, &table.table_name))
    });
    let mut detail = format!("/seed/{}/rows/{at}{place}", crate::json::token(&seed.table));
    // The database shows the values, which may be personal.
    let is_shown = table.is_none_or(|table| {
        !table.table.columns.iter().any(|column| table.is_personal(&column.name))
    });
    if let Some(said) = refusal.detail.filter(|_| is_shown) {
        detail.push_str(": ");
        detail.push_str(&said);
    }
    let hint = refusal.hint.unwrap_or_else(|| hint(scene, table, code));
    BlueprintError::SeedRefused(Box::new(SeedRefusal {
        code,
        message: refusal.message,
        detail,
        hint,
    }))
    .into()
}

fn hint(scene: &Scene<'_>, table: Option<&ModelTable>, code: PgSqlErrorCode) -> String {
    use PgSqlErrorCode::*;
    match code {
        ERRCODE_UNIQUE_VIOLATION => {
            "Another row of the seed or of the table has these values in a unique set that is not the seed's \"key\"."
                .to_owned()
        }
        ERRCODE_FOREIGN_KEY_VIOLATION => {
            "Seed the row that it refers to too, or insert it first.".to_owned()
        }
        ERRCODE_INSUFFICIENT_PRIVILEGE => match (&scene.blueprint.tenancy, table) {
            (tenancy @ Tenancy::Field { .. }, Some(table)) if tenancy.column(table).is_some() => {
                let field = tenancy.column(table).map_or("", |column| table.field_of(column));
                format!(
                    "Give \"{field}\" the workspace of the session, or let the owner of Kepler's tables apply the document."
                )
            }
            _ => "Row security of the table refuses the row to this role.".to_owned(),
        },
        ERRCODE_PROGRAM_LIMIT_EXCEEDED => {
            "A value of an index is too long: shorten it, or use a fixed hash of it.".to_owned()
        }
        ERRCODE_DATETIME_FIELD_OVERFLOW => {
            "The time is out of the range of its type: shorten \"now_plus\" or \"now_minus\"."
                .to_owned()
        }
        ERRCODE_T_R_SERIALIZATION_FAILURE => {
            "Another session has written the row meanwhile: repeat the transaction.".to_owned()
        }
        _ => "Correct the row, or what refuses it.".to_owned(),
    }
}
