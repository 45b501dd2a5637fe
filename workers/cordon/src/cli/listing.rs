//! Lists of cases, printed while their pages come.

use std::process::ExitCode;

use cordon_domain::case::Case;
use serde_json::Value;

use super::{
    operator::Operator,
    terminal::{self, JsonArray},
};
use crate::{
    error::Result,
    store::{Cursor, Page},
};

/// How a list is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// As a JSON array, and not a line a case.
    pub(super) json: bool,
    /// At most so many cases.
    pub(super) limit: usize,
    /// What is said where there is none.
    pub(super) nothing: &'static str,
}

impl Listing {
    /// Prints the cases of all pages that are wanted. The exit code is 1 when one could not be read.
    pub(super) async fn print(
        self,
        operator: &Operator,
        page_after: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>,
        is_wanted: impl Fn(&Case) -> bool,
        line: impl Fn(&Case) -> String,
        entry: impl AsyncFn(&Case) -> Result<Value>,
    ) -> anyhow::Result<ExitCode> {
        let (mut array, mut printed, mut unreadable, mut after) = (JsonArray::default(), 0, false, None);
        'pages: loop {
            let page = page_after(after).await?;
            for case in operator.cases.get_all(&page.entries).await? {
                if printed == self.limit {
                    break 'pages;
                }
                match case {
                    Ok(case) if !is_wanted(&case) => continue,
                    Ok(case) if self.json => array.push(&entry(&case).await?)?,
                    Ok(case) => terminal::say(&line(&case))?,
                    Err(error) => {
                        unreadable = true;
                        terminal::note(&error.to_string());
                        continue;
                    }
                }
                printed += 1;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if self.json {
            array.end()?;
        } else if printed == 0 {
            terminal::note(self.nothing);
        }
        Ok(if unreadable { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
