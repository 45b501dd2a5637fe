//! The requests, made from chance.

use cordon::slack::blocks::actions::DISMISS_ACTION;
use cordon_domain::case::Case;
use cordon_sandbox::slack::Slack;
use cordon_tests::clicks::{click, form};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// The gateway's body limit.
const LIMIT: usize = 256 * 1024;

/// The members that count.
const OF_A_CLICK: [&str; 11] = [
    "/type",
    "/api_app_id",
    "/user",
    "/user/id",
    "/user/team_id",
    "/channel",
    "/channel/id",
    "/actions",
    "/actions/0",
    "/actions/0/action_id",
    "/actions/0/value",
];
const OF_A_MODAL: [&str; 8] = [
    "/type",
    "/api_app_id",
    "/user",
    "/user/id",
    "/user/team_id",
    "/view",
    "/view/private_metadata",
    "/view/state",
];

/// A request, byte by byte.
pub(super) struct Request {
    kind: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) expected: Expected,
}

/// What may be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// No success. The request does not end as announced, so the sender closes its side.
    Refused,
    /// Exactly this.
    Exactly(u16),
    /// Read, as it is signed; and no vote.
    NoVote,
}

impl Request {
    /// For a message about it.
    pub(super) fn about(&self, number: u64, seed: u64) -> String {
        let shown = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(600)]).into_owned();
        format!("request {number} of seed {seed} ({}), {} bytes: {shown:?}", self.kind, self.bytes.len())
    }
}

/// Makes requests around a genuine click that would be accepted.
pub(super) struct Requests<'a> {
    slack: &'a Slack,
    genuine: Value,
    /// The genuine answer to the question why the object is to stay.
    modal: Value,
}

type Headers = Vec<(&'static str, Vec<u8>)>;

impl<'a> Requests<'a> {
    pub(super) fn new(slack: &'a Slack, case: &Case) -> Self {
        let genuine = click(case);
        let metadata = json!({"action_id": format!("{DISMISS_ACTION}{}", case.approval.id),
            "value": format!("{}:{}", case.case_id, case.approval.plan_hash)});
        let modal = json!({"type": "view_submission", "api_app_id": genuine["api_app_id"], "user": genuine["user"], "team": genuine["team"],
            "view": {"type": "modal", "private_metadata": metadata.to_string(),
                "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "test data"}}}}}});
        Self { slack, genuine, modal }
    }

    pub(super) fn next(&self, chance: &mut StdRng) -> Request {
        match chance.random_range(0..1_000) {
            0..250 => self.signed_badly(chance),
            250..350 => self.signed_at_the_wrong_time(chance),
            350..450 => self.headers_astray(chance),
            450..550 => self.signed_garbage(chance),
            550..700 => self.click_with_a_change(chance),
            700..800 => self.cut(chance),
            800..920 => self.no_http(chance),
            920..970 => self.elsewhere(chance),
            970..997 => certificate_check(chance),
            _ => self.at_the_limit(chance),
        }
    }

    fn body(&self) -> Vec<u8> {
        form(&self.genuine).into_bytes()
    }

    /// The headers of a request that is signed now.
    fn signed(&self, body: &[u8]) -> Headers {
        self.signed_at(now(), body)
    }

    fn signed_at(&self, at: i64, body: &[u8]) -> Headers {
        vec![
            ("X-Slack-Request-Timestamp", at.to_string().into_bytes()),
            ("X-Slack-Signature", self.slack.sign(at, body).into_bytes()),
        ]
    }

    /// The genuine click, or bytes that the parser would refuse, with a signature that is not theirs.
    fn signed_badly(&self, chance: &mut StdRng) -> Request {
        let body = if chance.random() { self.body() } else { garbage(chance, 300) };
        let mut headers = self.signed(&body);
        let signature = &mut headers[1].1;
        match chance.random_range(0..8) {
            0 => {
                let at = chance.random_range(3..signature.len());
                signature[at] = if signature[at] == b'0' { b'1' } else { b'0' };
            }
            1 => signature.truncate(chance.random_range(0..signature.len())),
            2 => signature.extend(vec![b'0'; chance.random_range(1..70)]),
            3 => signature[1] = b'1',
            4 => *signature = self.slack.sign(now(), &garbage(chance, 40)).into_bytes(),
            5 => *signature = visible(chance, 90),
            6 => *signature = format!("v0={}", "0".repeat(64)).into_bytes(),
            _ => {
                let other = now() - chance.random_range(1..200);
                headers[0].1 = other.to_string().into_bytes();
            }
        }
        Request { kind: "signed badly", bytes: post(&headers, &body), expected: Expected::Exactly(401) }
    }

    /// Signed well, for a time out of the window, or for none.
    fn signed_at_the_wrong_time(&self, chance: &mut StdRng) -> Request {
        let body = self.body();
        let off = match chance.random_range(0..3) {
            0 => chance.random_range(310..320),
            1 => chance.random_range(320..100_000),
            _ => chance.random_range(100_000..now()),
        };
        let mut headers = self.signed_at(if chance.random() { now() + off } else { now() - off }, &body);
        if chance.random_range(0..4) == 0 {
            let strange = [
                &b""[..],
                b"-1",
                b"+1531420618",
                b"1.5e9",
                b"0x5b48",
                b"99999999999999999999",
                b"9223372036854775807",
                b"-9223372036854775808",
                b"\xd9\xa1\xd9\xa5",
                b"now",
                b"1531420618 1531420618",
            ];
            headers[0].1 = strange.choose(chance).copied().unwrap_or_default().to_vec();
        }
        Request { kind: "another time", bytes: post(&headers, &body), expected: Expected::Exactly(401) }
    }

    /// Headers that are missing, doubled, misspelt, or no text.
    fn headers_astray(&self, chance: &mut StdRng) -> Request {
        let body = self.body();
        let mut headers = self.signed(&body);
        let which = chance.random_range(0..2);
        match chance.random_range(0..5) {
            0 => drop(headers.remove(which)),
            1 => headers.clear(),
            2 => {
                let again = headers[which].clone();
                headers.push(again);
            }
            3 => {
                headers[which].0 =
                    ["X-Slack-Sig", "Slack-Signature", "X_Slack_Signature"][chance.random_range(0..3)]
            }
            _ => {
                let at = chance.random_range(0..headers[which].1.len());
                headers[which].1.insert(at, chance.random_range(0x80..=0xff));
            }
        }
        Request { kind: "headers astray", bytes: post(&headers, &body), expected: Expected::Exactly(401) }
    }

    /// Signed well, within the window, and nothing that a parser could like.
    fn signed_garbage(&self, chance: &mut StdRng) -> Request {
        let genuine = form(&self.genuine);
        let body = match chance.random_range(0..6) {
            0 => garbage(chance, 500),
            1 => [b"payload=", &garbage(chance, 500)[..]].concat(),
            2 => genuine.as_bytes()[..chance.random_range(0..genuine.len() - 1)].to_vec(),
            3 => form(&any_json(chance, 4)).into_bytes(),
            4 => format!("payload={}", "%5B".repeat(chance.random_range(1..4_000))).into_bytes(),
            _ => genuine.replacen("payload", "pay%00load", 1).into_bytes(),
        };
        let at = now() + chance.random_range(-290..290);
        let bytes = post(&self.signed_at(at, &body), &body);
        Request { kind: "signed garbage", bytes, expected: Expected::Exactly(400) }
    }

    /// Signed well: a click, or the answer to a modal, that is genuine but for one member that counts.
    fn click_with_a_change(&self, chance: &mut StdRng) -> Request {
        let (genuine, members) =
            if chance.random() { (&self.genuine, &OF_A_CLICK[..]) } else { (&self.modal, &OF_A_MODAL[..]) };
        let mut payload = genuine.clone();
        let member = members.choose(chance).copied().unwrap_or_default();
        let place = payload.pointer_mut(member).expect("a member of a click");
        let changed = match (chance.random_range(0..4), place.as_str()) {
            (0, Some(text)) if !text.is_empty() => {
                let at = chance.random_range(0..text.len());
                let other = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
                json!(format!("{}{other}{}", &text[..at], &text[at + 1..]))
            }
            (1, Some(text)) => json!(format!("{text}{}", String::from_utf8_lossy(&visible(chance, 5)))),
            (2, Some(text)) => json!(text[..text.len() / 2]),
            _ => any_json(chance, 2),
        };
        // A user's workspace may be left out: then it is the channel's.
        let harmless = changed == *place || member == "/user/team_id" && changed.is_null();
        *place = if harmless { json!([7]) } else { changed };
        let body = form(&payload).into_bytes();
        Request {
            kind: "a changed click",
            bytes: post(&self.signed(&body), &body),
            expected: Expected::NoVote,
        }
    }

    /// The genuine click, cut off somewhere.
    fn cut(&self, chance: &mut StdRng) -> Request {
        let body = self.body();
        let mut bytes = post(&self.signed(&body), &body);
        bytes.truncate(chance.random_range(0..bytes.len()));
        Request { kind: "cut off", bytes, expected: Expected::Refused }
    }

    /// What HTTP does not allow, around the genuine click.
    fn no_http(&self, chance: &mut StdRng) -> Request {
        let body = self.body();
        let genuine = post(&self.signed(&body), &body);
        let text = |from: &str, to: &str| {
            let head = genuine.len() - body.len();
            let changed = String::from_utf8_lossy(&genuine[..head]).replacen(from, to, 1);
            [changed.as_bytes(), &body].concat()
        };
        let bytes = match chance.random_range(0..9) {
            0 => garbage(chance, 600),
            1 => {
                text("HTTP/1.1", ["HTTP/9.9", "HTTP/1.", "", "http/1.1 HTTP/1.1"][chance.random_range(0..4)])
            }
            2 => text(
                "Content-Length: ",
                ["Content-Length: -", "Content-Length: 0x", "Content-Length: 9, "][chance.random_range(0..3)],
            ),
            3 => text("\r\n", "\r\nContent-Length: 3\r\n"),
            4 => text("Host: ", "Host : "),
            5 => text("Host: ", "Ho\0st: "),
            6 => text("\r\n", "\r\nTransfer-Encoding: chunked\r\n"),
            7 => text("\r\n", &format!("\r\nX-Long: {}\r\n", "x".repeat(20_000))),
            _ => text("\r\n", &"\r\nX-Many: 1".repeat(200)),
        };
        Request { kind: "no HTTP", bytes, expected: Expected::Refused }
    }

    /// The genuine click where it does not belong.
    fn elsewhere(&self, chance: &mut StdRng) -> Request {
        let body = self.body();
        let headers = self.signed(&body);
        let (method, path, status) = [
            ("POST", "/", 404),
            ("POST", "/slack", 404),
            ("POST", "/slack/interactions/", 404),
            ("POST", "//slack/interactions", 404),
            ("POST", "/slack/../slack/interactions", 404),
            ("POST", "/slack/interactions%00", 404),
            ("PUT", "/slack/interactions", 405),
            ("GET", "/slack/interactions", 405),
            ("BREW", "/slack/interactions", 405),
            ("POST", "/healthz", 405),
        ][chance.random_range(0..10)];
        Request {
            kind: "elsewhere",
            bytes: request(method, path, &headers, &body),
            expected: Expected::Exactly(status),
        }
    }

    /// As large as a body may be, or larger; signed well.
    fn at_the_limit(&self, chance: &mut StdRng) -> Request {
        let over = [0, 1, 1_000, 40_000][chance.random_range(0..4)];
        let mut body = self.body();
        body.resize(LIMIT + over, b'x');
        let status = if over == 0 { 400 } else { 413 };
        Request { kind: "huge", bytes: post(&self.signed(&body), &body), expected: Expected::Exactly(status) }
    }
}

/// Slack's look at a certificate: answered, and nothing else.
fn certificate_check(chance: &mut StdRng) -> Request {
    let body = [&b"ssl_check=1"[..], b"token=x&ssl_check=1&team_id=T0CORDON01"][chance.random_range(0..2)];
    Request { kind: "a certificate check", bytes: post(&Vec::new(), body), expected: Expected::Exactly(200) }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn post(headers: &Headers, body: &[u8]) -> Vec<u8> {
    request("POST", "/slack/interactions", headers, body)
}

fn request(method: &str, path: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: cordon\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for (name, value) in headers {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

fn garbage(chance: &mut StdRng, most: usize) -> Vec<u8> {
    let length = chance.random_range(0..most);
    (0..length).map(|_| chance.random()).collect()
}

fn visible(chance: &mut StdRng, most: usize) -> Vec<u8> {
    let length = chance.random_range(1..most);
    (0..length).map(|_| chance.random_range(b'!'..=b'~')).collect()
}

fn any_json(chance: &mut StdRng, depth: usize) -> Value {
    match chance.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => Value::Null,
        1 => json!(chance.random::<i64>()),
        2 => json!(chance.random::<bool>()),
        3 => json!(String::from_utf8_lossy(&garbage(chance, 20))),
        4 => (0..chance.random_range(0..4)).map(|_| any_json(chance, depth - 1)).collect(),
        _ => {
            let names =
                ["type", "user", "team", "channel", "actions", "view", "id", "value", "private_metadata"];
            let members = (0..chance.random_range(0..5)).map(|_| {
                let name = names.choose(chance).copied().unwrap_or_default();
                (name.to_owned(), any_json(chance, depth - 1))
            });
            Value::Object(members.collect())
        }
    }
}
