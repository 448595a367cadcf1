//! Keys that a shard holds, found by SCAN.

use super::{Conversation, Progress, SurveyError};
use crate::reply::frame;
use crate::resp::reply::elements;

/// Up to `most` keys of the shard, each once, in the order of its SCAN: by chance, as the servers
/// mix their tables by a seed of their own.
///
/// # Errors
/// The shard does not answer, or refuses SCAN.
pub async fn scan_keys(
    shard: &mut Conversation,
    most: usize,
    progress: &mut Progress,
) -> Result<Vec<Vec<u8>>, SurveyError> {
    let (mut keys, mut cursor) = (Vec::new(), b"0".to_vec());
    let count = most.clamp(10, AT_A_TIME).to_string();
    while keys.len() < most {
        let reply = shard.ask(&[b"SCAN", &cursor, b"COUNT", count.as_bytes()]).await?;
        let Some((next, page)) = read(&reply) else {
            let text = String::from_utf8_lossy(frame::text(&reply).unwrap_or(b"not of SCAN"));
            return Err(shard.error(format!("SCAN: {text}")));
        };
        progress.add(page.len().min(most - keys.len()));
        keys.extend(page);
        if next == b"0" {
            break;
        }
        cursor = next;
    }
    // While a table grows or shrinks SCAN may tell of a key twice.
    keys.sort();
    keys.dedup();
    fastrand::Rng::with_seed(0).shuffle(&mut keys);
    keys.truncate(most);
    Ok(keys)
}

/// The next cursor, and the keys.
fn read(reply: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut parts = elements(reply)?;
    let cursor = frame::bulk(parts.next()?)?.to_vec();
    let keys = elements(parts.next()?)?.map(|key| frame::bulk(key).map(<[u8]>::to_vec));
    Some((cursor, keys.collect::<Option<_>>()?))
}

/// Keys of one step: a busy shard is held up for less than a millisecond.
const AT_A_TIME: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_cursor_and_keys() {
        let page = b"*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$2\r\n\xff\n\r\n";
        assert_eq!(read(page), Some((b"17".to_vec(), vec![b"a".to_vec(), b"\xff\n".to_vec()])));
        assert_eq!(read(b"*2\r\n$1\r\n0\r\n*0\r\n"), Some((b"0".to_vec(), vec![])));
        assert_eq!(read(b"-NOPERM no\r\n"), None);
    }
}
