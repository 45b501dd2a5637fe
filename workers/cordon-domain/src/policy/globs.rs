//! Globs that are valid and match nothing of what was meant by them: `*` and `?` are all that a glob has.
//!
//! The Terraform module warns of the same globs, and a test holds both to the same answers.

use super::{Policy, Problem};
use crate::quoted::quoted;

/// The longest key, in bytes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const LONGEST_KEY: usize = 1_024;
/// How many globs are proposed for one with braces.
const PROPOSED: usize = 8;

impl Policy {
    /// What is valid and probably not what was meant.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let identifiers = rule.criteria.detected.as_ref().map(|detected| detected.identifiers.as_slice());
            let members: [(&str, &[String], Check); 3] = [
                ("buckets", &rule.criteria.buckets, bucket),
                ("keys", &rule.criteria.keys, key),
                ("identifiers", identifiers.unwrap_or_default(), identifier),
            ];
            for (member, globs, check) in members {
                found.extend(globs.iter().enumerate().filter_map(|(number, glob)| {
                    Some(Problem {
                        path: format!("$.rules[{index}].{member}[{number}]"),
                        rule: Some(index + 1),
                        name: Some(rule.name.clone()),
                        message: format!("{} {}", quoted(glob), check(glob)?),
                    })
                }));
            }
        }
        found
    }
}

/// What is the matter with a glob, if something is.
type Check = fn(&str) -> Option<String>;

fn bucket(glob: &str) -> Option<String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c == '-' || c == '.');
    let in_vain = edge(glob.chars().next())
        || edge(glob.chars().last())
        || glob.contains("..")
        || !glob.contains('*') && glob.len() < 3;
    in_vain.then(|| {
        "matches nothing: bucket names have 3 to 63 characters, begin and end with a letter or digit, and have no two \
         periods in a row"
            .to_owned()
    })
}

fn key(glob: &str) -> Option<String> {
    if ["s3://", "arn:"].iter().any(|prefix| glob.starts_with(prefix)) {
        return Some(
            "matches nothing: a key begins after the bucket's name; name the bucket in buckets".into(),
        );
    }
    if glob.starts_with('/') {
        return Some("matches nothing but keys that begin with /; most begin without it".into());
    }
    if glob.len() - glob.matches('*').count() > LONGEST_KEY {
        return Some(format!("matches nothing: keys have at most {LONGEST_KEY} bytes"));
    }
    meant_otherwise(glob, "keys")
}

fn identifier(glob: &str) -> Option<String> {
    meant_otherwise(glob, "identifiers")
}

/// Whether a glob has something in it that means more in other tools than it does here.
fn meant_otherwise(glob: &str, what: &str) -> Option<String> {
    const ONLY: &str = "only * and ? mean something in globs";
    let pair = |open: char, close: char| glob.find(open).is_some_and(|at| glob[at..].contains(close));
    if pair('{', '}') {
        let instead: Vec<_> = without_braces(glob).iter().map(|glob| quoted(glob)).collect();
        return Some(format!(
            "matches nothing but {what} with these very braces in them: {ONLY}. Write {} instead",
            instead.join(", ")
        ));
    }
    if pair('[', ']') {
        return Some(format!("matches nothing but {what} with these very brackets in them: {ONLY}"));
    }
    if glob.starts_with('!') {
        return Some(format!(
            "matches nothing but {what} that begin with !: there is no negation. Put a rule for those that are to be \
             left out before this one"
        ));
    }
    if glob.starts_with('^') || glob.ends_with('$') || glob.contains('\\') {
        return Some(format!(
            "matches nothing but {what} with these very characters in them: regular expressions and escapes are not \
             supported, {ONLY}"
        ));
    }
    (glob.trim() != glob)
        .then(|| format!("matches nothing but {what} that begin or end with a blank, as it does itself"))
}

/// The globs that one with braces stands for elsewhere.
fn without_braces(glob: &str) -> Vec<String> {
    let mut globs = vec![glob.to_owned()];
    while let Some((at, open, close)) = globs.iter().enumerate().find_map(|(at, glob)| {
        let close = glob.find('}')?;
        Some((at, glob[..close].rfind('{')?, close))
    }) {
        let glob = globs.remove(at);
        let choices = glob[open + 1..close].split(',');
        let written = choices.map(|choice| format!("{}{choice}{}", &glob[..open], &glob[close + 1..]));
        globs.splice(at..at, written);
        if globs.len() >= PROPOSED {
            break;
        }
    }
    globs.truncate(PROPOSED);
    globs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warned(member: &str, glob: &str) -> Option<String> {
        let rule = json!({"name": "a", "disposition": "quarantine", member: [glob]});
        let policy = Policy::parse(json!({"version": 1, "rules": [rule]}).to_string().as_bytes()).unwrap();
        let warnings: Vec<_> = policy.warnings().iter().map(ToString::to_string).collect();
        assert!(warnings.len() <= 1, "{warnings:?}");
        warnings.into_iter().next()
    }

    #[test]
    fn a_glob_that_means_more_elsewhere_is_warned_of_with_what_to_write_instead() {
        assert_eq!(
            warned("keys", "*.{csv,xlsx}").as_deref(),
            Some(
                r#"$.rules[0].keys[0] (rule 1, "a"): "*.{csv,xlsx}" matches nothing but keys with these very braces in them: only * and ? mean something in globs. Write "*.csv", "*.xlsx" instead"#
            )
        );
        for (member, glob, says) in [
            ("keys", "{a,b}/{c,d}", r#"Write "a/c", "a/d", "b/c", "b/d" instead"#),
            ("keys", "[0-9]*.csv", "brackets"),
            ("keys", "!secret/*", "there is no negation"),
            ("keys", " *.csv", "blank"),
            ("keys", "*.csv ", "blank"),
            ("keys", "s3://bucket/*.csv", "name the bucket in buckets"),
            ("keys", "arn:aws:s3:::bucket/*", "name the bucket in buckets"),
            ("keys", "/exports/*", "begin with /"),
            ("keys", "^exports/.*", "regular expressions"),
            ("keys", ".*\\.csv", "regular expressions"),
            ("identifiers", "{AWS,GCP}_*", r#""AWS_*", "GCP_*""#),
            ("buckets", "ab", "3 to 63 characters"),
            ("buckets", "-logs*", "begin and end with a letter or digit"),
            ("buckets", "*-logs.", "begin and end with a letter or digit"),
            ("buckets", "a..b", "no two periods"),
        ] {
            let told = warned(member, glob);
            assert!(
                told.as_ref().is_some_and(|told| told.contains("matches nothing") && told.contains(says)),
                "{glob}: {told:?}"
            );
        }
        assert!(warned("keys", &"k".repeat(1_025)).is_some());
    }

    #[test]
    fn a_glob_that_can_match_is_not_warned_of() {
        for (member, glob) in [
            ("keys", "*.csv"),
            ("keys", "exports/2026-??/*"),
            ("keys", "a}b{c"),
            ("keys", "two words.csv"),
            ("keys", "100%/$*"),
            ("keys", &format!("{}*", "k".repeat(1_024))),
            ("identifiers", "AWS_*"),
            ("identifiers", "Employee id"),
            ("buckets", "ab*"),
            ("buckets", "a?c"),
            ("buckets", "*"),
            ("buckets", "www.example.com"),
        ] {
            assert_eq!(warned(member, glob), None, "{glob}");
        }
    }
}
