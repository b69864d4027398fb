-- All that is wrong with a schema is told at once, each with its line and column: what is not the language, and what says
-- something that cannot be. A line that cannot be read spoils nothing but itself.
\set SHOW_CONTEXT never

-- What is said cannot be.
SELECT kepler.blueprint_from_prisma($$
datasource db {
  provider = "postgresql"
}
model User {
  id    Int    @id
  email Sting  @unique
  role  Role   @default(ADMN)
  posts Post[]
  bio   Bio
  size  Int    @default("large")
  born  DateTime @default(cuid())
  name  String @db.VarChar(0)
  tag   String @db.SmallInt @uniqe
  @@unique([emial])
  @@index([posts], type: Tree)
}
model Post {
  id       Int  @id
  author   User @relation(fields: [authorId, id], references: [id], onDelete: Vanish)
  authorId String
  twin     Post
}
model Bio {
  text String
}
enum Role {
  ADMIN
  ADMIN
}
model User {
  id Int @id
}
$$);

-- What is not the language.
SELECT kepler.blueprint_from_prisma($$model A {
  id Int @id @@map("a"
  b: String
  c [Int]
  d String[]?
  e
  f Int @default(1
  g String @default("open)
  @@index([id)
}
modle B {
  id Int @id
}
model C { id Int @id }
id Int
model D {
  id Int @id
enum E {
  X,
  Y
}
type F = String
enum G {
  X /* never closed
$$);

-- Several files: each place has its file.
SELECT kepler.blueprint_from_prisma('{"b.prisma": "model B {\n  id Int @id\n  a A\n}", "a.prisma": "model A {\n  id Int @id\n  b B @relation(fields: [x], references: [id])\n}"}'::jsonb);

-- Names that the database would have twice, and ones that it would not keep.
SELECT kepler.blueprint_from_prisma($$model A {
  id Int @id(map: "one")
  x  Int @map("id")
  y  Int @unique(map: "one")
  @@index([y], map: "two")
  @@index([x, y], map: "two")
  @@map("B")
}
model B {
  id Int @id
  a234567890123456789012345678901234567890123456789012345678901234 Int
}
enum C {
  X
  @@map("B")
}
$$);

-- Other databases, composite types, and the other language of Prisma 8.
SELECT kepler.blueprint_from_prisma($$datasource db {
  provider = "mongodb"
}
type Address {
  street String
}
model A {
  id      String  @id @default(auto()) @db.ObjectId
  address Address
}
$$);
SELECT kepler.blueprint_from_prisma($$
// use prisma-8
$$);
SELECT kepler.blueprint_from_prisma('{"contract.prisma": "// use prisma-8"}'::jsonb);

-- What a blueprint does not take, though Prisma does: told here, and not first when it is applied.
SELECT kepler.blueprint_from_prisma($$
model A {
  id    String  @id @default(cuid()) @db.Uuid
  short String  @default("abcdef") @db.VarChar(3)
  code  String  @default(ulid()) @db.VarChar(10)
  made  String  @default(nanoid(30)) @db.Char(20)
  price Decimal @default(12345.6) @db.Decimal(5, 2)
  fine  String  @default("abc") @db.VarChar(3)
}
$$);

-- Nothing.
SELECT kepler.blueprint_from_prisma('');
SELECT kepler.blueprint_from_prisma('{}'::jsonb);
SELECT kepler.blueprint_from_prisma('{"a.prisma": 1, "b.prisma": null}'::jsonb);

-- Arguments.
\set VERBOSITY terse
SELECT kepler.blueprint_from_prisma(NULL::text);
SELECT kepler.blueprint_from_prisma(NULL::jsonb);
SELECT kepler.blueprint_from_prisma(E'enum A {\nX\n}', NULL);
\set VERBOSITY default
SELECT kepler.blueprint_from_prisma(E'enum A {\nX\n}', 'My Shop');
SELECT kepler.blueprint_from_prisma(E'enum A {\nX\n}', options => '{"schema": "", "vector_dimensions": {"A.b": 0, "A.c": 3}, "citext": 1, "tenancy": "workspace"}');
SELECT kepler.blueprint_from_prisma(E'enum A {\nX\n}', options => '{"vector_dimensions": {"A.c": 3}}');
