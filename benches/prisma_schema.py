"""A schema.prisma of the shape that applications have: a fixed seed gives the same one in every run.

Of 75 models it has about 770 columns, 17 enums, 130 references and 120 indexes, as the application has from which Kepler's
blueprints were first asked for.
"""

from __future__ import annotations

from random import Random

HEAD = """datasource db {
  provider = "postgresql"
}

generator client {
  provider = "prisma-client-js"
}
"""
NAMES = "account address agent asset audit brand budget campaign channel comment content coupon event invoice item job".split()
NAMES += "keyword lead link list member message metric note offer order page plan post price product profile".split()
KINDS = "draft entry group history link log member review rule set state step template version".split()
# A type with its attributes, and how many columns of 100 have it.
TYPES = (
    ("String", 38),
    ("String?", 22),
    ("String @db.Text", 4),
    ("DateTime?", 8),
    ("Json?", 6),
    ('Json @default("{}")', 4),
    ("Int @default(0)", 7),
    ("Float?", 4),
    ("Boolean @default(false)", 4),
    ("String[]", 2),
    ("Decimal @db.Decimal(12, 2)", 1),
)
ACTIONS = ("", ", onDelete: Cascade", ", onDelete: Cascade", ", onDelete: SetNull")


def _title(*words: str) -> str:
    return "".join(word.capitalize() for word in words)


def schema(models: int, version: int = 1) -> str:
    """Each version has one column and one index more than the one before."""
    random = Random(models)
    pairs = [(first, second) for second in KINDS for first in NAMES]
    names = [_title(*pair) for pair in random.sample(pairs, models)]
    enums = [f"Enum{number + 1}" for number in range(models * 17 // 75)]
    blocks = [HEAD]
    for enum in enums:
        members = random.sample(KINDS, random.randint(3, 6))
        blocks.append(f"enum {enum} {{\n" + "".join(f"  {member.upper()}\n" for member in members) + "}\n")
    back: dict[str, list[str]] = {name: [] for name in names}
    bodies: dict[str, list[str]] = {}
    for name in names:
        lines = bodies[name] = ["  id String @id @default(cuid())", "  createdAt DateTime @default(now())"]
        rules = []
        if random.random() < 0.6:
            lines.append("  updatedAt DateTime @updatedAt")
        kinds = random.choices([kind for kind, _ in TYPES], [share for _, share in TYPES], k=random.randint(3, 8))
        lines += [f"  field{number + 1} {kind}" for number, kind in enumerate(kinds)]
        if random.random() < 17 / 75:
            enum = random.choice(enums)
            lines.append(f"  state {enum}")
            rules.append("  @@index([state, createdAt])")
        if random.random() < 0.3:
            lines.append("  slug String @unique")
        for number, target in enumerate(random.sample(names, random.choices((0, 1, 2, 3, 4), (10, 32, 35, 17, 6))[0])):
            action = random.choice(ACTIONS)
            optional = "?" if "SetNull" in action or target == name else ""
            relation = f"{name}{number + 1}"
            lines.append(f"  parent{number + 1}Id String{optional}")
            lines.append(
                f'  parent{number + 1} {target}{optional} @relation("{relation}", fields: [parent{number + 1}Id], references: [id]{action})'
            )
            back[target].append(f'  of{relation} {name}[] @relation("{relation}")')
            if random.random() < 0.5:
                rules.append(f"  @@index([parent{number + 1}Id])")
        if random.random() < 0.25:
            rules.append("  @@unique([createdAt, field1])" if "[]" not in kinds[0] and "Json" not in kinds[0] else "  @@index([createdAt])")
        bodies[name] += rules
    for number in range(version - 1):
        bodies[names[0]] += [f"  added{number + 1} String?", f"  @@index([added{number + 1}])"]
    for name in names:
        fields = [line for line in bodies[name] if not line.startswith("  @@")] + back[name]
        rules = [line for line in bodies[name] if line.startswith("  @@")]
        table = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")
        blocks.append("\n".join([f"model {name} {{", *fields, "", *rules, f'  @@map("{table}s")', "}\n"]))
    return "\n".join(blocks)
