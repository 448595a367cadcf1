//! Where the record ends: its limit, emptied databases, keys that only were touched.
