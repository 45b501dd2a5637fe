//! A double of a Slack workspace: the Web API methods that Cordon calls, and a page in the browser that shows the
//! channel and whose buttons send signed interactions, as Slack does for a person's click.
//!
//! The workspace has two channels, `C0SECURITY` (cordon-approvals) and `C0FINANCE1` (finance-data), and four people in
//! them: alice, bob and carol, and mallory, whose own workspace is another. Carol is in the user group `S0SECURITY`.
//! Messages are held to Slack's limits, calls to its rates; an outage can be switched on, and single methods can be made
//! to fail or hang. State lives in memory behind a mutex that is never held across an await.

mod api;
mod blocks;
mod delivery;
mod faults;
mod ids;
mod interaction;
mod messages;
mod modals;
mod mrkdwn;
mod page;
mod rates;
mod server;
mod signature;
mod workspace;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

pub use delivery::ClickResult;
pub use faults::{MethodFault, MethodFaultKind};
pub use rates::RateLimits;

use crate::process::loopback;

use self::{
    faults::MethodFaults,
    interaction::ResponseUrl,
    messages::Messages,
    modals::Modals,
    rates::Rates,
    workspace::{Directory, Installation},
};

/// How the Web API fails, for tests of what happens while Slack is away. The page goes on working.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Outage {
    /// It does not fail.
    #[default]
    None,
    /// HTTP 503.
    ServerError,
    /// HTTP 429.
    RateLimited {
        /// Seconds in `Retry-After`.
        retry_after: u64,
    },
    /// HTTP 200 with `ok: false` and this error.
    OkFalse(String),
}

/// The Slack workspace.
#[derive(Debug)]
pub struct Slack {
    url: String,
    bot_token: String,
    signing_secret: String,
    http: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    messages: Messages,
    modals: Modals,
    directory: Directory,
    installation: Installation,
    rates: Rates,
    outage: Outage,
    faults: MethodFaults,
    calls: Vec<(String, Option<String>)>,
    interactions_url: Option<String>,
    response_urls: Vec<ResponseUrl>,
    /// What Slack would show a user whose last click went wrong: user id and sentence.
    click_errors: Vec<(String, String)>,
}

impl Slack {
    /// A workspace with an empty channel that answers at this URL, with a bot token and signing secret of its own.
    pub fn new(url: &str) -> Arc<Self> {
        let secret = |bytes: usize| hex::encode((0..bytes).map(|_| rand::random::<u8>()).collect::<Vec<_>>());
        Arc::new(Self {
            url: url.trim_end_matches('/').to_owned(),
            bot_token: format!("xoxb-sandbox-{}", secret(16)),
            signing_secret: secret(16),
            http: loopback::http(),
            state: Mutex::default(),
        })
    }

    /// The token that the Web API takes.
    pub fn bot_token(&self) -> &str {
        &self.bot_token
    }

    /// The secret that interactions are signed with.
    pub fn signing_secret(&self) -> &str {
        &self.signing_secret
    }

    /// Where interactions are sent to, as the app's configuration says.
    pub fn set_interactions_url(&self, url: &str) {
        self.lock().interactions_url = Some(url.to_owned());
    }

    /// Lets the Web API fail from now on, or work again.
    pub fn set_outage(&self, outage: Outage) {
        self.lock().outage = outage;
    }

    /// Lets some calls of the Web API fail or hang.
    pub fn inject(&self, fault: MethodFault) {
        self.lock().faults.add(fault);
    }

    /// Lets no single method fail any more.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// The calls of the Web API so far, oldest first: the method, and the channel that it names.
    pub fn calls(&self) -> Vec<(String, Option<String>)> {
        self.lock().calls.clone()
    }

    /// Sets the rates of the Web API; `None` takes them away.
    pub fn set_rate_limits(&self, limits: Option<RateLimits>) {
        self.lock().rates = Rates::new(limits);
    }

    /// Sets the members of a user group; a group without members is one that was switched off.
    pub fn set_group(&self, group: &str, members: &[&str]) {
        self.lock().directory.set_group(group, members);
    }

    /// Takes scopes from the app's token, or gives them back.
    pub fn set_scope(&self, scope: &str, granted: bool) {
        let scopes = &mut self.lock().installation.scopes;
        if granted {
            scopes.insert(scope.to_owned());
        } else {
            scopes.remove(scope);
        }
    }

    /// Shares a channel with another organization, or ends that.
    pub fn set_shared(&self, channel: &str, shared: bool) {
        let channels = &mut self.lock().installation.shared_channels;
        if shared {
            channels.insert(channel.to_owned());
        } else {
            channels.remove(channel);
        }
    }

    /// Takes the app out of a channel, or invites it again. It only shows in `conversations.info`.
    pub fn set_member(&self, channel: &str, member: bool) {
        let channels = &mut self.lock().installation.left_channels;
        if member {
            channels.remove(channel);
        } else {
            channels.insert(channel.to_owned());
        }
    }

    /// Lets a user leave, or come back.
    pub fn set_active(&self, user: &str, active: bool) {
        self.lock().directory.set_active(user, active);
    }

    /// All messages of a channel with their metadata, replies in threads among them, oldest first.
    pub fn messages(&self, channel: &str) -> Vec<Value> {
        self.lock().messages.of(channel).to_vec()
    }

    /// Closes every modal that is open, as people do who leave it.
    pub fn close_modals(&self) {
        self.lock().modals.close_all();
    }

    /// All messages that only one user can see, oldest first; each names its `channel` and `user`.
    pub fn ephemerals(&self) -> Vec<Value> {
        self.lock().messages.ephemerals().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state is held")
    }
}
