//! What `cxledger new-view` writes stands here so that it is compiled and tested; the command puts
//! other names in.

mod figure;
mod row;
