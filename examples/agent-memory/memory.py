"""What an agent needs of Kepler: conversations that are kept, and what it learned from them, found again.

Everything is a call of an SQL function; another language calls the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

Embed = Callable[[Sequence[str]], list[list[float]]]


@dataclass(frozen=True)
class Recalled:
    """A memory that fits a question."""

    memory_id: str
    content: str
    similarity: float


class AgentMemory:
    """The memory of an agent about one user. Others' memories are never found."""

    def __init__(self, connection: psycopg.Connection, embed: Embed, user_id: str) -> None:
        self._connection = connection
        self._embed = embed
        self._user_id = user_id

    def begin_conversation(self, title: str) -> str:
        row = self._connection.execute(
            "INSERT INTO kepler.conversations (user_id, title) VALUES (%s, %s) RETURNING id",
            (self._user_id, title),
        ).fetchone()
        assert row is not None
        return str(row[0])

    def say(self, conversation_id: str, role: str, content: str) -> int:
        """Adds a message and gives its number in the conversation."""
        row = self._connection.execute(
            "SELECT number FROM kepler.add_message(%s, %s, %s)", (conversation_id, role, content)
        ).fetchone()
        assert row is not None
        return int(row[0])

    def learn(
        self, fact: str, kind: str, source: str, since: datetime | None = None, instead_of: str | None = None
    ) -> tuple[str, str]:
        """Remembers what was learned in a conversation, and gives the memory and what was done: added, or
        duplicate where the same is known already. `instead_of` names a memory that is no longer true."""
        row = self._connection.execute(
            "SELECT memory_id, outcome FROM kepler.remember(%s::text, %s::vector, user_id => %s,"
            " context_type => %s, metadata => %s::jsonb, valid_from => %s, supersedes => %s, dedupe => %s)",
            (
                fact, self._vector(fact), self._user_id, kind, json.dumps({"conversation": source}), since,
                instead_of, instead_of is None,
            ),
        ).fetchone()
        assert row is not None
        return str(row[0]), str(row[1])

    def recall(
        self, question: str, rows: int = 3, kinds: list[str] | None = None, at: datetime | None = None,
        filter: dict[str, object] | None = None,
    ) -> list[Recalled]:
        """What fits the question best, by meaning and by words; `at`: of what was true then."""
        found = self._connection.execute(
            "SELECT memory_id, content, similarity FROM kepler.search_memories(%s::vector, max_rows => %s,"
            " user_id => %s, query_text => %s, context_types => %s::text[], filter => %s::jsonb, as_of => %s,"
            " touch => true)",
            (
                self._vector(question), rows, self._user_id, question, kinds,
                None if filter is None else json.dumps(filter), at,
            ),
        )
        return [Recalled(memory_id, content, similarity) for memory_id, content, similarity in found]

    def prompt(self, conversation_id: str, question: str, max_tokens: int = 1000) -> list[dict[str, str]]:
        """Messages for a model: what is known, then as much of the conversation as fits."""
        known = "\n".join(f"- {memory.content}" for memory in self.recall(question))
        turns = self._connection.execute(
            "SELECT role::text, content FROM kepler.conversation_window(%s, max_tokens => %s, keep_system => true)",
            (conversation_id, max_tokens),
        )
        messages = [{"role": "system", "content": f"What you know about the user:\n{known}"}]
        return messages + [{"role": role, "content": content} for role, content in turns]

    def history(self, memory_id: str) -> list[tuple[str, bool]]:
        """What a memory said before and says now, and whether it still holds."""
        rows = self._connection.execute(
            "SELECT content, valid_to IS NULL FROM kepler.memory_history(%s, user_id => %s) ORDER BY version",
            (memory_id, self._user_id),
        )
        return [(content, holds) for content, holds in rows]

    def forget(self, memory_id: str) -> str:
        # An id may come from a model: it reaches this user's memories only.
        row = self._connection.execute(
            "SELECT outcome FROM kepler.forget(%s, user_id => %s)", ([memory_id], self._user_id)
        ).fetchone()
        assert row is not None
        return str(row[0])

    def _vector(self, text: str) -> str:
        return json.dumps(self._embed([text])[0])
