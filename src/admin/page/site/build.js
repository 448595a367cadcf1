// Elements from data. Text only ever goes in as text: much of it was chosen by clients.

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes (`class`, `data-label`, …) and children: elements, texts, or nothing.
export function el(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Replaces a text only where it changed, so that what a person has selected stays selected.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Gives `element` the colour of the shard with this index.
export function paint(element, shard) {
  element.classList.add("shard");
  element.style.setProperty("--hue", hue(shard));
  return element;
}

// Hues that one tells apart; red is left for what is wrong.
const HUES = [255, 160, 70, 325, 205, 125, 290, 100];

function hue(shard) {
  return shard < HUES.length ? HUES[shard] : 40 + ((shard * 137.5) % 310);
}

// A shard's name with its colour beside it.
export function named(shards, index) {
  const shard = shards[index];
  if (index < 0) return el("span", {}, "any");
  const isOut = shard && shard.state !== "live";
  const mark = el("span", { class: "swatch", "aria-hidden": "true" });
  return paint(el("span", { class: isOut ? "out" : null }, mark, shard ? label(shard) : `shard ${index}`), index);
}

export function label(shard) {
  return shard.name.replace(/:$/, "");
}

// Makes the rows of `body` those of `items`: rows stay while their key does.
export function rows(body, items, keyOf, create, update) {
  const old = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const row = old.get(key) ?? create(item);
    row.dataset.key = key;
    update(row, item);
    return row;
  });
  if (wanted.length !== body.children.length || wanted.some((row, at) => body.children[at] !== row)) {
    body.replaceChildren(...wanted);
  }
}
