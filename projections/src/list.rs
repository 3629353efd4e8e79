//! The list of all views, which hands itself to others by name.

/// Hands the list of views to another macro: `views!(my_macro)` expands to `my_macro! { … }` with
/// one line a view, `/// what it is`, `name(argument: KeyPart, …) -> One<View>,`.
///
/// The arguments are the parts of the view's key, each a [`KeyPart`](crate::KeyPart). All of them
/// name one row (`One`), or one figure over customers (`Sum`), the first one a run of rows (`Many`);
/// GraphQL fields are made for these. `Own` and `OwnSum`, a figure as well, have a field of their
/// own, written in `api/src/schema/`, because their question is more than a look-up. The types are
/// found with `use cx_projections::{parts::*, views::*}` in scope.
#[macro_export]
macro_rules! views {
    ($then:ident) => {
        $then! {
            /// Everything that happened to one customer.
            timeline(customer: CustomerId, page: u32) -> Own<Timeline>,
            /// One customer at a glance.
            customer(customer: CustomerId) -> Own<Customer>,
            /// What customers answered, by question, touchpoint, attribute and month.
            satisfaction(cell: Cell) -> OwnSum<Satisfaction>,
            /// The cases that are open.
            open_cases(customer: CustomerId, case: CaseId) -> Own<OpenCase>,
            /// How the facts came in.
            data_quality(import: ImportId) -> Own<Import>,
            /// The catalogue of touchpoints.
            touchpoints(touchpoint: TouchpointId) -> Own<Touchpoint>,
            /// The questionnaires.
            instruments(instrument: InstrumentId) -> Own<Instrument>,
            /// How often a customer met the organisation on each channel.
            interaction_counts(customer: CustomerId) -> One<InteractionCounts>,
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::projection::Projection;

    macro_rules! names {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $kind:ident<$view:ident>,)*) => {
            [$((stringify!($name), crate::views::$view::NAME)),*]
        };
    }

    #[test]
    fn a_view_is_listed_under_its_name() {
        for (listed, name) in views!(names) {
            assert_eq!(listed, name);
        }
    }

    /// `views.lock` says which generation each view's source makes. A changed source with an
    /// unchanged generation may be a changed fold that the canonical history does not reach.
    #[test]
    fn fingerprints_are_written_down_beside_the_source_they_come_from() {
        use std::fmt::Write as _;

        use sha2::{Digest, Sha256};
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut now = String::new();
        for view in crate::all_views() {
            let (name, generation) = (view.name(), view.generation());
            let mut paths: Vec<_> = std::fs::read_dir(root.join("src/views"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| {
                    std::fs::read_to_string(path).is_ok_and(|source| {
                        source.contains(&format!("NAME: &'static str = \"{name}\""))
                    })
                })
                .collect();
            let file = paths.pop().expect("a view has a file");
            let mut source = std::fs::read(&file).unwrap();
            // What a view keeps in files beside it is its source as well.
            let beside = std::fs::read_dir(file.with_extension("")).into_iter().flatten();
            let mut beside: Vec<_> = beside.map(|entry| entry.unwrap().path()).collect();
            beside.sort();
            source.extend(beside.iter().flat_map(|path| std::fs::read(path).unwrap()));
            let digest = crate::engine::generation::hex(&Sha256::digest(source)[..8]);
            writeln!(now, "{name} {generation} {digest}").unwrap();
        }
        let path = root.join("views.lock");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        if written == now {
            return;
        }
        if std::env::var_os("CXLEDGER_ACCEPT_VIEWS").is_some() {
            std::fs::write(&path, now).unwrap();
            return;
        }
        panic!(
            "projections/views.lock is out of date. A new view: accept it. A view whose source \
             changed and whose generation did not: add a case to the canonical history, or raise REVISION, or accept \
             it. Accept with CXLEDGER_ACCEPT_VIEWS=1 cargo test -p cx-projections fingerprints\n\
             written:\n{written}now:\n{now}"
        );
    }
}
