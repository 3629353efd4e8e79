//! One pass over the bytes of a document, before anything parses it.
//!
//! It agrees with the parser on where strings, block strings and comments end; where it cannot (a
//! string that never ends), it refuses, because the parser would read on in another way.

use super::{Limits, Refusal, Rule};

/// Refuses a document that is too long, has too many tokens or too many brackets open at once.
/// Never recurses and looks at each byte a bounded number of times.
pub fn scan(document: &str, limits: &Limits) -> Result<(), Refusal> {
    let bytes = document.as_bytes();
    if bytes.len() > limits.document_bytes {
        return Err(Refusal::over(Rule::Length, "bytes of a document", limits.document_bytes));
    }
    let (mut at, mut tokens, mut open) = (0, 0_usize, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | 0xEF | 0xBB | 0xBF => {
                at += 1;
                continue;
            }
            b'#' => {
                at = end_of_line(bytes, at);
                continue;
            }
            b'"' => end_of_string(bytes, at).ok_or_else(|| {
                Refusal::new(Rule::OpenString, "a string does not end: close it with its quotes")
            })?,
            b'.' => at + bytes[at..].iter().take(3).take_while(|b| **b == b'.').count(),
            b'-' | b'0'..=b'9' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let end = end_of_word(bytes, at);
                if end - at > limits.token_bytes {
                    return Err(Refusal::over(
                        Rule::TokenLength,
                        "bytes of a name or number",
                        limits.token_bytes,
                    ));
                }
                end
            }
            b'{' | b'[' | b'(' => {
                open += 1;
                if open > limits.nesting {
                    return Err(Refusal::over(Rule::Nesting, "nested brackets", limits.nesting));
                }
                at + 1
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                at + 1
            }
            _ => at + 1,
        };
        at = end;
        tokens += 1;
        if tokens > limits.tokens {
            return Err(Refusal::over(Rule::Tokens, "tokens of a document", limits.tokens));
        }
    }
    Ok(())
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(bytes.len(), |n| from + n)
}

fn end_of_word(bytes: &[u8], from: usize) -> usize {
    let number = !matches!(bytes[from], b'_' | b'a'..=b'z' | b'A'..=b'Z');
    let part = |b: &u8| {
        b.is_ascii_alphanumeric() || *b == b'_' || (number && matches!(b, b'.' | b'+' | b'-'))
    };
    bytes[from..].iter().position(|b| !part(b)).map_or(bytes.len(), |n| from + n)
}

/// Where the string that starts here ends, its closing quotes included.
fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let block = bytes[from..].starts_with(b"\"\"\"");
    let mut at = from + if block { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' if !block => return Some(at + 1),
            b'"' if bytes[at..].starts_with(b"\"\"\"") => return Some(at + 3),
            b'\\' if !block => {
                if matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r')) {
                    return None;
                }
                at += 2;
            }
            b'\\' if bytes[at + 1..].starts_with(b"\"\"\"") => at += 4,
            b'\n' | b'\r' if !block => return None,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(document: &str) -> Option<Rule> {
        scan(document, &Limits::default()).err().map(|refusal| refusal.rule)
    }

    #[test]
    fn brackets_count_outside_strings_and_comments_only() {
        let many = "[".repeat(2_000);
        assert_eq!(rule(&format!("{{ a(x: {many}")), Some(Rule::Nesting));
        assert_eq!(rule(&format!("{{ a(x: \"{many}\") }}")), None);
        assert_eq!(rule(&format!("{{ a(x: \"\"\"{many} \\\"\"\" {many}\"\"\") }}")), None);
        assert_eq!(rule(&format!("{{ a }} # {many}")), None);
        assert_eq!(rule(&format!("{{ a }} # x\r{many}")), Some(Rule::Nesting));
        assert_eq!(rule(&format!("{{ a(x: \"\\\"\", y: {many}")), Some(Rule::Nesting));
    }

    #[test]
    fn a_string_that_does_not_end_hides_nothing() {
        // The parser reads an open block string as an empty string and goes on behind it.
        let many = "[".repeat(2_000);
        assert_eq!(rule(&format!("{{ a(x: [\"\"\"x\" {many}")), Some(Rule::OpenString));
        assert_eq!(rule("{ a(x: \"one\ntwo\") }"), Some(Rule::OpenString));
        assert_eq!(rule("{ a(x: \"one\\\n\") }"), Some(Rule::OpenString));
    }

    #[test]
    fn tokens_and_their_length_are_limited() {
        assert_eq!(rule(&format!("{{ {} }}", "a ".repeat(4_998))), None);
        assert_eq!(rule(&format!("{{ {} }}", "a ".repeat(4_999))), Some(Rule::Tokens));
        assert_eq!(rule(&format!("{{ {} }}", "a".repeat(257))), Some(Rule::TokenLength));
        assert_eq!(rule(&format!("{{ a(x: -1{}) }}", "0".repeat(300))), Some(Rule::TokenLength));
        assert_eq!(rule(&" ".repeat(70_000)), Some(Rule::Length));
    }
}
