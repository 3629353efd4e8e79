//! What is done whole once it was begun, whether its client stays or not.

use super::fault::Fault;

/// Does something to its end, even if the client that asked for it goes away meanwhile.
pub(super) async fn whole<T: Send + 'static>(
    doing: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let cut_off = |_| Fault::Failed("the work was cut off; its outcome is not known".into());
    tokio::spawn(doing).await.map_err(cut_off)?
}
