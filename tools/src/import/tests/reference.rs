//! The page's lists of event types, fields and vocabularies are those of the program.

use std::fmt::Write as _;
use std::path::Path;

use cx_model::{
    CaseKind, Channel, Counterparty, Direction, Expectation, ImpressionOf, Initiator, Severity,
    Stage, ValenceBasis, WaitingOn,
};

use crate::import::kinds::{Kind, Of};

const BEGIN: &str =
    "<!-- lists: made by the program, see tools/src/import/tests/reference.rs -->\n";
const END: &str = "<!-- end of the lists -->\n";

/// What a field holds, in words, and the name of its list if it has one.
fn what(of: Of) -> &'static str {
    match of {
        Of::Text => "text",
        Of::Count => "whole number",
        Of::Decimal => "decimal number",
        Of::Flag => "`true` or `false`",
        Of::Currency => "currency, such as `EUR`",
        Of::Touchpoint => "key of a touchpoint",
        Of::Instrument => "key of an instrument of the mapping",
        Of::Channel => "channel",
        Of::Stage => "stage",
        Of::Direction => "direction",
        Of::Initiator => "initiator",
        Of::Counterparty => "counterparty",
        Of::Expectation => "expectation",
        Of::CaseKind => "kind of case",
        Of::Severity => "severity",
        Of::WaitingOn => "waiting on",
        Of::ImpressionOf => "impression of",
        Of::ValenceBasis => "basis of a valence",
    }
}

macro_rules! lists {
    ($($list:ident)*) => {
        [$((what(Of::$list), $list::ALL.iter().map(|member| member.as_str()).collect::<Vec<_>>())),*]
    };
}

fn lists() -> String {
    let mut text = String::from("| event type | fields (**needed**) |\n|---|---|\n");
    for kind in Kind::ALL {
        let fields = kind.fields().iter().map(|field| {
            let star = if field.needed { "**" } else { "" };
            format!("{star}`{}`{star} ({})", field.name, what(field.of))
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        let case = if kind.needs_case() { " (of a case)" } else { "" };
        let _ = writeln!(text, "| `{}`{case} | {fields} |", kind.name());
    }
    text.push_str("\n| list | its members |\n|---|---|\n");
    let lists = lists! {
        Channel Stage Direction Initiator Counterparty Expectation CaseKind Severity WaitingOn
        ImpressionOf ValenceBasis
    };
    for (name, members) in lists {
        let _ = writeln!(text, "| {name} | `{}` |", members.join("` `"));
    }
    text
}

/// `CX_BLESS=1 cargo test -p cxledger reference` writes them anew.
#[test]
fn the_page_lists_every_event_type_field_and_vocabulary() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/importing.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let now = lists();
    if std::env::var_os("CX_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, format!("{before}{BEGIN}{now}{END}{after}")).unwrap();
        return;
    }
    assert!(there == now, "docs/importing.md is behind the program: run the test with CX_BLESS=1");
}
