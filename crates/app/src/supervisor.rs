//! What the service manager is told (systemd's `sd_notify`), where one has started us.
//!
//! Promises: without `NOTIFY_SOCKET` nothing happens; a manager that cannot be told is logged once
//! and does no harm. The only reader of these variables.

use std::time::Duration;

use sd_notify::NotifyState;

/// Requests are answered from now on.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Files are being read again; [`ready`] says that it is over.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    match now {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Shows that we live as often as the manager wants it, for as long as it is polled: a process
/// whose tasks do not get their turn any more is started anew.
pub async fn keep_alive() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let mut turns = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    loop {
        turns.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    static TOLD: std::sync::Once = std::sync::Once::new();
    if let Err(error) = sd_notify::notify(states) {
        TOLD.call_once(|| tracing::warn!(%error, "tell the service manager"));
    }
}
