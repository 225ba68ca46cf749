//! Compiles each program in `fail` and `pass`. `TRYBUILD=overwrite cargo test -p ui-tests` writes all messages again.

use std::process::Command;

/// The version of rustc that wrote the `.stderr` files. The text that comes from rustc differs between versions.
const RUSTC: &str = "1.95.";

#[test]
fn fail() {
    let version = rustc_version();
    if version.starts_with(RUSTC) {
        trybuild::TestCases::new().compile_fail("fail/*/*.rs");
    } else {
        assert!(std::env::var_os("CI").is_none(), "the `.stderr` files are from rustc {RUSTC}x, but this is {version}");
        eprintln!("not compared: the `.stderr` files are from rustc {RUSTC}x, but this is {version}");
    }
}

#[test]
fn pass() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

fn rustc_version() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("rustc prints UTF-8");
    text.split_whitespace().nth(1).expect("rustc prints its version").to_owned()
}
