//! How many objects are moved in an hour without a person, in the `cases` table.
//!
//! Each such move is counted once: a mark of its own and the counters are written in one transaction. So a repetition
//! counts nothing, and a move that does not come about gives its place back.

use aws_sdk_dynamodb::types::{Put, Update};
use cordon_domain::case::Case;
use jiff::SignedDuration;
use serde::Deserialize;

use super::{Cases, Item, expiry, from_item, keys, text, to_value, transactions};
use crate::{clock, error::Result};

/// How long a count is kept, and the mark by which a move gives its place back: longer than any execution lasts.
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 35);

/// The most objects that are moved in a clock hour without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// In all.
    pub per_hour: Option<u32>,
    /// In one bucket.
    pub per_bucket_per_hour: Option<u32>,
}

/// What became of an attempt to count a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is within the limits, and counted.
    Within,
    /// This limit is reached.
    Over(ReachedLimit),
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReachedLimit {
    /// The most moves in the hour.
    pub limit: u32,
    /// What it is the limit of.
    pub of: LimitScope,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// Every move.
    All,
    /// Those in one bucket.
    Bucket,
    /// Those below one prefix of a bucket, up to the first slash. They get half of what the other limits let through, so that
    /// whoever may write there alone cannot use up what is meant for all.
    Prefix,
}

/// A move that no person decided, by the run that counts it.
#[derive(Clone, Copy, Debug)]
pub struct AutomaticMove<'a> {
    /// The case, of the generation that is to be moved.
    pub case: &'a Case,
    /// The run that counts.
    pub execution_arn: &'a str,
}

#[derive(Deserialize)]
struct Counter {
    moves: i64,
}

#[derive(Deserialize)]
struct Mark {
    hour: String,
    #[serde(default)]
    given_back: bool,
}

struct Limit {
    key: String,
    limit: u32,
    of: LimitScope,
}

impl Limit {
    fn reached(&self) -> Counted {
        Counted::Over(ReachedLimit { limit: self.limit, of: self.of })
    }
}

impl RateLimits {
    /// What those below one prefix get: half of the smaller limit, and one at least.
    fn per_prefix_per_hour(self) -> Option<u32> {
        let smaller = self.per_hour.into_iter().chain(self.per_bucket_per_hour).min()?;
        Some(smaller.div_ceil(2))
    }
}

impl AutomaticMove<'_> {
    fn mark_key(&self) -> String {
        keys::counted_move(&self.case.case_id, self.case.generation, self.execution_arn)
    }

    /// The counters of the bucket, of all, and of the prefix.
    fn counter_keys(&self, hour: &str) -> [String; 3] {
        let object = self.case.object();
        let prefix = object.key.split_once('/').map_or("", |(prefix, _)| prefix);
        [
            keys::moves(hour, Some(&object.bucket)),
            keys::moves(hour, None),
            keys::moves_below(hour, &object.bucket, prefix),
        ]
    }
}

impl Cases {
    /// Counts a move, in all, in its bucket and below its prefix, if no limit is reached.
    ///
    /// # Errors
    /// As classified; retryable when other moves are counted at the same moment.
    pub async fn count_automatic(&self, of: AutomaticMove<'_>, limits: RateLimits) -> Result<Counted> {
        let now = clock::now();
        let hour = keys::hour(now);
        let [in_bucket, in_all, below_prefix] = of.counter_keys(&hour);
        let limits: Vec<Limit> = [
            (in_bucket, limits.per_bucket_per_hour, LimitScope::Bucket),
            (in_all, limits.per_hour, LimitScope::All),
            (below_prefix, limits.per_prefix_per_hour(), LimitScope::Prefix),
        ]
        .into_iter()
        .filter_map(|(key, limit, of)| Some(Limit { key, limit: limit?, of }))
        .collect();
        for limit in &limits {
            // Most of a flood ends here, without a transaction.
            if limit.limit == 0 || self.moves(&limit.key).await? >= i64::from(limit.limit) {
                return if self.is_counted(&of).await? { Ok(Counted::Within) } else { Ok(limit.reached()) };
            }
        }
        if limits.is_empty() {
            return Ok(Counted::Within);
        }
        self.count(&of, &hour, &limits).await
    }

    async fn count(&self, of: &AutomaticMove<'_>, hour: &str, limits: &[Limit]) -> Result<Counted> {
        let mark = Item::from([
            ("id".to_owned(), text(of.mark_key())),
            ("hour".to_owned(), text(hour)),
            ("expires_at".to_owned(), expiry(RETENTION)),
        ]);
        let once = Put::builder()
            .table_name(&self.table)
            .condition_expression("attribute_not_exists(id) OR given_back = :yes")
            .expression_attribute_values(":yes", to_value(&true));
        let mut items = vec![transactions::put(once, mark)];
        items.extend(limits.iter().map(|limit| {
            transactions::update(
                Update::builder()
                    .table_name(&self.table)
                    .key("id", text(&limit.key))
                    .update_expression("SET expires_at = :expires ADD moves :one")
                    .condition_expression("attribute_not_exists(moves) OR moves < :limit")
                    .expression_attribute_values(":expires", expiry(RETENTION))
                    .expression_attribute_values(":one", to_value(&1))
                    .expression_attribute_values(":limit", to_value(&limit.limit)),
            )
        }));
        match self.together(items).await? {
            None => Ok(Counted::Within),
            // The mark is there: an earlier attempt has counted it.
            Some(0) => Ok(Counted::Within),
            Some(refused) => Ok(limits[refused - 1].reached()),
        }
    }

    /// Gives the place of a move back that does not come about. Repeated, it changes nothing.
    ///
    /// # Errors
    /// As classified; retryable when other moves are counted at the same moment.
    pub async fn give_back_automatic(&self, of: AutomaticMove<'_>) -> Result<()> {
        let Some(mark) = self.mark(&of).await?.filter(|mark| !mark.given_back) else { return Ok(()) };
        let given_back = Update::builder()
            .table_name(&self.table)
            .key("id", text(of.mark_key()))
            .update_expression("SET given_back = :yes")
            .condition_expression("attribute_exists(id) AND attribute_not_exists(given_back)")
            .expression_attribute_values(":yes", to_value(&true));
        let mut items = vec![transactions::update(given_back)];
        for key in of.counter_keys(&mark.hour) {
            if self.moves(&key).await? == 0 {
                // There is no such limit, or was none when the move was counted.
                continue;
            }
            items.push(transactions::update(
                Update::builder()
                    .table_name(&self.table)
                    .key("id", text(&key))
                    .update_expression("ADD moves :minus_one")
                    .expression_attribute_values(":minus_one", to_value(&-1)),
            ));
        }
        self.together(items).await.map(|_| ())
    }

    async fn moves(&self, key: &str) -> Result<i64> {
        let counter =
            self.item(key).await?.map(|item| from_item::<Counter>(&self.table, item)).transpose()?;
        Ok(counter.map_or(0, |counter| counter.moves))
    }

    async fn mark(&self, of: &AutomaticMove<'_>) -> Result<Option<Mark>> {
        self.item(&of.mark_key()).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    async fn is_counted(&self, of: &AutomaticMove<'_>) -> Result<bool> {
        Ok(self.mark(of).await?.is_some_and(|mark| !mark.given_back))
    }
}
