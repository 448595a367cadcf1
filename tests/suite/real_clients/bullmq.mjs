// BullMQ's queues, as its documents tell users of a sharded Redis to: with a hash tag as prefix.

import {
  after, closedAfterwards, equal, eventually, library, numbers, port, refused, runScenarios, scenario,
} from './story.mjs';

const { FlowProducer, Queue, QueueEvents, Worker } = library('bullmq');
const { Redis } = library('ioredis');
const settings = { connection: { port }, prefix: '{bull}' };

// A queue, a worker of it that doubles numbers, and what waits for results.
async function doubling() {
  const troubles = [];
  const open = (client) => closedAfterwards(client, () => client.close(true))
    .on('error', (error) => troubles.push(error.message));
  const queue = open(new Queue('numbers', settings));
  const events = open(new QueueEvents('numbers', settings));
  const work = async (job) => {
    if (job.data.number === undefined) throw new Error('no number');
    return job.data.number * 2;
  };
  const worker = open(new Worker('numbers', work, { ...settings, concurrency: 4 }));
  const result = async (job) => {
    try {
      return await job.waitUntilFinished(events, 8000);
    } catch (error) {
      throw new Error([error.message, ...troubles].join('; '));
    }
  };
  await events.waitUntilReady();
  return { queue, worker, open, result };
}

scenario('a job and its result', async () => {
  const { queue, result } = await doubling();
  equal(await result(await queue.add('double', { number: 21 })), 42);
});

scenario('fifty jobs at once', async () => {
  const { queue, result } = await doubling();
  queue.setMaxListeners(100);
  const jobs = await queue.addBulk(numbers(50).map((number) => ({ name: 'double', data: { number } })));
  equal(await Promise.all(jobs.map(result)), numbers(50).map((number) => number * 2));
  const { completed, waiting, active } = await queue.getJobCounts();
  equal([completed, waiting, active], [50, 0, 0]);
});

scenario('delays and priorities', async () => {
  const { queue, result } = await doubling();
  const delayed = await queue.add('double', { number: 1 }, { delay: 200 });
  const urgent = await queue.add('double', { number: 2 }, { priority: 1 });
  equal([await result(delayed), await result(urgent)], [2, 4]);
});

scenario('a job that fails is tried again', async () => {
  const { queue, result } = await doubling();
  const job = await queue.add('double', {}, { attempts: 2, backoff: 20 });
  await refused('no number', result(job));
  equal((await queue.getFailed())[0].attemptsMade, 2);
});

scenario('a job every now and then', async () => {
  const { queue } = await doubling();
  await queue.upsertJobScheduler('clock', { every: 100 }, { name: 'tick', data: { number: 1 } });
  await eventually('three ticks', async () => (await queue.getCompletedCount()) >= 3);
  await queue.removeJobScheduler('clock');
});

scenario('parents wait for their children', async () => {
  const { open, result } = await doubling();
  const flow = open(new FlowProducer(settings));
  const child = (number) => ({ name: 'double', queueName: 'numbers', data: { number } });
  const { job } = await flow.add({ ...child(7), children: [child(1), child(2)] });
  equal(await result(job), 14);
  equal(Object.values(await job.getChildrenValues()).sort(), [2, 4]);
});

scenario('a queue that is paused', async () => {
  const { queue, worker, result } = await doubling();
  await queue.pause();
  const job = await queue.add('double', { number: 3 });
  await after(100);
  equal(await job.isCompleted(), false);
  await queue.resume();
  equal(await result(job), 6);
  equal([(await queue.getWorkers()).length, worker.isRunning()], [1, true]);
});

await runScenarios(async () => {
  const redis = new Redis(port);
  await redis.flushall();
  redis.disconnect();
});
