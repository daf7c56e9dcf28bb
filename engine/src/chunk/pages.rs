//! Page files.
