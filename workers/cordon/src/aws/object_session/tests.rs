//! What a mover makes of answers that the sandbox does not give, or not in time.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Request, Response, StatusCode},
};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::aws::connections;

const ACCOUNT: &str = "111122223333";

/// STS and S3, as far as a test goes.
struct Aws {
    /// How long each session lasts, the last of these for ever.
    sessions: Vec<SignedDuration>,
    /// The longest body of a request with whose policy STS is content.
    longest: usize,
    /// What S3 answers to a request.
    s3: fn(&Request<Body>) -> (StatusCode, &'static str),
    /// Policies with which the role was assumed, and session tokens that came to S3.
    seen: Mutex<(Vec<String>, Vec<String>)>,
}

impl Aws {
    fn new(s3: fn(&Request<Body>) -> (StatusCode, &'static str)) -> Self {
        Self {
            sessions: vec![SignedDuration::from_hours(1)],
            longest: usize::MAX,
            s3,
            seen: Mutex::default(),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (status, body) = match request.headers().get("x-amz-security-token") {
            Some(token) => {
                let token = token.to_str().expect("text").to_owned();
                self.seen.lock().expect("no panic").1.push(token);
                let (status, code) = (self.s3)(&request);
                let error = format!(
                    "<Error><Code>{code}</Code><Message>{code} of Server Side Encryption</Message></Error>"
                );
                (status, if code.is_empty() { String::new() } else { error })
            }
            None => {
                let asked = request.into_body().collect().await.expect("a body").to_bytes();
                if asked.len() > self.longest {
                    let error =
                        "<ErrorResponse><Error><Code>PackedPolicyTooLarge</Code></Error></ErrorResponse>";
                    (StatusCode::BAD_REQUEST, error.to_owned())
                } else {
                    (StatusCode::OK, self.session(&asked))
                }
            }
        };
        let response = Response::builder().status(status).header("etag", "\"e\"");
        response.body(Body::from(body)).expect("an answer")
    }

    fn session(&self, asked: &Bytes) -> String {
        let mut seen = self.seen.lock().expect("no panic");
        seen.0.push(String::from_utf8_lossy(asked).into_owned());
        let n = seen.0.len();
        let lasts = self.sessions.get(n - 1).or(self.sessions.last()).expect("there is one");
        let (key, until) = (format!("ASIA{n}"), Timestamp::now() + *lasts);
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>secret</SecretAccessKey><SessionToken>token {n}</SessionToken>\
             <Expiration>{until:.0}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
    }

    /// Serves, and opens a mover for one object.
    async fn mover(self: &Arc<Self>) -> (ObjectSession<Mover>, Place) {
        self.mover_of("k").await
    }

    async fn mover_of(self: &Arc<Self>, key: &str) -> (ObjectSession<Mover>, Place) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let aws = self.clone();
        let answer = move |request| {
            let aws = aws.clone();
            async move { aws.answer(request).await }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let keys = Credentials::new("AKIA", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .retry_config(RetryConfig::disabled())
            .http_client(connections())
            .build();
        let role = format!("arn:aws:iam::{ACCOUNT}:role/mover");
        let movers =
            ObjectSessions::<Mover>::new(&config, role, "quarantine".into(), ACCOUNT.into(), 5 << 20);
        let place = Place { owner: ACCOUNT.into(), bucket: "source".into(), key: key.into() };
        (movers.open(&place, &"c".repeat(64)).await.expect("a session"), place)
    }
}

#[tokio::test]
async fn a_move_outlives_its_session() {
    let aws = Aws::new(|_| (StatusCode::OK, ""));
    let about_to_expire = SignedDuration::from_secs(2);
    let sessions = vec![about_to_expire, about_to_expire, SignedDuration::from_hours(1)];
    let aws = Arc::new(Aws { sessions, ..aws });
    let (mover, place) = aws.mover().await;
    for _ in 0..4 {
        assert!(mover.head_object(&place, None).await.expect("an object").is_some());
    }
    let seen = aws.seen.lock().expect("no panic");
    assert_eq!(seen.1, ["token 1", "token 2", "token 3", "token 3"]);
    let narrowed =
        |asked: &String| asked.contains("&Policy=") && asked.contains("RoleSessionName=cordon-cccc");
    assert!(seen.0.len() == 3 && seen.0.iter().all(narrowed), "{:?}", seen.0);
    assert!(seen.0[0] == seen.0[2], "a session is renewed as it was opened");
}

#[tokio::test]
async fn a_policy_that_sts_packs_to_too_much_names_less_of_the_key() {
    let aws = Arc::new(Aws { longest: 1_500, ..Aws::new(|_| (StatusCode::OK, "")) });
    let key: String = (0..1_000).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect();
    let (mover, place) = aws.mover_of(&key).await;
    assert!(mover.head_object(&place, None).await.expect("an object").is_some());
    let seen = aws.seen.lock().expect("no panic");
    assert!(seen.0[0].contains(&key[..60]) && !seen.0[0].contains(&key[..70]), "{:?}", seen.0);
}

#[tokio::test]
async fn a_refused_head_is_understood_by_the_answer_to_a_get() {
    type Answer = fn(&Request<Body>) -> (StatusCode, &'static str);
    macro_rules! refused {
        ($status:literal, $code:literal) => {
            |request| match *request.method() {
                Method::HEAD => (StatusCode::from_u16($status).expect("a status"), ""),
                _ => (StatusCode::from_u16($status).expect("a status"), $code),
            }
        };
    }
    let cases: [(Answer, Option<Code>, &str); 10] = [
        (refused!(400, "ExpiredToken"), None, "ExpiredToken"),
        (refused!(400, "RequestTimeout"), None, "RequestTimeout"),
        (refused!(400, "InvalidRequest"), Some(Code::UnsupportedEncryption), "SSE-C"),
        (refused!(400, "InvalidArgument"), Some(Code::RequestRejected), "InvalidArgument"),
        (refused!(400, "KMS.DisabledException"), Some(Code::UnsupportedEncryption), "KMS key"),
        (refused!(400, "AuthorizationHeaderMalformed"), Some(Code::RequestRejected), "another Region"),
        (refused!(301, "PermanentRedirect"), Some(Code::RequestRejected), "another Region"),
        (refused!(403, "AccessDenied"), Some(Code::AccessDenied), "AccessDenied"),
        (refused!(403, "InvalidObjectState"), Some(Code::ObjectArchived), "archive"),
        // Refused once, and not when asked again.
        (
            |request| match *request.method() {
                Method::HEAD => (StatusCode::BAD_REQUEST, ""),
                _ => (StatusCode::PARTIAL_CONTENT, ""),
            },
            None,
            "refused once",
        ),
    ];
    for (s3, code, says) in cases {
        let aws = Arc::new(Aws::new(s3));
        let (mover, place) = aws.mover().await;
        let error = mover.head_object(&place, None).await.expect_err(says);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error} does not say {says}");
    }
}

#[tokio::test]
async fn a_copy_that_meets_another_change_is_to_be_repeated() {
    let aws = Arc::new(Aws::new(|request| match *request.method() {
        Method::HEAD => (StatusCode::OK, ""),
        _ => (StatusCode::CONFLICT, "AnnotationsModified"),
    }));
    let (mover, place) = aws.mover().await;
    let seen = mover.head_object(&place, None).await.expect("an answer").expect("an object");
    let to = mover.in_quarantine("copy");
    let copied =
        mover.copy_object(&place, None, &seen, Destination { place: &to, over: None, like: None }).await;
    let error = copied.expect_err("a conflict");
    assert!(error.code().is_none() && error.to_string().contains("AnnotationsModified"), "{error}");
}

#[tokio::test]
async fn where_s3_knows_no_annotations_there_are_none() {
    let aws = Arc::new(Aws::new(|request| match request.uri().query() {
        Some(query) if query.contains("annotation") => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        _ => (StatusCode::OK, ""),
    }));
    let (mover, place) = aws.mover().await;
    let seen = mover.head_object(&place, None).await.expect("an answer").expect("an object");
    let carried = mover.copy_annotations(&place, None, &mover.in_quarantine("copy"), &seen).await;
    assert_eq!(carried, Ok(0));
}
