//! Cases that are open, and how much time they have left.

use async_graphql::{Context, Enum, InputObject, Result, SimpleObject};
use cx_model::{
    CaseId, CaseKind, Channel, CustomerId, Position, Severity, TouchpointId, WaitingOn,
};
use cx_projections::Scan;
use cx_projections::views::OpenCase as OpenCaseRow;
use jiff::Timestamp;

use super::paging::{self, Cursor, PageInfo};
use super::reading::{self, Standing};
use super::scalars::{DateTime, Duration};
use crate::errors::Code;

/// How a case stands against its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DeadlineState {
    /// There is time: more than a quarter of it.
    Running,
    /// Less than a quarter of the time is left.
    AtRisk,
    /// The time is over. At the very deadline it is still met.
    Breached,
    /// The case waits, and the clock stands still.
    Paused,
}

/// Which cases are wanted. What is left out is not asked about.
#[derive(Debug, Default, Clone, InputObject)]
pub struct CaseFilter {
    /// Of one of these kinds.
    pub kinds: Option<Vec<CaseKind>>,
    /// At least this severe.
    pub severity_at_least: Option<Severity>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// In one of these states.
    pub states: Option<Vec<DeadlineState>>,
}

/// An open case.
#[derive(Debug, Clone, SimpleObject)]
pub struct OpenCase {
    /// Its id.
    pub id: CaseId,
    /// Whose it is.
    pub customer: CustomerId,
    /// What kind; null if a step came before the opening.
    pub kind: Option<CaseKind>,
    /// How bad.
    pub severity: Option<Severity>,
    /// Its number elsewhere.
    pub reference: Option<String>,
    /// Where it began.
    pub touchpoint: Option<TouchpointId>,
    /// By which way it came.
    pub channel: Option<Channel>,
    /// When it was opened.
    pub opened_at: DateTime,
    /// When the customer was told that it arrived.
    pub acknowledged_at: Option<DateTime>,
    /// The first public answer by a person.
    pub first_reply_at: Option<DateTime>,
    /// When it was first resolved.
    pub resolved_at: Option<DateTime>,
    /// Settled in the organisation's eyes and not yet closed.
    pub resolved: bool,
    /// For whom it waits.
    pub waiting_on: Option<WaitingOn>,
    /// How old it is at the time that was asked for, less the time it waited for the customer.
    pub age: Duration,
    /// When its time is over.
    pub deadline: DateTime,
    /// How it stands against the deadline at that time.
    pub state: DeadlineState,
    /// How often it went to someone else.
    pub transfers: i32,
    /// How often it was opened again.
    pub reopened: i32,
    /// Escalated.
    pub escalated: bool,
    /// Steps that break a rule and were kept: a step after the close, a second resolve.
    pub irregular: i32,
}

/// An open case and where it stands in the list.
#[derive(Debug, Clone, SimpleObject)]
pub struct OpenCaseEdge {
    /// Goes into `after` to read on from here.
    pub cursor: String,
    /// The case.
    pub node: OpenCase,
}

/// A page of open cases.
#[derive(Debug, Clone, SimpleObject)]
pub struct OpenCaseConnection {
    /// The cases with their cursors.
    pub edges: Vec<OpenCaseEdge>,
    /// Whether there is more.
    pub page_info: PageInfo,
    /// The position the page is true at.
    pub as_of: Position,
}

/// What is asked of the open cases.
pub struct CaseQuestion {
    /// Which.
    pub filter: CaseFilter,
    /// At which time ages and deadlines are worked out.
    pub at: Timestamp,
    /// How much time a case has.
    pub target: Duration,
    /// At most so many.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
}

/// Reads a page.
pub async fn page(
    ctx: &Context<'_>,
    question: &CaseQuestion,
    standing: &Standing,
) -> Result<OpenCaseConnection> {
    let limit = paging::limit(ctx, question.first)?;
    let mut scan = match question.filter.customer {
        Some(customer) => Scan::under(&customer),
        None => Scan::all(),
    };
    if let Some(after) = &question.after {
        let place = Cursor::<(uuid::Uuid, uuid::Uuid)>::parse(after).ok_or_else(|| {
            Code::BadRequest.error("`after` is no cursor of this list: take one from `edges`")
        })?;
        scan = scan.after(&(CustomerId(place.0.0), CaseId(place.0.1)));
    }
    standing
        .read::<OpenCaseRow, _>(ctx, |snapshot| {
            let (mut edges, mut more) = (Vec::new(), false);
            let visited = snapshot.visit(&scan, |row| {
                let (customer, id) = row.key;
                let case = OpenCase::new(customer, id, &row.view, question.at, question.target);
                if !question.filter.wants(&case) {
                    return true;
                }
                if edges.len() == limit {
                    more = true;
                    return false;
                }
                let cursor = Cursor((customer.0, id.0)).to_string();
                edges.push(OpenCaseEdge { cursor, node: case });
                true
            });
            visited.map_err(reading::read_failed)?;
            let page_info = PageInfo {
                has_next_page: more,
                has_previous_page: question.after.is_some(),
                start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                end_cursor: edges.last().map(|edge| edge.cursor.clone()),
            };
            Ok(OpenCaseConnection { edges, page_info, as_of: snapshot.as_of() })
        })
        .await
}

impl CaseFilter {
    fn wants(&self, case: &OpenCase) -> bool {
        let kinds = self.kinds.as_ref();
        let states = self.states.as_ref();
        kinds.is_none_or(|kinds| case.kind.is_some_and(|kind| kinds.contains(&kind)))
            && self.severity_at_least.is_none_or(|least| case.severity >= Some(least))
            && self.customer.is_none_or(|customer| customer == case.customer)
            && states.is_none_or(|states| states.contains(&case.state))
    }
}

impl OpenCase {
    fn new(
        customer: CustomerId,
        id: CaseId,
        row: &OpenCaseRow,
        at: Timestamp,
        target: Duration,
    ) -> Self {
        let at = at.as_microsecond();
        let target = target.0.as_micros() as i64;
        // While a case waits, the clock stands at the moment it began to wait.
        let clock = row.paused.map_or(at, |(_, since)| since.min(at));
        let age = (clock - row.opened_at - row.waited_for_customer).max(0);
        let left = target - age;
        let state = if row.paused.is_some() {
            DeadlineState::Paused
        } else if left < 0 {
            DeadlineState::Breached
        } else if left < target / 4 {
            DeadlineState::AtRisk
        } else {
            DeadlineState::Running
        };
        let time = |time: Option<i64>| time.map(DateTime::of_microseconds);
        let deadline = row.opened_at.saturating_add(target).saturating_add(row.waited_for_customer);
        Self {
            id,
            customer,
            kind: row.kind,
            severity: row.severity,
            reference: row.reference.clone(),
            touchpoint: row.touchpoint,
            channel: row.channel,
            opened_at: DateTime::of_microseconds(row.opened_at),
            acknowledged_at: time(row.acknowledged_at),
            first_reply_at: time(row.first_reply_at),
            resolved_at: time(row.resolved_at),
            resolved: row.resolved,
            waiting_on: row.paused.map(|(waiting_on, _)| waiting_on),
            age: Duration::of_microseconds(age),
            deadline: DateTime::of_microseconds(deadline),
            state,
            transfers: row.transfers as i32,
            reopened: row.reopened as i32,
            escalated: row.escalated,
            irregular: row.irregular as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const HOUR: i64 = 3_600_000_000;

    fn state(row: &OpenCaseRow, at_hours: i64) -> DeadlineState {
        let at = Timestamp::from_microsecond(at_hours * HOUR).unwrap();
        let (customer, case) = (CustomerId(Uuid::nil()), CaseId(Uuid::nil()));
        OpenCase::new(customer, case, row, at, Duration::of_microseconds(8 * HOUR)).state
    }

    #[test]
    fn a_tie_is_met_and_a_moment_later_is_breached() {
        let row = OpenCaseRow::default();
        assert_eq!(state(&row, 5), DeadlineState::Running);
        assert_eq!(state(&row, 7), DeadlineState::AtRisk);
        assert_eq!(state(&row, 8), DeadlineState::AtRisk);
        assert_eq!(state(&row, 9), DeadlineState::Breached);
    }

    #[test]
    fn waiting_stops_the_clock() {
        let paused = Some((WaitingOn::Customer, 2 * HOUR));
        assert_eq!(state(&OpenCaseRow { paused, ..Default::default() }, 90), DeadlineState::Paused);
        let row = OpenCaseRow { waited_for_customer: 88 * HOUR, ..Default::default() };
        assert_eq!(state(&row, 90), DeadlineState::Running);
    }
}
