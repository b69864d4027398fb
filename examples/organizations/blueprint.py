#!/usr/bin/env python3
"""NeonHub's blueprint, with each organisation in a workspace of its own.

    python3 blueprint.py ../blueprints/neonhub.json >neonhub.json

The field `organizationId` names the workspace of a row, and the table of organisations, to which it refers, is each
workspace's own too. What belongs to an organisation without saying so gets the field, with the workspace as its default,
so that an application that knows nothing of it goes on as before.
"""

from __future__ import annotations

import json
import sys
from typing import Any

FIELD = "organizationId"
# Reached through a parent alone; the last two have no parent, and hold what one organisation does.
OF_AN_ORGANIZATION = [
    "RolePermission", "BrandVoice", "BrandAsset", "AgentCapability", "AgentConfig", "AgentRunMetric", "ToolExecution", "Message",
    "Chunk", "TrainingJob", "CampaignMetric", "MarketingTouchpoint", "EmailSequence", "SocialPost", "ABTest", "TriggerConfig",
    "ActionConfig", "MetricEvent", "AgentMemory",
]  # fmt: skip
# Of all organisations: what every customer gets, and can read.
SHARED = ["Persona", "Keyword", "EditorialCalendar", "Connector"]
# Of a person, who may belong to several organisations: organizations.sql says who sees them.
OF_A_PERSON = [
    "User", "Account", "Session", "VerificationToken", "Credential", "UserSettings", "Subscription", "Invoice", "UsageRecord",
]  # fmt: skip
WORKSPACE = "kepler.current_workspace_id()"


def for_organizations(document: dict[str, Any]) -> dict[str, Any]:
    document["tenancy"] = {"field": FIELD}
    for table in document["tables"]:
        field = next((field for field in table["fields"] if field["name"] == FIELD), None)
        name = table["name"]
        if name in OF_AN_ORGANIZATION:
            field = {"name": FIELD, "type": "reference", "to": "Organization", "required": True}
            field |= {"on_delete": "cascade", "on_update": "cascade"}
            table["fields"].append(field)
        elif field is None and name not in [*SHARED, *OF_A_PERSON, "Organization"]:
            raise SystemExit(f"whose are the rows of {name}?")
        if field is not None:
            field["default_sql"] = WORKSPACE
    # Two organisations may have an agent of one name that remembers something under one key.
    memory = next(table for table in document["tables"] if table["name"] == "AgentMemory")
    memory["unique"][0]["fields"].insert(0, FIELD)
    # The organisation of the seed has the id of its workspace; what it owns names it.
    seed = document["seed"]
    seed["Organization"]["rows"][0]["id"] = "primary"
    for name in OF_AN_ORGANIZATION:
        for row in seed.get(name, {}).get("rows", []):
            row[FIELD] = "primary"
    return document


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump(for_organizations(json.load(file)), sys.stdout, indent=2, ensure_ascii=False)
        print()
