//! Ids made from time and chance.
use crate::domain::ids::MissionId;
use crate::ports::system::Ids;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, Default)]
pub struct Uuids;

impl Ids for Uuids {
    fn mission(&self) -> MissionId {
        MissionId(new_id())
    }
}

/// Version 7, in lower case with hyphens. Those of one process sort in the order they were made, also within
/// one millisecond.
#[allow(clippy::disallowed_methods, reason = "this is the port's one real source of ids")]
pub(super) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_sort_by_age() {
        let made: Vec<MissionId> = (0..2000).map(|_| Uuids.mission()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        let parsed = Uuid::parse_str(made[0].as_str()).expect("a UUID");
        assert_eq!(parsed.get_version_num(), 7);
    }
}
