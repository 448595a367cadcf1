//! The record of a key stands before its write: a connection that ends between the two leaves a
//! record too many, never one too few.

use super::scene::Scene;
use super::writes::Writes;
use crate::harness::{Client, Reply};

#[test]
fn the_record_stands_before_the_write() {
    let scene = Scene::start("rejoin: move");
    let writes = Writes::seed(&scene);
    scene.out();
    let mut monitors: Vec<Client> = scene.shards[1..].iter().map(|shard| shard.client()).collect();
    for monitor in &mut monitors {
        assert_eq!(monitor.command(&["MONITOR"]), Reply::ok());
    }
    writes.write_elsewhere(&scene);
    let mut client = scene.circlet.client();
    for number in 0..10 {
        // Waits on a link of its own, where the record must stand as well.
        client.command(&["BLPOP", &format!("{number}:list"), "0.01"]);
    }
    let mut said = Vec::new();
    for (monitor, shard) in monitors.iter_mut().zip(&scene.shards[1..]) {
        shard.client().command(&["ECHO", "the end"]);
        said.push(String::from_utf8_lossy(&monitor.read_to_end_of("\"the end\"\r\n")).into_owned());
    }
    let mut seen = 0;
    for key in writes.written_at_home().chain((0..10).map(|number| format!("{number}:list"))) {
        let (quoted, marks) =
            (format!("\"{key}\""), [format!("\"!{key}\""), format!("\"?{key}\"")]);
        for said in &said {
            let record = marks.iter().filter_map(|mark| said.find(mark)).min();
            let write = said.find(&quoted);
            match (record, write) {
                (Some(record), Some(write)) => {
                    assert!(record < write, "{key} is written before it is recorded");
                    seen += 1;
                }
                (None, Some(_)) if key.ends_with(":list") => {}
                (None, None) => {}
                other => panic!("{key}: {other:?}"),
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
