//! What every store must do, as tests that any of them is run through: `store_contract!(make)` turns each case
//! into a test of the module it stands in. `make` is a closure that gives a new, empty store, and with it whatever
//! must live as long.
use super::store::*;
use crate::domain::ids::{Directory, Millis, MissionId};
use std::sync::Arc;

macro_rules! store_contract {
    ($make:expr) => {
        $crate::ports::store_contract::store_contract!($make;
            a_created_mission_is_there,
            the_same_key_in_a_directory_is_refused,
            the_same_id_is_refused,
            one_owner_at_a_time_begins_in_a_place,
            one_mission_at_a_time_is_begun_in_a_place,
            a_mission_starts_at_its_first_record,
            appends_follow_the_sequence,
            only_the_holder_may_append,
            an_append_to_several_missions_is_all_or_none,
            the_row_keeps_what_a_mission_is_found_by,
            a_live_holder_keeps_a_mission,
            an_expired_mission_is_taken_over,
            a_dead_holder_loses_its_mission,
            claiming_again_renews,
            a_heartbeat_renews_what_is_held,
            a_released_mission_is_free_and_its_fence_grows,
            the_missions_of_one_directory_are_released,
            missions_are_listed_newest_first,
            numbers_and_texts_come_back_as_they_went,
            many_writers_lose_nothing,
            the_oldest_ended_missions_are_forgotten,
        );
    };
    ($make:expr; $($case:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _guard) = ($make)();
            $crate::ports::store_contract::$case(std::sync::Arc::new(store)).await;
        }
    )+};
}
pub(crate) use store_contract;

const TTL: u64 = 1000;

fn yes(_: &OwnerIdentity) -> bool {
    true
}
fn no(_: &OwnerIdentity) -> bool {
    false
}

pub(crate) fn identity(owner: &str) -> OwnerIdentity {
    OwnerIdentity { owner: owner.into(), pid: 4_000_000_000, pid_start: 77, boot: "here:now".into() }
}

fn row(mission: &str, created_at: u64) -> MissionRow {
    MissionRow {
        id: mission.into(),
        directory: "/project".into(),
        place: "/project".into(),
        title: "Build it".into(),
        state: "queued".into(),
        phase: None,
        parent_session: "ses_1".into(),
        open: true,
        begun: false,
        done: 0,
        running: 0,
        waiting: 0,
        failed: 0,
        total: 0,
        created_at: Millis(created_at),
        ended_at: None,
        key: format!("key of {mission}"),
    }
}

/// `count` records after record `after`, by the owner that `create` gives a mission to.
pub(crate) fn append(mission: &str, after: u64, count: u64) -> Append {
    let record = |n: u64| (Millis(100 + n), "event".to_string(), format!("{{\"n\":{n}}}"));
    Append {
        mission: mission.into(),
        owner: OwnerToken { owner: "ann".into(), fence: 1 },
        after,
        records: (after + 1..=after + count).map(record).collect(),
        row: row(mission, 0),
    }
}

/// Makes a mission with one record, held by "ann" with fence 1 until `TTL`.
pub(crate) async fn create(store: &dyn Store, mission: &str, created_at: u64) -> Result<(), StoreError> {
    let first = Append { row: row(mission, created_at), ..append(mission, 0, 1) };
    store.create(identity("ann"), TTL, Millis(0), first).await
}

pub(crate) async fn length(store: &dyn Store, mission: &str) -> usize {
    let records = store.load(mission.into()).await.expect("a journal");
    let seqs: Vec<u64> = records.iter().map(|r| r.seq).collect();
    assert_eq!(seqs, (1..=records.len() as u64).collect::<Vec<_>>(), "gaps in {mission}");
    records.len()
}

async fn claim(store: &dyn Store, who: &str, now: u64, alive: fn(&OwnerIdentity) -> bool) -> Claim {
    store.claim("m1".into(), identity(who), TTL, Millis(now), alive).await.expect("a claim")
}

fn granted(owner: &str, fence: u64) -> Claim {
    Claim::Granted(OwnerToken { owner: owner.into(), fence })
}

fn held(owner: &str, until: u64) -> Claim {
    Claim::Held { by: identity(owner), until: Millis(until) }
}

pub(crate) async fn a_created_mission_is_there(store: Arc<dyn Store>) {
    create(&*store, "m1", 5).await.expect("a mission");
    let kept = store.mission("m1".into()).await.expect("a read");
    assert_eq!(kept, Some(row("m1", 5)));
    let records = store.load("m1".into()).await.expect("a journal");
    let first = Record { seq: 1, at: Millis(101), kind: "event".into(), body: "{\"n\":1}".into() };
    assert_eq!(records, [first]);
    assert_eq!(store.mission("m2".into()).await, Ok(None));
    assert_eq!(length(&*store, "m2").await, 0);
}

pub(crate) async fn the_same_key_in_a_directory_is_refused(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    let mut twin = append("m2", 0, 1);
    twin.row.key = "key of m1".into();
    let answer = store.create(identity("ann"), TTL, Millis(0), twin.clone()).await;
    assert_eq!(answer, Err(StoreError::Duplicate("m1".into())));
    assert_eq!(store.mission("m2".into()).await, Ok(None));
    assert_eq!(length(&*store, "m2").await, 0);
    twin.row.directory = "/elsewhere".into();
    assert_eq!(store.create(identity("ann"), TTL, Millis(0), twin).await, Ok(()));
}

pub(crate) async fn the_same_id_is_refused(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    let mut again = append("m1", 0, 3);
    again.row.key = "another".into();
    let answer = store.create(identity("bob"), TTL, Millis(0), again).await;
    assert_eq!(answer, Err(StoreError::Duplicate("m1".into())));
    assert_eq!(length(&*store, "m1").await, 1);
}

pub(crate) async fn a_mission_starts_at_its_first_record(store: Arc<dyn Store>) {
    let answer = store.create(identity("ann"), TTL, Millis(0), append("m1", 4, 1)).await;
    assert_eq!(answer, Err(StoreError::Sequence { mission: "m1".into(), expected: 4, found: 0 }));
    assert_eq!(store.mission("m1".into()).await, Ok(None));
}

pub(crate) async fn appends_follow_the_sequence(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    assert_eq!(store.append(vec![append("m1", 1, 3)]).await, Ok(()));
    assert_eq!(length(&*store, "m1").await, 4, "what was answered can be read");
    for after in [0, 1, 3, 5] {
        let answer = store.append(vec![append("m1", after, 1)]).await;
        let expected = StoreError::Sequence { mission: "m1".into(), expected: after, found: 4 };
        assert_eq!(answer, Err(expected));
    }
    assert_eq!(store.append(vec![append("m1", 4, 0)]).await, Ok(()), "a row may change alone");
    assert_eq!(store.append(vec![append("m1", 4, 1), append("m1", 5, 1)]).await, Ok(()));
    assert_eq!(length(&*store, "m1").await, 6);
    let answer = store.append(vec![append("none", 0, 1)]).await;
    assert!(matches!(answer, Err(StoreError::Other(_))), "{answer:?}");
}

pub(crate) async fn only_the_holder_may_append(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    for (owner, fence) in [("bob", 1), ("ann", 0), ("ann", 2)] {
        let mut late = append("m1", 1, 1);
        late.owner = OwnerToken { owner: owner.into(), fence };
        assert_eq!(store.append(vec![late]).await, Err(StoreError::Fenced("m1".into())), "{owner} {fence}");
    }
    // An expired lease that nobody took over still fences everybody else out.
    assert_eq!(store.append(vec![append("m1", 1, 1)]).await, Ok(()));
    assert_eq!(claim(&*store, "bob", TTL, yes).await, granted("bob", 2));
    assert_eq!(store.append(vec![append("m1", 2, 1)]).await, Err(StoreError::Fenced("m1".into())));
    let mut new = append("m1", 2, 1);
    new.owner = OwnerToken { owner: "bob".into(), fence: 2 };
    assert_eq!(store.append(vec![new]).await, Ok(()));
    assert_eq!(length(&*store, "m1").await, 3);
}

pub(crate) async fn an_append_to_several_missions_is_all_or_none(store: Arc<dyn Store>) {
    for mission in ["m1", "m2"] {
        create(&*store, mission, 0).await.expect("a mission");
    }
    let mut first = append("m1", 1, 2);
    first.row.state = "running".into();
    let mut stale = append("m2", 1, 1);
    stale.owner.fence = 9;
    let bad = [append("m2", 7, 1), stale, append("none", 0, 1), append("m1", 1, 1)];
    for second in bad {
        store.append(vec![first.clone(), second]).await.expect_err("a refusal");
        assert_eq!(length(&*store, "m1").await, 1);
        assert_eq!(store.mission("m1".into()).await, Ok(Some(row("m1", 0))));
    }
    assert_eq!(store.append(vec![first, append("m2", 1, 1)]).await, Ok(()));
    assert_eq!((length(&*store, "m1").await, length(&*store, "m2").await), (3, 2));
    assert_eq!(store.append(vec![]).await, Ok(()));
}

pub(crate) async fn the_row_keeps_what_a_mission_is_found_by(store: Arc<dyn Store>) {
    create(&*store, "m1", 5).await.expect("a mission");
    let changed = MissionRow {
        id: "other".into(),
        directory: "/elsewhere".into(),
        place: "/elsewhere".into(),
        title: "Built".into(),
        state: "completed".into(),
        phase: Some("integrating".into()),
        parent_session: "ses_2".into(),
        open: false,
        begun: false,
        done: 1,
        running: 2,
        waiting: 3,
        failed: 4,
        total: 10,
        created_at: Millis(99),
        ended_at: Some(Millis(7)),
        key: "another".into(),
    };
    let write = Append { row: changed.clone(), ..append("m1", 1, 1) };
    assert_eq!(store.append(vec![write]).await, Ok(()));
    let fixed = row("m1", 5);
    let expected = MissionRow {
        id: fixed.id,
        directory: fixed.directory,
        place: fixed.place,
        created_at: fixed.created_at,
        key: fixed.key,
        ..changed
    };
    assert_eq!(store.mission("m1".into()).await, Ok(Some(expected)));
}

pub(crate) async fn a_live_holder_keeps_a_mission(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    assert_eq!(claim(&*store, "bob", TTL - 1, yes).await, held("ann", TTL));
    assert_eq!(store.append(vec![append("m1", 1, 1)]).await, Ok(()));
    let unknown = store.claim("none".into(), identity("bob"), TTL, Millis(0), yes).await;
    assert_eq!(unknown, Ok(Claim::Unknown));
}

pub(crate) async fn an_expired_mission_is_taken_over(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    assert_eq!(claim(&*store, "bob", TTL, yes).await, granted("bob", 2));
    assert_eq!(claim(&*store, "ann", TTL + 1, yes).await, held("bob", 2 * TTL));
    assert_eq!(claim(&*store, "ann", 2 * TTL, yes).await, granted("ann", 3));
}

pub(crate) async fn a_dead_holder_loses_its_mission(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    fn is_ann_as_created(who: &OwnerIdentity) -> bool {
        *who == identity("ann")
    }
    assert_eq!(claim(&*store, "bob", 1, is_ann_as_created).await, held("ann", TTL));
    assert_eq!(claim(&*store, "bob", 1, no).await, granted("bob", 2));
    assert_eq!(store.append(vec![append("m1", 1, 1)]).await, Err(StoreError::Fenced("m1".into())));
}

pub(crate) async fn claiming_again_renews(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    assert_eq!(claim(&*store, "ann", 600, no).await, granted("ann", 1));
    assert_eq!(claim(&*store, "bob", TTL, yes).await, held("ann", 600 + TTL));
    assert_eq!(claim(&*store, "ann", 9 * TTL, yes).await, granted("ann", 1), "expired, but still its own");
}

pub(crate) async fn one_owner_at_a_time_begins_in_a_place(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    let by_bob = |mission: &str, at: u64| {
        let mut first = append(mission, 0, 1);
        first.owner.owner = "bob".into();
        first.row.directory = "/project/below".into();
        store.create(identity("bob"), TTL, Millis(at), first)
    };
    assert_eq!(by_bob("m2", TTL - 1).await, Err(StoreError::PlaceTaken("m1".into())));
    assert_eq!(store.load("m2".into()).await.map(|r| r.len()), Ok(0), "nothing is written");
    create(&*store, "m3", 0).await.expect("its own is no hindrance");
    assert_eq!(by_bob("m2", TTL).await, Ok(()), "what has run out is none either");
}

pub(crate) async fn one_mission_at_a_time_is_begun_in_a_place(store: Arc<dyn Store>) {
    let change = |mission: &str, after: u64, begun: bool, open: bool| {
        let mut change = append(mission, after, 1);
        change.row = MissionRow { begun, open, ..row(mission, 0) };
        change
    };
    let created = |mut first: Append, place: &str| {
        first.row.place = place.into();
        store.create(identity("ann"), TTL, Millis(0), first)
    };
    create(&*store, "m1", 0).await.expect("a mission");
    create(&*store, "m2", 0).await.expect("a mission");
    assert_eq!(store.append(vec![change("m1", 1, true, true)]).await, Ok(()));
    let taken = Err(StoreError::PlaceTaken("m1".into()));
    assert_eq!(store.append(vec![change("m2", 1, true, true)]).await, taken, "one owner, and yet");
    assert_eq!(length(&*store, "m2").await, 1, "nothing is written");
    assert_eq!(created(change("m3", 0, true, true), "/project").await, taken);
    assert_eq!(created(change("m3", 0, true, true), "/project2").await, Ok(()), "another place");
    let both = vec![change("m2", 1, true, true), change("m1", 2, false, true)];
    assert_eq!(store.append(both).await, Ok(()), "one ends as the other begins, in any order");
    assert_eq!(store.append(vec![change("m2", 2, true, true)]).await, Ok(()), "it is begun itself");
}

async fn heartbeat(
    store: &dyn Store,
    owner: &str,
    missions: &[&str],
    now: u64,
) -> Result<Vec<MissionId>, StoreError> {
    let missions = missions.iter().map(|m| MissionId::from(*m)).collect();
    store.heartbeat(owner.into(), missions, TTL, Millis(now)).await
}

pub(crate) async fn a_heartbeat_renews_what_is_held(store: Arc<dyn Store>) {
    for mission in ["m1", "m2", "m3"] {
        create(&*store, mission, 0).await.expect("a mission");
    }
    let taken = store.claim("m2".into(), identity("bob"), TTL, Millis(TTL), yes).await;
    assert_eq!(taken, Ok(granted("bob", 2)));
    let kept = heartbeat(&*store, "ann", &["m2", "m1", "unknown"], TTL).await;
    assert_eq!(kept, Ok(vec!["m1".into()]));
    assert_eq!(claim(&*store, "bob", 2 * TTL - 1, yes).await, held("ann", 2 * TTL));
    let not_named = store.claim("m3".into(), identity("bob"), TTL, Millis(TTL), yes).await;
    assert_eq!(not_named, Ok(granted("bob", 2)), "it ran out");
    assert_eq!(heartbeat(&*store, "nobody", &["m1"], 0).await, Ok(vec![]));
}

pub(crate) async fn a_released_mission_is_free_and_its_fence_grows(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    assert_eq!(store.release("bob".into(), None).await, Ok(()));
    assert_eq!(claim(&*store, "bob", 1, yes).await, held("ann", TTL));
    assert_eq!(store.release("ann".into(), None).await, Ok(()));
    assert_eq!(store.append(vec![append("m1", 1, 1)]).await, Err(StoreError::Fenced("m1".into())));
    assert_eq!(heartbeat(&*store, "ann", &["m1", "m2"], 0).await, Ok(vec![]));
    assert_eq!(claim(&*store, "ann", 1, yes).await, granted("ann", 2));
    assert_eq!(store.append(vec![append("m1", 1, 1)]).await, Err(StoreError::Fenced("m1".into())));
}

pub(crate) async fn the_missions_of_one_directory_are_released(store: Arc<dyn Store>) {
    for (mission, directory) in [("m1", "/p"), ("m2", "/q")] {
        let mut first = append(mission, 0, 1);
        first.row = MissionRow { directory: directory.into(), ..row(mission, 0) };
        store.create(identity("ann"), TTL, Millis(0), first).await.expect("a mission");
    }
    assert_eq!(store.release("ann".into(), Some("/p".into())).await, Ok(()));
    assert_eq!(heartbeat(&*store, "ann", &["m1", "m2"], 0).await, Ok(vec!["m2".into()]));
}

pub(crate) async fn missions_are_listed_newest_first(store: Arc<dyn Store>) {
    for (mission, created_at, directory, open) in
        [("a", 30, "/p", true), ("b", 10, "/q", true), ("c", 30, "/p", false), ("d", 20, "/p", true)]
    {
        let mut first = append(mission, 0, 1);
        first.row = MissionRow { directory: directory.into(), open, ..row(mission, created_at) };
        store.create(identity("ann"), TTL, Millis(0), first).await.expect("a mission");
    }
    let cases: [(Option<&str>, bool, u32, &[&str]); 7] = [
        (None, false, 9, &["c", "a", "d", "b"]),
        (None, true, 9, &["a", "d", "b"]),
        (Some("/p"), false, 9, &["c", "a", "d"]),
        (Some("/p"), true, 9, &["a", "d"]),
        (Some("/q"), true, 9, &["b"]),
        (Some("/none"), false, 9, &[]),
        (None, false, 2, &["c", "a"]),
    ];
    for (directory, open_only, limit, expected) in cases {
        let rows = store.missions(directory.map(Directory::from), open_only, limit).await.expect("a list");
        let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, expected, "{directory:?} {open_only} {limit}");
    }
}

pub(crate) async fn numbers_and_texts_come_back_as_they_went(store: Arc<dyn Store>) {
    create(&*store, "m1", 0).await.expect("a mission");
    let body = "{\"text\":\"\u{1f600} \\u0000 '\\\" -- \n\"}".to_string();
    let mut write = append("m1", 1, 0);
    write.records = vec![(Millis(1 << 52), "späße".into(), body.clone())];
    write.row.total = u32::MAX;
    store.append(vec![write]).await.expect("an append");
    let records = store.load("m1".into()).await.expect("a journal");
    let expected = Record { seq: 2, at: Millis(1 << 52), kind: "späße".into(), body };
    assert_eq!(records[1], expected);
    assert_eq!(store.mission("m1".into()).await.expect("a read").expect("a row").total, u32::MAX);
    // A lease without end.
    let forever = store.claim("m1".into(), identity("ann"), u64::MAX, Millis(1), yes).await;
    assert_eq!(forever, Ok(granted("ann", 1)));
    assert!(matches!(claim(&*store, "bob", 1 << 52, yes).await, Claim::Held { .. }));
}

/// Eight writers, some with missions of their own, some racing for one: every acknowledged record is there,
/// once, and a refusal is always one of the sequence.
pub(crate) async fn many_writers_lose_nothing(store: Arc<dyn Store>) {
    for mission in ["m0", "m1", "m2", "m3", "shared"] {
        create(&*store, mission, 0).await.expect("a mission");
    }
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mission = if writer < 4 { format!("m{writer}") } else { "shared".to_string() };
                write_until(&*store, &mission, 50).await
            })
        })
        .collect();
    let mut acknowledged = 0;
    for writer in writers {
        acknowledged += writer.await.expect("a writer");
    }
    let mut total = 0;
    for mission in ["m0", "m1", "m2", "m3", "shared"] {
        total += length(&*store, mission).await - 1;
    }
    assert_eq!((acknowledged, total), (8 * 50, 8 * 50));
}

/// Appends `count` records one by one, re-reading where another writer was first.
pub(crate) async fn write_until(store: &dyn Store, mission: &str, count: usize) -> usize {
    let mut after = 1;
    let mut done = 0;
    while done < count {
        match store.append(vec![append(mission, after, 1)]).await {
            Ok(()) => {
                after += 1;
                done += 1;
            }
            Err(StoreError::Sequence { found, .. }) => after = found,
            Err(other) => panic!("{mission}: {other}"),
        }
    }
    done
}

/// However old an open mission is, it stays, and one that somebody holds; of the ended ones the newest.
pub(crate) async fn the_oldest_ended_missions_are_forgotten(store: Arc<dyn Store>) {
    for (at, open) in [(1, true), (2, false), (3, false), (4, true), (5, false), (6, false)] {
        let mission = format!("m{at}");
        let mut first = append(&mission, 0, 2);
        first.row = MissionRow { open, ..row(&mission, at) };
        store.create(identity("ann"), TTL, Millis(at), first).await.expect("a mission");
    }
    assert_eq!(store.prune(0, 9, Millis(TTL)).await, Ok(0), "all of them are held");
    // The hold on the first two has run out.
    assert_eq!(store.prune(2, 9, Millis(TTL + 2)).await, Ok(1));
    let late = Millis(TTL + 100);
    assert_eq!(store.prune(4, 9, late).await, Ok(0), "there are no more than that");
    assert_eq!(store.prune(2, 0, late).await, Ok(0), "no more than were asked for");
    assert_eq!(store.prune(2, 1, late).await, Ok(1));
    let left = store.missions(None, false, 10).await.expect("a list");
    assert_eq!(left.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["m6", "m5", "m4", "m1"]);
    for (mission, records) in [("m2", 0), ("m3", 0), ("m5", 2), ("m1", 2)] {
        assert_eq!(length(&*store, mission).await, records, "{mission}");
    }
    let again = store.create(identity("ann"), TTL, Millis(9), append("m2", 0, 1)).await;
    assert_eq!(again, Ok(()), "its name and its key are free again");
    assert_eq!(store.prune(0, 9, late).await, Ok(2));
}
