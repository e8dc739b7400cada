//! The only place that leaves the async threads: disk and CPU work of more than some tens of microseconds runs through here.

use tokio::task::JoinError;

/// The work panicked, or the runtime stopped before it ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("background work did not finish: {0}")]
pub struct Panicked(pub String);

/// Runs `work` on a thread that may block and waits for it. Work that has begun runs to its end even if the caller stops waiting.
///
/// # Errors
/// [`Panicked`] with the panic's message; the process goes on.
#[allow(clippy::disallowed_methods)]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Panicked(reason(error)))
}

fn reason(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic_message(panic.as_ref()),
        Err(_) => "the process is stopping".to_owned(),
    }
}

/// What a panic said, when it said it in text.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_result_comes_back() {
        assert_eq!(blocking(|| 6 * 7).await, Ok(42));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_message() {
        let literal = blocking(|| panic!("no such luck")).await;
        assert_eq!(literal, Err(Panicked("no such luck".into())));
        let formatted = blocking(|| panic!("shard {}", 7)).await;
        assert_eq!(formatted, Err(Panicked("shard 7".into())));
    }
}
