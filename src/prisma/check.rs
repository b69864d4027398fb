//! What a blueprint does not take of a schema that Prisma takes: told here with its place, and not first when the document is
//! applied.

use super::model::Model;
use super::problem::Notes;
use super::relations::Relations;
use super::resolve::Schema;
use super::source::Place;
use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;

/// Reads the document as a blueprint, and tells what is wrong with it at the places of the schema.
pub(super) fn document(
    pairs: &[(String, Json)],
    schema: &Schema<'_>,
    relations: &Relations<'_>,
    notes: &mut Notes,
) {
    let Err(found) = Blueprint::from_json(&Json::Object(pairs.to_vec())) else { return };
    // The tables of the document in their order.
    let models: Vec<&Model<'_>> = schema.models.iter().filter(|model| !model.view).collect();
    for problem in found {
        let mut parts = problem.pointer.split('/').skip(1);
        let (first, at) = (parts.next(), parts.next().and_then(|at| at.parse::<usize>().ok()));
        let (Some("tables"), Some(at)) = (first, at) else {
            notes.problem(Place::start(0), format!("{}: {}", problem.pointer, problem.message));
            continue;
        };
        let Some(model) = models.get(at) else {
            let join = relations.join_tables.get(at - models.len());
            let place = join.map_or(Place::start(0), |join| join.place);
            notes.problem(place, format!("{}: {}", problem.pointer, problem.message));
            continue;
        };
        let (key, number) = (parts.next(), parts.next().and_then(|at| at.parse::<usize>().ok()));
        let column = number.filter(|_| key == Some("fields")).and_then(|at| model.columns.get(at));
        let (place, what) = match column {
            Some(column) => {
                let what = format!("\"{}.{}\"", model.name.text, column.name.text);
                (column.name.place, what)
            }
            None => (model.name.place, format!("\"{}\"", model.name.text)),
        };
        let rest: Vec<&str> = parts.collect();
        let rest = match (column, rest.as_slice()) {
            (Some(_), []) => String::new(),
            (Some(_), rest) => format!(", {}", rest.join("/")),
            (None, _) => format!(", {}", key.unwrap_or_default()),
        };
        notes
            .problem(place, format!("a blueprint does not take {what}{rest}: {}", problem.message));
    }
}
