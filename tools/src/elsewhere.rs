//! Where the ledger is: here, or on an event store that `CXLEDGER_LEDGER` or the file of settings names.

use anyhow::{Context, bail};
use cx_ledger::KurrentSettings;
use cx_ledger::kurrent::settings::is_address;

use crate::config;

/// The address of the event store that holds the ledger.
const LEDGER: &str = "CXLEDGER_LEDGER";
/// As whom to ask it.
const USER: &str = "CXLEDGER_LEDGER_USER";
/// A file that holds the password.
const PASSWORD_FILE: &str = "CXLEDGER_LEDGER_PASSWORD_FILE";
/// The password itself.
const PASSWORD: &str = "CXLEDGER_LEDGER_PASSWORD";

/// The event store that the environment or the file of settings names; `None` if the ledger is in the data directory.
pub fn chosen() -> anyhow::Result<Option<KurrentSettings>> {
    config::value(LEDGER).map(|address| settings(&address).context(LEDGER)).transpose()
}

/// An event store at an address, asked as the user whom the environment names.
pub fn settings(address: &str) -> anyhow::Result<KurrentSettings> {
    if !is_address(address) {
        bail!(
            "{address} is no address of an event store, such as esdb://127.0.0.1:2113?tls=false or \
             kurrentdb://node1:2113,node2:2113,node3:2113"
        );
    }
    let settings = KurrentSettings::parse(address)?;
    let Some(user) = config::value(USER) else { return Ok(settings) };
    let password = match config::value(PASSWORD_FILE) {
        Some(path) => std::fs::read_to_string(&path)
            .with_context(|| format!("{PASSWORD_FILE}: {path} cannot be read"))?,
        None => config::value(PASSWORD)
            .with_context(|| format!("{USER} is set: set {PASSWORD_FILE} or {PASSWORD} as well"))?,
    };
    Ok(settings.with_user(&user, password.trim_end_matches(['\r', '\n'])))
}

/// Refuses what is about the log of this machine where the ledger is on an event store.
pub fn must_not_be(instead: &str) -> anyhow::Result<()> {
    match chosen()? {
        Some(settings) => bail!("the ledger is at {}: {instead}", settings.address()),
        None => Ok(()),
    }
}
