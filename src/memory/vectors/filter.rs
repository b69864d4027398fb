//! Which rows count.

use super::Request;
use super::relation::Column;
use crate::ident::quote;
use crate::json::Json;
use crate::memory::error::MemoryError;
use crate::pg::array::{self, Array};
use crate::pg::query::Parameters;
use crate::pg::varlena;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// Columns and the values that they must have, as SQL; of an array one of its values.
pub(super) fn conditions(
    client: &mut SpiClient<'_>,
    request: &Request,
    columns: &[Column],
    parameters: &mut Parameters,
) -> Result<Vec<String>, MemoryError> {
    let (mut conditions, mut given_values, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let Json::Object(given) = &request.condition else {
        let problems = vec!["it must be a JSON object".to_owned()];
        return Err(MemoryError::BadCondition { problems });
    };
    for (name, value) in given {
        let path = format!("/{}", crate::json::token(name));
        let Some(column) = columns.iter().find(|column| column.name == *name) else {
            problems.push(format!("{path}: there is no such column"));
            continue;
        };
        let field = format!("e.{}", quote(name));
        if *value == Json::Null {
            conditions.push(format!("{field} IS NULL"));
            continue;
        }
        let Some(equals) = &column.equals else {
            problems.push(format!("{path}: values of its type cannot be compared"));
            continue;
        };
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let mut texts = Array::new(array::TEXT);
        for value in values {
            match value {
                Json::String(text) | Json::Number(text) => texts.push_text(text),
                Json::Boolean(value) => texts.push_text(if *value { "true" } else { "false" }),
                _ => problems.push(format!(
                    "{path}: must be a string, number, boolean, null, or an array of such"
                )),
            }
        }
        given_values.push((field, equals, column, texts));
    }
    if !problems.is_empty() {
        return Err(MemoryError::BadCondition { problems });
    }
    for (field, equals, column, texts) in given_values {
        let texts = parameters.array(pg_sys::TEXTARRAYOID, texts);
        let mut values = format!("{texts}::{}[]", column.sql_type);
        // As values of the column's type: what a text means as a time depends on settings, and the
        // planner would not leave out a partition for it.
        let typed = {
            let rows = parameters.run(client, &format!("SELECT {values}"));
            let datum = rows.iter::<1>().next().and_then(|row| row.datum(0));
            // SAFETY: an array is a varlena, and copied at once.
            datum.map(|datum| varlena::whole(unsafe { varlena::bytes(datum) }))
        };
        if let Some(typed) = typed.filter(|_| column.array_oid != pg_sys::InvalidOid) {
            values = parameters.stored(column.array_oid, &typed);
        }
        conditions.push(match &column.base {
            Some(base) => format!("{field}::{base} {equals} ANY ({values}::{base}[])"),
            None => format!("{field} {equals} ANY ({values})"),
        });
    }
    Ok(conditions)
}
