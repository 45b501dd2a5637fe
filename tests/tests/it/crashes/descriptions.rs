//! What describes an object besides its bytes: tags and annotations, where something stands in their way.

use anyhow::{Context, Result, ensure};
use cordon_tests::run_test;
use serde_json::json;

use super::{
    fixture::Fixture,
    promise,
    scenario::{ANNOTATIONS, SCENARIOS, Scenario, Task, put},
};

fn scenario(name: &str) -> Result<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).context("there is such a scenario")
}

#[test]
fn an_object_whose_tags_or_annotations_may_not_be_read_is_left_alone() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        for name in ["small", "multipart"] {
            for denied in ["s3:GetObject*Annotation", "s3:GetObject*Tagging"] {
                let task = scenario(name)?.prepare(fixture).await?;
                let bucket = &task.case.object().bucket;
                let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": denied,
                    "Principal": {"AWS": fixture.settings["CORDON_MOVER_ROLE_ARN"]},
                    "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
                fixture.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
                let what = format!("{name} without {denied}");
                let failure = fixture.worker.run_once(task.stem, task.input.to_string()).await.err();
                let failure = failure.with_context(|| format!("{what}: it was moved"))?;
                ensure!(failure.code == "AccessDenied", "{what}: {failure:?}");
                promise::is_at_source(fixture, &task).await.context(what)?;
            }
        }
        Ok(())
    })
}

#[test]
fn what_is_at_its_place_already_gets_what_it_lacks_and_is_not_changed() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        for name in ["small, back", "multipart, back"] {
            let lacking = prepared(fixture, name).await?;
            let (bucket, key) = (&lacking.case.object().bucket, &lacking.case.object().key);
            let annotation = fixture.s3.delete_object_annotation().bucket(bucket).key(key);
            annotation.annotation_name(ANNOTATIONS[0].0).send().await?;
            if name.starts_with("multipart") {
                fixture.s3.delete_object_tagging().bucket(bucket).key(key).send().await?;
            }
            let answer = fixture.run_to_the_end(&lacking, |_| cordon_sandbox::Intervention::Pass).await?;
            promise::is_kept(fixture, &lacking, &answer).await.context(name)?;

            let otherwise = prepared(fixture, name).await?;
            let (bucket, key) = (&otherwise.case.object().bucket, &otherwise.case.object().key);
            let annotation = fixture.s3.put_object_annotation().bucket(bucket).key(key);
            let annotation = annotation.annotation_name(ANNOTATIONS[0].0);
            annotation.annotation_payload(b"somebody's own".to_vec().into()).send().await?;
            let failure = fixture.worker.run_once(otherwise.stem, otherwise.input.to_string()).await.err();
            let failure = failure.with_context(|| format!("{name}: it was put back"))?;
            ensure!(failure.code == "ObjectExists", "{name}: {failure:?}");
            let kept = fixture.s3.get_object_annotation().bucket(bucket).key(key);
            let kept = kept.annotation_name(ANNOTATIONS[0].0).send().await?.annotation_payload;
            ensure!(kept.collect().await?.to_vec() == b"somebody's own", "{name}: it was overwritten");
        }
        Ok(())
    })
}

/// An object in quarantine, and the same one at its place again.
async fn prepared(fixture: &Fixture, name: &str) -> Result<Task> {
    let task = scenario(name)?.prepare(fixture).await?;
    put(fixture, &task.case.object().bucket, &task.named[0].bytes).await?;
    Ok(task)
}
