//! Calls that wait for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// First in, first out; taken many at once. There is room for [`MOST`].
pub(super) struct Queue<T> {
    /// Threads that take items.
    threads: usize,
    state: Mutex<State<T>>,
    ready: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Threads that sleep, and how many of them have been woken.
    asleep: usize,
    woken: usize,
    /// Those of the others that are [away](Away).
    away: usize,
    /// When the last of the others was woken, or took items.
    seen: Option<Instant>,
    is_closed: bool,
    searched: Option<Instant>,
}

/// So many items wait at most: when a disk hangs, calls are refused instead of filling the memory.
const MOST: usize = 16_384;
/// How often a full queue is searched for items that are over: each time takes all of them.
const SEARCH: Duration = Duration::from_millis(100);
/// So many items are left for a [`MOMENT`] to a thread that is awake: to wake another one would cost more than they do. They wait
/// for the one that it is at, at most: a thread that finds that this took longer is [away](Away) until it comes back.
const FEW: usize = 64;
pub(super) const MOMENT: Duration = Duration::from_millis(1);

impl<T> State<T> {
    /// Whether a thread has to be woken, and then it is.
    fn wakes(&mut self, threads: usize) -> bool {
        let idle = self.asleep.saturating_sub(self.woken);
        if idle == 0 || self.items.is_empty() {
            return false;
        }
        let is_soon = |seen: Instant| seen.elapsed() < MOMENT;
        if idle + self.away < threads && self.items.len() < FEW && self.seen.is_some_and(is_soon) {
            return false;
        }
        self.woken += 1;
        self.seen = Some(Instant::now());
        true
    }
}

/// A thread that does not come back in a moment, as long as this is there: others take what waits.
pub(super) struct Away<'a, T>(&'a Queue<T>);

impl<T> Drop for Away<'_, T> {
    fn drop(&mut self) {
        self.0.lock().away -= 1;
    }
}

impl<T> Queue<T> {
    pub(super) const fn new(threads: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            asleep: 0,
            woken: 0,
            away: 0,
            seen: None,
            is_closed: false,
            searched: None,
        };
        Self { threads, state: Mutex::new(state), ready: Condvar::new() }
    }

    /// Gives the item back if nobody will ever take it, or if there is no room even without those that are over.
    pub(super) fn push(&self, item: T, is_over: impl Fn(&T) -> bool) -> Result<(), T> {
        let mut state = self.lock();
        if state.items.len() >= MOST && state.searched.is_none_or(|searched| searched.elapsed() >= SEARCH) {
            state.items.retain(|item| !is_over(item));
            state.searched = Some(Instant::now());
        }
        if state.is_closed || state.items.len() >= MOST {
            return Err(item);
        }
        state.items.push_back(item);
        self.wake(state);
        Ok(())
    }

    /// For a thread that has taken items.
    pub(super) fn away(&self) -> Away<'_, T> {
        let mut state = self.lock();
        state.away += 1;
        self.wake(state);
        Away(self)
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let wakes = state.wakes(self.threads);
        drop(state);
        if wakes {
            self.ready.notify_one();
        }
    }

    /// Waits for items, or until that moment, and takes up to `most` of them. `false` at the end: the queue is closed and
    /// empty.
    pub(super) fn take(&self, items: &mut Vec<T>, most: usize, until: Option<Instant>) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() {
            if state.is_closed {
                return false;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return true;
            }
            state.asleep += 1;
            state = match left {
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.asleep -= 1;
            state.woken = state.woken.saturating_sub(1);
        }
        state.seen = Some(Instant::now());
        let taken = state.items.len().min(most);
        items.extend(state.items.drain(..taken));
        true
    }

    /// No more items come; those that are there are still taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.ready.notify_all();
    }

    /// Nobody takes items any more: no more come, and those that are there are dropped.
    pub(super) fn abandon(&self) {
        self.close();
        let items = std::mem::take(&mut self.lock().items);
        // Outside of the lock: whoever waits for them wakes up.
        drop(items);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_their_order_and_all_of_them_before_the_end() {
        let queue = Queue::new(1);
        for number in 0..5 {
            queue.push(number, |_| false).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(5, |_| false), Err(5));
        let mut items = Vec::new();
        assert!(queue.take(&mut items, 3, None));
        assert_eq!(items, [0, 1, 2]);
        assert!(queue.take(&mut items, 3, None));
        assert_eq!(items, [0, 1, 2, 3, 4]);
        assert!(!queue.take(&mut items, 3, None));
    }

    #[test]
    fn a_full_queue_takes_what_there_is_room_for_without_those_that_are_over() {
        let queue = Queue::new(1);
        for number in 0..MOST {
            queue.push(number, |_| false).unwrap();
        }
        assert_eq!(queue.push(7, |_| false), Err(7));
        assert_eq!(queue.push(7, |_| true), Err(7), "it was searched a moment ago");
        std::thread::sleep(SEARCH);
        queue.push(7, |number| *number > 9).unwrap();
        let mut items = Vec::new();
        assert!(queue.take(&mut items, MOST, None));
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7]);
    }

    #[test]
    fn a_few_items_are_left_to_a_thread_that_is_awake_but_not_for_long() {
        let later = Instant::now() + Duration::from_secs(600);
        let wakes = |items: usize, asleep, woken, away, seen| {
            let items = (0..items).collect();
            State { items, asleep, woken, away, seen, is_closed: false, searched: None }.wakes(2)
        };
        assert!(wakes(1, 2, 0, 0, Some(later)), "all sleep");
        assert!(!wakes(1, 2, 1, 0, Some(later)), "one is about to come");
        assert!(!wakes(FEW - 1, 1, 0, 0, Some(later)), "one is awake");
        assert!(wakes(FEW, 1, 0, 0, Some(later)), "they are many");
        assert!(wakes(1, 1, 0, 0, Instant::now().checked_sub(MOMENT)), "it does not come back");
        assert!(wakes(1, 1, 0, 1, Some(later)), "it has said so");
        assert!(!wakes(0, 1, 0, 1, None), "there are none");
        assert!(!wakes(FEW, 1, 1, 1, None) && !wakes(FEW, 0, 0, 1, None), "nobody sleeps");
    }

    #[test]
    fn no_item_is_forgotten() {
        use std::sync::mpsc;
        let queue = Queue::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut items: Vec<mpsc::Sender<()>> = Vec::new();
                    while queue.take(&mut items, 3, None) {
                        for item in items.drain(..) {
                            let _away = rand::random::<bool>().then(|| queue.away());
                            item.send(()).unwrap();
                        }
                    }
                });
            }
            let pushers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..5000 {
                            let (sender, answer) = mpsc::channel();
                            queue.push(sender, |_| false).unwrap();
                            answer.recv_timeout(Duration::from_secs(30)).unwrap();
                        }
                    })
                })
                .collect();
            let ended: Vec<_> = pushers.into_iter().map(|pusher| pusher.join()).collect();
            queue.close();
            assert!(ended.iter().all(Result::is_ok));
        });
    }

    #[test]
    fn a_wait_ends_at_its_moment_with_an_item_or_at_the_end() {
        let queue = Queue::new(1);
        let mut items = Vec::new();
        assert!(queue.take(&mut items, 1, Some(Instant::now() + Duration::from_millis(1))));
        assert!(items.is_empty());
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut items = Vec::new();
                while queue.take(&mut items, 1, None) {}
                items
            });
            queue.push(7, |_| false).unwrap();
            queue.push(8, |_| false).unwrap();
            queue.close();
            assert_eq!(taker.join().unwrap(), [7, 8]);
        });
    }
}
