//! A look at the head now and then, while somebody waits: it tells a quiet event store from a dead
//! one, and a quiet subscription from one that was forgotten.

use std::sync::{Arc, Weak};

use super::clients::Clients;
use super::read;

/// A look may take so many times as long after others failed.
const MOST: u32 = 16;

/// Looks as long as the clients are there.
pub(super) fn start(clients: &Arc<Clients>) {
    let pulse = clients.settings.patience.pulse;
    let clients = Arc::downgrade(clients);
    tokio::spawn(async move {
        let mut times = 1;
        loop {
            tokio::time::sleep(pulse).await;
            let Some(well) = look(&clients, times).await else { break };
            times = if well { 1 } else { (times * 2).min(MOST) };
        }
    });
}

/// Looks once; `None` if nobody is left to look for.
async fn look(clients: &Weak<Clients>, times: u32) -> Option<bool> {
    let clients = clients.upgrade()?;
    if !clients.somebody_waits() {
        return Some(true);
    }
    let Ok(generation) = clients.get().await else { return Some(false) };
    let limit = clients.settings.patience.look * times;
    let newest = read::newest(generation.client.clone(), clients.settings.authentication());
    let reason = match tokio::time::timeout(limit, newest).await {
        Ok(Ok(head)) => {
            clients.answered();
            clients.saw(head.unwrap_or_default());
            return Some(true);
        }
        // It lives; who waits hears of it, and the client goes to the leader by itself.
        Ok(Err(eventstore::Error::AccessDenied | eventstore::Error::NotLeaderException(_))) => {
            return Some(true);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no sign of life".into(),
    };
    clients.fail(&generation, reason, true);
    Some(false)
}
