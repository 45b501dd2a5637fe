//! The gateway as a process, with what may reach it: clicks in numbers, slow stores, slow clients, garbage, its own end.
//! And what Slack is shown, for which there is no need of Terraform and worker either.
//!
//! A binary of its own, and in it one test at a time: they hold the gateway to Slack's three seconds, so nothing else may
//! keep the machine busy meanwhile.

mod clicks;
mod fuzz;
mod health;
mod refusals;
mod renderings;
mod signing;
mod silent_clicks;
mod slow_clients;
mod vote_conditions;
