//! Finds what is remembered already.
//!
//! The same content is a duplicate. A near one is only what passes two gates: the embeddings point the
//! same way, and the texts are one sequence of words (`statement`). One gate alone throws true memories
//! away: who reports to whom, "room 12" and "room 21", are as near as can be to a model.

use super::decode::NewMemory;
use super::nearest::{number, probes};
use super::space::{Index, Method, Space, Vectors};
use super::statement::Statement as Wording;
use crate::pg::array::{self, Array, ElementType};
use crate::pg::clock::now;
use crate::pg::large::OrderByIndex;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::varlena::Text;
use crate::pgvector::Metric;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// The least cosine of embeddings of near duplicates; and in SQL, where what is no number is the greatest.
const MIN_COSINE: f64 = 0.97;
const NEAR: &str = "x.cosine BETWEEN 0.97 AND 2";
/// So many of the nearest memories are looked at.
const NEAREST: usize = 5;
/// Up to so many memories in a workspace each is compared; beyond, the index is asked.
const COMPARED: i64 = 2_000;

impl NewMemory {
    /// Whether it may repeat something: what supersedes another does not, and what has a key is told by that.
    fn is_looked_for(&self) -> bool {
        self.supersedes.is_none() && self.key.is_none()
    }
}

/// What an element repeats.
pub(crate) struct Known {
    pub(crate) of: Original,
    /// Whether the content is the same to the letter.
    pub(crate) same: bool,
}

pub(crate) enum Original {
    Stored(String),
    /// An earlier element of the batch.
    Earlier(usize),
}

thread_local! {
    static SAME: Statement = const { Statement::new(
        c"SELECT n.at, m.id
          FROM (SELECT pg_catalog.unnest($3) AS at, pg_catalog.unnest($4) AS content,
                       pg_catalog.unnest($5) AS user_id, pg_catalog.unnest($6) AS context_type,
                       pg_catalog.unnest($7) AS is_json, pg_catalog.unnest($8) AS namespace) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.memories AS x
              WHERE x.workspace_id = $1
                AND pg_catalog.hashtextextended(x.content, 0)
                    = pg_catalog.hashtextextended(n.content, 0)
                AND x.content = n.content AND x.context_type = n.context_type
                AND (x.format = 'JSON') = n.is_json
                AND x.user_id IS NOT DISTINCT FROM n.user_id
                AND x.namespace IS NOT DISTINCT FROM n.namespace AND x.key IS NULL
                AND x.valid_to IS NULL AND (x.expires_at IS NULL OR x.expires_at > $2)
              ORDER BY x.created_at LIMIT 1) AS m",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::BOOLARRAYOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
    static COUNT: Statement = const { Statement::new(
        c"SELECT pg_catalog.count(*) FROM (
              SELECT FROM kepler.memories AS m WHERE m.workspace_id = $1 LIMIT $2) AS counted",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
}

/// What each of the memories repeats. One that supersedes another repeats nothing.
pub(crate) fn find(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    memories: &[Option<NewMemory>],
) -> Vec<Option<Known>> {
    let mut known: Vec<Option<Known>> = Vec::new();
    known.resize_with(memories.len(), || None);
    let looked_for = |memory: &&NewMemory| memory.is_looked_for();
    let mut same = Columns::new(None);
    for (at, memory) in memories.iter().enumerate() {
        if let Some(memory) = memory.as_ref().filter(looked_for) {
            same.push(at, memory);
        }
    }
    if same.at.count() == 0 {
        return known;
    }
    let time = Some(pg_sys::Datum::from(now()));
    let parameters = [
        Some(workspace.datum()),
        time,
        Some(same.at.datum()),
        Some(same.contents.datum()),
        Some(same.users.datum()),
        Some(same.types.datum()),
        Some(same.is_json.datum()),
        Some(same.namespaces.datum()),
    ];
    let rows = SAME.with(|plan| plan.run(client, &parameters));
    for row in rows.iter::<2>() {
        if let (Some(at), Some(id)) = (row.integer(0), row.text(1)) {
            known[at as usize] = Some(Known { of: Original::Stored(id.to_owned()), same: true });
        }
    }
    drop(rows);
    if let Some(space) = space {
        near_stored(client, workspace, space, memories, &mut known);
    }
    within_batch(memories, &mut known);
    known
}

/// Compares the nearest stored memories.
fn near_stored(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: &Space,
    memories: &[Option<NewMemory>],
    known: &mut [Option<Known>],
) {
    let mut near = Columns::new(Some(space));
    for (at, memory) in memories.iter().enumerate() {
        if let Some(memory) = memory
            && memory.is_looked_for()
            && memory.embedding.is_some()
            && known[at].is_none()
        {
            near.push(at, memory);
        }
    }
    if near.at.count() == 0 {
        return;
    }
    let vectors = &space.vectors;
    let index = vectors.index(client, "n.embedding").filter(|_| !has_few(client, workspace));
    let _index = index.as_ref().map(|index| OrderByIndex::only(index.relation));
    let lists = match &index {
        Some(Index { method: Method::IvfFlat { lists }, .. }) => *lists,
        _ => 1,
    };
    let probes = number(probes(lists));
    let mut parameters = Parameters::default();
    let workspace = parameters.datum(pg_sys::TEXTOID, Some(workspace.datum()));
    let now = parameters.time(now());
    let at = parameters.array(pg_sys::INT4ARRAYOID, near.at);
    let users = parameters.array(pg_sys::TEXTARRAYOID, near.users);
    let types = parameters.array(pg_sys::TEXTARRAYOID, near.types);
    let namespaces = parameters.array(pg_sys::TEXTARRAYOID, near.namespaces);
    let embeddings = parameters.array(vectors.vector_array_type, near.embeddings);
    let condition = format!(
        "m.workspace_id = {workspace} AND m.id = e.memory_id AND m.context_type = n.context_type \
         AND m.user_id IS NOT DISTINCT FROM n.user_id \
         AND m.namespace IS NOT DISTINCT FROM n.namespace AND m.key IS NULL AND m.valid_to IS NULL \
         AND (m.expires_at IS NULL OR m.expires_at > {now})"
    );
    let near = Near { vectors, workspace: &workspace, condition: &condition };
    let found = match &index {
        Some(index) => near.nearest_by(&index.order_by),
        None => near.compared(),
    };
    let sql = format!(
        "SELECT n.at, x.id, x.content, x.is_json \
         FROM (SELECT pg_catalog.unnest({at}) AS at, pg_catalog.unnest({users}) AS user_id, \
                      pg_catalog.unnest({types}) AS context_type, \
                      pg_catalog.unnest({namespaces}) AS namespace, \
                      pg_catalog.unnest({embeddings}) AS embedding) AS n \
         CROSS JOIN LATERAL ({found}) AS x ORDER BY n.at, x.cosine DESC, x.id"
    );
    let mut settings = vec![(c"enable_seqscan", c"off"), (c"jit", c"off")];
    if index.is_some() {
        settings.extend([
            (c"hnsw.ef_search", c"200"),
            (c"hnsw.iterative_scan", c"off"),
            (c"ivfflat.probes", probes.as_c_str()),
            (c"ivfflat.iterative_scan", c"off"),
            (c"enable_bitmapscan", c"off"),
            (c"enable_hashjoin", c"off"),
            (c"enable_mergejoin", c"off"),
            (c"enable_memoize", c"off"),
            (c"enable_material", c"off"),
        ]);
    }
    let _settings = LocalSettings::set(&settings);
    let rows = parameters.run_fresh(client, &sql);
    for row in rows.iter::<4>() {
        let (Some(at), Some(id), Some(content)) = (row.integer(0), row.text(1), row.text(2)) else {
            continue;
        };
        let (at, is_json) = (at as usize, row.boolean(3) == Some(true));
        if let Some(memory) = &memories[at]
            && known[at].is_none()
            && Wording::of(content, is_json).is_that_of(&memory.content, memory.is_json)
        {
            known[at] = Some(Known { of: Original::Stored(id.to_owned()), same: false });
        }
    }
}

/// Whether a workspace has so few memories that each is compared.
fn has_few(client: &mut SpiClient<'_>, workspace: &Text) -> bool {
    let limit = Some(pg_sys::Datum::from(COMPARED + 1));
    let counted = COUNT.with(|plan| plan.run(client, &[Some(workspace.datum()), limit]));
    counted.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0) <= COMPARED
}

/// What finds the memories that are near to one that is to be remembered, `n`: their id, content, whether that is JSON, and
/// the cosine. What has no direction is near to nothing.
struct Near<'n> {
    vectors: &'n Vectors,
    workspace: &'n str,
    /// What a memory `m` of a vector `e` must meet.
    condition: &'n str,
}

impl Near<'_> {
    fn cosine(&self) -> String {
        let operator = Metric::Cosine.operator(&self.vectors.vector_schema);
        format!("1 OPERATOR(pg_catalog.-) (e.embedding {operator} n.embedding)")
    }

    fn of_row(&self) -> String {
        format!(
            "(SELECT m.id, m.content, m.format = 'JSON' AS is_json FROM kepler.memories AS m \
             WHERE {} OFFSET 0) AS m",
            self.condition
        )
    }

    /// Among the nearest that an index gives, by its metric.
    fn nearest_by(&self, order: &str) -> String {
        format!(
            "SELECT x.* FROM (SELECT m.*, {cosine} AS cosine FROM {table} AS e CROSS JOIN LATERAL {row} \
             WHERE e.workspace_id = {workspace} ORDER BY {order} LIMIT {NEAREST}) AS x \
             WHERE {NEAR}",
            cosine = self.cosine(),
            table = self.vectors.table,
            row = self.of_row(),
            workspace = self.workspace,
        )
    }

    /// Among all vectors of the same user and type, which stand beside them in their table. The memories of those that are
    /// near are looked up.
    fn compared(&self) -> String {
        let of = |user: &str| {
            format!(
                "SELECT e.memory_id, {} AS cosine FROM {} AS e WHERE e.workspace_id = {} \
                 AND e.context_type = n.context_type AND {user}",
                self.cosine(),
                self.vectors.table,
                self.workspace
            )
        };
        format!(
            "SELECT m.*, e.cosine FROM (SELECT x.* FROM ({} UNION ALL {}) AS x \
             WHERE {NEAR} ORDER BY x.cosine DESC, x.memory_id OFFSET 0) AS e \
             CROSS JOIN LATERAL {} LIMIT {NEAREST}",
            of("e.user_id = n.user_id"),
            of("e.user_id IS NULL AND n.user_id IS NULL"),
            self.of_row(),
        )
    }
}

/// Compares the elements with each other: the earlier one is remembered.
fn within_batch(memories: &[Option<NewMemory>], known: &mut [Option<Known>]) {
    type Scope<'m> = (Option<&'m str>, &'m str, &'m str);
    let mut same: HashMap<(Scope<'_>, bool, &str), usize> = HashMap::new();
    let mut groups: HashMap<(Scope<'_>, Wording), Vec<usize>> = HashMap::new();
    for (at, memory) in memories.iter().enumerate() {
        let Some(memory) = memory.as_ref().filter(|memory| memory.is_looked_for()) else {
            continue;
        };
        if known[at].is_some() {
            continue;
        }
        let user = memory.user_id.as_deref();
        let scope = (user, memory.context_type.as_str(), memory.namespace.as_str());
        let (content, is_json) = (memory.content.as_str(), memory.is_json);
        if let Some(&element) = same.get(&(scope, is_json, content)) {
            known[at] = Some(Known { of: Original::Earlier(element), same: true });
            continue;
        }
        same.insert((scope, is_json, content), at);
        let Some(embedding) = &memory.embedding else { continue };
        let Some(wording) = Wording::of(content, is_json).if_any() else { continue };
        let group = groups.entry((scope, wording)).or_default();
        let near = group.iter().copied().find(|other| {
            let other = memories[*other].as_ref().and_then(|other| other.embedding.as_ref());
            other.is_some_and(|other| embedding.cosine(other) >= MIN_COSINE)
        });
        match near {
            Some(element) => {
                known[at] = Some(Known { of: Original::Earlier(element), same: false });
            }
            None => group.push(at),
        }
        pgrx::check_for_interrupts!();
    }
}

/// Elements that are looked up, a column each.
struct Columns {
    at: Array,
    contents: Array,
    users: Array,
    types: Array,
    is_json: Array,
    namespaces: Array,
    embeddings: Array,
}

impl Columns {
    fn new(space: Option<&Space>) -> Self {
        let vector = space.map_or(pg_sys::InvalidOid, |space| space.vectors.vector_type);
        Self {
            embeddings: Array::new(ElementType::varlena(vector)),
            contents: Array::new(array::TEXT),
            at: Array::new(array::INTEGER),
            users: Array::new(array::TEXT),
            types: Array::new(array::TEXT),
            is_json: Array::new(array::BOOLEAN),
            namespaces: Array::new(array::TEXT),
        }
    }

    fn push(&mut self, at: usize, memory: &NewMemory) {
        self.at.push_bytes(&(at as i32).to_ne_bytes());
        self.contents.push_text(&memory.content);
        match &memory.user_id {
            Some(user) => self.users.push_text(user),
            None => self.users.push_null(),
        }
        self.types.push_text(&memory.context_type);
        self.is_json.push_bytes(&[u8::from(memory.is_json)]);
        self.namespaces.push_text(&memory.namespace);
        if let Some(embedding) = &memory.embedding {
            self.embeddings.push_bytes(&embedding.stored());
        }
    }
}
