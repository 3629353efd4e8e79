//! Files that are not as they should be.

use super::*;
use std::sync::Mutex;

use crate::quarantine::erased::{Swept, drop_erased};
use crate::quarantine::{mended, must_be_whole, ready, retake};

const SALES: &str = r#"
name = "sales"
system = "till"
[file]
format = "csv"
[row]
id = "id"
[time]
column = "at"
formats = ["%Y-%m-%d"]
[customer]
scheme = "crm"
id = { column = "who" }
[[event]]
type = "PurchaseMade"
amount = { column = "amount" }
currency = "EUR"
"#;

#[test]
fn each_line_is_taken_repeated_or_quarantined_with_its_place() {
    let house = House::new();
    let file = b"id,who,at,amount\n\
        1,ada,2020-01-01,5.00\n\
        2,ada,2020-13-01,5.00\n\
        3,ada,2020-01-01\n\
        4,bob,2020-01-01,\"5,00\"\n\
        5,\"bob\",2020-01-02,\"7.50\"\n\
        5,bob,2020-01-02,7.50\n\
        5,bob,2020-01-02,8.50\n\
        ,bob,2020-01-02,8.50\n\
        8,b\xff,2020-01-02,8.50\n\
        9,bob,2020-01-02,1.999\n";
    let counts = house.import_bytes(file, SALES).unwrap();
    assert_eq!((counts.read, counts.taken, counts.repeated, counts.quarantined), (10, 2, 1, 7));
    let entries = house.quarantine().entries().unwrap();
    let places: Vec<_> = entries.iter().map(|e| (e.line, e.column.as_deref())).collect();
    assert_eq!(
        places,
        [
            (3, Some("at")),
            (4, None),
            (5, Some("amount")),
            (8, Some("id")),
            (9, Some("id")),
            (10, Some("who")),
            (11, Some("amount"))
        ]
    );
    for entry in &entries {
        assert!(!entry.reason.contains("bob") && !entry.reason.contains("8.50"), "{entry:?}");
    }
    let before = house.events().len();
    let again = house.import_bytes(file, SALES).unwrap();
    assert_eq!((again.taken, again.repeated, again.quarantined), (0, 3, 7));
    assert_eq!(house.events().len(), before + 2, "only that the import began and ended is new");
    assert_eq!(house.quarantine().entries().unwrap().len(), 7);
}

#[test]
fn lines_are_counted_alike_however_they_end() {
    let file = "id,who,at,amount\n1,ada,2020-13-01,1\n2,\"a\nb\",2020-13-01,1\n3,c,2020-13-01,1\n";
    for file in [file.to_owned(), file.replace('\n', "\r\n")] {
        let house = House::new();
        house.import_bytes(file.as_bytes(), SALES).unwrap();
        let entries = house.quarantine().entries().unwrap();
        let lines: Vec<_> = entries.iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [2, 3, 5], "{file:?}");
    }
}

#[test]
fn a_row_that_was_cut_short_is_not_made_whole_by_one_value() {
    let house = House::new();
    house.import_bytes(b"id,who,at,amount\n1,ada\n", SALES).unwrap();
    let entry = house.quarantine().entries().unwrap().remove(0);
    assert!(entry.unread);
    let mapping = MappingText::parse(SALES.to_owned()).unwrap().mapping;
    let set = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let mended = mended(&entry, &sets, None, mapping.columns.names()).unwrap();
        must_be_whole(&mended, &mapping.columns).map_err(|error| error.to_string())
    };
    let refused = set(&["at=2020-12-01"]).unwrap_err();
    assert!(refused.contains("still missing: amount"), "{refused}");
    assert_eq!(set(&["at=2020-12-01", "amount=5"]), Ok(()));
}

#[test]
fn a_mended_row_is_taken_once_and_not_asked_for_again() {
    let house = House::new();
    let file = b"id,who,at,amount\n1,ada,2020-01-01,five\n2,ada,2020-01-01\n";
    assert_eq!(house.import_bytes(file, SALES).unwrap().quarantined, 2);
    let mut store = house.quarantine();
    let entries = store.entries().unwrap();
    let first = mended(&entries[0], &["amount=5.00".into()], None, [].into_iter()).unwrap();
    store.mend(&first).unwrap();
    let entries = store.entries().unwrap();
    let retaken = retake(house.data(), &mut store, &entries, None).unwrap();
    let stays: Vec<_> = retaken.stays.iter().map(|entry| entry.line).collect();
    assert_eq!(stays, [3], "what stays is named");
    let counts = retaken.counts;
    assert_eq!((counts.read, counts.taken, counts.quarantined), (2, 1, 1));
    let left = store.entries().unwrap();
    assert_eq!(left.len(), 1);
    let row = r#"{"id":"2","who":"ada","at":"2020-01-01","amount":"3"}"#;
    let second = mended(&left[0], &[], Some(row), [].into_iter()).unwrap();
    store.mend(&second).unwrap();
    assert_eq!(retake(house.data(), &mut store, &[second], None).unwrap().counts.taken, 1);
    assert!(store.entries().unwrap().is_empty());
    let again = house.import_bytes(file, SALES).unwrap();
    assert_eq!((again.taken, again.repeated, again.quarantined), (0, 2, 0));
    assert_eq!(count(&house.events(), "PurchaseMade"), 2);
}

#[test]
fn a_corrected_mapping_takes_the_rows_out_of_quarantine() {
    let house = House::new();
    let file = b"id,who,at,amount\n1,ada,01.02.2020,5\n";
    assert_eq!(house.import_bytes(file, SALES).unwrap().quarantined, 1);
    let right = SALES.replace("%Y-%m-%d", "%d.%m.%Y");
    assert_eq!(house.import_bytes(file, &right).unwrap().taken, 1);
    assert!(house.quarantine().entries().unwrap().is_empty());
}

#[test]
fn new_rows_of_an_erased_customer_go_to_quarantine_once_and_old_ones_are_repeated() {
    let house = House::new();
    let file = b"id,who,at,amount\n1,ada,2020-01-01,5\n2,bob,2020-01-01,5\n";
    assert_eq!(house.import_bytes(file, SALES).unwrap().taken, 2);
    let held = house.runtime.block_on(house.book.holder("crm", "ada")).unwrap().unwrap();
    house.book.vault().destroy(held).unwrap();
    let counts =
        house.import_bytes(b"id,who,at,amount\n3,ada,2020-01-02,5\n4,bob,2020-01-02,5\n", SALES);
    let counts = counts.unwrap();
    assert_eq!((counts.taken, counts.quarantined, counts.erased), (1, 1, 1));
    let entries = house.quarantine().entries().unwrap();
    assert_eq!(entries[0].reason, "the customer was erased");
    assert!(entries[0].values.is_empty(), "nothing of hers is stored");
    let stays = retake(house.data(), &mut house.quarantine(), &entries, None).unwrap().stays;
    assert_eq!(stays, entries, "and it is never taken");
    assert_eq!(count(&house.events(), "CustomerRegistered"), 2);
    let again = house.import_bytes(file, SALES).unwrap();
    assert_eq!((again.taken, again.repeated, again.quarantined), (0, 2, 0));
    let new = b"id,who,at,amount\n3,ada,2020-01-02,5\n4,bob,2020-01-02,5\n";
    let again = house.import_bytes(new, SALES).unwrap();
    assert_eq!((again.repeated, again.quarantined, again.erased), (2, 0, 0));
    assert_eq!(house.quarantine().entries().unwrap().len(), 1);
}

#[test]
fn rows_of_erased_customers_leave_the_quarantine_and_no_others() {
    let house = House::new();
    let file = b"id,who,at,amount\n\
        1,ada,2020-01-01,5\n\
        2,bob,2020-01-01,5\n\
        3,ada,2020-01-01,five\n\
        4,bob,2020-01-01,five\n\
        5,x,ada,2020-01-01,5\n\
        6,x,bob,2020-01-01,5\n\
        7,eve,2020-01-01,five\n";
    assert_eq!(house.import_bytes(file, SALES).unwrap().quarantined, 5);
    let store = Mutex::new(house.quarantine());
    let sweep = async || drop_erased(&house.book, &store, &mut None).await.unwrap();
    let dropped = || house.runtime.block_on(sweep()).dropped;
    assert_eq!(dropped(), 0, "nobody is erased yet");
    let ada = house.runtime.block_on(house.book.holder("crm", "ada")).unwrap().unwrap();
    house.book.vault().destroy(ada).unwrap();
    assert_eq!(dropped(), 2, "the row that could not be read is hers as well");
    let left: Vec<_> = house.quarantine().entries().unwrap().iter().map(|e| e.line).collect();
    assert_eq!(left, [5, 7, 8]);
    let again = house.import_bytes(file, SALES).unwrap();
    assert_eq!(house.quarantine().entries().unwrap().len(), 3, "and they do not come back");
    assert_eq!(again.taken, 0);
}

#[test]
fn unread_rows_of_a_named_subject_are_judged_and_those_without_a_mapping_are_counted() {
    let house = House::new();
    let mapping = SALES.replace(
        "[customer]\nscheme = \"crm\"\nid = { column = \"who\" }\n",
        "[customer]\nsubject = { column = \"who\" }\n",
    );
    let file = b"id,who,at,amount\n1,crm:ada,2020-01-01,5\n2,crm:bob,2020-01-01,5\n\
        3,x,crm:ada,2020-01-01,5\n4,x,crm:bob,2020-01-01,5\n";
    assert_eq!(house.import_bytes(file, &mapping).unwrap().quarantined, 2);
    let ada = house.runtime.block_on(house.book.holder("crm", "ada")).unwrap().unwrap();
    house.book.vault().destroy(ada).unwrap();
    let store = Mutex::new(house.quarantine());
    let sweep = async || drop_erased(&house.book, &store, &mut None).await.unwrap();
    let swept = || house.runtime.block_on(sweep());
    assert_eq!(swept(), Swept { dropped: 1, unjudged: 0 });
    let left = house.quarantine().entries().unwrap();
    assert_eq!(left.iter().map(|entry| entry.line).collect::<Vec<_>>(), [5]);
    let copy = format!("quarantine/mappings/{}.toml", left[0].mapping_digest);
    std::fs::remove_file(house.directory.path().join(copy)).unwrap();
    assert_eq!(swept(), Swept { dropped: 0, unjudged: 1 });
}

#[test]
fn a_mended_row_is_known_to_be_right_or_wrong_before_it_is_taken() {
    let house = House::new();
    house.import_bytes(b"id,who,at,amount\n1,ada,2020-13-01,five\n", SALES).unwrap();
    let entry = house.quarantine().entries().unwrap().remove(0);
    let mapping = MappingText::parse(SALES.to_owned()).unwrap();
    let set = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        ready(house.data(), &mapping, &mended(&entry, &sets, None, [].into_iter()).unwrap())
    };
    let half = set(&["at=2020-12-01"]).unwrap_err();
    assert_eq!(half.column.as_deref(), Some("amount"));
    assert!(set(&["at=2020-12-01", "amount=5"]).is_ok());
}

#[test]
fn a_column_that_neither_row_nor_mapping_has_cannot_be_mended() {
    let house = House::new();
    house.import_bytes(b"id,who,at,amount\n1,ada,2020-01-01,five\n", SALES).unwrap();
    let entry = house.quarantine().entries().unwrap().remove(0);
    let named = ["amount", "item"].into_iter();
    let error = mended(&entry, &["amuont=5".into()], None, named.clone()).unwrap_err().to_string();
    assert!(error.contains("amuont") && error.contains("amount, at, id, item, who"), "{error}");
    assert!(mended(&entry, &["item=tea".into()], None, named).is_ok());
}

#[test]
fn encodings_delimiters_and_ragged_rows_are_as_the_mapping_says() {
    let house = House::new();
    let mapping = SALES
        .replace(
            "format = \"csv\"",
            "format = \"csv\"\nencoding = \"windows-1252\"\ndelimiter = \";\"\nragged = \"pad\"",
        )
        .replace(
            "currency = \"EUR\"",
            "currency = \"EUR\"\nitem = { column = \"item\", optional = true }",
        )
        .replace("[row]", "[numbers]\ndecimal = \",\"\ngrouping = \".\"\n[row]");
    let file =
        b"id;who;at;amount;item\r\n1;ada;2020-01-01;1.005,50;K\xe4se\r\n2;ada;2020-01-01;3\r\n";
    assert_eq!(house.import_bytes(file, &mapping).unwrap().taken, 2);
    let events = house.events();
    let purchases = bodies(&events, |event| match event {
        Event::PurchaseMade(purchase) => Some(purchase),
        _ => None,
    });
    assert_eq!((purchases[0].amount_minor, purchases[1].amount_minor), (100_550, 300));
    assert_eq!(purchases[0].lines[0].item, "Käse");
    let utf16: Vec<u8> = "\u{feff}id;who;at;amount;item\n3;ada;2020-01-01;3;Käse\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(house.import_bytes(&utf16, &mapping).unwrap().taken, 1);
}

#[test]
fn an_instrument_that_was_published_never_changes() {
    let house = House::new();
    let mapping = |key: &str, column: &str| {
        format!(
            "name='m'\nsystem='s'\n[file]\nformat='csv'\n[row]\nid='id'\n[time]\nconstant='2020'\n\
             [customer]\nanonymous=true\n[[instrument]]\nkey='{key}'\nname='I'\nlanguage='en'\n\
             [[instrument.question]]\nname='{column}'\ncolumn='a'\nscale=[1,5]\n[[event]]\n\
             type='ResponseSubmitted'\ninstrument='{key}'\n"
        )
    };
    let file = b"id,a\n1,5\n2,6\n3,\n";
    let counts = house.import_bytes(file, &mapping("i", "q")).unwrap();
    assert_eq!((counts.taken, counts.quarantined), (2, 1));
    let error = house.import_bytes(file, &mapping("i", "other")).unwrap_err();
    assert!(error.to_string().contains("new `key`"), "{error}");
    let events = house.events();
    assert_eq!(count(&events, "InstrumentPublished"), 1);
    assert_eq!(count(&events, "CustomerRegistered"), 2);
}

#[test]
fn cloud_events_are_known_by_their_source_and_id() {
    let house = House::new();
    let line = |source: &str, id: &str, channel: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"cx.InteractionRecorded","source":"{source}","id":"{id}","time":"2024-05-01T10:00:00+02:00","subject":"crm:c-1","data":{{"kind":"call","channel":"{channel}","durationSeconds":65,"text":"Hello"}}}}"#
        )
    };
    let file = [
        line("/crm", "1", "phone"),
        line("/crm", "1", "phone"),
        line("/shop", "1", "web"),
        line("/shop", "2", "pigeon"),
        "{\"id\":".into(),
        "[1]".into(),
        line("/shop", "3", "web").replace("InteractionRecorded", "TeleportBooked"),
    ]
    .join("\n");
    let counts = house.import_bytes(file.as_bytes(), shipped_mapping("cloudevents")).unwrap();
    assert_eq!((counts.read, counts.taken, counts.repeated, counts.quarantined), (7, 2, 1, 4));
    let events = house.events();
    let calls = bodies(&events, |event| match event {
        Event::InteractionRecorded(interaction) => Some(interaction),
        _ => None,
    });
    assert_eq!(calls[0].duration_seconds, Some(65));
    assert_eq!(calls[0].text.as_ref().unwrap().clear().unwrap(), "Hello");
    let entries = house.quarantine().entries().unwrap();
    assert_eq!(entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

const LOG: &str = r#"<?xml version="1.0"?>
<log><global scope="event"><string key="concept:name" value="default"/></global>
<trace><string key="concept:name" value="A &amp; B"/>
<event><string key="concept:name" value="Open"/><date key="time:timestamp" value="2020-01-01T10:00:00Z"/>
<string key="customer" value="x"><string key="inner" value="y"/></string></event>
<event><string key="concept:name" value="Closed"/><date key="time:timestamp" value="2020-01-02T10:00:00Z"/><string key="customer" value="z"/></event>
<event><string key="concept:name" value="Closed"/><string key="customer" value="x"/></event>
<event><string key="concept:name" value="Wait"/><date key="time:timestamp" value="2020-01-03T10:00:00Z"/><string key="customer" value="x"/></event>
</trace></log>"#;

#[test]
fn a_case_belongs_to_the_customer_of_its_first_event_and_keeps_what_is_irregular() {
    let house = House::new();
    let counts = house.import_bytes(LOG.as_bytes(), shipped_mapping("help-desk")).unwrap();
    assert_eq!((counts.read, counts.taken, counts.quarantined, counts.irregular), (4, 3, 1, 1));
    let events = house.events();
    let types: Vec<_> = by_customer(&events)
        .values()
        .map(|events| events.iter().map(|event| event.event.event_type()).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        types,
        [[
            "CustomerRegistered",
            "IdentifierAttached",
            "CaseOpened",
            "InteractionRecorded",
            "CaseClosed",
            "CasePaused"
        ]]
    );
    assert_eq!(house.quarantine().entries().unwrap()[0].line, 7);
}

#[test]
fn a_broken_log_is_taken_up_to_the_break_and_the_place_is_named() {
    let house = House::new();
    let broken = LOG.replace("<event><string key=\"concept:name\" value=\"Wait\"", "</wrong>");
    let error = house.import_bytes(broken.as_bytes(), shipped_mapping("help-desk")).unwrap_err();
    assert!(format!("{error:#}").contains("line 8"), "{error:#}");
}
