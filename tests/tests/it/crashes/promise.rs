//! The promise, read from the buckets as an administrator sees them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::error::SdkError;
use cordon_domain::{
    finding::bare_etag,
    manifest::{Entry, Manifest, quarantine_key},
};
use serde_json::Value;

use super::{
    fixture::Fixture,
    scenario::{ANNOTATIONS, CONTENT_TYPE, Direction, METADATA, Stored, Task},
};

/// Whatever the task has come to: each object version is untouched at its source, or complete in quarantine and in
/// the manifest; what policy does not name is untouched.
pub(super) async fn nothing_is_lost(fixture: &Fixture, task: &Task) -> Result<()> {
    the_others_stay(fixture, task).await?;
    for stored in &task.named {
        if !at_source(fixture, stored).await? {
            let manifest = manifest(fixture, task).await?;
            is_in_quarantine(fixture, stored, entry(&manifest, stored)?).await?;
        }
    }
    Ok(())
}

/// Nothing has left its source.
pub(super) async fn is_at_source(fixture: &Fixture, task: &Task) -> Result<()> {
    for stored in task.named.iter().chain(&task.others) {
        ensure!(at_source(fixture, stored).await?, "{:?} has left its source", stored.asked);
    }
    Ok(())
}

/// Nothing has left its source, and nothing was copied.
pub(super) async fn is_untouched(fixture: &Fixture, task: &Task) -> Result<()> {
    is_at_source(fixture, task).await?;
    let object = task.case.object();
    let prefix = format!("{}/{}/", object.account, object.bucket);
    let listed = fixture.s3.list_object_versions().bucket(&fixture.quarantine).prefix(prefix).send().await?;
    ensure!(listed.versions().is_empty(), "quarantine holds {:?}", listed.versions());
    Ok(())
}

/// When the task has ended: it says so, and everything is where it should be, exactly once.
pub(super) async fn is_kept(fixture: &Fixture, task: &Task, answer: &Value) -> Result<()> {
    the_others_stay(fixture, task).await?;
    match task.direction {
        Direction::Away => is_away(fixture, task, answer).await?,
        Direction::Back => is_back(fixture, task, answer).await?,
    }
    let manifest = manifest(fixture, task).await?;
    ensure!(manifest.entries.len() == task.named.len(), "the manifest names {:#?}", manifest.entries);
    for stored in &task.named {
        is_in_quarantine(fixture, stored, entry(&manifest, stored)?).await?;
    }
    let mut expected: Vec<_> = manifest.entries.iter().map(|entry| entry.quarantine.key.clone()).collect();
    expected.push(manifest_key(task));
    expected.sort();
    let source = &task.case.object().bucket;
    let prefix = format!("{}/{source}/", task.case.object().account);
    let listed = fixture.s3.list_object_versions().bucket(&fixture.quarantine).prefix(&prefix).send().await?;
    let mut found: Vec<_> = listed.versions().iter().filter_map(|version| version.key()).collect();
    found.sort_unstable();
    ensure!(found == expected && listed.delete_markers().is_empty(), "quarantine holds {found:#?}");
    for (bucket, prefix) in [(source, ""), (&fixture.quarantine, &prefix)] {
        let uploads = fixture.s3.list_multipart_uploads().bucket(bucket).prefix(prefix).send().await?;
        ensure!(uploads.uploads().is_empty(), "an upload is left over in {bucket}: {:?}", uploads.uploads());
    }
    Ok(())
}

/// Nothing that policy names is left at the source, and nothing else has become current.
async fn is_away(fixture: &Fixture, task: &Task, answer: &Value) -> Result<()> {
    ensure!(answer["output"]["result"] == "quarantined", "it ended with {answer}");
    let left = versions_at_source(fixture, task).await?;
    let left: BTreeSet<_> = left.iter().map(String::as_str).collect();
    let expected: BTreeSet<_> = task.others.iter().filter_map(|stored| stored.asked.as_deref()).collect();
    ensure!(left == expected, "the source holds the versions {left:?} and not {expected:?}");
    let object = task.case.object();
    ensure!(read(fixture, &object.bucket, &object.key, None).await?.is_none(), "the key can still be read");
    Ok(())
}

/// Everything that policy named is at the source again, the reported version on top, and the case says so.
async fn is_back(fixture: &Fixture, task: &Task, answer: &Value) -> Result<()> {
    ensure!(answer["output"]["result"] == "restored", "it ended with {answer}");
    let found = versions_at_source(fixture, task).await?;
    ensure!(found.len() == task.named.len() + task.others.len(), "the source holds the versions {found:?}");
    let case = fixture.cases.get(&task.case.case_id).await?.context("there is no case")?;
    let restore = case.open_restore().context("the request is gone")?;
    let (count, top) = (restore.versions_restored, restore.last_restored.as_ref());
    ensure!(count == task.named.len(), "the case says that {count} versions were put back");
    for (age, (stored, version)) in task.named.iter().zip(&found).enumerate() {
        let asked = stored.asked.as_ref().map(|_| version.as_str());
        let recorded = top.and_then(|top| top.version_id.as_deref());
        ensure!(age > 0 || asked == recorded, "the case says {recorded:?} and not {asked:?}");
        is_whole(fixture, stored, &stored.version.bucket, &stored.version.key, asked).await?;
    }
    Ok(())
}

async fn the_others_stay(fixture: &Fixture, task: &Task) -> Result<()> {
    for stored in &task.others {
        ensure!(at_source(fixture, stored).await?, "{:?}, which nobody named, is gone", stored.asked);
    }
    Ok(())
}

/// Whether an object version is where it was put. Nobody writes to a source here, so the ETag speaks for the bytes.
async fn at_source(fixture: &Fixture, stored: &Stored) -> Result<bool> {
    let place = &stored.version;
    let head =
        fixture.s3.head_object().bucket(&place.bucket).key(&place.key).set_version_id(stored.asked.clone());
    match head.send().await {
        Ok(head) => Ok(head.e_tag().map(bare_etag) == Some(&place.etag)),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be looked at", place.bucket)),
    }
}

/// The ids of the versions at the source, the newest first.
async fn versions_at_source(fixture: &Fixture, task: &Task) -> Result<Vec<String>> {
    let listed = fixture.s3.list_object_versions().bucket(&task.case.object().bucket).send().await?;
    Ok(listed.versions.unwrap_or_default().into_iter().filter_map(|version| version.version_id).collect())
}

async fn is_in_quarantine(fixture: &Fixture, stored: &Stored, entry: &Entry) -> Result<()> {
    let at = &entry.quarantine;
    ensure!(at.bucket == fixture.quarantine, "the manifest points to {}", at.bucket);
    is_whole(fixture, stored, &at.bucket, &at.key, at.version_id.as_deref()).await
}

/// Bytes, metadata, content headers, tags and annotations of an object version are here.
async fn is_whole(
    fixture: &Fixture,
    stored: &Stored,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<()> {
    let s3 = &fixture.s3;
    let bytes = read(fixture, bucket, key, version).await?;
    ensure!(bytes.as_deref() == Some(&stored.bytes), "{key} does not hold the object's bytes");
    let version = version.map(str::to_owned);
    let head = s3.head_object().bucket(bucket).key(key).set_version_id(version.clone()).send().await?;
    let metadata = head.metadata().and_then(|metadata| metadata.get(METADATA.0)).map(String::as_str);
    ensure!(metadata == Some(METADATA.1), "{key} has the metadata {metadata:?}");
    ensure!(head.content_type() == Some(CONTENT_TYPE), "{key} is {:?}", head.content_type());
    let tags = s3.get_object_tagging().bucket(bucket).key(key).set_version_id(version.clone()).send().await?;
    let mut tags: Vec<_> = tags.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect();
    tags.sort();
    ensure!(tags == stored.tags(), "{key} has the tags {tags:?}");
    let listed = s3.list_object_annotations().bucket(bucket).key(key).set_version_id(version.clone());
    let listed = listed.send().await?;
    let mut annotations = Vec::new();
    for entry in listed.annotations() {
        let get = s3.get_object_annotation().bucket(bucket).key(key).set_version_id(version.clone());
        let got = get.annotation_name(entry.annotation_name()).send().await?;
        let payload = String::from_utf8(got.annotation_payload.collect().await?.to_vec())?;
        annotations.push((entry.annotation_name().to_owned(), payload));
    }
    annotations.sort();
    let expected = ANNOTATIONS.map(|(name, payload)| (name.to_owned(), payload.to_owned()));
    ensure!(annotations == expected, "{key} has the annotations {annotations:?}");
    Ok(())
}

async fn manifest(fixture: &Fixture, task: &Task) -> Result<Manifest> {
    let bytes = read(fixture, &fixture.quarantine, &manifest_key(task), None).await?;
    serde_json::from_slice(&bytes.context("there is no manifest")?).context("the manifest cannot be read")
}

fn manifest_key(task: &Task) -> String {
    quarantine_key(&task.case, "manifest.json")
}

/// The one entry about a version.
fn entry<'a>(manifest: &'a Manifest, stored: &Stored) -> Result<&'a Entry> {
    let mut entries = manifest.entries.iter().filter(|entry| entry.source == stored.version);
    let entry = entries.next().with_context(|| format!("the manifest does not name {:?}", stored.asked))?;
    ensure!(entries.next().is_none(), "the manifest names {:?} twice", stored.asked);
    Ok(entry)
}

/// The bytes of an object; `None` when it is not there.
async fn read(fixture: &Fixture, bucket: &str, key: &str, version: Option<&str>) -> Result<Option<Vec<u8>>> {
    let call = fixture.s3.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
    match call.send().await {
        Ok(object) => Ok(Some(object.body.collect().await?.into_bytes().into())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{bucket}/{key} cannot be read")),
    }
}

/// Status 405: a delete marker has taken the place of the `null` version.
fn is_missing<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|answer| matches!(answer.status().as_u16(), 404 | 405))
}
