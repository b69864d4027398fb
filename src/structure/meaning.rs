//! Settings under which a literal, an expression and a conversion mean the same whatever the session prefers, and under which
//! Postgres prints them alike.

use std::ffi::CStr;

/// For what is read and converted. Money has two digits behind its point, as in the locale C.
pub(crate) const MEANING: &[(&CStr, &CStr)] = &[
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"timezone_abbreviations", c"Default"),
    (c"extra_float_digits", c"1"),
    (c"lc_monetary", c"C"),
    (c"bytea_output", c"hex"),
    (c"xmloption", c"content"),
    (c"array_nulls", c"on"),
    (c"standard_conforming_strings", c"on"),
    (c"transform_null_equals", c"off"),
];

/// For what is printed: the text depends on nothing but what it means.
pub(crate) const PRINTING: &[(&CStr, &CStr)] = &[
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
    (c"lc_monetary", c"C"),
    (c"standard_conforming_strings", c"on"),
    (c"quote_all_identifiers", c"off"),
];
