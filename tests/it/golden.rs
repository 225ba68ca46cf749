//! Bytes that every later version must be able to read: stored records and cookies.
//!
//! Each line is a case in JSON. `GOLDEN=add cargo test --test it golden` appends a line for each case that has none. A
//! line is never changed or removed. If you change a format, give its cases new names.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

mod cookies;
mod records;

/// A file of golden lines.
struct Golden {
    path: PathBuf,
    lines: BTreeMap<String, Value>,
}

impl Golden {
    fn open(file: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        let mut lines = BTreeMap::new();
        for line in fs::read_to_string(&path).unwrap_or_default().lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let before = lines.insert(text(&line, "case").to_owned(), line);
            assert!(before.is_none(), "a case has two lines: {before:?}");
        }
        Self { path, lines }
    }

    fn has(&self, case: &str) -> bool {
        self.lines.contains_key(case)
    }

    /// Appends the line of a new case.
    fn add(&mut self, line: Value) {
        let case = text(&line, "case").to_owned();
        let is_wanted = std::env::var_os("GOLDEN").is_some_and(|wish| wish == "add");
        assert!(is_wanted, "no golden line of `{case}`: `GOLDEN=add cargo test --test it golden` adds it");
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path).expect("the golden file");
        writeln!(file, "{line}").expect("the golden file");
        assert!(self.lines.insert(case, line).is_none(), "a golden line is never replaced");
    }
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {line}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|digits| std::str::from_utf8(digits).unwrap());
    digits.map(|digits| u8::from_str_radix(digits, 16).expect("hex")).collect()
}
