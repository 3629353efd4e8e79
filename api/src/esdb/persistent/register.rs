//! The groups that there are, as one stream of the ledger tells, each with its task.

use std::collections::HashMap;
use std::sync::Arc;

use cx_ledger::Direction;
use cx_model::StreamName;
use serde::{Deserialize, Serialize};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, mpsc, oneshot};

use super::super::fault::{Fault, GroupFault};
use super::super::store::{Store, system_event};
use super::command::Command;
use super::group::Group;
use super::settings::Definition;
use super::{Key, OWN};
use crate::serve::Drain;

/// The stream in which the groups are written down.
fn register() -> StreamName {
    StreamName::new(format!("{OWN}s")).expect("the name is short and plain")
}

/// What is written down of groups.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Put(Box<Definition>),
    Deleted(Key),
}

/// How many commands a group may leave unheard.
const COMMANDS: usize = 256;

struct Known {
    definition: Definition,
    /// The group's task, once somebody asked for it.
    task: Option<mpsc::Sender<Command>>,
}

/// The groups of an event store.
pub(in super::super) struct Groups {
    store: Arc<Store>,
    drain: Drain,
    /// None until the register was read.
    known: Mutex<Option<HashMap<Key, Known>>>,
}

impl Groups {
    pub fn new(store: Arc<Store>, drain: Drain) -> Self {
        Self { store, drain, known: Mutex::default() }
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    async fn read(&self) -> Result<HashMap<Key, Known>, Fault> {
        let mut known = HashMap::new();
        let mut next = 0;
        loop {
            let ledger = self.store.ledger();
            let read = ledger.read_stream(&register(), next, Direction::Forwards, 256).await?;
            let Some(last) = read.last() else { return Ok(known) };
            next = last.revision + 1;
            for event in &read {
                match serde_json::from_slice(&event.data) {
                    Ok(Line::Put(definition)) => {
                        let key = definition.key.clone();
                        known.insert(key, Known { definition: *definition, task: None });
                    }
                    Ok(Line::Deleted(key)) => {
                        known.remove(&key);
                    }
                    Err(error) => tracing::warn!(%error, "a line of the register is not read"),
                }
            }
        }
    }

    async fn write(&self, line: &Line) -> Result<(), Fault> {
        let data = serde_json::to_vec(line).map_err(|error| Fault::Failed(error.to_string()))?;
        let append = system_event(register(), "$PersistentSubscription", data.into());
        self.store.ledger().append(append).await?;
        Ok(())
    }

    /// Those that are known, read first if they were not.
    async fn known(&self) -> Result<MappedMutexGuard<'_, HashMap<Key, Known>>, Fault> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(self.read().await?);
        }
        Ok(MutexGuard::map(known, |known| known.as_mut().expect("the register was just read")))
    }

    /// Makes a group, or changes one.
    pub(super) async fn put(&self, mut definition: Definition, new: bool) -> Result<(), Fault> {
        let key = definition.key.clone();
        // Its streams must have names before it is written down.
        key.own("checkpoint")?;
        let mut known = self.known().await?;
        match known.get(&key) {
            Some(_) if new => return Err(key.fault(GroupFault::Exists)),
            None if !new => return Err(key.fault(GroupFault::Missing)),
            Some(before) => {
                definition.made = before.definition.made;
                definition.wanted.clone_from(&before.definition.wanted);
            }
            None => {}
        }
        self.write(&Line::Put(Box::new(definition.clone()))).await?;
        let before = known.insert(key, Known { definition, task: None });
        match before.and_then(|before| before.task) {
            Some(task) => stop(&task, false).await,
            None => Ok(()),
        }
    }

    /// Deletes a group and what it kept.
    pub(super) async fn delete(&self, key: &Key) -> Result<(), Fault> {
        let mut known = self.known().await?;
        let found = known.get_mut(key).ok_or_else(|| key.fault(GroupFault::Missing))?;
        let task = self.task_of(found).await?;
        self.write(&Line::Deleted(key.clone())).await?;
        known.remove(key);
        stop(&task, true).await
    }

    /// The task of a group.
    pub(super) async fn task(&self, key: &Key) -> Result<mpsc::Sender<Command>, Fault> {
        let mut known = self.known().await?;
        let found = known.get_mut(key).ok_or_else(|| key.fault(GroupFault::Missing))?;
        self.task_of(found).await
    }

    async fn task_of(&self, found: &mut Known) -> Result<mpsc::Sender<Command>, Fault> {
        if let Some(task) = found.task.as_ref().filter(|task| !task.is_closed()) {
            return Ok(task.clone());
        }
        let group = Group::open(Arc::clone(&self.store), found.definition.clone()).await?;
        let (sender, commands) = mpsc::channel(COMMANDS);
        tokio::spawn(group.work(commands, self.drain.watch()));
        found.task = Some(sender.clone());
        Ok(sender)
    }

    /// The groups of a stream, of all, or of everything.
    pub(super) async fn keys(&self, of: impl Fn(&Key) -> bool) -> Result<Vec<Key>, Fault> {
        let known = self.known().await?;
        let mut keys: Vec<Key> = known.keys().filter(|key| of(key)).cloned().collect();
        keys.sort_by(|a, b| (&a.stream, &a.group).cmp(&(&b.stream, &b.group)));
        Ok(keys)
    }
}

/// A group did not answer: it ended.
pub(super) fn ended<T>(_: T) -> Fault {
    Fault::Unavailable("the persistent subscription just ended; try again".into())
}

async fn stop(task: &mpsc::Sender<Command>, for_ever: bool) -> Result<(), Fault> {
    let (answer, stopped) = oneshot::channel();
    if task.send(Command::Stop { for_ever, answer }).await.is_err() {
        return Ok(());
    }
    stopped.await.map_err(ended)?
}
