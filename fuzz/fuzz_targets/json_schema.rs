//! JSON Schemas.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kepler_fuzz::read_json_schema(text));
