"""Celery with Redis as its broker and for its results, as its documents tell users of a sharded
Redis to: with a hash tag before every key."""

import os

import redis
from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker

from story import PORT, equal, run, scenario

URL = f"redis://127.0.0.1:{PORT}/0"
TOGETHER = {"global_keyprefix": "{celery}:"}

app = Celery("tasks", broker=URL, backend=URL)
app.conf.broker_transport_options = TOGETHER
app.conf.result_backend_transport_options = TOGETHER
# A refusal is to be seen, not tried again for minutes.
app.conf.broker_connection_retry = app.conf.broker_connection_retry_on_startup = False


@app.task
def add(left, right):
    return left + right


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=2)
def second_time_lucky(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return self.request.retries


@scenario
def a_task_and_its_result():
    equal(add.delay(2, 3).get(timeout=10), 5)


@scenario
def fifty_tasks():
    results = [add.delay(number, number) for number in range(50)]
    equal([result.get(timeout=10) for result in results], [2 * number for number in range(50)])


@scenario
def chains_groups_and_chords():
    equal(chain(add.s(1, 2), add.s(3))().get(timeout=10), 6)
    equal(group(add.s(number, number) for number in range(5))().get(timeout=10), [0, 2, 4, 6, 8])
    equal(chord((add.s(number, number) for number in range(5)), total.s())().get(timeout=10), 20)


@scenario
def a_task_that_is_tried_again():
    equal(second_time_lucky.delay().get(timeout=10), 1)


@scenario
def a_task_for_later():
    equal(add.apply_async((1, 1), countdown=0.5).get(timeout=10), 2)


@scenario
def the_worker_answers_a_ping():
    equal([list(answer.values()) for answer in app.control.ping(timeout=1)], [[{"ok": "pong"}]])


redis.Redis(port=PORT).flushall()
try:
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
        run(before_each=lambda: None)
except BaseException as error:
    print(f"FAILED the worker starts: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
    os._exit(1)
