//! `cxledger config`: the settings in effect, and where each comes from.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use serde_json::json;

use super::{READ, SECRETS, SETTINGS, Setting, variable};
use crate::serve::{EventStore, Network};
use crate::table::compact;

/// Print the settings in effect and where each comes from: a flag, the environment, the file, or the default.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger config
  cxledger config --config /etc/cxledger/cxledger.toml --json
  cxledger config --listen 127.0.0.1:9000

It takes the flags of `cxledger serve`. The file is the one that --config or
CXLEDGER_CONFIG names, else cxledger.toml in the data directory; names of files in it are relative
to it.")]
pub struct Config {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    event_store: EventStore,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A setting's values, and where they come from.
fn in_effect(setting: &Setting, matches: &ArgMatches) -> (Vec<String>, String) {
    let file = READ.get().filter(|file| file.values(setting.key).is_some());
    let of_file = || {
        let found = file.and_then(|file| Some((file.values(setting.key)?, file.path()?)));
        if let Some((values, path)) = found {
            return (values.to_vec(), path.display().to_string());
        }
        let default = Some(setting.default.to_owned()).filter(|text| !text.is_empty());
        let from = if default.is_some() { "default" } else { "not set" };
        (default.into_iter().collect(), from.to_owned())
    };
    let Some(flag) = setting.flag else {
        return match variable(setting.variable) {
            Some(value) => (vec![value], setting.variable.to_owned()),
            None => of_file(),
        };
    };
    let given = || -> Vec<String> {
        let raw = matches.get_raw(setting.key).into_iter().flatten();
        raw.map(|value| value.to_string_lossy().into_owned()).collect()
    };
    match matches.value_source(setting.key) {
        Some(ValueSource::CommandLine) => (given(), flag.to_owned()),
        Some(ValueSource::EnvVariable) => (given(), setting.variable.to_owned()),
        _ => of_file(),
    }
}

impl Config {
    /// Prints them; fails if they make no sense together.
    pub fn run(&self, matches: &ArgMatches) -> anyhow::Result<()> {
        let file = READ.get().and_then(|file| file.path()).map(|path| path.display().to_string());
        let all = SETTINGS.iter().map(|setting| (setting, in_effect(setting, matches)));
        if self.json {
            let one = |(setting, (values, from)): (&Setting, (Vec<String>, String))| {
                json!({
                    "setting": setting.key,
                    "variable": setting.variable,
                    "values": values,
                    "from": from,
                })
            };
            let settings: Vec<_> = all.map(one).collect();
            let secrets: Vec<_> = SECRETS.iter().filter(|name| variable(name).is_some()).collect();
            let answer = json!({ "file": file, "settings": settings, "secretsSet": secrets });
            say!("{}", serde_json::to_string_pretty(&answer)?);
        } else {
            let mut shown = compact(["setting", "value", "from"]);
            for (setting, (values, from)) in all {
                shown.add_row([setting.key.to_owned(), values.join(", "), from]);
            }
            for name in SECRETS.iter().filter(|name| variable(name).is_some()) {
                shown.add_row([*name, "set, not shown", "environment"]);
            }
            say!("{shown}");
            say!("file: {}", file.as_deref().unwrap_or("none"));
        }
        self.network.meeting()?;
        self.event_store.meeting()?;
        crate::elsewhere::chosen()?;
        Ok(())
    }
}
