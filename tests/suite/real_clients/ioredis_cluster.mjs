// ioredis' Cluster as its README uses it, through circlet with cluster_emulation.

import { closedAfterwards, equal, library, numbers, port, runScenarios, scenario } from './story.mjs';

const { Cluster, Redis } = library('ioredis');

function connect() {
  const client = new Cluster([{ host: '127.0.0.1', port }]);
  client.on('error', () => {});
  return closedAfterwards(client, () => client.disconnect());
}

scenario('one node owns all slots', async () => {
  const cluster = connect();
  equal(await cluster.ping(), 'PONG');
  equal(cluster.nodes('master').map((node) => node.options.port), [port]);
  equal(await cluster.cluster('KEYSLOT', 'foo'), 12182);
});

scenario('keys of all slots', async () => {
  const cluster = connect();
  for (const number of numbers(100)) equal(await cluster.set(`${number}k`, number), 'OK');
  for (const number of numbers(100)) equal(await cluster.get(`${number}k`), String(number));
  equal(await cluster.dbsize(), 100);
});

scenario('pipelines', async () => {
  const pipeline = connect().pipeline();
  for (const number of numbers(200)) pipeline.incr(`${number}k`);
  equal(await pipeline.exec(), numbers(200).map(() => [null, 1]));
});

scenario('keys with a tag', async () => {
  const cluster = connect();
  equal(await cluster.mset('{t}a', 1, '{t}b', 2), 'OK');
  equal(await cluster.mget('{t}a', '{t}b'), ['1', '2']);
  equal(await cluster.eval('return KEYS[2]', 2, '{t}a', '{t}b'), '{t}b');
});

await runScenarios(async () => {
  const redis = new Redis(port);
  await redis.flushall();
  redis.disconnect();
});
