//! Settings: defaults, then one file, then the environment, then flags, the later one wins.
//!
//! The file is the one that `--config` or `CXLEDGER_CONFIG` names, else `cxledger.toml` in the data
//! directory. It holds no secrets, only the names of files that do.

mod file;
mod show;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::{Arg, ArgMatches, Command};
use cx_ledger::KeySource;
use cx_ledger::vault::{KEY_FILE_VARIABLE, KEY_VARIABLE, PASSPHRASE_VARIABLE};

use file::File;
pub use show::Config;

/// The file's name in a data directory.
pub const FILE: &str = "cxledger.toml";
/// Names the file.
const VARIABLE: &str = "CXLEDGER_CONFIG";

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// In the file relative to the folder that the file is in.
    Path,
    /// Several texts; in the environment separated by commas.
    List,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// In the file, and among the program's arguments where it is one.
    key: &'static str,
    /// In the environment.
    variable: &'static str,
    /// On the command line.
    flag: Option<&'static str>,
    default: &'static str,
    kind: Kind,
}

const fn setting(
    key: &'static str,
    variable: &'static str,
    flag: Option<&'static str>,
    default: &'static str,
    kind: Kind,
) -> Setting {
    Setting { key, variable, flag, default, kind }
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting("data", "CXLEDGER_DATA", Some("--data"), "./cxledger-data", Kind::Path),
    setting("ledger", "CXLEDGER_LEDGER", None, "", Kind::Text),
    setting("ledger_user", "CXLEDGER_LEDGER_USER", None, "", Kind::Text),
    setting("ledger_password_file", "CXLEDGER_LEDGER_PASSWORD_FILE", None, "", Kind::Path),
    setting("keys", "CXLEDGER_KEYS", None, "", Kind::Path),
    setting("key_file", KEY_FILE_VARIABLE, None, "", Kind::Path),
    setting("listen", "CXLEDGER_LISTEN", Some("--listen"), "127.0.0.1:8080", Kind::Text),
    setting("tokens", "CXLEDGER_TOKENS", Some("--tokens"), "", Kind::Path),
    setting("hosts", "CXLEDGER_HOSTS", Some("--host"), "", Kind::List),
    setting("origins", "CXLEDGER_ORIGINS", Some("--origin"), "", Kind::List),
    setting("documents", "CXLEDGER_DOCUMENTS", Some("--documents"), "", Kind::Path),
    setting("esdb", "CXLEDGER_ESDB", Some("--esdb"), "", Kind::Text),
    setting("esdb_cert", "CXLEDGER_ESDB_CERT", Some("--esdb-cert"), "", Kind::Path),
    setting("esdb_key", "CXLEDGER_ESDB_KEY", Some("--esdb-key"), "", Kind::Path),
    setting("log", "CXLEDGER_LOG", None, "warn", Kind::Text),
];

/// What holds a secret, in the environment only.
const SECRETS: &[&str] = &["CXLEDGER_LEDGER_PASSWORD", KEY_VARIABLE, PASSPHRASE_VARIABLE];

static READ: OnceLock<File> = OnceLock::new();

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting as the environment or the file says, by its name in the environment.
pub fn value(name: &str) -> Option<String> {
    variable(name).or_else(|| {
        let setting = SETTINGS.iter().find(|setting| setting.variable == name)?;
        READ.get()?.values(setting.key)?.first().cloned()
    })
}

/// Where the ledger key comes from: see [`KeySource::from_env`]; the file may name a key file.
pub fn key_source() -> KeySource {
    let says = [KEY_FILE_VARIABLE, KEY_VARIABLE, PASSPHRASE_VARIABLE].map(variable);
    match value(KEY_FILE_VARIABLE).filter(|_| says.iter().all(Option::is_none)) {
        Some(path) => KeySource::File(PathBuf::from(path)),
        None => KeySource::from_env(),
    }
}

/// The value of a flag before the command line is understood: the file that it leads to says what
/// the other flags fall back to.
fn early(arguments: &[OsString], flag: &str) -> Option<OsString> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == flag {
            return arguments.next().cloned();
        }
        let given = argument.to_str().and_then(|text| text.strip_prefix(flag)?.strip_prefix('='));
        if let Some(value) = given {
            return Some(value.into());
        }
    }
    None
}

/// Reads the file that the arguments and the environment lead to, if there is one.
fn find(arguments: &[OsString]) -> anyhow::Result<File> {
    let given = |flag, name| early(arguments, flag).or_else(|| variable(name).map(Into::into));
    if let Some(path) = given("--config", VARIABLE) {
        return File::read(Path::new(&path), true);
    }
    let data = given("--data", "CXLEDGER_DATA").unwrap_or_else(|| SETTINGS[0].default.into());
    let path = Path::new(&data).join(FILE);
    if path.is_file() { File::read(&path, false) } else { Ok(File::default()) }
}

/// Understands the program's arguments over what the file and the environment say.
pub fn matches(command: Command) -> anyhow::Result<ArgMatches> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let found = find(&arguments)?;
    let file = READ.get_or_init(|| found);
    Ok(with_defaults(command, file).get_matches_from(arguments))
}

/// The file's values as the defaults of every argument of these names.
fn with_defaults(command: Command, file: &'static File) -> Command {
    let fall_back = |argument: Arg| {
        let key = argument.get_id().as_str().to_owned();
        match file.values(&key) {
            Some(values) => argument.default_values(values.iter().map(String::as_str)),
            None => argument,
        }
    };
    command.mut_args(fall_back).mut_subcommands(|inner| with_defaults(inner, file))
}
