"""Random schemas that Prisma takes: whatever its language for Postgres allows, in combinations that nobody writes."""

from __future__ import annotations

from random import Random

HEAD = """datasource db {{
  provider = "postgresql"{schemas}{mode}
}}

generator client {{
  provider        = "prisma-client-js"
  previewFeatures = ["partialIndexes"]
}}
"""
# A type, its native types ("" for none), and literals for a default.
TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "String": (("", "Text", "VarChar(40)", "VarChar", "Char(5)"), ('""', '"a"', '"it\'s"', '"so, {{x}} \\\\ \\"q\\""')),
    "Boolean": (("", "Boolean"), ("true", "false")),
    "Int": (("", "Integer", "SmallInt", "Oid"), ("0", "7", "12")),
    "BigInt": (("", "BigInt"), ("0", "-5", "9007199254740993")),
    "Float": (("", "DoublePrecision", "Real"), ("0.5", "-2", "1.25")),
    "Decimal": (("", "Decimal(10, 2)", "Decimal(20, 0)", "Money"), ("0", "1.50", "-3")),
    "DateTime": (("", "Timestamp(0)", "Timestamp(6)", "Timestamptz(3)", "Date", "Time(2)", "Timetz(6)"), ("now()",)),
    "Json": (("", "JsonB", "Json"), ('"{{}}"', '"[1, 2]"')),
    "Bytes": (("", "ByteA"), ('""', '"SGVsbG8="')),
}
EXTRA = ("@db.Uuid", "@db.Inet", "@db.Xml", "@db.Bit(4)", "@db.VarBit(9)")
CLIENT = ("cuid()", "cuid(2)", "uuid()", "uuid(7)", "ulid()", "nanoid()", "nanoid(9)")
UNORDERED = {"Json", "Bytes", "xml"}
ACTIONS = ("Cascade", "Restrict", "NoAction", "SetNull", "SetDefault")
WORDS = "alpha beta gamma delta order user group from type value index table größe x1 camelCase snake_case".split()
# Names have letters of one to three bytes. Prisma's own reader crashes where the first letter has more than one.
LETTERS = ("m", "mñ", "m字")
ODD = ("with space", "it's", "UPPER", "a.b", "ümläut", "select", "$1", "dash-ed")


class Field:
    """A column, with what decides where it may be used."""

    def __init__(self, name: str, kind: str, line: str, *, optional: bool, is_list: bool, native: str) -> None:
        self.name, self.kind, self.line = name, kind, line
        self.optional, self.is_list, self.native = optional, is_list, native

    @property
    def indexable(self) -> bool:
        return not self.is_list and self.kind not in UNORDERED and not self.native.startswith(("Xml", "VarBit", "Bit"))


class Model:
    def __init__(self, name: str) -> None:
        self.name = name
        self.schema = ""
        self.fields: list[Field] = []
        self.relations: list[str] = []
        self.rules: list[str] = []
        # Columns by which others may refer to it.
        self.keys: list[list[Field]] = []


class Generator:
    """One schema for a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.schemas = ["public", "other"] if self.random.random() < 0.25 else []
        self.mode = self.random.random() < 0.1
        self.enums: dict[str, list[str]] = {}
        self.models: list[Model] = []
        self.numbers = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def maybe(self, share: float, text: str) -> str:
        return text if self.random.random() < share else ""

    def in_schema(self) -> str:
        return f'\n\n  @@schema("{self.random.choice(self.schemas)}")' if self.schemas else ""

    def mapped(self, share: float, at: str = "@map", odd_names: tuple[str, ...] = ODD) -> str:
        """Another name; numbered, so that no two are the same."""
        odd = self.random.choice(odd_names) if self.random.random() < 0.4 else self.random.choice(WORDS)
        return self.maybe(share, f' {at}("{odd} {self.number()}")')

    def field(self, name: str, *, required: bool = False) -> Field:
        random = self.random
        if self.enums and random.random() < 0.12:
            enum = random.choice(list(self.enums))
            default = random.choice(self.enums[enum])
            shape = "" if required else random.choice(("", "?", "[]"))
            value = f"[{default}]" if shape == "[]" else default
            line = f"{name} {enum}{shape}" + self.maybe(0.4, f" @default({value})") + self.mapped(0.2)
            return Field(name, enum, line, optional=shape == "?", is_list=shape == "[]", native="")
        kind = random.choice(list(TYPES))
        natives, literals = TYPES[kind]
        native = random.choice(natives)
        if kind == "String" and random.random() < 0.15:
            native = random.choice(EXTRA)[4:]
        shape = "" if required else random.choices(("", "?", "[]"), (60, 28, 12))[0]
        line = f"{name} {kind}{shape}" + (f" @db.{native}" if native else "")
        plain = native in {"", "Text", "VarChar(40)", "VarChar"}
        if kind == "String" and plain and not shape and random.random() < 0.2:
            line += f" @default({random.choice(CLIENT)})"
        elif kind == "DateTime" and not shape and random.random() < 0.3:
            line += " @updatedAt"
        elif kind == "Int" and not shape and native in {"", "SmallInt"} and random.random() < 0.15:
            line += " @default(autoincrement())"
        elif (kind != "String" or plain or native == "Char(5)") and native != "Money" and random.random() < 0.35:
            literal = random.choice(literals).replace("{{", "{").replace("}}", "}")
            # Prisma makes a default that does not fit, and no insert could take it.
            if native == "Char(5)" and len(literal) > 7:
                literal = '"a"'
            if shape != "[]":
                line += f" @default({literal})"
            elif kind != "DateTime" and native != "Char(5)":
                line += f" @default([{literal}])" if random.random() < 0.6 else " @default([])"
        line += self.mapped(0.2)
        return Field(name, kind if native != "Xml" else "xml", line, optional=shape == "?", is_list=shape == "[]", native=native)

    def enum(self) -> str:
        name = f"E{self.number()}"
        members = [f"{LETTERS[number % 3]}{number}" for number in range(1, self.random.randint(2, 6))]
        self.enums[name] = members
        # Prisma's own DDL leaves an apostrophe here as it is.
        plain = tuple(odd for odd in ODD if "'" not in odd)
        lines = [f"  {member}{self.mapped(0.2, odd_names=plain)}" for member in members]
        rule = self.mapped(0.3, "@@map")
        return "\n".join([f"enum {name} {{", *lines, *([f"\n {rule}"] if rule else [])]) + self.in_schema() + "\n}\n"

    def model(self) -> None:
        random = self.random
        number = self.number()
        model = Model(f"M{LETTERS[number % 3]}{number}")
        self.models.append(model)
        count = random.randint(2, 9)
        fields = model.fields = [self.field(f"{LETTERS[number % 3]}{number}") for number in range(1, count)]
        solid = [field for field in fields if field.indexable and not field.optional]
        if len(solid) >= 2 and random.random() < 0.25:
            key = random.sample(solid, random.randint(2, min(3, len(solid))))
            model.rules.append(f"@@id([{', '.join(field.name for field in key)}]{self.map_argument()})")
        else:
            kind, attributes = random.choice(
                (
                    ("Int", "@default(autoincrement())"),
                    ("BigInt", "@default(autoincrement())"),
                    ("String", "@default(cuid())"),
                    ("String", "@default(uuid()) @db.Uuid"),
                    ("String", "@db.VarChar(30)"),
                    ("Int", ""),
                )
            )
            native = attributes.rpartition("@db.")[2] if "@db." in attributes else ""
            line = f"id {kind} @id{self.maybe(0.2, f'(map: {chr(34)}key {self.number()}{chr(34)})')} {attributes}{self.mapped(0.2)}"
            key = [Field("id", kind, line, optional=False, is_list=False, native=native)]
            fields.insert(0, key[0])
        model.keys.append(key)
        for field in solid:
            if field not in key and random.random() < 0.15:
                field.line += " @unique" + self.maybe(0.3, f'(map: "once {self.number()}")')
                model.keys.append([field])
        self.indexes(model)

    def map_argument(self) -> str:
        return self.maybe(0.3, f', map: "{self.random.choice(ODD)} {self.number()}"')

    def indexes(self, model: Model) -> None:
        random = self.random
        able = [field for field in model.fields if field.indexable]
        for _ in range(random.choice((0, 0, 1, 2, 3))):
            if not able:
                return
            chosen = random.sample(able, random.randint(1, min(3, len(able))))
            # Every index says its name: two over the same columns would have the same.
            name = f'map: "{random.choice(("ix", *ODD))} {self.number()}"'
            parts = ", ".join(field.name + self.maybe(0.3, "(sort: Desc)") for field in chosen)
            where = ""
            optional = [field for field in able if field.optional]
            if optional and random.random() < 0.3:
                where = f", where: {{ {random.choice(optional).name}: {random.choice(('null', '{ not: null }'))} }}"
            rule = random.choice(("@@index", "@@index", "@@unique"))
            model.rules.append(f"{rule}([{parts}], {name}{where})")
        for field in model.fields:
            if random.random() > 0.25:
                continue
            name = f'map: "special {self.number()}"'
            if field.is_list and field.kind not in UNORDERED:
                model.rules.append(f"@@index([{field.name}], type: Gin, {name})")
            elif field.kind == "Json" and field.native in {"", "JsonB"} and not field.is_list:
                operators = random.choice(("", "(ops: JsonbPathOps)", "(ops: JsonbOps)"))
                model.rules.append(f"@@index([{field.name}{operators}], type: Gin, {name})")
            elif field.indexable and field.kind == "Int" and field.native in {"", "Integer"}:
                method = random.choice(("type: Hash", "type: Brin"))
                model.rules.append(f"@@index([{field.name}], {method}, {name})")

    def relation(self) -> None:
        random = self.random
        one, other = random.choice(self.models), random.choice(self.models)
        if self.mode:
            # Prisma, which keeps such relations itself, takes no cycles.
            one, other = sorted(random.sample(self.models, 2), key=self.models.index)
        number = self.number()
        name, field, back = f'"R{number}"', f"r{number}", f"b{number}"
        single = len(one.keys[0]) == len(other.keys[0]) == 1 and "@id" in one.keys[0][0].line and "@id" in other.keys[0][0].line
        if random.random() < 0.2 and single and not self.mode:
            fields = (field, back) if random.random() < 0.5 else (back, field)
            one.relations.append(f"{fields[0]} {other.name}[] @relation({name})")
            other.relations.append(f"{fields[1]} {one.name}[] @relation({name})")
            return
        key = random.choice(other.keys)
        optional = random.random() < 0.5 or one is other
        action = random.choice(ACTIONS)
        if (action == "SetNull" and not optional) or (self.mode and action not in {"Cascade", "SetNull"}):
            action = "Cascade"
        columns = []
        for part in key:
            native = f" @db.{part.native}" if part.native else ""
            line = f"{field}_{part.name} {part.kind}{'?' if optional else ''}{native}{self.mapped(0.2)}"
            columns.append(Field(f"{field}_{part.name}", part.kind, line, optional=optional, is_list=False, native=part.native))
        one.fields += columns
        names = ", ".join(column.name for column in columns)
        actions = self.maybe(0.7, f", onDelete: {action}") + self.maybe(0.3, f", onUpdate: {random.choice(('Cascade', 'Restrict' if self.mode else 'NoAction', 'Restrict'))}")
        mapped = self.maybe(0.2, f', map: "ref {number}"')
        target = ", ".join(part.name for part in key)
        one.relations.append(
            f"{field} {other.name}{'?' if optional else ''} @relation({name}, fields: [{names}], references: [{target}]{actions}{mapped})"
        )
        alone = random.random() < 0.2
        if alone:
            one.rules.append(f'@@unique([{names}], map: "alone {number}")')
        other.relations.append(f"{back} {one.name}{'?' if alone else '[]'} @relation({name})")

    def schema(self) -> str:
        random = self.random
        schemas = f"\n  schemas  = [{', '.join(f'{chr(34)}{name}{chr(34)}' for name in self.schemas)}]" if self.schemas else ""
        blocks = [HEAD.format(schemas=schemas, mode='\n  relationMode = "prisma"' if self.mode else "")]
        blocks += [self.enum() for _ in range(random.randint(0, 3))]
        for _ in range(random.randint(2, 6)):
            self.model()
        for _ in range(random.randint(0, 6)):
            self.relation()
        for model in self.models:
            lines = [field.line for field in model.fields] + model.relations + model.rules
            rule = self.mapped(0.3, "@@map")
            body = "\n".join(f"  {line}" for line in [*lines, *([rule.strip()] if rule else [])])
            blocks.append(f"model {model.name} {{\n{body}{self.in_schema()}\n}}\n")
        return "\n".join(blocks)
