//! The figures as tables, on the terminal and in `docs/figures/race.md`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::Race;
use crate::contestants::JUDGE;
use crate::idle::Past;
use crate::load::Outcome;
use crate::picture;
use crate::workloads::Workload;

/// Prints the tables; writes them and the picture too, when they are worth keeping.
pub fn publish(race: &Race) {
    let tables = tables(race);
    println!("\n{tables}");
    if !is_whole(race) {
        println!("Not the whole race, or not as released: docs/figures stays as it is.");
        return;
    }
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/figures");
    let text = format!("{}\n{tables}", introduction(race));
    let written = fs::create_dir_all(&figures)
        .and_then(|()| fs::write(figures.join("race.md"), text))
        .and_then(|()| fs::write(figures.join("race.svg"), picture::draw(race)));
    match written {
        Ok(()) => println!("Written: docs/figures/race.md and docs/figures/race.svg"),
        Err(error) => println!("{}: {error}", figures.display()),
    }
}

impl Race {
    /// CPU time a request of `contestant` where the judge's is 1.
    pub fn ratio(&self, workload: &Workload, contestant: &str) -> Option<f64> {
        let judge = self.outcome(workload, JUDGE)?.cpu;
        let own = self.outcome(workload, contestant)?.cpu;
        (judge > 0.0 && own > 0.0).then(|| own / judge)
    }

    fn outcome(&self, workload: &Workload, contestant: &str) -> Option<&Outcome> {
        self.results.get(&(workload.name, contestant.to_owned()))
    }
}

/// Whether this race is worth keeping: everybody, everything, optimised, often enough.
fn is_whole(race: &Race) -> bool {
    let filters = ["RACE_ONLY", "RACE_PROXIES", "RACE_CIRCLET"];
    let filtered = filters.iter().any(|one| env::var_os(one).is_some());
    let circlet_ran = race.results.keys().any(|(_, name)| name == "circlet");
    !filtered && circlet_ran && race.rounds >= 3 && !cfg!(debug_assertions)
}

fn introduction(race: &Race) -> String {
    format!(
        "# The race\n\n`make bench` wrote this page: medians of {} interleaved rounds. Every proxy \
         has one worker (`circlet-2`: two) and three shards; haproxy forwards bytes to one shard, \
         `direct` is a shard without a proxy. Load generator, shards and proxy share the cores, so \
         the CPU time a request is the figure to compare.\n\n{}\n\n![CPU time a request](race.svg)\n",
        race.rounds,
        machine()
    )
}

fn tables(race: &Race) -> String {
    let mut text = String::new();
    let ratios = |workload: &Workload, name: &str| {
        race.ratio(workload, name).map(|ratio| format!("{ratio:.2}"))
    };
    table(&mut text, race, &format!("CPU time a request, {JUDGE}'s = 1"), ratios);
    let each = |figure: fn(&Outcome) -> Option<String>| {
        move |workload: &Workload, name: &str| race.outcome(workload, name).and_then(figure)
    };
    let microseconds = |one: &Outcome| (one.cpu > 0.0).then(|| format!("{:.2}", one.cpu));
    table(&mut text, race, "CPU time a request, µs", each(microseconds));
    table(&mut text, race, "Requests a second", each(|one| Some(format!("{:.0}", one.rate))));
    let latency = |one: &Outcome| Some(format!("{:.2} / {:.2}", one.p50, one.p99));
    table(&mut text, race, "Latency, ms: half / 99 of 100 within", each(latency));
    let calls = |one: &Outcome| one.calls.map(|calls| format!("{calls:.2}"));
    table(&mut text, race, "System calls a request", each(calls));
    let mebibytes = |one: &Outcome| {
        (one.memory > 0.0).then(|| format!("{:.1}", one.memory / f64::from(1 << 20)))
    };
    table(&mut text, race, "Resident memory after the rounds, MiB", each(mebibytes));
    idle_table(&mut text, race);
    text.extend(race.scenes.as_ref().map(|scenes| scenes.table()));
    text
}

/// A row a workload, a column a contestant; contestants without any figure are left out.
fn table(
    text: &mut String,
    race: &Race,
    title: &str,
    figure: impl Fn(&Workload, &str) -> Option<String>,
) {
    let has_any = |name: &&String| race.workloads.iter().any(|row| figure(row, name).is_some());
    let names: Vec<&String> = race.contestants.iter().filter(has_any).collect();
    let heads: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let rows = race.workloads.iter().map(|workload| {
        let cells = names.iter().map(|name| figure(workload, name).unwrap_or("–".to_owned()));
        (workload.title.to_owned(), cells.collect())
    });
    write_table(text, title, &heads, rows.collect());
}

fn idle_table(text: &mut String, race: &Race) {
    let figure = |past, name: &String| {
        let bytes = race.idle_bytes.get(&(past, name.clone()));
        bytes.map(|bytes| format!("{:.1}", bytes / 1024.0))
    };
    let has_any = |name: &&String| Past::ALL.iter().any(|past| figure(*past, name).is_some());
    let names: Vec<&String> = race.contestants.iter().filter(has_any).collect();
    let heads: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let rows = Past::ALL.map(|past| {
        let cells = names.iter().map(|name| figure(past, name).unwrap_or("–".to_owned()));
        (past.title().to_owned(), cells.collect())
    });
    write_table(text, "Memory an idle connection, KiB", &heads, rows.to_vec());
}

fn write_table(text: &mut String, title: &str, heads: &[&str], rows: Vec<(String, Vec<String>)>) {
    let expectation = "a String takes all that is written";
    let rule = "---:|".repeat(heads.len());
    write!(text, "## {title}\n\n| | {} |\n|---|{rule}\n", heads.join(" | ")).expect(expectation);
    for (name, cells) in rows {
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect(expectation);
    }
    text.push('\n');
}

/// Processor, kernel and programs, in one line.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let model = model.trim_start_matches([':', '\t', ' ']).to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = vec![format!("{cores} cores of {model}"), format!("Linux {}", kernel.trim())];
    for command in [["redis-server", "-v"], ["nutcracker", "-V"], ["haproxy", "-v"]] {
        parts.extend(first_line(command));
    }
    parts.join("; ")
}

fn first_line([program, flag]: [&str; 2]) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let all = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&all);
    let words: Vec<&str> = text.lines().next()?.split_whitespace().take(4).collect();
    Some(words.join(" "))
}
