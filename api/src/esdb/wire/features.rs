//! What the server can do, asked by a client when it connects.

use prost::Message;

/// The methods that are served.
#[derive(Clone, PartialEq, Message)]
pub struct SupportedMethods {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub methods: Vec<SupportedMethod>,
    /// Digits and points.
    #[prost(string, tag = "2")]
    pub server_version: String,
}

/// One method.
#[derive(Clone, PartialEq, Message)]
pub struct SupportedMethod {
    /// In lower case.
    #[prost(string, tag = "1")]
    pub method: String,
    /// In lower case, with its package.
    #[prost(string, tag = "2")]
    pub service: String,
    /// What it can do beyond the oldest servers.
    #[prost(string, repeated, tag = "3")]
    pub features: Vec<String>,
}
