// The table of clients: the first some hundreds by what one chooses.

import { el, rows, say } from "./build.js";
import { bytes, count, span } from "./rates.js";

export class Clients {
  constructor(section, changed) {
    this.body = section.querySelector("tbody");
    this.more = section.querySelector("p");
    this.buttons = [...section.querySelectorAll("th button")];
    this.by = "commands";
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.by = button.dataset.by;
        this.mark();
        changed();
      });
    }
    this.mark();
  }

  show({ pool, clients }, course) {
    if (clients.length === 0) {
      this.body.replaceChildren(el("tr", {}, el("td", { class: "empty wide", colspan: 9 }, "Nobody is connected.")));
    } else {
      rows(this.body, clients, (client) => client.id, create, (row, client) => fill(row, client, course));
    }
    const more = pool.clients - clients.length;
    say(this.more, more > 0 ? `and ${count(more)} more, with less of what the list is ordered by` : "");
  }

  mark() {
    for (const button of this.buttons) {
      const heading = button.closest("th");
      if (button.dataset.by === this.by) heading.setAttribute("aria-sort", "descending");
      else heading.removeAttribute("aria-sort");
    }
  }
}

const CELLS = [
  ["Address", "code wide"],
  ["Name", "any code wide"],
  ["User", "any code"],
  ["Age", "number"],
  ["Idle", "number"],
  ["Commands", "number"],
  ["per second", "number"],
  ["Bytes in, out", "number wide"],
  ["Last", "code"],
];

function create() {
  return el("tr", { role: "row" }, CELLS.map(([name, kind]) => el("td", { class: kind, "data-label": name })));
}

function fill(row, client, course) {
  const rate = course.rate(`client ${client.id}`);
  const texts = [
    client.address,
    client.name || "–",
    client.user,
    span(client.age),
    span(client.idle),
    count(client.commands),
    count(rate),
    `${bytes(client.read)}, ${bytes(client.written)}`,
    client.last || "–",
  ];
  texts.forEach((text, at) => say(row.cells[at], text));
  row.cells[1].title = client.name;
  row.cells[0].title = `client ${client.id}, database ${client.db}`;
}
