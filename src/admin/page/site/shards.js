// The table of shards: what each does now, and for one that is out why, since when and who has its
// keys.

import { el, svg, named, paint, label, rows, say } from "./build.js";
import { bytes, count, latency, percent, span } from "./rates.js";

const STATES = {
  live: ["in", "good"],
  returning: ["returning", "warn"],
  down: ["down", "bad"],
  ejected: ["ejected", "bad"],
};

export function showShards(body, state, course, ring) {
  const lines = state.shards.flatMap((shard, index) => {
    // A reload took it out of the configuration; its index stays.
    if (shard.state === "removed") return [];
    const line = { key: `${index}`, shard, index };
    return shard.state === "live" ? [line] : [line, { ...line, key: `${index}-told`, told: true }];
  });
  rows(body, lines, (line) => line.key,
    (line) => (line.told ? toldRow() : shardRow(line, ring)),
    (row, line) => (line.told ? tell(row, line, state) : fillRow(row, line, course)));
}

function shardRow({ index }, ring) {
  const row = el("tr", { role: "row" },
    el("td", { class: "head" }),
    el("td", { class: "state" }, el("span", { class: "pill" })),
    cell("Share", "wide", el("div", { class: "share" },
      el("span", { class: "bar", "aria-hidden": "true" }, el("i")), el("span"), el("small"))),
    cell("Requests", "wide", el("div", { class: "flow" }, spark(), el("span"), el("small"))),
    cell("Time", "number", el("span"), el("small")),
    cell("Errors", "number", el("span"), el("small")),
    cell("In flight", "number", el("span"), el("small")));
  paint(row, index);
  row.addEventListener("pointerenter", () => ring.pick(index));
  row.addEventListener("pointerleave", () => ring.pick(null));
  return row;
}

function cell(name, kind, ...children) {
  return el("td", { "data-label": name, class: kind }, ...children);
}

function fillRow(row, { shard, index }, course) {
  const [name, state, share, requests, time, errors, flight] = row.cells;
  fillName(name, shard, index);
  const [word, kind] = STATES[shard.state] ?? [shard.state, "quiet"];
  state.firstChild.className = `pill ${kind}`;
  say(state.firstChild, shard.state === "returning" ? `${word}, ${percent(shard.has)}` : word);

  const [bar, part, own] = share.firstChild.children;
  bar.firstChild.style.width = `${shard.share_now * 100}%`;
  say(part, percent(shard.share_now));
  say(own, Math.abs(shard.share_now - shard.share) < 0.0005 ? "" : `its own ${percent(shard.share)}`);

  const [picture, rate, traffic] = requests.firstChild.children;
  draw(picture, course.history(`requests ${index}`));
  say(rate, each(course.rate(`requests ${index}`), count));
  say(traffic, `↑ ${each(course.rate(`out ${index}`), bytes)} ↓ ${each(course.rate(`in ${index}`), bytes)}`);
  traffic.title = "bytes to it and from it";

  const times = course.times(`shard ${index}`);
  say(time.firstChild, latency(times?.mean));
  say(time.lastChild, times ? `99 % ≤ ${latency(times.most)}` : "");
  time.title = "from when a request is written to the shard to when its reply is here: the mean of the last ten seconds";

  say(errors.firstChild, count(total(shard.failed)));
  errors.firstChild.className = course.lately(`errors ${index}`) > 0 ? "some" : "";
  say(errors.lastChild, kinds(shard));
  errors.title = "requests that failed because of the connection to the shard; connections lost; errors that the shard said";

  say(flight.firstChild, count(shard.in_flight));
  say(flight.lastChild, `${shard.links} ${shard.links === 1 ? "link" : "links"}`);
}

function fillName(cell, shard, index) {
  const looks = JSON.stringify([shard.name, shard.address, shard.state, shard.weight]);
  if (cell.dataset.looks === looks) return;
  cell.dataset.looks = looks;
  const title = paint(named([shard], 0), index);
  title.classList.add("name");
  title.title = label(shard);
  const where = [
    label(shard) === shard.address ? null : shard.address,
    shard.weight === 1 ? null : `weight ${shard.weight}`,
  ].filter((part) => part);
  cell.replaceChildren(title, ...(where.length > 0 ? [el("small", {}, where.join(", "))] : []));
}

export function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

// The kinds of what went wrong, the most frequent first.
function kinds({ failed, lost, errors }) {
  const links = total(lost);
  return [
    ...Object.entries(failed),
    ...(links > 0 ? [[links === 1 ? "link lost" : "links lost", links]] : []),
    ...Object.entries(errors),
  ].sort(([, one], [, other]) => other - one).slice(0, 3).map(([kind, times]) => `${count(times)} ${kind}`).join("\n");
}

function each(rate, shown) {
  return rate === null ? "–" : `${shown(rate)}/s`;
}

function toldRow() {
  return el("tr", { class: "told", role: "row" }, el("td", { colspan: 7, class: "head wide" }, el("p")));
}

function tell(row, { shard }, { shards }) {
  const [word, kind] = STATES[shard.state] ?? [shard.state, "quiet"];
  const text = row.firstChild.firstChild;
  text.className = kind;
  const since = span(shard.since);
  const cause = shard.cause ? `: ${shard.cause}` : "";
  const heirs = shard.stand_ins.map(([heir, part]) => `${label(shards[heir])} (${percent(part)} of all keys)`);
  const whereTo = heirs.length > 0 ? ` Its keys are served by ${list(heirs)}.` : "";
  say(text, {
    ejected: `Out for ${since}${cause}.${whereTo || " Nobody has its keys: their requests fail at once."}`,
    down: `Down for ${since}${cause}. It keeps its keys; requests for them fail at once until it answers.`,
    returning: `Back for ${since}, with ${percent(shard.has)} of its keys.${whereTo}`,
  }[shard.state] ?? `${word} for ${since}${cause}.${whereTo}`);
}

function list(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

const WIDTH = 60;

function spark() {
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} 24`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polygon"), svg("polyline", { "vector-effect": "non-scaling-stroke" }));
}

function draw(picture, history) {
  const most = Math.max(1, ...history);
  const step = WIDTH / (Math.max(history.length, 20) - 1);
  const start = WIDTH - step * (history.length - 1);
  const points = history.map((rate, at) => `${(start + step * at).toFixed(1)},${(22.5 - (rate / most) * 20).toFixed(1)}`);
  picture.firstChild.setAttribute("points", points.length > 1 ? `${start.toFixed(1)},24 ${points.join(" ")} ${WIDTH},24` : "");
  picture.lastChild.setAttribute("points", points.length > 1 ? points.join(" ") : "");
}
