-- The documented examples of MongoDB's update operators, one after another: the same documents, the
-- same updates, the same results. (Numbers there are doubles, here they are exact.)
\set SHOW_CONTEXT never

-- $set: top-level fields, fields of embedded documents, elements of arrays.
CREATE TEMP TABLE products AS SELECT '{"_id": 100, "quantity": 250, "instock": true, "reorder": false,
    "details": {"model": "14QQ", "make": "Clothes Corp"}, "tags": ["apparel", "clothing"],
    "ratings": [{"by": "Customer007", "rating": 4}]}'::jsonb AS doc;
SELECT jsonb_pretty(kepler.json_update(doc, '{"$set": {"quantity": 500,
    "details": {"model": "2600", "make": "Fashionaires"}, "tags": ["coats", "outerwear", "clothing"]}}')) FROM products;
SELECT kepler.json_update(doc, '{"$set": {"details.make": "Kustom Kidz"}}')->'details' AS details FROM products;
SELECT u->'tags' AS tags, u->'ratings' AS ratings FROM products,
    kepler.json_update(doc, '{"$set": {"tags.1": "rain gear", "ratings.0.rating": 2}}') AS u;

-- $unset takes fields away. What is not there is no error.
SELECT kepler.json_update('{"item": "chisel", "sku": "C001", "quantity": 4, "instock": true}',
    '{"$unset": {"quantity": "", "instock": "", "nothing.here": ""}}');

-- $inc, also by less than nothing.
SELECT kepler.json_update('{"_id": 1, "sku": "abc123", "quantity": 10, "metrics": {"orders": 2, "ratings": 3.5}}',
    '{"$inc": {"quantity": -2, "metrics.orders": 1}}');

-- $mul, and of a field that is not there.
SELECT kepler.json_update('{"_id": 1, "item": "Hats", "price": 10.99, "quantity": 25}',
    '{"$mul": {"price": 1.25, "quantity": 2}}');
SELECT kepler.json_update('{"_id": 2, "item": "Unknown"}', '{"$mul": {"price": 100}}');
SELECT kepler.json_update('{"_id": 3, "item": "Scarf", "price": 10}', '{"$mul": {"price": 5}}');

-- $min and $max, of numbers and of times.
SELECT kepler.json_update('{"_id": 1, "highScore": 800, "lowScore": 200}', '{"$min": {"lowScore": 150}}'),
    kepler.json_update('{"_id": 1, "highScore": 800, "lowScore": 150}', '{"$min": {"lowScore": 250}}'),
    kepler.json_update('{"_id": 1, "highScore": 800, "lowScore": 200}', '{"$max": {"highScore": 950}}'),
    kepler.json_update('{"_id": 1, "highScore": 950, "lowScore": 200}', '{"$max": {"highScore": 870}}');
SELECT kepler.json_update('{"desc": "crafts", "dateEntered": "2013-10-01T05:00:00Z", "dateExpired": "2013-10-01T16:38:16Z"}',
    '{"$min": {"dateEntered": "2013-09-25T00:00:00Z"}, "$max": {"dateExpired": "2013-09-30T00:00:00Z"}}');

-- $rename: fields, embedded ones, out of one embedded document into another, and one that is not there.
CREATE TEMP TABLE people AS SELECT '{"_id": 1, "alias": ["The American Cincinnatus", "The American Fabius"],
    "mobile": "555-555-5555", "nmae": {"first": "george", "last": "washington"}}'::jsonb AS doc;
SELECT kepler.json_update(doc, '{"$rename": {"nmae": "name", "mobile": "cell"}}') FROM people;
SELECT kepler.json_update(kepler.json_update(doc, '{"$rename": {"nmae": "name"}}'),
    '{"$rename": {"name.first": "name.fname"}}') FROM people;
SELECT kepler.json_update(kepler.json_update(doc, '{"$rename": {"nmae": "name"}}'),
    '{"$rename": {"name.last": "contact.lname"}}') FROM people;
SELECT kepler.json_update(doc, '{"$rename": {"wife": "spouse"}}') = doc AS unchanged FROM people;

-- $setOnInsert: only where a row is made.
CREATE TEMP TABLE stock (id integer PRIMARY KEY, doc jsonb);
SELECT * FROM kepler.upsert_document('stock', '{"id": 1}', 'doc',
    '{"$set": {"item": "apple"}, "$setOnInsert": {"defaultQty": 100}}');
SELECT * FROM kepler.upsert_document('stock', '{"id": 1}', 'doc',
    '{"$set": {"item": "pear"}, "$setOnInsert": {"defaultQty": 200}}');

-- $push: a value, several, several with modifiers.
SELECT kepler.json_update('{"_id": 1, "scores": [44, 78, 38, 80]}', '{"$push": {"scores": 89}}'),
    kepler.json_update('{"_id": 1, "scores": [44, 78, 38, 80, 89]}', '{"$push": {"scores": {"$each": [90, 92, 85]}}}');
SELECT jsonb_pretty(kepler.json_update('{"_id": 5, "quizzes": [{"wk": 1, "score": 10}, {"wk": 2, "score": 8},
    {"wk": 3, "score": 5}, {"wk": 4, "score": 6}]}', '{"$push": {"quizzes": {"$each": [{"wk": 5, "score": 8},
    {"wk": 6, "score": 7}, {"wk": 7, "score": 6}], "$sort": {"score": -1}, "$slice": 3}}}'));
-- $position: at the start, in the middle, counted from the end.
SELECT kepler.json_update('{"scores": [100]}', '{"$push": {"scores": {"$each": [50, 60, 70], "$position": 0}}}'),
    kepler.json_update('{"scores": [50, 60, 70, 100]}', '{"$push": {"scores": {"$each": [20, 30], "$position": 2}}}'),
    kepler.json_update('{"scores": [50, 60, 20, 30, 70, 100]}', '{"$push": {"scores": {"$each": [90, 80], "$position": -2}}}');
-- $slice: the last ones, the first ones, and without new elements.
SELECT kepler.json_update('{"scores": [40, 50, 60]}', '{"$push": {"scores": {"$each": [80, 78, 86], "$slice": -5}}}'),
    kepler.json_update('{"scores": [89, 90]}', '{"$push": {"scores": {"$each": [100, 20], "$slice": 3}}}'),
    kepler.json_update('{"scores": [89, 70, 100, 20]}', '{"$push": {"scores": {"$each": [], "$slice": -3}}}');
-- $sort: by a field, by the elements themselves, and without new elements.
SELECT kepler.json_update('{"quizzes": [{"id": 1, "score": 6}, {"id": 2, "score": 9}]}',
    '{"$push": {"quizzes": {"$each": [{"id": 3, "score": 8}, {"id": 4, "score": 7}, {"id": 5, "score": 6}], "$sort": {"score": 1}}}}');
SELECT kepler.json_update('{"tests": [89, 70, 89, 50]}', '{"$push": {"tests": {"$each": [40, 60], "$sort": 1}}}'),
    kepler.json_update('{"tests": [89, 70, 100, 20]}', '{"$push": {"tests": {"$each": [], "$sort": -1}}}');

-- $addToSet: a value that is there, one that is not, an array as one value, several.
CREATE TEMP TABLE inventory AS SELECT '{"_id": 1, "item": "polarizing_filter", "tags": ["electronics", "camera"]}'::jsonb AS doc;
SELECT kepler.json_update(doc, '{"$addToSet": {"tags": "accessories"}}')->'tags' AS added,
    kepler.json_update(doc, '{"$addToSet": {"tags": "camera"}}') = doc AS unchanged,
    kepler.json_update('{"letters": ["a", "b"]}', '{"$addToSet": {"letters": ["c", "d"]}}')->'letters' AS one_array,
    kepler.json_update(doc, '{"$addToSet": {"tags": {"$each": ["camera", "electronics", "accessories"]}}}')->'tags' AS each
FROM inventory;

-- $pull: equal values, a comparison, objects, objects with arrays in them.
SELECT kepler.json_update('{"_id": 1, "fruits": ["apples", "pears", "oranges", "grapes", "bananas"],
    "vegetables": ["carrots", "celery", "squash", "carrots"]}',
    '{"$pull": {"fruits": {"$in": ["apples", "oranges"]}, "vegetables": "carrots"}}');
SELECT kepler.json_update('{"_id": 1, "votes": [3, 5, 6, 7, 7, 8]}', '{"$pull": {"votes": {"$gte": 6}}}');
SELECT kepler.json_update('{"_id": 1, "results": [{"item": "A", "score": 5}, {"item": "B", "score": 8}]}',
        '{"$pull": {"results": {"score": 8, "item": "B"}}}'),
    kepler.json_update('{"_id": 2, "results": [{"item": "C", "score": 8}, {"item": "B", "score": 4}]}',
        '{"$pull": {"results": {"score": 8, "item": "B"}}}');
SELECT kepler.json_update(doc, '{"$pull": {"results": {"answers": {"$elemMatch": {"q": 2, "a": {"$gte": 8}}}}}}')
FROM (VALUES
    ('{"_id": 1, "results": [{"item": "A", "score": 5, "answers": [{"q": 1, "a": 4}, {"q": 2, "a": 6}]},
        {"item": "B", "score": 8, "answers": [{"q": 1, "a": 8}, {"q": 2, "a": 9}]}]}'::jsonb),
    ('{"_id": 2, "results": [{"item": "C", "score": 8, "answers": [{"q": 1, "a": 8}, {"q": 2, "a": 7}]},
        {"item": "B", "score": 4, "answers": [{"q": 1, "a": 0}, {"q": 2, "a": 8}]}]}')) AS t (doc);

-- $pull by conditions of all kinds: an element that is an array is looked into, a missing field, alternatives, texts.
SELECT kepler.json_update('{"a": [["x", "y"], ["z"]]}', '{"$pull": {"a": {"$ne": "x"}}}') AS "$ne",
    kepler.json_update('{"a": [["x", "y"], ["z"], "x"]}', '{"$pull": {"a": {"$in": ["x"]}}}') AS "$in",
    kepler.json_update('{"a": [[1, 9], [1], 9]}', '{"$pull": {"a": {"$elemMatch": {"$gt": 5}}}}') AS "$elemMatch",
    kepler.json_update('{"a": [1, 5, 9]}', '{"$pull": {"a": {"$not": {"$gt": 4}}}}') AS "$not",
    kepler.json_update('{"a": ["abc", "xbc", 1]}', '{"$pull": {"a": {"$regex": "^A", "$options": "i"}}}') AS "$regex";
SELECT kepler.json_update(doc, '{"$pull": {"a": {"y": {"$exists": false}}}}') AS "$exists",
    kepler.json_update(doc, '{"$pull": {"a": {"$or": [{"x": 1, "y": 2}, {"x": {"$gt": 8}}]}}}') AS "$or",
    kepler.json_update(doc, '{"$pull": {"a": {"$and": [{"x": 1}, {"y": {"$exists": true}}]}}}') AS "$and",
    kepler.json_update(doc, '{"$pull": {"a": {"$nor": [{"x": 1}, {"x": 9}]}}}') AS "$nor"
FROM (VALUES ('{"a": [{"x": 1}, {"x": 1, "y": 2}, {"x": 9}, 5]}'::jsonb)) AS t (doc);

-- $pullAll takes out whole values; arrays only where they are equal.
SELECT kepler.json_update('{"_id": 1, "scores": [0, 2, 5, 5, 1, 0]}', '{"$pullAll": {"scores": [0, 5]}}'),
    kepler.json_update('{"a": [[1], 1, {"x": 1}, 2]}', '{"$pullAll": {"a": [[1], {"x": 1}]}}'),
    kepler.json_update('{"a": [1]}', '{"$pullAll": {"a": [], "b": [1]}}');

-- $pop: the first, the last, of nothing.
SELECT kepler.json_update('{"_id": 1, "scores": [8, 9, 10]}', '{"$pop": {"scores": -1}}'),
    kepler.json_update('{"_id": 10, "scores": [9, 10]}', '{"$pop": {"scores": 1}}'),
    kepler.json_update('{"a": [], "b": [1]}', '{"$pop": {"a": 1, "b": 1, "c": 1}}');

-- $bit: and, or, xor; of nothing, of a negative number.
SELECT kepler.json_update('{"_id": 1, "expdata": 13}', '{"$bit": {"expdata": {"and": 10}}}'),
    kepler.json_update('{"_id": 2, "expdata": 3}', '{"$bit": {"expdata": {"or": 5}}}'),
    kepler.json_update('{"_id": 3, "expdata": 1}', '{"$bit": {"expdata": {"xor": 5}}}'),
    kepler.json_update('{"a": -1}', '{"$bit": {"a": {"and": 9223372036854775807}, "b": {"or": 4}}}');

-- $currentDate: the time of the call, as JavaScript spells it. A function without a clock refuses it.
UPDATE stock SET doc = '{"lastModified": "2013-10-02T01:11:18.965Z", "status": "a"}';
SELECT outcome, document - 'lastModified' - 'cancellation' AS rest,
    abs(extract(epoch FROM (document->>'lastModified')::timestamptz - clock_timestamp())) < 60 AS is_now,
    document->>'lastModified' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$' AS spelled,
    document->>'lastModified' = document->'cancellation'->>'date' AS one_time
FROM kepler.update_document('stock', '{"id": 1}', 'doc',
    '{"$currentDate": {"lastModified": true, "cancellation.date": {"$type": "date"}}, "$set": {"status": "D"}}');
SELECT outcome, document ? 'a.b' AS there FROM kepler.upsert_document('stock', '{"id": 2}', 'doc',
    '[{"op": "$currentDate", "path": ["a.b"], "value": true}]');
SELECT kepler.json_update('{}', '{"$currentDate": {"a": true, "b": {"$type": "timestamp"}, "c": 1}}');

-- Paths in conflict are refused, as there.
SELECT kepler.json_update('{}', '{"$set": {"a": 1}, "$inc": {"a.b": 1}}');
