//! Who and what there is in the workspace.

use std::collections::{BTreeMap, BTreeSet};

/// The workspace's team id.
pub(super) const TEAM: &str = "T0CORDON01";
/// Its subdomain of Slack.
pub(super) const TEAM_DOMAIN: &str = "cordon-sandbox";
/// Its name.
pub(super) const TEAM_NAME: &str = "Cordon sandbox";
/// The app that the bot token belongs to.
pub(super) const APP: &str = "A0CORDON01";
/// The app's bot.
pub(super) const BOT: &str = "B0CORDON01";
/// The bot's user.
pub(super) const BOT_USER: &str = "U0CORDON01";
/// The bot's name.
pub(super) const BOT_NAME: &str = "Cordon";

/// Somebody who reads the channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// The user's own workspace: the channel is shared with a stranger.
    pub(super) team: &'static str,
}

/// The people in the channel.
pub(super) const USERS: [User; 4] = [
    User { id: "U0ALICE001", name: "alice", team: TEAM },
    User { id: "U0BOB00002", name: "bob", team: TEAM },
    User { id: "U0CAROL004", name: "carol", team: TEAM },
    User { id: "U0MALLORY3", name: "mallory", team: "T0STRANGER" },
];

/// The channel that the page shows first.
pub(super) const CHANNEL: Channel = Channel { id: "C0SECURITY", name: "cordon-approvals" };
/// All of them.
const CHANNELS: [Channel; 2] = [CHANNEL, Channel { id: "C0FINANCE1", name: "finance-data" }];

/// A channel of the workspace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// Who is in which user group, and who has left.
#[derive(Debug)]
pub(super) struct Directory {
    groups: BTreeMap<String, Vec<String>>,
    left: BTreeSet<String>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { groups: BTreeMap::from([(GROUP.into(), vec!["U0CAROL004".into()])]), left: BTreeSet::new() }
    }
}

impl Directory {
    pub(super) fn set_group(&mut self, group: &str, members: &[&str]) {
        self.groups.insert(group.to_owned(), members.iter().map(|&member| member.to_owned()).collect());
    }

    pub(super) fn set_active(&mut self, user: &str, active: bool) {
        if active {
            self.left.remove(user);
        } else {
            self.left.insert(user.to_owned());
        }
    }

    /// The members of a group who are still there.
    pub(super) fn members(&self, group: &str) -> Option<Vec<&String>> {
        let members = self.groups.get(group)?;
        Some(members.iter().filter(|member| !self.left.contains(*member)).collect())
    }

    pub(super) fn has_left(&self, user: &str) -> bool {
        self.left.contains(user)
    }
}

/// How the app is installed.
#[derive(Debug)]
pub(super) struct Installation {
    /// What its token may do.
    pub(super) scopes: BTreeSet<String>,
    /// Channels that people of other organizations are in.
    pub(super) shared_channels: BTreeSet<String>,
    /// Channels that the app is not in.
    pub(super) left_channels: BTreeSet<String>,
}

impl Default for Installation {
    fn default() -> Self {
        const SCOPES: [&str; 7] = [
            "channels:history",
            "channels:read",
            "chat:write",
            "groups:history",
            "groups:read",
            "usergroups:read",
            "users:read",
        ];
        Self {
            scopes: SCOPES.map(str::to_owned).into(),
            shared_channels: BTreeSet::new(),
            left_channels: BTreeSet::new(),
        }
    }
}

impl Installation {
    /// As Slack writes them into headers and answers.
    pub(super) fn provided_scopes(&self) -> String {
        self.scopes.iter().cloned().collect::<Vec<_>>().join(",")
    }
}

/// The user group that there is from the start.
const GROUP: &str = "S0SECURITY";

pub(super) fn user(id: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.id == id)
}

/// The channel's id for an id or a name with `#`, as the Web API takes either.
pub(super) fn channel(id_or_name: &str) -> Option<&'static str> {
    let is_meant =
        |channel: &&Channel| id_or_name.strip_prefix('#') == Some(channel.name) || id_or_name == channel.id;
    CHANNELS.iter().find(is_meant).map(|channel| channel.id)
}

/// The name of a channel; its id for one that there is not.
pub(super) fn channel_name(id: &str) -> &str {
    CHANNELS.iter().find(|channel| channel.id == id).map_or(id, |channel| channel.name)
}
