//! Checksums of objects.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_s3::{
    config::RequestChecksumCalculation,
    operation::head_object::HeadObjectOutput,
    types::{BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, ChecksumType},
};

use super::{
    buckets::Bucket,
    harness::{alone_in_bare_sandbox, code, in_bare_sandbox, root},
    multipart::{LEAST, Upload, content},
};

/// The checksum of an object: its algorithm, value and type.
type Checksum = (ChecksumAlgorithm, String, ChecksumType);

fn checksum(head: &HeadObjectOutput) -> Option<Checksum> {
    let (algorithm, value) = [
        (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
    ]
    .into_iter()
    .find_map(|(algorithm, value)| Some((algorithm, value?.to_owned())))?;
    Some((algorithm, value, head.checksum_type()?.clone()))
}

async fn checksum_of(bucket: &Bucket, key: &str) -> Result<Checksum> {
    let head = bucket.head(key).checksum_mode(ChecksumMode::Enabled).send().await?;
    checksum(&head).context("a checksum")
}

/// The bucket, by a client that sends no checksum.
async fn without_checksums(bucket: &Bucket) -> Bucket {
    let config = aws_sdk_s3::config::Builder::from(&root().await).force_path_style(true);
    let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build();
    Bucket { client: aws_sdk_s3::Client::from_conf(config), name: bucket.name.clone() }
}

#[test]
fn an_object_that_came_without_a_checksum_has_a_crc64nvme() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        without_checksums(&bucket).await.put("without").body(b"123456789".to_vec().into()).send().await?;
        let known = (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg=".to_owned(), ChecksumType::FullObject);
        assert_eq!(checksum_of(&bucket, "without").await?, known);
        let unasked = bucket.head("without").checksum_mode("".into()).send().await?;
        assert_eq!(checksum(&unasked), None, "a checksum is shown to those who ask");
        Ok(())
    })
}

#[test]
fn a_crc64nvme_is_that_of_the_sdk_for_content_of_any_length() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        for length in [0, 1, 7, 8, 9, 100, 1_000, 10_007, 262_143, 262_144, 262_145, 1_000_003] {
            let put = bucket.put("object").checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
            put.body(content(length).into()).send().await.with_context(|| format!("{length} bytes"))?;
        }
        let wrong =
            bucket.put("object").checksum_crc64_nvme("rosUhgp5mIg=").body(b"12345678".to_vec().into());
        assert_eq!(code(wrong.send().await).as_deref(), Some("BadDigest"));
        Ok(())
    })
}

#[test]
fn a_copy_has_a_checksum_of_its_whole_content_by_the_algorithm_asked_or_that_of_its_source() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let body = content(1_000);
        let algorithms = [ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256];
        for algorithm in &algorithms {
            let put = bucket.put(algorithm.as_str()).checksum_algorithm(algorithm.clone());
            put.body(body.clone().into()).send().await?;
        }
        let begun = bucket.begin("in parts").checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
        let upload = Upload::of(&bucket, "in parts", &begun.upload_id.context("an upload id")?);
        upload.complete(&[upload.copied(1, "SHA256", 0..1_000).await?]).send().await?;

        for source in ["CRC64NVME", "CRC32", "SHA256", "in%20parts"] {
            let asked = algorithms.iter().map(|algorithm| Some(algorithm.clone())).chain([None]);
            for asked in asked {
                let copied = bucket.copy(source, "copy").set_checksum_algorithm(asked.clone()).send().await?;
                let by = asked
                    .as_ref()
                    .map_or(if source == "in%20parts" { "SHA256" } else { source }, |by| by.as_str());
                let expected = checksum_of(&bucket, by).await?;
                assert_eq!(expected.2, ChecksumType::FullObject);
                assert_eq!(checksum_of(&bucket, "copy").await?, expected, "{source} {asked:?}");
                let told = copied.copy_object_result.and_then(|copy| copy.checksum_type);
                assert_eq!(told, Some(ChecksumType::FullObject));
            }
        }
        Ok(())
    })
}

#[test]
fn a_copy_in_parts_has_a_checksum_of_the_type_its_upload_asked_for() -> Result<()> {
    in_bare_sandbox(async {
        use ChecksumAlgorithm::{Crc32, Crc64Nvme, Sha256};
        use ChecksumType::{Composite, FullObject};

        let bucket = Bucket::versioned().await?;
        let body = content(LEAST + 1_000);
        for algorithm in [Crc64Nvme, Crc32] {
            let put = bucket.put(algorithm.as_str()).checksum_algorithm(algorithm.clone());
            put.body(body.clone().into()).send().await?;
        }
        for (algorithm, asked, kind) in [
            (None, None, FullObject),
            (Some(Crc64Nvme), None, FullObject),
            (Some(Crc64Nvme), Some(FullObject), FullObject),
            (Some(Crc32), Some(FullObject), FullObject),
            (Some(Crc32), None, Composite),
            (Some(Sha256), None, Composite),
        ] {
            let begin =
                bucket.begin("copy").set_checksum_algorithm(algorithm.clone()).set_checksum_type(asked);
            let begun = begin.send().await?;
            assert_eq!(begun.checksum_type, algorithm.is_some().then(|| kind.clone()));
            let upload = Upload::of(&bucket, "copy", &begun.upload_id.context("an upload id")?);
            let whole = LEAST + 1_000;
            let parts =
                [upload.copied(1, "CRC32", 0..LEAST).await?, upload.copied(2, "CRC32", LEAST..whole).await?];
            let other = if kind == FullObject { Composite } else { FullObject };
            let refused = upload.complete(&parts).checksum_type(other).send().await;
            assert_eq!(code(refused).as_deref(), Some("BadDigest"));
            let completed = upload.complete(&parts).checksum_type(kind.clone()).send().await?;
            assert_eq!(completed.checksum_type(), Some(&kind));

            let version = completed.version_id.context("a version id")?;
            let head =
                bucket.head("copy").version_id(version).checksum_mode(ChecksumMode::Enabled).send().await?;
            let found = checksum(&head).context("a checksum")?;
            assert_eq!(found.2, kind, "{algorithm:?}");
            if kind == FullObject {
                let at_once = algorithm.as_ref().map_or("CRC64NVME", |algorithm| algorithm.as_str());
                assert_eq!(found, checksum_of(&bucket, at_once).await?);
            } else {
                assert!(found.1.ends_with("-2"), "{found:?}");
            }
        }
        for (algorithm, kind) in [(Sha256, FullObject), (Crc64Nvme, Composite)] {
            let refused = bucket.begin("copy").checksum_algorithm(algorithm).checksum_type(kind).send().await;
            assert_eq!(code(refused).as_deref(), Some("InvalidRequest"));
        }
        Ok(())
    })
}

#[test]
fn a_version_from_before_versioning_keeps_the_type_of_its_checksum() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        let begun = bucket.begin("k").checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
        let upload = Upload::of(&bucket, "k", &begun.upload_id.context("an upload id")?);
        upload.complete(&[upload.copied(1, "source", 0..7).await?]).send().await?;
        bucket.set_versioning(BucketVersioningStatus::Enabled).await?;
        bucket.put("k").send().await?;
        let head = bucket.head("k").version_id("null").checksum_mode(ChecksumMode::Enabled).send().await?;
        assert_eq!(head.checksum_type(), Some(&ChecksumType::Composite));
        Ok(())
    })
}

#[test]
fn the_checksum_of_a_large_object_is_there_before_a_client_loses_patience() -> Result<()> {
    alone_in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(content(LEAST).into()).send().await?;
        let begun = bucket.begin("large").checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
        let upload = Upload::of(&bucket, "large", &begun.upload_id.context("an upload id")?);
        let mut parts = Vec::new();
        for number in 1..=12 {
            parts.push(upload.copied(number, "source", 0..LEAST).await?);
        }
        upload.complete(&parts).send().await?;
        let copy = bucket.copy("large", "copy").checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send();
        tokio::time::timeout(Duration::from_secs(5), copy).await.context("60 MiB take longer than 5 s")??;
        Ok(())
    })
}
