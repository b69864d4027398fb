//! Texts with secrets in them.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kepler_fuzz_detector::read_secrets(text));
