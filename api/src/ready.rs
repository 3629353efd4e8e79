//! Whether the system is ready, and its figures: the ledger writes, each view makes progress.

use std::sync::Mutex;
use std::sync::PoisonError;

use cx_ledger::Health;
use cx_model::Position;
use cx_projections::{State, ViewStatus};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::health::{Check, Readiness};
use crate::metrics::{Figures, Page};
use crate::schema::System;

/// The lowest position among the views.
pub fn lowest_head(system: &System) -> Position {
    system.engine.lowest_head()
}

/// The checks and figures of a system.
pub struct SystemReadiness {
    system: System,
    /// Where each view was when it was last looked at: not moving while behind is not ready.
    seen: Mutex<Vec<ViewStatus>>,
}

impl SystemReadiness {
    /// Of a system.
    pub fn new(system: System) -> Self {
        Self { system, seen: Mutex::default() }
    }

    fn ledger(&self) -> Check {
        let (ok, detail) = match self.system.book.ledger().health() {
            Health::Writable => (true, "takes appends".to_owned()),
            Health::ReadOnly(reason) => (false, format!("refuses appends: {reason}")),
        };
        Check { name: "ledger".into(), ok, detail }
    }
}

impl Readiness for SystemReadiness {
    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        async move {
            let mut checks = vec![self.ledger()];
            match self.system.engine.status().await {
                Err(error) => {
                    let detail = error.to_string();
                    checks.push(Check { name: "views".into(), ok: false, detail });
                }
                Ok(status) => {
                    checks.extend(status.iter().map(check));
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = status;
                }
            }
            checks
        }
        .boxed()
    }
}

/// Lag is no fault; standing still while behind is.
fn check(view: &ViewStatus) -> Check {
    let stands = view.events_behind > 0 && view.state == State::Failing;
    let behind = view.events_behind;
    let mut detail = format!("{}, {behind} events behind", view.state.as_str());
    if let Some(reason) = &view.reason {
        detail = format!("{detail}: {reason}");
    }
    for stall in &view.stalls {
        detail = format!("{detail}; a lane stalls at position {}", stall.position);
    }
    Check { name: format!("view {}", view.name), ok: !stands, detail }
}

/// A figure of each view: its name, its help, and where it comes from.
type Family = (&'static str, &'static str, fn(&ViewStatus) -> f64);

impl Figures for SystemReadiness {
    fn write(&self, page: &mut Page) {
        let writable = u8::from(self.system.book.ledger().health() == Health::Writable);
        page.family("cxledger_ledger_writable", "gauge", "1 while the ledger takes appends.");
        page.sample("cxledger_ledger_writable", &[], writable);
        let views = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let families: [Family; 5] = [
            ("cxledger_view_events_behind", "Events a view has not folded yet.", |view| {
                view.events_behind as f64
            }),
            ("cxledger_view_seconds_behind", "Time a view is behind the ledger.", |view| {
                view.seconds_behind
            }),
            ("cxledger_view_events_per_second", "How fast a view folds.", |view| {
                view.events_per_second
            }),
            ("cxledger_view_size_bytes", "What a view takes on disk.", |view| {
                view.size_bytes as f64
            }),
            ("cxledger_view_stalled_lanes", "Lanes that stand at an event.", |view| {
                view.stalls.len() as f64
            }),
        ];
        for (name, help, value) in families {
            page.family(name, "gauge", help);
            for view in &views {
                page.sample(name, &[("view", view.name)], value(view));
            }
        }
    }
}
