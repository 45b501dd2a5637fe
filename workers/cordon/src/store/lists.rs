//! Lists of cases, by the indexes of the `cases` table.

use aws_sdk_dynamodb::types::AttributeValue;
use cordon_domain::{
    case::{Case, Status},
    time::Time,
};

use super::{
    Cases, Item,
    keys::{self, YES},
    text,
};
use crate::{aws::error::classify, error::Result};

/// Keys on one page of an index.
const PAGE: i32 = 200;

/// A page of a list, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// Pass it to get the next page; absent after the last.
    pub next: Option<Cursor>,
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub struct Cursor(Item);

/// A case at which an execution is at work: its response, or a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCase {
    /// The case.
    pub case_id: String,
    /// Since when.
    pub since: Time,
    /// Whose.
    pub execution_arn: String,
}

impl Cases {
    /// Cases in a status other than closed, oldest first.
    ///
    /// # Errors
    /// As classified.
    pub async fn open_cases(&self, status: Status, after: Option<Cursor>) -> Result<Page<OpenCase>> {
        let page = self.page("open", ("is_open", status.name()), None, true, after).await?;
        let entries = page.entries.iter().filter_map(|item| {
            let (since, execution_arn) = member(item, "open_since")?.split_once('#')?;
            Some(OpenCase {
                case_id: keys::case_id(member(item, "id")?)?.to_owned(),
                since: since.parse().ok()?,
                execution_arn: execution_arn.to_owned(),
            })
        });
        Ok(Page { entries: entries.collect(), next: page.next })
    }

    /// Cases whose execution is to be woken, longest waiting first.
    ///
    /// # Errors
    /// As classified.
    pub async fn waiting_cases(&self, after: Option<Cursor>) -> Result<Page<String>> {
        self.ids(self.page("waiting", ("is_waiting", YES), None, true, after).await?)
    }

    /// Cases with copies in quarantine, purged ones too, newest first.
    ///
    /// # Errors
    /// As classified.
    pub async fn quarantined_cases(&self, after: Option<Cursor>) -> Result<Page<String>> {
        self.ids(self.page("quarantined", ("is_quarantined", YES), None, false, after).await?)
    }

    /// The cases of a bucket, newest first.
    ///
    /// # Errors
    /// As classified.
    pub async fn cases_of_bucket(&self, bucket: &str, after: Option<Cursor>) -> Result<Page<String>> {
        self.ids(self.page("by_bucket", ("bucket", bucket), None, false, after).await?)
    }

    /// The ids of the cases that begin with these [`keys::SHORT_ID`] digits.
    ///
    /// # Errors
    /// As classified.
    pub async fn cases_of_short_id(&self, short_id: &str) -> Result<Vec<String>> {
        Ok(self.ids(self.page("by_short_id", ("short_id", short_id), None, true, None).await?)?.entries)
    }

    /// The keys of cases and digests that Slack does not show as they are, longest due first.
    ///
    /// # Errors
    /// As classified.
    pub async fn slack_due(&self, now: Time, after: Option<Cursor>) -> Result<Page<String>> {
        let until = Some(("slack_due_at", now));
        let page = self.page("slack_due", ("slack_due", YES), until, true, after).await?;
        let keys = page.entries.iter().filter_map(|item| member(item, "id").map(str::to_owned));
        Ok(Page { entries: keys.collect(), next: page.next })
    }

    /// Since when Slack does not show something as it is; `None` while it shows everything.
    ///
    /// # Errors
    /// As classified.
    pub async fn oldest_slack_due(&self, now: Time) -> Result<Option<Time>> {
        let page =
            self.page("slack_due", ("slack_due", YES), Some(("slack_due_at", now)), true, None).await?;
        Ok(page.entries.first().and_then(|item| member(item, "slack_due_at")?.parse().ok()))
    }

    /// These cases, in this order, a hundred items at a time; one that is gone is left out, one that cannot be read is an
    /// error in its place.
    ///
    /// # Errors
    /// As classified.
    pub async fn get_all(&self, case_ids: &[String]) -> Result<Vec<Result<Case>>> {
        let mut cases = Vec::new();
        for some in case_ids.chunks(50) {
            let wanted: Vec<_> = some.iter().flat_map(|id| [keys::case(id), keys::approval(id)]).collect();
            let items = self.batch(&wanted, None).await?;
            for case_id in some {
                match self.joined(case_id, &items) {
                    Ok(Some(case)) => cases.push(Ok(case)),
                    Ok(None) => {}
                    // Read while it was being written, or not to be read.
                    Err(_) => cases.extend(self.get(case_id).await.transpose()),
                }
            }
        }
        Ok(cases)
    }

    async fn page(
        &self,
        index: &str,
        (hash, value): (&str, &str),
        until: Option<(&str, Time)>,
        oldest_first: bool,
        after: Option<Cursor>,
    ) -> Result<Page<Item>> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .expression_attribute_names("#hash", hash)
            .expression_attribute_values(":value", text(value))
            .scan_index_forward(oldest_first)
            .set_exclusive_start_key(after.map(|Cursor(key)| key))
            .limit(PAGE);
        query = match until {
            None => query.key_condition_expression("#hash = :value"),
            Some((range, last)) => query
                .key_condition_expression("#hash = :value AND #range <= :last")
                .expression_attribute_names("#range", range)
                .expression_attribute_values(":last", text(last)),
        };
        let page = query.send().await.map_err(|error| classify("dynamodb:Query on cases", error))?;
        Ok(Page { entries: page.items.unwrap_or_default(), next: page.last_evaluated_key.map(Cursor) })
    }

    fn ids(&self, page: Page<Item>) -> Result<Page<String>> {
        let ids =
            page.entries.iter().filter_map(|item| keys::case_id(member(item, "id")?).map(str::to_owned));
        Ok(Page { entries: ids.collect(), next: page.next })
    }
}

fn member<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).map(String::as_str)
}
