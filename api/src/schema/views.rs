//! A query field for each view of the list that is read by its key. A view whose question is more
//! than a look-up (`Own` in the list) has its field in `query.rs`.

// The list names types of both crates; a new view is found without a line here.
#![allow(clippy::wildcard_imports)]

use async_graphql::{Context, Object, Result};
use cx_model::*;
use cx_projections::views;
use cx_projections::views::*;

use super::reading;

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
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> Sum<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*] $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> One<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*
            $(#[$doc])*
            async fn $name(&self, ctx: &Context<'_>, $(#[graphql(desc = "A part of the row's key.")] $argument: $part),*) -> Result<Option<$view>> {
                let key = ($($argument),*);
                reading::read::<$view, _>(ctx, |snapshot| {
                    Ok(reading::row(snapshot, &key)?.map(|row| row.view))
                }).await
            }
        ] $($rest)* }
    };
    (@walk [$($done:tt)*]
        $(#[$doc:meta])* $name:ident($first:ident: $prefix:ty $(, $argument:ident: $part:ty)*) -> Many<$view:ident>, $($rest:tt)*
    ) => {
        fields! { @walk [$($done)*
            $(#[$doc])*
            async fn $name(&self, ctx: &Context<'_>, #[graphql(desc = "What the rows' keys begin with.")] $first: $prefix, #[graphql(desc = "At most so many, 0 to 100 (auditors 1,000); 50 if left out.")] first: Option<i32>) -> Result<Vec<$view>> {
                let limit = crate::schema::paging::limit(ctx, first)?;
                reading::read::<$view, _>(ctx, |snapshot| {
                    let rows = reading::scan(snapshot, &cx_projections::Scan::under(&$first).limit(limit))?;
                    Ok(rows.into_iter().map(|row| row.view).collect())
                }).await
            }
        ] $($rest)* }
    };
    ($($list:tt)*) => { fields! { @walk [] $($list)* } };
}

views!(fields);
