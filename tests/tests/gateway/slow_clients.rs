//! Clients that take their time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordon_tests::{clicks::GatewayEnv, run_test};
use futures::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Past every limit of the gateway, for a connection that has waited for another one's end too.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

async fn ask(url: &str, bytes: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").context("a URL")?).await?;
    stream.write_all(bytes).await?;
    Ok(stream)
}

async fn rest(mut stream: TcpStream) -> Result<String> {
    let mut answer = Vec::new();
    tokio::time::timeout(ANSWER_DEADLINE, stream.read_to_end(&mut answer))
        .await
        .context("the connection stays open")??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn who_sends_no_whole_request_is_cut_off_and_delays_nobody() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let cases = env.open(1).await?;
        let began = Instant::now();
        let head = "POST /slack/interactions HTTP/1.1\r\nhost: cordon\r\nconnection: close\r\n";
        let cut_heads = try_join_all((0..100).map(|_| ask(&gateway.url, head.as_bytes()))).await?;
        let cut_body = format!("{head}content-length: 1000\r\n\r\npayload=");
        let cut_bodies = try_join_all((0..100).map(|_| ask(&gateway.url, cut_body.as_bytes()))).await?;
        let click = env.click(&gateway.url, &cases[0]).await;
        ensure!(click.status == 200 && click.took < Duration::from_secs(3), "{click:?}");
        for answer in try_join_all(cut_bodies.into_iter().map(rest)).await? {
            ensure!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
        }
        ensure!(began.elapsed() < Duration::from_secs(6), "a body is waited for as long as Slack waits");
        for answer in try_join_all(cut_heads.into_iter().map(rest)).await? {
            ensure!(!answer.contains(" 200 "), "{answer:?}");
        }
        Ok(())
    })
}

#[test]
fn more_connections_than_it_takes_wait_for_their_turn_and_end_nothing() -> Result<()> {
    const TAKEN: usize = 512;
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = env.open(1).await?;
        let head = "POST /slack/interactions HTTP/1.1\r\n";
        let idle = try_join_all((0..TAKEN).map(|_| ask(&gateway.url, head.as_bytes()))).await?;
        let click = env.click(&gateway.url, &case[0]).await;
        ensure!(click.status == 200, "{click:?}");
        for answer in try_join_all(idle.into_iter().map(rest)).await? {
            ensure!(!answer.contains(" 200 "), "{answer:?}");
        }
        Ok(())
    })
}
