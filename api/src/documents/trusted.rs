//! Documents that the operator knows beforehand, by a manifest: a request names one instead of
//! sending it, and a server may run no other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Documents;
use crate::guard::Limits;

/// Which documents are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those that requests bring; there is no manifest.
    #[default]
    Off,
    /// Those of the manifest by their id, and those that requests bring.
    Prefer,
    /// Those of the manifest alone, by their id or word for word.
    Require,
}

/// A manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("the manifest {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has another form.
    #[error(
        "a manifest is a JSON object of ids and documents, as relay-compiler writes it, or Apollo's \
         persisted query manifest"
    )]
    Form,
    /// A document in it would be refused.
    #[error("document {id} of the manifest: {reason}")]
    Document {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
}

/// A request names no document that may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// It has neither a document nor the id of one.
    #[error("the parameter query is missing")]
    Missing,
    /// No document of the manifest has the id.
    #[error("no trusted document has this documentId: send the document, or have it added")]
    Unknown,
    /// Only documents of the manifest are run.
    #[error("only trusted documents are run here: send the documentId of one")]
    Required,
}

/// The documents of a manifest. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    trust: Trust,
    /// By the manifest's ids, and by the SHA-256 of each text in hexadecimal.
    texts: Arc<HashMap<String, String>>,
}

/// The two forms a manifest has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { operations: Vec<Operation> },
    Relay(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

impl Trusted {
    /// Reads a manifest; each document in it must pass the guard.
    pub fn read(path: &Path, trust: Trust) -> Result<Self, ManifestError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ManifestError::Unreadable { path: path.into(), source })?;
        Self::parse(&bytes, trust)
    }

    /// The documents of a manifest's text.
    pub fn parse(manifest: &[u8], trust: Trust) -> Result<Self, ManifestError> {
        let manifest = serde_json::from_slice(manifest).map_err(|_| ManifestError::Form)?;
        let documents: Vec<(String, String)> = match manifest {
            Manifest::Apollo { operations } => {
                operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
            }
            Manifest::Relay(texts) => texts.into_iter().collect(),
        };
        let (checked, limits) = (Documents::new(1), Limits::default());
        let mut texts = HashMap::with_capacity(documents.len() * 2);
        for (id, text) in documents {
            if let Err(error) = checked.get(&text, &limits) {
                return Err(ManifestError::Document { id, reason: error.message });
            }
            texts.insert(digest(&text), text.clone());
            texts.insert(id, text);
        }
        Ok(Self { trust, texts: Arc::new(texts) })
    }

    /// The document that a request brings or names.
    pub(crate) fn document(
        &self,
        query: Option<String>,
        id: Option<&str>,
    ) -> Result<String, NotTrusted> {
        match (query, id) {
            (Some(query), _) if self.trust != Trust::Require => Ok(query),
            (Some(query), _) if self.texts.contains_key(&digest(&query)) => Ok(query),
            (Some(_), _) => Err(NotTrusted::Required),
            (None, Some(id)) if self.trust != Trust::Off => {
                // `sha256:` before a digest is what the draft for GraphQL over HTTP writes.
                let id = id.strip_prefix("sha256:").unwrap_or(id);
                self.texts.get(id).cloned().ok_or(NotTrusted::Unknown)
            }
            (None, _) => Err(NotTrusted::Missing),
        }
    }
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_either_form_names_documents_by_id_and_by_digest() {
        let relay = br#"{"a1":"{ ledger { head } }"}"#.as_slice();
        let apollo = br#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"a1","name":"Head","type":"query","body":"{ ledger { head } }"}]}"#;
        let text = "{ ledger { head } }";
        for manifest in [relay, apollo] {
            let trusted = Trusted::parse(manifest, Trust::Require).unwrap();
            let by = |id: &str| trusted.document(None, Some(id));
            assert_eq!(by("a1").as_deref(), Ok(text));
            assert_eq!(by(&format!("sha256:{}", digest(text))).as_deref(), Ok(text));
            assert_eq!(by("a2"), Err(NotTrusted::Unknown));
            assert_eq!(trusted.document(Some(text.into()), None).as_deref(), Ok(text));
            let other = "{ ledger { writable } }".to_owned();
            assert_eq!(
                trusted.document(Some(other.clone()), Some("a1")),
                Err(NotTrusted::Required)
            );
            let preferred = Trusted::parse(manifest, Trust::Prefer).unwrap();
            assert_eq!(preferred.document(Some(other.clone()), None), Ok(other));
        }
        assert_eq!(Trusted::default().document(None, Some("a1")), Err(NotTrusted::Missing));
    }

    #[test]
    fn a_manifest_with_a_document_that_would_be_refused_is_none() {
        let refused = |text: &str| Trusted::parse(text.as_bytes(), Trust::Prefer).unwrap_err();
        assert!(matches!(refused("[]"), ManifestError::Form));
        let error = refused(r#"{"a1":"{ ledger { head }"}"#);
        assert!(matches!(&error, ManifestError::Document { id, .. } if id == "a1"), "{error}");
    }
}
