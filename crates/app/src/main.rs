//! The `dbferry` binary.

fn main() {}
