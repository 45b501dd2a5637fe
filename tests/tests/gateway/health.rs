//! What the health check proves, and that it cannot be used for load.

use anyhow::{Result, ensure};
use cordon_sandbox::{CallFilter, Fault, FaultRule};
use cordon_tests::{
    clicks::{GATEWAY, GatewayEnv, TABLE},
    eventually, run_test,
};
use futures::future::try_join_all;

#[test]
fn the_health_check_names_the_store_that_fails_and_nothing_more() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        for (service, operation, says) in [
            ("dynamodb", "GetItem", "the table of cases cannot be read\n"),
            ("s3", "GetObject", "the policy cannot be read\n"),
        ] {
            env.sandbox.faults().inject(FaultRule {
                service: service.into(),
                operation: Some(operation.into()),
                principal: Some(GATEWAY.into()),
                kind: Fault::InternalError,
                times: 1_000,
            });
            let told = eventually("a failing health check", async || {
                let (status, told) = env.get(&gateway, "/healthz").await?;
                Ok((status == 503).then_some(told))
            });
            ensure!(told.await? == says);
            ensure!(env.get(&gateway, "/livez").await? == (200, "ok\n".into()), "no restart would help");
            env.sandbox.faults().clear();
            eventually("a health check that passes again", async || {
                Ok((env.get(&gateway, "/healthz").await? == (200, "ok\n".into())).then_some(()))
            })
            .await?;
        }
        Ok(())
    })
}

#[test]
fn a_flood_of_health_checks_asks_the_stores_a_few_times_only() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let before = env.sandbox.calls().last();
        let began = std::time::Instant::now();
        for _ in 0..10 {
            let checks = try_join_all((0..50).map(|_| env.get(&gateway, "/healthz"))).await?;
            ensure!(checks.iter().all(|(status, _)| *status == 200));
        }
        let asked = env.sandbox.calls().select(&CallFilter {
            after: Some(before),
            principal: Some(GATEWAY.into()),
            ..CallFilter::default()
        });
        let periods = usize::try_from(began.elapsed().as_secs() / 5)? + 1;
        ensure!(
            asked.len() <= 2 * periods,
            "500 checks asked {TABLE} and the state bucket {} times",
            asked.len()
        );
        Ok(())
    })
}
