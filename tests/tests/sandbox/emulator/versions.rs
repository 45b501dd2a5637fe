//! Versions of objects.

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::{
    operation::list_object_versions::builders::ListObjectVersionsFluentBuilder,
    types::{BucketVersioningStatus, MfaDelete, MfaDeleteStatus, VersioningConfiguration},
};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    buckets::{Bucket, status},
    harness::{alone_in_bare_sandbox, code, in_bare_sandbox},
    multipart::Upload,
    principals::session,
};

const NOTHING_S: &str = "\"00000000000000000000000000000000\"";

impl Bucket {
    fn versions(&self) -> ListObjectVersionsFluentBuilder {
        self.client.list_object_versions().bucket(&self.name)
    }

    /// Puts an object; returns its version id and ETag.
    async fn put_version(&self, key: &str, body: &str) -> Result<(String, String)> {
        let put = self.put(key).body(body.as_bytes().to_vec().into()).send().await?;
        Ok((put.version_id.unwrap_or_default(), put.e_tag.context("an ETag")?))
    }

    /// Key and version id of every version, and whether it is the latest, as listed page by page.
    async fn listed(&self, prefix: &str, page_size: Option<i32>) -> Result<Vec<(String, String, bool)>> {
        let (mut listed, mut marker) = (Vec::new(), (None, None));
        loop {
            let list = self.versions().prefix(prefix).set_max_keys(page_size);
            let page = list.set_key_marker(marker.0).set_version_id_marker(marker.1).send().await?;
            for version in page.versions.unwrap_or_default() {
                let id = version.version_id.context("a version id")?;
                listed.push((version.key.context("a key")?, id, version.is_latest == Some(true)));
            }
            if page.is_truncated != Some(true) {
                return Ok(listed);
            }
            ensure!(listed.len() < 2_000, "the listing has no end");
            marker = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// The version ids of the delete markers of a key.
    async fn markers(&self, key: &str) -> Result<Vec<String>> {
        let page = self.versions().prefix(key).send().await?;
        Ok(page
            .delete_markers
            .unwrap_or_default()
            .into_iter()
            .filter_map(|marker| marker.version_id)
            .collect())
    }

    async fn text(&self, key: &str) -> Result<String> {
        let body = self.get(key).send().await?.body.collect().await?;
        Ok(String::from_utf8(body.to_vec())?)
    }
}

#[test]
fn more_than_a_thousand_versions_are_listed_in_pages() -> Result<()> {
    alone_in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let mut puts = JoinSet::new();
        for at in 0..1_003 {
            puts.spawn(bucket.put(if at % 3 == 0 { "many/a" } else { "many/b" }).send());
        }
        for put in puts.join_all().await {
            put?;
        }
        bucket.put("other").send().await?;
        let listed = bucket.listed("many/", None).await?;
        assert_eq!(listed.len(), 1_003);
        let ids: std::collections::HashSet<&str> = listed.iter().map(|(_, id, _)| id.as_str()).collect();
        assert_eq!(ids.len(), 1_003);
        assert_eq!(listed.iter().filter(|(_, _, latest)| *latest).count(), 2);
        assert!(listed.is_sorted_by(|a, b| a.0 <= b.0));
        Ok(())
    })
}

#[test]
fn objects_without_history_are_listed_once_each_with_version_id_null() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        for key in ["a", "b", "c"] {
            bucket.put(key).send().await?;
        }
        let expected = ["a", "b", "c"].map(|key| (key.to_owned(), "null".to_owned(), true));
        assert_eq!(bucket.listed("", Some(1)).await?, expected);
        Ok(())
    })
}

#[test]
fn a_listing_goes_on_behind_a_version_that_has_been_deleted_since_the_page_before() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        for key in ["a", "k", "k", "k", "z"] {
            bucket.put_version(key, "content").await?;
        }
        let all = bucket.listed("", None).await?;
        let behind = |at: usize| {
            let (key, id, _) = &all[at];
            bucket.versions().key_marker(key).version_id_marker(id)
        };
        let ids = |page: aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput| {
            page.versions
                .unwrap_or_default()
                .into_iter()
                .filter_map(|version| version.version_id)
                .collect::<Vec<_>>()
        };
        let rest = |from: usize| all[from..].iter().map(|(_, id, _)| id.clone()).collect::<Vec<_>>();
        bucket.delete("k").version_id(&all[2].1).send().await?;
        assert_eq!(ids(behind(2).send().await?), rest(3), "one newer version is left");
        bucket.delete("k").version_id(&all[1].1).send().await?;
        assert_eq!(ids(behind(2).send().await?), rest(3), "no newer version is left");
        bucket.delete("k").version_id(&all[3].1).send().await?;
        assert_eq!(ids(behind(2).send().await?), rest(4), "no version is left");
        Ok(())
    })
}

#[test]
fn a_conditional_delete_looks_at_the_current_version_alone() -> Result<()> {
    in_bare_sandbox(async {
        for versioned in [false, true] {
            let bucket = if versioned { Bucket::versioned().await? } else { Bucket::new().await? };
            let (_, older) = bucket.put_version("k", "older").await?;
            let (_, etag) = bucket.put_version("k", "newer").await?;
            for condition in [NOTHING_S, &older] {
                let refused = bucket.delete("k").if_match(condition).send().await;
                assert_eq!(code(refused).as_deref(), Some("PreconditionFailed"));
            }
            let deleted = bucket.delete("k").if_match(&etag).send().await?;
            assert_eq!(deleted.delete_marker(), versioned.then_some(true));
            for key in ["k", "never"] {
                let gone = bucket.delete(key).if_match(&etag).send().await;
                assert_eq!(code(gone).as_deref(), Some("NoSuchKey"), "{key} {versioned}");
                bucket.delete(key).send().await?;
            }
            assert_eq!(bucket.listed("k", None).await?.len(), if versioned { 2 } else { 0 });
        }
        Ok(())
    })
}

#[test]
fn a_conditional_delete_needs_the_permission_to_read() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let (_, etag) = bucket.put_version("k", "content").await?;
        let may = |actions: &[&str]| json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
        let deleter = bucket.seen_by(&session(may(&["s3:DeleteObject"]), None).await?);
        assert_eq!(code(deleter.delete("k").if_match(&etag).send().await).as_deref(), Some("AccessDenied"));
        let reader = bucket.seen_by(&session(may(&["s3:DeleteObject", "s3:GetObject"]), None).await?);
        reader.delete("k").if_match(&etag).send().await?;
        Ok(())
    })
}

#[test]
fn deleting_a_version_by_its_id_leaves_the_others_and_the_one_before_becomes_current() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let (first, _) = bucket.put_version("k", "first").await?;
        let (second, _) = bucket.put_version("k", "second").await?;
        let marker = bucket.delete("k").send().await?.version_id.context("the marker's version id")?;
        assert_eq!(status(bucket.head("k").send().await), Some(404));
        assert_eq!(status(bucket.head("k").version_id(&marker).send().await), Some(405));
        bucket.delete("k").version_id(&marker).send().await?;
        assert_eq!(bucket.text("k").await?, "second");
        for _ in ["there", "gone"] {
            bucket.delete("k").version_id(&second).send().await?;
            assert_eq!(bucket.text("k").await?, "first");
        }
        assert_eq!(status(bucket.head("k").version_id(&second).send().await), Some(404));
        assert_eq!(bucket.head("k").send().await?.version_id(), Some(first.as_str()));
        Ok(())
    })
}

#[test]
fn in_a_suspended_bucket_the_null_version_is_replaced_and_its_deletion_leaves_a_null_marker() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let (real, _) = bucket.put_version("k", "real").await?;
        bucket.set_versioning(BucketVersioningStatus::Suspended).await?;
        bucket.put("k").body(b"null".to_vec().into()).tagging("a=b").send().await?;
        bucket.put_version("k", "null, again").await?;
        assert_eq!(bucket.tags("k").await?, [], "nothing of the version before");
        let head = bucket.head("k").send().await?;
        assert_eq!((head.version_id(), head.content_length()), (Some("null"), Some(11)));
        let version = |id: &str, latest| ("k".to_owned(), id.to_owned(), latest);
        assert_eq!(bucket.listed("k", None).await?, [version("null", true), version(&real, false)]);

        assert_eq!(
            code(bucket.delete("k").if_match(NOTHING_S).send().await).as_deref(),
            Some("PreconditionFailed")
        );
        let deleted = bucket.delete("k").set_if_match(head.e_tag).send().await?;
        assert_eq!((deleted.delete_marker(), deleted.version_id()), (Some(true), Some("null")));
        assert_eq!(bucket.listed("k", None).await?, [version(&real, false)]);
        assert_eq!(bucket.markers("k").await?, ["null"]);
        assert_eq!(status(bucket.head("k").version_id("null").send().await), Some(405));
        bucket.head("k").version_id(&real).send().await?;
        Ok(())
    })
}

#[test]
fn what_was_put_before_versioning_is_version_null_also_as_the_source_of_a_copy() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let (_, etag) = bucket.put_version("k", "before").await?;
        assert_eq!(bucket.head("k").send().await?.version_id(), None);
        let copy = |to: &str| bucket.copy("k?versionId=null", to).copy_source_if_match(&etag).send();
        copy("copy without versions").await?;
        Upload::new(&bucket, "in parts").await?.part(1, "k?versionId=null").send().await?;
        bucket.set_versioning(BucketVersioningStatus::Enabled).await?;
        copy("copy with versions").await?;
        assert_eq!(bucket.head("k").send().await?.version_id(), Some("null"));
        let (after, _) = bucket.put_version("k", "after").await?;
        copy("copy of an older version").await?;
        for copied in ["copy without versions", "copy with versions", "copy of an older version"] {
            assert_eq!(bucket.text(copied).await?, "before", "{copied}");
        }
        assert_eq!(bucket.head("k").version_id("null").send().await?.version_id(), Some("null"));
        bucket.delete("k").version_id("null").send().await?;
        assert_eq!(bucket.listed("k", None).await?, [("k".to_owned(), after, true)]);
        assert_eq!(code(copy("copy of nothing").await).as_deref(), Some("NoSuchVersion"));
        Ok(())
    })
}

#[test]
fn mfa_delete_is_shown_and_guards_the_versions_and_the_versioning_state() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let (version, _) = bucket.put_version("k", "content").await?;
        let state = |mfa| {
            let state =
                VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).mfa_delete(mfa);
            bucket.client.put_bucket_versioning().bucket(&bucket.name).versioning_configuration(state.build())
        };
        let shown = || async {
            let shown = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await?;
            anyhow::Ok((shown.status, shown.mfa_delete))
        };
        let enabled = Some(BucketVersioningStatus::Enabled);
        assert_eq!(shown().await?, (enabled.clone(), None));
        assert_eq!(code(state(MfaDelete::Enabled).send().await).as_deref(), Some("AccessDenied"));
        state(MfaDelete::Enabled).mfa("serial 123456").send().await?;
        assert_eq!(shown().await?, (enabled.clone(), Some(MfaDeleteStatus::Enabled)));

        assert_eq!(
            code(bucket.delete("k").version_id(&version).send().await).as_deref(),
            Some("AccessDenied")
        );
        assert_eq!(code(state(MfaDelete::Disabled).send().await).as_deref(), Some("AccessDenied"));
        bucket.delete("k").send().await?;
        bucket.delete("k").version_id(&version).mfa("serial 123456").send().await?;
        state(MfaDelete::Disabled).mfa("serial 123456").send().await?;
        assert_eq!(shown().await?, (enabled, Some(MfaDeleteStatus::Disabled)));
        Ok(())
    })
}
