//! The stats port, side by side with nutcracker's.
