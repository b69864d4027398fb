//! What a value holds, for `find_secrets`.

use crate::pg::varlena;
use crate::secrets::document::{
    Path, in_jsonb, in_text_or_document, random_in_jsonb, redacted_text,
};
use crate::secrets::{Certainty, Found, entropy};
use pgrx::AnyElement;
use pgrx::prelude::*;

/// The secrets in a text, which is looked at as a document if it is one. What looks random and nothing more is told if
/// `include_possible`.
#[pg_extern(immutable, parallel_safe, strict, schema = "kepler_internal")]
#[search_path(pg_catalog, pg_temp)]
fn secrets_in(
    value: &str,
    include_possible: bool,
) -> TableIterator<
    'static,
    (name!(path, String), name!(kind, &'static str), name!(certainty, &'static str)),
> {
    let mut told = Vec::new();
    in_text_or_document(value, &Path::ROOT, &mut |path, found| {
        tell(&mut told, path, &found, include_possible)
    });
    if include_possible {
        entropy::in_text(value, &mut |found| tell(&mut told, &Path::ROOT, &found, true));
    }
    TableIterator::new(told)
}

/// A text without its secrets: a mark stands in place of each.
#[pg_extern(immutable, parallel_safe, strict, schema = "kepler_internal")]
#[search_path(pg_catalog, pg_temp)]
fn without_secrets(value: &str) -> String {
    redacted_text(value).unwrap_or_else(|| value.to_owned())
}

/// The secrets in a `jsonb`.
#[pg_extern(
    immutable,
    parallel_safe,
    strict,
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.secrets_in_jsonb(value jsonb, include_possible boolean)
RETURNS TABLE (path text, kind text, certainty text)
IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn secrets_in_jsonb(
    value: AnyElement,
    include_possible: bool,
) -> TableIterator<
    'static,
    (name!(path, String), name!(kind, &'static str), name!(certainty, &'static str)),
> {
    let mut told = Vec::new();
    // SAFETY: declared as jsonb in SQL.
    let bytes = unsafe { varlena::aligned_bytes(value.datum()) };
    in_jsonb(bytes, &mut |path, found| tell(&mut told, path, &found, include_possible));
    if include_possible {
        random_in_jsonb(bytes, &mut |path, found| tell(&mut told, path, &found, true));
    }
    TableIterator::new(told)
}

/// So many of one value are told: whoever has more looks at the value.
const MOST: usize = 1_000;

fn tell(
    told: &mut Vec<(String, &'static str, &'static str)>,
    path: &Path<'_>,
    found: &Found,
    include_possible: bool,
) -> bool {
    if found.certainty == Certainty::Certain || include_possible {
        told.push((path.pointer(), found.kind, found.certainty.name()));
    }
    told.len() < MOST
}
