//! DSEE Studio on the command line.
fn main() {}
