//! What every request passes first: the host it asks for, the origin of the page that sends it,
//! an id and a span of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::ApiConfig;
use crate::executor::RequestId;

/// The names a server may be asked under.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// The loopback names and these; `*` lets any name in.
    pub fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Whether a request for this authority (a name, perhaps with a port) is meant for us.
    pub fn allow(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let name = without_port(&authority);
        is_loopback(name)
            || self.names.iter().any(|known| known == "*" || known == name || *known == authority)
    }
}

/// The origins of pages that may send requests.
#[derive(Debug, Clone)]
pub struct Origins {
    exact: Vec<String>,
}

impl Origins {
    /// Loopback pages and exactly these.
    pub fn new(exact: &[String]) -> Self {
        Self { exact: exact.iter().map(|origin| origin.to_ascii_lowercase()).collect() }
    }

    /// Whether a page of this origin may send requests at all.
    pub fn allow(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| is_loopback(without_port(host))) || self.across(&origin)
    }

    /// Whether a page of this origin may read answers across sites.
    pub fn across(&self, origin: &str) -> bool {
        self.exact.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    }
}

fn is_loopback(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[derive(Debug, Clone)]
pub(super) struct Gate {
    hosts: Hosts,
    origins: Origins,
}

impl Gate {
    pub(super) fn new(config: &ApiConfig) -> Arc<Self> {
        let hosts = Hosts::new(&config.hosts);
        let origins = Origins::new(&config.origins);
        Arc::new(Self { hosts, origins })
    }

    pub(super) fn stand_before(self: Arc<Self>, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, pass))
    }

    fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
        let authority = match (uri.authority(), headers.get(header::HOST)) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, Some(host)) => host.to_str().ok(),
            (None, None) => None,
        };
        if !authority.is_some_and(|authority| self.hosts.allow(authority)) {
            return Some("the server does not answer to this host name: add it to the hosts\n");
        }
        let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
        if !origin.is_none_or(|origin| self.origins.allow(origin)) {
            return Some("pages of this origin are not let in: add it to the origins\n");
        }
        None
    }
}

async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::fresh();
    request.extensions_mut().insert(id);
    let across = request
        .headers()
        .get(header::ORIGIN)
        .filter(|origin| origin.to_str().is_ok_and(|origin| gate.origins.across(origin)))
        .cloned();
    let span = tracing::info_span!("request", %id, method = %request.method());
    let mut response = if let Some(reason) = gate.refusal(request.uri(), request.headers()) {
        (StatusCode::FORBIDDEN, reason).into_response()
    } else if across.is_some() && request.method() == Method::OPTIONS {
        preflight()
    } else {
        next.run(request).instrument(span).await
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = across {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("cx-position, x-request-id, etag");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

fn preflight() -> Response {
    let allowed = "accept, authorization, content-type, cx-at-least, if-none-match, last-event-id";
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, allowed),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_origins_are_let_in() {
        let hosts = Hosts::new(&["Ledger.example".into()]);
        for good in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "ledger.example:9"] {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.evil", "", "127.0.0.2"] {
            assert!(!hosts.allow(bad), "{bad}");
        }
        let origins = Origins::new(&["https://desk.example".into()]);
        for good in ["http://localhost:3000", "https://127.0.0.1", "https://desk.example"] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in ["null", "http://desk.example", "https://desk.example.evil", "file://localhost"]
        {
            assert!(!origins.allow(bad), "{bad}");
        }
        assert!(!origins.across("http://localhost:3000"));
    }
}
