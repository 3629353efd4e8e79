//! The ledger key: the one secret that lies outside the ledger and opens the key store.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::VaultError;
use super::seal::{Key, random};

/// The name of the generated key file in the data directory.
pub const KEY_FILE: &str = "ledger.key";
/// Names a key file.
pub const KEY_FILE_VARIABLE: &str = "CXLEDGER_KEY_FILE";
/// Holds the key itself, 64 hexadecimal digits.
pub const KEY_VARIABLE: &str = "CXLEDGER_KEY";
/// Holds a passphrase.
pub const PASSPHRASE_VARIABLE: &str = "CXLEDGER_PASSPHRASE";

/// Rounds of PBKDF2-HMAC-SHA256 over a passphrase.
const ROUNDS: u32 = 600_000;

/// Where the ledger key comes from.
///
/// Keep it apart from the data and back it up: without it no personal value opens again and no
/// identifier is found again.
pub enum KeySource {
    /// `ledger.key` in the data directory, made with the key store if neither exists.
    DataDirectory,
    /// A file with 64 hexadecimal digits.
    File(PathBuf),
    /// 64 hexadecimal digits.
    Text(Zeroizing<String>),
    /// A passphrase; the key is stretched from it and the key store's salt.
    Passphrase(Zeroizing<String>),
}

impl KeySource {
    /// What the environment says: `CXLEDGER_KEY_FILE`, else `CXLEDGER_KEY`, else
    /// `CXLEDGER_PASSPHRASE`, else the data directory's own key file.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(path) = variable(KEY_FILE_VARIABLE) {
            Self::File(path.into())
        } else if let Some(text) = variable(KEY_VARIABLE) {
            Self::Text(Zeroizing::new(text))
        } else if let Some(phrase) = variable(PASSPHRASE_VARIABLE) {
            Self::Passphrase(Zeroizing::new(phrase))
        } else {
            Self::DataDirectory
        }
    }

    /// The key for a data directory. `fresh` says that there is no key store yet, so that a key may
    /// be made; for an existing store a new key would open nothing.
    pub(super) fn read(
        &self,
        directory: &Path,
        salt: &[u8],
        fresh: bool,
    ) -> Result<Key, VaultError> {
        match self {
            Self::DataDirectory => {
                let path = directory.join(KEY_FILE);
                match read_file(&path) {
                    Err(VaultError::NoKeyFile { .. }) if fresh => make_file(&path),
                    read => read,
                }
            }
            Self::File(path) => read_file(path),
            Self::Text(text) => from_hex(text)
                .ok_or(VaultError::MalformedKey { place: format!("the variable {KEY_VARIABLE}") }),
            Self::Passphrase(phrase) => {
                let mut key = Key::default();
                let phrase = phrase.as_bytes();
                pbkdf2::pbkdf2_hmac::<Sha256>(phrase, salt, ROUNDS, key.as_mut_slice());
                Ok(key)
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Key, VaultError> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(VaultError::NoKeyFile { path: path.to_owned() })
        }
        Err(error) => Err(VaultError::io(path, &error)),
        Ok(_) => from_hex(&text)
            .ok_or_else(|| VaultError::MalformedKey { place: path.display().to_string() }),
    }
}

/// Makes a key file that only its owner reads, and makes it durable.
fn make_file(path: &Path) -> Result<Key, VaultError> {
    let mut key = Key::default();
    random(key.as_mut_slice())?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || -> std::io::Result<()> {
        let unfinished = path.with_extension("new");
        let mut file = options.open(&unfinished)?;
        file.write_all(hex(key.as_slice()).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        super::slots::sync_directory(path)
    };
    write().map_err(|error| VaultError::io(path, &error))?;
    Ok(key)
}

/// A key for one purpose, from a key for several.
pub(super) fn subkey(key: &Key, purpose: &str) -> Key {
    let mut derived = Key::default();
    Hkdf::<Sha256>::new(None, key.as_slice())
        .expand(purpose.as_bytes(), derived.as_mut_slice())
        .expect("32 bytes are less than HKDF-SHA256's limit");
    derived
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn from_hex(text: &str) -> Option<Key> {
    let digits = text.trim().as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = Key::default();
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let source = KeySource::DataDirectory;
        assert!(matches!(
            source.read(directory.path(), b"", false),
            Err(VaultError::NoKeyFile { .. })
        ));
        let made = source.read(directory.path(), b"", true).unwrap();
        assert_eq!(*made, *source.read(directory.path(), b"", true).unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = directory.path().join(KEY_FILE);
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_malformed_key_is_refused_without_being_shown() {
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            let source = KeySource::Text(Zeroizing::new(text.to_owned()));
            let error = source.read(Path::new("."), b"", true).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(&format!(" {text}")), "{error}");
        }
        let upper = KeySource::Text(Zeroizing::new("AB".repeat(32)));
        assert_eq!(*upper.read(Path::new("."), b"", true).unwrap(), [0xab; 32]);
    }

    #[test]
    fn a_passphrase_gives_one_key_per_salt() {
        let source = KeySource::Passphrase(Zeroizing::new("correct horse".into()));
        let one = source.read(Path::new("."), b"salt", false).unwrap();
        assert_eq!(*one, *source.read(Path::new("."), b"salt", false).unwrap());
        assert_ne!(*one, *source.read(Path::new("."), b"pepper", false).unwrap());
    }
}
