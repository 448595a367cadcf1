//! Configurations: whatever the text, the parser answers; what it takes is sound, and what it
//! refuses it explains.

#![no_main]

use circlet::config::{Format, parse, warnings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for format in [Format::Yaml, Format::Toml] {
        match parse(text, format, "fuzz") {
            Ok(config) => {
                assert!(!config.pools.is_empty());
                for pool in &config.pools {
                    assert!(!pool.name.is_empty() && !pool.servers.is_empty());
                }
                let _ = warnings(&config);
            }
            Err(faults) => assert!(!faults.to_string().is_empty()),
        }
    }
});
