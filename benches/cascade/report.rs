//! The figures as a table, on the terminal and in `docs/figures/cascade.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::open_loop::Outcome;
use crate::{BEFORE, Ride, picture};

/// Prints the table; writes it and the picture.
pub fn publish(rides: &[Ride], after: u64) {
    let table = table(rides, after as f64);
    println!("\n{table}");
    let before = |ride: &Ride| ride.course.served_ms(-8.0, 0.0, 99);
    if !rides.iter().all(|ride| before(ride).is_some_and(|p99| p99 < BUSY)) {
        println!("The machine had too much else to do: docs/figures stays as it is.");
        return;
    }
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/figures");
    let written =
        fs::write(figures.join("cascade.md"), format!("{}\n{table}", introduction(after)))
            .and_then(|()| {
                fs::write(figures.join("cascade.svg"), picture::draw(rides, after as f64))
            });
    match written {
        Ok(()) => println!("Written: docs/figures/cascade.md and docs/figures/cascade.svg"),
        Err(error) => println!("{}: {error}", figures.display()),
    }
}

fn introduction(after: u64) -> String {
    format!(
        "# The cascade\n\n`make bench-cascade` wrote this page. Five shards serve one command after \
         the other, 500 a second each (a desk before a real redis-server keeps the time), but the \
         first three times as many; it has three times the keys too. Clients ask for each shard's \
         keys at random times, to 75 % of what it can do, and wait for nobody. After {BEFORE} s \
         the first shard dies for good; its keys ask the other four for another 56 %, of which \
         they have 25 %. Latency counts from when a request was meant to be sent; the figures \
         are of the 8 s before and the {after} s after the death.\n\n\
         ![99 of 100 native requests within](cascade.svg)\n"
    )
}

fn table(rides: &[Ride], after: f64) -> String {
    let mut text = String::from(
        "| | native, before: half / 99 of 100 within, ms | after | 99 of 100: after / before | \
         native: not served | displaced: served | refused | failed | served within, ms: half / \
         99 of 100 |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for Ride { name, course } in rides {
        let span = |from, to| {
            [50, 99].map(|percent| course.served_ms(from, to, percent).unwrap_or(f64::NAN))
        };
        let (was, is) = (span(-8.0, 0.0), span(0.0, after));
        let lost = course.native(0.0, after).filter(|one| one.outcome != Outcome::Served).count();
        let lost = 100.0 * lost as f64 / course.native(0.0, after).count() as f64;
        let all = course.displaced(0.0, after).count() as f64;
        let part = |outcome| 100.0 * course.displaced_count(outcome) as f64 / all;
        let served = || course.displaced(0.0, after).filter(|one| one.outcome == Outcome::Served);
        let within =
            [50, 99].map(|one| crate::open_loop::percentile(served(), one).as_secs_f64() * 1e3);
        writeln!(
            text,
            "| {name} | {:.1} / {:.1} | {:.1} / {:.1} | {:.2} | {lost:.1} % | {:.0} % | {:.0} % | \
             {:.1} % | {:.1} / {:.1} |",
            was[0],
            was[1],
            is[0],
            is[1],
            is[1] / was[1],
            part(Outcome::Served),
            part(Outcome::Refused),
            part(Outcome::Failed),
            within[0],
            within[1],
        )
        .expect("a String takes all that is written");
    }
    text
}

/// A queue that is served in 2 ms each and loaded to 75 % keeps 1 of 100 longer than 21 ms; when more
/// than so many show before anything happened, the clock was not the shards' alone.
const BUSY: f64 = 30.0;
