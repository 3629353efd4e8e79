//! Whether the system is ready, and its figures: the ledger writes, each view makes progress.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cx_ledger::{Health, ReadError};
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

/// Whether the ledger does not answer at the moment.
pub fn ledger_is_away(system: &System) -> bool {
    matches!(system.book.ledger().health(), Health::Away(_))
}

/// The checks and figures of a system.
pub struct SystemReadiness {
    system: System,
    /// How each view was when it was last looked at.
    seen: Mutex<Vec<ViewStatus>>,
    /// How each view has moved: not moving while behind is not ready.
    moves: Mutex<HashMap<&'static str, Moves>>,
}

/// How long a view may stand still while it is behind.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the ledger may take to say how far it is: whoever asks asks again soon.
const ANSWER: Duration = Duration::from_secs(2);

/// How far a view was folded and how far it was behind when it was last looked at, and since when
/// it has stood still while it was behind.
#[derive(Debug, Clone, Copy)]
struct Moves {
    folded: u64,
    behind: u64,
    at: Instant,
}

impl Moves {
    /// Whether the view stands still although it is behind.
    fn stands(&mut self, folded: u64, behind: u64, now: Instant) -> bool {
        // A view that had nothing to fold at the last look fell behind at some moment since.
        if behind == 0 || self.behind == 0 || folded != self.folded {
            self.at = now;
        }
        (self.folded, self.behind) = (folded, behind);
        now.saturating_duration_since(self.at) >= PATIENCE
    }
}

impl SystemReadiness {
    /// Of a system.
    pub fn new(system: System) -> Self {
        Self { system, seen: Mutex::default(), moves: Mutex::default() }
    }

    fn ledger(&self) -> Check {
        let (ok, detail) = match self.system.book.ledger().health() {
            Health::Writable => (true, "takes appends".to_owned()),
            Health::ReadOnly(reason) => (false, format!("refuses appends: {reason}")),
            Health::Away(reason) => (false, reason),
        };
        Check { name: "ledger".into(), ok, detail }
    }
}

impl Readiness for SystemReadiness {
    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        async move {
            let mut checks = vec![self.ledger()];
            let status = tokio::time::timeout(ANSWER, self.system.engine.status()).await;
            match status.unwrap_or(Err(ReadError::Timeout)) {
                Err(error) => {
                    let detail = error.to_string();
                    checks.push(Check { name: "views".into(), ok: false, detail });
                }
                Ok(status) => {
                    let mut known = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
                    let now = Instant::now();
                    for view in &status {
                        let first = Moves { folded: view.folded, behind: 0, at: now };
                        let moves = known.entry(view.name).or_insert(first);
                        let stands = moves.stands(view.folded, view.events_behind, now);
                        checks.push(check(view, stands));
                    }
                    drop(known);
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = status;
                }
            }
            checks
        }
        .boxed()
    }
}

/// Lag is no fault; standing still while behind is.
fn check(view: &ViewStatus, stands: bool) -> Check {
    let fails = stands || (view.events_behind > 0 && view.state == State::Failing);
    let behind = view.events_behind;
    let mut detail = format!("{}, {behind} events behind", view.state.as_str());
    if let Some(reason) = &view.reason {
        detail = format!("{detail}: {reason}");
    }
    if stands {
        let seconds = PATIENCE.as_secs();
        detail = format!("{detail}; no event folded for {seconds} s or more: see the log, restart");
    }
    for stall in &view.stalls {
        detail = format!("{detail}; a lane stalls at position {}", stall.position);
    }
    Check { name: format!("view {}", view.name), ok: !fails, detail }
}

/// A figure of each view: its name, its help, and where it comes from.
type Family = (&'static str, &'static str, fn(&ViewStatus) -> f64);

impl Figures for SystemReadiness {
    fn write(&self, page: &mut Page) {
        let writable = u8::from(self.system.book.ledger().health() == Health::Writable);
        page.family("cxledger_ledger_writable", "gauge", "1 while the ledger takes appends.");
        page.sample("cxledger_ledger_writable", &[], writable);
        let views = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let families: [Family; 7] = [
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
            ("cxledger_view_repairs", "Times a view was made anew since the start.", |view| {
                view.repairs as f64
            }),
            (
                "cxledger_view_undecodable",
                "Events that could not be read since the start.",
                |view| view.undecodable as f64,
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_no_fault_and_standing_still_while_behind_is() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut moves = Moves { folded: 10, behind: 5, at: begin };
        assert!(!moves.stands(10, 5, after(29)));
        assert!(moves.stands(10, 5, after(30)));
        assert!(!moves.stands(11, 900, after(31)), "it moves, however far behind");
        assert!(!moves.stands(11, 0, after(90)), "nothing is left to fold");
        assert!(!moves.stands(11, 1, after(900)), "it fell behind only now, after a long rest");
        assert!(!moves.stands(11, 7, after(929)));
        assert!(moves.stands(11, 7, after(930)));
    }
}
