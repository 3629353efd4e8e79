//! Why the vault refused or could not.

use std::path::{Path, PathBuf};

use cx_model::{CustomerId, StreamName};
use uuid::Uuid;

use super::keys::KEY_FILE_VARIABLE;

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
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        if error.kind() == std::io::ErrorKind::StorageFull {
            Self::NoSpace { path }
        } else {
            Self::Io { path, reason: error.to_string() }
        }
    }
}
