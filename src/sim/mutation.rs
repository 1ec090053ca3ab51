//! Planted bugs: each breaks one thing the engine relies on or does, at the ports or on the way through the plugin, the
//! way a careless change of the engine would. They prove the checker: a promise whose breach nobody notices is not
//! checked.

macro_rules! mutations {
    ($($name:ident $text:literal $what:literal),* $(,)?) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutation { $($name),* }

        impl Mutation {
            pub const ALL: &[Mutation] = &[$(Mutation::$name),*];

            pub fn name(self) -> &'static str {
                match self { $(Mutation::$name => $text),* }
            }
            /// What is broken, in one line.
            pub fn what(self) -> &'static str {
                match self { $(Mutation::$name => $what),* }
            }
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|m| m.name() == name)
            }
        }
    };
}

mutations! {
    EffectBeforeLog "effect-before-log" "the store says written before it is",
    FullDiskIgnored "full-disk-ignored" "a write that the store refused counts as done",
    FenceIgnored "fence-ignored" "an owner that lost a mission goes on writing its journal",
    LiveOwnerRobbed "live-owner-robbed" "a mission is taken from an owner that lives",
    EarlyHandBack "early-hand-back" "the report counts as handed back when it is answered, not when the host has it",
    OutboxForgotten "outbox-forgotten" "an ended mission that owes its report is not found after a restart",
    LeaseIgnored "lease-ignored" "a write that was denied is done",
    StaleIdleBelieved "stale-idle-believed" "an idle notice alone ends a turn",
    ClosedAttemptHeard "closed-attempt-heard" "a submission of an ended attempt counts for an open one of its role",
    ChecksIgnored "checks-ignored" "checks that fail count as passed",
    OldTreeJudged "old-tree-judged" "the last look at the tree is believed without looking",
    FinishedRunAgain "finished-run-again" "a completed task is not remembered after a restart",
    SessionsNotAdopted "sessions-not-adopted" "a session that an earlier process asked for is made a second time",
    BudgetIgnored "budget-ignored" "the engine does not hear of the budget",
    TaskBudgetIgnored "task-budget-ignored" "the engine does not hear of the budget of tasks and their parts",
    EditsOverwritten "edits-overwritten" "a result is put into the user's files without a look at them",
    AbortsLost "aborts-lost" "turns that are over for the engine are not ended in the host",
    WorktreeNotCleared "worktree-not-cleared" "a worktree keeps files of who worked there before",
    EditsUnseen "edits-unseen" "a rollback does not see what the user has edited since",
}
