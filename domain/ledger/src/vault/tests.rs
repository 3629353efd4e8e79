use std::fs;

use cx_model::event::{CustomerRegistered, IdentifierClaimed, InstrumentRetired};
use cx_model::{CustomerKind, Event};

use super::*;

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(number))
}

fn named(name: &str) -> Event {
    let name = Some(name.to_owned().into());
    CustomerRegistered { kind: CustomerKind::Person, name }.into()
}

fn name_of(event: &Event) -> Option<&str> {
    match event {
        Event::CustomerRegistered(event) => event.name.as_ref()?.clear().map(String::as_str),
        _ => None,
    }
}

fn opened(vault: &Vault, number: u128, event: &Event) -> Option<String> {
    let mut event = event.clone();
    vault.open_event(&customer(number).stream(), Uuid::from_u128(number), &mut event).unwrap();
    name_of(&event).map(str::to_owned)
}

fn sealed(vault: &Vault, number: u128, name: &str) -> Event {
    let mut event = named(name);
    vault.seal_event(&customer(number).stream(), Uuid::from_u128(number), &mut event).unwrap();
    assert_eq!(name_of(&event), None);
    event
}

#[test]
fn what_was_sealed_opens_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    let events: Vec<_> = (0..300).map(|n| sealed(&vault, n, &format!("name {n}"))).collect();
    drop(vault);
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    assert_eq!(vault.counts(), KeyCounts { live: 300, destroyed: 0, damaged: 0 });
    for (number, event) in (0..).zip(&events) {
        assert_eq!(opened(&vault, number, event), Some(format!("name {number}")));
    }
}

#[test]
fn a_destroyed_key_opens_nothing_and_is_never_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    let (ada, bob) = (sealed(&vault, 1, "Ada"), sealed(&vault, 2, "Bob"));
    let before = fs::read(directory.path().join(STORE_FILE)).unwrap();
    assert!(vault.destroy(customer(1)).unwrap());
    assert!(!vault.destroy(customer(1)).unwrap());
    assert!(!vault.destroy(customer(3)).unwrap());
    let check = |vault: &Vault| {
        assert_eq!(opened(vault, 1, &ada), None);
        assert_eq!(opened(vault, 2, &bob).as_deref(), Some("Bob"));
        for gone in [1, 3] {
            assert!(vault.is_erased(customer(gone)));
            let mut again = named("again");
            let refused =
                vault.seal_event(&customer(gone).stream(), Uuid::from_u128(9), &mut again);
            assert!(matches!(refused, Err(VaultError::Erased { .. })));
        }
    };
    check(&vault);
    drop(vault);
    check(&Vault::open(directory.path(), &KeySource::DataDirectory).unwrap());
    let after = fs::read(directory.path().join(STORE_FILE)).unwrap();
    // Slot 0 was Ada's: its nonce and wrapped key are zeros now.
    assert!(before[4096 + 32..4096 + 104].iter().any(|byte| *byte != 0));
    assert!(after[4096 + 32..4096 + 104].iter().all(|byte| *byte == 0));
}

#[test]
fn a_damaged_slot_is_said_and_the_others_open() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    let (ada, bob) = (sealed(&vault, 1, "Ada"), sealed(&vault, 2, "Bob"));
    drop(vault);
    let path = directory.path().join(STORE_FILE);
    let whole = fs::read(&path).unwrap();
    for at in 4096..4096 + 108 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
        assert_eq!(vault.counts().damaged, 1, "byte {at}");
        let (stream, id) = (customer(1).stream(), Uuid::from_u128(1));
        let refused = vault.open_event(&stream, id, &mut ada.clone());
        assert!(matches!(refused, Err(VaultError::NoKey { .. })), "byte {at}");
        assert_eq!(opened(&vault, 2, &bob).as_deref(), Some("Bob"));
    }
}

#[test]
fn one_damaged_header_is_survived_and_two_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    let ada = sealed(&vault, 1, "Ada");
    drop(vault);
    let path = directory.path().join(STORE_FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    assert_eq!(opened(&vault, 1, &ada).as_deref(), Some("Ada"));
    drop(vault);
    bytes[2048 + 60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let refused = Vault::open(directory.path(), &KeySource::DataDirectory);
    assert!(matches!(refused, Err(VaultError::Damaged { .. })));
}

#[test]
fn a_wrong_or_missing_ledger_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let one = KeySource::Text(Zeroizing::new("01".repeat(32)));
    let two = KeySource::Text(Zeroizing::new("02".repeat(32)));
    drop(Vault::open(directory.path(), &one).unwrap());
    let refused = Vault::open(directory.path(), &two);
    assert!(matches!(refused, Err(VaultError::WrongKey { .. })));
    let refused = Vault::open(directory.path(), &KeySource::DataDirectory);
    assert!(matches!(refused, Err(VaultError::NoKeyFile { .. })));
    assert!(Vault::open(directory.path(), &one).is_ok());
}

#[test]
fn two_processes_never_write_one_key_store() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    let second = Vault::open(directory.path(), &KeySource::DataDirectory);
    assert!(matches!(second, Err(VaultError::Locked { .. })));
    let reader = Vault::open_read_only(directory.path(), &KeySource::DataDirectory).unwrap();
    // A reader sees keys that are made and destroyed after it came.
    let ada = sealed(&vault, 1, "Ada");
    assert_eq!(opened(&reader, 1, &ada).as_deref(), Some("Ada"));
    vault.destroy(customer(1)).unwrap();
    assert_eq!(opened(&reader, 1, &ada), None);
    assert!(matches!(reader.destroy(customer(1)), Err(VaultError::ReadOnly { .. })));
}

#[test]
fn claims_are_sealed_with_the_ledgers_own_key_and_outlive_a_customer() {
    let vault = Vault::in_memory();
    let stream = vault.identifier_hash("email", "ada@example.org");
    let mut event = Event::from(IdentifierClaimed { customer: customer(1).into() });
    vault.seal_event(&stream, Uuid::from_u128(5), &mut event).unwrap();
    vault.destroy(customer(1)).unwrap();
    vault.open_event(&stream, Uuid::from_u128(5), &mut event).unwrap();
    let Event::IdentifierClaimed(claim) = event else { unreachable!() };
    assert_eq!(claim.customer.clear(), Some(&customer(1)));
}

#[test]
fn an_identifier_has_one_stream_and_another_ledger_another() {
    let vault = Vault::in_memory();
    let hash = vault.identifier_hash("email", "Ada@Example.org");
    assert_eq!(hash, vault.identifier_hash("email", " ada@example.org "));
    assert_ne!(hash, vault.identifier_hash("crm", "ada@example.org"));
    assert_ne!(vault.identifier_hash("crm", "a"), vault.identifier_hash("crm", "A"));
    assert_ne!(vault.identifier_hash("ab", "c"), vault.identifier_hash("a", "bc"));
    assert_ne!(hash, Vault::in_memory().identifier_hash("email", "ada@example.org"));
    assert_eq!(hash.as_str().len(), "identifier-".len() + 64);
}

#[test]
fn only_streams_of_customers_and_identifiers_hold_personal_values() {
    let vault = Vault::in_memory();
    let stream = StreamName::of("instrument", Uuid::from_u128(1));
    let mut plain = Event::from(InstrumentRetired { reason: "old".into() });
    vault.seal_event(&stream, Uuid::from_u128(5), &mut plain).unwrap();
    let refused = vault.seal_event(&stream, Uuid::from_u128(5), &mut named("Ada"));
    assert!(matches!(refused, Err(VaultError::NoSubject { .. })));
}

#[test]
fn keys_made_by_many_threads_are_each_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for start in 0..40 {
                    let some: Vec<_> = (start..start + 20).map(customer).collect();
                    vault.ensure(&some).unwrap();
                }
            });
        }
    });
    assert_eq!(vault.counts().live, 59);
    drop(vault);
    let vault = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap();
    assert_eq!(vault.counts(), KeyCounts { live: 59, destroyed: 0, damaged: 0 });
}

#[test]
fn nodes_that_share_a_vault_seal_and_open_for_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Vault::open_shared(directory.path(), &KeySource::DataDirectory).unwrap();
    let (one, two) = (open(), open());
    let mut events = Vec::new();
    for n in 0..40 {
        let (here, there) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let event = sealed(here, n, &format!("name {n}"));
        assert_eq!(opened(there, n, &event), Some(format!("name {n}")));
        // The other's next value of the same customer is under the same key.
        let again = sealed(there, n, "again");
        assert_eq!(opened(here, n, &again).as_deref(), Some("again"));
        events.push(event);
    }
    assert_eq!((one.counts().live, two.counts().live), (40, 40));
    assert!(one.destroy(customer(3)).unwrap() && !two.destroy(customer(3)).unwrap());
    assert!(!two.destroy(customer(99)).unwrap());
    for vault in [&one, &two, &open()] {
        assert_eq!(opened(vault, 3, &events[3]), None);
        for gone in [3, 99] {
            assert!(vault.is_erased(customer(gone)));
            let refused = vault.ensure(&[customer(gone)]);
            assert!(matches!(refused, Err(VaultError::Erased { .. })));
        }
        assert_eq!(vault.counts(), KeyCounts { live: 39, destroyed: 2, damaged: 0 });
    }
}

#[test]
fn many_threads_of_many_nodes_make_one_key_a_customer() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Vault::open_shared(directory.path(), &KeySource::DataDirectory).unwrap();
    let nodes: Vec<_> = (0..3).map(|_| open()).collect();
    std::thread::scope(|scope| {
        for node in &nodes {
            for thread in 0..2 {
                scope.spawn(move || {
                    for n in 0..60 {
                        let n = if thread == 0 { n } else { 59 - n };
                        let event = sealed(node, n, "Ada");
                        assert_eq!(opened(node, n, &event).as_deref(), Some("Ada"));
                    }
                });
            }
        }
    });
    let counts = Vault::open(directory.path(), &KeySource::DataDirectory).unwrap().counts();
    assert_eq!(counts, KeyCounts { live: 60, destroyed: 0, damaged: 0 });
}

#[test]
fn what_other_keys_sealed_does_not_read_as_erased() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let open = |n: usize| Vault::open_shared(directories[n].path(), &KeySource::DataDirectory);
    let first = open(0).unwrap();
    sealed(&first, 1, "Ada");
    for file in [STORE_FILE, KEY_FILE] {
        fs::copy(directories[0].path().join(file), directories[1].path().join(file)).unwrap();
    }
    // A copy goes its own way: slot 1 is Bob's in one, and that of somebody erased in the other.
    let copy = open(1).unwrap();
    let bob = sealed(&first, 2, "Bob");
    assert!(!copy.destroy(customer(3)).unwrap());
    let mut event = bob.clone();
    let refused = copy.open_event(&customer(2).stream(), Uuid::from_u128(2), &mut event);
    assert!(matches!(refused, Err(VaultError::NoKey { .. })), "{refused:?}");
}

#[test]
fn keys_that_a_killed_process_wrote_are_durable_before_they_count() {
    let directory = tempfile::tempdir().unwrap();
    sealed(&Vault::open(directory.path(), &KeySource::DataDirectory).unwrap(), 1, "Ada");
    for open in [Vault::open, Vault::open_shared] {
        let before = slots::SYNCS.get();
        let vault = open(directory.path(), &KeySource::DataDirectory).unwrap();
        assert_eq!(slots::SYNCS.get(), before + 1);
        // Once is enough.
        vault.ensure(&[customer(1)]).unwrap();
        assert_eq!(slots::SYNCS.get(), before + 1);
    }
}
