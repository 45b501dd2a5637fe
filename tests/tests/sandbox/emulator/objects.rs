//! S3.

use anyhow::Result;
use aws_sdk_s3::Client;
use serde_json::json;

use super::{
    harness::{code, in_bare_sandbox, root, s3, sandbox, unique},
    principals::session,
};

const SOMEBODY_ELSE: &str = "999988887777";

async fn bucket_with_an_object() -> Result<(Client, String)> {
    let (client, bucket) = (s3(&root().await), unique("objects"));
    client.create_bucket().bucket(&bucket).send().await?;
    client.put_object().bucket(&bucket).key("object").body(b"content".to_vec().into()).send().await?;
    Ok((client, bucket))
}

#[test]
fn a_request_to_a_bucket_of_another_owner_than_expected_is_denied() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = bucket_with_an_object().await?;
        let get = |owner: &str| {
            client.get_object().bucket(&bucket).key("object").expected_bucket_owner(owner).send()
        };
        get(sandbox().account()).await?;
        assert_eq!(code(get(SOMEBODY_ELSE).await).as_deref(), Some("AccessDenied"));

        let head = client.head_object().bucket(&bucket).key("object").expected_bucket_owner(SOMEBODY_ELSE);
        let refused =
            head.send().await.err().and_then(|error| error.raw_response().map(|raw| raw.status().as_u16()));
        assert_eq!(refused, Some(403));
        let list = client.list_objects_v2().bucket(&bucket).expected_bucket_owner(SOMEBODY_ELSE);
        assert_eq!(code(list.send().await).as_deref(), Some("AccessDenied"));
        let put = client.put_object().bucket(&bucket).key("new").expected_bucket_owner(SOMEBODY_ELSE);
        assert_eq!(code(put.send().await).as_deref(), Some("AccessDenied"));
        let delete =
            client.delete_object().bucket(&bucket).key("object").expected_bucket_owner(SOMEBODY_ELSE);
        assert_eq!(code(delete.send().await).as_deref(), Some("AccessDenied"));
        get(sandbox().account()).await?;
        Ok(())
    })
}

#[test]
fn a_copy_from_a_bucket_of_another_owner_than_expected_is_denied() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = bucket_with_an_object().await?;
        let copy = |owner: &str| {
            let copy =
                client.copy_object().bucket(&bucket).key("copy").copy_source(format!("{bucket}/object"));
            copy.expected_source_bucket_owner(owner).expected_bucket_owner(sandbox().account()).send()
        };
        assert_eq!(code(copy(SOMEBODY_ELSE).await).as_deref(), Some("AccessDenied"));
        copy(sandbox().account()).await?;
        Ok(())
    })
}

#[test]
fn a_copy_honors_the_conditions_on_its_destination() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = bucket_with_an_object().await?;
        let copy =
            || client.copy_object().bucket(&bucket).key("copy").copy_source(format!("{bucket}/object"));
        copy().if_none_match("*").send().await?;
        assert_eq!(code(copy().if_none_match("*").send().await).as_deref(), Some("PreconditionFailed"));
        assert_eq!(
            code(copy().if_match("\"00000000000000000000000000000000\"").send().await).as_deref(),
            Some("PreconditionFailed")
        );
        Ok(())
    })
}

#[test]
fn a_missing_object_is_404_only_to_those_who_may_list_the_bucket() -> Result<()> {
    in_bare_sandbox(async {
        let (_, bucket) = bucket_with_an_object().await?;
        let read = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*") });
        let list = json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{bucket}") });
        let reader = s3(&session(json!([read]), None).await?);
        let lister = s3(&session(json!([read, list]), None).await?);

        reader.head_object().bucket(&bucket).key("object").send().await?;
        assert_eq!(
            code(reader.get_object().bucket(&bucket).key("missing").send().await).as_deref(),
            Some("AccessDenied")
        );
        assert_eq!(
            code(lister.get_object().bucket(&bucket).key("missing").send().await).as_deref(),
            Some("NoSuchKey")
        );
        let head = |client: &Client| client.head_object().bucket(&bucket).key("missing").send();
        let status = |error: Option<u16>| error.unwrap_or_default();
        let of_reader =
            head(&reader).await.err().and_then(|error| error.raw_response().map(|raw| raw.status().as_u16()));
        let of_lister =
            head(&lister).await.err().and_then(|error| error.raw_response().map(|raw| raw.status().as_u16()));
        assert_eq!((status(of_reader), status(of_lister)), (403, 404));
        Ok(())
    })
}

#[test]
fn a_policy_that_demands_tls_lets_clients_of_the_front_door_in() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = bucket_with_an_object().await?;
        let both = json!([format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]);
        let only_over_tls = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": both,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } }
        }] });
        client.put_bucket_policy().bucket(&bucket).policy(only_over_tls.to_string()).send().await?;
        let reader =
            session(json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }]), None).await?;
        s3(&reader).get_object().bucket(&bucket).key("object").send().await?;
        Ok(())
    })
}
