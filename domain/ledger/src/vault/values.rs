//! The personal values of events: sealed on their way in, opened on their way out.

use cx_model::{CustomerId, Event, NewEvent, Personal, SealedValue, StreamName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::seal::{self, Key, Place};
use super::slots::Held;
use super::wrapping::{slot_name, unwrap};
use super::{IDENTIFIER_CATEGORY, LEDGER_KEY, Vault, VaultError};

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

impl Vault {
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

fn another_type(place: &Place<'_>) -> VaultError {
    VaultError::Unopenable {
        stream: place.stream.clone(),
        event: place.event,
        field: place.field.to_owned(),
        reason: "it holds a value of another type",
    }
}
