use super::*;

const TWO: Protocol = Protocol::Resp2;

/// A frame written with spaces for line ends.
fn wire(text: &str) -> Vec<u8> {
    text.replace(' ', "\r\n").into_bytes()
}

fn check(
    merge: impl FnOnce(&[&[u8]], &mut Writer<'_>) -> Option<()>,
    replies: &[&str],
    expected: &str,
) {
    check_in(TWO, merge, replies, expected);
}

fn check_in(
    protocol: Protocol,
    merge: impl FnOnce(&[&[u8]], &mut Writer<'_>) -> Option<()>,
    replies: &[&str],
    expected: &str,
) {
    let frames: Vec<Vec<u8>> = replies.iter().map(|reply| wire(reply)).collect();
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let reply = String::from_utf8(merged(&frames, protocol, merge)).unwrap();
    assert_eq!(reply.replace("\r\n", " "), expected);
}

#[test]
fn config_get_tells_what_every_shard_keeps() {
    check(
        config_get,
        &[
            "*12 $1 a $1 5 $1 b $3 yes $1 c $3 KEA $1 d $1 1 $1 e $1 9 $1 s $4 3600 ",
            "*12 $1 e $2 10 $1 a $1 5 $1 b $2 no $1 c $2 Kx $1 f $1 1 $1 s $4 3600 ",
        ],
        "*10 $1 a $1 5 $1 b $2 no $1 c $3 KEA $1 e $1 9 $1 s $4 3600 ",
    );
    check_in(Protocol::Resp3, config_get, &["%1 $1 a $1 5 ", "%1 $1 a $1 5 "], "%1 $1 a $1 5 ");
    check(config_get, &["*0 ", "-ERR no "], "-ERR no ");
}

#[test]
fn the_slow_log_is_the_newest_of_all() {
    let first = "*2 *3 :1 :100 :7 *3 :0 :90 :8 ";
    let second = "*2 *3 :9 :95 :1 *3 :8 :80 :2 ";
    let get = |limit| move |replies: &[&[u8]], w: &mut Writer<'_>| slowlog_get(limit, replies, w);
    check(get(3), &[first, second], "*3 *3 :1 :100 :7 *3 :9 :95 :1 *3 :0 :90 :8 ");
    check(get(0), &[first, second], "*0 ");
    check(get(-1), &[second, first], "*4 *3 :1 :100 :7 *3 :9 :95 :1 *3 :0 :90 :8 *3 :8 :80 :2 ");
    let frames = [&b"*0\r\n"[..], b"+OK\r\n"];
    let refused = String::from_utf8(merged(&frames, TWO, get(3))).unwrap();
    assert!(refused.starts_with("-ERR the shards' replies cannot be merged"), "{refused}");
}

#[test]
fn the_latest_spike_is_the_latest_of_all() {
    let first = "*2 *4 $1 a :100 :5 :9 *4 $1 c :1 :2 :3 ";
    let second = "*2 *4 $1 a :101 :4 :6 *4 $1 b :1 :1 :1 ";
    let expected = "*3 *4 $1 a :101 :4 :9 *4 $1 b :1 :1 :1 *4 $1 c :1 :2 :3 ";
    check(latency_latest, &[first, second], expected);
    check(
        latency_latest,
        &["*1 *6 $1 a :2 :1 :1 :5 :2 ", "*1 *6 $1 a :1 :3 :3 :4 :1 "],
        "*1 *6 $1 a :2 :1 :3 :9 :3 ",
    );
}

#[test]
fn a_history_is_in_order_with_one_spike_a_second() {
    let first = "*2 *2 :100 :5 *2 :102 :1 ";
    let second = "*2 *2 :100 :9 *2 :101 :2 ";
    check(latency_history, &[first, second], "*3 *2 :100 :9 *2 :101 :2 *2 :102 :1 ");
}

#[test]
fn cumulative_counts_add_up() {
    let first = "*2 $3 get *4 $5 calls :3 $14 histogram_usec *4 :1 :1 :8 :3 ";
    let second = "*4 $3 get *4 $5 calls :4 $14 histogram_usec *4 :4 :2 :16 :4 \
                  $3 set *4 $5 calls :1 $14 histogram_usec *2 :2 :1 ";
    // ≤1: 1, ≤4: 1+2, ≤8: 3+2, ≤16: 3+4.
    let expected = "*4 $3 get *4 $5 calls :7 $14 histogram_usec *8 :1 :1 :4 :3 :8 :5 :16 :7 \
                    $3 set *4 $5 calls :1 $14 histogram_usec *2 :2 :1 ";
    check(latency_histogram, &[first, second], expected);
    let resp3 = "%1 $3 get %2 $5 calls :1 $14 histogram_usec %1 :2 :1 ";
    check_in(Protocol::Resp3, latency_histogram, &[resp3, "%0 "], resp3);
}

#[test]
fn memory_adds_up_and_ratios_are_of_the_sums() {
    let first = "*12 $15 total.allocated :300 $17 startup.allocated :100 $10 keys.count :1 \
                 $18 keys.bytes-per-key :200 $13 dataset.bytes :50 $18 dataset.percentage $2 25 ";
    let second = "*14 $15 total.allocated :700 $17 startup.allocated :100 $10 keys.count :3 \
                  $18 keys.bytes-per-key :200 $13 dataset.bytes :550 $18 dataset.percentage $2 75 \
                  $4 db.0 *2 $1 x :3 ";
    let expected = "*14 $15 total.allocated :1000 $17 startup.allocated :200 $10 keys.count :4 \
                    $18 keys.bytes-per-key :200 $13 dataset.bytes :600 $18 dataset.percentage \
                    $2 75 $4 db.0 *2 $1 x :3 ";
    check(memory_stats, &[first, second], expected);
    let resp3 = "%3 $15 total.allocated :9 $14 peak.allocated :18 $15 peak.percentage ,1.5 ";
    let expected = "%3 $15 total.allocated :18 $14 peak.allocated :36 $15 peak.percentage ,50 ";
    check_in(Protocol::Resp3, memory_stats, &[resp3, resp3], expected);
    let nested = "*2 $4 db.0 *2 $1 x :3 ";
    check(memory_stats, &[nested, nested], "*2 $4 db.0 *2 $1 x :6 ");
}

#[test]
fn modules_are_those_that_all_have() {
    let json2 = "*4 $4 name $4 json $3 ver :2 ";
    let json1 = "*4 $4 name $4 json $3 ver :1 ";
    let bloom = "*4 $4 name $2 bf $3 ver :1 ";
    check(
        module_list,
        &[&format!("*2 {bloom}{json2}"), &format!("*1 {json1}")],
        &format!("*1 {json1}"),
    );
}

#[test]
fn the_role_is_one_masters() {
    let replies = ["*3 $6 master :5 *1 *3 $1 a $1 1 $1 5 ", "*3 $6 master :7 *0 "];
    check(role, &replies, "*3 $6 master :12 *0 ");
    let replica = "*5 $5 slave $1 h :6379 $9 connected :99 ";
    check(role, &[replies[1], replica], "*3 $6 master :7 *0 ");
}

#[test]
fn texts_stand_under_their_shards() {
    let parts = [
        TextOf { shard: "a", reply: b"$3\r\nhi\n\r\n" },
        TextOf { shard: "b", reply: b"-ERR none\r\n" },
    ];
    let expected = "$33\r\n# shard a\nhi\n\n# shard b\nERR none\n\r\n";
    assert_eq!(String::from_utf8(texts(&parts, TWO)).unwrap(), expected);
    assert_eq!(texts(&parts[1..], TWO), b"-ERR none\r\n");
}
