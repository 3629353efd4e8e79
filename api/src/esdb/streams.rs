//! The methods of the service of streams.

use std::sync::Arc;

use axum::response::Response;
use cx_ledger::Direction;
use futures::StreamExt;
use tonic::Status;

use super::call::{BATCH_LIMIT, Call, unknown};
use super::event::{expectation, stream_name};
use super::fault::{Fault, MESSAGE_LIMIT};
use super::filter::Filter;
use super::read::{Answer, Telling, read_all, read_stream};
use super::store::Store;
use super::subscribe::{to_all, to_stream, until_drained};
use super::taking::Pages;
use super::whole::whole;
use super::wire::streams::{
    DeletePosition, DeleteReq, DeleteResp, ReadFilter, ReadOf, ReadReq, ReadUntil,
};
use super::{access, append, batch};
use crate::serve::Drain;

/// Calls a method.
pub(super) async fn call(method: &str, call: Call) -> Response {
    let shared = Arc::clone(&call.endpoint.shared);
    let (store, drain) = (&shared.store, &shared.drain);
    let caller = call.caller.clone();
    let allowed = access::must_write(&caller);
    match method {
        "Read" => {
            call.answers(|question| {
                read(Arc::clone(store), shared.pages.clone(), drain.clone(), question)
            })
            .await
        }
        "Append" => {
            // What it holds is given back when the append is done, or the call ends before it.
            let (call, held) = call.bringing(MESSAGE_LIMIT);
            call.questions(|parts| {
                let (store, allowed) = (Arc::clone(store), allowed.clone());
                let (caller, held) = (caller.clone(), held.clone());
                async move {
                    allowed?;
                    append::append(store, caller, parts, held).await
                }
            })
            .await
        }
        "BatchAppend" => {
            let (call, held) = call.bringing(BATCH_LIMIT);
            call.both(|parts| {
                let (store, allowed) = (Arc::clone(store), allowed.clone());
                let (caller, held) = (caller.clone(), held.clone());
                async move {
                    allowed?;
                    Ok(batch::batches(store, caller, parts, held, batch::LONGEST))
                }
            })
            .await
        }
        "Delete" | "Tombstone" => {
            let for_ever = method == "Tombstone";
            call.unary(|question| {
                let (store, allowed) = (Arc::clone(store), allowed.clone());
                async move {
                    allowed?;
                    delete(store, question, for_ever).await
                }
            })
            .await
        }
        _ => unknown(),
    }
}

async fn delete(
    store: Arc<Store>,
    question: DeleteReq,
    for_ever: bool,
) -> Result<DeleteResp, Status> {
    let (stream, expected) = expectation(question.options.as_ref())?;
    let position = whole(async move { store.delete(&stream, expected, for_ever).await }).await?;
    Ok(DeleteResp { position: Some(DeletePosition::Position(position.into())) })
}

async fn read(
    store: Arc<Store>,
    room: Pages,
    drain: Drain,
    question: ReadReq,
) -> Result<Answer, Status> {
    let missing = |what: &str| Fault::Bad(format!("{what} missing in the question"));
    let options = question.options.ok_or_else(|| missing("the options are"))?;
    let telling = Telling::of(&store, room, &options);
    let direction = match options.direction {
        0 => Direction::Forwards,
        1 => Direction::Backwards,
        _ => return Err(Fault::Bad("the direction is neither 0 nor 1".into()).into()),
    };
    let filter = match &options.filter {
        Some(ReadFilter::Filter(filter)) => Some(Filter::of(filter)?),
        Some(ReadFilter::None(_)) | None => None,
    };
    let until = options.until.ok_or_else(|| missing("a count or a subscription is"))?;
    let of = options.of.ok_or_else(|| missing("a stream or all is"))?;
    Ok(match (of, until) {
        (ReadOf::Stream(of), ReadUntil::Count(count)) => {
            let stream = stream_name(of.stream.as_ref())?;
            read_stream(telling, stream, of.from, direction, count).await?
        }
        (ReadOf::All(of), ReadUntil::Count(count)) => {
            read_all(telling, of.from, direction, filter, count).await?
        }
        (_, ReadUntil::Subscription(_)) if direction == Direction::Backwards => {
            return Err(Fault::Bad("a subscription goes forwards".into()).into());
        }
        (ReadOf::Stream(of), ReadUntil::Subscription(_)) => {
            let stream = stream_name(of.stream.as_ref())?;
            let answer = to_stream(telling, stream, of.from).await?;
            until_drained(answer.boxed(), drain.watch())
        }
        (ReadOf::All(of), ReadUntil::Subscription(_)) => {
            let answer = to_all(telling, of.from, filter).await?;
            until_drained(answer.boxed(), drain.watch())
        }
    })
}
