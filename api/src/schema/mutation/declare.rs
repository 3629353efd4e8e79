//! How mutations are declared: an input, a payload, and what the input becomes.

/// Declares an input object with the two fields every input has.
macro_rules! input {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, async_graphql::InputObject)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $type,)*
            /// Any text that is used for this deed alone. The same key with the same input gives the first answer again; with another input it is refused as `CONFLICT`. Without one, a repeated request counts twice.
            pub idempotency_key: Option<String>,
            /// When it happened to the customer; now if left out.
            pub occurred_at: Option<$crate::schema::scalars::DateTime>,
        }
    };
}

/// Declares the mutations of one subject. Each body gets the deed and the input and gives the
/// payload.
macro_rules! mutations {
    ($root:ident {
        $($(#[$doc:meta])* $name:ident($input:ident {
            $($(#[$fdoc:meta])* $field:ident: $type:ty,)*
        }) -> $payload:ident = |$deed:ident, $given:ident| $body:block)*
    }) => {
        $(input! {
            $(#[$doc])*
            $input { $($(#[$fdoc])* $field: $type,)* }
        })*

        /// Mutations of one subject.
        #[derive(Default)]
        pub struct $root;

        #[async_graphql::Object]
        impl $root {
            $($(#[$doc])*
            async fn $name(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "What is to be recorded.")] input: $input,
            ) -> async_graphql::Result<$payload> {
                let $deed = $crate::schema::mutation::deed::Deed::new(
                    ctx,
                    stringify!($name),
                    &async_graphql::InputType::to_value(&input),
                    input.idempotency_key.as_deref(),
                    input.occurred_at,
                )?;
                let $given = input;
                $body
            })*
        }
    };
}
