//! Settings (GUCs) under the prefix `kepler`.

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use std::ffi::{CStr, CString};
use std::time::Duration;

/// The workspace that was set for the session, or its transaction; `access::current` says which one it works in.
pub(crate) static WORKSPACE_ID: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(None);
pub(crate) const WORKSPACE_ID_NAME: &CStr = c"kepler.workspace_id";

/// The workspace of a statement that another node of a cluster has sent, as that node knows it.
static SENT_WORKSPACE_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Whether a workspace may be chosen for a transaction only.
static WORKSPACE_PER_TRANSACTION: GucSetting<bool> = GucSetting::<bool>::new(false);

/// The sync run that rows of the inbox are for.
static SYNC_RUN_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Who an application works for, and in which request: what the history keeps of a transaction.
static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static REQUEST_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Whether the hooks in the planner do anything.
static PLANNER_HOOKS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// See `pg::planner`; functions of Kepler set it while they run.
static PLAN_FOR_LARGE_TABLES: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Whether a statement is being planned so. As a setting it is undone with the (sub)transaction of a plan that failed.
static TABLES_ARE_LARGE: GucSetting<bool> = GucSetting::<bool>::new(false);
pub(crate) const TABLES_ARE_LARGE_NAME: &CStr = c"kepler.tables_are_large";

/// How long a batch of a retention policy may take, in milliseconds.
static RETENTION_BATCH_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60_000);

/// What is done with a secret where none may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub(crate) enum OnSecret {
    /// The row, or the element of the batch, is refused.
    #[name = c"refuse"]
    Refuse,
    /// What is stored has a mark in place of the secret.
    #[name = c"redact"]
    Redact,
    /// Nobody looks.
    #[name = c"allow"]
    Allow,
}

static ON_SECRET: GucSetting<OnSecret> = GucSetting::<OnSecret>::new(OnSecret::Refuse);

/// Schemes of references to secrets beside those that are known.
static SECRET_REFERENCE_SCHEMES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(None);

/// Registers the settings. Called once, when the library is loaded.
pub(crate) fn register() {
    // Only a superuser may set it directly: row security rests on it.
    GucRegistry::define_string_guc(
        WORKSPACE_ID_NAME,
        c"The workspace whose rows this session works on.",
        c"Set by kepler.use_workspace(), and read by kepler.current_workspace_id().",
        &WORKSPACE_ID,
        GucContext::Suset,
        GucFlags::default(),
    );
    // Anybody may: it says no more than an argument of use_workspace() does, and is asked as that is.
    GucRegistry::define_string_guc(
        c"kepler.sent_workspace_id",
        c"The workspace of a statement that another node of a Citus cluster has sent.",
        c"Set by Kepler on the node that sends it. Elsewhere it says nothing.",
        &SENT_WORKSPACE_ID,
        GucContext::Userset,
        GucFlags::NO_SHOW_ALL,
    );
    GucRegistry::define_bool_guc(
        c"kepler.workspace_per_transaction",
        c"Whether use_workspace() chooses a workspace for a transaction only, and refuses is_local => false.",
        c"For roles whose clients share connections through a pooler, where the next client would find the workspace.",
        &WORKSPACE_PER_TRANSACTION,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"kepler.sync_run_id",
        c"The sync run that rows copied into kepler.inbox are for.",
        c"The default of its column sync_run_id.",
        &SYNC_RUN_ID,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"kepler.actor",
        c"Who the application works for, as the history keeps it of a transaction.",
        c"An id of the application's, not a role. Set it with SET LOCAL or set_config(…, true).",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"kepler.request_id",
        c"The request that the application answers, as the history keeps it of a transaction.",
        c"Set it with SET LOCAL or set_config(…, true).",
        &REQUEST_ID,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"kepler.on_secret",
        c"What is done with a secret in connections, workflows, conversations, memories and metadata.",
        c"refuse: the row or element is refused. redact: a mark takes its place. allow: nobody looks.",
        &ON_SECRET,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"kepler.secret_reference_schemes",
        c"Schemes of references to secrets beside those that Kepler knows: words with commas between them.",
        c"A column of references takes acme:team/app where acme is among them.",
        &SECRET_REFERENCE_SCHEMES,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"kepler.retention_batch_timeout",
        c"How long a batch of a retention policy may take.",
        c"Triggers of the table's owner run in it: what takes longer is ended, and is the policy's failure.",
        &RETENTION_BATCH_TIMEOUT,
        100,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"kepler.planner_hooks",
        c"Whether Kepler's own statements are planned for large tables, whatever the statistics say.",
        c"Off: Postgres plans them as any other. For finding out whether a plan is Kepler's doing.",
        &PLANNER_HOOKS,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"kepler.plan_for_large_tables",
        c"Whether statements on nothing but Kepler's tables are planned as if these were large.",
        c"Set by Kepler's functions while they run.",
        &PLAN_FOR_LARGE_TABLES,
        GucContext::Userset,
        GucFlags::NO_SHOW_ALL,
    );
    GucRegistry::define_bool_guc(
        TABLES_ARE_LARGE_NAME,
        c"Whether the statement that is being planned is planned as if Kepler's tables were large.",
        c"Set by Kepler while it plans.",
        &TABLES_ARE_LARGE,
        GucContext::Internal,
        GucFlags::NO_SHOW_ALL | GucFlags::NO_RESET_ALL | GucFlags::DISALLOW_IN_FILE,
    );
    // SAFETY: a plain call with a static string; misspelt settings become errors.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"kepler".as_ptr()) };
}

/// How long a batch of a retention policy may take.
pub(crate) fn retention_batch_timeout() -> Duration {
    Duration::from_millis(RETENTION_BATCH_TIMEOUT.get().unsigned_abs().into())
}

/// The sync run that `kepler.sync_run_id` names; empty counts as not set.
pub(crate) fn sync_run_id() -> Option<String> {
    let id = SYNC_RUN_ID.get().filter(|id| !id.is_empty())?;
    Some(id.to_string_lossy().into_owned())
}

/// The workspace of a statement that another node has sent: see `pg::cluster`.
pub(crate) fn sent_workspace_id() -> &'static GucSetting<Option<CString>> {
    &SENT_WORKSPACE_ID
}

pub(crate) fn workspace_per_transaction() -> bool {
    WORKSPACE_PER_TRANSACTION.get()
}

/// What `kepler.on_secret` says. Unit tests, which run outside of a server and in many threads, have the default.
fn given(setting: &GucSetting<Option<CString>>) -> Option<String> {
    let value = setting.get().filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

/// Who `kepler.actor` names; empty counts as not set.
pub(crate) fn actor() -> Option<String> {
    given(&ACTOR)
}

/// What `kepler.request_id` says; empty counts as not set.
pub(crate) fn request_id() -> Option<String> {
    given(&REQUEST_ID)
}

pub(crate) fn on_secret() -> OnSecret {
    if cfg!(test) { OnSecret::Refuse } else { ON_SECRET.get() }
}

/// What `kepler.secret_reference_schemes` says.
pub(crate) fn secret_reference_schemes() -> String {
    SECRET_REFERENCE_SCHEMES
        .get()
        .map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

pub(crate) fn planner_hooks() -> bool {
    PLANNER_HOOKS.get()
}

pub(crate) fn plan_for_large_tables() -> bool {
    PLAN_FOR_LARGE_TABLES.get()
}

pub(crate) fn tables_are_large() -> bool {
    TABLES_ARE_LARGE.get()
}
