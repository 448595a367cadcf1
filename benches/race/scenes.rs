//! Loads that redis-benchmark cannot make: transactions in a pipeline, and a channel with many
//! subscribers.

use std::fmt::Write;

use crate::contestants::Contestant;
use crate::harness::{Client, Shard, encode};
use crate::measure::cpu_seconds;

/// Medians of CPU time in microseconds, by contestant.
#[derive(Debug, Default)]
pub struct Scenes {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    contestant: String,
    /// For four SETs in one pipeline.
    alone: f64,
    /// For MULTI, the same four SETs, and EXEC in one pipeline.
    transaction: f64,
    /// For one message to one subscriber.
    message: f64,
}

/// Plays all scenes with circlet and with a shard itself, in turn.
pub fn play(field: &[Contestant], shards: &[Shard], rounds: usize) -> Scenes {
    let mut scenes = Scenes::default();
    let players: Vec<(&Contestant, u32)> = field
        .iter()
        .filter(|one| ["circlet", "parent", "direct"].contains(&one.name.as_str()))
        .map(|one| (one, one.pid.unwrap_or(shards[0].pid())))
        .collect();
    let mut seen = vec![[Vec::new(), Vec::new(), Vec::new()]; players.len()];
    for _ in 0..rounds {
        for ((contestant, pid), seen) in players.iter().zip(&mut seen) {
            seen[0].extend(pipelines(contestant, *pid, &sets()));
            let transaction = [vec![words("MULTI")], sets(), vec![words("EXEC")]].concat();
            seen[1].extend(pipelines(contestant, *pid, &transaction));
            seen[2].extend(messages(contestant, *pid));
        }
    }
    for ((contestant, _), seen) in players.iter().zip(seen) {
        let [alone, transaction, message] = seen.map(median);
        let contestant = contestant.name.clone();
        scenes.rows.push(Row { contestant, alone, transaction, message });
    }
    scenes
}

impl Scenes {
    /// The table of the report.
    pub fn table(&self) -> String {
        let mut text = format!(
            "## Transactions and subscribers, CPU time in µs\n\nOf circlet's process, and in the \
             row `direct` of the Redis that is asked without a proxy. {PIPELINES} connections with \
             a pipeline each; {SUBSCRIBERS} subscribers of one channel.\n\n| | four SETs in a \
             pipeline | the same between MULTI and EXEC | ratio | a message to a subscriber \
             |\n|---|---:|---:|---:|---:|\n"
        );
        for row in &self.rows {
            let ratio = row.transaction / row.alone;
            writeln!(
                text,
                "| {} | {:.2} | {:.2} | {ratio:.2} | {:.2} |",
                row.contestant, row.alone, row.transaction, row.message
            )
            .expect("a String takes all that is written");
        }
        text
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn sets() -> Vec<Vec<String>> {
    // One key, for the pool has no hash tag.
    vec![words(&format!("SET key {}", "x".repeat(64))); 4]
}

/// CPU time of one pipeline of these commands; nothing when an answer is wrong.
fn pipelines(contestant: &Contestant, pid: u32, commands: &[Vec<String>]) -> Option<f64> {
    let mut clients: Vec<Client> = (0..PIPELINES)
        .map(|_| Client::try_connect(&contestant.address))
        .collect::<Result<_, _>>()
        .ok()?;
    let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
    let before = cpu_seconds(pid);
    for _ in 0..TURNS {
        for client in &mut clients {
            client.try_send(&bytes).ok()?;
        }
        for client in &mut clients {
            for command in commands {
                let reply = client.try_read_reply().ok()?;
                if let Some(error) = reply.error() {
                    println!("{}: {} answers {error}", contestant.name, command[0]);
                    return None;
                }
            }
        }
    }
    Some((cpu_seconds(pid) - before) * 1e6 / (TURNS * PIPELINES) as f64)
}

/// CPU time of one message to one subscriber; nothing when one is missing.
fn messages(contestant: &Contestant, pid: u32) -> Option<f64> {
    let mut publisher = Client::try_connect(&contestant.address).ok()?;
    let mut subscribers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut client = Client::try_connect(&contestant.address).ok()?;
        client.try_command(&["SUBSCRIBE", "race"]).ok().filter(|reply| reply.error().is_none())?;
        subscribers.push(client);
    }
    let publish: Vec<u8> =
        (0..MESSAGES).flat_map(|_| encode(&["PUBLISH", "race", &"x".repeat(64)])).collect();
    let before = cpu_seconds(pid);
    for _ in 0..BURSTS {
        publisher.try_send(&publish).ok()?;
        for _ in 0..MESSAGES {
            publisher.try_read_reply().ok()?;
        }
        for subscriber in &mut subscribers {
            for _ in 0..MESSAGES {
                subscriber.try_read_reply().ok()?;
            }
        }
    }
    let delivered = BURSTS * MESSAGES * SUBSCRIBERS;
    Some((cpu_seconds(pid) - before) * 1e6 / delivered as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Connections that each keep one pipeline under way.
const PIPELINES: usize = 50;
/// Pipelines of each connection in a round.
const TURNS: usize = 200;
/// Subscribers of the one channel.
const SUBSCRIBERS: usize = 1000;
/// Messages that are published in one write.
const MESSAGES: usize = 10;
/// How often in a round.
const BURSTS: usize = 10;
