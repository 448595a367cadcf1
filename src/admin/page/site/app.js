// Asks circlet once a second what it does, while somebody looks, and shows it.

import { el, named, say } from "./build.js";
import { Clients } from "./clients.js";
import { Course, bytes, count, latency, percent, span } from "./rates.js";
import { Ring } from "./ring.js";
import { showShards, total } from "./shards.js";
import { Ways } from "./way.js";

const PERIOD = 1000;
const PATIENCE = 5000;

const at = (id) => document.getElementById(id);
const ring = new Ring(at("drawing"), at("ring-note"));
const clients = new Clients(at("visitors"), () => look());
const ways = new Ways(at("way"), ring, () => chosen);

let chosen = decodeURIComponent(location.hash.slice(1)) || null;
let course = new Course();
let reached = null;
let timer = null;
let turn = 0;

async function look() {
  clearTimeout(timer);
  const mine = ++turn;
  const query = new URLSearchParams({ by: clients.by });
  if (chosen !== null) query.set("pool", chosen);
  try {
    const answer = await fetch(`/api/state?${query}`, { signal: AbortSignal.timeout(PATIENCE) });
    if (mine !== turn) return;
    if (answer.status === 404 && chosen !== null) {
      // Its pool is no more, or never was.
      choose(null);
      return;
    }
    if (!answer.ok) throw new Error(`circlet answers ${answer.status}`);
    const state = await answer.json();
    if (mine !== turn) return;
    show(state);
    reach();
  } catch (error) {
    if (mine !== turn) return;
    lose(error);
  }
  if (!document.hidden) timer = setTimeout(look, PERIOD);
}

function choose(pool) {
  chosen = pool;
  course = new Course();
  history.replaceState(null, "", pool === null ? location.pathname : `#${encodeURIComponent(pool)}`);
  ways.ask();
  look();
}

function show(state) {
  chosen ??= state.pool.name;
  course.add(state.uptime, counts(state));
  course.addTimes(histograms(state));
  showPools(state);
  showHealth(state);
  say(at("process"), `${state.pool.listens.join(", ")} · circlet ${state.version}, process ${state.process}, up ${span(state.uptime)}, ${state.workers} ${state.workers === 1 ? "worker" : "workers"}`);
  showFigures(state);
  ring.show(state, sum("requests", state));
  showShards(at("shards"), state, course, ring);
  ways.refresh(state.shards, state.pool.hash);
  clients.show(state, course);
  showKeys(state);
  showSlow(state);
  showErrors(state);
}

// Everything whose course is shown.
function counts(state) {
  const all = [["refused", state.pool.not_forwarded + state.pool.refused]];
  state.shards.forEach((shard, index) => {
    all.push([`requests ${index}`, shard.requests], [`out ${index}`, shard.request_bytes]);
    all.push([`in ${index}`, shard.reply_bytes], [`errors ${index}`, total(shard.failed) + total(shard.lost)]);
  });
  for (const client of state.clients) all.push([`client ${client.id}`, client.commands]);
  return new Map(all);
}

function histograms({ shards }) {
  const all = shards.flatMap(({ queue, shard }, index) => [[`queue ${index}`, queue], [`shard ${index}`, shard]]);
  return [...all, ["queue", together(shards.map(({ queue }) => queue))], ["shard", together(shards.map(({ shard }) => shard))]];
}

function together(histograms) {
  const sum = histograms.reduce((all, { sum }) => all + sum, 0);
  return { sum, buckets: histograms[0].buckets.map((_, at) => histograms.reduce((all, { buckets }) => all + buckets[at], 0)) };
}

// Of all shards together.
function sum(what, { shards }) {
  const rates = shards.map((_, index) => course.rate(`${what} ${index}`));
  return rates.some((rate) => rate === null) ? null : rates.reduce((all, rate) => all + rate, 0);
}

function showPools({ pools, pool }) {
  const select = at("pool");
  at("pools").hidden = pools.length < 2;
  if (select.options.length !== pools.length || [...select.options].some((option, index) => option.value !== pools[index])) {
    select.replaceChildren(...pools.map((name) => el("option", { value: name }, name)));
  }
  if (document.activeElement !== select) select.value = pool.name;
}

function showHealth({ pool, shards: all }) {
  const shards = all.filter((shard) => shard.state !== "removed");
  const out = shards.filter((shard) => shard.state === "ejected" || shard.state === "down").length;
  const back = shards.filter((shard) => shard.state === "returning").length;
  const text = out > 0 ? `${out} of ${shards.length} shards out`
    : back > 0 ? `${back} of ${shards.length} shards returning`
    : shards.length === 1 ? "the shard is in" : `all ${shards.length} shards in`;
  const pill = at("state");
  pill.className = `pill ${out > 0 ? "bad" : back > 0 ? "warn" : "good"}`;
  say(pill, text);
  document.title = `${out > 0 ? `${out} out · ` : ""}${pool.name} · circlet`;
}

function showFigures(state) {
  const { pool, shards } = state;
  const [queue, shard] = [course.times("queue"), course.times("shard")];
  const figures = [
    ["Requests to shards", each(sum("requests", state))],
    ["Time at the shards", latency(shard?.mean)],
    ["Time in circlet", latency(queue?.mean)],
    ["In flight", count(shards.reduce((all, { in_flight: some }) => all + some, 0))],
    ["Clients", count(pool.clients)],
    ["Refused", each(course.rate("refused"))],
  ];
  const list = at("figures");
  if (list.children.length === 0) list.append(...figures.map(([name]) => el("div", {}, el("dt", {}, name), el("dd"))));
  figures.forEach(([, text], index) => say(list.children[index].lastChild, text));
}

function each(rate) {
  return rate === null ? "–" : `${count(rate)}/s`;
}

function showKeys({ hot_keys: hot, big_keys: big, shards }) {
  table(at("hot-keys"), "No key stands out.", ["Hot key", "Shard", "Share", "Per second"], hot.map((key) => [
    code(key.key), whose(shards, key.shard), percent(key.share), count(key.rate),
  ]));
  table(at("big-keys"), "", ["Big key", "Shard", "Command", "Largest"], big.map((key) => [
    code(key.key), whose(shards, key.shard), code(key.command), bytes(key.largest),
  ]));
}

function showSlow({ slow, shards }) {
  table(at("slow-commands"), "No request was slow.", ["Request", "Shard", "Took", "Ago"], slow.map((request) => [
    code(request.command), whose(shards, request.shard),
    noted(latency(request.total), `queued ${latency(request.queued)}`), span(request.ago),
  ]));
}

function showErrors({ told, shards }) {
  const cause = (record) => [record.command.replace("|", " "), record.why, record.cause].filter((part) => part).join(", ");
  table(at("errors"), "Nobody was told of an error.", ["Error and cause", "Shard", "Times", "Ago"], told.map((record) => [
    noted(record.error, cause(record)), whose(shards, record.shard), count(record.count), span(record.ago),
  ]));
}

function noted(text, note) {
  return el("div", {}, text, el("small", {}, note));
}

function whose(shards, name) {
  return name ? named(shards, shards.findIndex((shard) => shard.name === name)) : "";
}

function code(text) {
  return el("span", { class: "code" }, text);
}

// Its first two columns are texts, the others numbers.
function table(place, empty, names, lines) {
  place.className = lines.length > 0 ? "" : "quiet";
  if (lines.length === 0) return say(place, empty);
  const cells = (kind, texts) => texts.map((text, index) => el(kind, { class: index > 1 ? "number" : null, scope: kind === "th" ? "col" : null, "data-label": index > 1 ? names[index] : null }, text));
  place.replaceChildren(el("table", { class: "list" },
    el("thead", {}, el("tr", {}, cells("th", names))),
    el("tbody", {}, lines.map((line) => el("tr", {}, cells("td", line))))));
}

function reach() {
  reached = new Date();
  at("lost").hidden = true;
  document.body.classList.remove("stale");
}

function lose(error) {
  const since = reached === null ? "" : ` What is shown is of ${reached.toLocaleTimeString()}.`;
  const why = error.name === "TimeoutError" ? `has not answered for ${PATIENCE / 1000} s` : "cannot be reached";
  say(at("lost"), `circlet ${why}.${since} Trying again every second.`);
  at("lost").hidden = false;
  document.body.classList.add("stale");
  const pill = at("state");
  pill.className = "pill bad";
  say(pill, "not reached");
}

at("pool").addEventListener("change", (event) => choose(event.target.value));
window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1)) || null));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else look();
});
look();
