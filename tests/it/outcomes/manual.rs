//! Reads the outcome tables of the manual's chapter on the commit.

use std::collections::BTreeMap;

use super::Preset;

const MANUAL: &str = include_str!("../../../src/guide/7_commit.md");

/// Returns the cells of a preset, by the names of row and column.
pub fn cells(preset: Preset) -> BTreeMap<(&'static str, &'static str), &'static str> {
    let tables = match preset {
        Preset::Native => ["the request ends in", "the store is"],
        Preset::AnyStatus | Preset::Express => ["with `AnyStatus`", "the store is"],
    };
    let mut cells = BTreeMap::new();
    for table in tables {
        let header = format!("| {table} |");
        let mut lines = MANUAL.lines().skip_while(|line| !line.starts_with(&header));
        let columns = split(lines.next().unwrap());
        for row in lines.skip(1).take_while(|line| line.starts_with('|')).map(split) {
            for (names, word) in columns.iter().zip(&row).skip(1) {
                for request in row[0].split("; ") {
                    let (request, exception) =
                        request.split_once(": ").map_or((request, None), |(request, who)| (request, Some(who)));
                    if exception.is_some_and(|who| who != "express preset" || preset != Preset::Express) {
                        continue;
                    }
                    for end in names.split(", ") {
                        let before = cells.insert((request, end), *word);
                        assert!(before.is_none() || exception.is_some(), "{request} x {end} has two cells");
                    }
                }
            }
        }
    }
    cells
}

fn split(row: &'static str) -> Vec<&'static str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}
