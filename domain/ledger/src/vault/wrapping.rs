//! Data keys as the key store holds them: wrapped, each bound to its slot and its customer.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use cx_model::CustomerId;
use zeroize::Zeroizing;

use super::VaultError;
use super::seal::{Key, random};
use super::slots::Wrapped;

pub(super) fn new_key() -> Result<Key, VaultError> {
    let mut key = Key::default();
    random(key.as_mut_slice())?;
    Ok(key)
}

pub(super) fn slot_name(number: u64, customer: CustomerId) -> [u8; 28] {
    let mut name = [0; 28];
    name[..4].copy_from_slice(b"slot");
    name[4..12].copy_from_slice(&number.to_le_bytes());
    name[12..].copy_from_slice(customer.0.as_bytes());
    name
}

pub(super) fn wrap(under: &Key, key: &Key, name: &[u8]) -> Result<Wrapped, VaultError> {
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

pub(super) fn unwrap(under: &Key, wrapped: &Wrapped, name: &[u8]) -> Option<Key> {
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
