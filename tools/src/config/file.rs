//! The file: its keys are known ones, and no value is a secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use toml::Value;

use super::{FILE, Kind, SETTINGS, Setting};

/// What was read of a file.
#[derive(Debug, Default)]
pub(super) struct File {
    path: Option<PathBuf>,
    values: BTreeMap<&'static str, Vec<String>>,
}

impl File {
    /// Reads and checks it. `named` says that it was named, and not found in a data directory.
    pub fn read(path: &Path, named: bool) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the settings in {} cannot be read", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let values = parse(&text, folder, named).with_context(|| path.display().to_string())?;
        Ok(Self { path: Some(path.to_owned()), values })
    }

    /// Where it is; `None` if there is none.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it says of a setting.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

/// Names of settings that would be secrets, and where these go.
const SECRETS: &[(&str, &str)] = &[
    ("ledger_password", "ledger_password_file"),
    ("password", "ledger_password_file"),
    ("key", "key_file"),
    ("passphrase", "key_file"),
];

fn parse(
    text: &str,
    folder: &Path,
    named: bool,
) -> anyhow::Result<BTreeMap<&'static str, Vec<String>>> {
    let table: toml::Table = text.parse()?;
    let mut values = BTreeMap::new();
    for (key, value) in &table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            if let Some((_, instead)) = SECRETS.iter().find(|(name, _)| name == key) {
                bail!("`{key}` would be a secret: put it into a file and name that in `{instead}`");
            }
            bail!("there is no setting `{key}`; did you mean `{}`?", nearest(key));
        };
        if key == "data" && !named {
            bail!(
                "`data` cannot be set in the {FILE} of a data directory, which is found there; name \
                 the file with --config or CXLEDGER_CONFIG"
            );
        }
        values.insert(setting.key, read(setting, value, folder)?);
    }
    Ok(values)
}

fn read(setting: &Setting, value: &Value, folder: &Path) -> anyhow::Result<Vec<String>> {
    let key = setting.key;
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(anyhow::anyhow!("`{key}` has to be a text in quotation marks")),
    };
    match (setting.kind, value) {
        (Kind::List, Value::Array(values)) => values.iter().map(text).collect(),
        (Kind::List, _) => bail!("`{key}` has to be a list such as [\"ledger.example.org\"]"),
        (Kind::Path, value) => {
            let path = folder.join(text(value)?);
            let path = path.to_str().with_context(|| format!("`{key}` is not in Unicode"))?;
            Ok(vec![path.to_owned()])
        }
        (Kind::Text, value) => Ok(vec![text(value)?]),
    }
}

/// The setting whose name takes the fewest changes to get from this one.
fn nearest(key: &str) -> &'static str {
    let names = SETTINGS.iter().map(|setting| setting.key);
    names.min_by_key(|name| changes(key, name)).unwrap_or_default()
}

/// How many letters have to be added, removed or changed (Levenshtein).
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, Path::new("/etc/cxledger"), false).unwrap_err().to_string()
    }

    #[test]
    fn paths_are_relative_to_the_file_and_lists_are_lists() {
        let text = "listen = '0.0.0.0:80'\nkeys = 'keys'\ntokens = '/t'\nhosts = ['a', 'b']\n";
        let read = parse(text, Path::new("/etc/cxledger"), false).unwrap();
        assert_eq!(read["listen"], ["0.0.0.0:80"]);
        assert_eq!(read["keys"], ["/etc/cxledger/keys"]);
        assert_eq!(read["tokens"], ["/t"]);
        assert_eq!(read["hosts"], ["a", "b"]);
    }

    #[test]
    fn an_unknown_setting_is_refused_with_the_nearest_name() {
        for (wrong, near) in
            [("lisen", "listen"), ("ledger_pasword_file", "ledger_password_file"), ("Keys", "keys")]
        {
            let said = refused(&format!("{wrong} = 'x'"));
            assert!(said.contains(&format!("`{near}`?")), "{said}");
        }
    }

    #[test]
    fn a_secret_does_not_stand_in_the_file_and_is_not_repeated() {
        for key in ["ledger_password", "passphrase", "key"] {
            let said = refused(&format!("{key} = 'open sesame'"));
            assert!(said.contains("_file") && !said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        assert!(refused("listen = 80").contains("quotation"));
        assert!(refused("hosts = 'a'").contains("list"));
        assert!(refused("data = 'there'").contains("--config"));
        assert!(parse("data = 'there'", Path::new("/x"), true).is_ok());
    }
}
