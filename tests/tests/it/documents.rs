//! What the documents name is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cordon_tests::PROVIDER_OVERRIDE;

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

/// Modules and functions of the Rust sources, each by its path in the crate.
fn declared() -> Vec<Vec<String>> {
    let mut declared = Vec::new();
    for part in ["tests/tests", "tests/src", "workers", "sandbox/src"] {
        sources(&root().join(part), &mut declared);
    }
    declared
}

fn sources(directory: &Path, declared: &mut Vec<Vec<String>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, declared);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.with_extension("");
            let parts = module.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
            let module: Vec<String> = parts.filter(|part| part != "mod" && part != "main").collect();
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start().trim_start_matches("async ");
                let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("mod "))?;
                Some(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
            });
            declared.extend(names.map(|name| [&module[..], &[name]].concat()));
            declared.push(module);
        }
    }
}

/// Whether a test or a module of tests is there: `module::name`, with an ellipsis for what is left out at either end.
fn is_declared(named: &str, declared: &[Vec<String>]) -> bool {
    let (end, beginning) = (named.strip_prefix('…'), named.strip_suffix('…'));
    let parts: Vec<_> = named.trim_matches('…').split("::").collect();
    let fits = |(at, part): (usize, &String)| match (at, at + 1 == parts.len()) {
        (0, _) if end.is_some() && part.ends_with(parts[0]) => true,
        (_, true) if beginning.is_some() => part.starts_with(parts[at]),
        _ => part == parts[at],
    };
    declared.iter().any(|path| {
        path.len() >= parts.len() && path[path.len() - parts.len()..].iter().enumerate().all(fits)
    })
}

#[test]
fn every_test_that_the_threats_name_is_there() {
    let text = fs::read_to_string(root().join("docs/THREATS.md")).unwrap();
    let declared = declared();
    let named: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|named| named.starts_with('…') || named.contains("::") || named.starts_with("terraform/"))
        .collect();
    let is_there = |named: &str| {
        if named.contains('/') { root().join(named).exists() } else { is_declared(named, &declared) }
    };
    let missing: Vec<_> = named.iter().filter(|named| !is_there(named)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    assert!(named.len() > 25, "{named:?}");
    assert!(!is_declared("crashes::forgeries::no_such_test", &declared));
    assert!(!is_declared("gateway::forgeries", &declared) && is_declared("…every_test_that…", &declared));
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

#[test]
fn each_skip_of_checkov_says_why() {
    const MARK: &str = "checkov:skip=";
    let (mut skips, mut bare, mut directories) = (0, Vec::new(), vec![root().join("terraform")]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "tf") {
                let text = fs::read_to_string(&path).unwrap();
                for line in text.lines().filter(|line| line.contains(MARK)) {
                    skips += 1;
                    let reason = line.split(MARK).nth(1).and_then(|skip| skip.split_once(':'));
                    if reason.is_none_or(|(_, reason)| reason.trim().len() < "the same".len()) {
                        bare.push(format!("{}: {line}", path.display()));
                    }
                }
            }
        }
    }
    assert!(skips > 20, "only {skips} skips were found");
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn the_provider_that_is_run_is_the_one_that_the_module_names() {
    for file in ["terraform/README.md", "sandbox/terraform/main.tf"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let version = text.split(['"', ' ', ',', '\n']).find(|word| *word == "5.100.0");
        assert!(version.is_some_and(|version| PROVIDER_OVERRIDE.1.contains(version)), "{file}");
    }
}
