//! Who was erased, asked so that what could not be read is no answer.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::sync::PoisonError;

use cx_model::CustomerId;

use super::{Held, SLOT, Slots, place, read_slot};
use crate::vault::VaultError;

/// Slots that are read at once.
const AT_ONCE: usize = 512;

impl Slots {
    /// Whether a customer's key was destroyed, by whomever.
    pub(in crate::vault) fn is_erased(&self, customer: CustomerId) -> Result<bool, VaultError> {
        let newest = match &self.shared {
            Some(shared) => self.newest_of_all(shared, customer)?,
            None => self.of(customer),
        };
        Ok(matches!(newest, Some((_, Held::Destroyed))))
    }

    /// How many keys were destroyed, by whomever.
    pub(in crate::vault) fn erasures(&self) -> Result<u64, VaultError> {
        Ok(self.erased()?.len() as u64)
    }

    /// Whose keys were destroyed, by whomever. A store that others write is read from its file, in
    /// little memory and without the lock, which is taken only where a slot is being written.
    pub(in crate::vault) fn erased(&self) -> Result<Vec<CustomerId>, VaultError> {
        let Some(shared) = &self.shared else {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            let destroyed = table.slots.iter().filter(|slot| matches!(slot.held, Held::Destroyed));
            return Ok(destroyed.map(|slot| slot.customer).collect());
        };
        let (erased, damaged) = self.read_erased()?;
        if damaged == 0 {
            return Ok(erased);
        }
        let _turn = self.turn(shared)?;
        Ok(self.read_erased()?.0)
    }

    /// Whose keys the file says were destroyed, and how many slots say nothing.
    fn read_erased(&self) -> Result<(Vec<CustomerId>, u64), VaultError> {
        let io = |error: std::io::Error| VaultError::io(&self.path, &error);
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(place(0))).map_err(io)?;
        let mut file = BufReader::with_capacity(AT_ONCE * SLOT, file);
        let (mut erased, mut damaged) = (Vec::new(), 0);
        let mut bytes = [0; SLOT];
        for number in 0.. {
            match file.read_exact(&mut bytes) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(io(error)),
            }
            let Some(slot) = read_slot(number, &bytes) else { continue };
            match slot.held {
                Held::Destroyed => erased.push(slot.customer),
                Held::Damaged => damaged += 1,
                Held::Live(_) => {}
            }
        }
        Ok((erased, damaged))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use uuid::Uuid;

    use super::super::{Header, Wrapped};
    use super::*;

    const KEY: Wrapped = Wrapped { nonce: [1; 24], key: [2; 48] };

    fn customer(n: u128) -> CustomerId {
        CustomerId(Uuid::from_u128(n))
    }

    fn open(directory: &std::path::Path) -> Slots {
        let fresh = || Ok(Header { salt: [3; 32], secret: KEY });
        Slots::open_shared(directory, fresh).unwrap().0
    }

    #[test]
    fn erasures_are_counted_while_another_node_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (open(directory.path()), open(directory.path()));
        let customers: Vec<_> = (1..=700).map(customer).collect();
        one.ensure(&customers, &|_, _| Ok(KEY)).unwrap();
        assert_eq!(two.erasures().unwrap(), 0);
        one.destroy(customer(700)).unwrap();
        one.destroy(customer(9_999)).unwrap();
        let turn = one.turn(one.shared.as_ref().unwrap()).unwrap();
        assert_eq!(two.erasures().unwrap(), 2);
        drop(turn);
        for slots in [&one, &two] {
            assert_eq!(slots.erased().unwrap(), [customer(700), customer(9_999)]);
        }
        assert!(two.is_erased(customer(700)).unwrap() && two.is_erased(customer(9_999)).unwrap());
        assert!(!two.is_erased(customer(1)).unwrap() && !two.is_erased(customer(701)).unwrap());
    }

    #[test]
    fn what_cannot_be_read_does_not_say_that_nobody_is_erased() {
        let directory = tempfile::tempdir().unwrap();
        let mut slots = open(directory.path());
        slots.destroy(customer(1)).unwrap();
        let path = directory.path().join(super::super::STORE_FILE);
        let unreadable = OpenOptions::new().write(true).open(&path).unwrap();
        slots.shared.as_mut().unwrap().read_from(unreadable);
        for n in [1, 2] {
            assert!(matches!(slots.is_erased(customer(n)), Err(VaultError::Io { .. })));
        }
        std::fs::remove_file(path).unwrap();
        assert!(matches!(slots.erasures(), Err(VaultError::Io { .. })));
    }
}
