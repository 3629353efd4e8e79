//! Who may do what: bearer tokens with a role each.
//!
//! The file of tokens holds one line a token: a role, the SHA-256 of the token in hexadecimal, and
//! a name for the metrics and the log (the name of a program, never of a person). `#` begins a
//! comment. The token itself is nowhere: `printf %s "$TOKEN" | sha256sum` makes the hash.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::errors::Code;

/// What a token lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Asks queries and subscribes.
    Reader,
    /// Also sends mutations and events.
    Writer,
    /// Reads, with larger pages.
    Auditor,
    /// Everything, the operation of the server included.
    Operator,
}

impl Role {
    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "reader" => Some(Self::Reader),
            "writer" => Some(Self::Writer),
            "auditor" => Some(Self::Auditor),
            "operator" => Some(Self::Operator),
            _ => None,
        }
    }

    /// Whether mutations and events are taken from this role.
    pub const fn may_write(self) -> bool {
        matches!(self, Self::Writer | Self::Operator)
    }
}

/// Who sent a request; a datum of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What they may do.
    pub role: Role,
    /// The name beside their token; `None` where no tokens are asked for.
    pub name: Option<Arc<str>>,
}

impl Caller {
    /// Whoever reaches a loopback socket that asks for no token.
    pub const LOCAL: Self = Self { role: Role::Operator, name: None };

    /// Refuses a caller whose role may not write.
    pub fn must_write(&self) -> Result<(), Denied> {
        if self.role.may_write() { Ok(()) } else { Err(Denied::Role) }
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error("a token is asked for: send it as authorization: Bearer TOKEN")]
    Missing,
    /// The token is not one of those given out.
    #[error("the token is not known here: ask the operator for one")]
    Unknown,
    /// The token's role may not do this.
    #[error("the token's role may not write: use one with the role writer")]
    Role,
}

impl Denied {
    /// The code of the answer.
    pub const fn code(self) -> Code {
        match self {
            Self::Missing | Self::Unknown => Code::Unauthenticated,
            Self::Role => Code::Forbidden,
        }
    }
}

/// The file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// It cannot be read.
    #[error("the token file {} cannot be read", path.display())]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line is not a role, a hash and perhaps a name.
    #[error(
        "line {line} of the token file is not `ROLE SHA256-IN-HEX [NAME]` with a role of reader, writer, auditor, operator"
    )]
    Malformed {
        /// The line, counted from 1.
        line: usize,
    },
    /// It holds no token.
    #[error("the token file holds no token: nobody could use the server")]
    Empty,
}

/// The tokens that are known, by their hash.
#[derive(Debug, Clone)]
pub struct Tokens {
    callers: Arc<HashMap<[u8; 32], Caller>>,
}

impl Tokens {
    /// Reads the file of tokens.
    pub fn read(path: &Path) -> Result<Self, TokensError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TokensError::Unreadable { path: path.into(), source })?;
        Self::parse(&text)
    }

    /// The tokens of a text in the form of the file.
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut callers = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(role) = words.next() else { continue };
            let malformed = || TokensError::Malformed { line: number + 1 };
            let role = Role::from_name(role).ok_or_else(malformed)?;
            let hash = words.next().and_then(from_hex).ok_or_else(malformed)?;
            let name = words.next().map(Arc::from);
            if words.next().is_some() {
                return Err(malformed());
            }
            callers.insert(hash, Caller { role, name });
        }
        if callers.is_empty() {
            return Err(TokensError::Empty);
        }
        Ok(Self { callers: Arc::new(callers) })
    }

    /// The holder of a token. Looked up by its hash, so time tells nothing about the token.
    pub fn caller(&self, token: &str) -> Result<Caller, Denied> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.callers.get(&hash).cloned().ok_or(Denied::Unknown)
    }

    /// The holder of the token in `authorization`.
    pub fn of_headers(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        let value = headers.get(header::AUTHORIZATION).ok_or(Denied::Missing)?;
        let token = value.to_str().ok().and_then(bearer).ok_or(Denied::Missing)?;
        self.caller(token)
    }
}

/// The token of an `authorization` value such as `Bearer TOKEN`.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_has_its_role() {
        let hash: String =
            Sha256::digest(b"open sesame").iter().fold(String::new(), |h, b| format!("{h}{b:02x}"));
        let tokens = Tokens::parse(&format!("# ours\nwriter {hash} importer # x\n")).unwrap();
        let caller = tokens.caller("open sesame").unwrap();
        assert_eq!((caller.role, caller.name.as_deref()), (Role::Writer, Some("importer")));
        assert_eq!(tokens.caller("open"), Err(Denied::Unknown));
        let mut headers = HeaderMap::new();
        assert_eq!(tokens.of_headers(&headers), Err(Denied::Missing));
        headers.insert("authorization", "bearer open sesame".parse().unwrap());
        assert!(tokens.of_headers(&headers).unwrap().must_write().is_ok());
    }

    #[test]
    fn a_token_file_is_read_strictly() {
        for bad in ["king 00", "reader", "reader abc", "", "# nothing"] {
            assert!(Tokens::parse(bad).is_err(), "{bad}");
        }
        let short = format!("reader {} a b", "0".repeat(64));
        assert!(matches!(Tokens::parse(&short), Err(TokensError::Malformed { line: 1 })));
    }
}
