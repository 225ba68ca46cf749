//! The compile errors are part of the interface.
