//! Every rule has tests. A test bears the ids of its rules at the front of its name, as `r8_r11_a_sign_out_is_final`.
//!
//! The tests of rule 8 are those that `grep -rn 'fn r8_' --include=*.rs .` finds, and a few with two ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Ids go from R1 to this one.
const LAST: u8 = 28;

/// Where tests stand, from the root of the workspace.
const FOLDERS: &[&str] = &["src", "tests", "macros/src", "store", "stores", "test-kit", "ui-tests/tests"];

/// For each rule, its tests.
type Table = BTreeMap<u8, BTreeSet<String>>;

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
    for folder in FOLDERS {
        sources(&root().join(folder), &mut files);
    }
    let mut table = Table::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        for (name, is_test) in functions(&source) {
            assert!(is_test, "{}: `{name}` bears a rule's id but is not a test", file.display());
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
    for rule in 1..=LAST {
        assert!(table.contains_key(&rule), "no test bears the id of R{rule}");
    }
    let unknown: Vec<_> = table.keys().filter(|rule| !(1..=LAST).contains(*rule)).collect();
    assert!(unknown.is_empty(), "there are no rules {unknown:?}");
}

#[test]
fn the_ids_of_a_name() {
    assert_eq!(ids("r8_and_r11_a_sign_out_is_final"), [8, 11]);
    assert_eq!(ids("r9_r27_express"), [9, 27]);
    assert!(ids("run_to_end").is_empty() && ids("r_and_r").is_empty());
    let found = functions("#[test]\nfn r1_a() {}\nfn r2_b() {}\n    #[tokio::test(x)]\n    async fn r3_c() {}");
    assert_eq!(found.collect::<Vec<_>>(), [("r1_a", true), ("r2_b", false), ("r3_c", true)]);
}
