//! The transport over a small schema in memory: `cargo run -p cx-api --example desk`.
//!
//! Prints the address it listens on; the scripts of `tests/judges` can be run against it.

use std::sync::Arc;

use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::health::AlwaysReady;
use cx_api::http::{Api, ApiConfig};
use cx_api::metrics::ApiMetrics;
use cx_api::serve::{Drain, bind, serve};

#[path = "../tests/desk/intake.rs"]
mod intake;
#[path = "../tests/desk/schema.rs"]
mod schema;

#[tokio::main]
async fn main() -> Result<(), cx_api::serve::ServeError> {
    let desk = schema::Desk::default();
    let schema = schema::schema(desk.clone());
    let current = Arc::new(move || Some(desk.head()));
    let executor = Guarded::new(schema, ExecutorConfig::default(), ApiMetrics::default())
        .with_current_position(current);
    let drain = Drain::default();
    let router = Api::new(executor, ApiConfig::default(), Arc::new(AlwaysReady), drain.clone())
        .with_intake(Arc::new(intake::Held::default()))
        .router(axum::Router::new());
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = bind(([127, 0, 0, 1], port).into(), None).await?;
    println!("http://{}", listener.local_addr()?);
    let signal = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    serve(listener, router, drain, signal).await
}
