"""The demo's part about blueprints: a schema.prisma becomes tables, its next version is planned, drift is found."""

from __future__ import annotations

from demo_base import Demo, heading, print_table

SCHEMA = """datasource db {
  provider = "postgresql"
}

model Author {
  id    String @id @default(cuid())
  name  String @unique
  books Book[]
}

model Book {
  id        Int       @id @default(autoincrement())
  title     String    @db.VarChar(200)
  state     State     @default(DRAFT)
  author    Author    @relation(fields: [authorId], references: [id], onDelete: Cascade)
  authorId  String
  updatedAt DateTime  @updatedAt

  @@index([authorId, title])
}

enum State {
  DRAFT
  PUBLISHED
}
"""
NEXT = SCHEMA.replace("  title     String    @db.VarChar(200)", "  title     String").replace(
    "  PUBLISHED", "  PUBLISHED\n  WITHDRAWN"
)
DRIFT = "SELECT object_type, object, kind FROM kepler.blueprint_drift('library') WHERE kind <> 'coverage'"


def document(schema: str) -> str:
    """SQL for the blueprint of a schema."""
    return f"kepler.blueprint_from_prisma($schema${schema}$schema$, 'library', '{{\"schema\": \"library\"}}')"


def count(demo: Demo, query: str) -> int:
    return int(demo.session.value(f"SELECT count(*) FROM ({query}) AS q"))


def run(demo: Demo, number: int) -> None:
    session = demo.session
    heading(
        number,
        "A schema.prisma becomes tables",
        "Two models and an enum, as an application has them, are read into a blueprint and applied. Then comes\n"
        "   their next version, with a longer title and another state:",
    )
    outcome, steps = session.json(
        f"SELECT json_build_array(a.outcome, a.steps) FROM kepler.apply_blueprint({document(SCHEMA)}) AS a"
    )
    demo.expect(outcome == "applied", f"applied in {steps} steps, in one transaction")
    again = count(demo, f"SELECT FROM kepler.plan_blueprint({document(SCHEMA)})")
    demo.expect(again == 0, "the plan of the same schema is empty")
    session.run(
        "WITH author AS (INSERT INTO library.\"Author\" (name) VALUES ('Ada') RETURNING id)"
        " INSERT INTO library.\"Book\" (title, \"authorId\") SELECT 'Notes', id FROM author"
    )
    filled = count(demo, 'SELECT FROM library."Book" WHERE length("authorId") = 24 AND "updatedAt" IS NOT NULL')
    demo.expect(filled == 1, "SQL gets the ids and times that Prisma's client would make")
    plan = session.json(
        "SELECT coalesce(json_agg(json_build_array(p.class, p.statement) ORDER BY p.step), '[]')"
        f" FROM kepler.plan_blueprint({document(NEXT)}) AS p"
    )
    print_table(["class", "statement"], plan)
    session.run(f"SELECT FROM kepler.apply_blueprint({document(NEXT)})")
    demo.expect(count(demo, f"SELECT FROM kepler.plan_blueprint({document(NEXT)})") == 0, "applied")

    heading(number + 1, "Somebody changes a table by hand", "The database itself tells what differs from the blueprint:")
    session.run(
        'DROP INDEX library."Book_authorId_title_idx"; ALTER TABLE library."Author" ALTER COLUMN name DROP NOT NULL'
    )
    found = session.json(
        f"SELECT coalesce(json_agg(json_build_array(d.object_type, d.object, d.kind)), '[]') FROM ({DRIFT}) AS d"
    )
    print_table(["object_type", "object", "kind"], found)
    demo.expect(len(found) == 2, "both changes are told")
    repairs = session.json("SELECT json_agg(r.statement ORDER BY r.step) FROM kepler.repair_blueprint('library') AS r")
    for statement in repairs:
        session.run(statement)
    demo.expect(count(demo, DRIFT) == 0, f"no drift is left after the {len(repairs)} statements of repair_blueprint")
