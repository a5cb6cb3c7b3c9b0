//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a command that a signal ended early, as shells report SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// A listener for SIGINT (Ctrl-C) and SIGTERM. It does not miss a signal that arrives between two calls.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal. Returns at once if one arrived before this call.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs the work and returns its output, or `None` if a signal arrives first. The work is dropped then.
    pub(crate) async fn run_until_signal<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = work => Some(output),
            () = self.wait() => None,
        }
    }
}
