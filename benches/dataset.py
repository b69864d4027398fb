"""Documents like those of a customer database: some 25 fields, about 1 kB, the same in every run.

A document is a pure function of its number and its revision. Texts are as an API sends them:
compact, in UTF-8, with the keys always in one order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]

FIRST_NAMES = "Ada Björn Chloé Dmitri Élodie Farid Grace Hiroshi Ingrid José Kwame Łucja".split()
LAST_NAMES = "Adeyemi Blažek Castillo Dupont Eriksson Fischer García Hansen Ito Jovanović".split()
COMPANIES = "Acme Borealis Cascade Delphi Evergreen Fjord Globex Helios Juniper Kestrel".split()
CITIES = "Amsterdam Bogotá Cairo Dakar Edinburgh Fukuoka Göteborg İzmir Jakarta Kraków 東京".split()
STREETS = "Harbour Mill Station Church Garden Market Bridge Castle Forest River".split()
STAGES = "lead qualified proposal negotiation won lost".split()
TAGS = "newsletter partner vip trial churn-risk reseller beta event-2024 invoice".split()
WORDS = (
    "agreed ahead of the next review to send an offer for renewal with terms that cover both "
    "sites and asked whether delivery before the end of the quarter is possible since their "
    "budget closes \"soon\"; call again on Monday about pricing, security questions\nand references"
).split(" ")


def external_id(number: int) -> str:
    """Ids that rise with the age of what they name, as most do."""
    return f"cus_{number:018}"


def document(number: int) -> Document:
    """Revision 0 of a document."""
    rng = random.Random(number)
    pick = rng.choice
    first, last, company = pick(FIRST_NAMES), pick(LAST_NAMES), pick(COMPANIES)
    site = f"{company.lower()}.example"
    day = f"2023-{1 + number % 12:02}-{1 + number % 28:02}"
    return {
        "id": external_id(number),
        "object": "customer",
        "revision": 0,
        "name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.{number}@{site}".lower(),
        "phone": f"+{rng.randrange(1, 99)} {rng.randrange(10**9, 10**10)}",
        "company": f"{company} {pick(('Ltd', 'GmbH', 'Inc', 'S.A.'))}",
        "title": pick(("Buyer", "Engineer", "Head of Operations", "CFO", None)),
        "website": f"https://www.{site}/team/{number}",
        "stage": pick(STAGES),
        "amount": round(rng.random() * 100_000, 2),
        "currency": pick(("EUR", "USD", "JPY", "GBP")),
        "probability": rng.randrange(0, 101, 5),
        "active": rng.random() < 0.8,
        "opted_out": rng.random() < 0.1,
        "employees": rng.randrange(1, 20_000),
        "address": {
            "street": f"{rng.randrange(1, 300)} {pick(STREETS)} Street",
            "city": pick(CITIES),
            "postal_code": f"{rng.randrange(10_000, 99_999)}",
            "location": {"latitude": rng.uniform(-60, 70), "longitude": rng.uniform(-180, 180)},
        },
        "tags": rng.sample(TAGS, rng.randrange(1, 6)),
        "owner": {"id": rng.randrange(1, 500), "name": f"{pick(FIRST_NAMES)} {pick(LAST_NAMES)}"},
        "notes": " ".join(rng.choices(WORDS, k=38)),
        "last_contacted_at": f"{day}T{rng.randrange(24):02}:{rng.randrange(60):02}:00Z",
        "created_at": f"{day}T08:00:00.000Z",
        "updated_at": f"{day}T18:30:00.000Z",
    }


def revised(original: Document, revision: int) -> Document:
    """The document after somebody has worked on it: the same keys, other values in five of them."""
    return {
        **original,
        "revision": revision,
        "stage": STAGES[(STAGES.index(original["stage"]) + revision) % len(STAGES)],
        "amount": round(original["amount"] + 100 * revision, 2),
        "notes": f"Revision {revision}: {original['notes']}"[: len(original["notes"])],
        "updated_at": f"2024-0{revision}-01T09:15:00.000Z",
    }


def compact(value: Document) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def respelled(value: Document) -> str:
    """The same content as another serialiser might write it: keys in another order, with blanks."""
    return json.dumps(dict(reversed(value.items())), ensure_ascii=False)


# What happens to the documents: each step is an SQL expression over their number, for the revision
# in which they are after it.
RESPELLED = 4
STEPS = {
    "base": "0",
    "one_percent": "CASE WHEN number % 100 = 50 THEN 1 ELSE 0 END",
    "ten_percent": "CASE WHEN number % 10 = 5 THEN 2 WHEN number % 100 = 50 THEN 1 ELSE 0 END",
    "all_changed": "3",
    "respelled": str(RESPELLED),
}


def copy_lines(rows: int) -> Iterator[str]:
    """Every revision that a step needs, as lines for COPY: number, revision, external id, text."""
    for number in range(rows):
        original = document(number)
        texts = {0: compact(original)}
        if number % 100 == 50:
            texts[1] = compact(revised(original, 1))
        if number % 10 == 5:
            texts[2] = compact(revised(original, 2))
        last = revised(original, 3)
        texts[3] = compact(last)
        texts[RESPELLED] = respelled(last)
        for revision, text in texts.items():
            escaped = text.replace("\\", "\\\\")
            yield f"{number}\t{revision}\t{external_id(number)}\t{escaped}"
