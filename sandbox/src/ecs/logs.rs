//! A container's output in CloudWatch Logs, written with the execution role.

use std::io::SeekFrom;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::definition::Container;
use crate::front_door::records;

const INTERVAL: Duration = Duration::from_secs(1);
/// Of one call; CloudWatch Logs takes 10,000 events and 1 MiB.
const MAX_EVENTS: usize = 1_000;
const MAX_READ: u64 = 512 << 10;

/// How long the last lines may take.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes a log until it is ended, or dropped.
pub(super) struct LogStream {
    has_ended: CancellationToken,
    writes: AbortOnDropHandle<()>,
}

impl LogStream {
    /// Makes the stream, as the log driver does before the container starts, and begins to write what comes to `file`.
    pub(super) async fn open(
        execution: &SdkConfig,
        container: &Container,
        task_id: &str,
        file: PathBuf,
    ) -> anyhow::Result<LogStream> {
        const FAILED: &str = "ResourceInitializationError: failed to validate logger args";
        let logging = container.log_configuration.as_ref();
        let logging = logging.with_context(|| format!("{FAILED}: the container has no log configuration"))?;
        if logging.log_driver != "awslogs" {
            bail!("{FAILED}: the sandbox writes to awslogs only");
        }
        let option = |name: &str| {
            logging.options.get(name).cloned().with_context(|| format!("{FAILED}: {name} is missing"))
        };
        let group = option("awslogs-group")?;
        let stream = format!("{}/{}/{task_id}", option("awslogs-stream-prefix")?, container.name);
        let client = Client::new(execution);
        let create = client.create_log_stream().log_group_name(&group).log_stream_name(&stream);
        create.send().await.map_err(|error| {
            let why = aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata::message(&error)
                .unwrap_or("no answer")
                .to_owned();
            anyhow::anyhow!("{FAILED}: the execution role cannot write to {group}: {why}")
        })?;
        let has_ended = CancellationToken::new();
        let write = write(client, group, stream, file, has_ended.clone());
        Ok(LogStream { has_ended, writes: AbortOnDropHandle::new(tokio::spawn(write)) })
    }

    /// Writes what the container has said at last.
    pub(super) async fn end(self) {
        self.has_ended.cancel();
        // A log that cannot be written stops no task.
        let _ = tokio::time::timeout(END_TIMEOUT, self.writes).await;
    }
}

async fn write(client: Client, group: String, stream: String, file: PathBuf, has_ended: CancellationToken) {
    let (mut at, mut rest, mut is_last) = (0, Vec::new(), false);
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = has_ended.cancelled() => is_last = true,
        }
        if let Ok(read) = read(&file, at).await {
            at += read.len() as u64;
            rest.extend(read);
        }
        let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else { continue };
        let whole: Vec<u8> = rest.drain(..=end).collect();
        records::keep_metrics(&whole);
        let now = jiff::Timestamp::now().as_millisecond();
        let events: Vec<_> = String::from_utf8_lossy(&whole)
            .lines()
            .filter(|line| !line.is_empty())
            .filter_map(|line| InputLogEvent::builder().timestamp(now).message(line).build().ok())
            .collect();
        for some in events.chunks(MAX_EVENTS) {
            let put = client.put_log_events().log_group_name(&group).log_stream_name(&stream);
            // A log that cannot be written stops no task.
            if let Err(error) = put.set_log_events(Some(some.to_vec())).send().await {
                tracing::debug!(error = %error, group, "log lines were lost");
            }
        }
    }
}

async fn read(file: &PathBuf, at: u64) -> std::io::Result<Vec<u8>> {
    let mut file = tokio::fs::File::open(file).await?;
    file.seek(SeekFrom::Start(at)).await?;
    let mut read = Vec::new();
    file.take(MAX_READ).read_to_end(&mut read).await?;
    Ok(read)
}
