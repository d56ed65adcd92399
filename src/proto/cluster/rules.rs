//! Rules that tests can break, one at a time, to see that the simulation notices.
//! Outside tests none can be broken.

/// A rule, named after what happens without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A node drops what it has had of a sender.
    DropRepeated,
    /// A publish is answered when all nodes have answered.
    AwaitNodes,
    /// A sender goes on as soon as its events have their places, and no earlier.
    PlaceBeforeNext,
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
    /// What a node has said by another one is ignored if it was called again meanwhile.
    IgnoreEarlier,
    /// A node that did not answer by another one is called.
    CallSilent,
    /// If a node does not say what became of what it was to pass on, all others are called.
    CallAll,
    /// A batch is placed in one go.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    PlaceTogether,
    /// Emits that share a room do not go by two hubs at once.
    HoldShared,
    /// Senders count for each hub.
    CountPerHub,
    /// A second node's row waits for the recall of a grant.
    RecallFirst,
    /// A hub recalls grants that it does not remember.
    #[cfg(all(test, not(target_arch = "wasm32")))]
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
    /// A hub refuses what names rooms that other hubs lead, by its number of them.
    RefuseOthers,
    /// A node makes its rooms known to the hubs that lead them now.
    MoveRooms,
    /// A node emits nothing before that.
    MoveFirst,
    /// Nor may a socket be in such a room at once.
    JoinMoved,
    /// A hub deletes the rows of rooms that others lead now.
    DeleteOthers,
    /// An event is a row before it is acknowledged.
    LogFirst,
    /// A repeated publish is not logged twice, also after the end of the hub's memory.
    LogOnce,
    /// A logged event is sent until a node has taken it.
    SendUntilTaken,
    /// What an earlier life has logged and not passed on is sent again.
    SendAfterCrash,
    /// Nothing new is placed before it is known what has to be sent before.
    ResumeFirst,
    /// Nothing overtakes events that are still to be read from the log.
    StayBehind,
    /// A node learns that events are gone which it has not taken.
    TellGaps,
    /// A client of which something missed may be gone starts over.
    AdmitHoles,
    /// Rooms of a socket that is about to come back have a member.
    KeepReturning,
    /// The hub is told of a socket's rooms before it is asked what was missed.
    OccupyFirst,
    /// What comes while a socket is on its way is held for it.
    HoldLater,
    /// What is held and was missed is given once.
    DropEarlier,
    /// A socket is stored before it is confirmed.
    StoreFirst,
    /// A socket is given only to the last attempt that has claimed it.
    GiveClaimed,
    /// The same confirmation is answered again with the same.
    GiveAgain,
    /// A socket that was given away is looked for where it is.
    FollowTombstones,
    /// A claim is over when the client has come back.
    ForgetClaims,
    /// No attempt goes on beside the question whose a stored socket is.
    SettleAlone,
    /// The driver gives out no socket that is not known to be its object's.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    SettleFirst,
    /// The driver gives a socket no event that it has had before it came here.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    SkipEarlier,
    /// The driver looks again for what it has logged for a socket that was on its way.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    ReadAgain,
    /// The driver lets a socket begin at a place that is not old.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    BeginLate,
    /// The driver sets the alarm of a hub.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    SetAlarm,
    /// The driver touches its storage, which stops an old instance.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    TouchStorage,
    /// Rows are safe before an output of the hub leaves its driver.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    GateOutputs,
}

#[cfg(all(test, not(target_arch = "wasm32")))]
std::thread_local! {
    static BROKEN: core::cell::Cell<Option<Rule>> = const { core::cell::Cell::new(None) };
}

/// Returns whether a test has broken this rule.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn is_broken(rule: Rule) -> bool {
    BROKEN.get() == Some(rule)
}

/// Returns `false`.
#[cfg(any(not(test), target_arch = "wasm32"))]
pub(super) const fn is_broken(_: Rule) -> bool {
    false
}

/// Breaks one rule in this thread, or none.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn break_rule(rule: Option<Rule>) {
    BROKEN.set(rule);
}
