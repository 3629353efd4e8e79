//! Keys of rows: of what parts each view's are, and how one looks.

use anyhow::bail;
use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use cx_projections::{KeyPart, NOBODY};

use crate::nearest::hint;

/// So many events are looked through for ids that a ledger really has.
const LOOKED_AT: usize = 1_000;

/// A view with its key.
struct Form {
    view: &'static str,
    parts: &'static [&'static str],
    /// A key with ids of nobody.
    example: String,
}

impl Form {
    /// Such as `customer/page`.
    fn names(&self) -> String {
        self.parts.join("/")
    }

    /// A key with those of these streams' ids that it takes.
    fn example(&self, known: &[String]) -> String {
        known.iter().fold(self.example.clone(), |example, stream| {
            let category = stream.split('-').next().unwrap_or_default();
            example.replace(&format!("{category}-{NOBODY}"), stream)
        })
    }
}

/// All views, in the order of the list.
fn forms() -> Vec<Form> {
    // Of some views only the parts' types are needed.
    #[allow(clippy::wildcard_imports)]
    use cx_projections::parts::*;
    macro_rules! form {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $kind:ident<$view:ident>,)*) => {
            vec![$(Form {
                view: stringify!($name),
                parts: &[$(stringify!($argument)),*],
                example: [$(<$part>::example().text()),*].join("/"),
            }),*]
        };
    }
    cx_projections::views!(form)
}

/// Whether a text is a key of a view; `None` if there is no such view.
fn is_key(view: &str, key: &str) -> Option<bool> {
    // Of some views only the parts' types are needed.
    #[allow(clippy::wildcard_imports)]
    use cx_projections::parts::*;
    macro_rules! read {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $kind:ident<$view:ident>,)*) => {
            match view {
                $(stringify!($name) => {
                    let wanted = [$(stringify!($argument)),*].len();
                    let mut parts = key.splitn(wanted, '/');
                    Some($(parts.next().and_then(<$part>::of_text).is_some())&&*)
                })*
                _ => None,
            }
        };
    }
    cx_projections::views!(read)
}

/// A line of help that is longer is wrapped.
const WIDTH: usize = 96;

/// An example for every view, for `--help`.
pub fn help() -> String {
    let line = |form: Form| {
        let (command, key) = (format!("  cxledger explain {}", form.view), form.example(&[]));
        let whole = format!("{command} {key}");
        if whole.len() <= WIDTH { whole } else { format!("{command} \\\n      {key}") }
    };
    let examples: Vec<String> = forms().into_iter().map(line).collect();
    format!(
        "Examples, one for each view:\n{}\n\n\
         A customer's timeline lies in pages; without a page the last one is explained.\n\
         A cell of satisfaction is instrument/question/touchpoint/attribute/month, and what is left\n\
         empty is none. The keys of the cells behind a figure are in the GraphQL field\n\
         `satisfaction {{ cells }}`, those of cases in `openCases`.",
        examples.join("\n")
    )
}

/// Fails if there is no such view, or the text is no key of it, with an example that the ledger has.
pub async fn check(ledger: &dyn Ledger, view: &str, key: &str) -> anyhow::Result<()> {
    let forms = forms();
    let Some(form) = forms.iter().find(|form| form.view == view) else {
        let names: Vec<&str> = forms.iter().map(|form| form.view).collect();
        let near = hint(view, names.iter().copied());
        bail!("there is no view {view}{near}; the views are {}", names.join(", "));
    };
    if is_key(view, key) == Some(true) {
        return Ok(());
    }
    let page = ledger.read_all(Position::START, Direction::Forwards, LOOKED_AT).await?;
    let known: Vec<String> = page.iter().map(|event| event.stream.as_str().to_owned()).collect();
    let parts = if form.parts.len() > 1 { " (joined by `/`)" } else { "" };
    bail!(
        "`{key}` is no key of the view {view}, which is {}{parts}, such as\n  cxledger explain {view} {}\n\
         an example for every view: cxledger explain --help",
        form.names(),
        form.example(&known)
    )
}

#[cfg(test)]
mod tests {
    use cx_ledger::MemoryLedger;

    use super::*;

    #[test]
    fn every_view_has_an_example_that_is_a_key_of_it() {
        let forms = forms();
        assert_eq!(forms.len(), cx_projections::all_views().len());
        for form in forms {
            let example = form.example(&[]);
            assert_eq!(is_key(form.view, &example), Some(true), "{} {example}", form.view);
            assert!(help().contains(&example));
        }
    }

    #[tokio::test]
    async fn a_malformed_key_and_an_unknown_view_are_answered_with_an_example() {
        let ledger = MemoryLedger::new();
        let said =
            async |view: &str, key: &str| check(&ledger, view, key).await.unwrap_err().to_string();
        let key = said("timeline", "customer-x").await;
        assert!(
            key.contains("customer/page") && key.contains(&format!("customer-{NOBODY}/1")),
            "{key}"
        );
        let cell = said("satisfaction", "NPS").await;
        assert!(cell.contains("/recommend///2026-01"), "{cell}");
        let view = said("custmer", "x").await;
        assert!(view.contains("did you mean `customer`?") && view.contains("timeline"), "{view}");
        assert!(check(&ledger, "customer", &format!("customer-{NOBODY}")).await.is_ok());
    }
}
