//! What the documents name is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every `file::name` of a text, between back quotes.
fn stops(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|quoted| quoted.split_once("::")).filter(|(file, _)| file.contains('.')).collect()
}

/// Why a stop is not there, if so.
fn missing(file: &str, name: &str) -> Option<String> {
    let paths = [root().join(file), root().join("workers/cordon/src").join(file)];
    let Some(text) = paths.iter().find_map(|path| fs::read_to_string(path).ok()) else {
        return Some(format!("there is no file {file}"));
    };
    let declarations = match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs") => vec![
            format!("fn {name}("),
            format!("fn {name}<"),
            format!("enum {name}"),
            format!("struct {name}"),
        ],
        Some("json") => vec![format!("\"{name}\": {{")],
        _ => vec![format!("\"{name}\" {{")],
    };
    let is_there = declarations.iter().any(|declaration| text.contains(declaration));
    (!is_there).then(|| format!("{file} has no {name}"))
}

#[test]
fn every_file_and_function_that_a_document_names_is_there() {
    let mut wrong = Vec::new();
    for document in ["docs/ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        wrong.extend(stops(&text).into_iter().filter_map(|(file, name)| missing(file, name)));
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(missing("app/clicks.rs", "no_such_function").is_some());
}

/// Every Markdown document of the project.
fn documents(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" && (!name.starts_with('.') || name == ".github") {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_link_from_document_to_document_leads_somewhere() {
    let (mut pages, mut wrong, mut seen) = (Vec::new(), Vec::new(), 0);
    documents(&root(), &mut pages);
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with(['#', '<'])) {
            let file = target.split('#').next().unwrap_or_default();
            seen += 1;
            if !page.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 20, "{seen} links in {} documents", pages.len());
}

#[test]
fn a_finding_and_a_bucket_are_walked_through_in_at_most_fifteen_stops() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut walks = BTreeMap::new();
    for section in text.split("\n## ").filter(|section| section.starts_with("One ")) {
        let title = section.lines().next().unwrap_or_default();
        let is_stop =
            |line: &&str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        walks.insert(title, section.lines().filter(is_stop).count());
    }
    assert_eq!(walks.len(), 2, "{walks:?}");
    assert!(walks.values().all(|stops| (10..=15).contains(stops)), "{walks:?}");
}
