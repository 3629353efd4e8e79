//! A query field for each view of the list that is read by its key. A view whose question is more
//! than a look-up (`Own` and `OwnSum` in the list) has its field in `query.rs`.

// The list names types of both modules; a new view is found without a line here.
#![allow(clippy::wildcard_imports)]

mod looking_up;

use async_graphql::{Context, Object, Result};
use cx_projections::parts::*;
use cx_projections::views;
use cx_projections::views::*;

use super::moment::AsOf;

/// Walks the list and gathers the fields; at its end they become one object.
macro_rules! fields {
    (@walk [$($done:tt)*]) => {
        /// Fields made from the list of views.
        #[derive(Default)]
        pub struct ViewQueries;

        #[Object]
        impl ViewQueries { $($done)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> Own<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*] $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> OwnSum<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*] $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> Sum<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @one [$($done)*] "As it stood at a position or time of the ledger: from a side generation that `cxledger past --at` made."
            $(#[$doc])* $name($($argument: $part),*) -> $view, $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> One<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @one [$($done)*] "As it stood at a position or time of the ledger."
            $(#[$doc])* $name($($argument: $part),*) -> $view, $($rest)* }
    };
    (@one [$($done:tt)*] $as_of:literal
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $view:ident, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*
            $(#[$doc])*
            async fn $name(&self, ctx: &Context<'_>, $(#[graphql(desc = "A part of the row's key.")] $argument: $part,)* #[graphql(desc = $as_of)] as_of: Option<AsOf>) -> Result<Option<$view>> {
                looking_up::one::<$view>(ctx, &($($argument),*), as_of).await
            }
        ] $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($first:ident: $prefix:ty $(, $argument:ident: $part:ty)*) -> Many<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*
            $(#[$doc])*
            async fn $name(&self, ctx: &Context<'_>, #[graphql(desc = "What the rows' keys begin with.")] $first: $prefix, #[graphql(desc = "At most so many, 0 to 100 (auditors 1,000); 50 if left out.")] first: Option<i32>, #[graphql(desc = "As they stood at a position or time of the ledger.")] as_of: Option<AsOf>) -> Result<Vec<$view>> {
                let limit = crate::schema::paging::limit(ctx, first)?;
                let some_key = (Clone::clone(&$first) $(, <$part as cx_projections::KeyPart>::example())*);
                looking_up::many::<$view, _>(ctx, &$first, &some_key, limit, as_of).await
            }
        ] $($rest)* }
    };
    ($($list:tt)*) => { fields! { @walk [] $($list)* } };
}

views!(fields);

#[cfg(test)]
mod tests;
