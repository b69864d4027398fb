//! Texts that nobody would write, and normal forms beside each other.

use super::parse::MAX_DEPTH;
use super::*;
use proptest::prelude::*;

fn given(text: &str, place: Place) -> Result<SqlText, String> {
    let columns = |name: &str| (name != "unknown").then(|| name.to_owned());
    let types = |schema: Option<&str>, name: &str| {
        let known = name == "status" && schema.is_none_or(|schema| schema == "shop");
        known.then(|| ("shop".to_owned(), name.to_owned()))
    };
    SqlText::given(text, place, &Names { columns: &columns, types: &types })
}

#[test]
fn precedences_are_those_of_postgres() {
    for (text, same) in [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a ^ b ^ c", "(a ^ b) ^ c"),
        ("a || b = c", "(a || b) = c"),
        ("a + 1 || b", "(a + 1) || b"),
        ("NOT a = b AND c OR d", "((NOT (a = b)) AND c) OR d"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a = b LIKE c", "a = (b LIKE c)"),
        ("a + b AT TIME ZONE 'x'", "a + (b AT TIME ZONE 'x')"),
        ("-a ^ b", "(-a) ^ b"),
        ("a::text || b", "(a::text) || b"),
        ("a BETWEEN 1 AND 2 AND b", "(a >= 1 AND a <= 2) AND b"),
        ("a<-1", "a < (-1)"),
    ] {
        let [text, same] =
            [text, same].map(|text| given(text, Place::Predicate).map(|sql| sql.text));
        assert!(text.is_ok(), "{text:?}");
        // A conjunction within one stays in its parentheses.
        let [text, same] =
            [text, same].map(|text| text.unwrap_or_default().replace(['(', ')'], ""));
        assert_eq!(text, same);
    }
    for (text, written) in [
        ("a + b * c", "(\"a\" OPERATOR(pg_catalog.+) (\"b\" OPERATOR(pg_catalog.*) \"c\"))"),
        ("a - b - c", "((\"a\" OPERATOR(pg_catalog.-) \"b\") OPERATOR(pg_catalog.-) \"c\")"),
        ("NOT a OR b", "((NOT \"a\") OR \"b\")"),
        ("a IN ('x', 'y')", "(\"a\" OPERATOR(pg_catalog.=) ANY ('{\"x\",\"y\"}'))"),
    ] {
        assert_eq!(given(text, Place::Predicate).map(|sql| sql.text), Ok(written.to_owned()));
    }
}

#[test]
fn depth_is_bounded() {
    let wrapped = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(given(&wrapped(MAX_DEPTH), Place::Default).is_ok());
    assert!(given(&wrapped(MAX_DEPTH + 1), Place::Default).is_err());
    assert_eq!(SqlText::printed(&wrapped(5_000)).normal, wrapped(5_000));
}

proptest! {
    #[test]
    fn no_text_is_too_much(
        text in "\\PC*",
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b", "'x'", "'it''s'", "'{a,b}'", "'{\"a\":1}'", "E'a\\\\'", "'1 day'", "'2020-01-01'",
                "5", "0.5", "1e3", ".5", "(", "(", ")", ")", "[", "]", ",", "::", ".", "text", "numeric(10,2)",
                "varchar(3)", "shop.status", "interval ", "date ", "=", "<>", "!=", ">=", "<@", "+", "-", "-", "||", "->>", "~~",
                " AND ", " OR ", " NOT ", " IS NULL", " IS NOT TRUE", " IN (", " BETWEEN ", " LIKE ", " ANY (", " ALL (",
                "ARRAY[", "NULL", "\"", "'", "\"Q\"", " COLLATE \"C\"", " AT TIME ZONE ", "time", " with time zone", "true", "é", ":",
                "lower(", "now()", "coalesce(", "OPERATOR(pg_catalog.=)", "CURRENT_TIMESTAMP", "CAST(", " AS ", ";", "--", "$$",
            ]),
            0..24,
        ),
    ) {
        for text in [text, pieces.concat(), pieces.join(" ")] {
            SqlText::printed(&text);
            SqlText::trusted(&text);
            for place in [Place::Default, Place::Predicate] {
                if let Ok(sql) = given(&text, place) {
                    // What is run is understood, and as the same.
                    let again = given(&sql.text, place);
                    prop_assert!(again.is_ok(), "{} became {}: {:?}", text, sql.text, again);
                    prop_assert_eq!(&again.unwrap_or_else(|_| sql.clone()).normal, &sql.normal, "{}", text);
                    prop_assert_eq!(&SqlText::printed(&sql.text).normal, &sql.normal);
                }
            }
        }
    }
}
