-- What is merged is lost, so only what says the same is: the same words in the same order, but for case and punctuation.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 3, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
-- Each pair with embeddings that are as near as can be: what becomes of the second text, said after the first and in one batch.
CREATE FUNCTION pg_temp.second(a text, b text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text; batch text; stored text; asked text[];
BEGIN
    PERFORM kepler.forget(ARRAY(SELECT id FROM kepler.memories));
    PERFORM kepler.remember(a, '[1,0,0]', dedupe => true);
    SELECT r.outcome INTO said FROM kepler.remember(b, '[1,0.01,0]', dedupe => true) AS r;
    SELECT string_agg(content, ' | ' ORDER BY created_at, id) INTO stored FROM kepler.memories;
    PERFORM kepler.forget(ARRAY(SELECT id FROM kepler.memories));
    SELECT r.outcome INTO batch FROM kepler.remember_many(json_build_array(
        json_build_object('content', a, 'embedding', '[1,0,0]'::json), json_build_object('content', b, 'embedding', '[1,0.01,0]'::json)), dedupe => true) AS r
    WHERE r.ordinal = 2;
    RETURN said || CASE WHEN batch <> said THEN ', in a batch ' || batch ELSE '' END
        || CASE WHEN (said = 'inserted') <> (stored LIKE '%|%') THEN ', and stored is ' || stored ELSE '' END;
END
$$;
-- Two statements. Order, names, negation, numbers, signs, symbols and questions count; so does all that stands within a word, in any script.
SELECT pg_temp.second(a, b), a, b FROM (VALUES
    ('The office in Berlin reports to the office in Oslo about the platform', 'The office in Oslo reports to the office in Berlin about the platform'),
    ('Ada approved the budget that Bob had rejected', 'Bob approved the budget that Ada had rejected'),
    ('The user wants the weekly report on Monday before nine and after the call', 'The user wants the weekly report on Monday after nine and before the call'),
    ('Ada can eat nuts and every other thing on the menu of the place', 'Ada cannot eat nuts and every other thing on the menu of the place'),
    ('She is allergic to nuts', 'She is not allergic to nuts'),
    ('Tea is better than coffee', 'Coffee is better than tea'),
    ('We can meet', 'We can''t meet'), ('They''re here', 'There here'), ('resign the contract', 're-sign the contract'),
    ('room 12', 'room 21'), ('costs 1.5', 'costs 15'), ('it is -5 outside', 'it is 5 outside'), ('the balance is (500)', 'the balance is 500'),
    ('He knows C', 'He knows C++'), ('He knows C#', 'He knows C++'), ('grade A', 'grade A-'), ('50 percent', '50% percent'), ('x = y', 'x != y'),
    ('The trip was 👍', 'The trip was 👎'), ('I was promoted :)', 'I was promoted :('), ('He signed.', 'He signed?'),
    ('very good', 'very, very good'), ('nowhere', 'now here'), ('猫が犬を追う', '犬が猫を追う'), ('妈妈骂马', '马骂妈妈'), ('Иван любит Машу', 'Машу любит Петр'),
    ('محمد يحب علي', 'علي يحب محمد'), ('राम ने श्याम को मारा', 'श्याम ने राम को मारा'), ('雨が3、4回', '雨が34回'), ('ตา กลม', 'ตาก ลม'), ('😀', '😢'), ('!!!', '???')
) AS pairs (a, b);
-- One statement.
SELECT pg_temp.second(a, b), a, b FROM (VALUES
    ('Ada prefers tea to coffee', 'ada  prefers Tea to coffee!'), ('"Ada" (the cook) likes tea; coffee, too…', 'Ada the cook likes tea, coffee too.'),
    ('Standup is at 9:30', 'STANDUP is at 9:30.'), ('Иван любит Машу.', 'иван любит Машу'), ('東京に住んでいます。', '東京に住んでいます'),
    ('我住在上海，喜欢茶。', '我住在上海、喜欢茶'), ('今日は、雨です', '今日は雨です。'), ('أحب الشاي،', 'أحب الشاي'), ('वह घर गया।', 'वह घर गया'), ('C++ is fast', 'c++ is fast!')
) AS pairs (a, b);
-- The same words with another meaning to the model are two memories.
SELECT outcome FROM kepler.remember('a bank', '[0,1,0]', dedupe => true);
SELECT outcome FROM kepler.remember('A bank.', '[0,0,1]', dedupe => true);
-- JSON is the same where its value is. A text that looks like it is another thing.
SELECT count(*) AS forgotten FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories));
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": {"a": [1, 2], "b": "x"}, "embedding": [1,0,0]}, {"content": {"b": "x",  "a": [1,2]}, "embedding": [1,0,0]},
    {"content": {"a": [[1], 2], "b": "x"}, "embedding": [1,0,0]}, {"content": {"a": [1, 2], "b": "X"}, "embedding": [1,0,0]}, {"content": "{\"a\": [1, 2], \"b\": \"x\"}", "embedding": [1,0,0]}]', dedupe => true);

-- What is merged brings along all that it says beside its text: an embedding that was missing, and a time from which it held already.
SELECT count(*) AS forgotten FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories));
SELECT outcome FROM kepler.remember('Ada moves in May', valid_from => '2040-05-01', metadata => '{"a": 1}', dedupe => true);
SELECT outcome FROM kepler.remember('Ada moves in May', '[1,0,0]', valid_from => '2024-01-01', metadata => '{"b": 2}', dedupe => true);
SELECT content, valid_from, metadata, similarity FROM kepler.search_memories('[1,0,0]', as_of => '2024-02-01') JOIN kepler.memories USING (content);
-- A later embedding of the same text is no correction: set_embeddings is.
SELECT outcome FROM kepler.remember('Ada moves in May', '[0,1,0]', dedupe => true);
SELECT embedding FROM kepler_data.mini_embeddings;
ROLLBACK;
