//! A store with the mission of the journal corpus in it.
use crate::home::Home;
use gantry::adapters::sqlite::SqliteStore;
use gantry::domain::ids::{Millis, MissionId};
use gantry::engine::core::replay;
use gantry::engine::handle::decode_all;
use gantry::engine::journal;
use gantry::ports::store::{Append, OwnerIdentity, OwnerToken, Record, Store};
use serde_json::Value;

const JOURNAL: &str = include_str!("../journals/v1.jsonl");

pub const ID: &str = "019aa3c2-7d10-7c4e-9a51-3f0c8e21b6d4";

/// As it stood after the first fact of that kind.
pub fn mission_until(home: &Home, kind: &str) {
    mission(home, JOURNAL, kind, None);
}

/// As `mission_until`, of another journal.
pub fn mission_from(home: &Home, journal: &str, kind: &str) {
    mission(home, journal, kind, None);
}

/// To its end, with another title and text.
pub fn mission_titled(home: &Home, title: &str) {
    mission(home, JOURNAL, "", Some(title));
}

fn mission(home: &Home, journal: &str, kind: &str, title: Option<&str>) {
    let mut records = Vec::new();
    for line in journal.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        let at = Millis(line["at"].as_u64().unwrap());
        let seq = line["seq"].as_u64().unwrap();
        let mut body = line["body"].clone();
        if let (Some(title), "created" | "reported") = (title, text("kind").as_str()) {
            body["title"] = title.into();
            body["text"] = title.into();
        }
        records.push(Record { seq, at, kind: text("kind"), body: body.to_string() });
        if text("kind") == kind {
            break;
        }
    }
    let id = MissionId::from(ID);
    let row = journal::row(&replay(&id, &decode_all(&records).unwrap()).unwrap());
    let by = OwnerIdentity { owner: "gone".into(), pid: 1, pid_start: 0, boot: "another machine".into() };
    let first = Append {
        mission: id,
        owner: OwnerToken { owner: by.owner.clone(), fence: 1 },
        after: 0,
        records: records.into_iter().map(|r| (r.at, r.kind, r.body)).collect(),
        row,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&home.path(".local/share/gantry/gantry.db")).unwrap();
        store.create(by, 1_000, Millis(0), first).await.unwrap();
    });
}
