//! From a command's first words to its line in the table, or to Redis's own error.

use super::spec::Spec;
use super::table::lookup;
use crate::resp::Request;

/// Why a command cannot be served by anybody.
#[derive(Debug, Clone, Copy)]
pub enum CommandError {
    /// No command has this name.
    Unknown,
    /// The container command has no such subcommand.
    UnknownSubcommand,
    /// Too many or too few arguments.
    WrongArity(&'static Spec),
}

/// The table's line for `request`, whose number of arguments fits.
#[inline(always)]
pub fn resolve(request: &Request<'_>) -> Result<&'static Spec, CommandError> {
    let mut spec = lookup(request.arg(0)).ok_or(CommandError::Unknown)?;
    if !spec.subcommands.is_empty() && request.len() > 1 {
        spec = spec.subcommand(request.arg(1)).ok_or(CommandError::UnknownSubcommand)?;
    }
    match spec.accepts(request.len()) {
        true => Ok(spec),
        false => Err(CommandError::WrongArity(spec)),
    }
}

impl CommandError {
    /// Redis 7.0's text, `ERR ` included, line ends turned into spaces. Bytes, for a client's odd
    /// bytes come back as they are.
    pub fn text(self, request: &Request<'_>) -> Vec<u8> {
        let mut text = match self {
            Self::Unknown => unknown(request),
            Self::UnknownSubcommand => unknown_subcommand(request),
            // Whatever is wrong with an EXEC, Redis takes it for the end of a transaction.
            Self::WrongArity(spec) if spec.name == "exec" => {
                format!("EXECABORT Transaction discarded because of: {WRONG_ARITY} 'exec' command")
                    .into_bytes()
            }
            Self::WrongArity(spec) => {
                format!("ERR {WRONG_ARITY} '{}' command", spec.name).into_bytes()
            }
        };
        for byte in text.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')) {
            *byte = b' ';
        }
        text
    }

    /// Appends the error reply for `request` to `out`.
    pub fn append(self, request: &Request<'_>, out: &mut Vec<u8>) {
        out.push(b'-');
        out.extend_from_slice(&self.text(request));
        out.extend_from_slice(b"\r\n");
    }
}

const WRONG_ARITY: &str = "wrong number of arguments for";

fn unknown(request: &Request<'_>) -> Vec<u8> {
    let name = shown(request.arg(0), SHOWN);
    let mut text = [b"ERR unknown command '", name, b"', with args beginning with: "].concat();
    let start = text.len();
    for arg in request.args().skip(1) {
        let length = text.len() - start;
        if length >= SHOWN {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(shown(arg, SHOWN - length));
        text.extend_from_slice(b"' ");
    }
    text
}

fn unknown_subcommand(request: &Request<'_>) -> Vec<u8> {
    let subcommand = shown(request.arg(1), SHOWN);
    let container = request.arg(0).to_ascii_uppercase();
    [b"ERR unknown subcommand '", subcommand, b"'. Try ", &container, b" HELP."].concat()
}

/// What C's `%.*s` prints: up to `limit` bytes, and none from a zero byte on.
fn shown(bytes: &[u8], limit: usize) -> &[u8] {
    let cut = &bytes[..bytes.len().min(limit)];
    &cut[..cut.iter().position(|&byte| byte == 0).unwrap_or(cut.len())]
}

/// Redis shows this many bytes of a name, and of all arguments together.
const SHOWN: usize = 128;
