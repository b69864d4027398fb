//! Times as columns store them.

use pgrx::pg_sys;
use pgrx::prelude::*;

const DAY: i64 = 86_400_000_000;

/// When the transaction began, in microseconds since 2000-01-01 UTC.
pub(crate) fn transaction_start() -> i64 {
    // SAFETY: a transaction is running.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// A type of column that holds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeType {
    /// With and without a zone: the same number, where the time is UTC.
    Timestamp,
    Date,
    Time,
    TimeWithZone,
}

impl TimeType {
    pub(crate) fn of(type_id: pg_sys::Oid) -> Option<Self> {
        match type_id {
            pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => Some(Self::Timestamp),
            pg_sys::DATEOID => Some(Self::Date),
            pg_sys::TIMEOID => Some(Self::Time),
            pg_sys::TIMETZOID => Some(Self::TimeWithZone),
            _ => None,
        }
    }

    /// A time as the column stores it: in UTC where it names no zone, and rounded to the digits that the column has, as
    /// Postgres rounds what is assigned.
    pub(crate) fn value(self, micros: i64, modifier: i32) -> pg_sys::Datum {
        // SAFETY: the places hold what the functions round.
        unsafe {
            match self {
                Self::Timestamp => {
                    let mut micros = micros;
                    pg_sys::AdjustTimestampForTypmod(&mut micros, modifier, std::ptr::null_mut());
                    pg_sys::Datum::from(micros)
                }
                Self::Date => pg_sys::Datum::from(micros.div_euclid(DAY) as i32),
                Self::Time | Self::TimeWithZone => {
                    let mut of_day = micros.rem_euclid(DAY);
                    pg_sys::AdjustTimeForTypmod(&mut of_day, modifier);
                    if self == Self::Time {
                        return pg_sys::Datum::from(of_day);
                    }
                    let value = PgBox::<pg_sys::TimeTzADT>::alloc0().into_pg();
                    value.write(pg_sys::TimeTzADT { time: of_day, zone: 0 });
                    pg_sys::Datum::from(value)
                }
            }
        }
    }
}
