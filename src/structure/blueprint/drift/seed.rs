//! Rows that a blueprint begins with, as differences.

use super::{Difference, Drift, dotted};
use crate::error::Error;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::blueprint::seed::{Scene, View, compare};
use pgrx::spi::SpiClient;

impl Drift<'_> {
    /// Rows that are to be there.
    pub(super) fn seed(
        &mut self,
        client: &mut SpiClient<'_>,
        blueprint: &Blueprint,
        workspaces: (&str, Option<&str>),
    ) -> Result<(), Error> {
        if blueprint.seed.is_empty() {
            return Ok(());
        }
        let planned = self.planned;
        let scene =
            Scene::new(client, (blueprint, planned), self.dialect, View::Report, workspaces)?;
        let mut add = |object: String, kind, expected, actual| {
            let object_type = "seed row".to_owned();
            self.found.push(Difference { object_type, object, kind, expected, actual });
        };
        // Of a table that is not there nothing else is told.
        for found in compare(client, &scene)?.iter().filter(|found| found.has_table(&scene)) {
            let (schema, table) = found.place(&scene);
            let table = dotted(&[&schema, &table]);
            let object = |at: usize| format!("{table} ({})", found.named(at, &scene, false));
            for &at in &found.missing {
                add(object(at), "missing", found.expected(at, &scene), None);
            }
            for (at, actual) in &found.changed {
                let actual = Some(actual.clone());
                add(object(*at), "changed", found.expected(*at, &scene), actual);
            }
            if let Some(why) = &found.unseen {
                add(table.clone(), "coverage", Some(why.clone()), None);
            }
        }
        Ok(())
    }
}
