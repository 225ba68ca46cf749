//! Calls that wait for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// First in, first out; taken many at once. There is room for [`MOST`].
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Of each thread when it took items last, if it is to come back soon.
    taken: Box<[Option<Instant>]>,
    /// Threads that sleep, how many of them have been woken, and when the last of these was.
    asleep: usize,
    woken: usize,
    called: Option<Instant>,
    is_closed: bool,
    searched: Option<Instant>,
}

/// So many items wait at most: when a disk hangs, calls are refused instead of filling the memory.
const MOST: usize = 16_384;
/// How often a full queue is searched for items that are over: each time takes all of them.
const SEARCH: Duration = Duration::from_millis(100);
/// So many items are left to a thread that has been woken or has taken some less than a [`MOMENT`] ago: to wake another one would
/// cost more than they do. They wait for the one that it is at, at most: when that took longer, it [passes](Queue::pass_on) them on.
const FEW: usize = 64;
pub(super) const MOMENT: Duration = Duration::from_millis(3);

impl<T> State<T> {
    /// Whether a thread has to be woken, and then it is.
    fn wakes(&mut self) -> bool {
        if self.asleep <= self.woken || self.items.is_empty() {
            return false;
        }
        let is_recent = |moment: &Option<Instant>| moment.is_some_and(|moment| moment.elapsed() < MOMENT);
        let is_near = self.woken > 0 && is_recent(&self.called) || self.taken.iter().any(is_recent);
        if is_near && self.items.len() < FEW {
            return false;
        }
        self.woken += 1;
        self.called = Some(Instant::now());
        true
    }

    fn set_taken(&mut self, thread: usize, moment: Option<Instant>) {
        if let Some(taken) = self.taken.get_mut(thread) {
            *taken = moment;
        }
    }
}

impl<T> Queue<T> {
    /// For so many threads that take items.
    pub(super) fn new(threads: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            taken: vec![None; threads].into(),
            asleep: 0,
            woken: 0,
            called: None,
            is_closed: false,
            searched: None,
        };
        Self { state: Mutex::new(state), ready: Condvar::new() }
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

    /// From a thread that has taken items and does not come back soon: others take what waits.
    pub(super) fn pass_on(&self, thread: usize) {
        let mut state = self.lock();
        state.set_taken(thread, None);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let wakes = state.wakes();
        drop(state);
        if wakes {
            self.ready.notify_one();
        }
    }

    /// Waits for items, or until that moment, and takes up to `most` of them for a thread, which has a number below that of the
    /// threads. `false` at the end: the queue is closed and empty.
    pub(super) fn take(&self, thread: usize, items: &mut Vec<T>, most: usize, until: Option<Instant>) -> bool {
        let mut state = self.lock();
        state.set_taken(thread, None);
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
        state.set_taken(thread, Some(Instant::now()));
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
        assert!(queue.take(0, &mut items, 3, None));
        assert_eq!(items, [0, 1, 2]);
        assert!(queue.take(0, &mut items, 3, None));
        assert_eq!(items, [0, 1, 2, 3, 4]);
        assert!(!queue.take(0, &mut items, 3, None));
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
        assert!(queue.take(0, &mut items, MOST, None));
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7]);
    }

    #[test]
    fn a_few_items_are_left_to_a_thread_that_is_awake_but_not_for_long() {
        let (now, before) = (Some(Instant::now() + Duration::from_secs(600)), Instant::now().checked_sub(MOMENT));
        let wakes = |items: usize, asleep, woken, called, taken: [Option<Instant>; 2]| {
            let (items, taken) = ((0..items).collect(), taken.into());
            State { items, taken, asleep, woken, called, is_closed: false, searched: None }.wakes()
        };
        assert!(wakes(1, 2, 0, now, [None, None]), "all sleep");
        assert!(!wakes(1, 2, 1, now, [None, None]), "one is about to come");
        assert!(wakes(1, 2, 1, before, [None, None]), "it has not come");
        assert!(!wakes(FEW - 1, 1, 0, None, [now, None]), "one has just taken some");
        assert!(wakes(FEW, 1, 0, None, [now, None]), "they are many");
        assert!(wakes(1, 1, 0, now, [before, None]), "it has not come back");
        assert!(wakes(1, 1, 0, now, [None, None]), "it has passed them on");
        assert!(!wakes(0, 2, 0, None, [None, None]), "there are none");
        assert!(!wakes(FEW, 1, 1, None, [None, None]) && !wakes(FEW, 0, 0, None, [None, None]), "nobody sleeps");
    }

    #[test]
    fn what_another_one_took_says_nothing_of_a_thread_that_does_not_come_back() {
        let queue = Queue::new(2);
        let mut items = Vec::new();
        queue.push(0, |_| false).unwrap();
        assert!(queue.take(0, &mut items, 1, None));
        std::thread::sleep(MOMENT);
        // The other takes one, and sleeps.
        queue.push(1, |_| false).unwrap();
        assert!(queue.take(1, &mut items, 1, None));
        assert!(queue.take(1, &mut items, 1, Some(Instant::now())));
        let mut state = queue.lock();
        state.asleep = 1;
        state.items.push_back(2);
        assert!(state.wakes());
    }

    #[test]
    fn no_item_is_forgotten() {
        use std::sync::mpsc;
        let queue = &Queue::new(2);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                scope.spawn(move || {
                    let mut items: Vec<mpsc::Sender<()>> = Vec::new();
                    while queue.take(thread, &mut items, 3, None) {
                        for item in items.drain(..) {
                            if rand::random() {
                                queue.pass_on(thread);
                            }
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
        assert!(queue.take(0, &mut items, 1, Some(Instant::now() + Duration::from_millis(1))));
        assert!(items.is_empty());
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut items = Vec::new();
                while queue.take(0, &mut items, 1, None) {}
                items
            });
            queue.push(7, |_| false).unwrap();
            queue.push(8, |_| false).unwrap();
            queue.close();
            assert_eq!(taker.join().unwrap(), [7, 8]);
        });
    }
}
