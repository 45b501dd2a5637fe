//! Who a caller is and what it may, behind the front door and in our own doubles.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TransactWriteItem, Update,
};
use aws_sdk_eventbridge::{error::ProvideErrorMetadata, types::PutEventsRequestEntry};
use serde_json::{Value, json};

use super::harness::{
    alone_in_bare_sandbox, code, in_bare_sandbox, role, root, s3, sandbox, signed_by, unique,
};

/// A session of a new role with these statements as its policy, narrowed by a session policy if there is one.
pub(super) async fn session(statements: Value, narrowed_to: Option<Value>) -> Result<SdkConfig> {
    let credentials = session_credentials(statements, narrowed_to).await?;
    Ok(signed_by(credentials).await)
}

async fn session_credentials(statements: Value, narrowed_to: Option<Value>) -> Result<Credentials> {
    let (config, name) = (root().await, unique("role"));
    let iam = aws_sdk_iam::Client::new(&config);
    let arn = role(&iam, &name, "ecs-tasks.amazonaws.com").await?;
    let document =
        |statements: Value| json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let policy =
        iam.put_role_policy().role_name(&name).policy_name("may").policy_document(document(statements));
    policy.send().await?;
    let assume = aws_sdk_sts::Client::new(&config).assume_role().role_arn(arn).role_session_name("session");
    let assumed = assume.set_policy(narrowed_to.map(document)).send().await?;
    let keys = assumed.credentials.context("the credentials of a session")?;
    Ok(Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        Some(keys.session_token),
        None,
        "session",
    ))
}

fn may(actions: &[&str]) -> Value {
    json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
}

/// What ListFindings of Macie answers to a caller: nothing, or the code of its refusal.
async fn macie_says(config: &SdkConfig) -> Option<String> {
    code(aws_sdk_macie2::Client::new(config).list_findings().send().await)
}

#[test]
fn a_session_policy_narrows_what_the_role_may() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = (s3(&root().await), unique("narrowed"));
        client.create_bucket().bucket(&bucket).send().await?;
        for key in ["named", "other"] {
            client.put_object().bucket(&bucket).key(key).send().await?;
        }
        let named = json!([{
            "Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{bucket}/named")
        }]);
        let narrowed = s3(&session(may(&["s3:GetObject"]), Some(named)).await?);
        narrowed.get_object().bucket(&bucket).key("named").send().await?;
        let other = narrowed.get_object().bucket(&bucket).key("other").send().await;
        assert_eq!(code(other).as_deref(), Some("AccessDenied"));
        let not_the_roles = narrowed.delete_object().bucket(&bucket).key("named").send().await;
        assert_eq!(code(not_the_roles).as_deref(), Some("AccessDenied"));
        Ok(())
    })
}

#[test]
fn a_session_policy_is_short_and_names_nothing_beyond_latin_1() -> Result<()> {
    in_bare_sandbox(async {
        let (config, name) = (root().await, unique("role"));
        let arn = role(&aws_sdk_iam::Client::new(&config), &name, "ecs-tasks.amazonaws.com").await?;
        let sts = aws_sdk_sts::Client::new(&config);
        let policy = |key: &str| {
            let statement =
                json!({ "Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::b/{key}") });
            json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
        };
        let written = policy("").len();
        for (policy, refusal) in [
            (policy(&"k".repeat(2_048 - written)), None),
            (policy(&"k".repeat(2_049 - written)), Some("ValidationError")),
            (policy("über"), None),
            (policy("語"), Some("ValidationError")),
            (policy("語").replace('語', "\\u8a9e"), Some("MalformedPolicyDocument")),
            (policy("\u{1}"), Some("MalformedPolicyDocument")),
        ] {
            let assume = sts.assume_role().role_arn(&arn).role_session_name("session").policy(&policy);
            assert_eq!(code(assume.send().await).as_deref(), refusal, "{policy}");
        }
        Ok(())
    })
}

#[test]
fn an_expired_session_is_a_bare_400_to_head_and_named_to_get() -> Result<()> {
    alone_in_bare_sandbox(async {
        let (config, name) = (root().await, unique("expired"));
        let iam = aws_sdk_iam::Client::new(&config);
        let arn = role(&iam, &name, "ecs-tasks.amazonaws.com").await?;
        let assume =
            aws_sdk_sts::Client::new(&config).assume_role().role_arn(arn).role_session_name("session");
        let keys =
            assume.duration_seconds(0).send().await?.credentials.context("the credentials of a session")?;
        let (key, secret, token) = (keys.access_key_id, keys.secret_access_key, keys.session_token);
        let expired = s3(&signed_by(Credentials::new(key, secret, Some(token), None, "expired")).await);
        let head = expired.head_object().bucket(&name).key("k").send().await;
        let head = head.expect_err("a session of no seconds has expired");
        assert_eq!(head.raw_response().map(|answer| answer.status().as_u16()), Some(400));
        assert_eq!(head.raw_response().and_then(|answer| answer.body().bytes()), Some(&[][..]));
        let get = expired.get_object().bucket(&name).key("k").range("bytes=0-0").send().await;
        assert_eq!(code(get).as_deref(), Some("ExpiredToken"));
        Ok(())
    })
}

#[test]
fn an_escaped_pattern_character_in_a_policy_stands_for_itself() -> Result<()> {
    in_bare_sandbox(async {
        let (client, bucket) = (s3(&root().await), unique("escaped"));
        client.create_bucket().bucket(&bucket).send().await?;
        for key in ["what?*$", "whatever", "two\nlines"] {
            client.put_object().bucket(&bucket).key(key).send().await?;
        }
        let statement = |pattern: &str| json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/{pattern}") }]);
        let exact = s3(&session(statement("what${?}${*}${$}"), None).await?);
        exact.get_object().bucket(&bucket).key("what?*$").send().await?;
        let other = exact.get_object().bucket(&bucket).key("whatever").send().await;
        assert_eq!(code(other).as_deref(), Some("AccessDenied"));
        let pattern = s3(&session(statement("two?l*"), None).await?);
        pattern.get_object().bucket(&bucket).key("two\nlines").send().await?;
        Ok(())
    })
}

#[test]
fn a_double_lets_in_whom_policy_allows_and_denies_everybody_else() -> Result<()> {
    in_bare_sandbox(async {
        aws_sdk_macie2::Client::new(&root().await).enable_macie().send().await.ok();
        assert_eq!(macie_says(&session(may(&["macie2:ListFindings"]), None).await?).await, None);
        let denied = macie_says(&session(may(&["macie2:GetFindings"]), None).await?).await;
        assert_eq!(denied.as_deref(), Some("AccessDeniedException"));
        let narrowed = session(may(&["macie2:*"]), Some(may(&["macie2:GetFindings"]))).await?;
        assert_eq!(macie_says(&narrowed).await.as_deref(), Some("AccessDeniedException"));
        Ok(())
    })
}

#[test]
fn a_double_refuses_signatures_that_are_not_the_callers() -> Result<()> {
    in_bare_sandbox(async {
        let real = session_credentials(may(&["macie2:*"]), None).await?;
        let token = real.session_token().map(str::to_owned);
        let forged = Credentials::new(real.access_key_id(), "not the secret", token, None, "forged");
        assert_eq!(macie_says(&signed_by(forged).await).await.as_deref(), Some("InvalidSignatureException"));
        let unknown = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "unknown");
        assert_eq!(
            macie_says(&signed_by(unknown).await).await.as_deref(),
            Some("UnrecognizedClientException")
        );
        let without_token =
            Credentials::new(real.access_key_id(), real.secret_access_key(), None, None, "no token");
        assert_eq!(
            macie_says(&signed_by(without_token).await).await.as_deref(),
            Some("UnrecognizedClientException")
        );
        Ok(())
    })
}

#[test]
fn the_internal_routes_answer_nobody_without_the_secret() -> Result<()> {
    in_bare_sandbox(async {
        root().await;
        let route = format!("{}/_sandbox/principal?access_key=test", sandbox().endpoint());
        let answer = reqwest::Client::builder().no_proxy().build()?.get(route).send().await?;
        assert!(matches!(answer.status().as_u16(), 403 | 404), "{}", answer.status());
        Ok(())
    })
}

#[test]
fn a_role_kept_to_its_own_event_source_puts_no_others() -> Result<()> {
    in_bare_sandbox(async {
        let config = session(
            json!([{
                "Effect": "Allow", "Action": "events:PutEvents", "Resource": "*",
                "Condition": { "ForAllValues:StringEquals": { "events:source": ["cordon"] } }
            }]),
            None,
        )
        .await?;
        let events = aws_sdk_eventbridge::Client::new(&config);
        let entry = |source: &str| {
            PutEventsRequestEntry::builder().source(source).detail_type("Test").detail("{}").build()
        };
        events.put_events().entries(entry("cordon")).send().await?;
        let mixed = events.put_events().entries(entry("cordon")).entries(entry("other")).send().await;
        assert_eq!(code(mixed).as_deref(), Some("AccessDeniedException"));
        Ok(())
    })
}

#[test]
fn a_role_kept_to_one_cluster_and_to_one_rule_sees_no_others() -> Result<()> {
    in_bare_sandbox(async {
        let (own, other) = (unique("own"), unique("other"));
        let account = sandbox().account();
        let kept = json!([
            {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*",
                "Condition": {"ArnEquals": {"ecs:cluster": format!("arn:aws:ecs:us-east-1:{account}:cluster/{own}")}}},
            {"Effect": "Allow", "Action": "events:DescribeRule",
                "Resource": format!("arn:aws:events:us-east-1:{account}:rule/{own}")},
        ]);
        let ecs = aws_sdk_ecs::Client::new(&root().await);
        let events = aws_sdk_eventbridge::Client::new(&root().await);
        for name in [&own, &other] {
            ecs.create_cluster().cluster_name(name).send().await?;
            events.put_rule().name(name).event_pattern(json!({"source": ["x"]}).to_string()).send().await?;
        }
        let session = session(kept, None).await?;
        let (ecs, events) = (aws_sdk_ecs::Client::new(&session), aws_sdk_eventbridge::Client::new(&session));
        assert_eq!(code(ecs.list_tasks().cluster(&own).send().await), None);
        assert_eq!(code(events.describe_rule().name(&own).send().await), None);
        let denied = Some("AccessDeniedException".to_owned());
        assert_eq!(code(ecs.list_tasks().cluster(&other).send().await), denied);
        assert_eq!(code(events.describe_rule().name(&other).send().await), denied);
        Ok(())
    })
}

#[test]
fn a_role_kept_to_a_kind_of_item_writes_no_others_in_a_transaction_neither() -> Result<()> {
    in_bare_sandbox(async {
        let (owner, table) = (aws_sdk_dynamodb::Client::new(&root().await), unique("items"));
        owner
            .create_table()
            .table_name(&table)
            .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?)
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name("id")
                    .attribute_type(ScalarAttributeType::S)
                    .build()?,
            )
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await?;
        let statements = json!([{
            "Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": "*",
            "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["approval#*"] } }
        }]);
        let kept = aws_sdk_dynamodb::Client::new(&session(statements, None).await?);
        let update = |id: &str| kept.update_item().table_name(&table).key("id", AttributeValue::S(id.into()));
        update("approval#1").send().await?;
        assert_eq!(code(update("case#1").send().await).as_deref(), Some("AccessDeniedException"));
        let part = |id: &str| -> Result<TransactWriteItem> {
            let update = Update::builder().table_name(&table).key("id", AttributeValue::S(id.into()));
            let update = update
                .update_expression("SET a = :a")
                .expression_attribute_values(":a", AttributeValue::Bool(true))
                .build()?;
            Ok(TransactWriteItem::builder().update(update).build())
        };
        let both =
            kept.transact_write_items().transact_items(part("approval#1")?).transact_items(part("case#1")?);
        assert_eq!(code(both.send().await).as_deref(), Some("AccessDeniedException"));
        Ok(())
    })
}

#[test]
fn a_role_kept_to_the_buckets_of_its_account_reads_no_others_though_they_are_shared() -> Result<()> {
    in_bare_sandbox(async {
        let (bucket, ours) = (unique("foreign"), sandbox().account());
        let owner =
            s3(&signed_by(Credentials::new("999988887777", "test", None, None, "another account")).await);
        owner.create_bucket().bucket(&bucket).send().await?;
        owner.put_object().bucket(&bucket).key("object").send().await?;
        let grant = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ours}:root") },
            "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*")
        }] });
        owner.put_bucket_policy().bucket(&bucket).policy(grant.to_string()).send().await?;

        let mut statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
        let anywhere = s3(&session(json!([statement]), None).await?);
        anywhere.get_object().bucket(&bucket).key("object").send().await?;
        statement["Condition"] = json!({ "StringEquals": { "aws:ResourceAccount": ours } });
        let kept = s3(&session(json!([statement]), None).await?);
        let refused = kept.get_object().bucket(&bucket).key("object").send().await;
        assert_eq!(code(refused).as_deref(), Some("AccessDenied"));
        Ok(())
    })
}

#[test]
fn a_bucket_kept_to_one_role_opens_to_the_sessions_of_that_role_alone() -> Result<()> {
    in_bare_sandbox(async {
        let (owner, bucket) = (s3(&root().await), unique("kept"));
        owner.create_bucket().bucket(&bucket).send().await?;
        owner.put_object().bucket(&bucket).key("object").send().await?;
        let named = session(may(&["s3:GetObject"]), None).await?;
        let identity = aws_sdk_sts::Client::new(&named).get_caller_identity().send().await?;
        let session_arn = identity.arn.context("the session's ARN")?;
        let name = session_arn.split('/').nth(1).context("the role's name")?;
        let role = format!("arn:aws:iam::{}:role/{name}", sandbox().account());
        let kept = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject*", "Resource": format!("arn:aws:s3:::{bucket}/*"),
            "Condition": { "ArnNotEquals": { "aws:PrincipalArn": role } }
        }] });
        owner.put_bucket_policy().bucket(&bucket).policy(kept.to_string()).send().await?;

        s3(&named).get_object().bucket(&bucket).key("object").send().await?;
        let other = s3(&session(may(&["s3:GetObject"]), None).await?);
        let refused = other.get_object().bucket(&bucket).key("object").send().await;
        assert_eq!(code(refused).as_deref(), Some("AccessDenied"));
        Ok(())
    })
}

#[test]
fn a_task_role_kept_to_the_tasks_of_its_account_is_assumed_for_them() -> Result<()> {
    in_bare_sandbox(async {
        let config = root().await;
        let (iam, sts) = (aws_sdk_iam::Client::new(&config), aws_sdk_sts::Client::new(&config));
        for (account, refusal) in [(sandbox().account(), None), ("999988887777", Some("AccessDenied"))] {
            let trust = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": { "aws:SourceAccount": account },
                    "ArnLike": { "aws:SourceArn": format!("arn:aws:ecs:us-east-1:{account}:*") }
                }
            }] });
            let role =
                iam.create_role().role_name(unique("task")).assume_role_policy_document(trust.to_string());
            let arn = role.send().await?.role.context("a created role is described")?.arn;
            let assumed = sts.assume_role().role_arn(arn).role_session_name("session").send().await;
            assert_eq!(code(assumed).as_deref(), refusal, "{account}");
        }
        Ok(())
    })
}

#[test]
fn a_role_reaches_what_the_tags_of_its_session_name_and_without_them_nothing() -> Result<()> {
    in_bare_sandbox(async {
        let (config, owner) = (root().await, s3(&root().await));
        let (mine, other) = (unique("tagged"), unique("tagged"));
        for bucket in [&mine, &other] {
            owner.create_bucket().bucket(bucket).send().await?;
            owner.put_object().bucket(bucket).key("object").send().await?;
        }
        let iam = aws_sdk_iam::Client::new(&config);
        let caller = format!("arn:aws:iam::{}:root", sandbox().account());
        let role = async |condition: Value| -> Result<String> {
            let name = unique("tagged");
            let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
                "Principal": { "AWS": caller }, "Action": ["sts:AssumeRole", "sts:TagSession"], "Condition": condition }] });
            let created = iam.create_role().role_name(&name).assume_role_policy_document(trust.to_string());
            let arn = created.send().await?.role.context("a role")?.arn;
            let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::${aws:PrincipalTag/Bucket}/*" }] });
            let put = iam.put_role_policy().role_name(&name).policy_name("may");
            put.policy_document(policy.to_string()).send().await?;
            Ok(arn)
        };
        let assume = async |role: &str, bucket: Option<&str>| {
            let tag = |value: &str| aws_sdk_sts::types::Tag::builder().key("Bucket").value(value).build();
            let tags = bucket.map(|bucket| vec![tag(bucket).expect("key and value")]);
            let sts = aws_sdk_sts::Client::new(&config);
            let session = sts.assume_role().role_arn(role).role_session_name("session").set_tags(tags);
            let keys = session.send().await.map_err(|error| error.code().map(str::to_owned))?;
            let keys = keys.credentials.expect("credentials");
            let token = Some(keys.session_token);
            let keys = Credentials::new(keys.access_key_id, keys.secret_access_key, token, None, "session");
            Ok::<_, Option<String>>(s3(&signed_by(keys).await))
        };
        let reads = async |client: &aws_sdk_s3::Client, bucket: &str| {
            code(client.get_object().bucket(bucket).key("object").send().await)
        };
        let demanding = role(json!({ "StringLike": { "aws:RequestTag/Bucket": "?*" } })).await?;
        let refused = assume(&demanding, None).await.err().flatten();
        assert_eq!(refused.as_deref(), Some("AccessDenied"), "the trust demands a tag");
        let session = assume(&demanding, Some(&mine)).await.map_err(|code| anyhow::anyhow!("{code:?}"))?;
        assert_eq!(reads(&session, &mine).await, None);
        assert_eq!(reads(&session, &other).await.as_deref(), Some("AccessDenied"));
        // What is in a tag is no pattern.
        let session = assume(&demanding, Some("tagged-*")).await;
        assert!(session.is_err(), "STS takes no star in a tag");
        let lenient = role(json!({ "StringLike": { "aws:PrincipalAccount": "*" } })).await?;
        let session = assume(&lenient, None).await.map_err(|code| anyhow::anyhow!("{code:?}"))?;
        assert_eq!(reads(&session, &mine).await.as_deref(), Some("AccessDenied"), "no value, no permission");
        Ok(())
    })
}
