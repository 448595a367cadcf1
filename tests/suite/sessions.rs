//! What a session remembers: its name, protocol, database and password.
