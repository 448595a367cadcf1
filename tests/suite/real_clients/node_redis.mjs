// node-redis as its README uses it, with its defaults, through circlet or one plain Redis.

import {
  after, closedAfterwards, equal, eventually, holds, library, numbers, port, refused, runScenarios,
  scenario,
} from './story.mjs';

const {
  createClient, createClientPool, defineScript, RESP_TYPES, WatchError,
} = library('redis');
const binary = Buffer.from(numbers(256));
const address = { url: `redis://127.0.0.1:${port}` };

async function connect(settings = {}) {
  const client = createClient({ ...address, ...settings });
  client.on('error', () => {});
  closedAfterwards(client, () => client.destroy());
  await client.connect();
  return client;
}

// Without an argument node-redis chooses the protocol.
function eachProtocol(name, run) {
  scenario(`${name}, default`, () => run({}));
  scenario(`${name}, RESP2`, () => run({ RESP: 2 }));
  scenario(`${name}, RESP3`, () => run({ RESP: 3 }));
}

eachProtocol('strings and binary values', async (settings) => {
  const client = await connect(settings);
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  equal(await client.ping(), 'PONG');
  equal(await client.set('binary', binary), 'OK');
  equal(await buffers.get('binary'), binary);
  equal(await client.set('1k', 'v', { EX: 100, NX: true }), 'OK');
  equal(await client.set('1k', 'v', { EX: 100, NX: true }), null);
  equal([await client.incr('n'), await client.incrBy('n', 5), await client.append('1k', 'w')], [1, 6, 2]);
  equal([await client.get('nosuch'), await client.getDel('1k')], [null, 'vw']);
  const big = Buffer.alloc(16 << 20, binary);
  equal(await client.set('big', big), 'OK');
  holds(big.equals(await buffers.get('big')), 'the big value is the same');
});

eachProtocol('many keys on many shards', async (settings) => {
  const client = await connect(settings);
  const pairs = numbers(1000).map((number) => [`${number}k`, String(number)]);
  const keys = pairs.map(([key]) => key);
  equal(await client.mSet(pairs), 'OK');
  equal(await client.mGet(keys), pairs.map(([, value]) => value));
  equal([await client.exists(['7k', '7k', 'x']), await client.dbSize()], [2, 1000]);
  equal((await client.keys('9*k')).length, 111);
  equal([await client.unlink(['0k', '1k']), await client.del(keys)], [2, 998]);
});

eachProtocol('hashes sets sorted sets and lists', async (settings) => {
  const client = await connect(settings);
  equal(await client.hSet('hash', { a: '1', b: 'two' }), 2);
  equal({ ...(await client.hGetAll('hash')) }, { a: '1', b: 'two' });
  equal(await client.hmGet('hash', ['a', 'x']), ['1', null]);
  equal(await client.hExists('hash', 'a'), 1);
  equal(await client.zAdd('zset', [{ score: 1.5, value: 'x' }, { score: 2, value: 'y' }]), 2);
  equal(await client.zRangeWithScores('zset', 0, -1), [{ value: 'x', score: 1.5 }, { value: 'y', score: 2 }]);
  equal([await client.zScore('zset', 'x'), await client.zIncrBy('zset', 1, 'x')], [1.5, 2.5]);
  equal(await client.sAdd('set', ['m', 'n']), 2);
  equal([...(await client.sMembers('set'))].sort(), ['m', 'n']);
  equal([await client.rPush('list', ['1', '2']), await client.lRange('list', 0, -1)], [2, ['1', '2']]);
});

eachProtocol('commands of one tick are a pipeline', async (settings) => {
  const client = await connect(settings);
  equal(await Promise.all(numbers(500).map((n) => client.set(`${n}k`, String(n)))), numbers(500).map(() => 'OK'));
  equal(await Promise.all(numbers(500).map((n) => client.incr(`${n}k`))), numbers(500).map((n) => n + 1));
  equal(await client.multi().set('{p}a', '1').get('{p}a').execAsPipeline(), ['OK', '1']);
  const all = await Promise.allSettled([client.set('text', 'x'), client.incr('text'), client.get('text')]);
  equal(all.map((each) => each.status), ['fulfilled', 'rejected', 'fulfilled']);
});

eachProtocol('transactions', async (settings) => {
  const client = await connect(settings);
  for (const number of numbers(30)) {
    const answers = await client.multi()
      .set(`{${number}}a`, String(number)).incr(`{${number}}a`).hSet(`{${number}}h`, 'f', 'v').hGetAll(`{${number}}h`).exec();
    equal([...answers.slice(0, 3), { ...answers[3] }], ['OK', number + 1, 1, { f: 'v' }]);
  }
  const error = await client.multi().set('{t}a', 'x').lPush('{t}a', 'y').set('{t}b', 'z').exec()
    .then(() => null, (thrown) => thrown);
  equal([error?.replies.length, error?.errorIndexes], [3, [1]]);
  await refused('wrong number of arguments', client.multi().addCommand(['SET', '{t}a']).set('{t}a', 'never').exec());
  equal([await client.get('{t}a'), await client.get('{t}b')], ['x', 'z']);
});

eachProtocol('watch conflict and retry', async (settings) => {
  const client = await connect(settings);
  const rival = await connect(settings);
  await client.set('{w}n', '1');
  let tries = 0;
  for (;;) {
    await client.watch('{w}n');
    const current = Number(await client.get('{w}n'));
    tries += 1;
    if (tries === 1) await rival.incr('{w}n');
    try {
      equal(await client.multi().set('{w}n', String(current + 100)).get('{w}n').exec(), ['OK', '102']);
      break;
    } catch (error) {
      if (!(error instanceof WatchError)) throw error;
    }
  }
  equal(tries, 2);
  await client.watch(['{w}n', '{w}m']);
  equal(await client.unwatch(), 'OK');
  await rival.incr('{w}n');
  equal(await client.multi().incr('{w}n').exec(), [104]);
});

eachProtocol('subscribe and unsubscribe', async (settings) => {
  const client = await connect(settings);
  const listener = await connect(settings);
  const heard = [];
  const hear = (message, channel) => heard.push([channel, message]);
  await listener.subscribe('news', hear);
  await listener.subscribe(['sport', 'weather'], hear);
  equal(await client.publish('news', 'hello'), 1);
  equal(await client.publish('weather', 'rain'), 1);
  equal(await client.publish('nobody', 'hears'), 0);
  await eventually('two messages', () => heard.length === 2);
  equal(heard.splice(0).sort(), [['news', 'hello'], ['weather', 'rain']]);
  await listener.subscribe('raw', (message) => heard.push(message), true);
  equal(await client.publish('raw', binary), 1);
  await eventually('a binary message', () => heard.length === 1);
  equal(heard.splice(0), [binary]);
  await listener.unsubscribe('news');
  equal([await client.publish('news', 'x'), await client.publish('sport', 'y')], [0, 1]);
  await eventually('one message', () => heard.length === 1);
  await listener.unsubscribe();
  equal(heard, [['sport', 'y']]);
  await listener.set('again', 'a client');
  equal(await client.get('again'), 'a client');
});

eachProtocol('subscribe to patterns', async (settings) => {
  const client = await connect(settings);
  const listener = await connect(settings);
  const heard = [];
  await listener.pSubscribe(['n*', '*s'], (message, channel) => heard.push([channel, message]));
  equal(await client.publish('news', 'twice'), 2);
  await eventually('two messages', () => heard.length === 2);
  equal(heard, [['news', 'twice'], ['news', 'twice']]);
  await listener.subscribe('own', () => {});
  equal([[...(await client.pubSubChannels())], await client.pubSubNumPat()], [['own'], 2]);
  equal({ ...(await client.pubSubNumSub(['own', 'x'])) }, { own: 1, x: 0 });
  await listener.pUnsubscribe('n*');
  equal(await client.publish('news', 'once'), 1);
  await listener.pUnsubscribe();
  equal(await client.publish('news', 'none'), 0);
});

eachProtocol('order of a thousand messages', async (settings) => {
  const client = await connect(settings);
  const listener = await connect(settings);
  const heard = [];
  await listener.subscribe('count', (message) => heard.push(Number(message)));
  await Promise.all(numbers(1000).map((number) => client.publish('count', String(number))));
  await eventually('1000 messages', () => heard.length === 1000);
  equal(heard, numbers(1000));
});

eachProtocol('sharded pubsub', async (settings) => {
  const client = await connect(settings);
  const listener = await connect(settings);
  const heard = [];
  await listener.sSubscribe('orders', (message, channel) => heard.push([channel, message]));
  equal(await client.sPublish('orders', 'x'), 1);
  await eventually('a message', () => heard.length === 1);
  await listener.sUnsubscribe('orders');
  equal(heard, [['orders', 'x']]);
});

eachProtocol('blocking pops', async (settings) => {
  const client = await connect(settings);
  const other = await connect(settings);
  const begun = Date.now();
  equal(await client.blPop('empty', 0.2), null);
  holds(Date.now() - begun >= 150, 'it waits');
  for (const number of numbers(6)) {
    const waiting = client.blPop(`${number}l`, 5);
    await after(20);
    await other.rPush(`${number}l`, 'late');
    equal({ ...(await waiting) }, { key: `${number}l`, element: 'late' });
  }
  const waiting = client.brPop(['{q}high', '{q}low'], 5);
  await after(20);
  await other.rPush('{q}low', 'x');
  equal({ ...(await waiting) }, { key: '{q}low', element: 'x' });
  const moved = client.blMove('{q}from', '{q}to', 'LEFT', 'RIGHT', 5);
  await after(20);
  await other.rPush('{q}from', 'y');
  equal([await moved, await client.lRange('{q}to', 0, -1)], ['y', ['y']]);
  await client.zAdd('z', { score: 1.5, value: 'm' });
  equal({ ...(await client.bzPopMin('z', 5)) }, { key: 'z', value: 'm', score: 1.5 });
});

eachProtocol('streams and consumer groups', async (settings) => {
  const client = await connect(settings);
  const other = await connect(settings);
  equal(await client.xAdd('s', '1-1', { field: 'value' }), '1-1');
  equal((await client.xRange('s', '-', '+'))[0].message.field, 'value');
  const begun = Date.now();
  equal(await client.xRead({ key: 's', id: '$' }, { BLOCK: 200 }), null);
  holds(Date.now() - begun >= 150, 'it waits');
  const waiting = client.xRead({ key: 's', id: '$' }, { BLOCK: 5000 });
  await after(20);
  await other.xAdd('s', '2-1', { n: 'late' });
  const late = await waiting;
  holds(JSON.stringify(late).includes('"2-1"') && JSON.stringify(late).includes('late'), 'the late entry');
  equal(await client.xGroupCreate('s', 'g', '0'), 'OK');
  const taken = await client.xReadGroup('g', 'alice', { key: 's', id: '>' }, { COUNT: 10 });
  holds(JSON.stringify(taken).includes('"1-1"'), 'taken by the group');
  equal(await client.xAck('s', 'g', '1-1'), 1);
  equal((await client.xPending('s', 'g')).pending, 1);
  equal((await client.xInfoStream('s')).length, 2);
});

eachProtocol('scripts and functions', async (settings) => {
  const add = defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
    parseCommand(parser, key, count) {
      parser.pushKey(key);
      parser.push(String(count));
    },
    transformReply: (reply) => reply,
  });
  const client = await connect({ ...settings, scripts: { add } });
  equal(await client.eval('return {KEYS[1], ARGV[1], 7}', { keys: ['k'], arguments: ['a'] }), ['k', 'a', 7]);
  equal(await Promise.all(numbers(20).map((n) => client.add(`${n}n`, 2))), numbers(20).map(() => 2));
  equal(await client.scriptFlush(), 'OK');
  for (const number of numbers(20)) equal(await client.add(`${number}n`, 2), 4);
  equal(await client.multi().set('{s}n', '5').add('{s}n', 3).exec(), ['OK', 8]);
  const sha = await client.scriptLoad("return 'loaded'");
  equal(await client.scriptExists([sha, '0'.repeat(40)]), [1, 0]);
  for (const number of numbers(10)) equal(await client.evalSha(sha, { keys: [`${number}k`] }), 'loaded');
  await refused('NOSCRIPT', client.evalSha('0'.repeat(40)));
  await client.functionFlush();
  equal(await client.functionLoad('#!lua name=mylib\nredis.register_function("put", '
    + 'function(keys, args) return redis.call("SET", keys[1], args[1]) end)'), 'mylib');
  for (const number of numbers(10)) {
    equal(await client.fCall('put', { keys: [`${number}f`], arguments: ['v'] }), 'OK');
  }
  equal(await client.functionDelete('mylib'), 'OK');
});

eachProtocol('scan iterators', async (settings) => {
  const client = await connect(settings);
  await Promise.all(numbers(1500).map((number) => client.set(`key:${number}`, String(number))));
  const collect = async (pages) => {
    const found = new Set();
    for await (const page of pages) page.forEach((each) => found.add(JSON.stringify(each)));
    return found.size;
  };
  equal(await collect(client.scanIterator()), 1500);
  equal(await collect(client.scanIterator({ MATCH: 'key:1*', COUNT: 500 })), 611);
  await client.sAdd('set', numbers(1000).map(String));
  await client.hSet('hash', numbers(1000).map((number) => [`f${number}`, 'v']));
  equal(await collect(client.scanIterator({ TYPE: 'set' })), 1);
  equal([await collect(client.sScanIterator('set')), await collect(client.hScanIterator('hash'))], [1000, 1000]);
});

eachProtocol('settings of a connection', async (settings) => {
  const client = await connect({ ...settings, database: 3, name: 'me' });
  equal([await client.set('k', 'drei'), await client.clientGetName()], ['OK', 'me']);
  const info = await client.clientInfo();
  equal([info.db, info.name], [3, 'me']);
  holds((await client.clientList()).some((each) => each.name === 'me' && each.db === 3), 'CLIENT LIST has it');
  const plain = await connect(settings);
  equal(await plain.get('k'), null);
  await plain.select(3);
  equal(await plain.get('k'), 'drei');
  const duplicate = plain.duplicate().on('error', () => {});
  await duplicate.connect();
  equal(await duplicate.ping(), 'PONG');
  duplicate.destroy();
  const closing = await connect({ ...settings, url: `${address.url}/3` });
  const last = closing.get('k');
  await closing.close();
  equal(await last, 'drei');
});

eachProtocol('a pool of connections', async (settings) => {
  const pool = createClientPool({ ...address, ...settings }, { minimum: 2, maximum: 5 });
  pool.on('error', () => {});
  await pool.connect();
  closedAfterwards(pool, () => pool.destroy());
  const answers = await Promise.all(numbers(200).map(async (number) => {
    await pool.set(`${number}k`, String(number));
    return pool.get(`${number}k`);
  }));
  equal(answers, numbers(200).map(String));
  equal(await pool.execute((client) => client.blPop('empty', 0.05)), null);
  equal(await pool.execute(async (client) => {
    await client.watch('{w}k');
    return client.multi().set('{w}k', 'v').exec();
  }), ['OK']);
});

eachProtocol('a killed connection is made again', async (settings) => {
  const client = await connect(settings);
  const listener = await connect(settings);
  const killer = await connect(settings);
  const number = await client.clientId();
  equal(await killer.sendCommand(['CLIENT', 'KILL', 'ID', String(number)]), 1);
  await eventually('another connection', async () => (await client.clientId()) !== number);
  const heard = [];
  await listener.subscribe('news', (message) => heard.push(message));
  await killer.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
  await eventually('it subscribes again', async () => (await killer.publish('news', 'again')) === 1);
  await eventually('the message', () => heard.includes('again'));
});

eachProtocol('errors', async (settings) => {
  const client = await connect(settings);
  await client.hSet('hash', 'a', '1');
  await refused('WRONGTYPE', client.incr('hash'));
  await refused('unknown command', client.sendCommand(['NOSUCH', 'x']));
  await refused('wrong number of arguments', client.sendCommand(['GET']));
  await refused('syntax error', client.sendCommand(['SET', 'a', 'b', 'ZZ']));
  equal(await client.get('nosuch'), null);
});

eachProtocol('monitor', async (settings) => {
  const client = await connect(settings);
  const watching = await connect(settings);
  const seen = [];
  await watching.monitor((line) => seen.push(String(line)));
  await client.set('watched', 'value');
  await eventually('it is seen', () => seen.some((line) => /"set" "watched" "value"/i.test(line)));
});

await runScenarios(async () => {
  const client = await connect();
  await client.flushAll();
});
