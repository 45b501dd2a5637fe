//! Votes, snoozes, and attempts of people who may not decide.

use cordon_domain::case::{
    Case, Counted, Status,
    vote::{Refused, Snooze, Vote},
};

use super::{Cases, Conditional, Update, conditional, recognized, text, to_value};
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

/// What every vote sets.
const VOTED: &str = "votes = list_append(votes, :votes), render_due = :due, render_due_at = :now";
/// The most attempts of people who may not decide that a case remembers.
const REFUSED: usize = 20;

impl Cases {
    /// Records a vote, and with it the decision where it decides, if the case is open, undecided, and still the one
    /// that was `seen`. What it comes to depends on the votes before it, so it is only written over those.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote(&self, seen: &Case, vote: &Vote) -> Result<Voted> {
        let mut case = seen.clone();
        loop {
            let counted = case.count(vote);
            let open = case.takes_votes(&seen.approval_id, &vote.plan_hash);
            if !open || counted == Counted::Repeated {
                return Ok(Voted::Not(Some(Box::new(case))));
            }
            let update = self.undecided(&case, self.due(self.update(&case.case_id)));
            let update = match counted {
                Counted::Decides => decided(update, vote),
                Counted::Missing(_) | Counted::Repeated => {
                    voted(update, vote).update_expression(format!("SET {VOTED}"))
                }
            };
            match recognized(&self.table, update, |there: &Case| there.votes.contains(vote)).await? {
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
    /// as nearly every click is. What [`Case::takes_votes`], [`Case::count`] and `Plan::allows` ask are conditions here,
    /// and so is [`Case::is_shown_in`], if the channel is known. Otherwise `Not`, with the case as it is.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote_unseen(
        &self,
        case_id: &str,
        approval_id: &str,
        channel: Option<&str>,
        vote: &Vote,
    ) -> Result<Voted> {
        let mut condition = "#status = :open AND attribute_not_exists(decision) AND plan_hash = :plan AND \
                             approval_id = :approval AND size(votes) = :none AND #plan.approvals = :one AND \
                             attribute_not_exists(#plan.shadow) AND contains(#plan.approvers, :person)"
            .to_owned();
        let mut update = decided(self.due(self.update(case_id)), vote)
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":plan", text(&vote.plan_hash))
            .expression_attribute_values(":approval", text(approval_id))
            .expression_attribute_values(":none", to_value(&0))
            .expression_attribute_values(":one", to_value(&1))
            .expression_attribute_values(":person", text(vote.by.person()));
        if let Some(channel) = channel {
            condition.push_str(" AND (#plan.channel = :channel OR slack_channel = :channel)");
            update = update.expression_attribute_values(":channel", text(channel));
        }
        let update = update.condition_expression(condition);
        let voted = recognized(&self.table, update, |there: &Case| there.votes.contains(vote));
        Ok(match voted.await? {
            Conditional::Written(case) | Conditional::Mine(case) => {
                Voted::Counted(Box::new(case), Counted::Decides)
            }
            Conditional::Theirs(case) => Voted::Not(case.map(Box::new)),
        })
    }

    /// Records that nobody is to be asked for a while, under the conditions of a vote. `None` when they do not hold.
    ///
    /// # Errors
    /// As classified.
    pub async fn snooze(&self, case: &Case, snooze: &Snooze) -> Result<Option<Case>> {
        let update = self
            .undecided(case, self.due(self.update(&case.case_id)))
            .update_expression("SET snooze = :snooze, render_due = :due, render_due_at = :now")
            .expression_attribute_values(":snooze", to_value(snooze));
        self.changed(update).await
    }

    /// On condition that the case is open and undecided, and nobody has voted since.
    fn undecided(&self, case: &Case, update: Update) -> Update {
        update
            .condition_expression(
                "#status = :open AND attribute_not_exists(decision) AND plan_hash = :plan AND \
                 approval_id = :approval AND size(votes) = :votes_seen",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":plan", text(&case.plan_hash))
            .expression_attribute_values(":approval", text(&case.approval_id))
            .expression_attribute_values(":votes_seen", to_value(&case.votes.len()))
    }

    /// Records that somebody tried to decide who may not. The oldest such attempts make room.
    ///
    /// # Errors
    /// As classified.
    pub async fn refuse(&self, case: &Case, refused: &Refused) -> Result<()> {
        let mut all = case.refused.clone();
        all.push(refused.clone());
        let surplus = all.len().saturating_sub(REFUSED);
        all.drain(..surplus);
        let update = self
            .update(&case.case_id)
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

/// An update by a vote that decides; a snooze is over.
fn decided(update: Update, vote: &Vote) -> Update {
    voted(update, vote)
        .update_expression(format!("SET decision = :decision, decided_at = :at, {VOTED} REMOVE snooze"))
        .expression_attribute_values(":decision", text(vote.decision.name()))
        .expression_attribute_values(":at", text(&vote.at))
}
