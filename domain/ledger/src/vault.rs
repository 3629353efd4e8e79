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

mod error;
mod keys;
mod seal;
mod slots;
#[cfg(test)]
mod tests;
mod values;
mod wrapping;

use std::collections::BTreeSet;
use std::path::Path;

use cx_model::{CustomerId, StreamName};
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use error::VaultError;
pub use keys::{KEY_FILE, KEY_FILE_VARIABLE, KEY_VARIABLE, KeySource, PASSPHRASE_VARIABLE};
use seal::{Key, random};
pub use seal::{Place, is_sealed_form};
pub use slots::STORE_FILE;
use slots::{Header, Held, Slots};
pub use values::Opened;
pub(crate) use values::SealedBy;
use wrapping::{new_key, slot_name, unwrap, wrap};

/// The category of the streams that hold claims of identifiers.
pub const IDENTIFIER_CATEGORY: &str = "identifier";

/// The name of the ledger's own key in sealed values.
const LEDGER_KEY: &str = "ledger";

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
