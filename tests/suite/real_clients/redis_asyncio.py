"""redis.asyncio as the README of redis-py uses it, through circlet or one plain Redis."""

import asyncio

import redis.asyncio as redis
from redis import Redis, ResponseError, WatchError

from story import PORT, equal, run, scenario_for

each_protocol = scenario_for(default={}, RESP2={"protocol": 2}, RESP3={"protocol": 3})


def asynchronous(function):
    """A coroutine as a scenario: its client is closed however it ends."""

    async def with_client(protocol):
        async with redis.Redis(port=PORT, **protocol) as client:
            await function(client)

    def scenario(protocol):
        asyncio.run(with_client(protocol))

    scenario.__name__ = function.__name__
    return each_protocol(scenario)


@asynchronous
async def many_tasks_at_once(client):
    async def work(number):
        await client.set(f"{number}k", number)
        return int(await client.get(f"{number}k"))

    equal(await asyncio.gather(*(work(number) for number in range(100))), list(range(100)))
    equal(await client.mget([f"{number}k" for number in range(100)]),
          [str(number).encode() for number in range(100)])


@asynchronous
async def pipelines_and_transactions(client):
    async with client.pipeline(transaction=False) as pipe:
        for number in range(100):
            pipe.incr(f"{number}k")
        equal(await pipe.execute(), [1] * 100)
    async with client.pipeline(transaction=True) as pipe:
        equal(await pipe.set("{t}a", 1).incr("{t}a").get("{t}a").execute(), [True, 2, b"2"])
    async with client.pipeline() as pipe:
        await pipe.watch("{t}a")
        current = int(await pipe.get("{t}a"))
        await client.incr("{t}a")
        pipe.multi()
        pipe.set("{t}a", current + 100)
        try:
            await pipe.execute()
            raise AssertionError("the conflict went unseen")
        except WatchError:
            pass
    equal(await client.get("{t}a"), b"3")


@asynchronous
async def subscriptions(client):
    heard = []

    async def listen(listener):
        async for message in listener.listen():
            heard.append((message["type"], message["data"]))
            if message["data"] == b"end":
                return

    async with client.pubsub() as listener:
        await listener.subscribe("news")
        await listener.psubscribe("n*")
        task = asyncio.create_task(listen(listener))
        while len(heard) < 2:
            await asyncio.sleep(0.01)
        for number in range(50):
            equal(await client.publish("news", number), 2)
        await client.publish("nothing", "end")
        await task
    equal([int(data) for kind, data in heard if kind == "message"], list(range(50)))
    equal([int(data) for kind, data in heard[:-1] if kind == "pmessage"], list(range(50)))


@asynchronous
async def blocking_pops(client):
    equal(await client.blpop("empty", timeout=0.1), None)
    waiting = [asyncio.create_task(client.blpop(f"{number}l", timeout=5)) for number in range(10)]
    await asyncio.sleep(0.05)
    for number in range(10):
        await client.rpush(f"{number}l", number)
    popped = [tuple(pair) for pair in await asyncio.gather(*waiting)]
    equal(popped, [(f"{number}l".encode(), str(number).encode()) for number in range(10)])


@asynchronous
async def a_cancelled_wait_takes_nothing(client):
    waiting = asyncio.create_task(client.blpop("list", timeout=0))
    await asyncio.sleep(0.05)
    waiting.cancel()
    ended = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError), f"it did not wait: {ended}"
    await asyncio.sleep(0.05)
    await client.rpush("list", "kept")
    equal(await client.lrange("list", 0, -1), [b"kept"])


@asynchronous
async def scripts_and_scans(client):
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    equal([await add(keys=[f"{number}n"], args=[2]) for number in range(20)], [2] * 20)
    await client.script_flush()
    equal([await add(keys=[f"{number}n"], args=[2]) for number in range(20)], [4] * 20)
    equal(len({key async for key in client.scan_iter(match="*n")}), 20)
    try:
        await client.lpush("0n", "x")
        raise AssertionError("a list on a string")
    except ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error


run(before_each=lambda: Redis(port=PORT).flushall())
