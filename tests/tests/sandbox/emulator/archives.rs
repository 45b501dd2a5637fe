//! Archived objects.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{RestoreRequest, StorageClass};

use super::{
    buckets::Bucket,
    harness::{alone_in_bare_sandbox, code, eventually, in_bare_sandbox},
    multipart::Upload,
};

#[test]
fn an_archived_object_is_neither_read_nor_copied_until_it_is_restored() -> Result<()> {
    alone_in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
            let put = bucket.put("archived").storage_class(class.clone()).body(b"content".to_vec().into());
            let version = put.send().await?.version_id.context("a version id")?;
            let source = format!("archived?versionId={version}");
            let upload = Upload::new(&bucket, "in parts").await?;

            let head = bucket.head("archived").version_id(&version).send().await?;
            assert_eq!((head.storage_class(), head.restore()), (Some(&class), None));
            let refusals = || async {
                [
                    code(bucket.get("archived").version_id(&version).send().await),
                    code(bucket.copy(&source, "copy").send().await),
                    code(upload.part(1, &source).send().await),
                ]
            };
            let closed = Some("InvalidObjectState");
            assert_eq!(refusals().await.each_ref().map(Option::as_deref), [closed; 3]);

            let restore = RestoreRequest::builder().days(1).build();
            let restore =
                bucket.client.restore_object().bucket(&bucket.name).key("archived").restore_request(restore);
            restore.send().await?;
            let state = || async {
                let head = bucket.head("archived").version_id(&version).send().await?;
                head.restore.context("the state of the restore")
            };
            assert_eq!(state().await?, "ongoing-request=\"true\"");
            assert_eq!(refusals().await.each_ref().map(Option::as_deref), [closed; 3]);
            eventually("the restored object", async || {
                Ok(state().await?.starts_with("ongoing-request=\"false\"").then_some(()))
            })
            .await?;
            assert_eq!(refusals().await, [None, None, None]);
            assert_eq!(bucket.head("copy").send().await?.storage_class(), None);
        }
        Ok(())
    })
}

#[test]
fn glacier_instant_retrieval_is_read_and_copied_at_once() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("instant").storage_class(StorageClass::GlacierIr).send().await?;
        bucket.get("instant").send().await?;
        bucket.copy("instant", "copy").send().await?;
        Ok(())
    })
}
