// ioredis as its README uses it, with its defaults, through circlet or one plain Redis.

import {
  after, closedAfterwards, equal, eventually, holds, library, numbers, port, refused, runScenarios,
  scenario, within,
} from './story.mjs';

const { Redis } = library('ioredis');
const binary = Buffer.from(numbers(256));

function connect(settings = {}) {
  const client = new Redis(port, settings);
  // Its absence is a line on stderr; each command fails for itself.
  client.on('error', () => {});
  return closedAfterwards(client, () => client.disconnect());
}

// Without an argument ioredis chooses the protocol.
function eachProtocol(name, run) {
  scenario(`${name}, default`, () => run({}));
  scenario(`${name}, RESP2`, () => run({ protocol: 2 }));
  scenario(`${name}, RESP3`, () => run({ protocol: 3 }));
}

eachProtocol('strings and binary values', async (settings) => {
  const redis = connect(settings);
  equal(await redis.ping(), 'PONG');
  equal(await redis.set('binary', binary), 'OK');
  equal(await redis.getBuffer('binary'), binary);
  equal(await redis.set('1k', 'v', 'EX', 100, 'NX'), 'OK');
  equal(await redis.set('1k', 'v', 'EX', 100, 'NX'), null);
  equal([await redis.incr('n'), await redis.incrby('n', 5), await redis.append('1k', 'w')], [1, 6, 2]);
  equal(await redis.get('nosuch'), null);
});

eachProtocol('many keys on many shards', async (settings) => {
  const redis = connect(settings);
  const many = new Map(numbers(1000).map((number) => [`${number}k`, String(number)]));
  equal(await redis.mset(many), 'OK');
  equal(await redis.mget([...many.keys()]), [...many.values()]);
  equal(await redis.mget('nosuch', '7k'), [null, '7']);
  equal([await redis.exists('7k', '7k', 'x'), await redis.dbsize()], [2, 1000]);
  equal((await redis.keys('9*k')).length, 111);
  equal([await redis.unlink('0k', '1k'), await redis.del(...many.keys())], [2, 998]);
});

eachProtocol('hashes sets sorted sets and lists', async (settings) => {
  const redis = connect(settings);
  equal(await redis.hset('hash', { a: 1, b: 'two' }), 2);
  equal(await redis.hgetall('hash'), { a: '1', b: 'two' });
  equal(await redis.hmget('hash', 'a', 'x'), ['1', null]);
  equal(await redis.zadd('zset', 1.5, 'x', 2, 'y'), 2);
  equal((await redis.zrange('zset', 0, -1, 'WITHSCORES')).flat().map(String), ['x', '1.5', 'y', '2']);
  equal(String(await redis.zscore('zset', 'x')), '1.5');
  equal(await redis.sadd('set', 'm', 'n'), 2);
  equal([...(await redis.smembers('set'))].sort(), ['m', 'n']);
  equal([await redis.rpush('list', 1, 2, 3), await redis.lrange('list', 0, -1)], [3, ['1', '2', '3']]);
  equal(await redis.lpop('list', 2), ['1', '2']);
});

eachProtocol('big values', async (settings) => {
  const redis = connect(settings);
  const big = Buffer.alloc(16 << 20, binary);
  equal(await redis.set('big', big), 'OK');
  holds(big.equals(await redis.getBuffer('big')), 'the value is the same');
  equal(await redis.rpush('list', ...numbers(10000)), 10000);
  equal((await redis.lrange('list', 0, -1)).length, 10000);
});

eachProtocol('pipelines', async (settings) => {
  const redis = connect(settings);
  const pipe = redis.pipeline();
  numbers(500).forEach((number) => pipe.set(`${number}k`, number).incr(`${number}k`));
  equal(await pipe.exec(), numbers(500).flatMap((number) => [[null, 'OK'], [null, number + 1]]));
  const mixed = await redis.pipeline().set('text', 'x').incr('text').get('text').exec();
  equal([mixed[0], mixed[2]], [[null, 'OK'], [null, 'x']]);
  holds(mixed[1][0].message.includes('not an integer'), 'the second fails');
  const together = await Promise.all(numbers(500).map((number) => redis.get(`${number}k`)));
  equal(together, numbers(500).map((number) => String(number + 1)));
  const automatic = connect({ ...settings, enableAutoPipelining: true });
  equal(await Promise.all(numbers(100).map((n) => automatic.incr(`${n}k`))), numbers(100).map((n) => n + 2));
});

eachProtocol('transactions', async (settings) => {
  const redis = connect(settings);
  for (const number of numbers(30)) {
    const answers = await redis.multi()
      .set(`{${number}}a`, number).incr(`{${number}}a`).hset(`{${number}}h`, 'f', 'v').hgetall(`{${number}}h`).exec();
    equal(answers, [[null, 'OK'], [null, number + 1], [null, 1], [null, { f: 'v' }]]);
  }
  const mixed = await redis.multi().set('{t}a', 'x').lpush('{t}a', 'y').set('{t}b', 'z').exec();
  holds(mixed[1][0].message.startsWith('WRONGTYPE'), 'the second fails');
  equal([mixed[0], mixed[2]], [[null, 'OK'], [null, 'OK']]);
  await refused('EXECABORT', redis.multi().set('{t}a').set('{t}a', 'never').exec());
  equal(await redis.get('{t}a'), 'x');
  await redis.multi({ pipeline: false });
  equal(await redis.set('{m}a', 1), 'QUEUED');
  equal(await redis.incr('{m}a'), 'QUEUED');
  equal(await redis.exec(), [[null, 'OK'], [null, 2]]);
  await redis.multi({ pipeline: false });
  equal(await redis.set('{m}a', 99), 'QUEUED');
  equal(await redis.discard(), 'OK');
  equal(await redis.get('{m}a'), '2');
});

eachProtocol('watch conflict and retry', async (settings) => {
  const redis = connect(settings);
  const rival = connect(settings);
  await redis.set('{w}n', 1);
  let tries = 0;
  for (;;) {
    await redis.watch('{w}n');
    const current = Number(await redis.get('{w}n'));
    tries += 1;
    if (tries === 1) await rival.incr('{w}n');
    const answers = await redis.multi().set('{w}n', current + 100).get('{w}n').exec();
    if (answers !== null) {
      equal(answers, [[null, 'OK'], [null, '102']]);
      break;
    }
  }
  equal(tries, 2);
  await redis.watch('{w}n');
  equal(await redis.unwatch(), 'OK');
  await rival.incr('{w}n');
  equal(await redis.multi().incr('{w}n').exec(), [[null, 104]]);
});

eachProtocol('subscribe and unsubscribe', async (settings) => {
  const redis = connect(settings);
  const listener = connect(settings);
  const heard = [];
  listener.on('message', (channel, message) => heard.push([channel, message]));
  equal(await listener.subscribe('news', 'sport'), 2);
  equal(await redis.publish('news', 'hello'), 1);
  equal(await redis.publish('sport', 'goal'), 1);
  equal(await redis.publish('nobody', 'hears'), 0);
  await eventually('two messages', () => heard.length === 2);
  equal(heard.splice(0).sort(), [['news', 'hello'], ['sport', 'goal']]);
  equal(await listener.unsubscribe('news'), 1);
  equal([await redis.publish('news', 'x'), await redis.publish('sport', 'y')], [0, 1]);
  await eventually('one message', () => heard.length === 1);
  equal(heard, [['sport', 'y']]);
  equal(await listener.unsubscribe(), 0);
  equal(await listener.set('again', 'a client'), 'OK');
});

eachProtocol('subscribe to patterns', async (settings) => {
  const redis = connect(settings);
  const listener = connect(settings);
  const heard = [];
  listener.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
  listener.on('messageBuffer', (channel, message) => heard.push([null, channel.toString(), message]));
  equal([await listener.psubscribe('n*', '*s'), await listener.subscribe('raw')], [2, 3]);
  equal(await redis.publish('news', 'twice'), 2);
  equal(await redis.publish('raw', binary), 1);
  await eventually('three messages', () => heard.length === 3);
  holds(heard.some((each) => Buffer.isBuffer(each[2]) && binary.equals(each[2])), 'binary message');
  equal(heard.filter((each) => each[0]).sort(), [['*s', 'news', 'twice'], ['n*', 'news', 'twice']]);
  equal((await redis.pubsub('CHANNELS')).length, 1);
  equal([await redis.pubsub('NUMSUB', 'raw', 'x'), await redis.pubsub('NUMPAT')], [['raw', 1, 'x', 0], 2]);
  equal([await listener.punsubscribe('n*'), await listener.punsubscribe('*s')], [2, 1]);
});

eachProtocol('order of a thousand messages', async (settings) => {
  const redis = connect(settings);
  const listener = connect(settings);
  const heard = [];
  listener.on('message', (_channel, message) => heard.push(Number(message)));
  await listener.subscribe('count');
  await Promise.all(numbers(1000).map((number) => redis.publish('count', number)));
  await eventually('1000 messages', () => heard.length === 1000);
  equal(heard, numbers(1000));
});

eachProtocol('sharded pubsub', async (settings) => {
  const redis = connect(settings);
  const listener = connect(settings);
  const heard = [];
  listener.on('smessage', (channel, message) => heard.push([channel, message]));
  equal(await listener.ssubscribe('orders'), 1);
  equal(await redis.spublish('orders', 'x'), 1);
  await eventually('a message', () => heard.length === 1);
  equal([heard, await listener.sunsubscribe('orders')], [[['orders', 'x']], 0]);
});

eachProtocol('blocking pops', async (settings) => {
  const redis = connect(settings);
  const other = connect(settings);
  const begun = Date.now();
  equal(await redis.blpop('empty', 0.2), null);
  holds(Date.now() - begun >= 150, 'it waits');
  await redis.rpush('list', 'a', 'b');
  equal([await redis.blpop('list', 0), await redis.brpop('list', 0)], [['list', 'a'], ['list', 'b']]);
  for (const number of numbers(6)) {
    const waiting = redis.blpop(`${number}l`, 5);
    await after(20);
    await other.rpush(`${number}l`, 'late');
    equal(await waiting, [`${number}l`, 'late']);
  }
  const waiting = redis.brpop('{q}high', '{q}low', 5);
  await after(20);
  await other.rpush('{q}low', 'x');
  equal(await waiting, ['{q}low', 'x']);
  const moved = redis.blmove('{q}from', '{q}to', 'LEFT', 'RIGHT', 5);
  await after(20);
  await other.rpush('{q}from', 'y');
  equal([await moved, await redis.lrange('{q}to', 0, -1)], ['y', ['y']]);
  await redis.zadd('z', 1.5, 'm');
  equal((await redis.bzpopmin('z', 5)).map(String), ['z', 'm', '1.5']);
});

eachProtocol('streams and consumer groups', async (settings) => {
  const redis = connect(settings);
  const other = connect(settings);
  equal(await redis.xadd('s', '1-1', 'field', 'value'), '1-1');
  equal(await redis.xrange('s', '-', '+'), [['1-1', ['field', 'value']]]);
  const begun = Date.now();
  equal(await redis.xread('BLOCK', 200, 'STREAMS', 's', '$'), null);
  holds(Date.now() - begun >= 150, 'it waits');
  const waiting = redis.xread('BLOCK', 5000, 'STREAMS', 's', '$');
  await after(20);
  await other.xadd('s', '2-1', 'n', 'late');
  holds(JSON.stringify(await waiting).includes('"2-1",["n","late"]'), 'the late entry');
  equal(await redis.xgroup('CREATE', 's', 'g', '0'), 'OK');
  const taken = await redis.xreadgroup('GROUP', 'g', 'alice', 'COUNT', 10, 'STREAMS', 's', '>');
  holds(JSON.stringify(taken).includes('1-1'), 'taken by the group');
  equal(await redis.xack('s', 'g', '1-1'), 1);
  equal((await redis.xpending('s', 'g'))[0], 1);
  equal((await redis.xautoclaim('s', 'g', 'bob', 0, '0'))[1].length, 1);
});

eachProtocol('scripts', async (settings) => {
  const redis = connect(settings);
  equal(await redis.eval('return {KEYS[1], ARGV[1], 7}', 1, 'k', 'a'), ['k', 'a', 7]);
  const scripts = { add: { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" } };
  const scripted = connect({ ...settings, scripts });
  equal(await Promise.all(numbers(20).map((n) => scripted.add(`${n}n`, 2))), numbers(20).map(() => 2));
  equal(await redis.script('FLUSH'), 'OK');
  for (const number of numbers(20)) equal(await scripted.add(`${number}n`, 2), 4);
  redis.defineCommand('twice', { numberOfKeys: 2, lua: 'return {KEYS[1], KEYS[2], ARGV[1]}' });
  equal(await redis.twice('{k}1', '{k}2', 'a'), ['{k}1', '{k}2', 'a']);
  equal(await redis.pipeline().twice('{k}1', '{k}2', 'b').exec(), [[null, ['{k}1', '{k}2', 'b']]]);
  equal(await scripted.multi().set('{s}n', 5).add('{s}n', 3).exec(), [[null, 'OK'], [null, 8]]);
  const sha = await redis.script('LOAD', "return 'loaded'");
  equal(await redis.script('EXISTS', sha, '0'.repeat(40)), [1, 0]);
  for (const number of numbers(10)) equal(await redis.evalsha(sha, 1, `${number}k`), 'loaded');
  await refused('NOSCRIPT', redis.evalsha('0'.repeat(40), 0));
});

eachProtocol('scan streams', async (settings) => {
  const redis = connect(settings);
  await Promise.all(numbers(1500).map((number) => redis.set(`key:${number}`, number)));
  const collect = async (stream) => {
    const found = new Set();
    for await (const keys of stream) keys.forEach((key) => found.add(key));
    return found;
  };
  equal((await collect(redis.scanStream())).size, 1500);
  equal((await collect(redis.scanStream({ match: 'key:1*', count: 500 }))).size, 611);
  await redis.sadd('set', ...numbers(1000));
  equal((await collect(redis.scanStream({ type: 'set' }))).size, 1);
  equal((await collect(redis.sscanStream('set', { match: '*5' }))).size, 100);
});

eachProtocol('settings of a connection', async (settings) => {
  const redis = connect({ ...settings, db: 3, connectionName: 'me', keyPrefix: 'p:' });
  equal([await redis.set('k', 'drei'), await redis.client('GETNAME')], ['OK', 'me']);
  holds((await redis.client('INFO')).includes(' db=3 '), 'CLIENT INFO tells of the database');
  holds((await redis.client('LIST')).includes(' name=me '), 'CLIENT LIST has it');
  const plain = connect(settings);
  equal(await plain.get('p:k'), null);
  equal([await plain.select(3), await plain.get('p:k')], ['OK', 'drei']);
  const byUrl = closedAfterwards(new Redis(`redis://127.0.0.1:${port}/3`, settings), (c) => c.disconnect());
  equal(await byUrl.get('p:k'), 'drei');
  const lazy = connect({ ...settings, lazyConnect: true });
  await lazy.connect();
  equal(await lazy.quit(), 'OK');
  const duplicate = plain.duplicate();
  equal(await duplicate.ping(), 'PONG');
  duplicate.disconnect();
});

eachProtocol('a killed connection is made again', async (settings) => {
  const redis = connect(settings);
  const killer = connect(settings);
  const number = await redis.client('ID');
  equal(await killer.client('KILL', 'ID', number), 1);
  await eventually('another connection', async () => (await redis.client('ID')) !== number);
  const listener = connect(settings);
  const heard = [];
  listener.on('message', (_channel, message) => heard.push(message));
  await listener.subscribe('news');
  await killer.client('KILL', 'TYPE', 'pubsub');
  await eventually('it subscribes again', () => killer.publish('news', 'again').then((count) => count === 1));
  await eventually('the message', () => heard.includes('again'));
});

eachProtocol('errors', async (settings) => {
  const redis = connect(settings);
  await redis.hset('hash', 'a', 1);
  await refused('WRONGTYPE', redis.incr('hash'));
  await refused('unknown command', redis.call('NOSUCH', 'x'));
  await refused('wrong number of arguments', redis.call('GET'));
  await refused('syntax error', redis.call('SET', 'a', 'b', 'ZZ'));
  equal(await redis.get('nosuch'), null);
});

eachProtocol('monitor', async (settings) => {
  const redis = connect(settings);
  const watching = await redis.monitor();
  closedAfterwards(watching, () => watching.disconnect());
  const seen = new Promise((resolve) => {
    watching.on('monitor', (_time, command) => command[1] === 'watched' && resolve(command));
  });
  await redis.set('watched', 'value');
  const [name, ...rest] = await within(5000, seen);
  equal([name.toLowerCase(), ...rest], ['set', 'watched', 'value']);
});

eachProtocol('a ready check reads INFO', async (settings) => {
  const redis = connect(settings);
  await redis.ping();
  equal(redis.status, 'ready');
  const info = await redis.info();
  holds(/^redis_version:\d/m.test(info) && /^loading:0/m.test(info), 'its fields');
  holds(redis.serverInfo === undefined || redis.serverInfo.redis_version, 'the client read it');
});

await runScenarios(async () => {
  await connect().flushall();
});
