#!/usr/bin/env python3
"""Writes the SQL that brings the extension from one version to another, from the catalogs of two databases.

tools/upgrade-script.sh makes the databases and calls this. What is compared is what tools/extension_catalog.sql prints of each:

    upgrade_script.py symbols FILE.sql[.gz]    the C functions that a version's SQL names, one a line
    upgrade_script.py symbols_kept OLD NEW     fails if both versions name a C function and call it differently
    upgrade_script.py write OLD NEW FROM TO    the script, on standard output
    upgrade_script.py compare A B              says what differs, member by member, and fails if anything does
    upgrade_script.py added OLD NEW            the functions that only the new one has, one a line

What the tool cannot write it names, and writes nothing.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from typing import Any

Member = dict[str, Any]
Members = dict[str, Member]

# A schema that has no other name: pgvector may lie in any.
VECTOR_SCHEMA = re.compile(r"\bschema_of_vector\b")

# The order of what does not need each other.
KINDS = ["SCHEMA", "SCHEMA OF THE EXTENSION", "TYPE", "DOMAIN", "FUNCTION", "AGGREGATE", "OPERATOR", "CAST", "VIEW", "PROCEDURE", "EVENT TRIGGER"]
ROUTINES = ("FUNCTION", "PROCEDURE", "AGGREGATE")


def read(path: str) -> Members:
    with open(path, encoding="utf-8") as lines:
        members = [json.loads(line) for line in lines if line.strip()]
    found = {f"{member['kind']} {member['name']}": member for member in members}
    if not found:
        sys.exit(f"{path} holds no members: is the extension there?")
    return found


def literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def named(member: Member) -> str:
    """How DROP, COMMENT and GRANT call it."""
    kind = member["kind"]
    return f"{'SCHEMA' if kind == 'SCHEMA OF THE EXTENSION' else kind} {member['name']}"


# What the rest of a member is compared by; `needs` follows from it.
def same(old: Member, new: Member) -> bool:
    return all(old.get(key) == new.get(key) for key in (old.keys() | new.keys()) - {"needs"})


class Writer:
    """One script."""

    def __init__(self, old: Members, new: Members) -> None:
        self.old, self.new = old, new
        self.problems: list[str] = []
        self.lines: list[str] = []

    def script(self) -> list[str]:
        for key, member in {**self.old, **self.new}.items():
            if member["kind"] not in KINDS:
                self.problems.append(f"{key}: the tool does not know this kind of member; teach it tools/extension_catalog.sql")
        remade = self.remade()
        self.drop(remade)
        for key in ordered(self.new):
            if key in self.new and (key not in self.old or key in remade):
                self.create(self.new[key])
            elif key in self.new and self.old[key] != self.new[key]:
                self.change(self.old[key], self.new[key])
        return self.lines

    def remade(self) -> set[str]:
        """What goes, or cannot become what it is to be where it is; with all members that need it."""
        gone = {key for key, member in self.old.items() if key not in self.new or not becomes(member, self.new[key])}
        while more := {key for key, member in self.old.items() if key not in gone and gone.intersection(member["needs"])}:
            gone |= more
        for key in sorted(gone):
            member = self.old[key]
            if member["kind"] == "TYPE":
                self.problems.append(
                    f"{key}: a type that was released cannot be dropped or lose a part, since tables and callers may use it"
                    " (an enum may get more labels, and a composite type more attributes at its end)"
                )
            elif member["kind"].startswith("SCHEMA"):
                self.problems.append(f"{key}: a schema stays")
        return gone

    def drop(self, gone: set[str]) -> None:
        for key in reversed(ordered(self.old)):
            if key in gone:
                self.lines.append(f"DROP {named(self.old[key])};")

    def create(self, member: Member) -> None:
        kind, name, definition = member["kind"], member["name"], member.get("definition")
        if kind in ("FUNCTION", "PROCEDURE"):
            self.lines.append(routine(member, "CREATE"))
        elif kind == "AGGREGATE":
            self.problems.append(f"AGGREGATE {name}: write CREATE AGGREGATE into the tool")
        elif kind == "TYPE" and member["form"] == "enum":
            labels = ", ".join(literal(label) for label in member["labels"])
            self.lines.append(f"CREATE TYPE {name} AS ENUM ({labels});")
        elif kind == "TYPE" and member["form"] == "composite":
            attributes = ", ".join(f"{identifier(column)} {of}" for column, of in member["attributes"])
            self.lines.append(f"CREATE TYPE {name} AS ({attributes});")
        elif kind == "DOMAIN":
            self.lines.append(f"CREATE DOMAIN {name} AS {definition};")
        elif kind == "OPERATOR":
            self.lines.append(f"CREATE OPERATOR {member['operator']} ({definition});")
        elif kind == "CAST":
            self.lines.append(f"CREATE CAST {name} {definition};")
        elif kind == "VIEW":
            self.lines.append(view(member, "CREATE"))
        elif kind == "EVENT TRIGGER":
            self.lines.append(f"CREATE EVENT TRIGGER {name} {definition};")
            if member["enabled"] != "O":
                state = {"D": "DISABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}[member["enabled"]]
                self.lines.append(f"ALTER EVENT TRIGGER {name} {state};")
        elif kind == "SCHEMA":
            self.lines.append(f"CREATE SCHEMA {name};")
        else:
            self.problems.append(f"{kind} {name}: the tool does not know how to create it")
        default = {"FUNCTION": ["EXECUTE PUBLIC"], "PROCEDURE": ["EXECUTE PUBLIC"], "AGGREGATE": ["EXECUTE PUBLIC"], "TYPE": ["USAGE PUBLIC"], "DOMAIN": ["USAGE PUBLIC"]}
        self.rights(member, default.get(kind, []))
        self.comments(None, member)

    def change(self, old: Member, new: Member) -> None:
        kind, name = new["kind"], new["name"]
        if kind in ("FUNCTION", "PROCEDURE"):
            if old["definition"] != new["definition"]:
                self.lines.append(routine(new, "CREATE OR REPLACE"))
        elif kind == "TYPE" and new["form"] == "enum":
            self.labels(old, new)
        elif kind == "TYPE" and new["form"] == "composite":
            for column, of in new["attributes"][len(old["attributes"]) :]:
                self.lines.append(f"ALTER TYPE {name} ADD ATTRIBUTE {identifier(column)} {of};")
        elif kind == "VIEW":
            if any(old[part] != new[part] for part in ("definition", "options", "attributes")):
                self.lines.append(view(new, "CREATE OR REPLACE"))
        self.rights(new, old.get("rights") or [])
        self.comments(old, new)

    def labels(self, old: Member, new: Member) -> None:
        """New labels, each behind the one that it follows."""
        for at, label in enumerate(new["labels"]):
            if label not in old["labels"]:
                place = f" AFTER {literal(new['labels'][at - 1])}" if at else f" BEFORE {literal(new['labels'][1])}"
                self.lines.append(f"ALTER TYPE {new['name']} ADD VALUE {literal(label)}{place};")

    def rights(self, member: Member, had: list[str]) -> None:
        has = member.get("rights") or []
        on = named(member) if member["kind"] != "VIEW" else member["name"]
        for right in had:
            if right not in has:
                privilege, role = right.split(" ")[:2]
                self.lines.append(f"REVOKE {privilege} ON {on} FROM {role};")
        for right in has:
            if right not in had:
                privilege, role, *option = right.split(" ")
                self.lines.append(f"GRANT {privilege} ON {on} TO {role}{' WITH GRANT OPTION' if option else ''};")

    def comments(self, old: Member | None, new: Member) -> None:
        had = old or {}
        if had.get("comment") != new["comment"]:
            text = "NULL" if new["comment"] is None else literal(new["comment"])
            self.lines.append(f"COMMENT ON {named(new)} IS {text};")
        before, now = had.get("comments") or {}, new.get("comments") or {}
        for column in sorted(before.keys() | now.keys()):
            if before.get(column) != now.get(column):
                text = literal(now[column]) if column in now else "NULL"
                self.lines.append(f"COMMENT ON COLUMN {new['name']}.{identifier(column)} IS {text};")


def becomes(old: Member, new: Member) -> bool:
    """Whether what is there can be changed into it, so that what uses it stays."""
    kind = new["kind"]
    if kind in ("FUNCTION", "PROCEDURE"):
        return old["shape"] == new["shape"] and old["defaults"] <= new["defaults"]
    if kind == "TYPE" and new["form"] == "enum" and old["form"] == "enum":
        return [label for label in new["labels"] if label in old["labels"]] == old["labels"]
    if kind in ("TYPE", "VIEW") and old.get("form") == new.get("form"):
        return new["attributes"][: len(old["attributes"])] == old["attributes"]
    return kind.startswith("SCHEMA") or (old.get("definition") == new.get("definition") and old.get("enabled") == new.get("enabled"))


def routine(member: Member, verb: str) -> str:
    definition = member["definition"].rstrip("\n")
    assert definition.startswith("CREATE OR REPLACE "), definition
    definition = verb + definition.removeprefix("CREATE OR REPLACE")
    if member["symbol"] is not None:
        # As the control file says where the library is.
        definition, count = re.subn(r"AS '[^']*', \$function\$(\w+)\$function\$$", r"AS 'MODULE_PATHNAME', '\1'", definition)
        assert count == 1, definition
    return definition + ";"


def view(member: Member, verb: str) -> str:
    options = f" WITH ({', '.join(member['options'])})" if member["options"] else ""
    columns = ", ".join(identifier(column) for column, _ in member["attributes"])
    return f"{verb} VIEW {member['name']} ({columns}){options} AS\n{member['definition'].strip().rstrip(';')};"


def ordered(members: Members) -> list[str]:
    """What others need comes before them; apart from that, by kind and name."""
    rank = {kind: place for place, kind in enumerate(KINDS)}
    keys = sorted(members, key=lambda key: (rank.get(members[key]["kind"], 99), members[key]["name"]))
    done: dict[str, None] = {}
    under_way: set[str] = set()

    def visit(key: str) -> None:
        if key in done or key in under_way:
            return
        under_way.add(key)
        for need in members[key]["needs"]:
            if need in members:
                visit(need)
        under_way.discard(key)
        done[key] = None

    for key in keys:
        visit(key)
    return list(done)


def changed_symbols(old: Members, new: Members) -> list[str]:
    """C functions that both versions name, and call differently."""

    def calls(members: Members) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for member in members.values():
            if member.get("symbol"):
                shape = member["shape"]
                types = re.sub(r"^[^(]*", "", member["name"])
                # The names of what a table gives do not matter to the library.
                gives = "/".join(shape[4]) + str(shape[3]) if shape[4] else shape[1]
                found.setdefault(member["symbol"], set()).add(f"{types} → {gives}")
        return found

    were, are = calls(old), calls(new)
    return [
        f"{symbol}: called with {', '.join(sorted(were[symbol]))} before, and now with {', '.join(sorted(are[symbol]))}"
        for symbol in sorted(were.keys() & are.keys())
        if not were[symbol] <= are[symbol]
    ]


def kept_otherwise(old: Members, new: Members) -> list[str]:
    return [
        f"{said}: the symbol keeps its old arguments; give the new function another name in Rust (#[pg_extern(name = …)]),"
        " and keep the old one, or list it in src/released.rs"
        for said in changed_symbols(old, new)
    ]


def write(old_path: str, new_path: str, version_from: str, version_to: str) -> None:
    old, new = read(old_path), read(new_path)
    complaints = kept_otherwise(old, new)
    writer = Writer(old, new)
    lines = writer.script()
    complaints += writer.problems
    if complaints:
        sys.exit("\n".join(["no script was written:", *complaints]))
    head = [
        f"-- From version {version_from} of the extension to {version_to}. Written by make upgrade-script from what differs: not to be edited.",
        "-- What it replaces are members of the extension: Postgres refuses to replace anything else in a script like this.",
        f"\\echo Use \"ALTER EXTENSION kepler UPDATE TO '{version_to}'\" to load this file. \\quit",
        "",
    ]
    text = "\n".join([*head, *lines]) + "\n"
    sys.stdout.write(VECTOR_SCHEMA.sub("@extschema:vector@", text))


def compare(a_path: str, b_path: str) -> None:
    a, b = read(a_path), read(b_path)
    said = 0
    for key in sorted(a.keys() | b.keys()):
        if key not in a or key not in b:
            print(f"{key}: only in {'the second' if key not in a else 'the first'}")
        elif not same(a[key], b[key]):
            parts = [part for part in sorted(a[key].keys() | b[key].keys()) if a[key].get(part) != b[key].get(part) and part != "needs"]
            print(f"{key}: {', '.join(parts)}")
            for part in parts:
                if part not in ("definition", "comment"):
                    print(f"    {part}: {json.dumps(a[key].get(part))} and {json.dumps(b[key].get(part))}")
        else:
            continue
        said += 1
    if said:
        sys.exit(1)


def symbols_kept(old_path: str, new_path: str) -> None:
    said = kept_otherwise(read(old_path), read(new_path))
    if said:
        sys.exit("\n".join(said))


def added(old_path: str, new_path: str) -> None:
    old, new = read(old_path), read(new_path)
    print("\n".join(new[key]["name"] for key in new if key not in old and new[key]["kind"] == "FUNCTION"))


def symbols(path: str) -> None:
    with gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8") as script:
        print("\n".join(sorted(set(re.findall(r"'MODULE_PATHNAME', '(\w+)'", script.read())))))


if __name__ == "__main__":
    commands = {"symbols": symbols, "symbols_kept": symbols_kept, "write": write, "compare": compare, "added": added}
    commands[sys.argv[1]](*sys.argv[2:])
