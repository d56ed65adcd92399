//! Clients that come back to this object.
//!
//! ```text
//!              ┌──────── another has it ───────┐
//!              ▼                               │
//!   claim ─► Claiming ── held ─► Occupying ─► Asking ─► Storing ─► Confirming ─► Returned
//!              │  ▲                 ▲                       of this object's own: ─► Returned
//!      unknown ▼  │                 │
//!            Finding          readmit
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::attempts::{Returning, Step, last_own};
use super::{Full, Members, Node, Purpose, Rule, is_broken};
use crate::cluster::{
    Address, Adopted, Answer, Claimed, Comeback, Confirmed, Held, HubIndex, Interested, MAX_HOPS,
    MAX_RETURN_BYTES, MAX_RETURNS, MAX_ROOMS, MissedEvents, NodeId, NotReturned, Output, OwnEvent,
    Unconfirmed,
};
use crate::{Set, Timestamp};

/// The only hub of a namespace whose clients can come back.
const HUB: HubIndex = HubIndex(0);

/// The number of a client that comes back, which the driver chooses and uses once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReturnKey(pub u64);

impl Node {
    /// A client has come back that had its socket elsewhere, or here before that.
    ///
    /// The node that holds the socket is looked for, beginning with its home, and asked
    /// for it. [`Output::Adopt`] follows, and then [`Output::Returned`]; or
    /// [`Output::NotReturned`].
    ///
    /// # Errors
    ///
    /// [`MAX_RETURNS`] clients are coming back already.
    ///
    /// ```
    /// use dormouse_proto::Timestamp;
    /// use dormouse_proto::cluster::{
    ///     Answer, Call, Claimed, Comeback, Interested, Node, NodeId, NodeLife, NotReturned,
    ///     Output, ReturnKey, Settings,
    /// };
    ///
    /// let now = Timestamp::from_millis(0);
    /// let nobody = |_: &str| false;
    /// let mut node = Node::new(NodeId([7; 32]), NodeLife(1), Settings::default());
    /// let client = Comeback {
    ///     pid: "guessed",
    ///     home: NodeId([8; 32]),
    ///     id: "ada",
    ///     position: None,
    /// };
    /// node.claim(ReturnKey(0), &client, now, &nobody).unwrap();
    ///
    /// let Some(Output::Call { id, call: Call::Claim(_), .. }) = node.poll_output() else {
    ///     panic!("the socket's home is asked first");
    /// };
    /// node.handle_answer(id, Answer::Claimed(Claimed::Unknown), now, 0, &nobody);
    /// let Some(Output::Call { id, call: Call::Ask(_), .. }) = node.poll_output() else {
    ///     panic!("then the hub, for an object in the room of its id");
    /// };
    /// let nowhere = Answer::Interested(Interested::default());
    /// node.handle_answer(id, nowhere, now, 0, &nobody);
    /// let told = Output::NotReturned(ReturnKey(0), NotReturned::Unknown);
    /// assert_eq!(node.poll_output(), Some(told));
    /// ```
    pub fn claim(
        &mut self,
        key: ReturnKey,
        client: &Comeback<'_>,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<(), Full> {
        let next = VecDeque::from([client.home]);
        let returning = Returning {
            id: client.id.into(),
            position: client.position,
            next,
            ..Returning::new(client.pid, now)
        };
        self.begin_return(key, returning, now, members)?;
        self.ask_next(key, now, members);
        self.send(now, members);
        Ok(())
    }

    /// A client has come back whose socket is stored here, confirmed, and held by no
    /// session any more. [`Output::Returned`] or [`Output::NotReturned`] follows.
    ///
    /// # Errors
    ///
    /// [`MAX_RETURNS`] clients are coming back already.
    pub fn readmit(
        &mut self,
        key: ReturnKey,
        pid: &str,
        held: Held,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<(), Full> {
        self.begin_return(key, Returning::new(pid, now), now, members)?;
        self.keeping.forget_claim(pid);
        self.occupy_for(key, held, now, members);
        self.send(now, members);
        Ok(())
    }

    /// The driver has stored a socket that was to be [adopted](Output::Adopt).
    pub fn adopted(&mut self, key: ReturnKey, now: Timestamp, members: &dyn Members) {
        if let Some(returning) = self.returns.open.get_mut(&key)
            && let (Step::Storing, Some(owner)) = (returning.step, returning.owner)
        {
            returning.step = Step::Confirming(owner);
            self.send(now, members);
        }
    }

    /// A client that was about to come back has gone again, or could not be stored. Does
    /// nothing if it has come back, or will not any more.
    pub fn forget_return(&mut self, key: ReturnKey, now: Timestamp, members: &dyn Members) {
        self.drop_return(key, now, members);
        self.send(now, members);
    }

    fn begin_return(
        &mut self,
        key: ReturnKey,
        returning: Returning,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<(), Full> {
        if self.returns.open.len() >= MAX_RETURNS {
            return Err(Full);
        }
        // Of one client, the last attempt counts.
        self.supersede(&returning.pid, now, members);
        self.returns.open.insert(key, returning);
        Ok(())
    }

    /// Ends attempts of a client that has come to another object, or again to this one.
    pub(super) fn supersede(&mut self, pid: &str, now: Timestamp, members: &dyn Members) {
        let open = self.returns.open.iter();
        let same = open.filter(|(_, returning)| returning.pid == pid);
        for key in same.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.end_return(key, NotReturned::Superseded, now, members);
        }
    }

    fn end_return(
        &mut self,
        key: ReturnKey,
        why: NotReturned,
        now: Timestamp,
        members: &dyn Members,
    ) {
        if self.drop_return(key, now, members) {
            self.calls.output(Output::NotReturned(key, why));
        }
    }

    fn drop_return(&mut self, key: ReturnKey, now: Timestamp, members: &dyn Members) -> bool {
        let Some(mut returning) = self.returns.remove(key) else {
            return false;
        };
        if let Some(call) = returning.flight.finish() {
            self.calls.end(call);
        }
        self.leave_for(&returning, now, members);
        true
    }

    /// A socket is not in its rooms here after all. Of those that the hub does not know
    /// of, the answer to what it was told is to be awaited.
    fn leave_for(&mut self, returning: &Returning, now: Timestamp, members: &dyn Members) {
        for room in returning.held.iter().flat_map(|held| &held.rooms) {
            if !returning.unknown.contains(room) {
                self.leave(room, now, members);
            }
        }
    }

    /// Asks the next node that may have the socket, or the hub who may.
    fn ask_next(&mut self, key: ReturnKey, now: Timestamp, members: &dyn Members) {
        let here = self.id;
        let Some(returning) = self.returns.open.get_mut(&key) else {
            return;
        };
        returning.flight.finish();
        while let Some(node) = returning.next.pop_front() {
            // What is stored here, the driver has looked for.
            if node != here && returning.hops < MAX_HOPS {
                returning.hops += 1;
                returning.step = Step::Claiming(node);
                return;
            }
        }
        if mem::replace(&mut returning.has_asked_hub, true) {
            self.end_return(key, NotReturned::Unknown, now, members);
        } else {
            returning.step = Step::Finding;
        }
    }

    /// Whoever was asked about a client has answered. Returns what is no answer to that.
    pub(super) fn return_answered(
        &mut self,
        key: ReturnKey,
        answer: Answer,
        now: Timestamp,
        members: &dyn Members,
    ) -> Option<Answer> {
        let step = self.returns.open.get(&key)?.step;
        match (step, answer) {
            (Step::Claiming(owner), Answer::Claimed(claimed)) => {
                self.claim_answered(key, owner, claimed, now, members);
            }
            (Step::Finding, Answer::Interested(interested)) => {
                self.found(key, interested, now, members);
            }
            (Step::Asking, Answer::Missed(missed)) => self.missed(key, missed, now, members),
            (Step::Confirming(_), Answer::Confirmed(confirmed)) => {
                self.confirm_answered(key, confirmed, now, members);
            }
            (_, answer) => return Some(answer),
        }
        None
    }

    /// The hub has said who may have a socket.
    fn found(
        &mut self,
        key: ReturnKey,
        interested: Interested,
        now: Timestamp,
        members: &dyn Members,
    ) {
        if let Some(returning) = self.returns.open.get_mut(&key) {
            returning.next.extend(interested.nodes);
            returning.hops = 0;
            self.ask_next(key, now, members);
        }
    }

    /// A node has answered a claim.
    fn claim_answered(
        &mut self,
        key: ReturnKey,
        owner: NodeId,
        claimed: Claimed,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let Some(returning) = self.returns.open.get_mut(&key) else {
            return;
        };
        match claimed {
            Claimed::Held(attempt, mut held) => {
                returning.owner = Some(owner);
                returning.attempt = attempt;
                // Whoever looks for it here asks the hub.
                if !held.rooms.contains(&held.id) {
                    held.rooms.push(held.id.clone());
                }
                self.occupy_for(key, held, now, members);
            }
            Claimed::Moved(node) => {
                returning.next.push_front(node);
                self.ask_next(key, now, members);
            }
            Claimed::Gone => self.end_return(key, NotReturned::Gone, now, members),
            Claimed::Unknown => self.ask_next(key, now, members),
        }
    }

    /// Tells the hub of the rooms of a socket that is about to come back. From now on its
    /// events are held.
    fn occupy_for(&mut self, key: ReturnKey, held: Held, now: Timestamp, members: &dyn Members) {
        if held.rooms.len() > MAX_ROOMS {
            return self.end_return(key, NotReturned::Gone, now, members);
        }
        let mut unknown = Set::new();
        for room in &held.rooms {
            let is_known = self.lingering.remove(room) || members.is_occupied(room);
            *self.returns.rooms.entry(room.clone()).or_default() += 1;
            if !is_known {
                unknown.insert(room.clone());
            }
        }
        let link = self.links.entry(HUB).or_default();
        for room in &unknown {
            link.control.occupy(room);
        }
        if let Some(returning) = self.returns.open.get_mut(&key) {
            returning.flight.finish();
            let own = held.own.iter().map(|event| event.payload.0.len());
            returning.bytes += own.sum::<usize>();
            returning.step = Step::Occupying;
            returning.unknown = match is_broken(Rule::OccupyFirst) {
                true => Set::new(),
                false => unknown,
            };
            returning.held = Some(held);
        }
    }

    /// The hub has said what a socket has missed.
    fn missed(
        &mut self,
        key: ReturnKey,
        missed: Option<MissedEvents>,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let Some(returning) = self.returns.open.get_mut(&key) else {
            return;
        };
        let Some(missed) = missed else {
            return self.end_return(key, NotReturned::Gone, now, members);
        };
        returning.flight.finish();
        let sizes = missed.events.iter().map(|(_, operation)| operation.size());
        returning.bytes += sizes.sum::<usize>();
        returning.missed = missed;
        if returning.bytes > MAX_RETURN_BYTES {
            return self.end_return(key, NotReturned::Gone, now, members);
        }
        let Some((held, from)) = returning.held.as_ref().zip(returning.owner) else {
            return self.end_return_well(key, Vec::new());
        };
        returning.step = Step::Storing;
        let adopted = Adopted {
            held: held.clone(),
            unconfirmed: Unconfirmed {
                from,
                attempt: returning.attempt,
                own: last_own(held),
            },
        };
        if is_broken(Rule::StoreFirst) {
            returning.step = Step::Confirming(from);
        } else {
            self.calls.output(Output::Adopt(key, adopted.into()));
        }
    }

    /// The node that has held a socket has answered.
    fn confirm_answered(
        &mut self,
        key: ReturnKey,
        confirmed: Confirmed,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let Some(returning) = self.returns.open.get_mut(&key) else {
            return;
        };
        match confirmed {
            Confirmed::Given(meanwhile) => self.end_return_well(key, meanwhile),
            Confirmed::Superseded => {
                self.end_return(key, NotReturned::Superseded, now, members);
            }
            Confirmed::Gone => self.end_return(key, NotReturned::Gone, now, members),
            Confirmed::Moved(node) => {
                returning.next.push_front(node);
                self.start_again(key, now, members);
            }
            Confirmed::Unknown => {
                returning.next.extend(returning.owner);
                self.start_again(key, now, members);
            }
        }
    }

    /// Another node has the socket, or its own does not remember the claim.
    fn start_again(&mut self, key: ReturnKey, now: Timestamp, members: &dyn Members) {
        let Some(mut before) = self.returns.remove(key) else {
            return;
        };
        before.flight.finish();
        self.leave_for(&before, now, members);
        let returning = Returning {
            id: before.id,
            position: before.position,
            until: before.until,
            next: before.next,
            hops: before.hops,
            has_asked_hub: before.has_asked_hub,
            ..Returning::new(&before.pid, now)
        };
        self.returns.open.insert(key, returning);
        self.ask_next(key, now, members);
    }

    /// The socket is here.
    fn end_return_well(&mut self, key: ReturnKey, meanwhile: Vec<OwnEvent>) {
        let taken = self.links.get(&HUB).map_or(0, |link| link.mark.1);
        if let Some(mut returning) = self.returns.remove(key) {
            returning.flight.finish();
            self.keeping.forget_claim(&returning.pid);
            if let Some(returned) = returning.returned(taken, meanwhile) {
                self.calls.output(Output::Returned(key, returned.into()));
            }
        }
    }

    pub(super) fn send_returns(&mut self, now: Timestamp, members: &dyn Members) {
        let node = self.id;
        let mut large = Vec::new();
        for (key, one) in self.returns.open.iter_mut() {
            if one.bytes > MAX_RETURN_BYTES {
                large.push(*key);
                continue;
            }
            if !one.flight.is_idle() && !one.flight.is_due(now) {
                continue;
            }
            if one.step == Step::Occupying && one.unknown.is_empty() {
                one.step = Step::Asking;
            }
            let (to, call) = match one.step {
                Step::Occupying | Step::Storing => continue,
                Step::Claiming(owner) => (Address::Node(owner), one.claim(node)),
                Step::Finding | Step::Asking => (Address::Hub(HUB), one.question()),
                Step::Confirming(owner) => (Address::Node(owner), one.confirm(node)),
            };
            let id = self.calls.call(to, call, Purpose::Return(*key));
            one.flight.start(id);
        }
        for key in large {
            self.end_return(key, NotReturned::Gone, now, members);
        }
    }

    pub(super) fn end_returns(&mut self, now: Timestamp, members: &dyn Members) {
        let open = self.returns.open.iter();
        let over = open.filter(|(_, returning)| returning.until <= now);
        for key in over.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.end_return(key, NotReturned::Unanswered, now, members);
        }
    }
}
