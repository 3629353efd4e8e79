//! Where the event store is, who asks it, and how long they wait.

use std::fmt;
use std::time::Duration;

use eventstore::{Authentication, ClientSettings, Credentials};
use zeroize::Zeroizing;

use super::marks::Marks;

/// The schemes of an event store's address.
const SCHEMES: &[&str] = &["esdb", "kurrentdb", "kurrent", "kdb"];

/// What a certificate begins with.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The address cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It is no address of an event store.
    #[error(
        "{reason}: an event store's address is such as esdb://127.0.0.1:2113?tls=false or \
         kurrentdb://node1:2113,node2:2113,node3:2113"
    )]
    Address {
        /// Why not.
        reason: String,
    },
    /// It holds a user or a password.
    #[error(
        "the address of the event store holds a user: leave it out, and set CXLEDGER_LEDGER_USER \
         and CXLEDGER_LEDGER_PASSWORD_FILE"
    )]
    Credentials,
}

/// How long to wait for what.
#[derive(Debug, Clone)]
pub struct Patience {
    /// A call of the ledger, with all its attempts.
    pub call: Duration,
    /// One answer of the event store.
    pub answer: Duration,
    /// The time between two looks at the event store while something is waited for.
    pub pulse: Duration,
    /// A sign of life; after that it is asked for over a new connection as well.
    pub look: Duration,
    /// A subscription that says nothing although the head is further.
    pub silence: Duration,
    /// The first pause before a client is built again; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            pulse: Duration::from_millis(400),
            look: Duration::from_millis(700),
            silence: Duration::from_secs(1),
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_millis(500),
        }
    }
}

/// Where the event store is, who asks it, and how long they wait. Prints no password.
#[derive(Clone)]
pub struct KurrentSettings {
    address: String,
    user: Option<(String, Zeroizing<String>)>,
    client: ClientSettings,
    pub(super) patience: Patience,
    marks: Option<Marks>,
}

impl KurrentSettings {
    /// Reads an address such as `esdb://host:2113?tls=false` or `kurrentdb://a:2113,b:2113`.
    pub fn parse(address: &str) -> Result<Self, SettingsError> {
        let wrong = |reason: &str| SettingsError::Address { reason: reason.into() };
        if !is_address(address) {
            return Err(wrong("the scheme is none of an event store"));
        }
        let (_, rest) = address.split_once("://").ok_or_else(|| wrong("it has no host"))?;
        let hosts = rest.split(['/', '?']).next().unwrap_or_default();
        if hosts.contains('@') {
            return Err(SettingsError::Credentials);
        }
        // The client waits half a second before each connection and three for each node: a dead
        // one is given up sooner here, and the supervisor tries again.
        let mut whole = address.to_owned();
        let given = address.to_ascii_lowercase();
        for (name, value) in
            [("discoveryInterval", "10"), ("maxDiscoverAttempts", "2"), ("gossipTimeout", "1500")]
        {
            if !given.contains(&format!("{}=", name.to_ascii_lowercase())) {
                whole.push(if whole.contains('?') { '&' } else { '?' });
                whole.extend([name, "=", value]);
            }
        }
        let client = whole
            .parse::<ClientSettings>()
            .map_err(|error| SettingsError::Address { reason: error.message().to_owned() })?;
        Ok(Self {
            address: address.to_owned(),
            user: None,
            client,
            patience: Patience::default(),
            marks: None,
        })
    }

    /// Asks as this user.
    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        self.user = Some((user.to_owned(), Zeroizing::new(password.to_owned())));
        self
    }

    /// Waits as long as this says.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Keeps in a file what was counted, so that the next process counts on from there.
    #[must_use]
    pub fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = Some(marks);
        self
    }

    pub(super) fn marks(&self) -> Option<&Marks> {
        self.marks.as_ref()
    }

    /// Whether the file of the authority that the address names holds a certificate: the client
    /// panics at some that do not.
    pub(super) fn authority(&self) -> Result<(), String> {
        let Some(path) = self.client.tls_ca_file() else { return Ok(()) };
        let why = match std::fs::read(path) {
            Ok(bytes) if bytes.windows(BEGIN.len()).any(|window| window == BEGIN) => return Ok(()),
            Ok(_) => "it holds no certificate in PEM".to_owned(),
            Err(error) => format!("there is no certificate to be read: {error}"),
        };
        Err(format!("tlsCaFile={path}: {why}"))
    }

    /// The address, which holds no secret.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn client(&self) -> ClientSettings {
        self.client.clone()
    }

    pub(super) fn authentication(&self) -> Option<Authentication> {
        let (user, password) = self.user.as_ref()?;
        let password = password.as_str().to_owned();
        Some(Authentication::Basic(Credentials::new(user.clone(), password)))
    }
}

/// Whether a text is the address of an event store, and not a path.
pub fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        let scheme = scheme.strip_suffix("+discover").unwrap_or(scheme);
        SCHEMES.contains(&scheme)
    })
}

impl fmt::Debug for KurrentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|(user, _)| user);
        f.debug_struct("KurrentSettings")
            .field("address", &self.address)
            .field("user", &user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_password_and_a_path_is_none() {
        assert!(is_address("esdb://localhost:2113") && is_address("kurrentdb+discover://cluster"));
        assert!(!is_address("/var/lib/cxledger") && !is_address("http://localhost"));
        let with_user = KurrentSettings::parse("esdb://admin:changeit@localhost:2113");
        assert!(matches!(with_user, Err(SettingsError::Credentials)));
        let seeds = "esdb://a:1,b:2,c:3?tls=false";
        let settings = KurrentSettings::parse(seeds).unwrap().with_user("me", "secret");
        assert_eq!(settings.client.hosts().len(), 3);
        assert!(!format!("{settings:?}").contains("secret"));
        assert!(KurrentSettings::parse("esdb://").is_err());
    }
}
