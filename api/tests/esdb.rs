//! The event-store endpoint, as the official Rust client sees it over a real socket.

// A test that cannot go on has to fail; unwrap says so.
#![allow(clippy::unwrap_used)]

mod esdb {
    mod bounding;
    mod breaking;
    mod consuming;
    mod describing;
    mod ending;
    mod greeting;
    mod guarding;
    mod raw;
    mod reading;
    mod refusing;
    mod server;
    mod sharing;
    #[allow(dead_code)] // others trip it in more ways
    mod tripping;
    mod writing;
}
