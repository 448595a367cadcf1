//! Handshakes take turns: between two steps of any of them a worker looks for news from everybody.
//!
//! A step of a handshake is cryptography, up to a millisecond of it. A thousand clients that come
//! at once would have all sessions wait for a second; by turns, sessions wait for one step.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Runs `future`, each step of it in a turn of its own; `turns` has one permit.
pub async fn by_turns<F: Future>(turns: &Semaphore, future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = poll_fn(|cx| Poll::Ready(Arc::new(Woken::new(cx.waker())))).await;
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        poll_fn(|_| woken.poll()).await;
        let turn = turns.acquire().await;
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        // The runtime looks at all sockets before the next one has its turn.
        yield_now().await;
        drop(turn);
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}

/// Tells a wake of the future itself from those of its task.
struct Woken {
    is_woken: AtomicBool,
    task: Waker,
}

impl Woken {
    fn new(task: &Waker) -> Self {
        Self { is_woken: AtomicBool::new(true), task: task.clone() }
    }

    fn poll(&self) -> Poll<()> {
        match self.is_woken.swap(false, Ordering::AcqRel) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Polls of a future that is woken again by each of them.
    async fn steps(name: char, count: usize, told: Rc<RefCell<String>>) {
        for _ in 0..count {
            told.borrow_mut().push(name);
            yield_now().await;
        }
    }

    #[test]
    fn steps_of_several_take_turns_and_leave_time_for_others() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let told = Rc::new(RefCell::new(String::new()));
        LocalSet::new().block_on(&runtime, async {
            let turns = Rc::new(Semaphore::new(1));
            let mut tasks = Vec::new();
            for name in ['a', 'b'] {
                let (turns, told) = (Rc::clone(&turns), Rc::clone(&told));
                tasks.push(spawn_local(async move {
                    by_turns(&turns, steps(name, 20, told)).await;
                }));
            }
            let session = Rc::clone(&told);
            tasks.push(spawn_local(steps('.', 20, session)));
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        let told = told.borrow();
        assert_eq!(told.chars().filter(|step| *step == 'a').count(), 20);
        let without_sessions = told.replace('.', "");
        assert!(!without_sessions[..30].contains("aa"), "{told}");
        // Never two steps of handshakes in a row while another task is ready.
        let busy = &told[..told.rfind('.').expect("a session's step")];
        assert!(!busy.contains("ab") && !busy.contains("ba"), "{told}");
    }

    #[test]
    fn one_that_waits_is_not_polled_and_holds_up_nobody() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let turns = Rc::new(Semaphore::new(1));
            let polls = Rc::new(RefCell::new(0));
            let (waits, counted) = (Rc::clone(&turns), Rc::clone(&polls));
            spawn_local(async move {
                let silent = poll_fn::<(), _>(|_| {
                    *counted.borrow_mut() += 1;
                    Poll::Pending
                });
                by_turns(&waits, silent).await;
            });
            sleep(Duration::from_millis(20)).await;
            let served = by_turns(&turns, sleep(Duration::from_millis(1)));
            timeout(Duration::from_secs(5), served).await.expect("it has its turn");
            assert_eq!(*polls.borrow(), 1);
        });
    }
}
