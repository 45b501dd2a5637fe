//! What a release has left behind while it was at work. `freeze-release` writes it, once for each release; the next one has to
//! end it.

mod case;
mod cycle;

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use cordon::clock;
use cordon_domain::time::Time;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::{case::FrozenCase, cycle::FrozenCycle};
use crate::{TestEnv, eventually};

/// Where they are, a directory for each release.
pub const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/upgrade");

/// Work of a release, in its middle.
#[derive(Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// When; what it holds lies as far back from then as it is to lie from today.
    pub at: Time,
    /// What.
    pub work: Work,
}

/// The kinds of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// On one object.
    Case(Box<FrozenCase>),
    /// On the buckets of a batch.
    Cycle(Box<FrozenCycle>),
}

impl Frozen {
    /// Begins every kind of work and freezes it, for a release.
    ///
    /// # Errors
    /// When it does not come to where it is to be frozen, or a file cannot be written.
    pub async fn write_all(env: &TestEnv, release: &str) -> Result<()> {
        let directory = Path::new(DIRECTORY).join(release);
        fs::create_dir_all(&directory)?;
        let write = |name: &str, work: Work| -> Result<()> {
            let text = serde_json::to_string_pretty(&Frozen { at: clock::now(), work })?;
            Ok(fs::write(directory.join(format!("{name}.json")), text + "\n")?)
        };
        let case = |frozen| Work::Case(Box::new(frozen));
        write("review", case(FrozenCase::review(env, release).await?))?;
        write("snooze", case(FrozenCase::snooze(env, release).await?))?;
        write("vote", case(FrozenCase::vote(env, release).await?))?;
        write("restore", case(FrozenCase::restore(env, release).await?))?;
        write("restore_request", case(FrozenCase::restore_request(env, release).await?))?;
        write("cycle", Work::Cycle(Box::new(FrozenCycle::scan(env, release).await?)))
    }

    /// All of all releases, each with what it is called.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all() -> Result<Vec<(String, Frozen)>> {
        let mut all = Vec::new();
        for release in fs::read_dir(DIRECTORY)? {
            for file in fs::read_dir(release?.path())? {
                let path = file?.path();
                let text = fs::read_to_string(&path)?;
                let frozen = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
                all.push((path.strip_prefix(DIRECTORY)?.display().to_string(), frozen));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }
}

/// An execution that waits.
#[derive(Debug, Serialize, Deserialize)]
struct FrozenExecution {
    /// The stem of its state machine.
    machine: String,
    /// Its name.
    name: String,
    /// The state that it waits in.
    state: String,
    /// What it holds there.
    input: Value,
    /// The definition that it began with.
    definition: Value,
}

impl FrozenExecution {
    /// The execution as it is, in the state that it entered last.
    async fn of(env: &TestEnv, run: &str) -> Result<Self> {
        let (state, input) = entered(env, run).await?;
        let definition = env.sfn.describe_state_machine_for_execution().execution_arn(run).send().await?;
        let machine = definition.name.rsplit_once('-').map_or(&*definition.name, |(_, stem)| stem).to_owned();
        Ok(Self {
            machine,
            name: run.rsplit(':').next().unwrap_or_default().into(),
            state,
            input,
            definition: serde_json::from_str(&definition.definition)?,
        })
    }

    /// Its ARN here.
    fn arn(&self, env: &TestEnv) -> Result<String> {
        let executions = env.machine(&self.machine)?.replace(":stateMachine:", ":execution:");
        Ok(format!("{executions}:{}", self.name))
    }

    /// Lets it go on from the state that it waits in, as `definition` has it and with this input.
    async fn go_on(&self, env: &TestEnv, mut definition: Value, input: &Value) -> Result<()> {
        let (arn, machine) = (self.arn(env)?, env.machine(&self.machine)?);
        definition["StartAt"] = json!(self.state);
        let now = env.sfn.describe_state_machine().state_machine_arn(machine).send().await?.definition;
        let define = async |text: &str| {
            env.sfn.update_state_machine().state_machine_arn(machine).definition(text).send().await
        };
        define(&definition.to_string()).await?;
        let start = env.sfn.start_execution().state_machine_arn(machine).name(&self.name);
        let started = start.input(input.to_string()).send().await;
        // On AWS an execution keeps the definition that it began with, here from its first state on.
        let entered = eventually("the first state", async || {
            Ok(env.states(&arn).await?.first().map(|first| *first == self.state))
        });
        let entered = entered.await;
        define(&now).await?;
        ensure!(started?.execution_arn == arn && entered?, "it is not where {arn} was");
        Ok(())
    }
}

/// The state that an execution entered last, with its input.
async fn entered(env: &TestEnv, run: &str) -> Result<(String, Value)> {
    let history = env.history(run).await?;
    let entered = history.into_iter().rev().find_map(|event| event.state_entered_event_details);
    let entered = entered.context("it is in a state")?;
    Ok((entered.name, serde_json::from_str(entered.input.as_deref().unwrap_or("{}"))?))
}

/// Times as far back as they were when they were frozen.
#[derive(Clone, Copy, Debug)]
pub struct Shift(SignedDuration);

impl Shift {
    /// From then to today.
    pub fn since(at: Time) -> Self {
        Self(clock::now().timestamp().duration_since(at.timestamp()))
    }

    /// Moves every time in it, also where one begins a text.
    fn apply(self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let (time, rest) = text.find('#').map_or((&**text, ""), |at| text.split_at(at));
                if let Ok(time) = time.parse::<Time>() {
                    *text = format!("{}{rest}", time + self.0);
                }
            }
            Value::Array(all) => all.iter_mut().for_each(|value| self.apply(value)),
            Value::Object(all) => all.values_mut().for_each(|value| self.apply(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn of(self, value: &Value) -> Value {
        let mut value = value.clone();
        self.apply(&mut value);
        value
    }
}

/// An item, as DynamoDB writes it.
type Item = Map<String, Value>;

async fn put_item(env: &TestEnv, table: &str, item: &Value) -> Result<()> {
    let request = json!({"TableName": env.deployment.output(table)?, "Item": item});
    env.deployment.call("dynamodb", "DynamoDB_20120810.PutItem", &request).await.map(|_| ())
}

/// An item without the tokens, which are of its execution alone.
async fn get_item(env: &TestEnv, table: &str, key: Value) -> Result<Item> {
    let request = json!({"TableName": env.deployment.output(table)?, "Key": key, "ConsistentRead": true});
    let mut answer = env.deployment.call("dynamodb", "DynamoDB_20120810.GetItem", &request).await?;
    let Value::Object(item) = answer["Item"].take() else { anyhow::bail!("there is no {key}") };
    Ok(without_tokens(item))
}

fn without_tokens(mut item: Item) -> Item {
    item.remove("task_token");
    item.remove("resume_token");
    item
}
