//! Rows by their keys, as they are or as they stood.
//!
//! Rows that one stream alone makes are folded at once from its history; as all others stood is
//! known to a side generation.

use async_graphql::{Context, Result};
use cx_projections::{KeyPart, Projection, Scan, StartsWith};

use crate::schema::moment::AsOf;
use crate::schema::reading::{self, Standing};

/// The row of a key; `None` if there is none.
pub async fn one<V: Projection>(
    ctx: &Context<'_>,
    key: &V::Key,
    as_of: Option<AsOf>,
) -> Result<Option<V::View>> {
    if let (Some(as_of), Some(stream)) = (as_of, V::stream_of(key)) {
        let (fold, _) = reading::fold_at::<V>(ctx, &stream, as_of).await?;
        return Ok(fold.get(key));
    }
    let standing = Standing::at(ctx, as_of).await?;
    let read = standing.read::<V, _>(ctx, |snapshot| reading::row(snapshot, key));
    Ok(read.await?.map(|row| row.view))
}

/// At most `limit` of the rows whose keys begin with `prefix`; `some_key` is any such key.
#[allow(dead_code)] // the list may have no `Many`
pub async fn many<V: Projection, P: KeyPart>(
    ctx: &Context<'_>,
    prefix: &P,
    some_key: &V::Key,
    limit: usize,
    as_of: Option<AsOf>,
) -> Result<Vec<V::View>>
where
    V::Key: StartsWith<P>,
{
    // The rest of `some_key` is made up: if the first part alone names the row's stream, it names that of all rows.
    let stream = V::stream_of(some_key).filter(|stream| prefix.stream().as_ref() == Some(stream));
    if let (Some(as_of), Some(stream)) = (as_of, stream) {
        let (fold, _) = reading::fold_at::<V>(ctx, &stream, as_of).await?;
        return Ok(fold.rows_under(prefix, limit));
    }
    let standing = Standing::at(ctx, as_of).await?;
    let read = standing
        .read::<V, _>(ctx, |snapshot| reading::scan(snapshot, &Scan::under(prefix).limit(limit)));
    Ok(read.await?.into_iter().map(|row| row.view).collect())
}
