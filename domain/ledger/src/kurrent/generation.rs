//! One client of the event store, and what runs on its behalf.

use eventstore::Client;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::settings::KurrentSettings;
use super::trouble::Trouble;

/// One client. What runs on its behalf runs on a thread of its own and ends with it: the client
/// itself never ends the task that keeps its connection.
pub(super) struct Generation {
    pub client: Client,
    runtime: Option<Runtime>,
    dead: watch::Sender<bool>,
}

impl Generation {
    pub fn build(settings: &KurrentSettings) -> Result<Self, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::NotDone(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kurrent")
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let client = Client::with_runtime_handle(handle, settings.client());
        let client = client.map_err(|error| Trouble::Refused(error.to_string()))?;
        Ok(Self { client, runtime: Some(runtime), dead: watch::Sender::new(false) })
    }

    /// Takes it from those who wait for it.
    pub fn end(&self) {
        self.dead.send_replace(true);
    }

    /// Resolves when nothing more is to be expected of it.
    pub async fn died(&self) {
        let mut dead = self.dead.subscribe();
        let _ = dead.wait_for(|dead| *dead).await;
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
