//! Looks at the event store now and then, while somebody waits for it: whether it lives, which tells
//! a quiet one from a dead one, and how far it is, which tells a quiet subscription from one that
//! was forgotten.

use std::sync::Arc;

use eventstore::{Client, Error, ReadStreamOptions};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, interval_at, timeout};

use super::clients::Clients;
use super::generation::Generation;
use super::read;
use super::settings::KurrentSettings;
use super::trouble::said;

/// A stream that is not there: to be told so is the least that an event store can be asked for.
const NOWHERE: &str = "cxledger-pulse";
/// So many new connections are asked for a sign of life at the same time.
const SIDE_BY_SIDE: u32 = 8;

/// Looks as long as the clients are there.
pub(super) fn start(clients: &Arc<Clients>) {
    now_and_then(clients, find_life);
    now_and_then(clients, find_head);
}

fn now_and_then<F>(clients: &Arc<Clients>, look: impl Fn(Arc<Clients>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let pulse = clients.settings.patience.pulse;
    let clients = Arc::downgrade(clients);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pulse).await;
            let Some(clients) = clients.upgrade() else { break };
            if clients.somebody_waits() {
                look(clients).await;
            }
        }
    });
}

/// Looks until a connection gives a sign of life or fails.
///
/// One that says nothing for a while may be far away, or dead since the network forgot it. Nothing
/// tells which, so it is asked on, and new ones beside it: whichever answers first is used from
/// then on. So a network that comes back is used at once, however long it was away.
async fn find_life(clients: Arc<Clients>) {
    let Ok(current) = clients.get().await else { return };
    let look = clients.settings.patience.look;
    let mut asked = FuturesUnordered::new();
    asked.push(ask(&clients.settings, Arc::clone(&current)));
    let mut late = interval_at(Instant::now() + look, look);
    loop {
        let answered = tokio::select! {
            Some(answered) = asked.next() => Some(answered),
            _ = late.tick() => None,
        };
        match answered {
            Some((generation, Ok(()))) => {
                if !Arc::ptr_eq(&generation, &current) {
                    clients.replace(&current, generation);
                }
                return clients.answered();
            }
            Some((generation, Err(reason))) if Arc::ptr_eq(&generation, &current) => {
                return clients.fail(&current, reason, true);
            }
            // A new one failed; another is asked soon.
            Some(_) => {}
            None if !clients.somebody_waits() => return,
            None => {
                clients.silent();
                if let Ok(new) = clients.build().await {
                    asked.push(ask(&clients.settings, new));
                }
            }
        }
    }
}

/// Asks a client for a sign of life.
async fn ask(
    settings: &KurrentSettings,
    generation: Arc<Generation>,
) -> (Arc<Generation>, Result<(), String>) {
    let within = settings.patience.look * SIDE_BY_SIDE;
    let answer = match timeout(within, sign_of_life(&generation.client, settings)).await {
        Ok(answer) => answer.map_err(|error| said(&error)),
        Err(_) => Err("no sign of life".into()),
    };
    (generation, answer)
}

async fn sign_of_life(client: &Client, settings: &KurrentSettings) -> Result<(), Error> {
    let options = ReadStreamOptions::default().max_count(1);
    let options = match settings.authentication() {
        Some(who) => options.authenticated(who),
        None => options,
    };
    let answer = async { client.read_stream(NOWHERE, &options).await?.next().await };
    match answer.await {
        // Where another node leads, the client goes there by itself.
        Ok(_)
        | Err(Error::ResourceNotFound | Error::AccessDenied | Error::NotLeaderException(_)) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Looks how far the event store is. The newest event comes whole, which may take longer than a sign
/// of life.
async fn find_head(clients: Arc<Clients>) {
    let who = clients.settings.authentication();
    let deadline = Instant::now() + clients.settings.patience.answer;
    let newest = |client| read::newest(client, who);
    if let Ok(head) = clients.attempt(deadline, newest).await {
        clients.saw(head.unwrap_or_default());
    }
}
