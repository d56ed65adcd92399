//! Sockets of this object that others claim: one attempt gets each.

use alloc::string::String;
use core::mem;

use super::{Members, Node, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, Answer, Attempt, Call, Claim, Claimed, Confirm, Confirmed, Custody, Failed, Failure,
    Kept, MAX_CLAIMS, MAX_TOMBSTONES, NodeLife, Output, RETURN_LIMIT, TOMBSTONE_LIMIT, Ticket,
    Tombstone, Unconfirmed,
};
use crate::{Map, Timestamp};

/// What a node remembers of sockets that are about to change hands.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// The last attempt to get each socket of this object.
    claims: Map<String, Attempt>,
    /// The number of attempts in this life.
    attempts: u64,
    /// Sockets that are stored here, and not known to be this object's.
    settling: Map<String, Settling>,
}

#[derive(Debug)]
struct Settling {
    unconfirmed: Unconfirmed,
    flight: Flight,
    until: Timestamp,
}

impl Keeping {
    pub(super) fn is_empty(&self) -> bool {
        self.settling.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let settling = self.settling.values();
        let limits = settling.flat_map(|one| [Some(one.until), one.flight.next_deadline()]);
        limits.flatten().min()
    }

    /// Nobody who has claimed a socket before may confirm it: its client has come back
    /// here.
    pub(super) fn forget_claim(&mut self, pid: &str) {
        if !is_broken(Rule::ForgetClaims) {
            self.claims.remove(pid);
        }
    }

    /// Numbers an attempt. What an earlier one was answered may not be true any more.
    fn note_claim(&mut self, pid: &str, life: NodeLife) -> Attempt {
        self.attempts += 1;
        let attempt = Attempt(life.0.wrapping_add(self.attempts));
        if self.claims.len() >= MAX_CLAIMS && !self.claims.contains_key(pid) {
            self.claims.pop_first();
        }
        self.claims.insert(pid.into(), attempt);
        attempt
    }

    pub(super) fn fail(&mut self, pid: &str, failure: Failure, now: Timestamp, random: u32) {
        if let Some(settling) = self.settling.get_mut(pid) {
            settling.flight.fail(failure, now, random);
        }
    }
}

impl Node {
    /// Answers a claim that came as [`Output::Claim`]. The driver has ended the session
    /// that held the socket, if there was one.
    pub fn answer_claim(
        &mut self,
        ticket: Ticket,
        claim: &Claim,
        now: Timestamp,
        members: &dyn Members,
        custody: &mut dyn Custody,
    ) {
        self.supersede(&claim.pid, now, members);
        let answer = self.claimed(claim, now, members, custody);
        self.calls
            .answer(ticket, answer.unwrap_or(Answer::Unavailable));
        self.send(now, members);
    }

    fn claimed(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        members: &dyn Members,
        custody: &mut dyn Custody,
    ) -> Result<Answer, Failed> {
        let claimed = match custody.kept(&claim.pid, claim.position)? {
            Kept::Held(held) => {
                let attempt = self.keeping.note_claim(&claim.pid, self.life);
                Claimed::Held(attempt, held)
            }
            Kept::Gone => Claimed::Gone,
            Kept::Unconfirmed(unconfirmed) => {
                self.settle(&claim.pid, unconfirmed, now, members);
                return Ok(Answer::Unavailable);
            }
            Kept::Nothing => match custody.tombstone(&claim.pid)? {
                Some(tombstone) if !is_broken(Rule::FollowTombstones) => {
                    Claimed::Moved(tombstone.node)
                }
                Some(_) | None => Claimed::Unknown,
            },
        };
        Ok(Answer::Claimed(claimed))
    }

    /// Answers a confirmation that came as [`Output::Confirm`].
    pub fn answer_confirm(
        &mut self,
        ticket: Ticket,
        confirm: &Confirm,
        now: Timestamp,
        custody: &mut dyn Custody,
    ) {
        let confirmed = self.confirmed(confirm, now, custody);
        let answer = confirmed.map_or(Answer::Unavailable, Answer::Confirmed);
        self.calls.answer(ticket, answer);
    }

    fn confirmed(
        &mut self,
        confirm: &Confirm,
        now: Timestamp,
        custody: &mut dyn Custody,
    ) -> Result<Confirmed, Failed> {
        let pid = &confirm.pid;
        let tombstone = custody.tombstone(pid)?;
        let is_same =
            |it: &&Tombstone| it.attempt == confirm.attempt && !is_broken(Rule::GiveAgain);
        if let Some(given) = tombstone.as_ref().filter(is_same) {
            let own = custody.own_events(&given.id, confirm.own)?;
            return Ok(own.map_or(Confirmed::Gone, Confirmed::Given));
        }
        let id = custody.id(pid)?;
        let last = self.keeping.claims.get(pid).copied();
        let has_it = last == Some(confirm.attempt) || is_broken(Rule::GiveClaimed);
        if let Some(id) = id.filter(|_| has_it) {
            let Some(own) = custody.own_events(&id, confirm.own)? else {
                return Ok(Confirmed::Gone);
            };
            let tombstone = Tombstone {
                id,
                node: confirm.node,
                attempt: confirm.attempt,
                at: now,
            };
            custody.give(pid, &tombstone)?;
            self.keeping.claims.remove(pid);
            // What is not deleted now is deleted with the next one.
            let _ = custody.trim_tombstones(now - TOMBSTONE_LIMIT, MAX_TOMBSTONES);
            return Ok(Confirmed::Given(own));
        }
        Ok(match (last, tombstone) {
            (Some(_), _) => Confirmed::Superseded,
            (None, Some(tombstone)) => Confirmed::Moved(tombstone.node),
            (None, None) => Confirmed::Unknown,
        })
    }

    /// Asks whether a socket that is stored [unconfirmed](Unconfirmed) is this object's.
    /// [`Output::Settled`] tells, unless nobody answers in time. An earlier attempt of its
    /// client that is under way here ends, which could store it anew meanwhile.
    pub fn settle(
        &mut self,
        pid: &str,
        unconfirmed: Unconfirmed,
        now: Timestamp,
        members: &dyn Members,
    ) {
        if !is_broken(Rule::SettleAlone) {
            self.supersede(pid, now, members);
        }
        let settling = Settling {
            unconfirmed,
            flight: Flight::default(),
            until: now + RETURN_LIMIT,
        };
        self.keeping.settling.entry(pid.into()).or_insert(settling);
        self.send_settles(now);
    }

    pub(super) fn send_settles(&mut self, now: Timestamp) {
        for (pid, settling) in self.keeping.settling.iter_mut() {
            if !settling.flight.is_idle() && !settling.flight.is_due(now) {
                continue;
            }
            let Unconfirmed { from, attempt, own } = settling.unconfirmed;
            let call = Call::Confirm(Confirm {
                node: self.id,
                attempt,
                pid: pid.clone(),
                own,
            });
            let purpose = Purpose::Settle(pid.clone());
            let id = self.calls.call(Address::Node(from), call, purpose);
            settling.flight.start(id);
        }
    }

    pub(super) fn settled(&mut self, pid: String, confirmed: Confirmed) {
        if self.keeping.settling.remove(&pid).is_some() {
            self.calls.output(Output::Settled { pid, confirmed });
        }
    }

    /// Gives up what nobody answers. The next who wants the socket asks again.
    pub(super) fn end_settles(&mut self, now: Timestamp) {
        let settling = mem::take(&mut self.keeping.settling);
        for (pid, mut one) in settling {
            if one.until > now {
                self.keeping.settling.insert(pid, one);
            } else if let Some(call) = one.flight.finish() {
                self.calls.end(call);
            }
        }
    }
}
