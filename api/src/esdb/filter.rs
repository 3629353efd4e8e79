//! Which events of all a client wants.

use cx_ledger::RawEvent;
use fancy_regex::{Regex, RegexBuilder};

use super::fault::Fault;
use super::wire::streams::{FilterBy, FilterExpression, FilterOptions, FilterWindow};

/// Wanted streams or types.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    of_stream: bool,
    matcher: Matcher,
    /// After how many events that were looked at the progress is told.
    pub interval: u64,
}

#[derive(Debug, Clone)]
enum Matcher {
    Pattern(Box<Regex>),
    Prefixes(Vec<String>),
}

/// The fewest events that are looked at between two reports of progress.
const WINDOW: u64 = 32;
/// How much memory a compiled pattern may take.
const COMPILED_BYTES: usize = 64 << 10;
/// The longest pattern.
const PATTERN_LIMIT: usize = 1 << 10;
/// The most prefixes, and the longest.
const PREFIXES: usize = 100;
const PREFIX_LIMIT: usize = 512;
/// How many steps a pattern with look-around may take on one text.
const STEPS: usize = 10_000;

impl Filter {
    /// As a client describes it.
    pub fn of(options: &FilterOptions) -> Result<Self, Fault> {
        let by = options.by.as_ref();
        let by = by.ok_or_else(|| Fault::Bad("the filter says nothing of what it wants".into()))?;
        let (of_stream, expression) = match by {
            FilterBy::Stream(expression) => (true, expression),
            FilterBy::EventType(expression) => (false, expression),
        };
        let window = match options.window {
            Some(FilterWindow::Max(max)) => u64::from(max).max(WINDOW),
            _ => WINDOW,
        };
        let interval = window * u64::from(options.checkpoint_multiplier.max(1));
        Ok(Self { of_stream, matcher: Matcher::of(expression)?, interval })
    }

    /// Whether an event is wanted.
    pub fn wants(&self, event: &RawEvent) -> bool {
        let text = if self.of_stream { event.stream.as_str() } else { &event.event_type };
        self.matcher.matches(text)
    }
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            // Where a pattern takes too many steps nothing is left out.
            Self::Pattern(pattern) => pattern.is_match(text).unwrap_or(true),
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
        }
    }

    fn of(expression: &FilterExpression) -> Result<Self, Fault> {
        if expression.regex.len() > PATTERN_LIMIT {
            let reason = format!("a filter's regular expression has at most {PATTERN_LIMIT} bytes");
            return Err(Fault::Bad(reason));
        }
        let long = expression.prefixes.iter().any(|prefix| prefix.len() > PREFIX_LIMIT);
        if long || expression.prefixes.len() > PREFIXES {
            return Err(Fault::Bad(format!(
                "a filter has at most {PREFIXES} prefixes of at most {PREFIX_LIMIT} bytes"
            )));
        }
        if expression.regex.is_empty() {
            return Ok(Self::Prefixes(expression.prefixes.clone()));
        }
        let mut pattern = RegexBuilder::new(&expression.regex);
        pattern.delegate_size_limit(COMPILED_BYTES).backtrack_limit(STEPS);
        let pattern = pattern.build().map_err(|error| {
            Fault::Bad(format!("the filter's regular expression is not understood: {error}"))
        })?;
        Ok(Self::Pattern(Box::new(pattern)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(regex: &str) -> Result<Matcher, Fault> {
        Matcher::of(&FilterExpression { regex: regex.into(), prefixes: Vec::new() })
    }

    #[test]
    fn the_patterns_of_the_official_clients_are_understood() {
        let not_system = pattern(r"^[^\$].*").unwrap();
        assert!(not_system.matches("Ordered") && !not_system.matches("$metadata"));
        let not_these = pattern(r"^(?!(\$.+$|Persistent.+$))").unwrap();
        assert!(not_these.matches("Ordered") && !not_these.matches("$metadata"));
        assert!(matches!(pattern("(unclosed"), Err(Fault::Bad(_))));
        assert!(pattern(r"^[\w-]+\d$").unwrap().matches("käse-1"));
    }

    #[test]
    fn what_would_take_long_or_much_is_refused() {
        let deep = format!("{}a{}", "(".repeat(400), ")".repeat(400));
        for large in ["a".repeat(1025), "((a{100}){100}){100}".into(), deep] {
            assert!(matches!(pattern(&large), Err(Fault::Bad(_))), "{large}");
        }
        let of = |prefixes| Matcher::of(&FilterExpression { regex: String::new(), prefixes });
        of(vec!["a".repeat(512); 100]).unwrap();
        assert!(matches!(of(vec!["a".into(); 101]), Err(Fault::Bad(_))));
        assert!(matches!(of(vec!["a".repeat(513)]), Err(Fault::Bad(_))));
    }
}
