// The way of a key that one types: tag, hash, point, shard, and who would be next.

import { el, named, label, paint } from "./build.js";

const PAUSE = 120;

export class Ways {
  constructor(section, ring, poolOf) {
    this.hash = "hash";
    this.input = section.querySelector("input");
    this.out = section.querySelector("#ways");
    this.ring = ring;
    this.poolOf = poolOf;
    this.shards = [];
    this.shown = "";
    this.timer = null;
    section.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), PAUSE);
    });
  }

  // Shards may have come or gone: then the way may be another.
  refresh(shards, hash) {
    this.hash = hash;
    const before = JSON.stringify(this.shards.map((shard) => [shard.name, shard.state, shard.has]));
    this.shards = shards;
    const after = JSON.stringify(shards.map((shard) => [shard.name, shard.state, shard.has]));
    if (before !== after && this.input.value) this.ask();
  }

  async ask() {
    const [typed, pool] = [this.input.value, this.poolOf()];
    if (!typed.trim()) return this.show({ keys: [], more: 0 });
    const query = new URLSearchParams({ pool: pool ?? "", typed });
    if (pool === null) query.delete("pool");
    try {
      const answer = await fetch(`/api/explain?${query}`);
      const told = await answer.json();
      if (typed === this.input.value && pool === this.poolOf()) this.show(told);
    } catch {
      // That circlet cannot be reached is told elsewhere.
    }
  }

  show(told) {
    const looks = JSON.stringify([told, this.shards.map((shard) => [shard.name, shard.state])]);
    if (looks === this.shown) return;
    this.shown = looks;
    this.ring.mark((told.keys ?? []).map((key) => key.place));
    const fault = told.fault ?? told.error;
    const parts = [
      fault ? el("p", { class: "fault" }, fault) : null,
      told.command ? el("p", { class: "then" }, this.summary(told)) : null,
      ...(told.keys ?? []).map((key) => this.way(key)),
      told.more > 0 ? el("p", { class: "quiet" }, `and ${told.more} more keys`) : null,
    ];
    this.out.replaceChildren(...parts.filter((part) => part));
  }

  summary({ command, keys, more }) {
    const name = command.toUpperCase();
    if (keys.length === 0) return `${name} has no keys.`;
    const homes = new Set(keys.map((key) => key.shard));
    const where = homes.size === 1 ? "on one shard" : `on ${homes.size} shards`;
    return `${name} with ${keys.length + more} ${keys.length === 1 ? "key" : "keys"}, ${where}:`;
  }

  way(key) {
    const steps = [
      step("key", el("span", { class: "code" }, key.key || "(empty)")),
      key.tag === null ? null : step("hash tag", el("span", { class: "code" }, key.tag)),
      step(this.hash, el("span", { class: "code" }, `0x${key.hash.toString(16).padStart(8, "0")}`)),
      this.spot(key),
      this.end(key),
    ];
    return el("div", { class: "way" }, el("ol", { class: "steps" }, steps), el("p", { class: "then" }, this.then(key)));
  }

  spot({ spot, number, of, value }) {
    const where = `${number.toLocaleString("en")} of ${of.toLocaleString("en")}`;
    switch (spot) {
      case "point": return step(`point ${where}`, el("span", { class: "code" }, `0x${value.toString(16).padStart(8, "0")}`));
      case "slot": return step("slot", where);
      case "place": return step("place in the list", where);
      default: return null;
    }
  }

  end({ shard, spot }) {
    if (spot === "chance") return step("shard", `any of ${this.shards.length}, by chance`);
    if (shard === null) return step("shard", "none is in");
    const end = step("shard", named(this.shards, shard));
    end.classList.add("end");
    return paint(end, shard);
  }

  then({ shard, home, next, spot }) {
    const name = (index) => (this.shards[index] ? label(this.shards[index]) : `shard ${index}`);
    if (spot === "chance" || shard === null) return [];
    const away = home !== null && home !== shard ? [named(this.shards, home), " is its home and out; ", named(this.shards, shard), " stands in. "] : [];
    if (next === null) return [...away, `If ${name(shard)} were ejected, nobody would be left to take it.`];
    return [...away, `If ${name(shard)} were ejected${away.length > 0 ? " as well" : ""}, `, named(this.shards, next), " would stand in."];
  }
}

function step(name, ...children) {
  return el("li", {}, el("small", {}, name), ...children);
}
