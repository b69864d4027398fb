#!/usr/bin/env python3
"""The life of a Salesforce migrator's database, from an application in Python. Started by salesforce_migrator.sh."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

SESSIONS, ROUNDS = 8, 25
ORGS = [f"org{number}.my.salesforce.com" for number in range(SESSIONS)]


class Migrator:
    """What the application asks of its database."""

    def __init__(self) -> None:
        self.db = psycopg.connect(
            dbname=os.environ["KEPLER_DATABASE"],
            user=os.environ["KEPLER_APPLICATION"],
            options="-c search_path=salesforce_migrator",
            autocommit=True,
            row_factory=dict_row,
        )

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.db.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *values: Any) -> dict[str, Any]:
        (row,) = self.rows(query, *values)
        return row

    def register(self, domain: str) -> str:
        return self.one(
            """INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken", "refreshToken")
            VALUES (%s, %s, %s, %s) RETURNING id""",
            domain, f"https://{domain}", f"vault:salesforce/{domain}/access", f"vault:salesforce/{domain}/refresh",
        )["id"]

    def schedule(self, schedule: str, source: str, target: str, start: datetime) -> dict[str, Any]:
        return self.one(
            """INSERT INTO "DataMigration" ("dataScheduleId", "sourceOrgId", "targetOrgId", "scheduledStartTime")
            VALUES (%s, %s, %s, %s) RETURNING *""",
            schedule, source, target, start,
        )

    def find(self, schedule: str) -> dict[str, Any] | None:
        """prisma.dataMigration.findUnique, with sourceOrg, targetOrg and migrationLogs included."""
        found = self.rows(
            """SELECT m.*, to_jsonb(source) AS "sourceOrg", to_jsonb(target) AS "targetOrg", (
                SELECT coalesce(jsonb_agg(l ORDER BY l."objectName"), '[]') FROM "MigrationLog" AS l
                WHERE l."dataMigrationId" = m.id) AS "migrationLogs"
            FROM "DataMigration" AS m
            LEFT JOIN "RegisteredOrg" AS source ON source.id = m."sourceOrgId"
            LEFT JOIN "RegisteredOrg" AS target ON target.id = m."targetOrgId"
            WHERE m."dataScheduleId" = %s""",
            schedule,
        )
        return found[0] if found else None

    def patch(self, table: str, schedule: str, column: str, operations: Any, **new_row: Any) -> dict[str, Any]:
        """Into the row of the schedule, which is made if nobody has made it."""
        return self.one(
            "SELECT * FROM kepler.upsert_document(%s::regclass, %s, %s::name, %s, new_row => %s)",
            f'"{table}"', Jsonb({"dataScheduleId": schedule}), column, Jsonb(operations), Jsonb(new_row),
        )


def together(work: Any) -> list[Any]:
    """Runs it in eight sessions that begin at once."""
    ready = threading.Barrier(SESSIONS)

    def session(number: int) -> Any:
        migrator = Migrator()
        ready.wait()
        return work(migrator, number)

    with ThreadPoolExecutor(SESSIONS) as pool:
        return list(pool.map(session, range(SESSIONS)))


def main() -> None:
    app = Migrator()
    source, target, *others = (app.register(domain) for domain in ORGS)
    migration = app.schedule("schedule-py", source, target, datetime(2031, 1, 1, 2))
    assert migration["status"] == "Pending" and migration["createdAt"] == migration["updatedAt"], migration

    # What is no reference to a secret is refused, and the error does not repeat it.
    try:
        app.rows('UPDATE "RegisteredOrg" SET "accessToken" = %s WHERE id = %s', "hunter2hunter2", source)
        raise AssertionError("a secret was taken")
    except psycopg.Error as error:
        assert "hunter2" not in str(error) and "accessToken" in str(error), error

    # One log for each object, by an application that names every column.
    for object_name, success, failure in (("Account", 10, 0), ("Contact", 19, 1)):
        app.rows(
            """INSERT INTO "MigrationLog" ("dataMigrationId", "objectName", "recordCount", "successCount", "failureCount", details)
            VALUES (%s, %s, %s, %s, %s, %s)""",
            migration["id"], object_name, success + failure, success, failure, Jsonb({"batch": 1}),
        )

    # Eight sessions write result.<org> of one job, whose row nobody has made: each adds to its own organisation, to a count
    # of all and to a list. One of them makes the row; no addition is lost.
    def patch(migrator: Migrator, number: int) -> list[str]:
        org = ORGS[number]
        return [
            migrator.patch(
                "CreateCustomFieldLog",
                "fields-py",
                "result",
                [
                    {"op": "$inc", "path": [org, "created"], "value": 1},
                    {"op": "$set", "path": [org, "round"], "value": turn},
                    {"op": "$inc", "path": "all", "value": 1},
                    {"op": "$addToSet", "path": "orgs", "value": org},
                ],
                registeredOrgId=source,
                consoleOrgDomainName=org,
            )["outcome"]
            for turn in range(ROUNDS)
        ]

    outcomes = [outcome for session in together(patch) for outcome in session]
    assert sorted(outcomes) == ["inserted"] + ["updated"] * (SESSIONS * ROUNDS - 1), outcomes
    job = app.one('SELECT * FROM "CreateCustomFieldLog"')
    assert {org: job["result"].pop(org) for org in ORGS} == {org: {"created": ROUNDS, "round": ROUNDS - 1} for org in ORGS}
    assert sorted(job["result"].pop("orgs")) == ORGS and job["result"] == {"all": SESSIONS * ROUNDS}, job
    assert job["status"] == "Queued" and job["registeredOrgId"] == source and job["consoleOrgDomainName"] in ORGS

    # Eight sessions schedule the same migration: one does, the others are told.
    def schedule(migrator: Migrator, _: int) -> str:
        try:
            migrator.schedule("schedule-once", source, target, datetime(2031, 1, 1))
        except errors.UniqueViolation as error:
            return str(error.diag.constraint_name)
        return "scheduled"

    answers = sorted(together(schedule))
    assert answers == ["DataMigration_dataScheduleId_key"] * (SESSIONS - 1) + ["scheduled"], answers

    # The migration runs and ends; its updatedAt moves with each step.
    for status in ("Running", "Completed"):
        step = app.one('UPDATE "DataMigration" SET status = %s WHERE id = %s RETURNING "updatedAt"', status, migration["id"])
        assert step["updatedAt"] >= migration["updatedAt"]
        migration |= step
    found = app.find("schedule-py")
    assert found and found["status"] == "Completed" and found["scheduledStartTime"] == datetime(2031, 1, 1, 2)
    assert found["sourceOrg"]["domainName"] == ORGS[0] and found["targetOrg"]["domainName"] == ORGS[1]
    assert [(log["objectName"], log["successCount"], log["failureCount"]) for log in found["migrationLogs"]] == [
        ("Account", 10, 0),
        ("Contact", 19, 1),
    ]
    assert app.find("schedule-none") is None

    # A log that names no migration is refused, and the error says by which key.
    try:
        app.rows("""INSERT INTO "MigrationLog" ("dataMigrationId", "objectName") VALUES ('none', 'Account')""")
        raise AssertionError("a log of no migration was taken")
    except errors.ForeignKeyViolation as error:
        assert error.diag.constraint_name == "MigrationLog_dataMigrationId_fkey", error

    # The organisation goes: what it did stays. Then the migration, with its logs. Then everything.
    app.rows('DELETE FROM "RegisteredOrg" WHERE id = %s', source)
    found = app.find("schedule-py")
    assert found and found["sourceOrg"] is None and found["targetOrg"]["id"] == target and len(found["migrationLogs"]) == 2
    assert app.one('SELECT "registeredOrgId" FROM "CreateCustomFieldLog"') == {"registeredOrgId": None}
    app.rows('DELETE FROM "DataMigration" WHERE "dataScheduleId" = %s', "schedule-py")
    assert app.find("schedule-py") is None and app.rows('SELECT FROM "MigrationLog"') == []
    for table in ("DataMigration", "CreateCustomFieldLog", "RegisteredOrg"):
        app.rows(f'DELETE FROM "{table}"')
        assert app.rows(f'SELECT FROM "{table}"') == []
    print(f"{SESSIONS} sessions, {len(outcomes)} patches of one document")


main()
