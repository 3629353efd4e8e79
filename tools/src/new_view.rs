//! `cxledger new-view NAME`: the file of a view, its line in the list, and a test that passes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// Write a new view into the project's source: its file, its line in the list, and a test that passes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, in the project's folder:
  cargo run -p cxledger -- new-view last_contact
  cargo test -p cx-projections last_contact
  cargo run -p cxledger -- new-view monthly_contacts --figure

docs/adding-a-view.md goes on from there.")]
pub struct NewView {
    /// Its name in snake_case, such as `last_contact`.
    name: String,
    /// A figure over all customers, instead of a row a customer.
    #[arg(long)]
    figure: bool,
    /// The project's folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

impl NewView {
    /// Writes the file and the lines, and says what to do next.
    pub fn run(self) -> anyhow::Result<()> {
        write(&self.project, &self.name, if self.figure { &FIGURE } else { &ROW })?;
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

fn write(project: &Path, name: &str, beginning: &Beginning) -> anyhow::Result<()> {
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
    let list =
        with_line(&list, name, &row, beginning).context("projections/src/list.rs has no list")?;
    fs::write(&file, beginning.file.replace("new_view", name).replace("NewView", &row))?;
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
fn with_line(list: &str, name: &str, row: &str, beginning: &Beginning) -> Option<String> {
    let start = list.find("$then! {")?;
    let end = start + list[start..].find("\n        }")?;
    let Beginning { line: (key, kind), what, .. } = beginning;
    let indent = " ".repeat(12);
    let line = format!("\n{indent}/// {what}\n{indent}{name}({key}) -> {kind}<{row}>,");
    Some(format!("{}{line}{}", &list[..end], &list[end..]))
}

/// What a new view begins as.
struct Beginning {
    /// A file of the views, tested under the names `new_view` and `NewView`.
    file: &'static str,
    /// Its key and its kind in the list.
    line: (&'static str, &'static str),
    /// What it says there that it is.
    what: &'static str,
}

/// It counts a customer's interactions.
const ROW: Beginning = Beginning {
    file: include_str!("../../projections/src/new_view/row.rs"),
    line: ("customer: CustomerId", "One"),
    what: "How many interactions a customer had.",
};

/// It counts the interactions of all customers.
const FIGURE: Beginning = Beginning {
    file: include_str!("../../projections/src/new_view/figure.rs"),
    line: ("month: Month", "Sum"),
    what: "How many interactions there were in a month, of all customers.",
};

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

    /// A folder with the files that are written into.
    fn project() -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let source = project.path().join("projections/src");
        fs::create_dir_all(source.join("views")).unwrap();
        for file in ["views.rs", "list.rs"] {
            fs::copy(here.join("projections/src").join(file), source.join(file)).unwrap();
        }
        project
    }

    fn written(project: &tempfile::TempDir, file: &str) -> String {
        fs::read_to_string(project.path().join("projections/src").join(file)).unwrap()
    }

    #[test]
    fn a_new_view_is_a_file_and_a_line() {
        let project = project();
        write(project.path(), "last_contact", &ROW).unwrap();
        assert!(
            written(&project, "list.rs")
                .contains("last_contact(customer: CustomerId) -> One<LastContact>,\n        }")
        );
        let views = written(&project, "views.rs");
        let modules: Vec<&str> =
            views.lines().filter(|line| line.starts_with("pub mod ")).collect();
        assert!(modules.is_sorted() && modules.contains(&"pub mod last_contact;"), "{views}");
        let view = written(&project, "views/last_contact.rs");
        assert!(view.contains("const NAME: &'static str = \"last_contact\";"));
        assert!(!view.contains("NewView") && !view.contains("new_view"), "{view}");
        assert!(write(project.path(), "last_contact", &ROW).is_err());
        assert!(write(project.path(), "Last", &ROW).is_err());
    }

    #[test]
    fn a_new_figure_is_listed_as_a_sum() {
        let project = project();
        write(project.path(), "monthly_contacts", &FIGURE).unwrap();
        assert!(
            written(&project, "list.rs")
                .contains("monthly_contacts(month: Month) -> Sum<MonthlyContacts>,\n        }")
        );
        let view = written(&project, "views/monthly_contacts.rs");
        assert!(view.contains("impl Figure for MonthlyContacts"), "{view}");
    }
}
