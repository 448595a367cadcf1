"""Scenarios of a client program: `PROGRAM PORT [NAME...]` runs all of them, or those named."""

import os
import signal
import sys
import threading
import time
import traceback

PORT = int(sys.argv[1])

# A scenario that hangs is a failure like any other; the slowest takes 2 s, on a busy machine ten.
PATIENCE = int(os.environ.get("SCENARIO_PATIENCE", "45"))

_scenarios = []
_errors_of_threads = []
_timers = []


class TookTooLong(BaseException):
    """Not an Exception: no client may catch it and try again."""


def scenario(function):
    """Enlists a function, by its name in words."""
    _scenarios.append((words(function), function))
    return function


def scenario_for(**variants):
    """Enlists a function once for each variant, whose value is the function's argument."""

    def enlist(function):
        for name, value in variants.items():
            _scenarios.append((f"{words(function)}, {name}", lambda value=value: function(value)))
        return function

    return enlist


def words(function):
    return function.__name__.replace("_", " ")


def run(before_each):
    """Runs the scenarios: one line for each, `ok NAME` or `FAILED NAME: why`."""
    signal.signal(signal.SIGALRM, _too_late)
    threading.excepthook = lambda thrown: _errors_of_threads.append(thrown.exc_value)
    wanted = sys.argv[2:]
    failures = 0
    for name, function in _scenarios:
        if wanted and name not in wanted:
            continue
        begun = time.monotonic()
        while _timers:
            _timers[-1].cancel()
            _timers.pop().join(1)
        _errors_of_threads.clear()
        signal.alarm(PATIENCE)
        try:
            before_each()
            function()
            assert not _errors_of_threads, "a thread failed"
        except (Exception, TookTooLong) as error:
            failures += 1
            errors = [error, *_errors_of_threads[:1]]
            print(f"FAILED {name}: {'; '.join(map(_summary, errors))}", flush=True)
        else:
            took = f" ({time.monotonic() - begun:.2f} s)" if "TIMES" in os.environ else ""
            print(f"ok {name}{took}", flush=True)
        finally:
            signal.alarm(0)
    # A thread of a failed scenario may still wait for what will never come.
    sys.stdout.flush()
    os._exit(1 if failures else 0)


def meanwhile(function, after=0.1):
    """Calls the function on a thread of its own, once the caller had time to begin to wait."""
    timer = threading.Timer(after, function)
    timer.daemon = True
    timer.start()
    _timers.append(timer)


def equal(got, expected):
    """Fails with both values."""
    assert got == expected, f"got {got!r:.300}, expected {expected!r:.300}"


def refused(error_class, beginning, function, *arguments, **settings):
    """The call fails with an error of this class whose text begins so."""
    try:
        answer = function(*arguments, **settings)
    except error_class as error:
        assert str(error).startswith(beginning), f"refused with: {error}"
    else:
        raise AssertionError(f"not refused but answered {answer!r:.100}")


def eventually(what, holds):
    """Waits until it holds."""
    until = time.monotonic() + PATIENCE / 2
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.01)


def _too_late(_signal, _frame):
    raise TookTooLong


def _summary(error):
    own = [frame for frame in traceback.extract_tb(error.__traceback__)
           if os.path.dirname(frame.filename) == os.path.dirname(os.path.abspath(__file__))
           and frame.name not in ("equal", "refused", "run", "_too_late", "eventually")]
    where = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}, {own[-1].line}" if own else "?"
    kind = type(error).__name__
    return f"{kind}: {error} (at {where})".replace("\n", " ")
