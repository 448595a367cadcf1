//! The keys with the largest commands and replies.

use super::{ask, number, over, row_of};
use crate::harness::{Shard, encode};

#[test]
fn the_bytes_of_commands_and_of_replies_are_told() {
    let shards = Shard::several(2);
    let circlet = over(&shards, "", &[]);
    let mut client = circlet.client();
    let sizes = [("small", 1_000), ("page", 20_000), ("image", 100_000), ("film", 3_000_000)];
    for (key, size) in sizes {
        // Past circlet, so that only replies are large.
        for shard in &shards {
            shard.client().command(&["SET", key, &"v".repeat(size)]);
        }
        client.command(&["GET", key]);
    }
    let written = ["SET", "written", &"w".repeat(50_000)];
    client.command(&written);
    let told = ask(&mut client, &["PROXY", "BIGKEYS"]);
    let names: Vec<&str> = told.iter().map(|row| row["key"].as_str()).collect();
    assert_eq!(names, ["film", "image", "written", "page"], "largest first: {told:?}");
    for (key, size) in &sizes[1..] {
        let row = row_of(&told, key).expect("it is told");
        let reply = size + size.to_string().len() + "$\r\n\r\n".len();
        assert_eq!(number(row, "largest") as usize, reply, "{row:?}");
        assert_eq!(row["command"], "get");
    }
    let row = row_of(&told, "written").expect("it is told");
    assert_eq!(number(row, "largest") as usize, encode(&written).len());
    assert_eq!(row["command"], "set");
}

#[test]
fn a_big_key_is_found_even_if_hardly_any_command_is_looked_at() {
    let shards = Shard::several(1);
    let circlet = over(&shards, "", &["--hotkeys-samples", "1"]);
    let mut client = circlet.client();
    for command in 0..2000 {
        client.command(&["GET", &format!("none:{command}")]);
    }
    let written = ["SET", "huge", &"v".repeat(400_000)];
    client.command(&written);
    client.pipeline(&[["GET", "a"], ["GET", "huge"], ["GET", "b"]].map(Vec::from));
    let told = ask(&mut client, &["PROXY", "BIGKEYS"]);
    let row = row_of(&told, "huge").expect("it is told");
    assert_eq!(number(row, "largest") as usize, encode(&written).len(), "{row:?}");
    assert_eq!(number(row, "last") as usize, 400_000 + "$400000\r\n\r\n".len(), "{row:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}
