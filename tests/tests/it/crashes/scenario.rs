//! What is moved: the scenarios as data, and how each is set up anew for every run.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, Tag, Tagging, VersioningConfiguration},
};
use cordon::{clock, store::keys};
use cordon_domain::{
    case::{Case, Outcome, OutcomeResult, Restore, plan::Plan},
    finding::{Finding, ObjectVersion, Severity, bare_etag, real_version},
    policy::{Fallback, Policy, answer::PolicyAnswer, decide},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::fixture::Fixture;

/// One kind of move.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What is broken off.
    direction: Direction,
    /// How the bucket keeps versions when the object is moved; `None`: it never did.
    versioning: Option<BucketVersioningStatus>,
    /// Versions of the key below the reported one.
    older: usize,
    /// How many of these, the oldest, nothing was found in.
    unseen: usize,
    /// Bytes of the reported version.
    size: usize,
    /// Which versions policy names.
    versions: &'static str,
}

/// Where an object is moved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Into quarantine.
    Away,
    /// Out of it, where it had been moved before.
    Back,
}

const SMALL: usize = 40;
/// Two parts, the last of which is one byte.
const MULTIPART: usize = (5 << 20) + 1;

/// Every scenario.
pub(super) const SCENARIOS: &[Scenario] = &[
    UNVERSIONED,
    Scenario { name: "multipart", size: MULTIPART, ..UNVERSIONED },
    Scenario { name: "above older versions", versions: "reported", ..ALL_VERSIONS },
    ALL_VERSIONS,
    Scenario { name: "all versions, one without a finding", unseen: 1, ..ALL_VERSIONS },
    Scenario {
        name: "suspended",
        versioning: Some(BucketVersioningStatus::Suspended),
        older: 1,
        ..UNVERSIONED
    },
    Scenario { name: "small, back", direction: Direction::Back, ..UNVERSIONED },
    Scenario { name: "multipart, back", direction: Direction::Back, size: MULTIPART, ..UNVERSIONED },
    Scenario { name: "all versions, back", direction: Direction::Back, ..ALL_VERSIONS },
];

const UNVERSIONED: Scenario = Scenario {
    name: "small",
    direction: Direction::Away,
    versioning: None,
    older: 0,
    unseen: 0,
    size: SMALL,
    versions: "reported",
};

const ALL_VERSIONS: Scenario = Scenario {
    name: "all versions",
    versioning: Some(BucketVersioningStatus::Enabled),
    older: 2,
    versions: "all",
    ..UNVERSIONED
};

/// The key of every object; each has a bucket of its own.
const KEY: &str = "reports/über 100%/a+b?.txt";
/// The metadata of every object.
pub(super) const METADATA: (&str, &str) = ("owner", "finance");
/// The tags of every object. A large one has more, which are too long for a header.
const TAGS: [(&str, &str); 2] = [("team", "red + blue"), ("year", "2026")];
/// The annotations of every object.
pub(super) const ANNOTATIONS: [(&str, &str); 2] =
    [("données", r#"{"label": "invoice", "über": true}"#), ("review", "nothing yet")];
/// The type of every object.
pub(super) const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// One object version, as it was put.
pub(super) struct Stored {
    pub(super) version: ObjectVersion,
    /// How S3 is asked for it.
    pub(super) asked: Option<String>,
    pub(super) bytes: Vec<u8>,
}

impl Stored {
    /// Its tags, sorted.
    pub(super) fn tags(&self) -> Vec<(String, String)> {
        tags(self.bytes.len())
    }
}

fn tags(size: usize) -> Vec<(String, String)> {
    let mut tags: Vec<_> = TAGS.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    if size >= MULTIPART {
        tags.extend(["a", "b"].map(|key| (key.to_owned(), "語".repeat(256))));
    }
    tags.sort();
    tags
}

/// A task that is ready to be done.
pub(super) struct Task {
    pub(super) stem: &'static str,
    pub(super) input: Value,
    pub(super) direction: Direction,
    pub(super) case: Case,
    /// What policy names, the reported version first.
    pub(super) named: Vec<Stored>,
    /// What has to stay where it is.
    pub(super) others: Vec<Stored>,
}

impl Scenario {
    /// Whether it goes into quarantine.
    pub(super) fn is_away(&self) -> bool {
        self.direction == Direction::Away
    }

    /// Makes everything anew that one run of the task needs.
    pub(super) async fn prepare(&self, fixture: &Fixture) -> Result<Task> {
        let away = self.away(fixture).await?;
        match self.direction {
            Direction::Away => Ok(away),
            Direction::Back => back(fixture, away).await,
        }
    }

    /// Makes a bucket, its object and the case.
    async fn away(&self, fixture: &Fixture) -> Result<Task> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("source-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        fixture.s3.create_bucket().bucket(&bucket).send().await?;
        if self.versioning.is_some() {
            set_versioning(fixture, &bucket, BucketVersioningStatus::Enabled).await?;
        }
        let mut others = Vec::new();
        for n in 0..self.older {
            others.insert(0, self.put(fixture, &bucket, &format!("older version {n}"), SMALL).await?);
        }
        if let Some(versioning) = &self.versioning {
            set_versioning(fixture, &bucket, versioning.clone()).await?;
        }
        let mut named = vec![self.put(fixture, &bucket, "the secret\n", self.size).await?];
        let case = fixture.vouched(self.case(&named[0])?).await?;
        ensure!(fixture.cases.open(&case, None).await?.stands().is_some(), "the case is new");
        if self.versions == "all" {
            let unseen = others.split_off(others.len() - self.unseen);
            for seen in &others {
                let case = fixture.vouched(self.case(seen)?).await?;
                ensure!(fixture.cases.open(&case, None).await?.stands().is_some(), "the case is new");
            }
            named.append(&mut others);
            others = unseen;
        }
        let input = json!({"execution_arn": case.execution_arn, "case_id": case.case_id});
        Ok(Task { stem: "quarantine_object", input, direction: Direction::Away, case, named, others })
    }

    async fn put(&self, fixture: &Fixture, bucket: &str, text: &str, size: usize) -> Result<Stored> {
        // The length of the text is no divisor of a part's, so parts in the wrong order are noticed.
        let mut bytes = text.repeat(size / text.len() + 1).into_bytes();
        bytes.truncate(size);
        let (version_id, etag) = put(fixture, bucket, &bytes).await?;
        let version_id = real_version(version_id.as_deref());
        Ok(Stored {
            asked: self.versioning.as_ref().map(|_| version_id.clone().unwrap_or_else(|| "null".into())),
            version: ObjectVersion {
                account: fixture.sandbox.account().into(),
                bucket: bucket.into(),
                key: KEY.into(),
                version_id,
                etag: bare_etag(&etag).into(),
            },
            bytes,
        })
    }

    /// A case that policy alone authorizes.
    fn case(&self, reported: &Stored) -> Result<Case> {
        let policy = json!({"version": 1, "rules": [
            {"name": "all", "disposition": "quarantine", "versions": self.versions}]});
        let policy = Policy::parse(policy.to_string().as_bytes())?;
        let fallback = Fallback { approvers: Vec::new(), channel: String::new() };
        let object = &reported.version;
        let finding = Finding {
            id: object.case_id()[..32].into(),
            finding_type: "SensitiveData:S3Object/Credentials".into(),
            severity: Severity::High,
            title: "The S3 object contains credentials".into(),
            region: "us-east-1".into(),
            created_at: clock::now(),
            sample: false,
            object: object.clone(),
            size: i64::try_from(reported.bytes.len()).ok(),
            last_modified: None,
            owner: None,
            detections: Vec::new(),
            incomplete: None,
            job_id: None,
        };
        let decided = decide(Ok(&policy), &finding, None, &fallback);
        let plan = Plan::new(&finding, &decided, None);
        let answer = PolicyAnswer::new(&finding, &decided, None);
        let run = format!("arn:aws:states:us-east-1:{}:execution:cordon:{}", object.account, object.bucket);
        Ok(Case::open(finding, answer, plan, &run, "a1b2c3".into(), clock::now()))
    }
}

/// Puts an object; gives back its version id and its ETag. One that is large is sent once, and copied by S3 from then
/// on.
pub(super) async fn put(fixture: &Fixture, bucket: &str, bytes: &[u8]) -> Result<(Option<String>, String)> {
    static LARGE: OnceCell<()> = OnceCell::const_new();
    let send = async |bucket: &str, key: &str| {
        let put = fixture.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes.to_vec()));
        let put = put.metadata(METADATA.0, METADATA.1).content_type(CONTENT_TYPE);
        let put = put.customize().disable_payload_signing().send().await?;
        let tags =
            tags(bytes.len()).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = Tagging::builder().set_tag_set(Some(tags.collect::<Result<_, _>>()?)).build()?;
        fixture.s3.put_object_tagging().bucket(bucket).key(key).tagging(tags).send().await?;
        for (name, payload) in ANNOTATIONS {
            let annotate = fixture.s3.put_object_annotation().bucket(bucket).key(key).annotation_name(name);
            annotate.annotation_payload(ByteStream::from_static(payload.as_bytes())).send().await?;
        }
        Ok::<_, anyhow::Error>(put)
    };
    if bytes.len() < MULTIPART {
        let put = send(bucket, KEY).await?;
        return Ok((put.version_id, put.e_tag.context("a PUT answers with an ETag")?));
    }
    let sent = LARGE.get_or_try_init(async || {
        fixture.s3.create_bucket().bucket("large").send().await?;
        send("large", "object").await.map(|_| ())
    });
    sent.await?;
    let copied = fixture.s3.copy_object().bucket(bucket).key(KEY).copy_source("large/object").send().await?;
    let etag = copied.copy_object_result.and_then(|copy| copy.e_tag).context("a copy has an ETag")?;
    Ok((copied.version_id, etag))
}

/// Moves the object to quarantine, closes the case and asks for the object back.
async fn back(fixture: &Fixture, away: Task) -> Result<Task> {
    let moved = fixture.worker.run_once(away.stem, away.input.to_string()).await;
    let moved = moved.map_err(|failure| anyhow!("it could not be moved: {failure:?}"))?;
    let outcome = Outcome { result: OutcomeResult::Quarantined, detail: String::new(), code: None };
    let closed = fixture.cases.close(&away.case, &outcome).await?;
    let run = format!("{}-back", away.case.execution_arn);
    let restore = Restore {
        request_id: "a1b2c3".into(),
        execution_arn: run.clone(),
        requested_by: "somebody".into(),
        reason: "a test".into(),
        replace: false,
        even_if_exposed: false,
        copy_generation: None,
        requested_at: clock::now(),
        mac: None,
        versions_restored: 0,
        last_restored: None,
        outcome: None,
    };
    let closed = closed.stands().context("it is closed")?;
    let restore = fixture.vouched_restore(&closed, restore).await?;
    let asked = fixture.cases.request_restore(&closed, &restore).await?.stands();
    let case = asked.with_context(|| format!("nothing is in quarantine: {moved}"))?;
    let request = json!({"case_id": case.case_id, "request_id": restore.request_id,
        "approval": keys::approval(&case.case_id)});
    let input = json!({"execution_arn": run, "request": request});
    Ok(Task { stem: "restore_object", input, direction: Direction::Back, case, ..away })
}

async fn set_versioning(fixture: &Fixture, bucket: &str, status: BucketVersioningStatus) -> Result<()> {
    let versioning = VersioningConfiguration::builder().status(status).build();
    fixture.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await?;
    Ok(())
}
