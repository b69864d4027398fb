-- A schema.prisma becomes the document of a blueprint: the tables that Prisma would make, under its names. What is so anyway
-- is left out, what cannot be carried over is a warning, and the document keeps the warnings.
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE FUNCTION pg_temp.lines(document json) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT key || ': ' || value FROM json_each($1) WHERE key NOT IN ('tables', 'enums')
    UNION ALL SELECT 'enum ' || key || ': ' || value FROM json_each($1 -> 'enums')
    UNION ALL SELECT line FROM json_array_elements($1 -> 'tables') AS t (t), LATERAL (
        SELECT 'table ' || (SELECT string_agg(key || ' ' || value, ', ') FROM json_each(t) WHERE key NOT IN ('fields', 'unique', 'indexes', 'references'))
        UNION ALL SELECT '  ' || p.part || ' ' || item FROM unnest('{fields,unique,indexes,references}'::text[]) AS p (part), json_array_elements(t -> p.part) AS i (item)
    ) AS l (line)
$$;

-- A small application. Names are those of Prisma; a unique field has a unique index, an id that the client makes is filled.
SELECT pg_temp.lines(kepler.blueprint_from_prisma($$
generator client {
  provider = "prisma-client"
  output   = "../generated"
}

datasource db {
  provider = "postgresql"
}

/// Who writes.
model User {
  id        String   @id @default(cuid())
  email     String   @unique
  name      String?  @db.VarChar(80)
  role      Role     @default(READER)
  posts     Post[]
  createdAt DateTime @default(now())
  updatedAt DateTime @updatedAt @map("updated_at")

  @@map("users")
}

model Post {
  id       Int      @id @default(autoincrement())
  title    String
  author   User?    @relation(fields: [authorId], references: [id])
  authorId String?
  tags     Tag[]
  views    BigInt   @default(0)
  rating   Decimal? @db.Decimal(3, 1)
  meta     Json     @default("{\"draft\": true}")

  @@unique([authorId, title(sort: Desc)])
  @@index([meta(ops: JsonbPathOps)], type: Gin)
}

model Tag {
  name  String @id
  posts Post[]
}

enum Role {
  READER
  WRITER @map("writer")

  @@map("user_role")
}
$$));

-- Several files, in the order of their names; they may name each other's models.
SELECT pg_temp.lines(kepler.blueprint_from_prisma(jsonb_build_object(
    'shop/order.prisma', $$model Order {
  id    Int    @id
  buyer String @db.Uuid
  of    Buyer  @relation(fields: [buyer], references: [id], onDelete: Cascade)
}$$,
    'main.prisma', $$datasource db {
  provider     = "postgresql"
  url          = "postgresql://localhost/shop?schema=trade"
  relationMode = "foreignKeys"
}
model Buyer {
  id     String  @id @default(dbgenerated("gen_random_uuid()")) @db.Uuid
  orders Order[]
}$$), 'shop'));

-- What is left out is told, and kept. Three slashes become comments if that is wished.
SELECT pg_temp.lines(kepler.blueprint_from_prisma($$
datasource db {
  provider   = "postgresql"
  schemas    = ["public", "search"]
  extensions = [vector, trigrams(map: "pg_trgm", version: "1.6")]
}
policy Rules {
  allow everything
}
/// What is found
/// by meaning.
model Page {
  id    Int                           @id @omit
  /// In French.
  title String                        @db.Citext
  near  Unsupported("vector")?
  wide  Unsupported("vector(3)")?
  old   Int                           @default(dbgenerated())
  @@index([title(length: 10)])
  @@fulltext([title])
  @@allow("read", true)
  @@schema("search")
}
view Pages {
  id Int @unique
  @@schema("public")
}
$$, 'pages', '{"descriptions": true, "vector_dimensions": {"Page.near": 5}, "schema": "search"}'));

-- Where citext cannot be had.
SELECT pg_temp.lines(kepler.blueprint_from_prisma(E'model A {\n  id String @id @db.Citext\n}', 'a', '{"citext": false}'));
SELECT kepler.blueprint_from_prisma(E'datasource db {\n  provider = "postgresql"\n  extensions = [citext, vector]\n}\nmodel A {\n  id Int @id\n}', 'a',
    '{"citext": false}') -> 'extensions' AS extensions;

-- The database makes no foreign keys where Prisma does without.
SELECT pg_temp.lines(kepler.blueprint_from_prisma($$
datasource db {
  provider     = "postgres"
  relationMode = "prisma"
}
model A {
  id  Int @id
  bs  B[]
  own A[] @relation("friends")
  of  A[] @relation("friends")
}
model B {
  id Int @id
  a  A   @relation(fields: [aId], references: [id])
  aId Int
  /* a comment
     of two lines */
}
$$));
