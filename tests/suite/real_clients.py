"""redis-py through circlet, whose port is the argument."""

import sys

import redis

port = int(sys.argv[1])
binary = bytes(range(256))

for protocol in (None, 2, 3):
    settings = {"port": port} if protocol is None else {"port": port, "protocol": protocol}
    client = redis.Redis(**settings)
    assert client.ping()
    assert client.set("binary", binary) and client.get("binary") == binary
    assert client.set(b"\x00\r\n\xff", b"") and client.get(b"\x00\r\n\xff") == b""

    many = {f"{number}k": str(number) for number in range(1000)}
    assert client.mset(many)
    assert client.mget(list(many)) == [value.encode() for value in many.values()]
    assert client.mget("nosuch", "7k") == [None, b"7"]
    assert client.exists("7k", "7k", "nosuch") == 2
    assert client.dbsize() == 1002
    assert len(client.keys("9*k")) == 111

    pipe = client.pipeline(transaction=False)
    for number in range(500):
        pipe.incr(f"{number}k")
    assert pipe.execute() == list(range(1, 501))

    assert client.hset("hash", mapping={"a": 1, "b": 2}) == 2
    assert client.hgetall("hash") == {b"a": b"1", b"b": b"2"}
    assert client.zadd("zset", {"x": 1.5, "y": 2}) == 2
    assert [tuple(pair) for pair in client.zrange("zset", 0, -1, withscores=True)] == [
        (b"x", 1.5), (b"y", 2.0)]
    assert client.sadd("set", "m") == 1 and client.smembers("set") == {b"m"}
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert [add(keys=[f"{number}n"], args=[2]) for number in range(20)] == [2] * 20

    try:
        client.incr("hash")
        raise SystemExit("INCR of a hash was not refused")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error

    named = redis.Redis(
        port=port, db=3, decode_responses=True, client_name="me", health_check_interval=1)
    assert named.client_getname() == "me" and named.client_info()["db"] == 3
    assert named.set("7k", "drei") and named.mget("7k", "8k") == ["drei", None]
    assert named.info("server")["redis_version"]
    assert client.get("8k") == b"9"

    assert client.delete(*many) == 1000
    assert client.flushall() and client.dbsize() == 0

print("all is well")
