//! The comparison as a picture: CPU time a request by workload, one bar a contestant.

use std::fmt::Write;

use crate::Race;
use crate::contestants::JUDGE;

/// An SVG of all ratios; the judge is the line at 1.
pub fn draw(race: &Race) -> String {
    let names: Vec<&String> = race.contestants.iter().filter(|name| has_bars(race, name)).collect();
    let row = names.len() as f64 * BAR + GAP;
    let height = TOP + race.workloads.len() as f64 * row + BOTTOM;
    let mut svg = head(height);
    legend(&mut svg, &names);
    for (index, workload) in race.workloads.iter().enumerate() {
        let top = TOP + index as f64 * row;
        let middle = top + (row - GAP) / 2.0 + 4.0;
        text(&mut svg, LEFT - 10.0, middle, "end", workload.title);
        for (place, name) in names.iter().enumerate() {
            if let Some(ratio) = race.ratio(workload, name) {
                bar(&mut svg, top + place as f64 * BAR, ratio, colour(name));
            }
        }
    }
    let (x, end) = (LEFT + UNIT, height - BOTTOM);
    push(
        &mut svg,
        &format!(r##"<path d="M{x} {TOP}V{end}" stroke="#333" stroke-dasharray="4 3"/>"##),
    );
    text(&mut svg, x, end + 16.0, "middle", &format!("1 = {JUDGE}"));
    svg + "</svg>\n"
}

const WIDTH: f64 = 900.0;
const LEFT: f64 = 270.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 34.0;
const BAR: f64 = 13.0;
const GAP: f64 = 14.0;

/// The length of 1.
const UNIT: f64 = 270.0;

/// Longer bars are cut here; their number says how long they are.
const MOST: f64 = 2.0;

fn has_bars(race: &Race, name: &str) -> bool {
    name != JUDGE && race.workloads.iter().any(|workload| race.ratio(workload, name).is_some())
}

fn head(height: f64) -> String {
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">"##
    );
    push(&mut svg, r##"<rect width="100%" height="100%" fill="#fff"/>"##);
    push(
        &mut svg,
        r#"<text x="20" y="24" font-size="15">CPU time of the proxy for one request (shorter is cheaper)</text>"#,
    );
    svg
}

fn legend(svg: &mut String, names: &[&String]) {
    for (index, name) in names.iter().enumerate() {
        let x = LEFT + index as f64 * 110.0;
        let fill = colour(name);
        push(svg, &format!(r#"<rect x="{x}" y="36" width="11" height="11" fill="{fill}"/>"#));
        text(svg, x + 16.0, 46.0, "start", name);
    }
}

fn bar(svg: &mut String, y: f64, ratio: f64, fill: &str) {
    let width = ratio.min(MOST) * UNIT;
    let height = BAR - 2.0;
    push(
        svg,
        &format!(
            r#"<rect x="{LEFT}" y="{y}" width="{width:.1}" height="{height}" fill="{fill}"/>"#
        ),
    );
    text(svg, LEFT + width + 5.0, y + 10.0, "start", &format!("{ratio:.2}"));
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    push(svg, &format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#));
}

fn push(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("a String takes all that is written");
}

/// Colours that people who do not tell red from green can tell apart.
fn colour(name: &str) -> &'static str {
    match name {
        "circlet" => "#d55e00",
        "circlet-2" => "#e69f00",
        "parent" => "#cc79a7",
        "haproxy" => "#0072b2",
        "envoy" => "#56b4e9",
        _ => "#999999",
    }
}
