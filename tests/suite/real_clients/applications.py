"""What applications do with one Redis, written as people write it, with redis-py."""

import json
import threading
import time
import uuid

import redis

from story import PORT, equal, eventually, run, scenario


def connect(**settings):
    return redis.Redis(port=PORT, **settings)


def in_threads(count, work):
    """Runs work(0) to work(count - 1) at the same time, to their ends."""
    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


UNLOCK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@scenario
def a_lock_by_set_nx_and_a_script():
    client = connect()
    unlock = client.register_script(UNLOCK)
    inside, most = [], []

    def work(number):
        name, token = f"lock:{number % 3}", str(uuid.uuid4())
        for _ in range(5):
            while not client.set(name, token, nx=True, px=30_000):
                time.sleep(0.002)
            inside.append(name)
            most.append(inside.count(name))
            inside.remove(name)
            equal(unlock(keys=[name], args=["somebody else"]), 0)
            equal(unlock(keys=[name], args=[token]), 1)

    in_threads(6, work)
    equal((len(most), max(most)), (30, 1))


@scenario
def the_lock_of_the_library():
    client = connect()
    with client.lock("resource", timeout=10) as lock:
        assert lock.owned() and lock.extend(5)
        assert not client.lock("resource", blocking=False).acquire()
        rival = client.lock("resource", timeout=10, blocking_timeout=0.1)
        assert not rival.acquire()
    assert client.lock("resource", timeout=10).acquire(blocking=False)


@scenario
def a_rate_limiter_by_a_counter_and_by_a_window():
    client = connect()

    def allowed(user, limit):
        with client.pipeline() as pipe:
            pipe.incr(f"rate:{user}")
            pipe.expire(f"rate:{user}", 60, nx=True)
            return pipe.execute()[0] <= limit

    for user in range(10):
        equal([allowed(user, 3) for _ in range(5)], [True, True, True, False, False])
        assert 0 < client.ttl(f"rate:{user}") <= 60

    def in_window(user, now):
        key = f"window:{user}"
        with client.pipeline() as pipe:
            pipe.zremrangebyscore(key, 0, now - 10)
            pipe.zcard(key)
            pipe.zadd(key, {str(now): now})
            pipe.expire(key, 10)
            return pipe.execute()[1] < 2

    equal([in_window("u", now) for now in (1, 2, 3, 4, 14)], [True, True, False, False, True])


@scenario
def a_queue_that_loses_no_job():
    client = connect()
    done = []

    def work(number):
        mine = connect()
        while True:
            job = mine.blmove("{jobs}waiting", f"{{jobs}}taken:{number}", 1, "RIGHT", "LEFT")
            if job is None:
                return
            done.append(json.loads(job)["id"])
            mine.lrem(f"{{jobs}}taken:{number}", 1, job)

    workers = threading.Thread(target=in_threads, args=[3, work])
    workers.start()
    for number in range(100):
        client.lpush("{jobs}waiting", json.dumps({"id": number}))
    workers.join()
    equal(sorted(done), list(range(100)))
    equal([client.llen(f"{{jobs}}taken:{number}") for number in range(3)], [0, 0, 0])


@scenario
def an_old_queue_by_brpoplpush_and_a_wake_up():
    client, worker = connect(), connect()
    answers = []

    def work():
        for _ in range(10):
            job = worker.brpoplpush("{old}waiting", "{old}taken", timeout=5)
            answers.append(job)
            worker.rpush(b"done:" + job, "result")

    thread = threading.Thread(target=work)
    thread.start()
    for number in range(10):
        client.lpush("{old}waiting", number)
        equal(tuple(client.blpop(f"done:{number}", timeout=5)), (f"done:{number}".encode(), b"result"))
    thread.join()
    equal(answers, [str(number).encode() for number in range(10)])


TAKE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 10)
if #due > 0 then redis.call('ZREM', KEYS[1], unpack(due)) end
return due
"""


@scenario
def a_queue_of_delayed_jobs():
    client = connect()
    take = client.register_script(TAKE_DUE)
    client.zadd("delayed", {f"job{number}": number for number in range(100)})
    taken = []
    lock = threading.Lock()

    def work(_number):
        while due := take(keys=["delayed"], args=[49]):
            with lock:
                taken.extend(due)

    in_threads(3, work)
    equal((len(taken), len(set(taken)), client.zcard("delayed")), (50, 50, 50))


@scenario
def sessions_that_expire():
    client = connect(decode_responses=True)
    for number in range(50):
        key = f"session:{number}"
        with client.pipeline() as pipe:
            pipe.hset(key, mapping={"user": number, "seen": "0"})
            pipe.expire(key, 1800)
            pipe.execute()
        client.hincrby(key, "seen", 1)
        equal(client.hgetall(key), {"user": str(number), "seen": "1"})
    assert 1700 < client.ttl("session:7") <= 1800
    client.pexpire("session:7", 30)
    eventually("the session ends", lambda: not client.exists("session:7"))


@scenario
def a_cache_of_many_keys():
    client = connect()
    stored = {f"item:{number}": f"value {number}" for number in range(300)}
    wanted = list(stored)
    equal(set(client.mget(wanted)), {None})
    client.mset({key: stored[key] for key in wanted[:200]})
    found = dict(zip(wanted, client.mget(wanted)))
    missing = [key for key, value in found.items() if value is None]
    equal(missing, wanted[200:])
    with client.pipeline(transaction=False) as pipe:
        for key in missing:
            pipe.set(key, stored[key], ex=60)
        equal(set(pipe.execute()), {True})
    equal(client.mget(wanted), [value.encode() for value in stored.values()])
    equal(client.delete(*wanted), 300)
    # The cache of a web framework clears by a prefix.
    client.mset({f"views:{number}": "x" for number in range(500)} | {"other": "x"})
    for key in list(client.scan_iter("views:*")):
        client.delete(key)
    equal(client.dbsize(), 1)


@scenario
def a_leaderboard():
    client = connect(decode_responses=True)
    for number in range(100):
        client.zadd("board", {f"player{number:02}": number})
    client.zincrby("board", 1000, "player07")
    top = client.zrevrange("board", 0, 2, withscores=True)
    equal([tuple(pair) for pair in top],
          [("player07", 1007.0), ("player99", 99.0), ("player98", 98.0)])
    equal((client.zrevrank("board", "player07"), client.zcount("board", 90, 99)), (0, 10))
    equal(client.zrange("board", 0, 1), ["player00", "player01"])
    equal(client.zpopmax("board", 1)[0][0], "player07")


@scenario
def a_chat_of_several_rooms():
    speaker = connect()
    rooms, people = ["lobby", "games", "news"], 4
    heard = [[] for _ in range(people)]
    ready = threading.Barrier(people + 1)

    def person(number):
        listener = connect(decode_responses=True).pubsub()
        listener.subscribe(*rooms)
        listener.psubscribe(f"private:{number}:*")
        confirmed = 0
        while confirmed < len(rooms) + 1:
            confirmed += listener.get_message(timeout=5)["type"].endswith("subscribe")
        ready.wait()
        for message in listener.listen():
            if message["data"] == "end":
                return
            heard[number].append((message["channel"], message["data"]))

    threads = [threading.Thread(target=person, args=[number]) for number in range(people)]
    for thread in threads:
        thread.start()
    ready.wait()
    for number in range(30):
        equal(speaker.publish(rooms[number % 3], f"line {number}"), people)
    equal([speaker.publish(f"private:{number}:hint", "psst") for number in range(people)], [1] * people)
    # Order is kept within a room, and what is private has a room of its own.
    eventually("all is heard", lambda: all(len(each) == 31 for each in heard))
    speaker.publish("news", "end")
    for thread in threads:
        thread.join()
    for number, lines in enumerate(heard):
        for index, room in enumerate(rooms):
            of_room = [text for channel, text in lines if channel == room]
            equal(of_room, [f"line {each}" for each in range(30) if each % 3 == index])
        assert (f"private:{number}:hint", "psst") in lines


@scenario
def workers_share_a_stream():
    client = connect()
    client.xgroup_create("events", "workers", id="0", mkstream=True)
    seen = []

    def work(number):
        mine = connect(protocol=2)
        while True:
            taken = mine.xreadgroup("workers", f"w{number}", {"events": ">"}, count=5, block=1000)
            if not taken:
                return
            for _stream, entries in taken:
                for id, fields in entries:
                    seen.append(int(fields[b"n"]))
                    mine.xack("events", "workers", id)

    workers = threading.Thread(target=in_threads, args=[3, work])
    workers.start()
    with client.pipeline(transaction=False) as pipe:
        for number in range(100):
            pipe.xadd("events", {"n": number}, maxlen=1000)
        pipe.execute()
    workers.join()
    equal(sorted(seen), list(range(100)))
    equal(client.xpending("events", "workers")["pending"], 0)


@scenario
def a_stock_that_is_never_sold_twice():
    client = connect()
    client.mset({"{stock}left": 10, "{stock}sold": 0})

    def sell(pipe):
        left = int(pipe.get("{stock}left"))
        pipe.multi()
        if left > 0:
            pipe.decr("{stock}left")
            pipe.incr("{stock}sold")

    in_threads(4, lambda _: [client.transaction(sell, "{stock}left") for _ in range(5)])
    equal(client.mget("{stock}left", "{stock}sold"), [b"0", b"10"])


@scenario
def counters_and_unique_visitors():
    client = connect()
    with client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.hincrby(f"page:{number % 7}", "views", 1)
            pipe.pfadd(f"visitors:{number % 7}", f"ip{number % 50}")
            pipe.setbit(f"active:{number % 7}", number, 1)
        pipe.execute()
    equal(sum(int(client.hget(f"page:{page}", "views")) for page in range(7)), 500)
    assert all(45 <= client.pfcount(f"visitors:{page}") <= 55 for page in range(7))
    equal(sum(client.bitcount(f"active:{page}") for page in range(7)), 500)


run(before_each=lambda: connect().flushall())
