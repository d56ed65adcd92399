//! Rules that tests can break, one at a time, to see that the simulation notices.
//! Outside tests none can be broken.

/// A rule, named after what happens without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A node drops what it has had of a sender.
    DropRepeated,
    /// A publish is answered when all nodes have answered.
    AwaitNodes,
    /// A room with a join pending is not named as vacant.
    KeepPending,
    /// A hub strikes out only rows with a lower stamp.
    CompareStamps,
    /// A deliver and a publish name the life of their callee.
    NameLives,
    /// A node refuses a deliver with a lower number, or of an earlier life, than the last.
    NumberDelivers,
    /// Nothing is delivered or placed after its deadline.
    KeepDeadlines,
    /// A node that has lost its memory, but not its sockets, knows what they had.
    KeepMarks,
    /// A node that has no stamp says hello to be able to vacate.
    Greet,
    /// A node takes the era that a deliver names.
    FollowEra,
    /// A hub asks others after the publish came, not before.
    AskAfterwards,
    /// A hub that does not answer makes an emit partial.
    CountSilence,
    /// A batch is placed in one go.
    #[cfg(test)]
    PlaceTogether,
    /// Emits that share a room do not go by two hubs at once.
    HoldShared,
    /// Senders count for each hub.
    CountPerHub,
    /// A second node's row waits for the recall of a grant.
    RecallFirst,
    /// A hub recalls grants that it does not remember.
    #[cfg(test)]
    DistrustMemory,
    /// The second row is written after the recall was answered.
    WriteLast,
    /// No grant while a second node waits for a recall.
    NoGrantMeanwhile,
    /// A recall cancels a grant that is on its way.
    CancelArriving,
    /// A vacated room is no longer granted.
    VacateGrant,
    /// An own occupy cancels a grant that is on its way.
    SpoilByOccupy,
    /// A local emit does not pass own emits that are under way.
    LocalLast,
    /// An emit is local only if all of its rooms are granted.
    GrantAll,
    /// The driver touches its storage, which stops an old instance.
    #[cfg(test)]
    TouchStorage,
    /// Rows are safe before an output of the hub leaves its driver.
    #[cfg(test)]
    GateOutputs,
}

#[cfg(test)]
std::thread_local! {
    static BROKEN: core::cell::Cell<Option<Rule>> = const { core::cell::Cell::new(None) };
}

/// Returns whether a test has broken this rule.
#[cfg(test)]
pub(super) fn is_broken(rule: Rule) -> bool {
    BROKEN.get() == Some(rule)
}

/// Returns `false`.
#[cfg(not(test))]
pub(super) const fn is_broken(_: Rule) -> bool {
    false
}

/// Breaks one rule in this thread, or none.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn break_rule(rule: Option<Rule>) {
    BROKEN.set(rule);
}
