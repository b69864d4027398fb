//! Times in all spellings, and what is refused.

use super::*;
use proptest::prelude::*;

/// 2024-01-01.
const NEW_YEAR: i64 = 757_382_400_000_000;

fn read(text: &str) -> Result<i64, Problem> {
    of_text(text.as_bytes()).and_then(Instant::exact)
}

#[test]
fn one_instant_in_many_spellings() {
    for text in [
        "2024-01-01T00:00:00Z",
        "2024-01-01t00:00:00z",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.000000000Z",
        "2024-01-01T00:00:00,000Z",
        "2024-01-01 00:00:00+00",
        "2024-01-01 00:00:00 +0000",
        "2024-01-01 00:00:00 +0000 UTC",
        "2024-01-01 00:00:00 UTC",
        "2024-01-01T05:30:00+05:30",
        "2024-01-01T05:30:00+0530",
        "2024-01-01T05:53:28+05:53:28",
        "2023-12-31T19:00:00-05",
        "2024-01-01T15:59:59+15:59:59",
        "2024-01-01T00:00:00-00:00",
        "20240101T000000Z",
        "20240101T0000Z",
        "2024-01-01T00:00:00",
        "2024-01-01",
        " 2024-01-01 ",
        "2024-01-01T00:00:00Z[UTC]",
        "2024-01-01T00:00:00[Etc/UTC]",
        "2024-01-01T01:00:00+01:00[Europe/Paris]",
        "2024-01-01T01:00:00[+01:00]",
        "2024-01-01T00:00:00Z[u-ca=hebrew]",
        "2024-01-01T00:00:00Z[Europe/Paris][!u-ca=gregory]",
        "Mon, 01 Jan 2024 00:00:00 GMT",
        "Monday, 1 jan 2024 00:00:00 +0000",
        "1 Jan 2024 00:00 Z",
        "Sun, 31 Dec 2023 18:00:00 -0600 (CST)",
        "Mon Jan  1 00:00:00 2024",
        "Mon Jan 01 05:30:00 +0530 2024",
        "Mon Jan  1 00:00:00 UTC 2024",
        "1704067200",
        "1704067200.000",
        "1704067200000",
        "1704067200000000",
        "1704067200000000000",
    ] {
        assert_eq!(read(text), Ok(NEW_YEAR), "{text}");
    }
}

#[test]
fn numbers_are_unix_times() {
    let json = |raw: &str| of_json(raw.as_bytes()).and_then(Instant::exact);
    for raw in ["1704067200", "1.7040672e9", "1704067200.0", "1704067200e3", "\"1704067200\""] {
        assert_eq!(json(raw), Ok(NEW_YEAR), "{raw}");
    }
    assert_eq!(json(r#""2024-01-01T00:00:00\u005a""#), Ok(NEW_YEAR));
    assert_eq!(json("1704067200.123456"), Ok(NEW_YEAR + 123_456));
    assert_eq!(json("1704067200123.456"), Ok(NEW_YEAR + 123_456));
    assert_eq!(json("0"), Ok(-946_684_800_000_000));
    assert_eq!(json("-1.5"), Ok(-946_684_801_500_000));
    assert_eq!(json("99999999999"), read("5138-11-16T09:46:39Z"));
    assert_eq!(json("253402300801"), read("1978-01-11T21:31:40.801Z"));
    assert_eq!(json("253402300800001"), read("1978-01-11T21:31:40.800001Z"));
    // "Never", in seconds, milliseconds and microseconds.
    for raw in ["253402300799", "253402300799999", "253402300799999999", "100000000000"] {
        assert_eq!(json(raw), Err(Problem::TwoUnits), "{raw}");
    }
    for raw in ["1e300", "-1e300", "1e20000", "-62135596801", "260000000000000000000"] {
        assert_eq!(json(raw), Err(Problem::OutOfRange), "{raw}");
    }
    for raw in ["1.", "01", "-", "--1", "true", "{}", "[1]", "null", ".5", "0x10", "1e"] {
        assert_eq!(json(raw), Err(Problem::Unknown), "{raw}");
    }
}

#[test]
fn what_is_refused_and_why() {
    use Problem::*;
    for (text, problem) in [
        ("", Unknown),
        ("yesterday", Unknown),
        ("now", Unknown),
        ("infinity", Unknown),
        ("-infinity", Unknown),
        ("01/02/2024", Unknown),
        ("2024-1-1", Unknown),
        ("2024-W01-1", Unknown),
        ("2024-01", Unknown),
        ("12:00", Unknown),
        ("2024-01-01T", Unknown),
        ("2024-01-01T10", Unknown),
        ("2024-01-01x", Unknown),
        ("2024-01-01T00:00:00Z and more", Unknown),
        ("2024-01-01T00:00:00.Z", Unknown),
        ("2024-01-01T00:00:00Z[", Unknown),
        ("2024-01-01T00:00:00Z[!x=y]", Unknown),
        ("2024-01-01 00:00:00+00 BC", Unknown),
        ("2024-13-01", NoSuchTime),
        ("2023-02-29", NoSuchTime),
        ("2024-01-01T24:00:00Z", NoSuchTime),
        ("2016-12-31T23:59:60Z", NoSuchTime),
        ("0000-01-01", OutOfRange),
        ("0001-01-01T00:00:00+01:00", OutOfRange),
        ("9999-12-31T23:59:59-01:00", OutOfRange),
        ("2024-01-01T00:00:00+16:00", Offset),
        ("2024-01-01T00:00:00+24:00", Offset),
        ("2024-01-01T00:00:00-05:60", Offset),
        ("2024-01-01T00:00:00[America/New_York]", NamedZone),
        ("2024-01-01T00:00:00Z[!Europe/Paris]", NamedZone),
        ("2024-01-01 00:00:00 EST", NamedZone),
        ("Mon, 01 Jan 2024 00:00:00 EST", NamedZone),
        ("2024-01-01T00:00:00Z[+01:00]", TwoOffsets),
        ("Tue, 01 Jan 2024 00:00:00 GMT", Weekday),
        ("Monday, 01-Jan-24 00:00:00 GMT", ShortYear),
        ("1 Jan 24 00:00:00 GMT", ShortYear),
        ("20240101", FewDigits),
        ("2024", FewDigits),
        ("253402300799", TwoUnits),
        ("2024-01-01T00:00:00.0000001Z", Finer),
        ("1704067200000000001", Finer),
    ] {
        assert_eq!(read(text), Err(problem), "{text}");
    }
    assert_eq!(of_text(&[b'1'; 1000]), Err(Unknown));
}

#[test]
fn what_is_finer_is_cut_downwards_and_said() {
    let cut = |micros| Ok(Instant { micros, is_cut: true });
    assert_eq!(of_text(b"2024-01-01T00:00:00.123456789Z"), cut(NEW_YEAR + 123_456));
    assert_eq!(of_text(b"1704067200123456789"), cut(NEW_YEAR + 123_456));
    assert_eq!(of_json(b"1704067200.1234567"), cut(NEW_YEAR + 123_456));
    assert_eq!(of_json(b"-0.0000001"), cut(-946_684_800_000_001));
    assert_eq!(of_json(b"-0.0000000000001"), cut(-946_684_800_000_001));
}

#[test]
fn dates_and_times_of_day() {
    assert_eq!(date(b"2000-01-01"), Some(0));
    assert_eq!(date(b"1999-12-31"), Some(-1));
    assert_eq!(date(b"2024-02-29"), Some(8825));
    assert_eq!(time_of_day(b"00:00"), Some(0));
    assert_eq!(time_of_day(b"23:59:59.999999"), Some(DAY - 1));
    for text in ["2023-02-29", "0000-01-01", "2024-1-1", "20240101", "today", "2024-01-01T00:00"] {
        assert_eq!(date(text.as_bytes()), None, "{text}");
    }
    for text in
        ["24:00", "10:60", "10:00:60", "1:00", "10", "1000", "10:00Z", "10:00:00.1234567", "T10:00"]
    {
        assert_eq!(time_of_day(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Every instant is read back from what is printed, and as jiff reads it.
    #[test]
    fn reads_what_it_prints(micros in FIRST..=LAST) {
        let text = print(micros);
        prop_assert_eq!(read(&text), Ok(micros));
        prop_assert_eq!(read(text.strip_suffix("+00").unwrap()), Ok(micros));
        prop_assert_eq!(date(&text.as_bytes()[..10]).map(i64::from), Some(micros.div_euclid(DAY)));
        let jiff: jiff::civil::DateTime = text.strip_suffix("+00").unwrap().parse().unwrap();
        let epoch = jiff::civil::DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        prop_assert_eq!(jiff.duration_since(epoch).as_micros(), i128::from(micros));
    }

    /// A later time is never read as an earlier one, however fine.
    #[test]
    fn keeps_the_order(a in 0_u64..4_000_000_000_000_000_000, b in 0_u64..4_000_000_000_000_000_000) {
        let seconds = |nanos: u64| format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let read = |nanos| of_json(seconds(nanos).as_bytes()).unwrap().micros;
        prop_assert_eq!(read(a.min(b)).cmp(&read(a.max(b))).is_gt(), false);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9TZ:., \\[\\]A-Za-z=/!()é]{0,40}") {
        if let Ok(instant) = of_text(text.as_bytes()) {
            prop_assert!((FIRST..=LAST).contains(&instant.micros));
        }
    }
}
