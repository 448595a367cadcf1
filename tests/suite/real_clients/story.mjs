// Scenarios of a client program: `PROGRAM PORT [NAME...]` runs all of them, or those named.

import { createRequire } from 'node:module';
import { isDeepStrictEqual, inspect } from 'node:util';

export const port = Number(process.argv[2]);

// Libraries are where `make test` installs them, which is not above this file.
export const library = createRequire(`${process.env.NODE_CLIENTS}/`);

const patience = Number(process.env.SCENARIO_PATIENCE ?? 45) * 1000;
const scenarios = [];

// Enlists a function, by its name in words.
export function scenario(name, run) {
  scenarios.push({ name, run });
}

// Runs the scenarios: one line for each, `ok NAME` or `FAILED NAME: why`.
export async function runScenarios(beforeEach) {
  const wanted = process.argv.slice(3);
  let failures = 0;
  for (const { name, run } of scenarios) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const begun = Date.now();
    try {
      await within(patience, (async () => { await beforeEach(); await run(); })());
      console.log(`ok ${name}${process.env.TIMES ? ` (${Date.now() - begun} ms)` : ''}`);
    } catch (error) {
      failures += 1;
      console.log(`FAILED ${name}: ${summary(error)}`);
    }
    await closeAll();
  }
  process.exit(failures > 0 ? 1 : 0);
}

// Has this connection closed after the scenario, however it ends.
export function closedAfterwards(client, close) {
  opened.push(() => close(client));
  return client;
}

const opened = [];

async function closeAll() {
  for (const close of opened.splice(0)) {
    try {
      await close();
    } catch {
      // It is closed already.
    }
  }
}

export function equal(got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`got ${short(got)}, expected ${short(expected)}`);
  }
}

export function holds(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

// The promise fails with an error whose text contains this.
export async function refused(text, promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    holds(error.message.includes(text), `"${text}" in "${error.message}"`);
    return;
  }
  throw new Error(`not refused but answered ${short(answer)}`);
}

export async function eventually(what, check) {
  const until = Date.now() + patience / 2;
  while (!(await check())) {
    holds(Date.now() < until, what);
    await after(10);
  }
}

export function after(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function numbers(count) {
  return Array.from({ length: count }, (_, number) => number);
}

function short(value) {
  return inspect(value, { depth: 5, breakLength: Infinity }).slice(0, 300);
}

function summary(error) {
  const where = String(error?.stack).split('\n').find((line) =>
    line.includes('/real_clients/') && !line.includes('story.mjs'));
  const { name, args } = error?.command ?? {};
  const asked = name ? `${name} ${short(args)}` : 'no place known';
  return `${error?.message ?? error} (${where?.trim().split('/').pop() ?? asked})`
    .replaceAll('\n', ' ').slice(0, 500);
}
