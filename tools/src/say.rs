//! What commands print goes through here: a reader that goes away, such as `head`, ends the command
//! quietly instead of with a panic.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// What a shell reports of a program that a closed pipe ended: 128 and the number of SIGPIPE.
const CLOSED_PIPE: i32 = 141;

/// Prints a line on standard output.
macro_rules! say {
    ($($what:tt)*) => {
        $crate::say::line(format_args!($($what)*))
    };
}

/// Prints a line; ends the program if nobody can read it any more.
pub fn line(what: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let Err(error) = writeln!(out, "{what}").and_then(|()| out.flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(CLOSED_PIPE);
    }
    // Standard error may be gone as well; there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "Error: standard output cannot be written: {error}");
    std::process::exit(1);
}

/// Prints a line for whoever still reads; the program goes on without them.
pub fn aside(what: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // A server outlives the terminal it was started from.
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}

/// Prints why a command was refused, with what it came from. Where in the program that was helps
/// nobody who reads it.
pub fn refusal(error: &anyhow::Error) {
    let mut text = format!("Error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string().replace('\n', "\n  ");
        text.push_str("\n  because: ");
        text.push_str(&cause);
    }
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// ` --data DIR` as a next command needs it: nothing where the usual directory is meant.
pub fn data_option(data: &Path) -> String {
    if data == Path::new("cxledger-data") || data == Path::new("./cxledger-data") {
        return String::new();
    }
    let text = data.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if text.chars().all(plain) {
        format!(" --data {text}")
    } else {
        format!(" --data '{}'", text.replace('\'', "'\\''"))
    }
}

/// A count and its noun: `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", crate::census::grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_command_names_the_directory_where_it_is_not_the_usual_one() {
        for (data, option) in [
            ("./cxledger-data", ""),
            ("cxledger-data", ""),
            ("/var/lib/x", " --data /var/lib/x"),
            ("my data", " --data 'my data'"),
            ("it's", " --data 'it'\\''s'"),
        ] {
            assert_eq!(data_option(Path::new(data)), option);
        }
    }
}
