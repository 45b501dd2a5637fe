//! Holds the floors that the crate's documentation draws: nothing imports upwards, and entries do not import each other.

use std::{fs, path::Path};

/// From the top. Rooms on one line are on one floor.
const FLOORS: [&[&str]; 3] = [&["cli", "gateway", "loops"], &["app"], &["slack", "store", "aws"]];
/// The process starters, which put entries together.
const STARTERS: [&str; 2] = ["cli/worker.rs", "cli/gateway.rs"];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a source text names after `crate::`, in paths and in use trees.
fn imported(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let tree = &text[at + "crate::".len()..];
        if let Some(tree) = tree.strip_prefix('{') {
            let (mut depth, mut name) = (0, String::new());
            for c in tree.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut name)),
                    c if depth == 0 && !c.is_whitespace() => name.push(c),
                    _ => {}
                }
            }
            rooms.push(name);
        } else {
            rooms.push(tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms.iter().map(|name| name.split("::").next().unwrap_or_default().to_owned()).collect()
}

fn visit(directory: &Path, root: &Path, wrong: &mut Vec<String>, seen: &mut usize) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, root, wrong, seen);
            continue;
        }
        let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let room = file.split('/').next().unwrap().trim_end_matches(".rs");
        let Some(own) = floor(room) else { continue };
        if path.extension().is_none_or(|extension| extension != "rs") || STARTERS.contains(&file.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for other in imported(&text).iter().filter(|other| *other != room) {
            *seen += 1;
            let entries = own == 0 && floor(other) == Some(0);
            if floor(other).is_some_and(|floor| floor < own) || entries {
                wrong.push(format!("{file} imports {other}"));
            }
        }
    }
}

#[test]
fn nothing_imports_upwards_and_entries_do_not_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    visit(&root, &root, &mut wrong, &mut seen);
    assert!(seen > 100, "only {seen} imports were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_use_tree_is_read_as_deep_as_its_rooms() {
    let text =
        "use crate::{\n    app::{a, b},\n    clock,\n    slack::api::X,\n};\nfn f() { crate::store::g() }";
    assert_eq!(imported(text), ["app", "clock", "slack", "", "store"]);
}
