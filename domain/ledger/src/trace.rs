//! The trace that an append belongs to, for engines whose client carries none.

use std::fmt::Write;

use bytes::Bytes;

tokio::task_local! {
    static TRACE: Trace;
}

/// A place in a distributed trace, as W3C's `traceparent` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace: u128,
    span: u64,
}

impl Trace {
    /// Reads a `traceparent` such as `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = version.len() == 2 && trace.len() == 32 && span.len() == 16;
        let trace = u128::from_str_radix(trace, 16).ok()?;
        let span = u64::from_str_radix(span, 16).ok()?;
        (plain && trace != 0 && span != 0).then_some(Self { trace, span })
    }

    /// Does something within the trace: what is appended meanwhile names it.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        TRACE.scope(self, work).await
    }
}

/// Metadata with `$traceId` and `$spanId`, as the official clients write them, where there is a
/// trace and the metadata are a JSON object.
pub(crate) fn into_metadata(metadata: &Bytes) -> Bytes {
    let Ok(Trace { trace, span }) = TRACE.try_with(|trace| *trace) else {
        return metadata.clone();
    };
    let Some(object) = std::str::from_utf8(metadata).ok().and_then(|text| text.strip_suffix('}'))
    else {
        return metadata.clone();
    };
    if !object.starts_with('{') || object.contains("\"$traceId\"") {
        return metadata.clone();
    }
    let mut text = object.to_owned();
    if object.trim_end() != "{" {
        text.push(',');
    }
    write!(text, r#""$traceId":"{trace:032x}","$spanId":"{span:016x}"}}"#)
        .expect("a string takes what is written");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_appended_in_a_trace_names_it() {
        let trace =
            Trace::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let object = Bytes::from_static(b"{}");
        assert_eq!(into_metadata(&object), object);
        let written = trace.scope(async { into_metadata(&object) }).await;
        assert_eq!(
            written,
            r#"{"$traceId":"0af7651916cd43dd8448eb211c80319c","$spanId":"b7ad6b7169203331"}"#
        );
        let other = Bytes::from_static(b"\0}");
        assert_eq!(trace.scope(async { into_metadata(&other) }).await, other);
        assert_eq!(Trace::parse("00-00-00-00"), None);
    }
}
