//! Has a step that takes a name wait for the one that frees it, where that one waits for an index to be built.

use crate::structure::step::{Phase, Step};

/// A rule's name on its table, whether the database keeps it as a constraint or as an index.
fn place(step: &Step) -> Option<(&str, &str, &str)> {
    let relation = step.relation.as_ref()?;
    Some((&relation.schema, &relation.table, &step.object))
}

fn frees(step: &Step) -> bool {
    matches!(step.operation, "drop_constraint" | "drop_index")
}

/// What is done with a name that is new to the table; what validates it follows.
fn takes(step: &Step) -> bool {
    matches!(
        step.operation,
        "add_check" | "add_reference" | "rename_constraint" | "rename_index" | "validate"
    )
}

pub(super) fn take_turns(steps: &mut [Step]) {
    let waits: Vec<usize> = (0..steps.len())
        .filter(|at| {
            let step = &steps[*at];
            takes(step)
                && step.phase.is_run()
                && place(step).is_some_and(|name| {
                    steps.iter().any(|other| {
                        frees(other) && other.phase == Phase::After && place(other) == Some(name)
                    })
                })
        })
        .collect();
    for at in waits {
        steps[at].phase = Phase::After;
    }
}
