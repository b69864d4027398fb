//! What printed expressions mean.

use super::*;

const TEXT: FieldKind = FieldKind::Text { max_length: None };
const DECIMAL: FieldKind = FieldKind::Decimal { precision: None };

fn columns() -> Vec<Column> {
    [
        ("i", FieldKind::Integer, false),
        ("b", FieldKind::Bigint, false),
        ("n", DECIMAL, false),
        ("n2", FieldKind::Decimal { precision: Some((10, 2)) }, false),
        ("f", FieldKind::Float, false),
        ("s", TEXT, false),
        ("v", FieldKind::Text { max_length: Some(10) }, false),
        ("user", TEXT, false),
        ("o", FieldKind::Boolean, false),
        ("u", FieldKind::Uuid, false),
        ("d", FieldKind::Date, false),
        ("t", FieldKind::Time, false),
        ("ts", FieldKind::Timestamp, false),
        ("tags", TEXT, true),
        ("tv", FieldKind::Text { max_length: Some(5) }, true),
    ]
    .map(|(name, kind, list)| Column {
        name: name.to_owned(),
        kind,
        list,
        required: false,
        default: None,
        description: None,
    })
    .into()
}

/// A rule in the words of a document.
fn say(rule: &Rule) -> String {
    match rule {
        Rule::Compare { column, op, value } => {
            format!("{column} {} {}", op.symbol(), value.to_json())
        }
        Rule::CompareColumns { left, op, right } => format!("{left} {} {right}", op.symbol()),
        Rule::OneOf { column, values } => format!("{column} in {values:?}"),
        Rule::MinLength { column, length } => format!("length({column}) >= {length}"),
        other => format!("{other:?}"),
    }
}

/// Printed by Postgres 16 and 18, which agree.
#[test]
fn printed_checks_are_rules() {
    for (text, rules) in [
        ("(i >= 5)", "i >= 5"),
        ("(i >= '-5'::integer)", "i >= -5"),
        ("(0 < i)", "i > 0"),
        ("((i >= 0) AND (i <= 10))", "i >= 0; i <= 10"),
        ("(b <= '5000000000'::bigint)", "b <= 5000000000"),
        ("(b > 3)", "b > 3"),
        ("(i < b)", "i < b"),
        ("(n <= 0.5)", "n <= 0.5"),
        ("(n >= '0'::numeric)", "n >= 0"),
        ("(n >= (0)::numeric)", "n >= 0"),
        ("(n > '-1.5'::numeric)", "n > -1.5"),
        ("(n2 <= 0.5::numeric(10,2))", "n2 <= 0.5"),
        ("(n2 < n)", "n2 < n"),
        ("(f < '1e+300'::double precision)", "f < 1e300"),
        ("(f > (5)::double precision)", "f > 5"),
        ("(f > (0.25)::double precision)", "f > 0.25"),
        (r#"(s = 'it''s \ "x"'::text)"#, r#"s = "it's \\ \"x\"""#),
        ("(s <> ''::text)", r#"s <> """#),
        ("(s = ANY (ARRAY['a'::text, 'b'::text]))", r#"s in ["a", "b"]"#),
        ("(s = ANY (ARRAY['a'::text]))", r#"s in ["a"]"#),
        ("(s = ANY (ARRAY[]::text[]))", "s in []"),
        ("(s = ANY ('{a,b}'::text[]))", r#"s in ["a", "b"]"#),
        ("((v)::text <> 'x'::text)", r#"v <> "x""#),
        ("((v)::text = ('x'::character varying(10))::text)", r#"v = "x""#),
        (
            "((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            r#"v in ["a", "b"]"#,
        ),
        ("((v)::text <> s)", "v <> s"),
        (r#"("user" <> 'b'::text)"#, r#"user <> "b""#),
        ("(char_length(s) >= 3)", "length(s) >= 3"),
        ("(char_length((v)::text) >= 3)", "length(v) >= 3"),
        ("(o = true)", "o = true"),
        (
            "(u <> 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid)",
            r#"u <> "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#,
        ),
        ("(d <= '0001-01-01'::date)", r#"d <= "0001-01-01""#),
        ("(t < '23:59:59.999999'::time without time zone)", r#"t < "23:59:59.999999""#),
        (
            "(ts > '2023-12-31 22:00:00.000001+00'::timestamp with time zone)",
            r#"ts > "2023-12-31T22:00:00.000001Z""#,
        ),
        ("(tags <@ ARRAY['a'::text, 'b'::text])", r#"tags in ["a", "b"]"#),
        ("(tv <@ ARRAY['a'::character varying])", r#"tv in ["a"]"#),
    ] {
        let read = read_check(text, &columns()).unwrap_or_default();
        assert_eq!(read.iter().map(say).collect::<Vec<_>>().join("; "), rules, "{text}");
    }
}

#[test]
fn what_no_document_says_is_no_rule() {
    for text in [
        "o",
        "(NOT o)",
        "((i)::numeric <= 5.5)",
        "((i)::numeric <= n)",
        "((b)::double precision < f)",
        "((n)::double precision < (0.1)::double precision)",
        "(ts < d)",
        "(d > '2024-01-01 00:00:00+00'::timestamp with time zone)",
        "(i = i)",
        "(s < 'a'::text)",
        "(s = 'a')",
        "((s)::character varying(1) = 'a'::text)",
        "((v)::text <> ('abcdef'::character varying(3))::text)",
        "(s <> ALL (ARRAY['a'::text]))",
        "(s = ANY (ARRAY['a'::text, NULL::text]))",
        "(tags = '{a,b}'::text[])",
        "(char_length(s) > 3)",
        "(length(s, 'UTF8'::name) >= 3)",
        "(public.char_length(s) >= 3)",
        "(i OPERATOR(public.>=) 5)",
        r#"(s = ('a'::text COLLATE "C"))"#,
        "((i >= 0) OR (i <= 10))",
        "((i >= 0) AND (missing <= 10))",
        "(f > 'NaN'::double precision)",
        "(ts < 'infinity'::timestamp with time zone)",
        "(ts > '0044-03-15 00:00:00+00 BC'::timestamp with time zone)",
    ] {
        assert_eq!(read_check(text, &columns()), None, "{text}");
    }
}

#[test]
fn printed_defaults() {
    let varchar = FieldKind::Text { max_length: Some(3) };
    let value = |kind: &FieldKind, list, json: &str| {
        let json = crate::json::Json::parse(json).unwrap();
        let constant = Constant::read(kind, list, &json).unwrap();
        Some(PrintedDefault::Field(Default::Value(constant)))
    };
    for (text, kind, list, json) in [
        ("'-5'::integer", FieldKind::Bigint, false, "-5"),
        ("0", FieldKind::Decimal { precision: Some((10, 2)) }, false, "0"),
        ("5.25::numeric(10,2)", DECIMAL, false, "5.25"),
        ("'1e+300'::double precision", FieldKind::Float, false, "1e300"),
        ("'x'::text", varchar.clone(), false, r#""x""#),
        ("false", FieldKind::Boolean, false, "false"),
        (
            r#"'{"a": "it''s \\", "b": 1}'::jsonb"#,
            FieldKind::Json,
            false,
            r#"{"b":1,"a":"it's \\"}"#,
        ),
        (
            "'2024-01-01 00:00:00+00'::timestamp with time zone",
            FieldKind::Timestamp,
            false,
            r#""2024-01-01""#,
        ),
        (r#"'{a,"b c","it''s \\"}'::text[]"#, TEXT, true, r#"["a","b c","it's \\"]"#),
        ("ARRAY['a'::text, 'b'::text]", varchar.clone(), true, r#"["a","b"]"#),
        ("ARRAY['-1'::integer, 2]", FieldKind::Integer, true, "[-1,2]"),
        ("'{1,-2.5}'::numeric(5,2)[]", DECIMAL, true, "[1,-2.5]"),
        ("'{}'::uuid[]", FieldKind::Uuid, true, "[]"),
    ] {
        assert_eq!(read_default(text, &kind, list), value(&kind, list, json), "{text}");
    }
    let now = Some(PrintedDefault::Field(Default::Now));
    let uuid = Some(PrintedDefault::Field(Default::Uuid));
    let cuid = Some(PrintedDefault::Field(Default::Cuid));
    for (text, kind, expected) in [
        ("now()", FieldKind::Timestamp, &now),
        ("CURRENT_TIMESTAMP", FieldKind::Timestamp, &now),
        ("CURRENT_DATE", FieldKind::Date, &now),
        ("now()", FieldKind::Date, &now),
        ("(now())::date", FieldKind::Date, &now),
        ("LOCALTIME", FieldKind::Time, &now),
        ("clock_timestamp()", FieldKind::Timestamp, &Some(PrintedDefault::Clock)),
        ("gen_random_uuid()", FieldKind::Uuid, &uuid),
        ("gen_random_uuid()", TEXT, &uuid),
        ("(gen_random_uuid())::text", TEXT, &uuid),
        ("kepler.cuid()", TEXT, &cuid),
        ("NULL::character varying", varchar.clone(), &Some(PrintedDefault::Null)),
        // The day it is there, and not the moment.
        ("CURRENT_DATE", FieldKind::Timestamp, &None),
        ("'2024-01-01'::date", FieldKind::Timestamp, &None),
        ("CURRENT_TIMESTAMP(3)", FieldKind::Timestamp, &None),
        ("'abcdef'::character varying(3)", varchar, &None),
        ("0.005", FieldKind::Decimal { precision: Some((10, 2)) }, &None),
        ("'0.1'::real", FieldKind::Float, &None),
        ("nextval('a_id_seq'::regclass)", FieldKind::Bigint, &None),
        ("('a'::text || 'b'::text)", TEXT, &None),
        ("public.cuid()", TEXT, &None),
    ] {
        assert_eq!(read_default(text, &kind, false), *expected, "{text}");
    }
}
