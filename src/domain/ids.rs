//! Names of things. Each kind is a type of its own, so that one cannot stand in for another.
use std::fmt;

macro_rules! ids {
    ($($(#[$m:meta])* $name:ident),* $(,)?) => {$(
        $(#[$m])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl $name {
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }
    )*};
}

ids! {
    /// A mission; a version 7 UUID, so ids sort by age.
    MissionId,
    /// A task within its mission, as the plan names it (`T1`).
    TaskId,
    /// One try by an agent; `mission/aN` with N counted per mission.
    AttemptId,
    /// A conversation of the host, as the host names it.
    HostSessionId,
    /// A directory of the host; the routing key for everything that concerns it.
    Directory,
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Millis(pub u64);

impl Millis {
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to `self`; 0 where the clock went backwards.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What an agent is asked to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    Commander,
    Planner,
    Worker,
    Reviewer,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Commander, Role::Planner, Role::Worker, Role::Reviewer];

    /// Name of the host agent that plays the role.
    pub fn name(self) -> &'static str {
        match self {
            Role::Commander => "commander",
            Role::Planner => "planner",
            Role::Worker => "worker",
            Role::Reviewer => "reviewer",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}
