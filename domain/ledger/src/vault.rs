//! The vault: keys of customers, and personal values sealed under them.
//!
//! An immutable log cannot be sealed later, so every personal value is sealed before it is
//! appended, under a key of its customer. Destroying that key erases the values wherever they were
//! copied, while the events, their digests and every count stay as they are.
//!
//! Three layers of keys: the *ledger key* lies outside (see [`KeySource`]) and opens the key
//! store's secret; the secret wraps the customers' data keys, keys the hashes of identifiers and
//! seals what belongs to no customer; a data key seals its customer's values, each under a key of
//! its own. A new ledger key therefore means one new header, not new events.

mod keys;
mod seal;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use cx_model::{CustomerId, Event, NewEvent, Personal, SealedValue, StreamName};
use hkdf::Hkdf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use keys::{KEY_FILE, KEY_FILE_VARIABLE, KEY_VARIABLE, KeySource, PASSPHRASE_VARIABLE};
use seal::{Key, random};
pub use seal::{Place, is_sealed_form};
pub use slots::STORE_FILE;
use slots::{Header, Held, Slots, Wrapped};

/// The category of the streams that hold claims of identifiers.
pub const IDENTIFIER_CATEGORY: &str = "identifier";

/// The name of the ledger's own key in sealed values.
const LEDGER_KEY: &str = "ledger";

/// The vault refused or could not.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The customer was erased.
    #[error("customer {customer} was erased; nothing can be sealed for them any more")]
    Erased {
        /// Who.
        customer: CustomerId,
    },
    /// There is no key file where one should be.
    #[error(
        "there is no key file at {path}; restore it from where the ledger's key is kept, or name it in {KEY_FILE_VARIABLE}"
    )]
    NoKeyFile {
        /// Where.
        path: PathBuf,
    },
    /// The text is no key.
    #[error("{place} does not hold a ledger key: 64 hexadecimal digits")]
    MalformedKey {
        /// Where it came from.
        place: String,
    },
    /// The key does not open this key store.
    #[error("the ledger key does not open {path}; it belongs to another ledger")]
    WrongKey {
        /// The key store.
        path: PathBuf,
    },
    /// Another process has the key store open for writing.
    #[error("another process writes {path}; ask the running server, or stop it first")]
    Locked {
        /// The key store.
        path: PathBuf,
    },
    /// The vault was opened to read.
    #[error("{path} was opened to read only")]
    ReadOnly {
        /// The key store.
        path: PathBuf,
    },
    /// Both headers of the key store are damaged.
    #[error("{path} is no key store or is damaged; restore it from a backup")]
    Damaged {
        /// The key store.
        path: PathBuf,
    },
    /// A slot of the key store is damaged or missing.
    #[error(
        "key {key} is damaged or missing in the key store, or the key store is not the one that \
         sealed this ledger's values; all nodes of a ledger share one directory of keys: name it in \
         CXLEDGER_KEYS, or restore it from a backup"
    )]
    NoKey {
        /// The key's name.
        key: String,
    },
    /// A value does not open at its place.
    #[error("the value {field} of event {event} in stream {stream} does not open: {reason}")]
    Unopenable {
        /// The stream.
        stream: StreamName,
        /// The event.
        event: Uuid,
        /// The field's path.
        field: String,
        /// Why.
        reason: &'static str,
    },
    /// No key is meant for personal values in such a stream.
    #[error("stream {stream} belongs to no customer, so it cannot hold personal values")]
    NoSubject {
        /// The stream.
        stream: StreamName,
    },
    /// There is no room on the disk.
    #[error("no space left for keys in {path}; free some, then try again")]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// A sync failed before.
    #[error(
        "the key store {path} stopped writing after a failed sync ({reason}); check the disk, then restart"
    )]
    Poisoned {
        /// The key store.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {reason}")]
    Random {
        /// How.
        reason: String,
    },
}

impl VaultError {
    fn io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        if error.kind() == std::io::ErrorKind::StorageFull {
            Self::NoSpace { path }
        } else {
            Self::Io { path, reason: error.to_string() }
        }
    }
}

/// What became of a sealed value.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    /// The value, as JSON. Wiped when it is dropped.
    Clear(Zeroizing<Vec<u8>>),
    /// Its customer was erased. It reads as `ERASED`.
    Erased,
}

/// Which keys sealed a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedBy {
    /// These, as far as was looked.
    TheseKeys,
    /// A key that was destroyed, of the same customer.
    Destroyed,
    /// Nobody can tell: the slot is damaged, or wiped although later ones are not.
    Damaged {
        /// The slot.
        number: u64,
    },
    /// Others.
    OtherKeys,
}

/// How many keys a vault has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCounts {
    /// Keys that open values.
    pub live: u64,
    /// Keys that were destroyed.
    pub destroyed: u64,
    /// Slots whose bytes are not what was written.
    pub damaged: u64,
}

/// The keys of a ledger, and what can be done with them. Clone it in an `Arc`; every call may wait
/// for the disk for as long as a sync takes, where a new key is made or one is destroyed.
pub struct Vault {
    slots: Slots,
    wrapping: Key,
    identifiers: Key,
    ids: Key,
    own: Key,
}

impl Vault {
    /// Opens the vault of a data directory, or makes one. One process writes at a time.
    pub fn open(directory: &Path, source: &KeySource) -> Result<Self, VaultError> {
        let (slots, header) = Slots::open(directory, || fresh(directory, source))?;
        Self::unlock(slots, &header, directory, source)
    }

    /// Opens the vault that the nodes of one ledger share, or makes one. Every process that opens it
    /// so may write; a key that one of them destroys opens nothing for the others from then on.
    pub fn open_shared(directory: &Path, source: &KeySource) -> Result<Self, VaultError> {
        let (slots, header) = Slots::open_shared(directory, || fresh(directory, source))?;
        Self::unlock(slots, &header, directory, source)
    }

    /// Opens the vault of a data directory to read, beside the process that writes it.
    pub fn open_read_only(directory: &Path, source: &KeySource) -> Result<Self, VaultError> {
        let (slots, header) = Slots::open_read_only(directory)?;
        Self::unlock(slots, &header, directory, source)
    }

    /// A vault with a random secret that is gone with it, for tests.
    pub fn in_memory() -> Self {
        let secret = new_key().expect("the operating system gives random bytes");
        Self::of(Slots::in_memory(), &secret)
    }

    fn unlock(
        slots: Slots,
        header: &Header,
        directory: &Path,
        source: &KeySource,
    ) -> Result<Self, VaultError> {
        let ledger_key = source.read(directory, &header.salt, false)?;
        let secret = unwrap(&ledger_key, &header.secret, b"secret")
            .ok_or_else(|| VaultError::WrongKey { path: directory.join(STORE_FILE) })?;
        let vault = Self::of(slots, &secret);
        let damaged = vault.counts().damaged;
        if damaged > 0 {
            tracing::warn!(damaged, "the key store has damaged slots; their values do not open");
        }
        Ok(vault)
    }

    fn of(slots: Slots, secret: &Key) -> Self {
        Self {
            slots,
            wrapping: keys::subkey(secret, "cxledger wrapping 1"),
            identifiers: keys::subkey(secret, "cxledger identifiers 1"),
            ids: keys::subkey(secret, "cxledger ids 1"),
            own: keys::subkey(secret, "cxledger own values 1"),
        }
    }

    /// Makes a key for each of these customers that has none, and returns when all are durable.
    /// Many at once cost one sync. Refused for a customer who was erased.
    pub fn ensure(&self, customers: &[CustomerId]) -> Result<(), VaultError> {
        let new =
            |number, customer| wrap(&self.wrapping, &new_key()?, &slot_name(number, customer));
        self.slots.ensure(customers, &new)?;
        match customers.iter().find(|customer| self.is_erased(**customer)) {
            Some(customer) => Err(VaultError::Erased { customer: *customer }),
            None => Ok(()),
        }
    }

    /// Whether making keys for these customers would wait for the disk.
    pub fn lacks_key(&self, customers: &[CustomerId]) -> bool {
        customers.iter().any(|customer| self.slots.of(*customer).is_none())
    }

    /// Seals the personal values of events that are about to be appended to a stream. Their keys
    /// are durable when this returns. Values that are sealed already stay as they are.
    pub fn seal_events(
        &self,
        stream: &StreamName,
        events: &mut [NewEvent],
    ) -> Result<(), VaultError> {
        let mut key = None;
        for event in events {
            self.seal_with(&mut key, stream, event.id, &mut event.event)?;
        }
        Ok(())
    }

    /// Seals the personal values of one event.
    pub fn seal_event(
        &self,
        stream: &StreamName,
        id: Uuid,
        event: &mut Event,
    ) -> Result<(), VaultError> {
        self.seal_with(&mut None, stream, id, event)
    }

    fn seal_with(
        &self,
        key: &mut Option<(String, Key)>,
        stream: &StreamName,
        id: Uuid,
        event: &mut Event,
    ) -> Result<(), VaultError> {
        let event_type = event.event_type().to_owned();
        let mut outcome = Ok(());
        event.personal(&mut |field, value| {
            let Some(clear) = value.clear_json().map(Zeroizing::new) else { return };
            if outcome.is_err() {
                return;
            }
            let place = Place { stream, event: id, event_type: &event_type, field };
            let sealed = match &key {
                Some((name, key)) => seal::seal(key, name, &place, &clear),
                None => self.sealing_key(stream).and_then(|(name, found)| {
                    let sealed = seal::seal(&found, &name, &place, &clear);
                    *key = Some((name, found));
                    sealed
                }),
            };
            match sealed {
                Ok(sealed) => value.seal(sealed),
                Err(error) => outcome = Err(error),
            }
        });
        outcome
    }

    /// Opens the personal values of an event as it was read. What stays sealed after success is
    /// erased.
    pub fn open_event(
        &self,
        stream: &StreamName,
        id: Uuid,
        event: &mut Event,
    ) -> Result<(), VaultError> {
        let event_type = event.event_type().to_owned();
        let mut outcome = Ok(());
        event.personal(&mut |field, value| {
            let Some(sealed) = value.sealed() else { return };
            if outcome.is_err() {
                return;
            }
            let place = Place { stream, event: id, event_type: &event_type, field };
            match self.open_value(sealed, &place) {
                Ok(Opened::Erased) => {}
                Ok(Opened::Clear(json)) if value.open(&json) => {}
                Ok(Opened::Clear(_)) => outcome = Err(another_type(&place)),
                Err(error) => outcome = Err(error),
            }
        });
        outcome
    }

    /// Opens one sealed value at its place.
    pub fn open_value(
        &self,
        sealed: &SealedValue,
        place: &Place<'_>,
    ) -> Result<Opened, VaultError> {
        if sealed.key == LEDGER_KEY {
            return seal::open(&self.own, place, sealed).map(Opened::Clear);
        }
        let no_key = || VaultError::NoKey { key: sealed.key.clone() };
        let number: u64 = sealed.key.parse().map_err(|_| no_key())?;
        let held = self.slots.held(number)?;
        // Another customer's key under this number: these are not the keys that sealed the value.
        // Whether its own is destroyed nobody can tell here.
        if held.is_some_and(|(owner, _)| CustomerId::of_stream(place.stream) != Some(owner)) {
            return Err(no_key());
        }
        match held {
            Some((_, Held::Destroyed)) => Ok(Opened::Erased),
            Some((customer, Held::Live(wrapped))) => {
                let key = unwrap(&self.wrapping, &wrapped, &slot_name(number, customer));
                seal::open(&key.ok_or_else(no_key)?, place, sealed).map(Opened::Clear)
            }
            Some((_, Held::Damaged)) | None => Err(no_key()),
        }
    }

    /// Whether these keys sealed a value, as far as its key's number tells. `surely` opens the
    /// value.
    pub(crate) fn sealed_by(
        &self,
        sealed: &SealedValue,
        place: &Place<'_>,
        surely: bool,
    ) -> Result<SealedBy, VaultError> {
        if sealed.key != LEDGER_KEY {
            let Ok(number) = sealed.key.parse() else { return Ok(SealedBy::OtherKeys) };
            if self.slots.is_behind_the_last(number)? {
                return Ok(SealedBy::OtherKeys);
            }
            match self.slots.held(number)? {
                // Whose a damaged slot is nobody can tell, nor what stood in a wiped one.
                Some((_, Held::Damaged)) | None => return Ok(SealedBy::Damaged { number }),
                Some((owner, _)) if CustomerId::of_stream(place.stream) != Some(owner) => {
                    return Ok(SealedBy::OtherKeys);
                }
                Some((_, Held::Destroyed)) => return Ok(SealedBy::Destroyed),
                Some((_, Held::Live(_))) => {}
            }
        }
        if !surely {
            return Ok(SealedBy::TheseKeys);
        }
        match self.open_value(sealed, place) {
            Ok(_) => Ok(SealedBy::TheseKeys),
            Err(VaultError::NoKey { .. } | VaultError::Unopenable { .. }) => {
                Ok(SealedBy::OtherKeys)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens one personal value as its type; `None` if it is erased. A clear value comes back as
    /// it is.
    pub fn open_personal<T: Clone + DeserializeOwned + Serialize>(
        &self,
        value: &Personal<T>,
        place: &Place<'_>,
    ) -> Result<Option<T>, VaultError> {
        match value {
            Personal::Clear(value) => Ok(Some(value.clone())),
            Personal::Sealed(sealed) => match self.open_value(sealed, place)? {
                Opened::Erased => Ok(None),
                Opened::Clear(json) => {
                    serde_json::from_slice(&json).map(Some).map_err(|_| another_type(place))
                }
            },
        }
    }

    /// Seals bytes that belong to no customer (a line in quarantine) with the ledger's own key.
    pub fn seal_own(&self, place: &Place<'_>, bytes: &[u8]) -> Result<SealedValue, VaultError> {
        seal::seal(&self.own, LEDGER_KEY, place, bytes)
    }

    /// Destroys a customer's key: overwritten, synced, and never made again. Repeating it is
    /// harmless. Says whether there was a key.
    ///
    /// What it cannot reach are copies of the key store: backups, file system snapshots, and
    /// blocks that a solid-state disk has put aside. They open only with the ledger key.
    pub fn destroy(&self, customer: CustomerId) -> Result<bool, VaultError> {
        self.slots.destroy(customer)
    }

    /// Whether the customer's key was destroyed.
    pub fn is_erased(&self, customer: CustomerId) -> bool {
        matches!(self.slots.of(customer), Some((_, Held::Destroyed)))
    }

    /// Whether the customer's key was destroyed; an error if that cannot be read now.
    pub fn knows_erased(&self, customer: CustomerId) -> Result<bool, VaultError> {
        self.slots.is_erased(customer)
    }

    /// Whose keys were destroyed, by any node; an error if that cannot be read now.
    pub fn erased(&self) -> Result<Vec<CustomerId>, VaultError> {
        self.slots.erased()
    }

    /// How many keys were destroyed, by any node; an error if that cannot be read now. It reads a
    /// key store that several nodes write from its file: call it where one may block.
    pub fn erasures(&self) -> Result<u64, VaultError> {
        self.slots.erasures()
    }

    /// How many keys there are.
    pub fn counts(&self) -> KeyCounts {
        let (live, destroyed, damaged) = self.slots.counts();
        KeyCounts { live, destroyed, damaged }
    }

    /// The stream that says whose identifier this is: `identifier-` and a keyed hash of the scheme
    /// and the value. Blanks around a value do not count, nor does the case of an `email`.
    pub fn identifier_hash(&self, scheme: &str, value: &str) -> StreamName {
        let trimmed = value.trim();
        let lower = Zeroizing::new(trimmed.to_lowercase());
        let value = if scheme == "email" { lower.as_str() } else { trimmed };
        let mut message = Zeroizing::new(Vec::with_capacity(8 + scheme.len() + value.len()));
        message.extend_from_slice(&(scheme.len() as u64).to_le_bytes());
        message.extend_from_slice(scheme.as_bytes());
        message.extend_from_slice(value.as_bytes());
        let hash = keys::hex(&keyed_hash(&self.identifiers, &message));
        StreamName::new(format!("{IDENTIFIER_CATEGORY}-{}", hash.as_str()))
            .expect("a category and 64 digits name a stream")
    }

    /// An id that follows from these bytes and the ledger's secret: the same bytes give the same id
    /// in this ledger, and nobody without the secret can tell which bytes gave it.
    pub fn keyed_id(&self, purpose: &str, parts: &[&[u8]]) -> Uuid {
        let mut message = Zeroizing::new(Vec::new());
        for part in [purpose.as_bytes()].iter().chain(parts) {
            message.extend_from_slice(&(part.len() as u64).to_le_bytes());
            message.extend_from_slice(part);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&keyed_hash(&self.ids, &message)[..16]);
        uuid::Builder::from_custom_bytes(half).into_uuid()
    }

    fn sealing_key(&self, stream: &StreamName) -> Result<(String, Key), VaultError> {
        if stream.category() == IDENTIFIER_CATEGORY {
            return Ok((LEDGER_KEY.to_owned(), self.own.clone()));
        }
        let customer = CustomerId::of_stream(stream)
            .ok_or_else(|| VaultError::NoSubject { stream: stream.clone() })?;
        self.ensure(&[customer])?;
        match self.slots.of(customer) {
            Some((number, Held::Live(wrapped))) => {
                let key = unwrap(&self.wrapping, &wrapped, &slot_name(number, customer));
                let name = number.to_string();
                key.map(|key| (name.clone(), key)).ok_or(VaultError::NoKey { key: name })
            }
            Some((number, Held::Damaged)) => Err(VaultError::NoKey { key: number.to_string() }),
            Some((_, Held::Destroyed)) | None => Err(VaultError::Erased { customer }),
        }
    }
}

/// The header of a new key store.
fn fresh(directory: &Path, source: &KeySource) -> Result<Header, VaultError> {
    let mut salt = [0; 32];
    random(&mut salt)?;
    let ledger_key = source.read(directory, &salt, true)?;
    Ok(Header { salt, secret: wrap(&ledger_key, &new_key()?, b"secret")? })
}

/// The customers whose streams these are, each once.
pub fn customers<'a>(streams: impl Iterator<Item = &'a StreamName>) -> Vec<CustomerId> {
    let customers: BTreeSet<_> = streams.filter_map(CustomerId::of_stream).collect();
    customers.into_iter().collect()
}

/// HMAC-SHA256: HKDF's extract step is that of the message under the salt.
fn keyed_hash(key: &Key, message: &[u8]) -> [u8; 32] {
    let (hash, _) = Hkdf::<Sha256>::extract(Some(key.as_slice()), message);
    hash.into()
}

fn another_type(place: &Place<'_>) -> VaultError {
    VaultError::Unopenable {
        stream: place.stream.clone(),
        event: place.event,
        field: place.field.to_owned(),
        reason: "it holds a value of another type",
    }
}

fn new_key() -> Result<Key, VaultError> {
    let mut key = Key::default();
    random(key.as_mut_slice())?;
    Ok(key)
}

fn slot_name(number: u64, customer: CustomerId) -> [u8; 28] {
    let mut name = [0; 28];
    name[..4].copy_from_slice(b"slot");
    name[4..12].copy_from_slice(&number.to_le_bytes());
    name[12..].copy_from_slice(customer.0.as_bytes());
    name
}

fn wrap(under: &Key, key: &Key, name: &[u8]) -> Result<Wrapped, VaultError> {
    let mut nonce = [0; 24];
    random(&mut nonce)?;
    let payload = Payload { msg: key.as_slice(), aad: name };
    let sealed = XChaCha20Poly1305::new_from_slice(under.as_slice())
        .expect("the key has 32 bytes")
        .encrypt(&XNonce::from(nonce), payload)
        .expect("32 bytes are within the cipher's limit");
    let mut wrapped = Wrapped { nonce, key: [0; 48] };
    wrapped.key.copy_from_slice(&sealed);
    Ok(wrapped)
}

fn unwrap(under: &Key, wrapped: &Wrapped, name: &[u8]) -> Option<Key> {
    let payload = Payload { msg: wrapped.key.as_slice(), aad: name };
    let opened = XChaCha20Poly1305::new_from_slice(under.as_slice())
        .expect("the key has 32 bytes")
        .decrypt(&XNonce::from(wrapped.nonce), payload)
        .ok()
        .map(Zeroizing::new)?;
    let mut key = Key::default();
    key.copy_from_slice(&opened);
    Some(key)
}
