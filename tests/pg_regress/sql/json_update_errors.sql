-- What json_update refuses: what is wrong with the operations is told at once, each place with a JSON
-- Pointer; what does not fit the document likewise. Nothing is changed in part.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.attempt(doc jsonb, operations jsonb) RETURNS TABLE (state text, message text, line text)
LANGUAGE plpgsql AS $$
DECLARE
    lines text;
BEGIN
    PERFORM kepler.json_update(doc, operations);
    RETURN QUERY SELECT '00000', NULL, NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, lines = PG_EXCEPTION_DETAIL;
    RETURN QUERY SELECT attempt.state, attempt.message, l FROM string_to_table(lines, E'\n') AS l;
END
$$;
\pset format unaligned
\pset tuples_only on

-- NULL in, NULL out for the document; operations must be there.
SELECT kepler.json_update(NULL, '{"$set": {"a": 1}}') IS NULL;
SELECT kepler.json_update('{}', NULL);

-- No operations, no object of operations, unknown operators, all problems at once.
SELECT kepler.json_update('{"a": 1}', '{}'), kepler.json_update('{"a": 1}', '[]'), kepler.json_update('{"a": 1}', '{"$set": {}}');
SELECT * FROM pg_temp.attempt('{}', '"$set"');
SELECT * FROM pg_temp.attempt('{}', '{"set": {"a": 1}, "$set": 1, "$inc": [], "$push": {"p": {"$slice": 2}}, "$mul": {"n": "2"}, "$min": {"m": null}}');
SELECT * FROM pg_temp.attempt('{}', '{"$set": {"a..b": 1, "": 1, "a.$": 1, "a.$[].b": 1, "$x": 1}}');
SELECT * FROM pg_temp.attempt('{}', '[{"op": "$set"}, {"op": "$set", "path": "a"}, {"op": "$set", "path": [], "value": 1},
    {"op": "$set", "path": ["a", 0], "value": 1}, {"op": "$set", "path": 7, "value": 1}, {"op": "$sett", "path": "a", "value": 1},
    {"op": 1, "path": "a"}, {"path": "a"}, [], {"op": "$unset", "path": "b", "extra": 1}]');
SELECT * FROM pg_temp.attempt('{}', '{"$push": {"a": {"$each": 1}, "b": {"$each": [], "$position": 1.5, "$slice": "x", "$sort": 2},
    "c": {"$each": [], "$sort": {"x": 1, "y": 1}}, "d": {"$each": [], "$sort": []}, "e": {"$each": [], "$foo": 1}},
    "$addToSet": {"f": {"$each": 1}, "g": {"$foo": 1}}, "$pull": {"h": {"$in": 1}, "i": {"$gt": 1, "x": 1}, "j": {"x": {"$regex": "("}}, "k": {"$regex": "a{1000}{1000}"}, "l": {"$options": "i"}},
    "$pop": {"m": 2, "n": "1"}, "$pullAll": {"o": 1}, "$bit": {"p": {"and": 1.5}, "q": {"not": 1}, "r": {}, "s": 1}}');

-- Paths in conflict, both named.
SELECT * FROM pg_temp.attempt('{}', '{"$set": {"a.b": 1, "a.b.c": 2, "x": 1}, "$unset": {"x": 1}, "$rename": {"y": "a", "z": "z"}}');
SELECT * FROM pg_temp.attempt('{}', '[{"op": "$inc", "path": ["n"], "value": 1}, {"op": "$inc", "path": "n", "value": 1}]');

-- A scalar in the way, where jsonb_set would do nothing; null is one too.
SELECT * FROM pg_temp.attempt('{"a": 5, "b": {"c": "x"}, "n": null}', '{"$set": {"a.x": 1, "b.c.d.e": 1, "b.new": 1}, "$inc": {"n.x": 1}}');
SELECT * FROM pg_temp.attempt('"scalar"', '{"$set": {"a": 1}}');
SELECT kepler.json_update('{"a": 5}', '{"$unset": {"a.x": 1}, "$pull": {"a.y": 1}, "$rename": {"a.z": "z"}}');

-- Places in arrays.
SELECT * FROM pg_temp.attempt('{"a": [1, 2]}', '{"$set": {"a.-1": 0, "a.01": 0, "a.x": 0, "a.1503": 0, "a.99999999999999999999": 0}}');
SELECT jsonb_array_length(kepler.json_update('{"a": [1, 2]}', '{"$set": {"a.1502": 0}}')->'a');
SELECT * FROM pg_temp.attempt('{"a": [1, 2], "b": 1}', '{"$rename": {"a.0": "x", "b": "a.1"}}');

-- Kinds that do not go together.
SELECT * FROM pg_temp.attempt('{"s": "x", "n": 1, "o": {}}', '{"$inc": {"s": 1}, "$mul": {"o": 1}}');
SELECT * FROM pg_temp.attempt('{"s": "x", "n": 1, "o": {}}', '{"$push": {"s": 1}, "$addToSet": {"n": 1}, "$pull": {"o": 1}}');
SELECT * FROM pg_temp.attempt('{"s": "x", "n": 1, "t": null}', '{"$min": {"s": 1, "n": "x"}, "$max": {"t": 1}}');

-- Numbers are exact, and have the range of numeric.
SELECT kepler.json_update('{"a": 0.1, "b": 12345678901234567890.123, "c": 3.50}', '{"$inc": {"a": 0.2, "b": 1e-10}, "$mul": {"c": 2.00}}');
SELECT * FROM pg_temp.attempt('{"a": 9e131071, "b": 9e131071}', '{"$inc": {"a": 9e131071}, "$mul": {"b": 10}}');
SELECT kepler.json_update(jsonb_build_object('n', a), jsonb_build_object('$inc', jsonb_build_object('n', b)))->'n' = to_jsonb(a + b)
    AND kepler.json_update(jsonb_build_object('n', a), jsonb_build_object('$mul', jsonb_build_object('n', b)))->>'n' = (a * b)::text AS as_numeric
FROM (VALUES (1.5, 2.50), (-1e20, 1e-20), (99999999.9999, 0.0001), (10, -0.1), (123456789012345678901234567890.5, -98765432109876543210),
    (1e1000, -1e-1000), (-0.5, 0.5)) AS n (a, b);

-- Too deep, by path and by value.
SELECT state, right(line, 60) FROM pg_temp.attempt('{}', jsonb_build_object('$set', jsonb_build_object(repeat('a.', 512) || 'b', 1)));
SELECT state, right(line, 60) FROM pg_temp.attempt('{}', jsonb_build_object('$set', jsonb_build_object(repeat('a.', 299) || 'b', (repeat('[', 213) || repeat(']', 213))::jsonb)));

-- Many problems are counted, not all listed.
SELECT count(*), max(line) FILTER (WHERE line LIKE '…%') FROM pg_temp.attempt('{}', (SELECT jsonb_build_object('$inc', jsonb_object_agg('k' || i, 'x')) FROM generate_series(1, 150) AS i));
