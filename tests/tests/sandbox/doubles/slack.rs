//! Slack: its Web API, its page, and the clicks that it sends to an app.

use super::*;

/// A small app that takes interactions, and answers each as it is told.
struct App {
    url: String,
    requests: mpsc::UnboundedReceiver<Interaction>,
}

struct Interaction {
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Interaction {
    fn payload(&self) -> Result<Value> {
        let form = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(&self.body)?))?;
        let (name, value) = form.query_pairs().next().context("a field")?;
        ensure!(name == "payload" && form.query_pairs().count() == 1, "one field, payload");
        Ok(serde_json::from_str(&value)?)
    }
}

impl App {
    async fn answering(status: u16, delay: Duration) -> Result<App> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/slack/interactions", listener.local_addr()?);
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Ok(interaction) = read_request(&mut stream).await {
                        let _ = sender.send(interaction);
                        tokio::time::sleep(delay).await;
                        let answer =
                            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Ok(App { url, requests })
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Result<Interaction> {
    let mut bytes = vec![];
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        ensure!(read > 0, "the connection ended early");
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&bytes[..end])?;
        let headers: HashMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length").context("a length")?.parse()?;
        if bytes.len() >= end + 4 + length {
            return Ok(Interaction { headers, body: bytes[end + 4..].to_vec() });
        }
    }
}

#[test]
fn the_web_api_takes_json_and_forms_and_only_the_right_token() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SLACK.read()).await;
        let clients = Clients::new().await?;
        let (slack, url) = (clients.sandbox.slack(), format!("{}/api", clients.sandbox.slack_url()));
        assert_eq!(clients.slack("auth.test", json!({})).await?["team_id"], "T0CORDON01");
        let text = unique("form");
        let blocks = json!([{"type": "divider"}]).to_string();
        let form = [("channel", CHANNEL), ("text", &text), ("blocks", &blocks)];
        let call =
            clients.http.post(format!("{url}/chat.postMessage")).bearer_auth(slack.bot_token()).form(&form);
        let posted: Value = call.send().await?.json().await?;
        assert_eq!((&posted["ok"], &posted["message"]["text"]), (&json!(true), &json!(text)));
        assert_eq!(posted["message"]["blocks"][0]["type"], "divider");

        let wrong = clients.http.post(format!("{url}/auth.test")).bearer_auth("xoxb-wrong").send().await?;
        assert_eq!(wrong.status(), 200, "an application error");
        assert_eq!(wrong.json::<Value>().await?, json!({"ok": false, "error": "invalid_auth"}));
        let none: Value = clients.http.post(format!("{url}/auth.test")).send().await?.json().await?;
        assert_eq!(none["error"], "not_authed");
        Ok(())
    })
}

#[test]
fn slack_says_what_the_token_may_do_whose_it_is_and_how_the_app_stands_in_a_channel() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SLACK.write()).await;
        let clients = Clients::new().await?;
        let slack = clients.sandbox.slack();
        let url = format!("{}/api/auth.test", clients.sandbox.slack_url());
        let answer = clients.http.post(url).bearer_auth(slack.bot_token()).send().await?;
        let scopes = answer.headers()["x-oauth-scopes"].to_str()?.to_owned();
        assert!(scopes.split(',').any(|scope| scope == "chat:write"), "{scopes}");
        let said: Value = answer.json().await?;
        let bot = clients.slack("bots.info", json!({"bot": said["bot_id"]})).await?;
        assert_eq!(bot["bot"]["app_id"], "A0CORDON01");
        let channel = async || clients.slack("conversations.info", json!({"channel": CHANNEL})).await;
        let as_made = channel().await?;
        assert_eq!(
            (&as_made["channel"]["is_member"], &as_made["channel"]["is_ext_shared"]),
            (&json!(true), &json!(false))
        );
        slack.set_shared(CHANNEL, true);
        slack.set_member(CHANNEL, false);
        let changed = channel().await?;
        assert_eq!(
            (&changed["channel"]["is_member"], &changed["channel"]["is_ext_shared"]),
            (&json!(false), &json!(true))
        );
        slack.set_shared(CHANNEL, false);
        slack.set_member(CHANNEL, true);
        slack.set_scope("channels:read", false);
        let refused = channel().await?;
        assert_eq!(
            (&refused["error"], &refused["needed"]),
            (&json!("missing_scope"), &json!("channels:read"))
        );
        slack.set_scope("channels:read", true);
        Ok(())
    })
}

#[test]
fn posting_too_fast_and_an_outage_are_felt_as_slack_lets_them_be_felt() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SLACK.write()).await;
        let clients = Clients::new().await?;
        let slack = clients.sandbox.slack();
        let post = async || -> Result<reqwest::Response> {
            let call = clients.http.post(format!("{}/api/chat.postMessage", clients.sandbox.slack_url()));
            let call = call.bearer_auth(slack.bot_token()).json(&json!({"channel": CHANNEL, "text": "fast"}));
            Ok(call.send().await?)
        };
        slack.set_rate_limits(Some(RateLimits {
            posts_per_second: 0.01,
            post_burst: 2,
            ..RateLimits::default()
        }));
        assert_eq!(post().await?.status(), 200);
        assert_eq!(post().await?.status(), 200);
        let limited = post().await?;
        slack.set_rate_limits(None);
        assert_eq!(limited.status(), 429);
        let wait: u64 = limited.headers()["retry-after"].to_str()?.parse()?;
        assert!((90..=100).contains(&wait), "{wait}");

        slack.set_outage(Outage::ServerError);
        let status = post().await?.status();
        slack.set_outage(Outage::OkFalse("internal_error".into()));
        let body: Value = post().await?.json().await?;
        slack.set_outage(Outage::None);
        assert_eq!(status, 503);
        assert_eq!(body, json!({"ok": false, "error": "internal_error"}));
        assert_eq!(post().await?.status(), 200);
        Ok(())
    })
}

#[test]
fn a_click_on_the_page_sends_a_signed_interaction_as_the_chosen_user() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SLACK.write()).await;
        let clients = Clients::new().await?;
        let slack = clients.sandbox.slack();
        let mut app = App::answering(200, Duration::ZERO).await?;
        slack.set_interactions_url(&app.url);
        let text = unique("click *me*");
        let ts = clients.ask(&text).await?;
        let page = clients.page("U0BOB00002").await?;
        assert!(
            page.contains(&format!("name=\"ts\" value=\"{ts}\"")) && page.contains("<b>me</b>"),
            "{page}"
        );

        let click = clients.http.post(format!("{}/channel/{CHANNEL}/click", clients.sandbox.slack_url()));
        let form = [("as", "U0BOB00002"), ("ts", &ts), ("action_id", "quarantine")];
        let answer = click.form(&form).send().await?;
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], format!("/channel/{CHANNEL}?as=U0BOB00002"));
        let interaction = app.requests.recv().await.context("an interaction")?;
        let timestamp: i64 = interaction.headers["x-slack-request-timestamp"].parse()?;
        assert_eq!(interaction.headers["x-slack-signature"], slack.sign(timestamp, &interaction.body));
        assert_eq!(interaction.headers["content-type"], "application/x-www-form-urlencoded");
        let payload = interaction.payload()?;
        assert_eq!(payload["type"], "block_actions");
        assert_eq!(
            payload["user"],
            json!({"id": "U0BOB00002", "username": "bob", "name": "bob", "team_id": "T0CORDON01"})
        );
        assert_eq!(payload["container"]["message_ts"], *ts);
        assert_eq!(payload["message"]["text"], *text);
        let action = &payload["actions"][0];
        assert_eq!((&action["action_id"], &action["block_id"]), (&json!("quarantine"), &json!("decision")));
        assert_eq!(action["value"], format!("{text}/quarantine"));

        // The response URL is answered to over HTTP, as the app would.
        let response_url = payload["response_url"].as_str().context("a URL")?;
        let noted = clients.http.post(response_url).json(&json!({"text": "noted, thank you"})).send().await?;
        assert_eq!(noted.status(), 200);
        assert!(clients.page("U0BOB00002").await?.contains("noted, thank you"));
        assert!(!clients.page("U0ALICE001").await?.contains("noted, thank you"), "only bob sees it");
        Ok(())
    })
}

#[test]
fn a_click_from_another_sites_page_is_refused() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SLACK.write()).await;
        let clients = Clients::new().await?;
        let mut app = App::answering(200, Duration::ZERO).await?;
        clients.sandbox.slack().set_interactions_url(&app.url);
        let ts = clients.ask(&unique("foreign")).await?;
        let click = clients.http.post(format!("{}/channel/{CHANNEL}/click", clients.sandbox.slack_url()));
        let form = [("as", "U0ALICE001"), ("ts", &ts), ("action_id", "quarantine")];
        let answer = click.header("origin", "https://evil.example").form(&form).send().await?;
        assert_eq!(answer.status(), 403);
        assert!(app.requests.try_recv().is_err());
        Ok(())
    })
}

#[test]
fn an_app_that_fails_or_is_slow_or_missing_shows_the_user_what_slack_would_show() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SLACK.write()).await;
        let clients = Clients::new().await?;
        let slack = clients.sandbox.slack();
        let ts = clients.ask(&unique("failing")).await?;
        let click = async || -> ClickResult { slack.click("U0ALICE001", CHANNEL, &ts, "dismiss").await };

        let app = App::answering(401, Duration::ZERO).await?;
        slack.set_interactions_url(&app.url);
        let refused = click().await;
        assert_eq!(refused.status, 401);
        assert!(refused.error.is_some_and(|error| error.contains("401")));

        let app = App::answering(200, Duration::from_secs(30)).await?;
        slack.set_interactions_url(&app.url);
        let slow = click().await;
        assert_eq!(slow.status, 0);
        assert!(slow.error.is_some_and(|error| error.contains("within 3 seconds")));
        assert!(
            (Duration::from_secs(3)..Duration::from_secs(5)).contains(&slow.duration),
            "{:?}",
            slow.duration
        );

        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        slack.set_interactions_url(&format!("http://{closed}/"));
        let form = [("as", "U0ALICE001"), ("ts", &ts), ("action_id", "dismiss")];
        clients
            .http
            .post(format!("{}/channel/{CHANNEL}/click", clients.sandbox.slack_url()))
            .form(&form)
            .send()
            .await?;
        assert!(clients.page("U0ALICE001").await?.contains("This app is not responding."));
        let gone = slack.click("U0ALICE001", CHANNEL, &ts, "no_such_action").await;
        assert!(gone.error.is_some_and(|error| error.contains("not there any more")));
        Ok(())
    })
}

#[test]
fn the_page_follows_the_channel_and_keeps_hostile_text_text() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SLACK.read()).await;
        let clients = Clients::new().await?;
        let mark = unique("hostile");
        let hostile = format!("{mark} <script>alert(1)</script> `<img src=x onerror=alert(1)>` &lt;b&gt;");
        let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": hostile}}]);
        let message = json!({"channel": CHANNEL, "text": hostile, "blocks": blocks});
        let ts = clients.slack("chat.postMessage", message).await?["ts"].clone();
        let url = format!("{}/channel/{CHANNEL}/messages?as=U0ALICE001", clients.sandbox.slack_url());
        let fragment = clients.http.get(&url).send().await?;
        let policy = fragment.headers()["content-security-policy"].to_str()?.to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
        let html = fragment.text().await?;
        assert!(html.contains(&mark) && !html.contains("<script") && !html.contains("<img"), "{html}");

        let updated = unique("edited");
        clients
            .slack("chat.update", json!({"channel": CHANNEL, "ts": ts, "text": updated, "blocks": []}))
            .await?;
        clients
            .slack("chat.postMessage", json!({"channel": CHANNEL, "text": "in the thread", "thread_ts": ts}))
            .await?;
        let only_bob = json!({"channel": CHANNEL, "user": "U0BOB00002", "text": unique("for-bob")});
        clients.slack("chat.postEphemeral", only_bob.clone()).await?;
        let alice = clients.page("U0ALICE001").await?;
        assert!(
            alice.contains(&updated)
                && alice.contains("(edited)")
                && alice.contains("<div class=\"thread\">")
        );
        assert!(!alice.contains(&mark), "the old text is gone");
        let noted = only_bob["text"].as_str().context("a text")?;
        assert!(!alice.contains(noted) && clients.page("U0BOB00002").await?.contains(noted));
        Ok(())
    })
}

#[test]
fn a_message_is_found_again_by_its_metadata() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SLACK.read()).await;
        let clients = Clients::new().await?;
        let case = unique("case");
        let metadata = json!({"event_type": "cordon_case", "event_payload": {"case_id": case}});
        let posted = clients
            .slack("chat.postMessage", json!({"channel": CHANNEL, "text": "x", "metadata": metadata}))
            .await?;
        let mut cursor = String::new();
        loop {
            let page =
                json!({"channel": CHANNEL, "include_all_metadata": true, "limit": 1, "cursor": cursor});
            let page = clients.slack("conversations.history", page).await?;
            ensure!(page["ok"] == true, "{page}");
            let message = &page["messages"][0];
            if message["metadata"]["event_payload"]["case_id"] == *case {
                assert_eq!(message["ts"], posted["ts"]);
                return Ok(());
            }
            match page["response_metadata"]["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => bail!("the message is not in the channel's history"),
            }
        }
    })
}
