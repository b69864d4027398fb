//! ISO 8601 and its kin: RFC 3339, RFC 9557, and how Postgres, Python, Java, Go and Ruby print times.

use super::{DAY, Instant, Problem, SECOND, at_offset, day_of, digits};

/// A date, perhaps a time of day behind `T` or a blank, perhaps an offset and annotations.
pub(super) fn timestamp(text: &[u8]) -> Result<Instant, Problem> {
    let (day, rest) = date(text)?;
    let midnight = Instant { micros: 0, is_cut: false };
    let (clock, zone) = match rest {
        [] => (midnight, rest),
        [b'T' | b't' | b' ', time @ ..] => clock(time)?,
        _ => return Err(Problem::Unknown),
    };
    at_offset(day * DAY + clock.micros, clock.is_cut, offset(zone)?)
}

/// Reads `YYYY-MM-DD` or `YYYYMMDD` into days since 2000-01-01, and gives what follows.
pub(super) fn date(text: &[u8]) -> Result<(i64, &[u8]), Problem> {
    let parts = || {
        let (year, rest) = digits(text, 4)?;
        let is_basic = rest.first()?.is_ascii_digit();
        let (month, rest) = digits(part(rest, b'-', is_basic)?, 2)?;
        let (day, rest) = digits(part(rest, b'-', is_basic)?, 2)?;
        Some((year, month, day, rest))
    };
    let (year, month, day, rest) = parts().ok_or(Problem::Unknown)?;
    Ok((day_of(year, month, day)?, rest))
}

/// Reads `HH:MM`, `HH:MM:SS`, `HHMM` or `HHMMSS`, perhaps with a fraction of the second, into
/// microseconds since midnight, and gives what follows.
pub(super) fn clock(text: &[u8]) -> Result<(Instant, &[u8]), Problem> {
    let (hours, rest) = digits(text, 2).ok_or(Problem::Unknown)?;
    let is_basic = rest.first().is_some_and(u8::is_ascii_digit);
    let (minutes, mut rest) =
        part(rest, b':', is_basic).and_then(|rest| digits(rest, 2)).ok_or(Problem::Unknown)?;
    let (mut seconds, mut micros, mut is_cut) = (0, 0, false);
    let has_seconds = rest.first() == Some(&b':') && !is_basic
        || is_basic && rest.first().is_some_and(u8::is_ascii_digit);
    if has_seconds {
        (seconds, rest) =
            part(rest, b':', is_basic).and_then(|rest| digits(rest, 2)).ok_or(Problem::Unknown)?;
        if let [b'.' | b',', fraction @ ..] = rest {
            let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if count == 0 {
                return Err(Problem::Unknown);
            }
            let (kept, finer) = fraction[..count].split_at(count.min(6));
            for at in 0..6 {
                micros = micros * 10 + kept.get(at).map_or(0, |digit| i64::from(digit - b'0'));
            }
            is_cut = finer.iter().any(|&digit| digit != b'0');
            rest = &fraction[count..];
        }
    }
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err(Problem::NoSuchTime);
    }
    let micros = ((hours * 60 + minutes) * 60 + seconds) * SECOND + micros;
    Ok((Instant { micros, is_cut }, rest))
}

/// The text behind a separator, which the basic form does not have.
fn part(text: &[u8], separator: u8, is_basic: bool) -> Option<&[u8]> {
    if is_basic { Some(text) } else { text.strip_prefix(&[separator]) }
}

/// Reads what stands behind a time of day: an offset (in microseconds; none is UTC) and annotations in
/// brackets (RFC 9557), of which a zone's name counts only where it is UTC.
fn offset(text: &[u8]) -> Result<i64, Problem> {
    let (zone, annotations) = match memchr::memchr(b'[', text) {
        Some(at) => text.split_at(at),
        None => (text, &[][..]),
    };
    let zone = zone.trim_ascii();
    let given = if zone.is_empty() { None } else { Some(zone_offset(zone)?) };
    annotated(given, annotations)
}

/// `Z`, `UTC`, `GMT`, or a numeric offset, which Go follows by its name.
pub(super) fn zone_offset(zone: &[u8]) -> Result<i64, Problem> {
    match zone {
        [b'+' | b'-', ..] => {
            let (offset, rest) = numeric_offset(zone)?;
            if rest.is_empty() || (offset == 0 && is_utc(rest.trim_ascii())) {
                Ok(offset)
            } else {
                Err(Problem::Unknown)
            }
        }
        _ if is_utc(zone) => Ok(0),
        [b'A'..=b'Z' | b'a'..=b'z', ..] if zone.iter().all(u8::is_ascii_alphabetic) => {
            Err(Problem::NamedZone)
        }
        _ => Err(Problem::Unknown),
    }
}

fn is_utc(zone: &[u8]) -> bool {
    [&b"Z"[..], b"UTC", b"GMT", b"UT"].iter().any(|name| zone.eq_ignore_ascii_case(name))
}

/// `+HH`, `+HHMM`, `+HH:MM` or `+HH:MM:SS`, and what follows. No zone was ever further from UTC than
/// Postgres' bound, 15:59:59.
fn numeric_offset(text: &[u8]) -> Result<(i64, &[u8]), Problem> {
    let (negative, rest) = match text {
        [sign @ (b'+' | b'-'), rest @ ..] => (*sign == b'-', rest),
        _ => return Err(Problem::Unknown),
    };
    let (hours, mut rest) = digits(rest, 2).ok_or(Problem::Unknown)?;
    let (mut minutes, mut seconds) = (0, 0);
    match rest {
        [b'0'..=b'9', ..] => {
            (minutes, rest) = digits(rest, 2).ok_or(Problem::Unknown)?;
        }
        [b':', after @ ..] => {
            (minutes, rest) = digits(after, 2).ok_or(Problem::Unknown)?;
            if let [b':', after @ ..] = rest {
                (seconds, rest) = digits(after, 2).ok_or(Problem::Unknown)?;
            }
        }
        _ => {}
    }
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return Err(Problem::Unknown);
    }
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Problem::Offset);
    }
    let offset = ((hours * 60 + minutes) * 60 + seconds) * SECOND;
    Ok((if negative { -offset } else { offset }, rest))
}

/// The offset, in the light of the annotations. With an offset in the text, the name of a zone adds
/// nothing to the instant; without, only its rules would tell it, and they change from year to year.
fn annotated(given: Option<i64>, mut text: &[u8]) -> Result<i64, Problem> {
    let mut offset = given;
    while let [b'[', inner @ ..] = text {
        let end = memchr::memchr(b']', inner).ok_or(Problem::Unknown)?;
        let (name, rest) = (&inner[..end], &inner[end + 1..]);
        text = rest;
        let (critical, name) = match name {
            [b'!', name @ ..] => (true, name),
            _ => (false, name),
        };
        let well_formed = !name.is_empty()
            && name.iter().all(|b| b.is_ascii_alphanumeric() || b"/_-+=:.".contains(b));
        if !well_formed {
            return Err(Problem::Unknown);
        }
        let named = if let Some(zone) = name.strip_prefix(b"Etc/").or(Some(name))
            && is_utc(zone)
        {
            Some(0)
        } else if matches!(name, [b'+' | b'-', ..]) {
            match numeric_offset(name)? {
                (offset, []) => Some(offset),
                _ => return Err(Problem::Unknown),
            }
        } else if name.contains(&b'=') {
            // A calendar and the like say how to show the time, and not when it is.
            let harmless = [&b"u-ca=gregory"[..], b"u-ca=iso8601"].contains(&name);
            if critical && !harmless {
                return Err(Problem::Unknown);
            }
            continue;
        } else if given.is_some() && !critical {
            continue;
        } else {
            return Err(Problem::NamedZone);
        };
        match (offset, named) {
            (Some(known), Some(named)) if known != named => return Err(Problem::TwoOffsets),
            _ => offset = offset.or(named),
        }
    }
    if text.is_empty() { Ok(offset.unwrap_or(0)) } else { Err(Problem::Unknown) }
}
