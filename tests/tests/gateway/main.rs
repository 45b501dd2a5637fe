//! The gateway as a process, with what may reach it: clicks in numbers, slow stores, slow clients, garbage, its own end.

mod clicks;
mod fuzz;
mod health;
mod refusals;
mod signing;
mod slow_clients;
