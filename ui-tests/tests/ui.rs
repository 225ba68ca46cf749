//! Compiles every program below `fail` and `pass`. `TRYBUILD=overwrite cargo test -p ui-tests` writes the messages anew.

use std::process::Command;

/// The compiler whose messages are kept; rustc's part of a message changes between versions.
const RUSTC: &str = "1.95.";

#[test]
fn fail() {
    let version = rustc_version();
    if version.starts_with(RUSTC) {
        trybuild::TestCases::new().compile_fail("fail/*/*.rs");
    } else {
        assert!(std::env::var_os("CI").is_none(), "the messages are those of rustc {RUSTC}x, this is {version}");
        eprintln!("not compared: the messages are those of rustc {RUSTC}x, this is {version}");
    }
}

#[test]
fn pass() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

fn rustc_version() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split_whitespace().nth(1).expect("a version").to_owned()
}
