"""An assistant learns what a user prefers, over several conversations, and finds it again.

Which sentences hold a fact is a language model's to say; here it is written down. Run it with the usual
environment of libpq (PGHOST, PGDATABASE, …). It leaves nothing behind.
"""

from __future__ import annotations

from datetime import datetime, timezone

import psycopg

from embedding import NAME, Model
from memory import AgentMemory


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def talk(memory: AgentMemory, title: str, turns: list[tuple[str, str]]) -> str:
    conversation = memory.begin_conversation(title)
    for role, content in turns:
        memory.say(conversation, role, content)
    return conversation


def walk(connection: psycopg.Connection) -> None:
    model = Model()
    connection.execute("SELECT count(*) FROM kepler.install()")
    connection.execute("INSERT INTO kepler.workspaces (id, name) VALUES ('agent-memory', 'Agent memory')")
    connection.execute("SET LOCAL kepler.workspace_id = 'agent-memory'")
    connection.execute(
        "INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com')"
    )
    connection.execute(
        "SELECT kepler.create_embedding_space('walkthrough', dimensions => %s, model => %s)", (model.dimensions, NAME)
    )
    connection.execute("SELECT kepler.activate_embedding_space('walkthrough')")
    ada = AgentMemory(connection, model.embed, "ada")
    bob = AgentMemory(connection, model.embed, "bob")

    heading("January: a trip")
    trip = talk(ada, "A trip to Lisbon", [
        ("user", "I want to see Lisbon in spring. I never take flights before nine in the morning."),
        ("assistant", "There is one at 10:40. Window or aisle?"),
        ("user", "Always the window."),
    ])
    january = datetime(2026, 1, 10, tzinfo=timezone.utc)
    ada.learn("Does not take flights that leave before nine in the morning", "preference", trip, january)
    seat, _ = ada.learn("Prefers a window seat on planes", "preference", trip, january)
    ada.learn("Wants to see Lisbon in spring", "plan", trip, january)
    print("learned 3 things")

    heading("February: dinner")
    dinner = talk(ada, "Dinner for six", [
        ("user", "Six people on Friday. I am a vegetarian, and my son must not eat peanuts."),
        ("assistant", "How about a risotto with mushrooms?"),
    ])
    february = datetime(2026, 2, 3, tzinfo=timezone.utc)
    food, _ = ada.learn("Is a vegetarian and eats no meat and no fish", "preference", dinner, february)
    ada.learn("Her son is allergic to peanuts", "fact", dinner, february)
    _, outcome = ada.learn("Prefers a window seat on planes", "preference", dinner, february)
    print(f"said again: {outcome}")
    bob.learn("Loves steak, rare", "preference", "bob's", february)

    heading("March: a new conversation, which knows nothing yet")
    question = "Where can my son and I eat in Lisbon this spring?"
    lunch = talk(ada, "Lunch", [("user", question)])
    for message in ada.prompt(lunch, question):
        print(f"[{message['role']}] {message['content']}")

    heading("What changes, changes")
    april = datetime(2026, 4, 20, tzinfo=timezone.utc)
    _, outcome = ada.learn("Eats fish now, but still no meat", "preference", lunch, april, instead_of=food)
    print(f"a correction: {outcome}")
    question = "Does she eat fish or meat?"
    print(f"now:      {ada.recall(question, 1)[0].content}")
    print(f"in March: {ada.recall(question, 1, at=datetime(2026, 3, 1, tzinfo=timezone.utc))[0].content}")
    for content, holds in ada.history(food):
        print(f"{'still true' if holds else 'was true'}: {content}")

    heading("Narrower questions")
    by_plan = ada.recall("travel", 5, kinds=["plan"])
    print("plans:", "; ".join(memory.content for memory in by_plan))
    from_dinner = ada.recall("family", 5, filter={"conversation": dinner})
    print("from the dinner:", "; ".join(memory.content for memory in from_dinner))
    print("Bob's:", "; ".join(memory.content for memory in bob.recall("window seats on planes", 5)))

    heading("Forgotten on request")
    print(f"the seat: {ada.forget(seat)}")
    print("seats:", "; ".join(memory.content for memory in ada.recall("window or aisle seat on a plane", 1)))


def main() -> None:
    with psycopg.connect() as connection:
        with connection.transaction(force_rollback=True):
            walk(connection)


if __name__ == "__main__":
    main()
