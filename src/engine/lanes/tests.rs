//! Interleavings of lanes, bell and thieves under shuttle; then the real thing on real threads.
use super::queue::{Bell, Deque, From, Group, Rings, Shelf};
use super::*;
use crate::domain::ids::{AttemptId, MissionId, Role};
use crate::domain::plan::Priority;
use crate::engine::core::Input;
use crate::engine::metrics::Metrics;
use crossbeam_deque::{Injector, Steal};
use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What crossbeam promises, with the freedom it takes: `Retry` at any time. Its own memory orderings are its own tests.
struct Model<T>(shuttle::sync::Mutex<VecDeque<T>>);

impl<T> Default for Model<T> {
    fn default() -> Self {
        Self(shuttle::sync::Mutex::new(VecDeque::new()))
    }
}

impl<T> Shelf<T> for Model<T> {
    fn push(&self, entry: T) {
        self.0.lock().unwrap().push_back(entry);
    }
    fn pop(&self) -> Option<T> {
        self.0.lock().unwrap().pop_back()
    }
    fn steal(&self) -> Steal<T> {
        use shuttle::rand::Rng;
        if shuttle::rand::thread_rng().gen_bool(0.2) {
            shuttle::thread::yield_now();
            return Steal::Retry;
        }
        self.0.lock().unwrap().pop_front().map_or(Steal::Empty, Steal::Success)
    }
}

struct ModelBell(BatchSemaphore);

impl Default for ModelBell {
    fn default() -> Self {
        Self(BatchSemaphore::new(0, Fairness::StrictlyFair))
    }
}

impl Bell for ModelBell {
    fn ring(&self) {
        self.0.release(1);
    }
    async fn listen(&self) -> bool {
        self.0.acquire(1).await.is_ok()
    }
    fn close(&self) {
        self.0.close();
    }
    fn breathe() {
        shuttle::thread::yield_now();
    }
}

const PUSHERS: usize = 2;
const EACH: usize = 4;
const LANES: usize = 3;

/// Pushers with and without affinity against lanes that take everything exactly once and then sleep.
fn everything_is_taken_once() {
    let group: Arc<Group<Model<usize>, Model<usize>, ModelBell>> = Arc::new(Group::new(LANES));
    let seen = Arc::new(shuttle::sync::Mutex::new(vec![0; PUSHERS * EACH]));
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (group, seen) = (group.clone(), seen.clone());
            shuttle::future::spawn(async move {
                while let Some((entry, _)) = group.next::<usize>(lane).await {
                    let mut seen = seen.lock().unwrap();
                    seen[entry] += 1;
                    if seen.iter().sum::<usize>() == PUSHERS * EACH {
                        group.close();
                    }
                }
            })
        })
        .collect();
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|n| {
            let group = group.clone();
            shuttle::thread::spawn(move || {
                for i in 0..EACH {
                    let priority = [Priority::Low, Priority::Normal, Priority::High][i % 3];
                    group.push(n * EACH + i, priority, (i % 2 == 0).then_some(n));
                }
            })
        })
        .collect();
    pushers.into_iter().for_each(|p| p.join().unwrap());
    // A lane that slept on with an entry waiting would make this a deadlock, which shuttle reports.
    shuttle::future::block_on(async {
        for lane in lanes {
            lane.await.unwrap();
        }
    });
    assert_eq!(*seen.lock().unwrap(), vec![1; PUSHERS * EACH]);
    assert_eq!(group.counts.waiting(), 0);
}

#[test]
fn no_interleaving_loses_doubles_or_forgets_an_entry() {
    shuttle::check_random(everything_is_taken_once, 3_000);
    shuttle::check_pct(everything_is_taken_once, 1_000, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn all_lanes_under_load_take_every_entry_once() {
    const ENTRIES: usize = 40_000;
    let group: Arc<Group<Deque<usize>, Injector<usize>, Rings>> = Arc::new(Group::new(8));
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    for lane in 0..8 {
        let (group, tx) = (group.clone(), tx.clone());
        tokio::spawn(async move {
            while let Some((entry, _)) = group.next::<usize>(lane).await {
                tx.send(entry).expect("the test waits for them");
                if entry.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    for pusher in 0..4 {
        let group = group.clone();
        tokio::spawn(async move {
            for i in 0..ENTRIES / 4 {
                // All on two lanes, so that there is something to steal.
                let lane = (i % 4 > 0).then_some(pusher % 2);
                group.push(pusher * (ENTRIES / 4) + i, Priority::Normal, lane);
                if i.is_multiple_of(100) {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let mut seen = vec![0_u8; ENTRIES];
    for _ in 0..ENTRIES {
        let entry = tokio::time::timeout(Duration::from_secs(20), rx.recv()).await.expect("none is lost");
        seen[entry.expect("the lanes live")] += 1;
    }
    assert!(seen.iter().all(|n| *n == 1));
    assert_eq!(group.counts.waiting(), 0);
}

#[tokio::test]
async fn a_lane_takes_its_own_newest_first_and_a_thief_the_oldest() {
    let group: Group<Deque<u32>, Injector<u32>, Rings> = Group::new(2);
    (1..=3).for_each(|n| group.push(n, Priority::Normal, Some(0)));
    group.push(10, Priority::Low, None);
    group.push(11, Priority::Normal, None);
    group.push(12, Priority::High, None);
    let mut taken = Vec::new();
    for lane in [0, 0, 1, 1, 1, 1] {
        taken.push(
            group.next::<u32>(lane).await.map(|(entry, from)| (entry, format!("{from:?}"))).expect("open"),
        );
    }
    let expected = [(12, "Shared"), (3, "Own"), (11, "Shared"), (1, "Stolen"), (2, "Stolen"), (10, "Shared")];
    assert_eq!(taken, expected.map(|(n, from)| (n, from.to_owned())));
}

#[tokio::test]
async fn the_lane_that_an_entry_is_for_is_woken_and_another_only_while_it_is_at_work() {
    let group: Arc<Group<Deque<u32>, Injector<u32>, Rings>> = Arc::new(Group::new(3));
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    let goes_on = Arc::new(tokio::sync::Notify::new());
    for lane in 0..3 {
        let (group, tx, goes_on) = (group.clone(), tx.clone(), goes_on.clone());
        tokio::spawn(async move {
            while let Some((entry, from)) = group.next::<u32>(lane).await {
                tx.send((lane, entry, from)).expect("the test waits for them");
                if entry == 0 {
                    goes_on.notified().await;
                }
            }
        });
    }
    // One thread: all others have come to rest by the time this goes on.
    tokio::task::yield_now().await;
    // Lane 2 has not slept longest; then it is at work.
    let cases = [
        (1, Priority::Normal, 2, From::Own),
        (2, Priority::High, 2, From::Shared),
        (3, Priority::Low, 2, From::Shared),
        (0, Priority::Normal, 2, From::Own),
    ];
    for (entry, priority, lane, from) in cases {
        group.push(entry, priority, Some(2));
        assert_eq!(rx.recv().await, Some((lane, entry, from)));
        tokio::task::yield_now().await;
    }
    group.push(4, Priority::Normal, Some(2));
    assert_eq!(rx.recv().await, Some((0, 4, From::Stolen)), "who has slept longest");
    goes_on.notify_one();
}

#[tokio::test]
async fn priority_rules_among_entries_with_a_lane_as_well() {
    let group: Group<Deque<u32>, Injector<u32>, Rings> = Group::new(1);
    let pushed = [
        (1, Priority::Low),
        (2, Priority::High),
        (3, Priority::Normal),
        (4, Priority::Low),
        (5, Priority::High),
    ];
    pushed.into_iter().for_each(|(n, priority)| group.push(n, priority, Some(0)));
    let mut taken = Vec::new();
    for _ in pushed {
        taken.push(group.next::<u32>(0).await.map(|(n, _)| n).expect("open"));
    }
    assert_eq!(taken, [2, 5, 3, 1, 4]);
}

fn entry(mission: &str, attempt: Option<&str>, job: Job) -> Entry {
    Entry {
        key: Key {
            mission: MissionId::new(mission),
            what: attempt.map_or(What::Look, |a| What::Attempt(AttemptId::new(a))),
        },
        role: Role::Worker,
        priority: Priority::Normal,
        near: attempt.map(AttemptId::new),
        stoppable: attempt.is_none(),
        broken: Some(Input::Tick),
        job,
    }
}

fn lanes(n: usize) -> Lanes {
    Lanes::start(&BTreeMap::from([(Role::Worker, n)]), true)
}

fn numbers(lanes: &Lanes) -> Metrics {
    let mut metrics = Metrics::default();
    lanes.report(&mut metrics);
    metrics
}

#[tokio::test(start_paused = true)]
async fn withdrawn_entries_are_dropped_when_taken_and_looks_are_cut_off() {
    let mut lanes = lanes(1);
    let slow = || {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Some(Input::Tick)
        })
    };
    for key in [("m1", Some("m1/a1")), ("m1", Some("m1/a2")), ("m2", None)] {
        assert!(lanes.push(entry(key.0, key.1, slow())).is_ok());
    }
    tokio::task::yield_now().await;
    // The first runs by now: it is a call to the host, and goes to its end.
    lanes.withdraw_attempt(&AttemptId::new("m1/a1"));
    lanes.withdraw_attempt(&AttemptId::new("m1/a2"));
    let began = tokio::time::Instant::now();
    let mut done = Vec::new();
    for _ in 0..2 {
        let finished = lanes.finished().await.expect("open");
        done.push((finished.key.what, finished.input.is_some()));
    }
    let attempt = |id: &str| What::Attempt(AttemptId::new(id));
    assert_eq!(done, [(attempt("m1/a1"), true), (attempt("m1/a2"), false)]);
    assert_eq!(began.elapsed().as_secs(), 60, "the second was never begun");
    tokio::task::yield_now().await;
    lanes.withdraw_looks(&MissionId::new("m2"));
    let cut = lanes.finished().await.expect("open");
    assert!(cut.input.is_none() && began.elapsed().as_secs() == 60, "cut off at once");
    assert_eq!(numbers(&lanes).counters["lanes.dropped_at_the_pop"], 1);
    assert_eq!(numbers(&lanes).queues[0].waiting, 0);
}

#[tokio::test]
async fn a_job_that_panics_leaves_its_lane_and_its_place_free() {
    let mut lanes = lanes(1);
    assert!(lanes.push(entry("m1", Some("m1/a1"), Box::pin(async { panic!("broken on purpose") }))).is_ok());
    assert!(lanes.push(entry("m1", Some("m1/a2"), Box::pin(async { None }))).is_ok());
    let first = lanes.finished().await.expect("open");
    assert!(first.panicked && first.input == Some(Input::Tick));
    assert!(!lanes.finished().await.expect("the lane lives").panicked);
    let metrics = numbers(&lanes);
    assert_eq!((metrics.gauges["lanes.busy"], metrics.queues[0].waiting), (0, 0));
}

#[tokio::test]
async fn what_follows_an_attempt_goes_to_the_lane_that_ran_it() {
    for affinity in [true, false] {
        let mut lanes = Lanes::start(&BTreeMap::from([(Role::Worker, 4)]), affinity);
        for n in 0..50 {
            let attempt = format!("m1/a{n}");
            for _ in 0..3 {
                assert!(lanes.push(entry("m1", Some(&attempt), Box::pin(async { None }))).is_ok());
                lanes.finished().await.expect("open");
            }
        }
        let counters = numbers(&lanes).counters;
        let of = |what: &str| counters[&format!("lanes.worker.{what}")];
        let expected = if affinity { [100, 50, 0] } else { [0, 150, 0] };
        assert_eq!([of("own"), of("shared"), of("stolen")], expected);
        lanes.forget(&MissionId::new("m1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_without_work_do_not_wake() {
    let mut lanes = lanes(8);
    for n in 0..100 {
        let attempt = format!("m1/a{n}");
        assert!(lanes.push(entry("m1", Some(&attempt), Box::pin(async { None }))).is_ok());
    }
    for _ in 0..100 {
        lanes.finished().await.expect("open");
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let parks = |lanes: &Lanes| numbers(lanes).counters["lanes.worker.parks"];
    let before = parks(&lanes);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(parks(&lanes), before);
    lanes.stop().await;
}
