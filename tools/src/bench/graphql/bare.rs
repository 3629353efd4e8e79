//! The other side of the comparison: axum, the view's reader and serde_json, nothing else.

use std::future::Future;
use std::net::SocketAddr;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cx_model::{CustomerId, Position};
use cx_projections::views::Timeline;
use cx_projections::views::timeline::{Asked, Entry, Place};
use cx_projections::{ReadError, Reader};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{PAGE, load};

/// Serves pages of timelines on a port of loopback.
pub async fn start(
    reader: Reader<Timeline>,
    until: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<SocketAddr> {
    let router = axum::Router::new().route("/timeline/{customer}", get(page)).with_state(reader);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(until).into_future());
    Ok(address)
}

/// The request for a customer's page.
pub fn request(to: SocketAddr, customer: CustomerId) -> Vec<u8> {
    load::get(to, &format!("/timeline/{}", customer.0))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Node>,
    page_info: PageInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(serialize_with = "id")]
    id: (CustomerId, Place),
    kind: &'static str,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    position: Position,
    channel: Option<&'static str>,
    stage: Option<&'static str>,
    label: Option<String>,
}

fn id<S: Serializer>(id: &(CustomerId, Place), to: S) -> Result<S::Ok, S::Error> {
    let (customer, (time, ordinal)) = id;
    to.collect_str(&format_args!("entry-{}.{time}.{ordinal}", customer.0))
}

impl Node {
    fn new(customer: CustomerId, entry: Entry) -> Self {
        Self {
            id: (customer, entry.place()),
            kind: entry.event_type().unwrap_or("Unknown"),
            occurred_at: Timestamp::from_microsecond(entry.occurred_at).unwrap_or_default(),
            recorded_at: Timestamp::from_microsecond(entry.recorded_at).unwrap_or_default(),
            position: Position::new(entry.ordinal),
            channel: entry.channel.map(name),
            stage: entry.stage.map(name),
            label: entry.label,
        }
    }
}

fn name<E: async_graphql::resolver_utils::EnumType>(value: E) -> &'static str {
    E::items().iter().find(|item| item.value == value).map_or("", |item| item.name)
}

fn read(reader: &Reader<Timeline>, customer: CustomerId) -> Result<Page, ReadError> {
    let snapshot = reader.snapshot()?;
    let asked = Asked { after: None, newest_first: false, limit: PAGE };
    let (entries, more) = Timeline::read(
        customer,
        &asked,
        |_| true,
        |key| Ok(snapshot.get(key)?.map(|row| row.view)),
    )?;
    let end = entries.last().map(|entry| cx_api::schema::paging::Cursor(entry.place()).to_string());
    let nodes = entries.into_iter().map(|entry| Node::new(customer, entry)).collect();
    Ok(Page { nodes, page_info: PageInfo { has_next_page: more, end_cursor: end } })
}

async fn page(
    State(reader): State<Reader<Timeline>>,
    Path(customer): Path<CustomerId>,
) -> Response {
    let body = read(&reader, customer).map(|page| serde_json::to_vec(&page));
    match body {
        Ok(Ok(body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
