//! `terraform/INPUTS.md`, which is made from the module's variables and outputs: `INSTA_UPDATE=always` writes it anew.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

const HEAD: &str = "# Inputs and outputs\n\nMade from `variables.*.tf` and `outputs.tf`, here and in \
    `modules/activation`, and held to them by a test (`terraform_tables`). [README.md](README.md) has them by purpose.\n";

/// A variable or an output.
#[derive(Debug, Default, PartialEq)]
struct Declared {
    description: String,
    kind: String,
    /// As it is written, in one line; `None` where one has to be given.
    default: Option<String>,
    /// Whether null stands for the default.
    refuses_null: bool,
}

/// The value of an attribute that begins on this line: a text in quotes, a heredoc, or anything with its brackets closed.
fn value<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    if first.starts_with("<<-") {
        let end = first.trim_start_matches("<<-");
        let text: Vec<_> = lines.take_while(|line| line.trim() != end).map(str::trim).collect();
        return text.join("\n").trim().to_owned();
    }
    let depth = |text: &str| {
        let count = |signs: &str| text.matches(|c| signs.contains(c)).count();
        count("([{").cast_signed() - count(")]}").cast_signed()
    };
    let (mut text, mut open) = (first.to_owned(), depth(first));
    while open > 0 {
        let line = lines.next().expect("brackets are closed").trim();
        open += depth(line);
        text.push(' ');
        text.push_str(line);
    }
    text
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    inner.replace("\\\"", "\"")
}

/// What a file declares at its top level as blocks of this kind.
fn declared(text: &str, block: &str) -> BTreeMap<String, Declared> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix(block).and_then(|rest| rest.split('"').nth(1)) else { continue };
        let mut one = Declared::default();
        while let Some(line) = lines.next().filter(|line| *line != "}") {
            let Some((attribute, first)) = line.strip_prefix("  ").and_then(|line| line.split_once('='))
            else {
                continue;
            };
            let first = first.trim();
            match attribute.trim_end() {
                "description" => one.description = unquoted(&value(first, &mut lines)),
                "type" => one.kind = value(first, &mut lines),
                "nullable" => one.refuses_null = first == "false",
                "default" => one.default = Some(value(first, &mut lines)),
                _ => {}
            }
        }
        found.insert(name.to_owned(), one);
    }
    found
}

/// For a cell of a table, in which a line break would end the row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ").replace(" - `", "<br>- `")
}

fn short(kind: &str) -> String {
    let outer = kind.split(['(', ' ']).next().unwrap_or_default();
    if kind.len() > 30 { outer.to_owned() } else { kind.to_owned() }
}

fn default(one: &Declared) -> String {
    match one.default.as_deref() {
        None => "required".into(),
        Some(text) if text.len() > 60 => "see the file".into(),
        Some(text) => format!("`{}`", cell(text)),
    }
}

fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform")
}

/// Adds the table of the inputs of a file; how many there are.
fn add_inputs(text: &mut String, name: &str) -> usize {
    let found = declared(&fs::read_to_string(module().join(name)).unwrap(), "variable ");
    write!(text, "\n## [{name}]({name})\n\n| Input | Type | Default | What it is |\n|---|---|---|---|\n")
        .unwrap();
    for (input, one) in &found {
        assert!(!one.description.is_empty() && !one.kind.is_empty(), "{input} in {name} is not described");
        assert!(
            one.default.as_deref().is_none_or(|default| default == "null") || one.refuses_null,
            "null is not the default of {input} in {name}: it lacks nullable = false"
        );
        let (kind, default) = (short(&one.kind), default(one));
        writeln!(text, "| `{input}` | {kind} | {default} | {} |", cell(&one.description)).unwrap();
    }
    found.len()
}

/// Adds the table of the outputs of a file.
fn add_outputs(text: &mut String, head: &str, name: &str) {
    write!(text, "\n## {head}\n\n| Output | What it is |\n|---|---|\n").unwrap();
    let found = declared(&fs::read_to_string(module().join(name)).unwrap(), "output ");
    assert!(!found.is_empty(), "{name} has no outputs");
    for (output, one) in found {
        assert!(!one.description.is_empty(), "{output} in {name} is not described");
        writeln!(text, "| `{output}` | {} |", cell(&one.description)).unwrap();
    }
}

#[test]
fn the_tables_are_those_of_the_module() {
    let files = fs::read_dir(module()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    files.sort();
    let mut text = HEAD.to_owned();
    let of_variables = files.iter().filter(|name| name.starts_with("variables."));
    let inputs: usize = of_variables.map(|name| add_inputs(&mut text, name)).sum();
    assert!(inputs > 30, "only {inputs} inputs were found");
    add_outputs(&mut text, "Outputs", "outputs.tf");
    add_inputs(&mut text, "modules/activation/variables.tf");
    add_outputs(&mut text, "Outputs of modules/activation", "modules/activation/outputs.tf");
    let file = module().join("INPUTS.md");
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "INPUTS.md is not of this module: run this test with INSTA_UPDATE=always");
}

#[test]
fn a_declaration_is_read_with_its_text_its_type_and_its_default() {
    let text = "variable \"a\" {\n  description = <<-EOT\n    One.\n\n    - `x`: two\n  EOT\n\n  type = object({\n    b = string\n  })\n\n  validation {\n    condition = true\n  }\n}\n\nvariable \"c\" {\n  description = \"Says \\\"no\\\".\"\n  type        = list(string)\n  default     = []\n}\n";
    let found = declared(text, "variable ");
    assert_eq!(found["a"].kind, "object({ b = string })");
    assert_eq!(
        (found["a"].default.as_deref(), cell(&found["a"].description)),
        (None, "One.<br>- `x`: two".into())
    );
    assert_eq!(
        (found["c"].default.as_deref(), found["c"].description.as_str()),
        (Some("[]"), "Says \"no\".")
    );
}
