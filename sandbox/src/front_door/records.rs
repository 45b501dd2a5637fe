//! What was asked, word for word, for proofs about all of it: one JSON line for each signed request of a role's session, and
//! for each call of a state machine, in a file below the directory that `SANDBOX_RECORDS` names. Without that nothing is kept.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use axum::http::request::Parts;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use super::{faults::InnerCall, signed::Credential};

/// The variable that names the directory.
pub(crate) const VARIABLE: &str = "SANDBOX_RECORDS";

/// The directory, if records are kept.
pub fn directory() -> Option<PathBuf> {
    env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Keeps the lines of a log that are in CloudWatch's embedded metric format.
pub(crate) fn keep_metrics(log: &[u8]) {
    let Some(directory) = directory() else { return };
    let is_metric = |line: &&[u8]| line.starts_with(br#"{"_aws":"#);
    let kept = log.split_inclusive(|&byte| byte == b'\n').filter(is_metric).collect::<Vec<_>>().concat();
    if !kept.is_empty() {
        let name = format!("metrics-{}.jsonl", std::process::id());
        let file = OpenOptions::new().create(true).append(true).open(directory.join(name));
        if let Err(error) = file.and_then(|mut file| file.write_all(&kept)) {
            tracing::warn!(%error, "metrics were not recorded");
        }
    }
}

/// The file of one front door.
#[derive(Debug, Default)]
pub(super) struct Records(Option<Mutex<File>>);

/// A request that is being kept.
#[derive(Debug)]
pub(super) struct Kept(Value);

impl Records {
    pub(super) fn open(port: &str) -> Records {
        let open = |directory: PathBuf| {
            fs::create_dir_all(&directory)?;
            let name = format!("requests-{}-{port}.jsonl", std::process::id());
            OpenOptions::new().create(true).append(true).open(directory.join(name))
        };
        match directory().map(open).transpose() {
            Ok(file) => Records(file.map(Mutex::new)),
            Err(error) => {
                tracing::warn!(%error, "requests are not recorded");
                Records(None)
            }
        }
    }

    /// Whether a request's body is wanted. Objects are not: they are large, and no model says what is in them.
    pub(super) fn wants_body(&self, credential: Option<&Credential>, parts: &Parts) -> bool {
        let is_kept = self.0.is_some() && credential.is_some_and(|credential| !credential.is_root());
        let is_object = credential.is_some_and(|credential| credential.service == "s3")
            && parts.uri.query().is_none_or(|query| query.contains("partNumber="));
        is_kept && !is_object
    }

    /// A request as it came; `None` where none is kept.
    pub(super) fn request(
        &self,
        credential: Option<&Credential>,
        parts: &Parts,
        body: Option<&Bytes>,
    ) -> Option<Kept> {
        let credential = credential.filter(|credential| self.0.is_some() && !credential.is_root())?;
        let headers: Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        Some(Kept(json!({
            "service": credential.service,
            "method": parts.method.as_str(),
            "target": parts.uri.path_and_query().map_or("/", |target| target.as_str()),
            "headers": headers,
            "body": body.map(|body| String::from_utf8_lossy(body)),
        })))
    }

    /// Writes a call that Step Functions itself is about to make.
    pub(super) fn write_inner(&self, call: &InnerCall) {
        let kept = Kept(json!({
            "service": call.service,
            "method": "POST",
            "target": "/",
            // The input has the members of the API, whatever protocol the service speaks.
            "headers": {"x-amz-target": call.operation},
            "body": call.input.to_string(),
        }));
        self.write(Some(kept), &call.operation, Some(&call.principal), 200, None);
    }

    /// Writes a request with what came of it; of our own doubles what they answered too.
    pub(super) fn write(
        &self,
        kept: Option<Kept>,
        operation: &str,
        principal: Option<&str>,
        status: u16,
        answer: Option<&Value>,
    ) {
        let (Some(file), Some(Kept(mut line)), Some(principal)) = (&self.0, kept, principal) else { return };
        line["operation"] = json!(operation);
        line["principal"] = json!(principal);
        line["status"] = json!(status);
        line["answer"] = json!(answer);
        let mut text = line.to_string();
        text.push('\n');
        if let Err(error) = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes()) {
            tracing::warn!(%error, "a request was not recorded");
        }
    }
}
