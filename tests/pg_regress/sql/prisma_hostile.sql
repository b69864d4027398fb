-- Whatever stands in a schema.prisma is read as text: quotes, control characters and SQL in names stay what they are, nesting
-- and size are bounded, and no text is more than an error.
\set SHOW_CONTEXT never

-- Names with quotes, and SQL in every place that has text.
SELECT json_extract_path(d, 'tables') AS tables, json_extract_path(d, 'enums') AS enums
FROM kepler.blueprint_from_prisma($$model A {
  id    Int    @id @map("i\"d'; DROP TABLE x; --")
  e     E      @default(X)
  text  String @default("'; DROP TABLE x; --\\") @map("te\\xt")
  made  Int    @default(dbgenerated("(SELECT count(*) FROM pg_authid)"))
  @@unique([id, text], map: "u\"'")
  @@index([text(ops: raw("text_ops); DROP TABLE x; --"))], where: raw("pg_sleep(1) IS NULL"))
  @@map("a\"; b")
}
enum E {
  X @map("x'); DROP TABLE x; --")
  @@map("e\"")
}
$$) AS d;

-- Types are names, and nothing else.
SELECT kepler.blueprint_from_prisma($$model A {
  id Int @id
  a  Unsupported("int; DROP TABLE x")
  b  Unsupported("int) ; --")
  c  Unsupported("numeric((1))")
  d  Unsupported("")
  e  Unsupported("a.b.c")
}
$$);

-- Depth and length.
SELECT kepler.blueprint_from_prisma(E'model A {\n  id Int @id @default(' || repeat('[', 100000) || E'\n}');
SELECT kepler.blueprint_from_prisma(E'model A {\n  id Int @id @default(' || repeat('a(', 100000) || E'\n}');
SELECT kepler.blueprint_from_prisma(repeat('x', 5000000));
SELECT left(kepler.blueprint_from_prisma(E'model A {\n  id Int @id\n' || repeat('@@x', 1000) || E'\n}')::text, 20);

-- More problems than anybody reads: the first hundred, and how many more.
DO $$
DECLARE
    told text;
BEGIN
    PERFORM kepler.blueprint_from_prisma(E'model A {\n' || repeat(E'  a B @c(d: e, d: f)\n', 20000) || '}');
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '% % (% lines, the last: %)', SQLSTATE, SQLERRM, regexp_count(told, E'\n') + 1, substring(told from '[^\n]*$');
END $$;

-- As many warnings as anybody reads.
SET client_min_messages = error;
SELECT json_array_length(d -> 'import_warnings') AS warnings, d -> 'import_warnings' ->> -1 AS last
FROM kepler.blueprint_from_prisma(E'model A {\n  id Int @id\n' || repeat(E'  @@unheard_of\n', 20000) || '}') AS d;
RESET client_min_messages;

-- Characters that have no place in names, and line ends of every kind.
SELECT kepler.blueprint_from_prisma(E'model 😀 {\n  id Int @id\n}');
SELECT kepler.blueprint_from_prisma(E'\ufeffmodel A {\r\n  id\u00a0Int @id\r  b String @default("\u2028")\n}') AS document;
SELECT kepler.blueprint_from_prisma(E'model A {\n  id Int @id\n  b String @default("\x01")\n}');
