//! Which modules may import which: the folders of `src` have an order, and the other crates have no import circles.
//!
//! `ARCHITECTURE.md` explains the layers. A new folder gets a line in [`LAYERS`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::rules::{root, sources};

/// The folders and files of `src`, from the top. A module imports only modules of the same layer or of a layer below.
const LAYERS: &[(&str, &[&str])] = &[
    ("for tests of services", &["testing"]),
    ("fronts", &["axum", "middleware"]),
    ("handles", &["session"]),
    ("stages", &["stages"]),
    ("request", &["request"]),
    ("configuration", &["config"]),
    ("the store chosen at run time", &["store"]),
    ("telemetry", &["telemetry"]),
    ("the origin of a request", &["forgery"]),
    ("cookies and tokens", &["cookie", "token"]),
    ("decision", &["decide"]),
    ("errors and locks", &["error", "sync"]),
];

/// Crates whose modules must not import each other in a circle. The root of a crate knows all of its modules.
const CRATES: &[&str] = &["macros", "store", "stores/sqlite", "stores/redis", "stores/postgres"];

/// Returns the source without comments and without its test module, which is always the last item of a file.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source");
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The first names after `crate::` in a source.
fn imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split(';').next().unwrap_or_default();
            names.extend(list.split([',', '{', '}']).filter_map(first_word));
        } else {
            names.extend(first_word(rest));
        }
    }
    names
}

fn first_word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Returns the path of a file's module, from the root of its crate.
fn module(path: &Path, src: &Path) -> Vec<String> {
    let inner = path.strip_prefix(src).expect("inside").with_extension("");
    let mut names: Vec<_> = inner.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "mod" && name != "lib");
    names
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|name| name == "tests") || path.file_name().is_some_and(|name| name == "tests.rs")
}

#[test]
fn a_folder_imports_only_folders_below_it() {
    let src = root().join("src");
    let layer_of = |name: &str| LAYERS.iter().position(|(_, folders)| folders.contains(&name));
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let module = module(file, &src);
        // The root of the crate may import everything, and the manual has no code.
        let Some(folder) = module.first().filter(|folder| *folder != "guide") else { continue };
        let layer = layer_of(folder).unwrap_or_else(|| panic!("`src/{folder}` has no layer"));
        for name in imports(&code(file)) {
            if layer_of(&name).is_some_and(|other| other < layer) {
                wrong.push(format!("{} imports `{name}`, which is above `{folder}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    for name in CRATES {
        let src = root().join(name).join("src");
        let mut files = Vec::new();
        sources(&src, &mut files);
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in files.iter().filter(|file| !is_test(file)) {
            let module = module(file, &src);
            let Some(folder) = module.first().cloned() else { continue };
            // In a top-level module, `super` is the root of the crate.
            let code = if module.len() == 1 { code(file).replace("super::", "crate::") } else { code(file) };
            let others = imports(&code).into_iter().filter(|other| *other != folder);
            graph.entry(folder.clone()).or_default().extend(others);
        }
        let modules: BTreeSet<_> = graph.keys().cloned().collect();
        // A module that imports none of the remaining modules is not part of a circle.
        let mut left = modules;
        while let Some(free) = left.iter().find(|one| graph[*one].is_disjoint(&left)).cloned() {
            left.remove(&free);
        }
        let circle: Vec<_> = left.iter().map(|one| (one, &graph[one] & &left)).collect();
        assert!(circle.is_empty(), "{name}: these modules import each other in a circle: {circle:?}");
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let source = "use crate::a::B;\nuse crate::{c::D, e};\nlet x = crate::f::g();\n";
    assert_eq!(imports(source), ["a", "c", "e", "f"].map(str::to_owned).into());
}
