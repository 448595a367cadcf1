// node-redis' createCluster as its documents use it, through circlet with cluster_emulation.

import { closedAfterwards, equal, library, numbers, port, runScenarios, scenario } from './story.mjs';

const { createClient, createCluster } = library('redis');

async function connect() {
  const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
  cluster.on('error', () => {});
  await cluster.connect();
  return closedAfterwards(cluster, () => cluster.destroy());
}

scenario('one node owns all slots', async () => {
  const cluster = await connect();
  equal(cluster.masters.map((master) => master.address), [`127.0.0.1:${port}`]);
  equal(new Set(cluster.slots.map((slot) => slot.master.id)).size, 1);
});

scenario('keys of all slots', async () => {
  const cluster = await connect();
  for (const number of numbers(100)) equal(await cluster.set(`${number}k`, number), 'OK');
  for (const number of numbers(100)) equal(await cluster.get(`${number}k`), String(number));
});

scenario('many at once', async () => {
  const cluster = await connect();
  const sums = await Promise.all(numbers(200).map((number) => cluster.incr(`${number}k`)));
  equal(sums, numbers(200).map(() => 1));
});

scenario('keys with a tag', async () => {
  const cluster = await connect();
  equal(await cluster.mSet([['{t}a', '1'], ['{t}b', '2']]), 'OK');
  equal(await cluster.mGet(['{t}a', '{t}b']), ['1', '2']);
});

await runScenarios(async () => {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  await client.flushAll();
  client.destroy();
});
