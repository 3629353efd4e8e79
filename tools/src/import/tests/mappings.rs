//! Mappings that are right, and mappings that are wrong in a way that is explained.

use super::*;

#[test]
fn every_shipped_mapping_is_right() {
    for (name, text) in shipped::MAPPINGS {
        let mapping = MappingText::parse((*text).to_owned());
        let mapping = mapping.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(mapping.mapping.name, *name);
    }
}

const BASE: &str = r#"
name = "m"
system = "s"
[file]
format = "csv"
[time]
column = "at"
formats = ["%Y-%m-%d"]
[customer]
scheme = "crm"
id = { column = "who" }
"#;

#[test]
fn a_wrong_mapping_says_what_to_do() {
    let house = House::new();
    for (events, hint) in [
        ("", "[[event]]"),
        ("[[event]]\ntype='Sold'\n", "PurchaseMade"),
        ("[[event]]\ntype='PurchaseMade'\ncurrency='USD'\n", "needs `amount`"),
        (
            "[[event]]\ntype='PurchaseMade'\ncurrency='USD'\namount={column='a'}\nprice=1\n",
            "no `price`",
        ),
        ("[[event]]\ntype='PurchaseMade'\ncurrency='dollar'\namount={column='a'}\n", "USD"),
        ("[[event]]\ntype='PurchaseMade'\ncurrency='USD'\namount={colum='a'}\n", "colum"),
        ("[[event]]\ntype='InteractionRecorded'\nkind='x'\nchannel='pigeon'\n", "phone, web"),
        ("[[event]]\ntype='CaseClosed'\n", "case = {"),
        ("[[event]]\ntype='ResponseSubmitted'\ninstrument='i'\n", "[[instrument]]"),
        ("[[event]]\ntype='IntentDeclared'\nintent='x'\nwhen={ a = 5 }\n", "condition"),
        ("[[event]]\ntype='IntentDeclared'\nintent={ column = 'nowhere' }\n", "nowhere"),
    ] {
        let error = house.import_bytes(b"at,who,a\n", &format!("{BASE}{events}")).unwrap_err();
        assert!(format!("{error:#}").contains(hint), "{hint}: {error:#}");
    }
    assert!(house.events().is_empty(), "nothing is written before the mapping is right");
}
