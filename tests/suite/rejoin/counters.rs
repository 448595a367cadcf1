//! Counters, each of one client: a reply that is not one more than the last tells of a write that
//! was lost, or done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::harness::{Address, Client, Reply, encode};

pub struct Counters {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Tally {
    pub requests: u64,
    /// Replies that are not one more than the last.
    pub wrong: Vec<String>,
    pub errors: Vec<String>,
}

impl Counters {
    /// Counts from nothing until it is told to stop.
    pub fn start(address: &Address, name: &str) -> Counters {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS)
            .map(|number| {
                let (address, stop) = (address.clone(), Arc::clone(&stop));
                let name = format!("{name}-{number}");
                thread::spawn(move || count(&address, &name, &stop))
            })
            .collect();
        Counters { stop, clients }
    }

    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("no client panics");
            total.requests += tally.requests;
            total.wrong.extend(tally.wrong);
            total.errors.extend(tally.errors);
        }
        total
    }

    /// Ends the load of a story that is about something else.
    pub fn finish_well(self) -> u64 {
        let tally = self.finish();
        assert!(tally.requests > 0 && tally.errors.is_empty(), "{:#?}", tally.errors);
        tally.requests
    }
}

fn count(address: &Address, name: &str, stop: &AtomicBool) -> Tally {
    let mut client = Client::connect(address);
    let keys: Vec<String> = (0..KEYS).map(|key| format!("{key}:{name}")).collect();
    let mut last = vec![0; KEYS];
    let mut tally = Tally::default();
    while !stop.load(Ordering::SeqCst) {
        let drawn: Vec<usize> = (0..BATCH).map(|_| fastrand::usize(..KEYS)).collect();
        let bytes: Vec<u8> = drawn.iter().flat_map(|key| encode(&["INCR", &keys[*key]])).collect();
        client.send(&bytes);
        for key in drawn {
            tally.requests += 1;
            match client.read_reply() {
                Reply::Integer(number) => {
                    if number != last[key] + 1 {
                        tally.wrong.push(format!("{}: {} then {number}", keys[key], last[key]));
                    }
                    last[key] = number;
                }
                other => tally.errors.push(other.to_string()),
            }
        }
        thread::sleep(std::time::Duration::from_micros(200));
    }
    tally
}

const CLIENTS: usize = 6;
const KEYS: usize = 60;
const BATCH: usize = 8;

mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::super::scene::Scene;
    use super::Counters;

    /// Counters that begin during the outage go on as if nothing had happened.
    fn goes_on(settings: &str, held_back: u64) {
        let scene = Scene::start(settings);
        scene.circlet.client().command(&["SET", "k", "v"]);
        scene.out();
        let counters = Counters::start(&scene.circlet.address(), "c");
        sleep(Duration::from_millis(300));
        scene.stand_in.hold_back(Duration::from_millis(held_back));
        scene.back();
        sleep(Duration::from_millis(200));
        let tally = counters.finish();
        assert!(tally.errors.is_empty(), "{:#?}", tally.errors);
        assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
        println!("{}: {} counted, none lost", settings.replace('\n', ", "), tally.requests);
        let held: Vec<String> = scene
            .circlet
            .log()
            .lines()
            .filter_map(|line| Some(line.split_once("held for ")?.1.to_owned()))
            .collect();
        println!("held for {held:?}");
        scene.nothing_is_left_elsewhere();
    }

    #[test]
    fn counters_go_on_through_the_return() {
        goes_on("rejoin: move", 0);
    }

    /// What was sent to a stand-in before the switch and arrives after what is asked of it then.
    #[test]
    fn counters_go_on_though_a_stand_in_hears_late() {
        goes_on("rejoin: move", 40);
    }

    #[test]
    fn counters_go_on_through_a_return_in_steps() {
        goes_on("rejoin: move\nslow_start: 800", 0);
    }
}
