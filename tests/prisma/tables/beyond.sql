-- What nothing in Prisma's language can say: the engine would change it.
-- schemas: ["public"]
-- difference: ALTER TABLE "types" ALTER COLUMN "minus" SET DATA TYPE numeric(10,-2);
-- difference: ALTER TABLE "other" DROP CONSTRAINT "other_carried_fkey";
-- difference: ALTER TABLE "other" DROP CONSTRAINT "other_wider_fkey";
CREATE TABLE types (id bigint PRIMARY KEY, minus numeric(10,-2));
CREATE TABLE carries (id int PRIMARY KEY, key int, b int, UNIQUE (key) INCLUDE (b));
CREATE TABLE other (id int PRIMARY KEY, wider int REFERENCES types, carried int REFERENCES carries (key));
