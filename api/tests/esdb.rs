//! The event-store endpoint, as the official Rust client sees it over a real socket.

mod esdb {
    mod consuming;
    mod guarding;
    mod reading;
    mod server;
    mod writing;
}
