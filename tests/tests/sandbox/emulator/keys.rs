//! Keys of any form.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{EncodingType, MetadataDirective};
use serde_json::json;

use super::{
    buckets::Bucket,
    harness::{alone_in_bare_sandbox, code, in_bare_sandbox},
    multipart::Upload,
    principals::session,
};

/// Keys that are easily taken for one another, or for something else.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a b",
        "a+b",
        "a%20b",
        "a%2520b",
        "a%2Bb",
        "100%",
        "what?",
        "what?versionId=null",
        "hash#tag",
        "you&me=us",
        "it's",
        "say \"hi\"",
        "<tag>&amp;",
        "two\nlines",
        "return\r\n",
        "tab\t",
        "\u{1}",
        "del\u{7f}",
        "back\\slash",
        ";:@,$!*()[]{}|^~`",
        ".",
        "..",
        "../up",
        "./a",
        "a/../b",
        "a/./b",
        "/leading",
        "//leading",
        "double//slash",
        "trailing/",
        "/",
        "//",
        "é",
        "e\u{301}",
        "日本語",
        "🦀/🐟",
        "no\u{a0}break",
        "\u{200b}",
        "\u{feff}",
        "aws:",
        "http://host/path",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("k".repeat(1_024));
    keys.push("é".repeat(512));
    keys
}

/// Percent-encodes all that is not plain, as x-amz-copy-source wants it.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A key of a listing with `encoding-type=url`.
fn decoded(listed: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = listed.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().context("a digit")?, rest.next().context("a digit")?];
                u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?
            }
            byte if byte.is_ascii_graphic() => byte,
            byte => anyhow::bail!("{byte:#x} is not encoded in {listed:?}"),
        });
    }
    Ok(String::from_utf8(bytes)?)
}

#[test]
fn every_key_reaches_its_own_object() -> Result<()> {
    alone_in_bare_sandbox(async {
        let (bucket, keys) = (Bucket::versioned().await?, odd_keys());
        for key in &keys {
            let put = bucket.put(key).metadata("key", encoded(key)).body(key.clone().into_bytes().into());
            put.send().await.with_context(|| format!("cannot put {key:?}"))?;
        }
        for key in &keys {
            let source = encoded(key);
            let head = bucket.head(key).send().await.with_context(|| format!("cannot head {key:?}"))?;
            assert_eq!(head.metadata().and_then(|metadata| metadata.get("key")), Some(&source), "{key:?}");
            let etag = head.e_tag.context("an ETag")?;
            let version = head.version_id.context("a version id")?;
            let source = format!("{source}?versionId={version}");
            let copy = bucket.copy(&source, "copy").copy_source_if_match(&etag);
            copy.send().await.with_context(|| format!("cannot copy {key:?}"))?;
            let copied = bucket.get("copy").send().await?.body.collect().await?.to_vec();
            assert_eq!(String::from_utf8(copied)?, *key);

            let onto = bucket.copy(&source, key).metadata_directive(MetadataDirective::Replace);
            let onto = onto.metadata("key", "replaced").if_match(&etag).send().await;
            onto.with_context(|| format!("cannot copy onto {key:?}"))?;
            bucket
                .delete(key)
                .version_id(&version)
                .send()
                .await
                .with_context(|| format!("cannot delete {key:?}"))?;
            let head = bucket.head(key).send().await?;
            assert_eq!(
                head.metadata().and_then(|metadata| metadata.get("key")).map(String::as_str),
                Some("replaced")
            );
        }
        Ok(())
    })
}

#[test]
fn every_key_is_listed_percent_encoded_and_is_a_marker_and_a_prefix() -> Result<()> {
    in_bare_sandbox(async {
        let (bucket, mut keys) = (Bucket::versioned().await?, odd_keys());
        for key in &keys {
            bucket.put(key).send().await?;
        }
        keys.sort();
        let (mut listed, mut marker) = (Vec::new(), (None, None));
        loop {
            let list =
                bucket.client.list_object_versions().bucket(&bucket.name).encoding_type(EncodingType::Url);
            let list = list.max_keys(1).set_key_marker(marker.0).set_version_id_marker(marker.1);
            let page = list.send().await?;
            assert_eq!(page.encoding_type, Some(EncodingType::Url));
            for version in page.versions() {
                listed.push(decoded(version.key().unwrap_or_default())?);
            }
            if page.is_truncated != Some(true) {
                break;
            }
            let next = page.next_key_marker.as_deref().map(decoded).transpose()?;
            marker = (next, page.next_version_id_marker);
        }
        assert_eq!(listed, keys);

        for key in &keys {
            let list = bucket.client.list_object_versions().bucket(&bucket.name).prefix(key);
            let page = list.encoding_type(EncodingType::Url).send().await?;
            let first = page.versions().first().and_then(|version| version.key()).unwrap_or_default();
            assert_eq!(
                (decoded(first)?, decoded(page.prefix().unwrap_or_default())?),
                (key.clone(), key.clone())
            );
        }
        let spaced = bucket.client.list_object_versions().bucket(&bucket.name).prefix("a b");
        let spaced = spaced.encoding_type(EncodingType::Url).send().await?;
        assert_eq!(
            spaced.versions().first().and_then(|version| version.key()),
            Some("a+b"),
            "a space is a plus"
        );
        let plain = bucket.client.list_object_versions().bucket(&bucket.name).send().await?;
        let mut plain: Vec<_> =
            plain.versions.unwrap_or_default().into_iter().filter_map(|found| found.key).collect();
        plain.sort();
        assert_eq!(plain, keys, "characters that XML cannot hold are references");
        Ok(())
    })
}

#[test]
fn every_key_can_be_copied_in_parts_and_its_upload_found_again() -> Result<()> {
    alone_in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        for key in odd_keys() {
            let begun = Upload::new(&bucket, &key).await.with_context(|| format!("cannot begin {key:?}"))?;
            let list = bucket.client.list_multipart_uploads().bucket(&bucket.name).prefix(&key);
            let page = list.encoding_type(EncodingType::Url).send().await?;
            let found: Vec<String> = page
                .uploads()
                .iter()
                .map(|upload| decoded(upload.key().unwrap_or_default()))
                .collect::<Result<_>>()?;
            assert_eq!(found, std::slice::from_ref(&key));
            let part = begun.copied(1, "source", 0..7).await?;
            bucket.client.list_parts().bucket(&bucket.name).key(&key).upload_id(&begun.id).send().await?;
            begun.complete(&[part]).send().await.with_context(|| format!("cannot complete {key:?}"))?;
            assert_eq!(bucket.head(&key).send().await?.content_length(), Some(7), "{key:?}");
        }
        Ok(())
    })
}

#[test]
fn a_policy_sees_a_key_with_all_its_slashes() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let keys = ["k", "/k", "//k", "k/", "a/k", "a//k", "/"];
        for key in keys {
            bucket.put(key).send().await?;
        }
        for allowed in keys {
            let may = json!([{
                "Effect": "Allow", "Action": ["s3:GetObject*", "s3:PutObject*"], "Resource": [
                    format!("arn:aws:s3:::{}/{allowed}", bucket.name), format!("arn:aws:s3:::{}/copy", bucket.name)
                ]
            }]);
            let caller = bucket.seen_by(&session(may, None).await?);
            for key in keys {
                let calls = [
                    code(caller.get(key).send().await),
                    code(caller.copy(key, "copy").send().await),
                    code(caller.copy("copy", key).send().await),
                ];
                if key == allowed {
                    assert_eq!(calls, [None, None, None], "{key}");
                } else {
                    let denied = Some("AccessDenied");
                    assert_eq!(
                        calls.each_ref().map(Option::as_deref),
                        [denied; 3],
                        "{key} where {allowed} is allowed"
                    );
                }
            }
        }
        Ok(())
    })
}
