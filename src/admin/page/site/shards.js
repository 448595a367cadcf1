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
    const line = { key: `${index}`, shard, index };
    return shard.state === "live" ? [line] : [line, { ...line, key: `${index}-told`, told: true }];
  });
  rows(body, lines, (line) => line.key,
    (line) => (line.told ? toldRow() : shardRow(line, ring)),
    (row, line) => (line.told ? tell(row, line, state) : fillRow(row, line, course)));
}

function shardRow({ index }, ring) {
  const row = el("tr", { role: "row" },
    el("td", { class: "head wide" }),
    cell("State", {}, el("span", { class: "pill" })),
    cell("Share", { class: "wide" }, el("div", { class: "share" },
      el("span", { class: "bar", "aria-hidden": "true" }, el("i")), el("span"))),
    cell("Requests", { class: "wide" }, el("span", {}, spark(), el("span"))),
    cell("Latency", { class: "number" }, el("span")),
    cell("Errors", { class: "number" }, el("span")),
    cell("In flight", { class: "number" }, el("span")));
  paint(row, index);
  row.addEventListener("pointerenter", () => ring.pick(index));
  row.addEventListener("pointerleave", () => ring.pick(null));
  return row;
}

function cell(name, attributes, ...children) {
  return el("td", { "data-label": name, ...attributes }, ...children);
}

function fillRow(row, { shard, index }, course) {
  const [name, state, share, requests, latencies, errors, flight] = row.cells;
  const heading = JSON.stringify([shard.name, shard.address, shard.state, shard.weight]);
  if (name.dataset.heading !== heading) {
    name.dataset.heading = heading;
    const where = [label(shard) === shard.address ? null : shard.address, shard.weight === 1 ? null : `weight ${shard.weight}`];
    const title = named([shard], 0);
    paint(title, index).classList.add("name");
    name.replaceChildren(title, el("div", { class: "quiet" }, where.filter((part) => part).join(", ")));
  }
  const [word, kind] = STATES[shard.state];
  state.firstChild.className = `pill ${kind}`;
  say(state.firstChild, shard.state === "returning" ? `${word} ${percent(shard.has)}` : word);

  const [bar, part] = share.firstChild.children;
  bar.firstChild.style.width = percent(shard.share_now).replace(" ", "");
  say(part, shard.share_now.toFixed(4) === shard.share.toFixed(4)
    ? percent(shard.share) : `${percent(shard.share_now)} (of its own ${percent(shard.share)})`);

  const rate = course.rate(`requests ${index}`);
  draw(requests.firstChild.firstChild, course.history(`requests ${index}`));
  say(requests.firstChild.lastChild, rate === null ? "–" : `${count(rate)}/s`);
  const traffic = [course.rate(`out ${index}`), course.rate(`in ${index}`)];
  requests.title = traffic[0] === null ? "" : `${bytes(traffic[0])}/s to it, ${bytes(traffic[1])}/s from it`;

  say(latencies.firstChild, shard.latency ? latency(shard.latency.median) : "–");
  latencies.title = shard.latency
    ? `half of the replies within ${latency(shard.latency.median)}, 99 % within ${latency(shard.latency.most)}` : "";

  const failures = shard.failed + shard.timed_out + shard.closed;
  say(errors.firstChild, count(failures));
  errors.firstChild.className = course.lately(`errors ${index}`) > 0 ? "some" : "";
  errors.title = `connections lost to an error: ${shard.failed}, to a timeout: ${shard.timed_out}, closed by the shard: ${shard.closed}`;

  say(flight.firstChild, count(shard.in_flight));
  flight.title = `${shard.links} connections`;
}

function toldRow() {
  return el("tr", { class: "told", role: "row" }, el("td", { colspan: 7, class: "head wide" }, el("p")));
}

function tell(row, { shard }, { shards }) {
  const [, kind] = STATES[shard.state];
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
  }[shard.state]);
}

function list(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function spark() {
  return svg("svg", { class: "spark", viewBox: "0 0 60 24", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polygon"), svg("polyline", { "vector-effect": "non-scaling-stroke" }));
}

function draw(picture, history) {
  const most = Math.max(1, ...history);
  const start = 60 - history.length;
  const points = history.map((rate, at) => `${start + at},${(22.5 - (rate / most) * 20).toFixed(1)}`);
  picture.firstChild.setAttribute("points", points.length > 1 ? `${start},24 ${points.join(" ")} 59,24` : "");
  picture.lastChild.setAttribute("points", points.length > 1 ? points.join(" ") : "");
}
