//! The ring drawn as SVG: who has which part of the circle, with names and shares beside it.

use std::f64::consts::TAU;
use std::fmt::Write;

use crate::config::{Distribution, Pool};
use crate::explain::percent;
use crate::route::Ring;

/// One drawing of all the pools, one below the other.
pub(super) fn drawing(pools: &[Pool]) -> String {
    let heights: Vec<usize> = pools.iter().map(height).collect();
    let height: usize = heights.iter().sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <style>text{{fill:#222}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n"
    );
    let mut top = 0;
    for (pool, height) in pools.iter().zip(heights) {
        let _ = writeln!(svg, "<g transform=\"translate(0 {top})\">");
        draw(pool, &mut svg);
        svg += "</g>\n";
        top += height;
    }
    svg + "</svg>\n"
}

fn height(pool: &Pool) -> usize {
    (2 * (RADIUS + MARGIN)).max(LEGEND_TOP + LINE * (pool.servers.len() + 1))
}

fn draw(pool: &Pool, svg: &mut String) {
    let ring = Ring::new(pool);
    let center = (RADIUS + MARGIN) as f64;
    for (from, to, shard) in runs(&ring, pool.distribution) {
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"{}\"><title>{}</title></path>",
            sector(center, from, to),
            color(shard, pool.servers.len()),
            escaped(&pool.servers[shard].name)
        );
    }
    let title = format!(
        "{}: {}, {}, peak-to-mean {:.2}",
        pool.name,
        pool.distribution.name(),
        pool.hash.name(),
        ring.peak_to_mean()
    );
    let x = 2 * (RADIUS + MARGIN);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{LEGEND_TOP}\" font-weight=\"bold\">{}</text>",
        escaped(&title)
    );
    let shares = ring.shares();
    for (shard, server) in pool.servers.iter().enumerate() {
        let y = LEGEND_TOP + LINE * (shard + 1);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>\
             <text x=\"{}\" y=\"{y}\">{} {}</text>",
            y - 11,
            color(shard, pool.servers.len()),
            x + 20,
            escaped(&server.name),
            percent(shares[shard])
        );
    }
}

/// Parts of the circle by shard, in turns. Where a shard has not arcs but thousands of places
/// between those of the others, its share.
fn runs(ring: &Ring, distribution: Distribution) -> Vec<(f64, f64, usize)> {
    let mut runs: Vec<(f64, f64, usize)> = Vec::new();
    let has_arcs = distribution == Distribution::Ketama;
    let Some(picture) = ring.picture(SLICES).filter(|_| has_arcs) else {
        let mut from = 0.0;
        for (shard, share) in ring.shares().into_iter().enumerate() {
            runs.push((from, from + share, shard));
            from += share;
        }
        return runs;
    };
    let slice = 1.0 / f64::from(SLICES);
    for (index, &shard) in picture.home.iter().enumerate() {
        let (from, to) = (index as f64 * slice, (index + 1) as f64 * slice);
        match runs.last_mut() {
            Some(last) if last.2 == usize::from(shard) => last.1 = to,
            _ => runs.push((from, to, shard.into())),
        }
    }
    runs
}

/// A piece of the annulus; a whole turn is drawn as nearly one, for an arc has two ends.
fn sector(center: f64, from: f64, to: f64) -> String {
    let to = to.min(from + 0.99999);
    let at = |turn: f64, radius: f64| {
        let angle = turn * TAU;
        format!("{:.2} {:.2}", center + radius * angle.sin(), center - radius * angle.cos())
    };
    let large = u8::from(to - from > 0.5);
    let (outer, inner) = (RADIUS as f64, RADIUS as f64 * HOLE);
    format!(
        "M{}A{outer} {outer} 0 {large} 1 {}L{}A{inner} {inner} 0 {large} 0 {}Z",
        at(from, outer),
        at(to, outer),
        at(to, inner),
        at(from, inner)
    )
}

/// Neighbours in the list have far hues.
fn color(shard: usize, shards: usize) -> String {
    let hue = (shard as f64 * 0.618_034).fract() * 360.0;
    let light = if shards > 6 && shard % 2 == 1 { 42 } else { 56 };
    format!("hsl({hue:.0} 62% {light}%)")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: usize = 760;
const RADIUS: usize = 180;
const MARGIN: usize = 20;
const HOLE: f64 = 0.72;
const LEGEND_TOP: usize = 40;
const LINE: usize = 22;
/// A tenth of a degree each.
const SLICES: u32 = 3600;
