//! The list of all views, which hands itself to others by name.

/// Hands the list of views to another macro: `views!(my_macro)` expands to `my_macro! { … }` with
/// one line a view, `/// what it is`, `name(argument: KeyPart, …) -> One<View>,` or `-> Many<View>,`.
///
/// The arguments are the parts of the view's key: all of them name one row (`One`), the first ones
/// a run of rows (`Many`); GraphQL fields are made for both. `Own` has a field of its own, written
/// in `api/src/schema/`, because its question is more than a look-up. The types are found with `use cx_projections::views::*` and
/// `use cx_model::*` in scope.
#[macro_export]
macro_rules! views {
    ($then:ident) => {
        $then! {
            /// Everything that happened to one customer.
            timeline(customer: CustomerId, page: u32) -> Own<Timeline>,
            /// One customer at a glance.
            customer(customer: CustomerId) -> Own<Customer>,
            /// What customers answered, by question, touchpoint, attribute and month.
            satisfaction(cell: Cell) -> Own<Satisfaction>,
            /// The cases that are open.
            open_cases(customer: CustomerId, case: CaseId) -> Own<OpenCase>,
            /// How the facts came in.
            data_quality(import: ImportId) -> Own<Import>,
            /// The catalogue of touchpoints.
            touchpoints(touchpoint: TouchpointId) -> Own<Touchpoint>,
            /// The questionnaires.
            instruments(instrument: InstrumentId) -> Own<Instrument>,
            /// How often a customer met the organisation on each channel.
            interaction_counts(customer: CustomerId, channel: Channel) -> One<InteractionCounts>,
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::projection::Projection;

    macro_rules! names {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $shape:ident<$view:ident>,)*) => {
            [$((stringify!($name), crate::views::$view::NAME)),*]
        };
    }

    #[test]
    fn a_view_is_listed_under_its_name() {
        for (listed, name) in views!(names) {
            assert_eq!(listed, name);
        }
    }
}
