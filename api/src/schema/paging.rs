//! Pages: how many, from where, and what comes next.

use std::fmt;
use std::str::FromStr;

use async_graphql::{Context, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::{Caller, Role};
use crate::errors::Code;

/// How many items a page has when nobody says.
pub const DEFAULT_PAGE: usize = 50;
/// How many items a page has at most.
pub const LARGEST_PAGE: usize = 100;
/// How many items a page has at most for the role `auditor`.
pub const LARGEST_PAGE_FOR_AUDITORS: usize = 1_000;

/// Where a page ends and whether there is more.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct PageInfo {
    /// There is more behind `endCursor`.
    pub has_next_page: bool,
    /// The page does not begin at the beginning.
    pub has_previous_page: bool,
    /// The cursor of the first item.
    pub start_cursor: Option<String>,
    /// The cursor of the last item.
    pub end_cursor: Option<String>,
}

/// How many items are wanted, if the caller may have so many.
pub fn limit(ctx: &Context<'_>, first: Option<i32>) -> Result<usize> {
    let auditor = ctx.data_opt::<Caller>().is_some_and(|caller| caller.role == Role::Auditor);
    let largest = if auditor { LARGEST_PAGE_FOR_AUDITORS } else { LARGEST_PAGE };
    match first {
        None => Ok(DEFAULT_PAGE),
        Some(first) if (0..=largest as i32).contains(&first) => Ok(first as usize),
        Some(_) => Err(Code::BadRequest
            .error(format!("`first` lies between 0 and {largest}; read on with `after`"))),
    }
}

/// A place in a list, opaque to clients: a version and the parts of the place, base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<T>(pub T);

/// A place that a cursor can hold.
pub trait CursorPlace: Sized {
    /// Its parts, joined by a comma.
    fn write(&self) -> String;
    /// The place with these parts.
    fn read(text: &str) -> Option<Self>;
}

impl<A: fmt::Display + FromStr, B: fmt::Display + FromStr> CursorPlace for (A, B) {
    fn write(&self) -> String {
        format!("{},{}", self.0, self.1)
    }

    fn read(text: &str) -> Option<Self> {
        let (a, b) = text.split_once(',')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    }
}

impl<T: CursorPlace> Cursor<T> {
    /// The place that a text names.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        T::read(text.strip_prefix("1:")?).map(Self)
    }
}

impl<T: CursorPlace> fmt::Display for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("1:{}", self.0.write())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        let place = (-5i64, 7u64);
        assert_eq!(Cursor::parse(&Cursor(place).to_string()), Some(Cursor(place)));
        for text in ["", "x", "MTox", "%%%"] {
            assert_eq!(Cursor::<(i64, u64)>::parse(text), None, "{text}");
        }
    }
}
