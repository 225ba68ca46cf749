//! Which tests hold which rule: `tests/RULES.md`, checked against the sources.
//!
//! A test bears the ids of its rules at the front of its name, as `r8_r11_a_sign_out_is_final`. To write the table anew:
//!
//! ```text
//! UPDATE=1 cargo test --test it rules::
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Ids go from R1 to this one.
const LAST: u8 = 28;

const HEAD: &str = "# Which tests hold which rule

The rules are in the manual (`src/guide/rules.md`). Written by `UPDATE=1 cargo test --test it rules::`, and checked by every run of
the tests: no rule without a test, no test that is not listed, none listed that is not there.
";

/// For each rule, for each file, the tests.
type Table = BTreeMap<u8, BTreeMap<String, BTreeSet<String>>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The ids at the front of a name: 8 and 11 of `r8_and_r11_a_sign_out`.
fn ids(name: &str) -> Vec<u8> {
    let words = name.split('_').filter(|word| *word != "and");
    words.map_while(|word| word.strip_prefix('r')?.parse().ok()).collect()
}

/// The functions of a source that bear ids, and whether each is a test.
fn functions(source: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut is_test = false;
    source.lines().filter_map(move |line| {
        let line = line.trim_start();
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            return None;
        }
        let was_test = std::mem::take(&mut is_test);
        let name = line.trim_start_matches("async ").strip_prefix("fn ")?;
        let name = &name[..name.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?];
        (!ids(name).is_empty()).then_some((name, was_test))
    })
}

fn table() -> Table {
    let mut files = Vec::new();
    for folder in ["src", "tests", "macros/src", "ui-tests/tests"] {
        sources(&root().join(folder), &mut files);
    }
    let mut table = Table::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        let place = file.strip_prefix(root()).expect("inside").display().to_string().replace('\\', "/");
        for (name, is_test) in functions(&source) {
            assert!(is_test, "{place}: `{name}` bears a rule's id, and is no test");
            for id in ids(name) {
                table.entry(id).or_default().entry(place.clone()).or_default().insert(name.to_owned());
            }
        }
    }
    table
}

fn text(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    for rule in 1..=LAST {
        let _ = writeln!(text, "\n## R{rule}\n");
        for (file, names) in table.get(&rule).into_iter().flatten() {
            let _ = writeln!(text, "- `{file}`");
            for name in names {
                let _ = writeln!(text, "  - `{name}`");
            }
        }
    }
    text
}

#[test]
fn every_rule_has_tests_and_the_table_lists_them() {
    let (table, path) = (table(), root().join("tests/RULES.md"));
    for rule in 1..=LAST {
        assert!(table.contains_key(&rule), "no test bears the id of R{rule}");
    }
    let unknown: Vec<_> = table.keys().filter(|rule| !(1..=LAST).contains(*rule)).collect();
    assert!(unknown.is_empty(), "there are no rules {unknown:?}");
    let text = text(&table);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).expect("the table is written");
    }
    let written = fs::read_to_string(&path).expect("tests/RULES.md").replace("\r\n", "\n");
    assert!(written == text, "tests/RULES.md is out of date: UPDATE=1 cargo test --test it rules::");
}

#[test]
fn the_ids_of_a_name() {
    assert_eq!(ids("r8_and_r11_a_sign_out_is_final"), [8, 11]);
    assert_eq!(ids("r9_r27_express"), [9, 27]);
    assert!(ids("run_to_end").is_empty() && ids("r_and_r").is_empty());
    let found = functions("#[test]\nfn r1_a() {}\nfn r2_b() {}\n    #[tokio::test(x)]\n    async fn r3_c() {}");
    assert_eq!(found.collect::<Vec<_>>(), [("r1_a", true), ("r2_b", false), ("r3_c", true)]);
}
