//! The gateway as a process, with what may reach it: clicks in numbers, slow stores, slow clients, garbage, its own end.
//! And what Slack is shown, for which there is no need of Terraform and worker either.

mod clicks;
mod fuzz;
mod health;
mod refusals;
mod renderings;
mod signing;
mod silent_clicks;
mod slow_clients;
