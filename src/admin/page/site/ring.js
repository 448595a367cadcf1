// The ring: outside, who answers along it; inside, each shard's share of the keys, and where a share
// is not at home, who has it.
//
//   outer band   the ring itself, 720 slices, in the colour of who answers now
//   wide band    the shares, one arc a shard; hatched where the shard does not have its keys
//   inner band   only then: whose they are meanwhile

import { svg, paint, label } from "./build.js";
import { count, percent } from "./rates.js";

const OUTER = [171, 190];
const SHARES = [116, 160];
const MEANWHILE = [100, 111];
const CENTRE = 200;

export class Ring {
  constructor(place, note) {
    this.place = place;
    this.note = note;
    this.drawn = "";
    this.marks = svg("g");
    this.figure = svg("text", { class: "large", x: CENTRE, y: CENTRE + 8 });
  }

  // Draws what changed: the ring seldom does, the figure every second.
  show(state, perSecond) {
    this.figure.textContent = count(perSecond);
    const { ring, shards } = state;
    const looks = JSON.stringify([ring, shards.map((shard) => [shard.name, shard.state, shard.stand_ins])]);
    if (looks === this.drawn) return;
    this.drawn = looks;
    const drawing = svg("svg", { viewBox: "0 0 400 400", role: "img", "aria-label": spoken(shards) },
      ring ? band(ring) : null,
      shares(shards),
      this.marks,
      this.figure,
      svg("text", { class: "small", x: CENTRE, y: CENTRE + 30 }, "requests/s"));
    this.place.replaceChildren(drawing);
    this.note.textContent = legend(state);
  }

  // Marks where keys are on the ring, each from 0 to 1.
  mark(places) {
    this.marks.replaceChildren(...places.filter((place) => place !== null).flatMap((place) => {
      const [x, y] = point(place, OUTER[1] + 6);
      const [fromX, fromY] = point(place, OUTER[0]);
      return [
        svg("line", { class: "ray", x1: fromX, y1: fromY, x2: x, y2: y }),
        svg("circle", { class: "ping", cx: x, cy: y, r: 12 }),
        svg("circle", { class: "marker", cx: x, cy: y, r: 6 }),
      ];
    }));
  }

  // Lets one shard stand out, or none.
  pick(shard) {
    this.place.classList.toggle("picking", shard !== null);
    for (const path of this.place.querySelectorAll("path")) {
      path.classList.toggle("picked", path.dataset.shard === String(shard));
    }
  }
}

function band({ slices, home, now }) {
  const owners = now.length > 0 ? now : home;
  const paths = new Map();
  let at = 0;
  for (let run = 0; run < owners.length; run += 2) {
    const [shard, length] = [owners[run], owners[run + 1]];
    paths.set(shard, (paths.get(shard) ?? "") + arc(at / slices, (at + length) / slices, OUTER));
    at += length;
  }
  return [...paths].map(([shard, line]) => piece(shard, line, now.length === 0));
}

function shares(shards) {
  const parts = [];
  let at = 0;
  shards.forEach((shard, index) => {
    const end = at + shard.share;
    if (shard.share > 0) {
      const gap = Math.min(0.0015, shard.share / 4);
      const away = shard.state === "ejected" || shard.state === "down" || shard.has < 1;
      parts.push(piece(index, arc(at + gap, end - gap, SHARES), away, `${label(shard)}: ${percent(shard.share)}`));
      if (shard.share > 0.045) {
        const [x, y] = point((at + end) / 2, (SHARES[0] + SHARES[1]) / 2);
        const kind = away ? null : "arc-label";
        parts.push(svg("text", { class: kind, x, y: y + 4 }, percent(shard.share)));
      }
      let from = at + gap;
      for (const [heir, part] of shard.stand_ins) {
        parts.push(piece(heir, arc(from, Math.min(end - gap, from + part), MEANWHILE), false,
          `${percent(part)} of all keys: of ${label(shard)}, now at ${label(shards[heir])}`));
        from += part;
      }
    }
    at = end;
  });
  return parts;
}

function piece(shard, d, hatched, title) {
  const path = svg("path", { d, class: hatched ? "hatched" : null }, title ? svg("title", {}, title) : null);
  path.dataset.shard = shard;
  return paint(path, shard);
}

// The path of a piece of a band, from and to in turns, clockwise from the top.
function arc(from, to, [inner, outer]) {
  const end = Math.min(to, from + 0.99999);
  const large = end - from > 0.5 ? 1 : 0;
  const at = (turn, radius) => point(turn, radius).map((part) => part.toFixed(2)).join(" ");
  return `M${at(from, outer)}A${outer} ${outer} 0 ${large} 1 ${at(end, outer)}` +
    `L${at(end, inner)}A${inner} ${inner} 0 ${large} 0 ${at(from, inner)}Z`;
}

function point(turn, radius) {
  const angle = turn * 2 * Math.PI;
  return [CENTRE + radius * Math.sin(angle), CENTRE - radius * Math.cos(angle)];
}

function spoken(shards) {
  return "The ring: " + shards.filter((shard) => shard.share > 0).map((shard) => `${label(shard)} has ${percent(shard.share)} of the keys, ${shard.state}`).join("; ");
}

function legend({ pool, shards }) {
  const tag = pool.hash_tag ? `, hash tag ${pool.hash_tag}` : "";
  const moved = shards.some((shard) => shard.stand_ins.length > 0);
  const way = {
    ketama: "The outer band is the continuum: every hash from 0 (top) clockwise, in the colour of who answers.",
    rendezvous: "The outer band is the slots in their order, in the colour of who answers.",
    modula: "The outer band is the weighted list, in the colour of who answers.",
    random: "Keys have no place: any shard that is in is taken by chance.",
  }[pool.distribution];
  return `${pool.distribution} over ${pool.hash}${tag}. ${way}` +
    (moved ? " Dashed is a share that is not at home; inside it, who stands in." : "");
}
