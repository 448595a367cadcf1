"""RQ, whose keys all begin with `rq:` and share no hash tag: the pool's own tag keeps them together."""

import threading
import time
from datetime import timedelta

import redis
from rq import Queue, Retry, SimpleWorker
from rq.timeouts import TimerDeathPenalty

from story import PORT, equal, run, scenario

# By name: a worker imports what it runs, and this program is no module.
ADD = "operator.add"


class Worker(SimpleWorker):
    # Else it takes SIGALRM, which is how a scenario ends that hangs.
    death_penalty_class = TimerDeathPenalty


def connect():
    return redis.Redis(port=PORT)

def work(*names):
    """Does all jobs of these queues, in this order."""
    Worker(list(names), connection=connect()).work(burst=True, logging_level="CRITICAL")

@scenario
def jobs_of_two_queues():
    client = connect()
    low = [Queue("low", connection=client).enqueue(ADD, number, 1) for number in range(10)]
    high = Queue("high", connection=client).enqueue(ADD, 20, 1)
    work("high", "low")
    equal([job.return_value() for job in low], list(range(1, 11)))
    equal(high.return_value(), 21)
    equal(Queue("low", connection=client).finished_job_registry.count, 10)

@scenario
def many_jobs_in_one_pipeline():
    queue = Queue("low", connection=connect())
    jobs = queue.enqueue_many([Queue.prepare_data(ADD, (n, n)) for n in range(20)])
    work("low")
    equal([job.return_value() for job in jobs], [2 * number for number in range(20)])

@scenario
def a_job_that_waits_for_another():
    queue = Queue("low", connection=connect())
    first = queue.enqueue(ADD, 1, 2)
    second = queue.enqueue(ADD, 3, 4, depends_on=first)
    equal(second.get_status(), "deferred")
    work("low")
    equal((first.return_value(), second.return_value()), (3, 7))

@scenario
def a_job_that_fails_is_tried_again():
    queue = Queue("low", connection=connect())
    job = queue.enqueue("builtins.int", "no number", retry=Retry(max=2))
    work("low")
    job.refresh()
    equal((job.retries_left, job.get_status(), queue.failed_job_registry.count), (0, "failed", 1))

@scenario
def a_job_for_later_and_one_called_off():
    queue = Queue("low", connection=connect())
    queue.enqueue_in(timedelta(hours=1), ADD, 1, 2)
    gone = queue.enqueue(ADD, 1, 2)
    gone.cancel()
    work("low")
    equal((queue.scheduled_job_registry.count, gone.get_status()), (1, "canceled"))

@scenario
def a_worker_that_waits_for_jobs():
    client = connect()
    queue = Queue("low", connection=client)
    worker = Worker(["high", "low"], connection=connect())
    # The worker ends by itself after two jobs; until they come it waits in BLMOVE or BLPOP.

    def later():
        time.sleep(0.3)
        queue.enqueue(ADD, 1, 1)
        queue.enqueue(ADD, 2, 2)

    thread = threading.Thread(target=later)
    thread.start()
    worker.work(max_jobs=2, logging_level="CRITICAL")
    thread.join()
    equal(queue.finished_job_registry.count, 2)

run(before_each=lambda: connect().flushall())
