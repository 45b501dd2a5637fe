//! Slack, and the way from there to the gateway.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use jiff::Timestamp;
use reqwest::{StatusCode, header::CONTENT_TYPE};
use secrecy::SecretString;
use url::Url;

use super::Check;
use crate::{
    aws::slack_secret::{SlackCredentials, SlackSecret},
    config::Installation,
    slack::{
        api::{Slack, SlackError},
        signature::{self, SELF_TEST},
    },
};

/// What the bot has to be allowed, and what for.
const SCOPES: [(&str, &str); 7] = [
    ("chat:write", "post messages"),
    ("channels:history", "find a message again whose posting was interrupted"),
    ("groups:history", "do so in private channels"),
    ("channels:read", "see who is in a channel"),
    ("groups:read", "do so in private channels"),
    ("users:read", "know who has left"),
    ("usergroups:read", "know who is in a user group"),
];
/// Slack waits no longer for the answer to a click.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn look(
    aws: &SdkConfig,
    installation: &Installation,
    channels: &BTreeSet<String>,
    tell: &mut dyn FnMut(Check),
) {
    let client = aws_sdk_secretsmanager::Client::new(aws);
    let secret = SlackSecret::new(client, installation.slack.secret_arn.clone());
    let credentials = secret.get().await;
    gateway(installation.gateway_url.as_ref(), credentials.as_ref().ok(), tell).await;
    match credentials {
        Ok(_) => tell(Check::ok("slack_secret", "it has a bot token and a signing secret")),
        Err(error) => return tell(Check::unanswered("slack_secret", &error)),
    }
    let slack = Slack::new(&installation.slack, secret);
    if let Some(bot) = token(&slack, installation, tell).await {
        app(&slack, &bot, &installation.slack.app_id, tell).await;
        for channel in channels {
            tell(match slack.channel(channel).await {
                Ok(found) => in_channel(channel, &found),
                Err(error) => no_channel(channel, &error),
            });
        }
    }
}

/// Asks the gateway by the name that Slack calls: whether it is well, whether it takes what Slack signs, and whether it
/// refuses what somebody else does.
async fn gateway(
    url: Option<&Url>,
    credentials: Option<&Arc<SlackCredentials>>,
    tell: &mut dyn FnMut(Check),
) {
    const NAME: &str = "gateway";
    let Some(url) = url else {
        return tell(Check::failed(
            NAME,
            "there is none, so nobody can click",
            "set gateway_count to at least 1, and apply",
        ));
    };
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("TLS starts");
    let health = url.join("healthz").expect("a path");
    let way = "see the log groups of the API (integrationError) and of the gateway; until then decide by `cordon approvals`";
    match http.get(health.clone()).send().await {
        Ok(answer) if answer.status().is_success() => {}
        Ok(answer) => return tell(Check::failed(NAME, format!("{health} answers {}", answer.status()), way)),
        Err(error) => {
            return tell(Check::failed(
                NAME,
                format!("nobody answers at {health} ({})", error.without_url()),
                way,
            ));
        }
    }
    let Some(credentials) = credentials else {
        return tell(Check::unknown(
            NAME,
            format!(
                "{health} answers; whether it takes what Slack signs is not known without Slack's secret"
            ),
            "run `cordon doctor` with credentials that may read the secret",
        ));
    };
    let interactions = url.join("slack/interactions").expect("a path");
    let post = async |secret: &SecretString| {
        let timestamp = Timestamp::now().as_second().to_string();
        let signature = signature::sign(secret, &timestamp, SELF_TEST);
        let request = http
            .post(interactions.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature)
            .body(SELF_TEST);
        request.send().await.map(|answer| answer.status())
    };
    let ours = post(&credentials.signing_secret).await;
    let strangers = post(&SecretString::from(hex::encode(rand::random::<[u8; 16]>()))).await;
    tell(match (ours, strangers) {
        (Ok(StatusCode::OK), Ok(StatusCode::UNAUTHORIZED)) => Check::ok(
            NAME,
            format!("{interactions} takes what Slack signs, and refuses what somebody else does"),
        ),
        (Ok(StatusCode::OK), Ok(status)) => Check::failed(
            NAME,
            format!("{interactions} answers {status} to what is not signed by Slack"),
            "something else than the gateway answers there: see what the name leads to",
        ),
        (Ok(StatusCode::UNAUTHORIZED), _) => Check::failed(
            NAME,
            format!("{interactions} refuses what is signed with the secret"),
            "a gateway of an earlier release does not know the self-test: deploy this one; else see that the clock of this \
             machine is right",
        ),
        (Ok(status), _) => {
            Check::failed(NAME, format!("{interactions} answers {status} to a signed request"), way)
        }
        (Err(error), _) => {
            Check::failed(NAME, format!("nobody answers at {interactions} ({})", error.without_url()), way)
        }
    });
}

/// Gives back the bot.
async fn token(slack: &Slack, installation: &Installation, tell: &mut dyn FnMut(Check)) -> Option<String> {
    const NAME: &str = "slack_token";
    let identity = match slack.identity().await {
        Ok(identity) => identity,
        Err(error) => {
            tell(Check::failed(
                NAME,
                error.to_string(),
                "install the app again, and put its Bot User OAuth Token into the secret as bot_token",
            ));
            return None;
        }
    };
    let wanted = &installation.slack.team_id;
    if identity.team != *wanted {
        tell(Check::failed(
            NAME,
            format!("it is of the workspace {}, and slack_team_id is {wanted}", identity.team),
            "install the app in the right workspace, or correct slack_team_id",
        ));
    } else {
        tell(Check::ok(NAME, format!("it works, in the workspace {wanted}")));
    }
    tell(scopes(identity.scopes.as_deref()));
    Some(identity.bot)
}

fn scopes(granted: Option<&[String]>) -> Check {
    const NAME: &str = "slack_scopes";
    let Some(granted) = granted else {
        return Check::unknown(
            NAME,
            "Slack does not say what the token may do",
            "compare them with docs/SLACK.md",
        );
    };
    let missing: Vec<_> = SCOPES
        .iter()
        .filter(|(scope, _)| !granted.iter().any(|one| one == scope))
        .map(|(scope, what)| format!("{scope} (to {what})"))
        .collect();
    if missing.is_empty() {
        Check::ok(NAME, "the token may do all that Cordon does")
    } else {
        Check::failed(
            NAME,
            format!("the token lacks {}", missing.join(", ")),
            "add them under OAuth & Permissions, and install the app again; docs/SLACK.md has a manifest",
        )
    }
}

async fn app(slack: &Slack, bot: &str, wanted: &str, tell: &mut dyn FnMut(Check)) {
    const NAME: &str = "slack_app";
    tell(match slack.app_of_bot(bot).await {
        Ok(app) if app == wanted => Check::ok(NAME, format!("it is {wanted}")),
        Ok(app) => Check::failed(
            NAME,
            format!("the token is of the app {app}, and slack_app_id is {wanted}: clicks are refused"),
            "put the token and the signing secret of the right app into the secret, or correct slack_app_id",
        ),
        Err(error) => {
            Check::unknown(NAME, error.to_string(), "compare slack_app_id with Basic Information in Slack")
        }
    });
}

fn in_channel(id: &str, channel: &crate::slack::api::Channel) -> Check {
    const NAME: &str = "slack_channel";
    let name = format!("#{} ({id})", channel.name);
    if channel.is_archived {
        return Check::failed(NAME, format!("{name} is archived"), "unarchive it, or name another channel");
    }
    if !channel.has_bot {
        return Check::failed(NAME, format!("the app is not in {name}"), "write `/invite @cordon` there");
    }
    if channel.is_shared_with_outsiders {
        return Check::warning(
            NAME,
            format!(
                "{name} is shared with another organization, whose people see bucket names and keys; they cannot decide"
            ),
            "use a channel of your own",
        );
    }
    Check::ok(NAME, format!("the app is in {name}, which is shared with nobody outside"))
}

fn no_channel(id: &str, error: &SlackError) -> Check {
    const NAME: &str = "slack_channel";
    match error {
        SlackError::Refused { error, .. } if error == "channel_not_found" => Check::failed(
            NAME,
            format!("there is no channel {id} that the app can see"),
            "correct slack_channel or the rule's channel; into a private channel invite the app first: `/invite @cordon`",
        ),
        SlackError::Refused { error, .. } if error == "missing_scope" => Check::unknown(
            NAME,
            format!("whether the app is in {id}, and whether that is shared with outsiders, is not known"),
            "give the app the scopes channels:read and groups:read",
        ),
        error => Check::failed(
            NAME,
            error.to_string(),
            "run `cordon doctor` again; if it stays so, see Slack's status",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::doctor::Status, slack::api::Channel};

    #[test]
    fn every_missing_scope_is_named_with_what_it_is_for() {
        let all: Vec<_> = SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect();
        assert_eq!(scopes(Some(&all)).status, Status::Ok);
        let few = scopes(Some(&all[1..]));
        assert_eq!(few.status, Status::Failed);
        assert_eq!(few.what, "the token lacks chat:write (to post messages)");
        assert_eq!(scopes(None).status, Status::Unknown);
    }

    #[test]
    fn a_channel_has_the_app_and_nobody_from_outside() {
        let status = |has_bot, is_shared_with_outsiders, is_archived| {
            let channel = Channel { name: "x".into(), has_bot, is_shared_with_outsiders, is_archived };
            in_channel("C0", &channel).status
        };
        assert_eq!(status(true, false, false), Status::Ok);
        assert_eq!(status(false, false, false), Status::Failed);
        assert_eq!(status(true, true, false), Status::Warning);
        assert_eq!(status(true, false, true), Status::Failed);
    }
}
