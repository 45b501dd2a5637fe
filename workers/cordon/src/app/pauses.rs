//! The pause that stops every move, as `cordon pause` orders it.

use cordon_domain::pause::Pause;

use crate::{
    error::{Code, Error, Result},
    store::Cases,
};

/// Lets a move go on unless a pause is in force. Where one is, the case says so, and its execution waits to be resumed.
///
/// # Errors
/// `Paused`; otherwise as classified.
pub(crate) async fn stop_at(cases: &Cases, pause: Option<Pause>, case_id: &str) -> Result<()> {
    let Some(pause) = pause else { return Ok(()) };
    cases.mark_paused(case_id, &pause).await?;
    Err(Error::terminal(
        Code::Paused,
        format!(
            "Cordon was paused by {} at {} ({}). The run goes on after `cordon resume`.",
            pause.paused_by, pause.paused_at, pause.reason
        ),
    ))
}
