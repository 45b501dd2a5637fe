//! Votes, snoozes, and attempts of people who may not decide, in the `approval#` items of the `cases` table.

use cordon_domain::case::{
    Case, Counted, Decided, Status,
    vote::{Refused, Snooze, Vote},
};
use serde::Deserialize;

use super::{Cases, Conditional, Item, Update, conditional, from_item, recognized, text, to_value};
use crate::error::Result;

/// What became of a vote.
#[derive(Clone, Debug, PartialEq)]
pub enum Voted {
    /// It is on record, and this is the case with it: decided, or so many more people have to say the same.
    Counted(Box<Case>, Counted),
    /// It changes nothing: this is the case as it is. It is decided, closed, or another one than was shown, or the
    /// person has said so before.
    Not(Option<Box<Case>>),
}

/// What became of a vote without a look at the case before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// It is on record and decides. The token of the execution that waits for it, if it waits already.
    Decided(Option<String>),
    /// It is not: the case has to be looked at.
    Not,
}

/// What every vote sets.
const VOTED: &str = "votes = list_append(votes, :votes), slack_due = :yes, slack_due_at = :now";
/// The conditions of a vote without a look at the case.
pub const UNSEEN: &[&str] = &[
    "#status = :open",
    "attribute_not_exists(decided)",
    "plan_hash = :plan",
    "approval_id = :approval",
    "size(votes) = :none",
    "contains(sole_approvers, :person)",
    IN_CHANNEL,
];
/// Where the channel of the click is known.
const IN_CHANNEL: &str = "channel = :channel";
/// The most attempts of people who may not decide that a case remembers.
const REFUSED: usize = 20;

/// What a vote without a look is recognized by.
#[derive(Deserialize)]
struct Recorded {
    votes: Vec<Vote>,
    task_token: Option<String>,
}

impl Cases {
    /// Records a vote, and with it the decision where it decides, if the case is open, undecided, and still the one
    /// that was `seen`. What it comes to depends on the votes before it, so it is only written over those.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote(&self, seen: &Case, vote: &Vote) -> Result<Voted> {
        let mut case = seen.clone();
        loop {
            // Its message was delivered twice, or the answer to its write was lost.
            if case.approval.votes.iter().any(|cast| cast.is_same(vote)) {
                let counted = case.recorded(vote);
                return Ok(Voted::Counted(Box::new(case), counted));
            }
            let counted = case.count(vote);
            let open = case.takes_votes(&seen.approval.id, &vote.plan_hash);
            if !open {
                return Ok(Voted::Not(Some(Box::new(case))));
            }
            let update = self.undecided(&case, self.due(self.update_approval(&case.case_id)));
            let update = match counted {
                Counted::Decides => decided(update, vote),
                Counted::Missing(_) => voted(update, vote).update_expression(format!("SET {VOTED}")),
                Counted::Repeated | Counted::Superseded | Counted::TooMany => {
                    return Ok(Voted::Counted(Box::new(case), counted));
                }
            };
            match self.recognized(&case, update, |there| there.approval.votes.contains(vote)).await? {
                Conditional::Written(case) | Conditional::Mine(case) => {
                    return Ok(Voted::Counted(Box::new(case), counted));
                }
                Conditional::Theirs(None) => return Ok(Voted::Not(None)),
                // Somebody else has voted between the look and the vote.
                Conditional::Theirs(Some(now)) => case = now,
            }
        }
    }

    /// Records a vote without a look at the case before, if it decides by itself and is of a person whom the plan names:
    /// as nearly every click is. The conditions are narrower than what [`Case::takes_votes`], [`Case::count`] and
    /// `Plan::allows` ask, never wider; and where the channel is known, it is the plan's.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote_unseen(
        &self,
        case_id: &str,
        approval_id: &str,
        channel: Option<&str>,
        vote: &Vote,
    ) -> Result<Unseen> {
        self.vote_under(UNSEEN, case_id, approval_id, channel, vote).await
    }

    /// The same under some of the conditions, for the test that leaves them out one by one.
    #[doc(hidden)]
    pub async fn vote_under(
        &self,
        conditions: &[&str],
        case_id: &str,
        approval_id: &str,
        channel: Option<&str>,
        vote: &Vote,
    ) -> Result<Unseen> {
        let conditions: Vec<_> =
            conditions.iter().copied().filter(|it| channel.is_some() || *it != IN_CHANNEL).collect();
        let condition = conditions.join(" AND ");
        let mut update = decided(self.due(self.update_approval(case_id)), vote);
        if condition.contains("#status") {
            update = update.expression_attribute_names("#status", "status");
        }
        for (name, value) in [
            (":open", text(Status::Open.name())),
            (":plan", text(&vote.plan_hash)),
            (":approval", text(approval_id)),
            (":none", to_value(&0)),
            (":person", text(vote.by.person())),
            (":channel", text(channel.unwrap_or_default())),
        ] {
            if condition.contains(name) {
                update = update.expression_attribute_values(name, value);
            }
        }
        let read = |item: &Item| from_item::<Recorded>(&self.table, item.clone());
        let is_mine = |item: &Item| read(item).is_ok_and(|there| there.votes.contains(vote));
        let update = update.condition_expression(condition);
        Ok(match recognized(&self.table, update, is_mine).await?.stands() {
            Some(item) => Unseen::Decided(read(&item)?.task_token),
            None => Unseen::Not,
        })
    }

    /// Records that nobody is to be asked for a while, under the conditions of a vote. `None` when they do not hold.
    ///
    /// # Errors
    /// As classified.
    pub async fn snooze(&self, case: &Case, snooze: &Snooze) -> Result<Option<Case>> {
        let update = self
            .undecided(case, self.due(self.update_approval(&case.case_id)))
            .update_expression("SET snooze = :snooze, slack_due = :yes, slack_due_at = :now")
            .expression_attribute_values(":snooze", to_value(snooze));
        self.changed(case, update).await
    }

    /// On condition that the case is open and undecided, and nobody has voted since.
    fn undecided(&self, case: &Case, update: Update) -> Update {
        update
            .condition_expression(
                "#status = :open AND attribute_not_exists(decided) AND plan_hash = :plan AND \
                 approval_id = :approval AND size(votes) = :votes_seen",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":plan", text(&case.approval.plan_hash))
            .expression_attribute_values(":approval", text(&case.approval.id))
            .expression_attribute_values(":votes_seen", to_value(&case.approval.votes.len()))
    }

    /// Records that somebody tried to decide who may not. The oldest such attempts make room.
    ///
    /// # Errors
    /// As classified.
    pub async fn refuse(&self, case: &Case, refused: &Refused) -> Result<()> {
        let mut all = case.approval.refused.clone();
        all.push(refused.clone());
        let surplus = all.len().saturating_sub(REFUSED);
        all.drain(..surplus);
        let update = self
            .update_approval(&case.case_id)
            .update_expression("SET refused = :refused")
            .condition_expression("generation = :generation")
            .expression_attribute_values(":refused", to_value(&all))
            .expression_attribute_values(":generation", to_value(&case.generation));
        conditional(&self.table, update).await.map(|_| ())
    }
}

fn voted(update: Update, vote: &Vote) -> Update {
    update.expression_attribute_values(":votes", to_value(&[vote]))
}

/// An update by a vote that decides; a snooze is over, and the execution is to be woken.
fn decided(update: Update, vote: &Vote) -> Update {
    let decided = Decided { what: vote.decision, at: vote.at, mac: None };
    voted(update, vote)
        .update_expression(format!(
            "SET decided = :decided, is_waiting = :yes, waiting_since = :now, {VOTED} REMOVE snooze"
        ))
        .expression_attribute_values(":decided", to_value(&decided))
}
