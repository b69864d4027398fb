#!/usr/bin/env python3
"""Calls every function with what no caller should send. Started by hostile_calls.sh, which tells what must
hold; the database holds what hostile_calls.sql put there."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from session import Session

CALLS, ROUNDS = int(os.environ["CALLS"]), int(os.environ["ROUNDS"])
SEED, ONLY = os.environ["SEED"], os.environ.get("ONLY")
# Milliseconds. The hostile arguments are small: nothing about them takes long.
LIMIT = 5000

STRUCTURE = {
    "fields": [
        {"name": "sku", "type": "text", "required": True, "unique": True, "max_length": 40},
        {"name": "quantity", "type": "integer", "min": 0, "max": 1000, "default": 0},
        {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
        {"name": "state", "type": "enum", "values": ["new", "old"]},
        {"name": "tags", "type": "text", "list": True},
        {"name": "v", "type": "vector", "dimensions": 3, "index": {"method": "hnsw", "metric": "l2"}},
        {"name": "parent", "type": "reference", "to": "parent", "on_delete": "set_null"},
    ],
    "unique": [["sku", "state"]],
    "indexes": [{"fields": ["price", {"name": "state", "direction": "desc"}]}],
    "checks": [{"field": "price", "op": "<=", "value": 100000}],
}
ENTRY = {"sku": "s1", "quantity": 1, "price": "1.5", "state": "new", "tags": ["a"], "v": [1, 2, 3], "parent": 1, "extra": {"a": 1}, "seen": "2024-01-01", "day": "2024-01-01", "ratio": 1, "raw": "aGVsbG8="}  # fmt: skip
BLUEPRINT = {
    "blueprint": "model", "version": 2, "description": "a model", "schema": "model", "tenancy": {"field": "tenant"}, "extensions": ["vector"],
    "enums": {"state": ["a", "b"], "Mood": {"values": ["x"], "type": "mood", "description": "moods"}},
    "tables": [
        {"name": "Parent", "table": "parents", "key": {"name": "id", "type": "bigint"}, "times": True, "fields": [{"name": "tenant", "type": "text", "required": True}, {"name": "state", "type": "enum", "enum": "state", "default": "a"}, {"name": "code", "type": "text", "fill": "cuid"}]},
        {"name": "Child", "key": {"fields": ["a", "b"], "constraint": "children_key"}, "fields": [{"name": "a", "type": "smallint"}, {"name": "b", "type": "timestamp", "zone": False, "precision": 3}, {"name": "parent", "type": "reference", "to": "Parent", "on_delete": "cascade"}, {"name": "v", "type": "vector", "dimensions": 3}],
         "unique": [{"fields": ["b", "a"], "name": "u"}], "indexes": [{"fields": [{"field": "b", "descending": True}], "where_sql": "a > 3"}, {"fields": ["v"], "method": "hnsw", "metric": "cosine"}],
         "references": [{"fields": ["parent"], "to": "Parent", "to_fields": ["id"], "name": "second"}], "checks": [{"field": "a", "op": ">", "value": 1}]},
    ],
}  # fmt: skip
MEMORY = {"content": "a", "embedding": [1, 2, 3], "user_id": "ada", "metadata": {"a": 1}, "relevance_score": 0.5, "supersedes": "memory1", "key": "k", "namespace": "a", "ttl": 60}


class Json:
    """An argument that holds JSON, whatever its type."""

    def __init__(self, value: Any) -> None:
        self.value = value


# A call that works is made of these. By function and argument, or by argument: an expression of SQL, or JSON.
ENTRY_IDS = "ARRAY['1', '2']"
SANE: dict[str, str | Json] = {
    "doctor.options": Json({"silent_for": "1 day"}),
    "entry_table": "'inventory'", "structure": Json(STRUCTURE), "entries": Json([ENTRY, {"sku": "other"}]), "entry_ids": ENTRY_IDS, "insert_entries.entries": Json([{**ENTRY, "sku": "new"}, {"sku": "other"}]),
    "key_fields": "'{sku}'", "update_entries.entries": Json([{"entry_id": 1, **ENTRY}]), "allow": "'{rewrite}'",
    "field": "'gone'", "create_entry_table.entry_table": "'made'", "restore_entry_table.entry_table": "'dropped'", "purge_entry_table.entry_table": "'dropped'", "rename_entry_table.new_name": "'renamed'",
    "blueprint": Json(BLUEPRINT), "blueprint_name": "'model'", "apply_blueprint.allow": "'{drop}'", "apply_blueprint_step.allow": "'{drop}'",
    **{f"{name}.options": Json({"version": 1, "adopt": True, "trusted": True, "vector_indexes": "now", "lock_attempts": 1}) for name in ("apply_blueprint", "apply_blueprint_step")},
    "plan_blueprint.options": Json({"adopt": True, "online": True}), "drop_blueprint.options": Json({"with_rows": True, "keep_tables": False}), "wanted": Json({"tables": [["public", "documents"]], "types": [], "schemas": ["public"], "whole_schemas": []}), "owner": "10",
    "set_entry_links.entry_table": "'links'", "set_entry_links.field": "'child'", "links": Json([{"child": 1, "parent": ["a", "b"]}]), "target_field": "'name'",
    "restore_field.options": Json({"name": "back", "column": "came_back", "required": False, "lock_attempts": 1}),
    "alter_entry_table.options": Json({"version": 2, "lock_timeout_ms": 100, "lock_attempts": 1}),
    "entity_type": "'item'", "external_id": "'e1'", "data": Json({"n": 1, "o": {"b": 2}}), "source": "'MANUAL'", "connection_id": "'c'", "delete_connection.records": "'keep'", "adopt_records.reference_id": "'c'", "adopt_records.connection_name": "'c'",
    "records": Json([{"external_id": "e1", "data": {"n": 1}, "source_updated_at": "2024-01-01", "deleted": False}, {"external_id": "new", "data": {}}]),
    "merge": "'deep'", "options": Json({"invalid_characters": "strip"}), "set_entity_options.options": Json({"ignored_paths": ["/a/b"]}),
    "claim_records.options": Json({"fair": False, "filter": {"n": {"$gte": 0}}}), "priority": "5", "not_before": "now()", "members": "'{a}'", "limit_by": "'entity'", "records_per_minute": "100", "leases_per_minute": "100", "repair_enrichment_step.after": "''", "id_key": "'external_id'", "deleted_key": "'deleted'", "external_ids": "ARRAY['e1', 'e2']", "reject_ids": "ARRAY[1, 2]", "sync_run_id": "NULL", "older_than": "'1 day'",
    "retry_rejects.entity_type": "NULL", "updated_at_key": "'source_updated_at'",
    "update_document.options": Json({"revision_column": "version", "expected_revision": 0}), "upsert_document.options": Json({"revision_column": "version"}),
    "update_document.key": Json({"id": 1}), "upsert_document.key": Json({"id": 1000}), "relation": "'public.documents'", "column_name": "'doc'",
    "search_vectors.column_name": "'embedding'", "search_vectors.filter": Json({"id": {"$between": [1, 9]}, "version": 0}),
    "search_vectors.columns": "'{id}'", "words_column": "'words'", "search_vectors.language": "'english'",
    "operations": Json({"$set": {"a.b": 1}, "$inc": {"n": 1}, "$push": {"list": 3}, "$unset": {"o": 1}}),
    "json_update.document": Json({"n": 1, "list": [1], "o": {"a": 1}}), "document": Json({"a": [1, None, "x"]}), "filter": Json({"n": {"$gte": 1, "$exists": True}, "$not": {"a": "x"}}),
    "worker": "'worker'", "lease": "'1 hour'", "lease_id": "(SELECT min(id) FROM kepler.leases)", "retry_in": "'1 minute'",
    "record_ids": "ARRAY['record1', 'record2']", "complete_records.results": "ARRAY['1', '{\"a\": 1}']::jsonb[]",
    "settle_records.results": Json([{"record_id": "record1", "result": {"a": 1}, "remove": ["b"]}, {"record_id": "record2", "action": "fail", "error": "e", "retryable": True, "retry_in": "1 minute"}]),
    "enrichment_status": "'FAILED'", "requeue_records.record_ids": "NULL", "max_attempts": "3", "backoff_base": "'1 second'", "backoff_cap": "'1 minute'",
    "sync_run_id": "(SELECT id FROM kepler.sync_runs WHERE status = 'RUNNING' ORDER BY id LIMIT 1)", "mode": "'full'", "scope": Json({"n": {"$gte": 0}}), "cursor": "'page 2'", "silent_for": "'1 day'",
    **{f"{name}.sync_run_id": "(SELECT min(sync_run_id) FROM kepler.inbox_rows)" for name in ("merge_inbox_batch", "merge_inbox_step")},
    "resume_sync.entity_type": "NULL", "max_delete_fraction": "1", "retry_rejects.sync_run_id": "NULL",
    "conversation_id": "'talk'", "role": "'user'", "content": "'said'", "remember.content": Json({"a": 1}), "messages": Json([{"role": "user", "content": "said", "embedding": [1, 2, 3], "metadata": {"a": 1}, "sent_at": "2024-01-01", "token_count": 1}]),
    "before": "5", "after": "2", "after_id": "2", "list_memories.after": "'[\"id\", \"memory1\"]'", "list_namespaces.after": "'a'", "prefix": "'notes'", "suffix": "'*'", "max_depth": "2", "order_by": "'id'", "keys": "'{k1,k2}'", "key": "'k1'", "namespace": "'notes/a'", "get_memories.memory_ids": "NULL", "forget.keys": "NULL", "forget.namespace": "''", "search_memories.namespace": "''", "named_memories.memory_ids": "NULL", "ttl": "'1 day'", "update_memory.content.jsonb": Json({"a": 1}), "updated_before": "'2100-01-01'", "created_before": "'2100-01-01'", "pending_memory_embeddings.after_id": "'memory1'", "max_tokens": "100", "token_count": "1", "number": "1", "expand": "2",
    "embedding": "'[1, 2, 3]'", "space": "'small'", "create_embedding_space.space": "'space'", "dimensions": "3", "model": "'m'", "metric": "'cosine'",
    "embeddings": Json([{"memory_id": "memory1", "embedding": [1, 2, 3]}]), "set_message_embeddings.embeddings": Json([{"message_id": 1, "embedding": [1, 2, 3]}]),
    "retire_embedding_space.space": "'next'", "drop_embedding_space.space": "'retired'",
    "language": "'english'", "other_languages": "'{german,simple}'",
    "user_id": "'ada'", "query_text": "'memory number'", "context_types": "'{fact}'", "context_type": "'fact'", "kinds": "NULL", "roles": "'{user}'", "searched": "'messages'", "samples": "3", "candidates": "50", "min_recall": "0.9",
    "fusion": Json({"vector": 1, "text": 0.5, "k": 20}),     "weights": Json({"similarity": 0.5, "importance": 0.2, "recency": 0.2, "frequency": 0.1}), "metadata": Json({"n": 1}), "memories": Json([MEMORY]),
    "memory_ids": "ARRAY['memory1', 'memory2']", "memory_id": "'memory1'", "supersedes": "'memory2'", "valid_from": "'2024-01-01'", "expires_at": "'2100-01-01'", "sent_from": "'2024-01-01'", "sent_before": "'2100-01-01'", "started_from": "'2024-01-01'", "started_before": "'2100-01-01'",
    "archive": "'public.archive'", "import_workspace.workspace_id": "'imported'", "create_workspace.workspace_id": "'made'", "begin_workspace_deletion.workspace_id": "'archived'", "delete_workspace_step.workspace_id": "'archived'", "place": "NULL",
    "archive_query.key": "'kepler.users'", "archive_query.relation": "'kepler.users'", "archived_columns.relation": "'kepler.users'", "tenant_column": "'workspace_id'", "archive_query.condition": "'true'", "archived_value.type": "25", "archived_entry_table.relation": "'kepler.users'",
    "workflow_id": "'w'", "execution_id": "(SELECT execution_id FROM public.run)", "token": "(SELECT token FROM public.run)", "idempotency_key": "'key'",
    "question": Json({"text": "Send it?"}), "answer": Json({"yes": True}), "number": "1", "caller_token": "'a token of the caller'", "retry_of": "(SELECT execution_id FROM public.failed)",
    "answer_execution.execution_id": "(SELECT execution_id FROM public.asking)", "resume_execution.execution_id": "(SELECT execution_id FROM public.answered)",
    "steps": Json([{"name": "b", "input": {"a": 1}, "output": [1], "status": "RUNNING", "number": 2}]), "status": "'SUCCESS'", "timeout": "'1 hour'", "finish_execution.results": Json({"a": 1}),
    "trigger": Json({"app": "gmail", "event": "e"}), "actions": Json([{"app": "slack"}]), "required_providers": "'{jira}'", "provider": "'gmail'",
    "grant_access.role": "'kepler_hostile_calls'", "revoke_access.role": "'kepler_hostile_calls'", "level": "'writer'", "track.level": "'history'", "untrack.level": "'feed'", "row_history.relation": "'public.documents'", "row_history.id": "'1'", "row_as_of.id": "'1'", "as_of": "now()", "anchor": "NULL", "verify_history.after": "NULL", "uninstall.options": Json({"lock_timeout_ms": 5, "lock_attempts": 1}), "consumer": "'indexer'", "cursor": "(SELECT kepler.feed_cursor())", "changes_since.consumer": "NULL", "changes_since.relation": "'kepler.records'", "keep": "'30 days'", "set_retention.relation": "'kepler.rejects'", "time_column": "NULL", "set_retention.filter": "NULL", "policy_id": "1", "budget": "'1 second'", "begin_retention.budget": "'1 second'", "state": Json({"ends_at": "2020-01-01", "at": 0, "open": []}), "began_at": "now()", "begun_before": "NULL", "retention_failed.code": "'22023'", "message": "'m'",
    "prisma_schema": "E'model A {\\n  id Int @id @default(autoincrement())\\n  name String? @unique\\n}\\n'", "blueprint_from_prisma.prisma_schema.jsonb": Json({"a.prisma": "model A {\n  id Int @id\n  bs B[]\n}", "b.prisma": "model B {\n  id Int @id\n  as A[]\n}"}),
    "blueprint_from_prisma.blueprint_name": "'shop'", "blueprint_from_prisma.options": Json({"schema": "shop", "vector_dimensions": 3, "descriptions": True, "citext": False}),
    "schema_names": "'kepler'", "prisma_schema.schema_names.text[]": "'{kepler,kepler_data}'", "record": "(SELECT r FROM kepler.records AS r LIMIT 1)", "workspace_id": "'default'", "on_error": "'fail'", "error": "'e'",
}  # fmt: skip
BY_TYPE = {
    "text": "'a'", "integer": "1", "bigint": "1", "boolean": "true", "double precision": "0.5", "interval": "'1 hour'", "jsonb": "'{}'", "json": "'{}'",
    "timestamp with time zone": "'2024-01-01'", "text[]": "'{a}'", "bigint[]": "'{1}'", "vector": "'[1, 2, 3]'", "regclass": "'public.documents'", "jsonb[]": "'{}'",
}  # fmt: skip


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def nested(depth: int) -> list[str]:
    return ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth]


# JSON as text, well-formed and not.
HOSTILE_JSON = [
    "null", "true", "0", "-0", "-1", "1.5", "1e400", "-1e400", "1e-400", "1e131071", "9223372036854775808", "99999999999999999999999999", '""', '"x"', '" "',
    '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"' + "x" * 100_000 + '"', '"\'; DROP TABLE x; --"', '"infinity"', '"NaN"', '"[1,2,3]"', '"2024-13-45"', '"294277-01-01"',
    "[]", "[null]", "[[]]", "[{}]", "[1]", "[[1, 2], [3, 4]]", '["x", 1, null, {}]', "{}", '{"": null}', '{"\\u0000": 1}', '{"a": 1, "a": 2}', '{"unknown": {"$x": [1]}}', '{"$where": 1}', '{"__proto__": {}}',
    "[" + "0," * 20_000 + "0]", "[" + "{}," * 5_000 + "{}]", "[" + "null," * 5_000 + "null]", "{" + ",".join(f'"k{i}": {i}' for i in range(5_000)) + "}", *nested(100), *nested(600), *nested(7_000),
]  # fmt: skip
BROKEN_JSON = ["", " ", "{", "[1,", "x", '"', "{}{}", "NaN", "[01]", '{"a" 1}', '"\\x"', "[" * 50_000, "\x01", "\ufeff{}"]
TEXTS = ["", " ", "\t\n", "\x01", "x" * 129, "x" * 3_000, "é" * 50_000, "*", "'\";--", "\\", "%_%", "\uffff😀", "null", "0", "-1", "default", "pg_catalog", "kepler.records", "SELECT", "Ab C", "a.b.c", "{}", "[]", "'\\u0000'"]
FOREIGN = ["eve", "other", "others_record", "no_such_thing"]

HOSTILE: dict[str, list[str]] = {
    "text": [literal(t) for t in [*TEXTS, *FOREIGN]] + ["repeat('x', 1000000)"],
    "integer": ["0", "-1", "2147483647", "-2147483648", "1000001"],
    "bigint": ["0", "-1", "9223372036854775807", "-9223372036854775808", "2147483648"],
    "bigint[]": ["'{}'", "'{NULL}'", "'{1,1,NULL,-1,9223372036854775807}'", "'{{1,2},{3,4}}'", "'[-5:-5]={1}'", "array_fill(1::bigint, '{10000}')"],
    "boolean": ["false", "true"],
    "double precision": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e308", "-1e308", "5e-324", "-1", "2"],
    "interval": ["'0'", "'-1 day'", "'infinity'", "'-infinity'", "'178000000 years'", "'-178000000 years'", "'1 microsecond'", "'1 month -30 days'", "'2147483647 days'"],
    "timestamp with time zone": ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59'", "'epoch'"],
    "text[]": [
        "'{}'", "'{NULL}'", "'{NULL,NULL}'", "'{\"\"}'", "'{{a,b},{c,d}}'", "'[0:1]={a,b}'", "'[-5:-5]={a}'", "'{{{{{a}}}}}'", "'{a,a,a}'", "array_fill('x'::text, '{10000}')",
        "ARRAY[repeat('x', 1000000)]", "'{eve,others_record,no_such_thing}'", "ARRAY['''; --', E'\\x01', '\\u0000']", "'{rewrite,no_such_thing}'", "array_fill('record1'::text, '{100,100}')",
    ],
    "jsonb[]": ["'{}'", "'{NULL}'", "'{NULL,NULL}'", "'{{1,2},{3,4}}'", "'{1,2,3}'", "'[5:6]={1,2}'", "'{null,null}'", "array_fill('{}'::jsonb, '{10000}')", f"ARRAY[{literal(nested(600)[0])}, '1e400']::jsonb[]"],
    "vector": ["'[1]'", "'[0, 0, 0]'", "'[3e38, 3e38, 3e38]'", "'[1e-45, 0, 0]'", "'[-0, -0, -0]'", "array_fill(1, '{16000}')::vector", "array_fill(0, '{2001}')::vector", "'[NaN, 1, 1]'", "'[1, 2, Infinity]'"],
    "regclass": [
        "0::oid::regclass", "4294967295::oid::regclass", "'pg_catalog.pg_class'", "'public.seen'", "'public.numbers'", "'public.pair'", "'public.parts'", "'public.parts_1'", "'public.stored'",
        "'public.documents_pkey'", "'public.documents_embedding_idx'", "'kepler.records'", "'kepler.memories'", "'kepler.entry_tables'", "'pg_stat_activity'", "'information_schema.tables'",
        "(SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'public.documents'::regclass)", "'kepler_data.inventory_1_entries'",
    ],
    "regrole": ["0::oid::regrole", "4294967295::oid::regrole", "'postgres'", "'pg_monitor'", "'pg_database_owner'"],
    "anyelement": [
        "1", "NULL::integer", "NULL::kepler.records", "ROW(1, 'x')", "ROW()", "'x'::text", "'\"x\"'::jsonb", "'{}'::text[]", "(SELECT c FROM pg_class AS c LIMIT 1)", "ROW(1, 'x')::public.pair",
        "(SELECT r FROM kepler.records AS r WHERE false)", "jsonb_populate_record(NULL::kepler.records, '{\"data\": null}')", "(SELECT m FROM kepler.memories AS m LIMIT 1)", "'infinity'::timestamptz",
    ],
}  # fmt: skip


CALLERS = itertools.cycle(["postgres", *(f"kepler_hostile_{level}" for level in ("reader", "writer", "worker", "admin"))])


class Argument(NamedTuple):
    name: str
    kind: str
    has_default: bool


class Function(NamedTuple):
    schema: str
    name: str
    arguments: list[Argument]

    @property
    def is_public(self) -> bool:
        return self.schema == "kepler"


class Call(NamedTuple):
    function: str
    is_public: bool
    # The hostile arguments.
    chosen: dict[str, str]
    statement: str


def functions(session: Session) -> list[Function]:
    rows = session.json(
        "SELECT json_agg(json_build_array(p.pronamespace::regnamespace, p.proname, (SELECT coalesce(json_agg(json_build_array(p.proargnames[i], format_type(p.proargtypes[i - 1], NULL), i > p.pronargs - p.pronargdefaults) ORDER BY i), '[]')"
        " FROM generate_series(1, p.pronargs::integer) AS i)) ORDER BY p.pronamespace <> 'kepler'::regnamespace, p.proname, p.oid::regprocedure::text COLLATE \"C\")"
        " FROM pg_proc AS p WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype"
    )
    return [Function(schema, name, [Argument(*a) for a in arguments]) for schema, name, arguments in rows if not ONLY or name == ONLY]


def known(function: Function, argument: Argument) -> str | Json | None:
    of_function = f"{function.name}.{argument.name}"
    return SANE.get(f"{of_function}.{argument.kind}", SANE.get(of_function, SANE.get(argument.name)))


def sane(function: Function, argument: Argument) -> str | None:
    """None is the default."""
    value = known(function, argument)
    if value is None or (isinstance(value, str) and argument.kind in ("json", "jsonb")):
        value = None if argument.has_default else BY_TYPE.get(argument.kind, "NULL")
    return literal(json.dumps(value.value)) if isinstance(value, Json) else value


def mutations(value: Any) -> Iterator[str]:
    """The document, each of its places hostile in turn, or gone, or beside something unknown."""
    mark = "\uf8ff"

    def with_place(document: Any) -> Iterator[Any]:
        yield mark
        if isinstance(document, dict):
            for key, member in document.items():
                yield from ({**document, key: inner} for inner in with_place(member))
                yield {k: v for k, v in document.items() if k != key}
            yield {**document, "no such key": mark}
        elif isinstance(document, list):
            for at, element in enumerate(document):
                yield from ([*document[:at], inner, *document[at + 1 :]] for inner in with_place(element))
            yield [*document, mark]

    for place in with_place(value):
        text = json.dumps(place)
        spot = json.dumps(mark)
        if spot not in text:
            yield text
            continue
        for hostile in HOSTILE_JSON:
            yield text.replace(spot, hostile)


def hostile(function: Function, argument: Argument) -> list[str]:
    values, kind = ["NULL"], argument.kind
    document = known(function, argument)
    if isinstance(document, Json) and kind in ("text", "json", "jsonb"):
        values += [literal(text) for text in mutations(document.value)]
        if kind == "text":
            values += [literal(text) for text in BROKEN_JSON]
    elif kind in ("json", "jsonb"):
        values += [literal(text) for text in HOSTILE_JSON]
    return values + HOSTILE.get(kind, [])


def call(function: Function, chosen: dict[str, str]) -> Call:
    arguments = []
    for argument in function.arguments:
        value = chosen.get(argument.name) or sane(function, argument)
        if value is not None:
            kind = "" if argument.kind.startswith("any") else f"::{argument.kind}"
            arguments.append(f"{argument.name} => ({value}){kind}")
    statement = f"SELECT * FROM {function.schema}.{function.name}({', '.join(arguments)})"
    if not function.is_public:
        # Nobody is meant to call it; the owner and each level try, in turn.
        statement = f"SET LOCAL ROLE {next(CALLERS)};\n{statement}"
    return Call(function.name, function.is_public, chosen, statement)


def calls(all_functions: list[Function]) -> list[Call]:
    """What is right first; then one hostile argument at a time, a few for each argument before the many
    mutations of documents; then several."""
    rng = random.Random(SEED)
    first: list[Call] = []
    rest: list[Call] = []
    for function in all_functions:
        for argument in function.arguments:
            values = hostile(function, argument)
            rng.shuffle(values)
            made = [call(function, {argument.name: value}) for value in values]
            first += made[:40]
            rest += made[40:]
    rng.shuffle(first)
    rng.shuffle(rest)
    several = []
    for _ in range(ROUNDS):
        function = rng.choice([f for f in all_functions if f.arguments])
        some = rng.sample(function.arguments, min(len(function.arguments), rng.randint(2, 4)))
        several.append(call(function, {argument.name: rng.choice(hostile(function, argument)) for argument in some}))
    return [*(call(function, {}) for function in all_functions), *[*first, *rest][:CALLS], *several]


class Runner:
    """One psql after another works them off, in a pipe that is always full."""

    def __init__(self, database: str) -> None:
        self.database, self.codes = database, Counter[str]()
        self.problems: dict[tuple[str, ...], list[str]] = defaultdict(list)

    def run(self, made: list[Call]) -> None:
        first, losses = 0, 0
        while first < len(made) and losses < 5:
            first = self.session(made, first)
            losses += first < len(made)

    def session(self, made: list[Call], first: int) -> int:
        """Runs from the first on, and gives the number of the next call: those behind a lost connection are left."""
        psql = Path(os.environ["PG_BIN"]) / "psql"
        process = subprocess.Popen(
            [str(psql), "-XqAt", "-d", self.database, "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=never", "-o", "/dev/null"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
            env={**os.environ, "PGCLIENTENCODING": "UTF8", "PGAPPNAME": "hostile_calls", "PGOPTIONS": f"-c client_min_messages=error -c log_min_messages=fatal -c statement_timeout={LIMIT}"},
        )  # fmt: skip
        assert process.stdin and process.stdout
        stdin, stdout = process.stdin, process.stdout

        def write() -> None:
            try:
                for number in range(first, len(made)):
                    stdin.write(f"BEGIN;\n{made[number].statement};\nROLLBACK;\n\\echo ended {number}\n")
                stdin.close()
            except (BrokenPipeError, ValueError):
                pass

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        said: list[str] = []
        number = first
        for line in stdout:
            if line == f"ended {number}\n":
                self.judge(made[number], said)
                said = []
                number += 1
            else:
                said.append(line)
        process.kill()
        process.wait()
        if number < len(made):
            self.problem(made[number], "the connection was lost", "".join(said))
            return number + 1
        return number

    def judge(self, made: Call, said: list[str]) -> None:
        errors = [match for line in said if (match := re.match(r"(ERROR|FATAL|PANIC):  (\w{5}): ?(.*)", line))]
        if not said:
            self.codes["ok"] += 1
        elif len(errors) != 1:
            self.problem(made, "neither an answer nor one error", "".join(said))
        else:
            level, code, message = errors[0].groups()
            self.codes[code] += 1
            # There are rows, and it says so.
            if not made.chosen and made.is_public and (made.function, code) not in {("uninstall", "55000"), ("distribute", "55000")}:
                self.problem(made, f"what is right is refused: {code}", message)
            elif level != "ERROR" or code.startswith("XX") or code == "57014" or not message.strip():
                self.problem(made, code, message)

    def problem(self, made: Call, what: str, said: str) -> None:
        arguments = ", ".join(f"{argument} => {value[:100]}" for argument, value in made.chosen.items())
        self.problems[what, made.function, *made.chosen].append(f"{arguments}\n    {said[:300].strip()}")


def main() -> int:
    begun = time.monotonic()
    session = Session(sys.argv[1])
    all_functions = functions(session)
    session.close()
    made = calls(all_functions)
    runner = Runner(sys.argv[1])
    runner.run(made)
    for (what, function, *arguments), found in sorted(runner.problems.items()):
        print(f"{what}: {function}({', '.join(arguments)}), {len(found)} times")
        for problem in found[:3]:
            print(f"  {problem}")
    told = ", ".join(f"{code}: {count}" for code, count in runner.codes.most_common())
    print(f"{len(made)} calls of {len(all_functions)} functions in {time.monotonic() - begun:.0f} s, {sum(map(len, runner.problems.values()))} of them bad ({told})")
    return 1 if runner.problems else 0


if __name__ == "__main__":
    sys.exit(main())
