// The table of clients: the first some hundreds by what one chooses.

import { el, rows, say } from "./build.js";
import { bytes, count, span } from "./rates.js";

export class Clients {
  constructor(section, changed) {
    this.body = section.querySelector("tbody");
    this.more = section.querySelector("p");
    this.headings = [...section.querySelectorAll("th[data-by]")];
    this.select = section.querySelector("select");
    this.select.addEventListener("change", () => {
      this.mark();
      changed();
    });
    this.mark();
  }

  get by() {
    return this.select.value;
  }

  show({ pool, clients }, course) {
    if (clients.length === 0) {
      this.body.replaceChildren(el("tr", {}, el("td", { class: "empty wide", colspan: 10 }, "Nobody is connected.")));
    } else {
      rows(this.body, clients, (client) => client.id, create, (row, client) => fill(row, client, course));
    }
    const more = pool.clients - clients.length;
    say(this.more, more > 0 ? `and ${count(more)} more, with less of what the list is ordered by` : "");
  }

  mark() {
    for (const heading of this.headings) {
      if (heading.dataset.by === this.by) heading.setAttribute("aria-sort", "descending");
      else heading.removeAttribute("aria-sort");
    }
  }
}

const CELLS = [
  ["Address", "code half"],
  ["Name", "any code half"],
  ["User", "any code"],
  ["Last", "code"],
  ["Age", "number"],
  ["Idle", "number"],
  ["Commands", "number"],
  ["per second", "number"],
  ["In", "number"],
  ["Out", "number"],
];

function create() {
  return el("tr", { role: "row" }, CELLS.map(([name, kind]) => el("td", { class: kind, "data-label": name })));
}

function fill(row, client, course) {
  const texts = [
    client.address,
    client.name || "–",
    client.user,
    client.last.replace("|", " ") || "–",
    span(client.age),
    span(client.idle),
    count(client.commands),
    count(course.rate(`client ${client.id}`)),
    bytes(client.read),
    bytes(client.written),
  ];
  texts.forEach((text, at) => say(row.cells[at], text));
  row.cells[0].title = `client ${client.id}, database ${client.db}`;
  row.cells[1].title = client.name;
}
