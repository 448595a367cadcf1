//! The picture: what 99 of 100 native requests take, over time, one line a proxy.

use std::fmt::Write;

use crate::Ride;

/// An SVG of all rides, on a logarithmic scale of milliseconds.
pub fn draw(rides: &[Ride], after: f64) -> String {
    let mut svg = head();
    let x = |at: f64| LEFT + (at + EARLIER) / (after + EARLIER) * (WIDTH - LEFT - RIGHT);
    for milliseconds in [1, 10, 100, 1_000, 10_000] {
        let y = height_of(f64::from(milliseconds));
        push(&mut svg, &format!(r##"<path d="M{LEFT} {y:.1}H{}" stroke="#ddd"/>"##, x(after)));
        let words = match milliseconds {
            0..1_000 => format!("{milliseconds} ms"),
            _ => format!("{} s", milliseconds / 1_000),
        };
        text(&mut svg, LEFT - 8.0, y + 4.0, "end", &words);
    }
    for second in (-(EARLIER as i32)..=after as i32).step_by(5) {
        text(&mut svg, x(f64::from(second)), BOTTOM + 18.0, "middle", &format!("{second} s"));
    }
    let (death, top) = (x(0.0), TOP - 6.0);
    push(
        &mut svg,
        &format!(r##"<path d="M{death} {top}V{BOTTOM}" stroke="#333" stroke-dasharray="4 3"/>"##),
    );
    text(&mut svg, death - 6.0, top + 6.0, "end", "a shard dies");
    for (place, ride) in rides.iter().enumerate() {
        line(&mut svg, ride, after, &x, COLOURS[place % COLOURS.len()]);
        legend(&mut svg, ride.name, place);
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, ride: &Ride, after: f64, x: &impl Fn(f64) -> f64, colour: &str) {
    let steps = ((after + EARLIER) / STEP) as usize;
    let mut points = String::new();
    for step in 0..steps {
        let from = -EARLIER + step as f64 * STEP;
        let Some(latency) = ride.course.served_ms(from, from + STEP, 99) else { continue };
        let (x, y) = (x(from + STEP / 2.0), height_of(latency.max(1.0)));
        write!(points, "{x:.1},{y:.1} ").expect("a String takes all that is written");
    }
    let points = points.trim_end();
    push(
        svg,
        &format!(
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>"#
        ),
    );
}

fn legend(svg: &mut String, name: &str, place: usize) {
    let (x, fill) = (LEFT + place as f64 * 230.0, COLOURS[place % COLOURS.len()]);
    push(svg, &format!(r#"<rect x="{x}" y="40" width="11" height="11" fill="{fill}"/>"#));
    text(svg, x + 16.0, 50.0, "start", name);
}

fn height_of(milliseconds: f64) -> f64 {
    BOTTOM - milliseconds.log10() / DECADES * (BOTTOM - TOP)
}

fn head() -> String {
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">"##
    );
    push(&mut svg, r##"<rect width="100%" height="100%" fill="#fff"/>"##);
    push(
        &mut svg,
        r#"<text x="20" y="24" font-size="15">Served requests for keys of the shards that live: 99 of 100 take no longer (each half second)</text>"#,
    );
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    push(svg, &format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#));
}

fn push(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("a String takes all that is written");
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 80.0;
const BOTTOM: f64 = 380.0;
/// The scale goes from 1 ms to 30 s.
const DECADES: f64 = 4.5;
/// Seconds before the death that are shown.
const EARLIER: f64 = 5.0;
const STEP: f64 = 0.5;
/// Colours that people who do not tell red from green can tell apart.
const COLOURS: [&str; 3] = ["#d55e00", "#56b4e9", "#555555"];
