//! Who may use an environment now: several tests side by side, or one that disturbs the others, alone.

use anyhow::{Result, anyhow};
use tokio::sync::{OnceCell, watch};

use crate::runtime::waiting;

/// An environment that tests share. The first that needs it sets it up.
#[derive(Debug)]
pub struct Shared<T> {
    value: OnceCell<Result<T, String>>,
    turns: watch::Sender<Turns>,
}

#[derive(Clone, Copy, Debug)]
struct Turns {
    /// How many tests use it side by side at most.
    most: usize,
    running: usize,
    waiting: usize,
    alone: bool,
}

/// The turn of one test. It ends with this value.
#[derive(Debug)]
pub struct Turn<'a>(&'a watch::Sender<Turns>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|turns| {
            turns.running -= 1;
            turns.alone = false;
        });
    }
}

impl<T> Shared<T> {
    /// For this many tests side by side.
    pub fn new(most: usize) -> Self {
        let turns = Turns { most, running: 0, waiting: 0, alone: false };
        Self { value: OnceCell::new(), turns: watch::Sender::new(turns) }
    }

    /// For a test that disturbs nobody.
    ///
    /// # Errors
    /// Those of setting the environment up.
    pub async fn shared(&self, set_up: impl AsyncFnOnce() -> Result<T>) -> Result<(&T, Turn<'_>)> {
        self.turns.send_modify(|turns| turns.waiting += 1);
        self.begin(set_up, |turns| {
            let may = !turns.alone && turns.running < turns.most;
            if may {
                turns.waiting -= 1;
                turns.running += 1;
            }
            may
        })
        .await
    }

    /// For a test that must have the environment to itself. It begins when no other runs there or waits to.
    ///
    /// # Errors
    /// Those of setting the environment up.
    pub async fn alone(&self, set_up: impl AsyncFnOnce() -> Result<T>) -> Result<(&T, Turn<'_>)> {
        self.begin(set_up, |turns| {
            let may = turns.running == 0 && turns.waiting == 0;
            if may {
                turns.alone = true;
                turns.running += 1;
            }
            may
        })
        .await
    }

    /// The environment, for a test that has its turn.
    ///
    /// # Panics
    /// Where no test has set it up.
    pub fn get(&self) -> &T {
        let value = self.value.get().and_then(|value| value.as_ref().ok());
        value.expect("the test has its turn in the environment")
    }

    async fn begin(
        &self,
        set_up: impl AsyncFnOnce() -> Result<T>,
        take: impl Fn(&mut Turns) -> bool,
    ) -> Result<(&T, Turn<'_>)> {
        waiting(async {
            let mut changes = self.turns.subscribe();
            while !self.turns.send_if_modified(&take) {
                changes.changed().await?;
            }
            let turn = Turn(&self.turns);
            let set = async || set_up().await.map_err(|error| format!("{error:#}"));
            let value = self.value.get_or_init(set).await.as_ref();
            Ok((value.map_err(|error| anyhow!("the environment could not be set up: {error}"))?, turn))
        })
        .await
    }
}
