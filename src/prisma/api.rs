//! The SQL functions that read schemas of Prisma.

use super::error::PrismaError;
use super::options::Options;
use super::source::{File, MAX_BYTES, Source};
use super::{import, is_next_prisma};
use crate::arguments::{ArgumentError, required};
use crate::error::Error;
use crate::json::{Json, shorten};
use crate::pg::json::Options as Given;
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;

/// The longest name of a blueprint, in bytes.
const MAX_NAME: usize = 48;
/// More files are no schema.
const MAX_FILES: usize = 1_000;

/// The document of a blueprint for a `schema.prisma`, ready for `plan_blueprint` and `apply_blueprint`.
#[pg_extern(
    stable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler.blueprint_from_prisma(
    prisma_schema text, blueprint_name text DEFAULT 'prisma', options jsonb DEFAULT NULL
) RETURNS json
STABLE PARALLEL SAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn blueprint_from_prisma(
    prisma_schema: Option<String>,
    blueprint_name: Option<String>,
    options: Option<Given>,
) -> Result<String, ErrorReport> {
    let text = required("prisma_schema", prisma_schema)?;
    Ok(read(&[File { name: None, text }], blueprint_name, options)?)
}

/// The same for a schema that is spread over several files: an object of their names and texts.
#[pg_extern(
    stable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler.blueprint_from_prisma(
    prisma_schema jsonb, blueprint_name text DEFAULT 'prisma', options jsonb DEFAULT NULL
) RETURNS json
STABLE PARALLEL SAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn blueprint_from_prisma_files(
    prisma_schema: Option<AnyElement>,
    blueprint_name: Option<String>,
    options: Option<Given>,
) -> Result<String, ErrorReport> {
    let files = prisma_schema.ok_or(ArgumentError::Null("prisma_schema"))?;
    let files = Given::of("prisma_schema", files.datum())?;
    Ok(read(&named_files(files.0).map_err(Error::from)?, blueprint_name, options)?)
}

/// The files of an object, in the order of their names.
fn named_files(files: Value) -> Result<Vec<File>, PrismaError> {
    let Value::Object(pairs) = files else {
        return Err(PrismaError::Files(vec![
            "It must be an object of file names and their texts.".to_owned(),
        ]));
    };
    if pairs.is_empty() || pairs.len() > MAX_FILES {
        return Err(PrismaError::Files(vec![format!("It must hold 1 to {MAX_FILES} files.")]));
    }
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let pairs: std::collections::BTreeMap<_, _> = pairs.into_iter().collect();
    for (name, text) in pairs {
        match text {
            Value::String(text) => files.push(File { name: Some(shorten(&name)), text }),
            _ => problems.push(format!("\"{}\" must be a text.", shorten(&name))),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(PrismaError::Files(problems)) }
}

fn read(
    files: &[File],
    blueprint_name: Option<String>,
    options: Option<Given>,
) -> Result<String, Error> {
    let name = required("blueprint_name", blueprint_name)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !begins || !name.bytes().all(plain) || name.len() > MAX_NAME {
        return Err(PrismaError::Name.into());
    }
    let options = match options {
        Some(options) => Options::read(options.0)?,
        None => Options::default(),
    };
    if files.iter().map(|file| file.text.len()).sum::<usize>() > MAX_BYTES {
        return Err(PrismaError::TooLong.into());
    }
    if let Some(file) = files.iter().find(|file| is_next_prisma(&file.text)) {
        return Err(PrismaError::NextPrisma(file.name.clone()).into());
    }
    let source = Source::new(files);
    let document = import(&name, &source, &options)
        .map_err(|problems| PrismaError::problems(&problems, &source))?;
    if let Some(Json::Array(warnings)) = document.get("import_warnings") {
        for text in warnings.iter().filter_map(Json::as_str) {
            warning!("{text}");
        }
    }
    Ok(document.to_string())
}
