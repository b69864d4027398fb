-- Odd keys, odd documents, and many operations. Whatever is done, the bytes are those that Postgres'
-- own input makes of the same text.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

-- Compares the bytes, not what they mean.
CREATE FUNCTION pg_temp.same_bytes(doc jsonb) RETURNS boolean LANGUAGE sql AS $$
    SELECT record_image_eq(ROW(doc), ROW(doc::text::jsonb)) AND kepler.jsonb_hash(doc) = kepler.jsonb_hash(doc::text::jsonb)
$$;

-- Keys that hold dots, quotes, line ends, other scripts, or nothing; names that mean something elsewhere.
SELECT u, pg_temp.same_bytes(u) FROM kepler.json_update('{"a.b": 1, "": {"": 2}, "$set": 3, "__proto__": {"x": 1}}', '[
    {"op": "$inc", "path": ["a.b"], "value": 1}, {"op": "$set", "path": ["", ""], "value": "\"quoted\""},
    {"op": "$unset", "path": ["$set"]}, {"op": "$set", "path": ["__proto__", "constructor"], "value": null},
    {"op": "$set", "path": ["line\nend", "snow☃", "🙂"], "value": "é"}]') AS u;
SELECT u, pg_temp.same_bytes(u) FROM kepler.json_update('{"__proto__": 1, "0": {"0": 1}, "👍": {}}',
    '{"$inc": {"__proto__": 1, "0.0": 1}, "$set": {"👍.ключ": "значение", "a\"b": 1, "a/b~c": 2}}') AS u;
SELECT kepler.json_update('{"a/b~c": "x", "q\"": 1}', '{"$inc": {"a/b~c": 1}, "$push": {"q\"": 1}}');

-- Values are values, whatever their keys look like.
SELECT kepler.json_update('{}', '{"$set": {"a": {"$inc": {"b": 1}, "c.d": 1}}, "$push": {"l": {"x.y": 1}}}');

-- Padding: values of every length before numbers and containers, changed, added and taken away.
SELECT count(*), bool_and(pg_temp.same_bytes(u)) FROM generate_series(0, 9) AS old, generate_series(0, 9) AS new, (VALUES
        ('{"$set": {"b": "%s"}}'), ('{"$set": {"b%s": 1}}'), ('{"$unset": {"b": ""}, "$set": {"x": "%s"}}'),
        ('{"$set": {"z.y.%s.x": [1, {"a": "%s"}]}}'), ('{"$push": {"l": "%s"}}'), ('{"$rename": {"b": "r%s"}}')) AS o (text),
    kepler.json_update(jsonb_build_object('a', 1, 'b', repeat('x', old), 'c', 2.5, 'd', '{"e": [1, "x", {"f": 1}]}'::jsonb, 'l', '["x", 1, {}]'::jsonb, 'q', 1),
        replace(o.text, '%s', repeat('y', new + 1))::jsonb) AS u;

-- Objects and arrays of every size around the stride of offsets; a child in each place.
SELECT count(*), bool_and(pg_temp.same_bytes(u)) FROM generate_series(1, 70) AS size, (VALUES (1), (2), (31), (32), (33), (64), (65)) AS p (place), LATERAL (
    SELECT kepler.json_update((SELECT jsonb_object_agg('k' || i, CASE i % 3 WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb(repeat('x', i)) ELSE '[1]' END) FROM generate_series(1, size) AS i),
            format('{"$set": {"k%s": "changed", "n%s": 1}, "$unset": {"k%s": ""}}', place, place, place + 1)::jsonb)
    UNION ALL
    SELECT kepler.json_update((SELECT jsonb_build_object('a', jsonb_agg(CASE i % 3 WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb(repeat('x', i)) ELSE '{"a": 1}' END)) FROM generate_series(1, size) AS i),
            format('{"$set": {"a.%s": "changed", "a.%s": [2]}}', place, place + 7)::jsonb)) AS v (u);

-- Ten thousand operations at once, in one object and one beside the other.
SELECT (SELECT count(*) FROM jsonb_object_keys(u->'many')), (SELECT sum(value::integer) FROM jsonb_each_text(u->'many')), pg_temp.same_bytes(u)
FROM (SELECT kepler.json_update('{"many": {"k7": 100}}', jsonb_build_object('$inc', jsonb_object_agg('many.k' || i, i))) AS u FROM generate_series(1, 10000) AS i) AS t;
SELECT jsonb_array_length(u->'a'), pg_temp.same_bytes(u) FROM (
    SELECT kepler.json_update('{"a": []}', jsonb_build_object('$push', jsonb_build_object('a', jsonb_build_object('$each', jsonb_agg(i))))) AS u FROM generate_series(1, 100000) AS i) AS t;
-- Sets do not become slow with their size.
SELECT jsonb_array_length(u->'a') FROM (
    SELECT kepler.json_update((SELECT jsonb_build_object('a', jsonb_agg(i)) FROM generate_series(1, 50000) AS i),
        (SELECT jsonb_build_object('$addToSet', jsonb_build_object('a', jsonb_build_object('$each', jsonb_agg(i)))) FROM generate_series(25001, 75000) AS i)) AS u) AS t;
SELECT jsonb_array_length(u->'a') FROM (
    SELECT kepler.json_update((SELECT jsonb_build_object('a', jsonb_agg(i)) FROM generate_series(1, 50000) AS i),
        (SELECT jsonb_build_object('$pull', jsonb_build_object('a', jsonb_build_object('$in', jsonb_agg(i)))) FROM generate_series(25001, 75000) AS i)) AS u) AS t;

-- A stored document may be deeper than what operations may hold: what is not touched is copied.
SELECT length(u::text), pg_temp.same_bytes(u) FROM (
    SELECT kepler.json_update(('{"deep": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb, '{"$set": {"a": 1}}') AS u) AS t;
SELECT kepler.json_update('{"a": []}', ('{"$push": {"a": ' || repeat('[', 3000) || repeat(']', 3000) || '}}')::jsonb);
SELECT kepler.json_update(('{"deep": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb, ('{"$set": {"deep": ' || repeat('[', 500) || repeat(']', 500) || '}}')::jsonb)
    = ('{"deep": ' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb;

-- What changes nothing gives the same document, to the spelling of its numbers.
SELECT kepler.json_update('{"a": 1.0, "b": [1, 2.50], "s": [3], "t": [], "m": 5.0}', '{"$set": {"a": 1, "b": [1.0, 2.5]}, "$addToSet": {"s": 3.0},
    "$pull": {"t": 4}, "$unset": {"x": 1}, "$rename": {"y": "z"}, "$max": {"m": 4}}')::text;
CREATE TEMP TABLE documents AS SELECT i AS id, '{"a": 1.0}'::jsonb AS doc FROM generate_series(1, 3) AS i;
UPDATE documents SET doc = kepler.json_update(doc, '{"$set": {"a": 1.00}}') RETURNING doc;

-- A large document: 20 MB in one string, and a change beside it.
SELECT length(u::text), u->'n' FROM (SELECT kepler.json_update(jsonb_build_object('s', repeat('x', 20000000)), '{"$inc": {"n": 1}}') AS u) AS t;
-- Larger than a jsonb can be.
SELECT kepler.json_update(jsonb_build_object('s', repeat('x', 140000000)), jsonb_build_object('$set', jsonb_build_object('t', repeat('y', 140000000))));
