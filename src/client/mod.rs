//! A connection from outside: the session.
