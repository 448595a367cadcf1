"""redis-py's RedisCluster as its documents use it, through circlet with cluster_emulation."""

import redis
from redis.cluster import RedisCluster

from story import PORT, equal, refused, run, scenario_for

many = {f"{number}k": str(number) for number in range(1000)}
each_protocol = scenario_for(default={}, RESP2={"protocol": 2}, RESP3={"protocol": 3})


def cluster(settings):
    return RedisCluster(host="127.0.0.1", port=PORT, **settings)


@each_protocol
def one_node_owns_all_slots(settings):
    client = cluster(settings)
    [node] = client.get_nodes()
    equal((node.host, node.port, node.server_type), ("127.0.0.1", PORT, "primary"))
    equal([client.get_node_from_key(key).port for key in ("a", "b", "c")], [PORT] * 3)
    equal(client.cluster_info()["cluster_state"], "ok")
    [shown] = client.cluster_nodes().values()
    equal((shown["flags"], shown["slots"]), ("myself,master", [["0", "16383"]]))
    equal(client.cluster_keyslot("a{b}c"), client.keyslot("a{b}c"))
    equal(client.cluster_replicas(shown["node_id"]), {})


@each_protocol
def keys_of_all_slots(settings):
    client = cluster(settings)
    for key, value in list(many.items())[:100]:
        assert client.set(key, value)
        equal(client.get(key), value.encode())
    assert client.mset_nonatomic(many)
    equal(client.mget_nonatomic(*many), [value.encode() for value in many.values()])
    equal(client.exists(*many), 1000)
    equal(client.dbsize(), 1000)
    equal(len(client.keys("9*k")), 111)
    equal(client.delete(*many), 1000)


@each_protocol
def pipelines(settings):
    client = cluster(settings)
    pipe = client.pipeline()
    for number in range(500):
        pipe.incr(f"{number}k")
        pipe.get(f"{number}k")
    equal(pipe.execute(), [answer for _ in range(500) for answer in (1, b"1")])


@each_protocol
def keys_with_a_tag(settings):
    client = cluster(settings)
    assert client.mset({"{t}a": 1, "{t}b": 2})
    equal(client.mget("{t}a", "{t}b"), [b"1", b"2"])
    assert client.rename("{t}a", "{t}c")
    equal(client.sunionstore("{t}d", "{t}e"), 0)
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    equal(add(keys=["{t}b"], args=[3]), 5)
    client.readonly()
    client.readwrite()
    refused(redis.ResponseError, "CLUSTER MEET is not served", client.cluster_meet, "1.2.3.4", 5,
            target_nodes=RedisCluster.RANDOM)


run(lambda: redis.Redis(port=PORT).flushall())
