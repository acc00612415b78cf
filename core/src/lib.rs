//! The engine of DSEE Studio.
