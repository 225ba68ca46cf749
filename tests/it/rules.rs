//! Every rule has tests. The name of a test begins with the ids of the rules that it checks, as in
//! `r8_r11_a_sign_out_is_final`.
//!
//! `grep -rn 'fn r8_' --include=*.rs .` finds the tests of rule 8, except a few where another id comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The number of the last rule. The first rule is R1.
const LAST_RULE: u8 = 28;

/// The folders that contain tests, from the root of the workspace.
const FOLDERS: &[&str] = &["src", "tests", "macros/src", "store", "stores", "test-kit", "ui-tests/tests"];

/// The names of the tests of each rule.
type Table = BTreeMap<u8, BTreeSet<String>>;

/// The root of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Adds the Rust files of a folder.
pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the rule ids at the front of a name: 8 and 11 for `r8_and_r11_a_sign_out`.
fn ids(name: &str) -> Vec<u8> {
    let words = name.split('_').filter(|word| *word != "and");
    words.map_while(|word| word.strip_prefix('r')?.parse().ok()).collect()
}

/// Finds the functions of a source file whose names begin with rule ids, and tells whether each is a test.
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
    for folder in FOLDERS {
        sources(&root().join(folder), &mut files);
    }
    let mut table = Table::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        for (name, is_test) in functions(&source) {
            assert!(is_test, "{}: `{name}` begins with the id of a rule but is not a test", file.display());
            for id in ids(name) {
                table.entry(id).or_default().insert(name.to_owned());
            }
        }
    }
    table
}

#[test]
fn every_rule_has_tests() {
    let table = table();
    for rule in 1..=LAST_RULE {
        assert!(table.contains_key(&rule), "R{rule} has no test");
    }
    let unknown: Vec<_> = table.keys().filter(|rule| !(1..=LAST_RULE).contains(*rule)).collect();
    assert!(unknown.is_empty(), "tests refer to unknown rules: {unknown:?}");
}

#[test]
fn the_ids_at_the_front_of_a_name_are_found() {
    assert_eq!(ids("r8_and_r11_a_sign_out_is_final"), [8, 11]);
    assert_eq!(ids("r9_r27_express"), [9, 27]);
    assert!(ids("run_to_end").is_empty() && ids("r_and_r").is_empty());
    let found = functions("#[test]\nfn r1_a() {}\nfn r2_b() {}\n    #[tokio::test(x)]\n    async fn r3_c() {}");
    assert_eq!(found.collect::<Vec<_>>(), [("r1_a", true), ("r2_b", false), ("r3_c", true)]);
}
