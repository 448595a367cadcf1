//! Connections, pipelines and sizes at their limits.
