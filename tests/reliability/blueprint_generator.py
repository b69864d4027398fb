"""Random blueprints, and next versions of them, for blueprint_pairs.py."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any

LONG = "a_name_of_exactly_sixty_three_bytes_which_is_all_that_fits_in_"
SQL_TABLES = ["item", "order", "Thing", "part", f"{LONG}t", f"u{LONG[1:]}u", "long_names_of_tables_are_cut_in_the_names_of_what"]
COLUMNS = ["a", "b", "c", "Big", "it's", f"{LONG}c", f"d{LONG[1:]}d", "a_column_that_is_long_enough_to_be_cut"]
RULES = ["x", "y", "z", "Rule", f"{LONG}r", f"{LONG}s", "item_a_key", "item", "status", "item_pkey"]
TYPES = ["status", "Kind", "item_type", f"{LONG}e"]
VALUES = ["new", "open", "it's", "done", "late", "v w"]
WHOLE = ["smallint", "integer", "bigint"]
GENERATED = [None, "serial", "identity", "identity_always"]


@dataclass
class Enum:
    id: int
    name: str
    type: str
    values: dict[int, str]
    description: str | None = None


@dataclass
class Field:
    id: int
    name: str
    column: str
    spec: dict[str, Any]
    enum: int | None = None
    to: int | None = None
    required: bool = False
    generated: str | None = None
    default: Any = None
    description: str | None = None
    old: str | None = None


@dataclass
class Rule:
    id: int
    kind: str
    fields: list[int]
    name: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    to: int | None = None
    to_fields: list[int] | None = None


@dataclass
class Table:
    id: int
    name: str
    table: str
    fields: list[Field]
    key: list[int]
    rules: list[Rule]
    key_name: str | None = None
    times: bool = False
    description: str | None = None

    def field(self, id: int) -> Field:
        return next(f for f in self.fields if f.id == id)


@dataclass
class Model:
    tables: list[Table]
    enums: list[Enum]

    def table(self, id: int) -> Table | None:
        return next((t for t in self.tables if t.id == id), None)

    def enum(self, id: int | None) -> Enum | None:
        return next((e for e in self.enums if e.id == id), None)

    def document(self, before: Model | None = None) -> dict[str, Any]:
        """As the next version of `before`, whose names it tells."""
        enums: dict[str, Any] = {}
        for e in self.enums:
            old = before.enum(e.id) if before else None
            one: dict[str, Any] = {"values": list(e.values.values()), "type": e.type}
            if e.description:
                one["description"] = e.description
            if old and old.name != e.name:
                one["renamed_from"] = old.name
            renamed = {v: e.values[i] for i, v in old.values.items() if i in e.values and e.values[i] != v} if old else {}
            if renamed:
                one["renamed_values"] = renamed
            enums[e.name] = one
        tables = []
        for t in self.tables:
            old_table = before.table(t.id) if before else None
            one = {"name": t.name, "table": t.table}
            if old_table and old_table.name != t.name:
                one["renamed_from"] = old_table.name
            if t.description:
                one["description"] = t.description
            if t.times:
                one["times"] = True
            one["fields"] = [self.field(f, old_table) for f in t.fields]
            if t.key:
                one["key"] = {"fields": [t.field(i).name for i in t.key]}
                if t.key_name:
                    one["key"]["constraint"] = t.key_name
            for r in t.rules:
                said = dict(r.more)
                if r.name:
                    said["name"] = r.name
                names = [t.field(i).name for i in r.fields]
                if r.kind == "checks":
                    said["field"] = names[0]
                    if len(names) > 1:
                        said["other_field"] = names[1]
                else:
                    said["fields"] = names
                if r.to is not None:
                    target = self.table(r.to)
                    assert target is not None
                    said["to"] = target.name
                    if r.to_fields:
                        said["to_fields"] = [target.field(i).name for i in r.to_fields]
                one.setdefault(r.kind, []).append(said)
            tables.append(one)
        return {"blueprint": "pairs", "enums": enums, "tables": tables}

    def field(self, f: Field, old_table: Table | None) -> dict[str, Any]:
        one: dict[str, Any] = {"name": f.name, "column": f.column, **f.spec}
        e = self.enum(f.enum)
        if f.enum is not None:
            one |= {"type": "enum", "enum": e.name} if e else {"type": "text"}
        if f.to is not None:
            target = self.table(f.to)
            assert target is not None
            one |= {"type": "reference", "to": target.name}
        if f.required:
            one["required"] = True
        if f.generated:
            one["generated"] = f.generated
        if f.default is not None:
            one["default"] = f.default if not (e and isinstance(f.default, int)) else e.values.get(f.default)
            if one["default"] is None:
                del one["default"]
        if f.description:
            one["description"] = f.description
        old = next((o for o in old_table.fields if o.id == f.id), None) if old_table else None
        if old and old.name != f.name:
            one["renamed_from"] = old.name
        return one


class Generator:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0

    def id(self) -> int:
        self.count += 1
        return self.count

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def free(self, names: list[str], taken: set[str]) -> str | None:
        left = [name for name in names if name not in taken]
        return self.random.choice(left) if left else None

    def model(self) -> Model:
        model = Model([], [])
        for _ in range(self.random.randint(0, 3)):
            self.add_enum(model)
        for _ in range(self.random.randint(1, 3)):
            self.add_table(model)
        for t in model.tables:
            for _ in range(self.random.randint(0, 4)):
                self.add_rule(model, t)
        return model

    def add_enum(self, model: Model) -> None:
        name = self.free(TYPES, {e.type for e in model.enums})
        if name:
            values = {self.id(): v for v in self.random.sample(VALUES, self.random.randint(1, 4))}
            model.enums.append(Enum(self.id(), f"E{self.id()}", name, values, "Which" if self.chance(0.2) else None))

    def add_table(self, model: Model) -> None:
        name = self.free(SQL_TABLES, {t.table for t in model.tables})
        if not name:
            return
        t = Table(self.id(), f"T{self.id()}", name, [], [], [], times=self.chance(0.1), description="A table" if self.chance(0.2) else None)
        key = Field(self.id(), "id", self.random.choice(["id", "id", "Key"]), {"type": self.random.choice([*WHOLE, "integer", "text"])}, required=True)
        if key.spec["type"] != "text" and self.chance(0.6):
            key.generated = self.random.choice(GENERATED)
        t.fields.append(key)
        if self.chance(0.85):
            t.key = [key.id]
            t.key_name = self.free(RULES, self.names(model)) if self.chance(0.3) else None
        model.tables.append(t)
        for _ in range(self.random.randint(1, 5)):
            self.add_field(model, t)

    def add_field(self, model: Model, t: Table) -> None:
        column = self.free(COLUMNS, {f.column for f in t.fields})
        if not column:
            return
        f = Field(self.id(), f"f{self.id()}", column, {})
        self.give_type(model, t, f)
        f.description = "A field" if self.chance(0.15) else None
        t.fields.append(f)

    def give_type(self, model: Model, t: Table, f: Field) -> None:
        f.enum = f.to = f.generated = f.default = None
        f.required = self.chance(0.3)
        choice = self.random.choice(["whole", "whole", "whole", "text", "varchar", "decimal", "timestamp", "boolean", "enum", "enum", "list", "reference"])
        if choice == "whole":
            f.spec = {"type": self.random.choice(WHOLE)}
            self.give_default(model, f)
        elif choice == "text":
            f.spec = {"type": "text"}
            f.default = self.random.choice([None, "w1", "cuid"])
        elif choice == "varchar":
            f.spec = {"type": "text", "max_length": self.random.choice([10, 20])}
        elif choice == "decimal":
            precision, scale = self.random.choice([(10, 2), (12, 2), (12, 4)])
            f.spec = {"type": "decimal", "precision": precision, "scale": scale}
        elif choice == "timestamp":
            f.spec = {"type": "timestamp", "zone": self.chance(0.5), "precision": self.random.choice([3, 6])}
            f.default = self.random.choice([None, "now"])
        elif choice == "enum" and model.enums:
            e = self.random.choice(model.enums)
            f.spec, f.enum = ({"list": True} if self.chance(0.2) else {}), e.id
            f.default = self.random.choice(list(e.values)) if self.chance(0.5) and not f.spec else None
        elif choice == "list":
            f.spec = {"type": "integer", "list": True}
        elif choice == "reference":
            keyed = [other for other in model.tables if len(other.key) == 1 and other.key != [f.id]]
            if keyed:
                f.spec, f.to = {}, self.random.choice(keyed).id
                f.spec = {"on_delete": self.random.choice(["cascade", "restrict"])}
                return
            f.spec = {"type": "boolean"}
        else:
            f.spec = {"type": "boolean"}
            f.default = self.random.choice([None, True])

    def give_default(self, model: Model, f: Field) -> None:
        if f.enum is not None:
            e = model.enum(f.enum)
            f.default = self.random.choice(list(e.values)) if e and self.chance(0.6) and not f.spec else None
        elif f.spec.get("type") in WHOLE and not f.spec.get("list"):
            f.generated = self.random.choice(GENERATED) if self.chance(0.7) else None
            f.default = self.random.choice([None, 1, 7]) if not f.generated else None
        elif f.spec.get("type") == "boolean":
            f.default = self.random.choice([None, True, False])

    def names(self, model: Model) -> set[str]:
        named = {r.name for t in model.tables for r in t.rules if r.name}
        return named | {t.key_name for t in model.tables if t.key_name} | {t.table for t in model.tables}

    def add_rule(self, model: Model, t: Table) -> None:
        fields = [f for f in t.fields if not f.spec.get("list") and f.to is None]
        if not fields:
            return
        some = [f.id for f in self.random.sample(fields, min(len(fields), self.random.choice([1, 1, 2])))]
        name = self.free(RULES, self.names(model)) if self.chance(0.6) else None
        rule = Rule(self.id(), self.random.choice(["unique", "unique", "indexes", "indexes", "checks", "references", "references"]), some, name)
        first = t.field(some[0])
        if rule.kind == "unique" and self.chance(0.3):
            rule.more = {"index": True}
        elif rule.kind == "indexes":
            rule.more = self.random.choice([{}, {}, {"unique": True}, {"method": "hash"}, {"where_sql": "true"}])
            if "method" in rule.more:
                rule.fields = some[:1]
            rule.more = {k: v for k, v in rule.more.items() if k != "where_sql"}
        elif rule.kind == "checks":
            whole = [f for f in fields if f.spec.get("type") in WHOLE]
            if not whole:
                return
            rule.fields = [self.random.choice(whole).id]
            rule.more = {"op": self.random.choice([">=", ">", "<>"]), "value": self.random.choice([0, -1])}
        elif rule.kind == "references":
            kinds = [(other, other.field(other.key[0])) for other in model.tables if len(other.key) == 1]
            fit = [(other, f) for other, key in kinds for f in fields if f.spec == key.spec and f.id != key.id]
            if not fit:
                return
            target, first = self.random.choice(fit)
            rule.fields, rule.to, rule.to_fields = [first.id], target.id, [target.key[0]]
            rule.more = {"on_delete": self.random.choice(["cascade", "no_action", "restrict"]), "on_update": self.random.choice(["cascade", "no_action"])}
        t.rules.append(rule)

    # What a next version does.

    def edited(self, model: Model) -> Model:
        model = copy.deepcopy(model)
        for _ in range(self.random.choice([1, 2, 3, 4, 6, 9])):
            self.random.choice(
                [self.rename_table, self.rename_table, self.exchange_tables, self.rename_field, self.rename_field, self.exchange_columns,
                 self.rename_enum, self.exchange_enums, self.regenerate, self.regenerate, self.regenerate, self.retype, self.drop_field, self.new_field,
                 self.drop_table, self.new_table, self.drop_rule, self.new_rule, self.new_rule, self.rename_rules, self.rename_rules, self.change_values,
                 self.change_values, self.require, self.redefault, self.describe, self.rekey, self.drop_enum, self.take_name]
            )(model)  # fmt: skip
            self.tidy(model)
        return model

    def some_table(self, model: Model) -> Table | None:
        return self.random.choice(model.tables) if model.tables else None

    def rename_table(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            if self.chance(0.6):
                t.name = f"T{self.id()}"
            if self.chance(0.7):
                t.table = self.free([*SQL_TABLES, *RULES], self.names(model)) or t.table

    def exchange_tables(self, model: Model) -> None:
        if len(model.tables) > 1:
            some = self.random.sample(model.tables, self.random.randint(2, len(model.tables)))
            names = [t.table for t in some]
            for t, name in zip(some, names[1:] + names[:1]):
                t.table = name

    def rename_field(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            f = self.random.choice(t.fields)
            if self.chance(0.6):
                f.name = f"f{self.id()}"
            if self.chance(0.7):
                f.column = self.free(COLUMNS, {f.column for f in t.fields}) or f.column

    def exchange_columns(self, model: Model) -> None:
        t = self.some_table(model)
        if t and len(t.fields) > 1 and self.chance(0.3):
            one, two = self.random.sample(t.fields, 2)
            one.column, two.column = two.column, one.column

    def rename_enum(self, model: Model) -> None:
        if model.enums:
            e = self.random.choice(model.enums)
            if self.chance(0.6):
                e.name = f"E{self.id()}"
            if self.chance(0.7):
                taken = {e.type for e in model.enums} | {t.table for t in model.tables}
                e.type = self.free([*TYPES, *SQL_TABLES], taken) or e.type

    def exchange_enums(self, model: Model) -> None:
        if len(model.enums) > 1:
            some = self.random.sample(model.enums, self.random.randint(2, len(model.enums)))
            names = [e.type for e in some]
            for e, name in zip(some, names[1:] + names[:1]):
                e.type = name

    def regenerate(self, model: Model) -> None:
        whole = [f for t in model.tables for f in t.fields if f.spec.get("type") in WHOLE and not f.spec.get("list")]
        if whole:
            f = self.random.choice(whole)
            f.generated, f.default = self.random.choice(GENERATED), None
            if self.chance(0.3):
                f.spec = {"type": self.random.choice(WHOLE)}

    def retype(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            f = self.random.choice(t.fields)
            kind = f.spec.get("type")
            if kind in WHOLE and not f.spec.get("list"):
                f.spec = {"type": self.random.choice(WHOLE)}
            elif kind == "text":
                f.spec = self.random.choice([{"type": "text"}, {"type": "text", "max_length": 20}, {"type": "varchar"}])
            elif kind == "decimal":
                f.spec = f.spec | self.random.choice([{"precision": 14}, {"precision": 12, "scale": 2}])
            elif kind == "timestamp":
                f.spec = {"type": "timestamp", "zone": self.chance(0.5), "precision": self.random.choice([3, 6])}
            elif f.enum is not None and self.chance(0.4):
                self.give_type(model, t, f)

    def drop_field(self, model: Model) -> None:
        t = self.some_table(model)
        if t and len(t.fields) > 1:
            t.fields.remove(self.random.choice(t.fields))

    def new_field(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            self.add_field(model, t)
            t.fields[-1].required = t.fields[-1].generated is not None

    def drop_table(self, model: Model) -> None:
        t = self.some_table(model)
        if t and len(model.tables) > 1:
            model.tables.remove(t)

    def new_table(self, model: Model) -> None:
        if len(model.tables) < 4:
            self.add_table(model)

    def drop_rule(self, model: Model) -> None:
        t = self.some_table(model)
        if t and t.rules:
            t.rules.remove(self.random.choice(t.rules))

    def new_rule(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            self.add_rule(model, t)

    def rename_rules(self, model: Model) -> None:
        rules = [r for t in model.tables for r in t.rules]
        if rules:
            some = self.random.sample(rules, self.random.randint(1, min(4, len(rules))))
            names = [r.name for r in some]
            fresh = self.free(RULES, self.names(model)) if self.chance(0.5) else None
            shifted = names[1:] + [fresh if fresh else names[0]]
            for r, name in zip(some, shifted):
                r.name = name

    def take_name(self, model: Model) -> None:
        """A rule gets the name that a table or another rule leaves."""
        t = self.some_table(model)
        if t and t.rules:
            rule = self.random.choice(t.rules)
            if rule.name and self.chance(0.5):
                t.table, rule.name = rule.name, t.table
            else:
                t.key_name, rule.name = rule.name, t.key_name

    def change_values(self, model: Model) -> None:
        if not model.enums:
            return
        e = self.random.choice(model.enums)
        left = self.free(VALUES, set(e.values.values()))
        what = self.random.choice(["add", "add", "rename", "remove", "reorder"])
        pairs = list(e.values.items())
        if what == "add" and left:
            pairs.insert(self.random.randint(0, len(pairs)), (self.id(), left))
        elif what == "rename" and left:
            at = self.random.randrange(len(pairs))
            pairs[at] = (pairs[at][0], left)
        elif what == "remove" and len(pairs) > 1:
            pairs.pop(self.random.randrange(len(pairs)))
        elif what == "reorder":
            self.random.shuffle(pairs)
        e.values = dict(pairs)

    def require(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            f = self.random.choice(t.fields)
            f.required = not f.required or f.generated is not None

    def redefault(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            self.give_default(model, self.random.choice(t.fields))

    def describe(self, model: Model) -> None:
        for one in [self.some_table(model), *model.enums[:1]]:
            if one:
                one.description = self.random.choice([None, "Said otherwise"])

    def rekey(self, model: Model) -> None:
        t = self.some_table(model)
        if t:
            if self.chance(0.5):
                t.key_name = self.free(RULES, self.names(model)) if self.chance(0.6) else None
            elif t.key and self.chance(0.5):
                t.key = []
            else:
                t.key = [t.fields[0].id]

    def drop_enum(self, model: Model) -> None:
        if model.enums and self.chance(0.5):
            model.enums.remove(self.random.choice(model.enums))

    def tidy(self, model: Model) -> Model:
        """What speaks of something that is gone goes too."""
        for t in model.tables:
            there = {f.id for f in t.fields}
            t.key = [i for i in t.key if i in there]
        for t in model.tables:
            there = {f.id for f in t.fields}
            for f in list(t.fields):
                target = model.table(f.to) if f.to is not None else None
                if f.to is not None and (target is None or len(target.key) != 1):
                    t.fields.remove(f)
                if f.enum is not None and model.enum(f.enum) is None:
                    f.enum, f.default = None, None
                    f.spec = {"type": "text", **f.spec}
                if f.enum is not None and f.default is not None:
                    e = model.enum(f.enum)
                    if e and f.default not in e.values:
                        f.default = None
            if not t.fields:
                t.fields.append(Field(self.id(), f"f{self.id()}", "left", {"type": "text"}))
            there = {f.id for f in t.fields}
            t.rules = [r for r in t.rules if all(i in there for i in r.fields) and self.leads(model, t, r)]
        return model

    def leads(self, model: Model, t: Table, r: Rule) -> bool:
        if r.kind == "checks":
            return all(t.field(i).spec.get("type") in WHOLE for i in r.fields)
        if r.to is None:
            return True
        target = model.table(r.to)
        if target is None or target.key != r.to_fields:
            return False
        return t.field(r.fields[0]).spec.get("type") == target.field(target.key[0]).spec.get("type")
