#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nodio_gateway::fuzz::put_through("query", bytes));
