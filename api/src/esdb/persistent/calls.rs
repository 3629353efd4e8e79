//! The methods of the service of persistent subscriptions.

use std::sync::Arc;

use axum::response::Response;
use cx_model::StreamName;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::access;
use super::super::call::{Call, unknown};
use super::super::event::stream_name;
use super::super::fault::{Fault, GroupFault};
use super::super::whole::whole;
use super::super::wire::persistent::{
    DeleteGroupReq, GroupInfo, InfoReq, InfoResp, ListOf, ListReq, ListResp, PutFilter, PutOf,
    PutReq, ReplayReq, ReplayUntil,
};
use super::super::wire::shared::{Empty, OneOrAll, StreamIdentifier};
use super::super::wire::streams::{FromPosition, FromRevision};
use super::Key;
use super::command::Command;
use super::consume::consume;
use super::register::{Groups, ended};
use super::settings::{Definition, Settings, Wanted};

/// Calls a method.
pub(in super::super) async fn call(method: &str, call: Call) -> Response {
    let groups = &Arc::clone(&call.endpoint.shared.groups);
    let allowed = &access::must_write(&call.caller);
    let name = &call.connection_name();
    let prepared = || (Arc::clone(groups), allowed.clone());
    match method {
        "Create" | "Update" => {
            let new = method == "Create";
            call.unary(|question: PutReq| {
                let (groups, allowed) = prepared();
                async move {
                    allowed?;
                    let definition = definition(&groups, question).await?;
                    whole(async move { groups.put(definition, new).await }).await?;
                    Ok(Empty {})
                }
            })
            .await
        }
        "Delete" => {
            call.unary(|question: DeleteGroupReq| {
                let (groups, allowed) = prepared();
                async move {
                    allowed?;
                    let options = question.options.unwrap_or_default();
                    let key = of(options.of.as_ref(), options.group)?;
                    whole(async move { groups.delete(&key).await }).await?;
                    Ok(Empty {})
                }
            })
            .await
        }
        "GetInfo" => {
            call.unary(|question: InfoReq| {
                let groups = Arc::clone(groups);
                async move {
                    let options = question.options.unwrap_or_default();
                    let key = of(options.of.as_ref(), options.group)?;
                    Ok(InfoResp { info: Some(info(&groups, &key).await?) })
                }
            })
            .await
        }
        "List" => {
            call.unary(|question: ListReq| {
                let groups = Arc::clone(groups);
                async move { Ok(list(&groups, question).await?) }
            })
            .await
        }
        "ReplayParked" => {
            call.unary(|question: ReplayReq| {
                let (groups, allowed) = prepared();
                async move {
                    allowed?;
                    replay(&groups, question).await?;
                    Ok(Empty {})
                }
            })
            .await
        }
        // Nothing runs beside the groups that could be started again.
        "RestartSubsystem" => call.unary(|_: Empty| async { Ok(Empty {}) }).await,
        "Read" => {
            call.both(|questions| {
                let ((groups, allowed), name) = (prepared(), name.clone());
                async move {
                    allowed?;
                    consume(groups, name, questions).await
                }
            })
            .await
        }
        _ => unknown(),
    }
}

fn key(stream: Option<&StreamIdentifier>, group: String) -> Result<Key, Fault> {
    if group.is_empty() {
        return Err(Fault::Bad("the group has no name".into()));
    }
    if group.contains("::") {
        return Err(Fault::Bad("the name of a group has no `::` in it".into()));
    }
    let stream = stream.map(|stream| stream_name(Some(stream))).transpose()?;
    // Some clients name all streams as they name one.
    let stream = stream.map(|stream| stream.to_string()).filter(|stream| stream != "$all");
    Ok(Key { stream, group })
}

/// The group of a stream or of all, where either is named.
pub(super) fn of(named: Option<&impl OneOrAll>, group: String) -> Result<Key, Fault> {
    let no_stream = || Fault::Bad("neither a stream nor all is named".into());
    key(named.ok_or_else(no_stream)?.stream(), group)
}

/// The group that a client asks for.
async fn definition(groups: &Groups, question: PutReq) -> Result<Definition, Fault> {
    let options = question.options.ok_or_else(|| Fault::Bad("the options are missing".into()))?;
    let settings = options.settings.unwrap_or_default();
    let ledger = groups.store().ledger();
    let mut wanted = None;
    let (key, from, start) = match options.of {
        Some(PutOf::All(all)) => {
            if let Some(PutFilter::Filter(filter)) = &all.filter {
                wanted = Some(Wanted::of(filter)?);
            }
            let (from, start) = match all.from {
                Some(FromPosition::Position(at)) => {
                    (at.commit, format!("C:{}/P:{}", at.commit, at.prepare))
                }
                Some(FromPosition::End(_)) => {
                    (ledger.head().await?.commit() + 1, "C:-1/P:-1".to_owned())
                }
                _ => (0, "C:0/P:0".to_owned()),
            };
            (key(None, options.group)?, from, start)
        }
        Some(PutOf::Stream(of)) => {
            let stream = stream_name(of.stream.as_ref().or(options.legacy_stream.as_ref()))?;
            let (from, start) = from_revision(groups, &stream, of.from).await?;
            (
                key(of.stream.as_ref().or(options.legacy_stream.as_ref()), options.group)?,
                from,
                start,
            )
        }
        None => {
            let stream = stream_name(options.legacy_stream.as_ref())?;
            let from = match settings.legacy_revision {
                u64::MAX => FromRevision::End(Empty {}),
                revision => FromRevision::Revision(revision),
            };
            let (from, start) = from_revision(groups, &stream, Some(from)).await?;
            (key(options.legacy_stream.as_ref(), options.group)?, from, start)
        }
    };
    let settings = Settings::of(&settings)?;
    Ok(Definition { key, made: Uuid::new_v4(), from, start, wanted, settings })
}

async fn from_revision(
    groups: &Groups,
    stream: &StreamName,
    from: Option<FromRevision>,
) -> Result<(u64, String), Fault> {
    Ok(match from {
        Some(FromRevision::Revision(revision)) => (revision, revision.to_string()),
        Some(FromRevision::End(_)) => {
            let last = groups.store().last_revision(stream).await?;
            (last.map_or(0, |last| last + 1), "-1".to_owned())
        }
        _ => (0, "0".to_owned()),
    })
}

async fn info(groups: &Groups, key: &Key) -> Result<GroupInfo, Fault> {
    let (answer, info) = oneshot::channel();
    groups.task(key).await?.send(Command::Info(answer)).await.map_err(ended)?;
    info.await.map_err(ended)
}

async fn list(groups: &Groups, question: ListReq) -> Result<ListResp, Fault> {
    let wanted = question.options.and_then(|options| options.of);
    let keys = match wanted {
        Some(ListOf::Stream(listed)) => {
            let wanted = of(listed.of.as_ref(), "any".into())?;
            let keys = groups.keys(|key| key.stream == wanted.stream).await?;
            if keys.is_empty() {
                return Err(Key { group: String::new(), ..wanted }.fault(GroupFault::Missing));
            }
            keys
        }
        _ => groups.keys(|_| true).await?,
    };
    let mut listed = Vec::with_capacity(keys.len());
    for key in keys {
        match info(groups, &key).await {
            Ok(info) => listed.push(info),
            // It was deleted in the meantime.
            Err(Fault::Group { .. } | Fault::Unavailable(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(ListResp { groups: listed })
}

async fn replay(groups: &Groups, question: ReplayReq) -> Result<(), Fault> {
    let options = question.options.unwrap_or_default();
    let key = of(options.of.as_ref(), options.group)?;
    let limit = match options.until {
        Some(ReplayUntil::StopAt(count)) => u64::try_from(count).unwrap_or(0),
        _ => u64::MAX,
    };
    let (answer, replayed) = oneshot::channel();
    let command = Command::Replay { limit, answer };
    groups.task(&key).await?.send(command).await.map_err(ended)?;
    replayed.await.map_err(ended)
}
