//! Commands that the table lacks and the pool's shards have.

use crate::command::{CommandError, Spec};
use crate::resp::Request;
use crate::worker::Worker;

impl Worker {
    /// What the pool's shards told of a command for which the table has only `error`.
    #[cold]
    pub(crate) fn learned(
        &self,
        number: u32,
        request: &Request<'_>,
        error: CommandError,
    ) -> Result<&'static Spec, CommandError> {
        match error {
            CommandError::WrongArity(_) => Err(error),
            _ => self.pool_of(number).learned.resolve(request).unwrap_or(Err(error)),
        }
    }
}
