//! Which arguments of a command are shown nowhere: passwords, and what stands beside them.

use super::Spec;
use crate::resp::Request;

/// The arguments that Redis leaves out of MONITOR and SLOWLOG as well, by their index.
pub fn secrets(spec: &Spec, request: &Request<'_>) -> Vec<usize> {
    let is = |index: usize, word: &[u8]| request.arg(index).eq_ignore_ascii_case(word);
    match spec.name {
        "auth" => (1..request.len()).collect(),
        "acl|setuser" => (2..request.len()).collect(),
        "config|set" => (2..request.len())
            .step_by(2)
            .filter(|&at| is_secret(request.arg(at)))
            .map(|at| at + 1)
            .collect(),
        "hello" => {
            let mut index = 2;
            while index < request.len() && is(index, b"setname") {
                index += 2;
            }
            match index + 2 < request.len() && is(index, b"auth") {
                true => vec![index + 1, index + 2],
                false => Vec::new(),
            }
        }
        "migrate" => {
            let find = |word: &[u8]| (6..request.len()).find(|&index| is(index, word));
            match (find(b"auth"), find(b"auth2")) {
                (Some(auth), _) => vec![auth + 1],
                (None, Some(auth)) => vec![auth + 1, auth + 2],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// Whether CONFIG calls the parameter sensitive.
fn is_secret(parameter: &[u8]) -> bool {
    const SECRET: &[&[u8]] = &[
        b"requirepass",
        b"masterauth",
        b"masteruser",
        b"tls-key-file-pass",
        b"tls-client-key-file-pass",
    ];
    SECRET.iter().any(|secret| parameter.eq_ignore_ascii_case(secret))
}
