//! The mappings that come with the program.

macro_rules! shipped {
    ($($name:literal)*) => {
        /// Their names and texts.
        pub const MAPPINGS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../mappings/", $name, ".toml"))),)*];
    };
}

shipped! {
    "airport-2010" "airport-2011" "airport-2012" "airport-2014" "airport-2015" "airport-2016"
    "airport-2017" "help-desk" "purchases" "click-stream" "cloudevents"
}

/// The text of the mapping of this name, with or without `.toml`.
pub fn named(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    MAPPINGS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// All names.
pub fn names() -> String {
    MAPPINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
