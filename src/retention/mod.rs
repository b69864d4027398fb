//! Retention: rows of tables that are older than a policy keeps them are deleted, a bounded batch at a time.
//!
//! `subject` says what may be deleted for its age, and by whom; `policy` reads and writes the list of policies; `floor` is what
//! they cannot undercut. `terms` are the conditions under which a row goes, `walk` looks through a table for such rows and deletes
//! them, `partition` drops partitions that are old as a whole, `run` is a batch of a policy, and `report` tells what would go.
//!
//! A row is deleted as the owner of its table where the caller has that role's rights, and else as the caller: no trigger of a
//! table gets rights that its owner does not have (`access::owner`).

mod api;
mod error;
mod floor;
mod in_parts;
mod partition;
mod policy;
mod report;
mod run;
mod subject;
mod terms;
mod walk;
