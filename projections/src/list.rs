//! The list of all views, which hands itself to others by name.

/// Hands the list of views to another macro: `views!(my_macro)` expands to `my_macro! { … }` with
/// one line a view, `/// what it is`, `name(argument: KeyPart, …) -> One<View>,` or `-> Many<View>,`.
///
/// The arguments are the parts of the view's key: all of them name one row (`One`), the first ones
/// a run of rows (`Many`). The types are found with `use cx_projections::views::*` and
/// `use cx_model::*` in scope.
#[macro_export]
macro_rules! views {
    ($then:ident) => {
        $then! {
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
