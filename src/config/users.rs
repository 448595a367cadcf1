//! `users` and `users_file`: the users of a pool with `auth: users`.

use std::fs;
use std::sync::Arc;

use super::fault::{ConfigFault, Wrong};
use super::model::{Auth, Pool};
use super::tree::{Node, Place, Value};
use crate::access::{Accounts, RuleFault};

/// Where a user's line stands.
#[derive(Debug, Clone, Copy)]
enum At {
    List(Place),
    File(u32),
}

/// Reads the users of a pool whose keys were read; `lines` is what `users` holds, `of_pool` fills in
/// a fault's file and pool.
pub(crate) fn read(
    pool: &mut Pool,
    lines: &[(Place, String)],
    place: Place,
    of_pool: impl Fn(Place, &str, Wrong) -> ConfigFault,
) -> Vec<ConfigFault> {
    let has_users = !lines.is_empty() || pool.users_file.is_some();
    if has_users && pool.auth.is_none() {
        pool.auth = Some(Auth::Users);
    }
    match (pool.auth, has_users) {
        (Some(Auth::Users), true) => {}
        (Some(Auth::Users), false) => {
            let wrong = Wrong::new("auth: users without users", "write users or users_file");
            return vec![of_pool(place, "auth", wrong)];
        }
        (_, true) => {
            let wrong = "users of circlet's own and another way of auth";
            return vec![of_pool(place, "auth", Wrong::new(wrong, "write auth: users"))];
        }
        (_, false) => return Vec::new(),
    }
    let text = match &pool.users_file {
        Some(path) => match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let wrong = format!("{path} cannot be read: {error}");
                let right = "name a readable file with lines `user NAME RULES…`";
                return vec![of_pool(place, "users_file", Wrong::new(wrong, right))];
            }
        },
        None => String::new(),
    };
    let listed = lines.iter().map(|(place, line)| (At::List(*place), line.as_str()));
    let in_file = text.lines().zip(1..).filter(|(line, _)| is_user(line));
    match Accounts::read(listed.chain(in_file.map(|(line, number)| (At::File(number), line)))) {
        Ok(accounts) => {
            pool.users = Some(Arc::new(accounts));
            Vec::new()
        }
        Err(faults) => faults
            .into_iter()
            .map(|(at, RuleFault { wrong, right })| match at {
                At::List(place) => of_pool(place, "users", Wrong::new(wrong, right)),
                At::File(line) => {
                    let fault = of_pool(place, "users_file", Wrong::new(wrong, right));
                    let file = pool.users_file.clone().unwrap_or_default();
                    ConfigFault { file, line: Some(line), column: None, ..fault }
                }
            })
            .collect(),
    }
}

/// The lines of the list.
pub(crate) fn lines(items: &[Node]) -> Result<Vec<(Place, String)>, (Place, Wrong)> {
    let line = |item: &Node| match &item.value {
        Value::Scalar(text) => Ok((item.place, text.clone())),
        other => {
            let wrong = format!("{} where a user belongs", other.shape());
            let right = "write `\"NAME RULES…\"` in quotes, such as \"alice on ~cache:* +@read\"";
            Err((item.place, Wrong::new(wrong, right)))
        }
    };
    items.iter().map(line).collect()
}

/// Blank lines and comments are none.
fn is_user(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}
