//! TLS with an authority of one's own, and passwords over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{Tls, choose_cryptography, listen};
use cx_api::serve::Drain;
use cx_ledger::kurrent::Patience;
use cx_ledger::{Direction, KurrentLedger, KurrentSettings, Ledger, MemoryLedger, ReadError};
use cx_model::Position;
use tokio::net::TcpListener;

use super::server::tokens;
use super::trouble::one;

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kurrent/certificates").join(name)
}

/// An event store over TLS that knows one user, whose password is `secret`.
async fn secured() -> SocketAddr {
    choose_cryptography();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tokens = tokens("node", "secret");
    let tls = Tls::read(&certificate("node.pem"), &certificate("node.key")).unwrap();
    let endpoint = Endpoint::free(Arc::new(MemoryLedger::new()), Some(tokens), Drain::default());
    tokio::spawn(listen(endpoint, listener, Some(tls)));
    address
}

async fn connect(
    address: SocketAddr,
    host: &str,
    authority: &Path,
    password: &str,
) -> Result<KurrentLedger, ReadError> {
    let (port, authority) = (address.port(), authority.display());
    let address = format!("esdb://{host}:{port}?tls=true&tlsCaFile={authority}");
    let patience = Patience { call: Duration::from_secs(2), ..Patience::default() };
    let settings = KurrentSettings::parse(&address).unwrap().with_patience(patience);
    KurrentLedger::connect(settings.with_user("node", password)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_an_authority_of_ones_own_is_trusted_and_no_other() {
    let address = secured().await;
    let ours = certificate("authority.pem");
    for host in ["127.0.0.1", "localhost"] {
        let ledger = connect(address, host, &ours, "secret").await.unwrap();
        ledger.append(one(0)).await.unwrap();
        assert_eq!(ledger.follow(Position::START).next(9).await.unwrap().len(), 1);
        let read = ledger.read_all(Position::START, Direction::Forwards, 9).await.unwrap();
        assert_eq!(read.len(), 1);
    }
    let refused = connect(address, "127.0.0.1", &ours, "wrong").await.unwrap_err().to_string();
    assert!(refused.contains("access denied") && !refused.contains("wrong"), "{refused}");
    let other = certificate("other.pem");
    let refused = connect(address, "127.0.0.1", &other, "secret").await.unwrap_err().to_string();
    assert!(refused.contains("does not answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_is_none_is_said_at_once() {
    let address = secured().await;
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "no certificate").unwrap();
    for file in [directory.path().join("nowhere"), text] {
        let refused = connect(address, "127.0.0.1", &file, "secret").await.unwrap_err().to_string();
        assert!(refused.contains("tlsCaFile") && refused.contains("no certificate"), "{refused}");
    }
}
