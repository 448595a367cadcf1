"""redis-py as its README uses it, with its defaults, through circlet or one plain Redis."""

import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from story import (
    PORT, equal, eventually, meanwhile, refused, run, scenario, scenario_for)

BINARY = bytes(range(256))
DEFAULT, RESP2, RESP3 = {}, {"protocol": 2}, {"protocol": 3}
each_protocol = scenario_for(default=DEFAULT, RESP2=RESP2, RESP3=RESP3)


def connect(settings=DEFAULT, **more):
    return redis.Redis(port=PORT, **settings, **more)


@each_protocol
def strings(protocol):
    client = connect(protocol)
    assert client.ping()
    assert client.set("binary", BINARY) and client.get("binary") == BINARY
    assert client.set(b"\x00\r\n\xff", b"") and client.get(b"\x00\r\n\xff") == b""
    assert client.set("1k", "v", ex=100, nx=True) and client.set("1k", "v", nx=True) is None
    assert 0 < client.ttl("1k") <= 100
    equal(client.getset("1k", "w"), b"v")
    equal(client.append("1k", "xyz"), 4)
    equal(client.getrange("1k", 1, 2), b"xy")
    equal((client.incr("n"), client.incrbyfloat("n", 0.5)), (1, 1.5))
    equal((client.getdel("1k"), client.get("1k"), client.getex("n", ex=9)), (b"wxyz", None, b"1.5"))


@each_protocol
def many_keys_on_many_shards(protocol):
    client = connect(protocol)
    many = {f"{number}k": str(number) for number in range(1000)}
    assert client.mset(many)
    equal(client.mget(list(many)), [value.encode() for value in many.values()])
    equal(client.mget("nosuch", "7k"), [None, b"7"])
    equal((client.exists("7k", "7k", "nosuch"), client.touch("7k", "8k", "nosuch")), (2, 2))
    equal((client.dbsize(), len(client.keys("9*k"))), (1000, 111))
    equal((client.unlink("0k", "1k"), client.delete(*many)), (2, 998))
    equal(client.dbsize(), 0)


@each_protocol
def hashes_sets_and_sorted_sets(protocol):
    client = connect(protocol)
    equal(client.hset("hash", mapping={"a": 1, "b": 2}), 2)
    equal(client.hgetall("hash"), {b"a": b"1", b"b": b"2"})
    equal((client.hmget("hash", "a", "x"), client.hincrbyfloat("hash", "b", 0.5)), ([b"1", None], 2.5))
    equal((client.hexists("hash", "a"), client.hdel("hash", "a")), (True, 1))
    equal(client.zadd("zset", {"x": 1.5, "y": 2}), 2)
    pairs = [tuple(pair) for pair in client.zrange("zset", 0, -1, withscores=True)]
    equal(pairs, [(b"x", 1.5), (b"y", 2.0)])
    equal((client.zincrby("zset", 3, "x"), client.zscore("zset", "x")), (4.5, 4.5))
    equal((client.zrank("zset", "y"), client.zrevrank("zset", "y")), (0, 1))
    equal((client.sadd("set", "m", "n"), client.smembers("set")), (2, {b"m", b"n"}))
    equal((client.smismember("set", ["m", "z"]), client.scard("set")), ([1, 0], 2))
    equal(client.sinter("{t}a", "{t}b"), set())
    equal((client.rpush("list", *range(5)), client.lrange("list", 1, 2)), (5, [b"1", b"2"]))
    equal((client.lpop("list"), client.rpop("list", 2)), (b"0", [b"4", b"3"]))
    equal((client.pfadd("hll", *range(100)), client.pfcount("hll")), (1, 100))
    equal(client.geoadd("geo", (13.36, 38.11, "Palermo", 15.09, 37.5, "Catania")), 2)
    assert 150 < client.geodist("geo", "Palermo", "Catania", unit="km") < 180
    equal(client.bitfield("bits").set("u8", 0, 255).get("u4", 0).execute(), [0, 15])


@scenario
def big_values():
    client = connect()
    big = BINARY * 65536
    assert client.set("big", big) and client.get("big") == big
    equal(client.strlen("big"), 16 << 20)
    blocks = {f"{number}b": bytes([number]) * 70_000 for number in range(100)}
    assert client.mset(blocks) and client.mget(list(blocks)) == list(blocks.values())
    equal(client.rpush("list", *range(50_000)), 50_000)
    equal(len(client.lrange("list", 0, -1)), 50_000)


@each_protocol
def pipelines(protocol):
    client = connect(protocol)
    pipe = client.pipeline(transaction=False)
    for number in range(500):
        pipe.set(f"{number}k", number).incr(f"{number}k").get(f"{number}k")
    expected = [each for n in range(500) for each in (True, n + 1, str(n + 1).encode())]
    equal(pipe.execute(), expected)
    with client.pipeline(transaction=False) as pipe:
        pipe.set("text", "x").incr("text").get("text")
        answers = pipe.execute(raise_on_error=False)
    assert isinstance(answers[1], redis.ResponseError), answers
    equal([answers[0], answers[2]], [True, b"x"])
    pipe = client.pipeline(transaction=False).set("text", "x").incr("text")
    refused(redis.ResponseError, "Command # 2 (INCRBY text 1) of pipeline caused error", pipe.execute)


@each_protocol
def transactions(protocol):
    client = connect(protocol)
    for number in range(50):
        pipe = client.pipeline()
        pipe.set(f"{{{number}}}a", number).incr(f"{{{number}}}a").hset(f"{{{number}}}h", "f", "v")
        pipe.hgetall(f"{{{number}}}h")
        equal(pipe.execute(), [True, number + 1, 1, {b"f": b"v"}])
    pipe = client.pipeline().set("{t}a", "x").lpush("{t}a", "y").set("{t}b", "z")
    answers = pipe.execute(raise_on_error=False)
    assert isinstance(answers[1], redis.ResponseError), answers
    equal((answers[0], answers[2], client.get("{t}b")), (True, True, b"z"))
    pipe = client.pipeline().set("{t}a", "never").execute_command("SET", "{t}a")
    refused(redis.ResponseError, "", pipe.execute)
    equal(client.get("{t}a"), b"x")
    equal(client.pipeline().execute(), [])


@each_protocol
def watch_conflict_and_retry(protocol):
    client, rival = connect(protocol), connect(protocol)
    client.set("{w}n", 1)
    with client.pipeline() as pipe:
        pipe.watch("{w}n")
        current = int(pipe.get("{w}n"))
        rival.incr("{w}n")
        pipe.multi()
        pipe.set("{w}n", current + 100)
        refused(redis.WatchError, "Watched variable changed", pipe.execute)
    equal(client.get("{w}n"), b"2")
    tries = []

    def add_hundred(pipe):
        current = int(pipe.get("{w}n"))
        if not tries:
            rival.incr("{w}n")
        tries.append(current)
        pipe.multi()
        pipe.set("{w}n", current + 100)
        pipe.get("{w}n")

    equal(client.transaction(add_hundred, "{w}n"), [True, b"103"])
    equal(tries, [2, 3])
    with client.pipeline() as pipe:
        pipe.watch("{w}n", "{w}other")
        pipe.unwatch()
        rival.incr("{w}n")
        pipe.multi()
        pipe.incr("{w}n")
        equal(pipe.execute(), [105])


@scenario
def many_threads_increment_under_watch():
    client = connect()
    client.set("counter", 0)

    def work():
        for _ in range(20):
            client.transaction(step, "counter")

    def step(pipe):
        value = int(pipe.get("counter"))
        pipe.multi()
        pipe.set("counter", value + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(client.get("counter"), b"80")


def next_message(listener):
    until = time.monotonic() + 5
    while time.monotonic() < until:
        message = listener.get_message(timeout=1)
        if message is not None:
            return message["type"], message["channel"], message["data"]
    raise AssertionError("no message came")


@each_protocol
def subscribe_and_unsubscribe(protocol):
    client = connect(protocol)
    listener = client.pubsub()
    listener.subscribe("news", "sport")
    equal(next_message(listener), ("subscribe", b"news", 1))
    equal(next_message(listener), ("subscribe", b"sport", 2))
    equal(client.publish("news", "hello"), 1)
    equal(next_message(listener), ("message", b"news", b"hello"))
    equal(client.publish("sport", BINARY), 1)
    equal(next_message(listener), ("message", b"sport", BINARY))
    equal(client.publish("nobody", "hears"), 0)
    listener.ping("there?")
    equal(next_message(listener)[0], "pong")
    listener.unsubscribe("news")
    equal(next_message(listener), ("unsubscribe", b"news", 1))
    equal((client.publish("news", "x"), client.publish("sport", "y")), (0, 1))
    equal(next_message(listener), ("message", b"sport", b"y"))
    listener.unsubscribe()
    equal(next_message(listener), ("unsubscribe", b"sport", 0))
    listener.close()


@each_protocol
def subscribe_to_patterns(protocol):
    client = connect(protocol)
    listener = client.pubsub()
    listener.psubscribe("n*", "*s")
    equal(next_message(listener)[0:2], ("psubscribe", b"n*"))
    equal(next_message(listener)[0:2], ("psubscribe", b"*s"))
    equal(client.publish("news", "twice"), 2)
    equal({next_message(listener), next_message(listener)}, {("pmessage", b"news", b"twice")})
    for number in range(30):
        equal(client.publish(f"n{number}", number), 1)
        equal(next_message(listener), ("pmessage", f"n{number}".encode(), str(number).encode()))
    listener.subscribe("n1")
    equal(next_message(listener), ("subscribe", b"n1", 3))
    equal(client.publish("n1", "both"), 2)
    equal({next_message(listener)[0] for _ in range(2)}, {"message", "pmessage"})
    listener.punsubscribe()
    equal({next_message(listener)[0:2] for _ in range(2)},
          {("punsubscribe", b"n*"), ("punsubscribe", b"*s")})
    listener.close()


@each_protocol
def subscribe_in_a_thread(protocol):
    client = connect(protocol)
    seen = []
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(**{f"c{number}": lambda message: seen.append(message["data"])
                          for number in range(20)})
    thread = listener.run_in_thread(sleep_time=0.05, daemon=True)
    eventually("20 subscriptions", lambda: len(client.pubsub_channels("c*")) == 20)
    for number in range(200):
        client.publish(f"c{number % 20}", number)
    eventually("200 messages", lambda: len(seen) == 200)
    for channel in range(20):
        of_channel = [int(data) for data in seen if int(data) % 20 == channel]
        equal(of_channel, sorted(of_channel))
    thread.stop()
    thread.join()


@each_protocol
def who_subscribes(protocol):
    client = connect(protocol)
    listeners = [client.pubsub() for _ in range(3)]
    for listener in listeners:
        listener.subscribe("ch1", "ch2", "ch3")
        listener.psubscribe("p*")
        for _ in range(4):
            next_message(listener)
    equal(sorted(client.pubsub_channels("ch*")), [b"ch1", b"ch2", b"ch3"])
    equal(client.pubsub_numsub("ch1", "ch3", "none"), [(b"ch1", 3), (b"ch3", 3), (b"none", 0)])
    equal(client.pubsub_numpat(), 1)
    for listener in listeners:
        listener.close()
    eventually("nobody listens", lambda: client.pubsub_channels() == [])


@each_protocol
def sharded_pubsub(protocol):
    client = connect(protocol)
    listener = client.pubsub()
    listener.ssubscribe("orders")
    equal(next_message(listener), ("ssubscribe", b"orders", 1))
    equal(client.spublish("orders", "x"), 1)
    equal(next_message(listener), ("smessage", b"orders", b"x"))
    equal(client.pubsub_shardchannels(), [b"orders"])
    listener.sunsubscribe()
    equal(next_message(listener), ("sunsubscribe", b"orders", 0))
    listener.close()


@each_protocol
def blocking_pops(protocol):
    client, other = connect(protocol), connect(protocol)
    begun = time.monotonic()
    equal(client.blpop("empty", timeout=0.2), None)
    assert 0.15 < time.monotonic() - begun < 3
    client.rpush("list", "a", "b")
    equal([tuple(client.blpop("list")), tuple(client.brpop("list"))],
          [(b"list", b"a"), (b"list", b"b")])
    for number in range(6):
        meanwhile(lambda: other.rpush(f"{number}l", "late"), 0.03)
        equal(tuple(client.blpop(f"{number}l", timeout=5)), (f"{number}l".encode(), b"late"))
    meanwhile(lambda: other.rpush("{q}low", "x"))
    equal(tuple(client.brpop(["{q}high", "{q}low"], timeout=5)), (b"{q}low", b"x"))
    meanwhile(lambda: other.rpush("{q}from", "y"))
    equal(client.blmove("{q}from", "{q}to", 5, "LEFT", "RIGHT"), b"y")
    meanwhile(lambda: other.rpush("{q}from", "z"))
    equal(client.brpoplpush("{q}from", "{q}to", 5), b"z")
    equal(client.lrange("{q}to", 0, -1), [b"z", b"y"])
    meanwhile(lambda: other.zadd("z", {"m": 1.5}))
    equal(tuple(client.bzpopmin("z", timeout=5)), (b"z", b"m", 1.5))
    meanwhile(lambda: other.rpush("{q}1", "p"))
    key, values = client.blmpop(5, 2, "{q}0", "{q}1", direction="LEFT")
    equal((key, values), (b"{q}1", [b"p"]))


@each_protocol
def blocking_reads_of_streams(protocol):
    client, other = connect(protocol), connect(protocol)
    begun = time.monotonic()
    assert not client.xread({"s": "$"}, block=200)
    assert 0.15 < time.monotonic() - begun < 3
    meanwhile(lambda: other.xadd("s", {"field": "value"}, id="1-1"))
    entries = dict(client.xread({"s": "$"}, block=5000))[b"s"]
    while len(entries) == 1 and isinstance(entries[0], list):
        entries = entries[0]
    equal([(id, fields) for id, fields in entries], [(b"1-1", {b"field": b"value"})])


@each_protocol
def streams_and_consumer_groups(protocol):
    client, other = connect(protocol), connect(protocol)
    for number in range(10):
        client.xadd("s", {"n": number}, id=f"{number + 1}-0")
    equal((client.xlen("s"), client.xrange("s", count=1)), (10, [(b"1-0", {b"n": b"0"})]))
    assert client.xgroup_create("s", "g", id="0")
    taken = client.xreadgroup("g", "alice", {"s": ">"}, count=4)
    assert b"4-0" in repr(taken).encode() and b"5-0" not in repr(taken).encode(), taken
    equal(client.xack("s", "g", "1-0", "2-0"), 2)
    pending = client.xpending("s", "g")
    equal((pending["pending"], pending["min"], pending["max"]), (2, b"3-0", b"4-0"))
    claimed = client.xautoclaim("s", "g", "bob", 0)
    equal([id for id, _ in claimed[1]], [b"3-0", b"4-0"])
    equal(len(client.xpending_range("s", "g", "-", "+", 10, consumername="bob")), 2)
    client.xreadgroup("g", "alice", {"s": ">"})
    meanwhile(lambda: other.xadd("s", {"n": "late"}, id="99-0"))
    late = client.xreadgroup("g", "alice", {"s": ">"}, block=5000)
    assert "99-0" in repr(late), late
    equal(client.xinfo_stream("s")["length"], 11)
    groups = client.xinfo_groups("s")
    equal((groups[0]["name"], groups[0]["consumers"]), (b"g", 2))
    equal(client.xtrim("s", maxlen=5, approximate=False), 6)


@each_protocol
def scripts(protocol):
    client = connect(protocol)
    equal(client.eval("return {KEYS[1], ARGV[1], 7}", 1, "k", "a"), [b"k", b"a", 7])
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    equal([add(keys=[f"{number}n"], args=[2]) for number in range(20)], [2] * 20)
    assert client.script_flush()
    equal(client.script_exists(add.sha), [False])
    equal([add(keys=[f"{number}n"], args=[2]) for number in range(20)], [4] * 20)
    sha = client.script_load("return 'loaded'")
    equal((client.script_exists(sha, "0" * 40), client.evalsha(sha, 0)), ([True, False], b"loaded"))
    equal([client.evalsha(sha, 1, f"{number}k") for number in range(20)], [b"loaded"] * 20)
    refused(redis.exceptions.NoScriptError, "No matching script", client.evalsha, "0" * 40, 0)
    refused(redis.ResponseError, "my own error", client.eval, "return redis.error_reply('my own error')", 0)
    with client.pipeline() as pipe:
        pipe.set("{s}n", 5)
        add(keys=["{s}n"], args=[3], client=pipe)
        equal(pipe.execute(), [True, 8])
    with client.pipeline(transaction=False) as pipe:
        for number in range(20):
            add(keys=[f"{number}n"], args=[1], client=pipe)
        equal(pipe.execute(), [5] * 20)
    equal(client.eval_ro("return redis.call('GET', KEYS[1])", 1, "{s}n"), b"8")


@each_protocol
def functions(protocol):
    client = connect(protocol)
    client.function_flush("SYNC")
    code = ("#!lua name=mylib\nredis.register_function('put',"
            " function(keys, args) return redis.call('SET', keys[1], args[1]) end)")
    equal(client.function_load(code), b"mylib")
    for number in range(10):
        assert client.fcall("put", 1, f"{number}f", number) in (b"OK", True)
    equal(client.mget(*(f"{number}f" for number in range(10))), [str(n).encode() for n in range(10)])
    assert "mylib" in repr(client.function_list())
    refused(redis.ResponseError, "Library 'mylib' already exists", client.function_load, code)
    assert client.function_delete("mylib")
    refused(redis.ResponseError, "Function not found", client.fcall, "put", 1, "f", 1)


@each_protocol
def scans(protocol):
    client = connect(protocol)
    pipe = client.pipeline(transaction=False)
    for number in range(3000):
        pipe.set(f"key:{number}", number)
    pipe.hset("hash", mapping={f"f{number}": number for number in range(1000)})
    pipe.sadd("set", *range(1000))
    pipe.zadd("zset", {f"m{number}": number for number in range(1000)})
    pipe.execute()
    everything = {f"key:{number}".encode() for number in range(3000)}
    equal(set(client.scan_iter()), everything | {b"hash", b"set", b"zset"})
    equal(set(client.scan_iter(count=1000)), everything | {b"hash", b"set", b"zset"})
    equal(set(client.scan_iter("key:1*")), {key for key in everything if key.startswith(b"key:1")})
    equal(set(client.scan_iter(_type="hash")), {b"hash"})
    cursor, keys = client.scan(count=10)
    assert cursor != 0 and 0 < len(keys) < 200, (cursor, len(keys))
    equal(len(dict(client.hscan_iter("hash"))), 1000)
    equal(len(set(client.sscan_iter("set", match="*5"))), 100)
    equal(dict(client.zscan_iter("zset"))[b"m7"], 7.0)


@each_protocol
def connection_settings(protocol):
    client = connect(protocol, db=3, decode_responses=True, client_name="me",
                     health_check_interval=1)
    equal((client.client_getname(), client.client_info()["db"]), ("me", 3))
    assert client.set("7k", "drei") and client.mget("7k", "8k") == ["drei", None]
    equal(connect(protocol).get("7k"), None)
    equal(client.client_info()["lib-name"] if "lib-name" in client.client_info() else "redis-py",
          "redis-py")
    own = connect(protocol, single_connection_client=True, client_name="own")
    number = own.client_id()
    equal(own.client_id(), number)
    listed = {each["name"]: each for each in own.client_list()}
    equal((listed["own"]["id"], listed["me"]["db"]), (str(number), "3"))
    url = redis.Redis.from_url(f"redis://127.0.0.1:{PORT}/3", decode_responses=True, **protocol)
    equal(url.get("7k"), "drei")
    refused(redis.ResponseError, "DB index is out of range",
            connect(protocol, db=99999).ping)
    equal(client.move("7k", 4), True)


@each_protocol
def a_killed_connection_is_made_again(protocol):
    client = connect(protocol, single_connection_client=True)
    killer = connect(protocol)
    number = client.client_id()
    equal(killer.client_kill_filter(_id=number), 1)
    assert client.set("after", "all") and client.get("after") == b"all"
    assert client.client_id() != number


@each_protocol
def clients_unblock_pause_and_reply(protocol):
    client, other = connect(protocol, single_connection_client=True), connect(protocol)
    number = client.client_id()
    meanwhile(lambda: other.client_unblock(number))
    equal(client.blpop("never", timeout=10), None)
    meanwhile(lambda: other.client_unblock(number, error=True))
    refused(redis.ResponseError, "UNBLOCKED client unblocked", client.blpop, "never", timeout=10)
    assert client.client_pause(100) and client.client_unpause()
    assert client.client_setname("x") and client.client_no_evict("ON")


@each_protocol
def pools_of_connections(protocol):
    pools = [
        redis.ConnectionPool(port=PORT, **protocol),
        redis.BlockingConnectionPool(port=PORT, max_connections=3, timeout=10, **protocol),
    ]
    for pool in pools:
        client = redis.Redis(connection_pool=pool)
        failures = []

        def work(name):
            try:
                for number in range(50):
                    client.set(f"{name}:{number}", f"{name}/{number}")
                    equal(client.get(f"{name}:{number}"), f"{name}/{number}".encode())
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=[name]) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(failures, [])
        pool.disconnect()


@each_protocol
def errors(protocol):
    client = connect(protocol)
    client.hset("hash", "a", 1)
    refused(redis.ResponseError, "WRONGTYPE Operation against a key", client.incr, "hash")
    client.set("text", "x")
    refused(redis.ResponseError, "value is not an integer", client.incr, "text")
    refused(redis.ResponseError, "unknown command", client.execute_command, "NOSUCH", "x")
    refused(redis.ResponseError, "wrong number of arguments", client.execute_command, "GET")
    refused(redis.ResponseError, "syntax error", client.execute_command, "SET", "a", "b", "ZZ")
    equal(client.get("text"), b"x")


@each_protocol
def wrong_password(protocol):
    # Not tried again: that is 2.5 s of waiting by default.
    stranger = connect(protocol, username="nobody", password="wrong", retry=Retry(NoBackoff(), 0))
    refused(redis.AuthenticationError, "", stranger.ping)


@each_protocol
def what_administrators_ask(protocol):
    client = connect(protocol)
    client.mset({f"{number}k": number for number in range(30)})
    info = client.info()
    for field in ("redis_version", "used_memory", "connected_clients", "uptime_in_seconds",
                  "total_commands_processed", "role", "maxmemory", "redis_mode"):
        assert field in info, f"no {field} in INFO"
    equal(info["db0"]["keys"], 30)
    assert "used_memory" in client.info("memory")
    equal(list(client.config_get("maxmemory")), ["maxmemory"])
    assert client.config_set("hash-max-listpack-entries", 200)
    equal(client.config_get("hash-max-listpack-entries"), {"hash-max-listpack-entries": "200"})
    assert client.randomkey().endswith(b"k")
    assert abs(client.time()[0] - time.time()) < 60
    assert client.lastsave() and client.memory_usage("1k") > 0
    equal((client.object("encoding", "1k"), client.type("1k")), (b"int", b"string"))
    assert client.slowlog_len() >= 0 and isinstance(client.slowlog_get(), list)
    assert client.command_count() > 200 and "get" in client.command()
    equal(client.acl_whoami() in (b"default", "default"), True)
    equal(client.echo("echo"), b"echo")
    assert client.swapdb(0, 1) and client.dbsize() == 0 and client.swapdb(0, 1)
    assert client.flushdb() and client.dbsize() == 0


@scenario
def expiry():
    client = connect()
    client.set("short", "x", px=50)
    assert client.expire("nosuch", 10) is False
    client.set("long", "x")
    assert client.expire("long", 1000) and client.pttl("long") > 900_000
    assert client.persist("long") and client.ttl("long") == -1
    eventually("the key expires", lambda: client.get("short") is None)


@scenario
def keyspace_notifications():
    client = connect()
    client.config_set("notify-keyspace-events", "KEA")
    listener = client.pubsub(ignore_subscribe_messages=False)
    listener.psubscribe("__keyspace@0__:*")
    equal(next_message(listener)[0], "psubscribe")
    for number in range(10):
        client.set(f"{number}k", "x")
        equal(next_message(listener),
              ("pmessage", f"__keyspace@0__:{number}k".encode(), b"set"))
    listener.close()
    client.config_set("notify-keyspace-events", "")


@scenario
def monitor():
    client = connect()
    with client.monitor() as watching:
        connect().set("watched", "value")
        for command in watching.listen():
            if "watched" in command["command"]:
                equal((command["command"], command["db"]), ("SET watched value", 0))
                break


@scenario
def dump_restore_copy_rename_and_sort():
    client = connect()
    client.rpush("{k}list", 3, 1, 2)
    dump = client.dump("{k}list")
    equal(client.restore("other", 0, dump), b"OK")
    equal(client.sort("other"), [b"1", b"2", b"3"])
    assert client.rename("{k}list", "{k}renamed") and client.copy("{k}renamed", "{k}copy")
    equal(client.lrange("{k}copy", 0, -1), [b"3", b"1", b"2"])


run(before_each=lambda: connect().flushall())
