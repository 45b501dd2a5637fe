//! What Terraform's provider reads back, where reading it back wrong would make every plan a change.

use anyhow::Result;
use serde_json::{Value, json};

use super::harness::{in_bare_sandbox, root, sandbox, unique};

/// Calls CloudWatch in the query protocol, as the provider does. The root user's signature is not verified.
async fn cloudwatch(body: String) -> Result<String> {
    let scope = format!("{}/20260101/{}/monitoring/aws4_request", sandbox().account(), sandbox().region());
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .post(sandbox().endpoint())
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .header("x-amz-date", "20260101T000000Z")
        .body(body)
        .send()
        .await?;
    Ok(answer.error_for_status()?.text().await?)
}

#[test]
fn describe_alarms_answers_whole_alarms_in_the_query_protocol() -> Result<()> {
    in_bare_sandbox(async {
        root().await;
        let (name, topic) = (unique("alarm"), "arn:aws:sns:us-east-1:111122223333:operators");
        let put = [
            "Action=PutMetricAlarm&Version=2010-08-01&Namespace=AWS%2FStates&MetricName=ExecutionsFailed&Statistic=Sum",
            "&Period=300&EvaluationPeriods=1&Threshold=0&ComparisonOperator=GreaterThanThreshold",
            "&TreatMissingData=notBreaching&ActionsEnabled=true&AlarmDescription=Runs%20%26%20failures",
            "&Dimensions.member.1.Name=StateMachineArn&Dimensions.member.1.Value=machine",
        ];
        cloudwatch(format!("{}&AlarmName={name}&AlarmActions.member.1={topic}", put.concat())).await?;
        let answer =
            cloudwatch(format!("Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1={name}"))
                .await?;
        for part in [
            format!("<AlarmName>{name}</AlarmName>"),
            format!("<AlarmActions><member>{topic}</member></AlarmActions>"),
            "<ActionsEnabled>true</ActionsEnabled>".into(),
            "<AlarmDescription>Runs &amp; failures</AlarmDescription>".into(),
            "<Period>300</Period>".into(),
            "<Statistic>Sum</Statistic>".into(),
            "<TreatMissingData>notBreaching</TreatMissingData>".into(),
            "<Dimensions><member><Name>StateMachineArn</Name><Value>machine</Value></member></Dimensions>"
                .into(),
        ] {
            assert!(answer.contains(&part), "{part} is not in {answer}");
        }
        Ok(())
    })
}

#[test]
fn an_alarm_on_an_expression_is_answered_with_its_queries_and_without_a_metric_of_its_own() -> Result<()> {
    in_bare_sandbox(async {
        root().await;
        let name = unique("alarm");
        let put = [
            "Action=PutMetricAlarm&Version=2010-08-01&EvaluationPeriods=3&DatapointsToAlarm=3&Threshold=1",
            "&ComparisonOperator=GreaterThanOrEqualToThreshold&TreatMissingData=ignore&ActionsEnabled=true",
            "&Metrics.member.1.Id=scheduled&Metrics.member.1.ReturnData=false&Metrics.member.1.MetricStat.Period=300",
            "&Metrics.member.1.MetricStat.Stat=Sum&Metrics.member.1.MetricStat.Metric.Namespace=AWS%2FStates",
            "&Metrics.member.1.MetricStat.Metric.MetricName=ActivitiesScheduled",
            "&Metrics.member.1.MetricStat.Metric.Dimensions.member.1.Name=ActivityArn",
            "&Metrics.member.1.MetricStat.Metric.Dimensions.member.1.Value=activity",
            "&Metrics.member.2.Id=waiting&Metrics.member.2.ReturnData=true&Metrics.member.2.Label=Waiting",
            "&Metrics.member.2.Expression=FILL%28scheduled%2C%200%29%20%3E%200",
        ];
        cloudwatch(format!("{}&AlarmName={name}", put.concat())).await?;
        let answer =
            cloudwatch(format!("Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1={name}"))
                .await?;
        for part in [
            "<Id>scheduled</Id>",
            "<MetricName>ActivitiesScheduled</MetricName>",
            "<Dimensions><member><Name>ActivityArn</Name><Value>activity</Value></member></Dimensions>",
            "<Period>300</Period>",
            "<Stat>Sum</Stat>",
            "<ReturnData>false</ReturnData>",
            "<Expression>FILL(scheduled, 0) &gt; 0</Expression>",
            "<Label>Waiting</Label>",
            "<ReturnData>true</ReturnData>",
            "<DatapointsToAlarm>3</DatapointsToAlarm>",
        ] {
            assert!(answer.contains(part), "{part} is not in {answer}");
        }
        for part in ["<Statistic>", "<Period>60</Period>", "<MetricName></MetricName>"] {
            assert!(!answer.contains(part), "{part} is in {answer}");
        }
        Ok(())
    })
}

#[test]
fn a_trail_keeps_the_tags_that_it_is_made_with() -> Result<()> {
    in_bare_sandbox(async {
        let trail = async |operation: &str, request: Value| {
            let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}");
            sandbox().emulator().call("cloudtrail", &target, &request).await
        };
        let tags = json!([{"Key": "team", "Value": "security"}]);
        let made =
            trail("CreateTrail", json!({"Name": unique("trail"), "S3BucketName": "audit", "TagsList": tags}))
                .await?;
        let listed = trail("ListTags", json!({"ResourceIdList": [made["TrailARN"]]})).await?;
        assert_eq!(listed["ResourceTagList"][0]["TagsList"], tags, "{listed}");
        for (name, value) in [("my--trail", "security"), ("-trail", "security"), (&*unique("trail"), "")] {
            let tags = json!([{"Key": "team", "Value": value}]);
            let refused =
                trail("CreateTrail", json!({"Name": name, "S3BucketName": "audit", "TagsList": tags})).await;
            assert!(refused.is_err(), "{name} with {value:?} is taken");
        }
        Ok(())
    })
}

#[test]
fn what_is_said_of_a_security_group_has_no_other_signs_than_ec2_takes() -> Result<()> {
    in_bare_sandbox(async {
        for (description, is_taken) in
            [("The worker of Cordon: nothing comes in.", true), ("Cordon's worker.", false), ("über", false)]
        {
            let name = unique("group");
            let parameters = [("GroupName", &*name), ("GroupDescription", description)];
            let made =
                sandbox().emulator().query("ec2", "CreateSecurityGroup", "2016-11-15", &parameters).await;
            assert_eq!(made.is_ok(), is_taken, "{description}: {made:?}");
        }
        Ok(())
    })
}
