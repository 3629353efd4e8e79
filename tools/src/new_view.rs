//! `cxledger new-view NAME`: the file of a view, its line in the list, and a test that passes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// Write a new view into the project's source: its file, its line in the list, and a test that passes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, in the project's folder:
  cargo run -p cxledger -- new-view last_contact
  cargo test -p cx-projections last_contact

docs/adding-a-view.md goes on from there.")]
pub struct NewView {
    /// Its name in snake_case, such as `last_contact`.
    name: String,
    /// The project's folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

impl NewView {
    /// Writes the file and the lines, and says what to do next.
    pub fn run(self) -> anyhow::Result<()> {
        write(&self.project, &self.name)?;
        say!("projections/src/views/{}.rs is there; run its test with", self.name);
        say!("  cargo test -p cx-projections {}", self.name);
        say!(
            "then say what it is in projections/src/list.rs, and write down its generation and field"
        );
        say!("  CXLEDGER_ACCEPT_VIEWS=1 cargo test -p cx-projections fingerprints");
        say!("  CX_BLESS=1 cargo test -p cx-api --test schema describing");
        say!("see docs/adding-a-view.md");
        Ok(())
    }
}

fn write(project: &Path, name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    ensure!(first && name.chars().all(plain), "a view's name is snake_case, such as last_contact");
    let source = project.join("projections/src");
    let file = source.join("views").join(format!("{name}.rs"));
    if file.exists() {
        bail!("{} is there already; choose another name", file.display());
    }
    let row = camel_case(name);
    let views = read(&source.join("views.rs"))?;
    let list = read(&source.join("list.rs"))?;
    let views = with_module(&views, name, &row);
    let list = with_line(&list, name, &row).context("projections/src/list.rs has no list")?;
    fs::write(&file, VIEW.replace("VIEW_NAME", name).replace("ROW", &row))?;
    fs::write(source.join("views.rs"), views)?;
    fs::write(source.join("list.rs"), list)?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("{}: run this in the project's folder", path.display()))
}

fn camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// Names the module among the others, where rustfmt would put it.
fn with_module(views: &str, name: &str, row: &str) -> String {
    let module = |line: &str| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned);
    let used = |line: &str| Some(line.strip_prefix("pub use ")?.split_once("::")?.0.to_owned());
    let lines: Vec<String> = views.lines().map(str::to_owned).collect();
    let lines = in_order(lines, format!("pub mod {name};"), |line| module(line));
    let lines = in_order(lines, format!("pub use {name}::{row};"), |line| {
        used(line).map(|name| sorted(&name))
    });
    lines.join("\n") + "\n"
}

/// Puts a line before the first of its kind that comes after it, or behind the last.
fn in_order<K: PartialOrd>(
    mut lines: Vec<String>,
    line: String,
    key_of: impl Fn(&str) -> Option<K>,
) -> Vec<String> {
    let key = key_of(&line);
    let later = |known: &String| key_of(known).is_some_and(|known| Some(known) > key);
    let last = lines.iter().rposition(|line| key_of(line).is_some());
    let place = lines.iter().position(later).or(last.map(|last| last + 1)).unwrap_or(lines.len());
    lines.insert(place, line);
    lines
}

/// A name as rustfmt sorts what is used (modules it sorts by their bytes): an underscore before everything else, numbers by their value.
fn sorted(name: &str) -> Vec<(char, u64)> {
    let mut parts = Vec::new();
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(mut number) = letter.to_digit(10).map(u64::from) else {
            parts.push((if letter == '_' { ' ' } else { letter }, 0));
            continue;
        };
        while let Some(digit) = letters.peek().and_then(|next| next.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(u64::from(digit));
            letters.next();
        }
        parts.push(('0', number));
    }
    parts
}

/// Puts the line behind the last view of the list.
fn with_line(list: &str, name: &str, row: &str) -> Option<String> {
    let start = list.find("$then! {")?;
    let end = start + list[start..].find("\n        }")?;
    let line = format!(
        "\n            /// How many interactions a customer had.\n            {name}(customer: CustomerId) -> One<{row}>,"
    );
    Some(format!("{}{line}{}", &list[..end], &list[end..]))
}

/// The view that a new one begins as: it counts a customer's interactions.
const VIEW: &str = r#"//! How many interactions a customer had.

use async_graphql::SimpleObject;
use cx_model::{CustomerId, Event, Recorded, StreamName};
use serde::{Deserialize, Serialize};

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;

/// How many interactions a customer had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct ROW {
    /// Interactions recorded.
    pub count: u32,
}

impl Projection for ROW {
    const NAME: &'static str = "VIEW_NAME";
    type Key = CustomerId;
    type View = Self;
    type Private = ();

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(customer: &CustomerId) -> Option<u64> {
        Some(lane_of_customer(*customer))
    }

    fn stream_of(customer: &CustomerId) -> Option<StreamName> {
        Some(customer.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        if let Event::InteractionRecorded(_) = &event.event {
            rows.update(&customer, |row| row.count += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::Channel;

    use super::*;
    use crate::given::{customer, given, happened, interaction};

    #[test]
    fn each_interaction_counts_once() {
        given::<ROW>([
            happened(customer(1), interaction(Channel::Phone)),
            happened(customer(1), interaction(Channel::Web)),
        ])
        .then(customer(1), ROW { count: 2 })
        .then_none(customer(2));
    }

    crate::laws!(ROW);
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_stands_where_rustfmt_puts_it() {
        let views = "//! Views.\n\npub mod b2;\npub mod d;\n\npub use b2::B;\npub use d::{D, E};\n";
        let lines = |name: &str| -> Vec<String> {
            let views = with_module(views, name, "Row");
            views.lines().map(str::to_owned).collect()
        };
        for (name, place, used) in
            [("a", 2, 6), ("b_c", 3, 6), ("b1", 2, 6), ("b10", 2, 7), ("c", 3, 7), ("e", 4, 8)]
        {
            let lines = lines(name);
            assert_eq!(lines[place], format!("pub mod {name};"), "{lines:?}");
            assert_eq!(lines[used], format!("pub use {name}::Row;"), "{lines:?}");
            assert_eq!(lines.len(), 9);
        }
    }

    #[test]
    fn a_new_view_is_a_file_and_a_line() {
        let project = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let source = project.path().join("projections/src");
        fs::create_dir_all(source.join("views")).unwrap();
        for file in ["views.rs", "list.rs"] {
            fs::copy(here.join("projections/src").join(file), source.join(file)).unwrap();
        }
        write(project.path(), "last_contact").unwrap();
        let list = fs::read_to_string(source.join("list.rs")).unwrap();
        assert!(
            list.contains("last_contact(customer: CustomerId) -> One<LastContact>,\n        }")
        );
        let views = fs::read_to_string(source.join("views.rs")).unwrap();
        let modules: Vec<&str> =
            views.lines().filter(|line| line.starts_with("pub mod ")).collect();
        assert!(modules.is_sorted() && modules.contains(&"pub mod last_contact;"), "{views}");
        let view = fs::read_to_string(source.join("views/last_contact.rs")).unwrap();
        assert!(view.contains("const NAME: &'static str = \"last_contact\";"));
        assert!(!view.contains("ROW"));
        assert!(write(project.path(), "last_contact").is_err());
        assert!(write(project.path(), "Last").is_err());
    }
}
