//! What comes of what the application decides, and what a socket has.

use std::collections::BTreeSet;

use dormouse_proto::engine;
use dormouse_proto::socket::{
    Admission, Args, JoinError, JoinId, Offset, REJECTED, Reason, RecoveredSocket, Route, Socket,
};

use super::super::told::{Said, Told};
use super::{Joined, Model, Phase, State};

/// Decisions of the application.
impl Model {
    pub(in super::super) fn begin(&mut self, join: JoinId, namespace: &str, admission: Admission) {
        self.reserve(join, namespace);
        let it = self.get(join).expect("it is there");
        let state = std::mem::replace(&mut it.state, State::Reserved);
        self.fill(join, admission);
        if let State::Abandoned(_) = state {
            self.get(join).expect("it is there").state = state;
        }
    }

    pub(in super::super) fn reserve(&mut self, join: JoinId, namespace: &str) {
        assert!(
            self.get(join).is_none(),
            "each join has a number of its own"
        );
        let state = match self.phase {
            Phase::Open | Phase::Closing(_) => State::Reserved,
            Phase::Over(reason) => State::Abandoned(reason),
        };
        self.sockets.push(Joined {
            join,
            namespace: namespace.to_owned(),
            id: String::new(),
            pid: None,
            data: None,
            rooms: BTreeSet::new(),
            since: None,
            unstored: false,
            missed: Vec::new(),
            held: Vec::new(),
            is_declined: false,
            state,
        });
    }

    pub(in super::super) fn fill(&mut self, join: JoinId, admission: Admission) -> bool {
        let Some(it) = self.get(join).filter(|it| it.state == State::Reserved) else {
            return false;
        };
        it.state = State::Asked;
        it.rooms = [admission.id.clone()].into();
        it.id = admission.id;
        it.pid = admission.pid;
        it.since = admission.since;
        if let Some(recovered) = admission.recovered {
            it.since = Some(recovered.since);
            it.data = recovered.data;
            it.rooms = recovered.rooms.into_iter().collect();
            it.missed = recovered.missed;
        }
        true
    }

    pub(in super::super) fn recovered(&self) -> RecoveredSocket {
        RecoveredSocket {
            rooms: vec!["id".to_owned(), "y".to_owned()],
            data: Some("1".to_owned()),
            since: Offset(3),
            missed: vec![("7".to_owned(), Args::new("[\"missed\"]", Vec::new()))],
        }
    }

    pub(in super::super) fn admit(&mut self, join: JoinId) {
        if let Some(it) = self.get(join)
            && it.state == State::Asked
            && !it.is_declined
        {
            it.state = State::Admitted;
            self.told.push_back(Told::Present(join));
        }
    }

    pub(in super::super) fn accept(&mut self, join: JoinId) -> bool {
        self.admit(join);
        let Some(it) = self.get(join) else {
            return false;
        };
        match it.state {
            State::Admitted | State::AcceptedEarly => {}
            State::Reserved | State::Asked => {
                self.refuse(join, REJECTED, None);
                return false;
            }
            State::Abandoned(reason) => {
                self.lose(join, reason);
                return false;
            }
            State::Connected | State::Leaving => return false,
        }
        let is_new = it.state == State::Admitted;
        it.state = State::Connected;
        it.unstored = it.pid.is_some();
        if is_new {
            self.tell(join);
        }
        is_new
    }

    pub(in super::super) fn accept_early(&mut self, join: JoinId) -> bool {
        let is_open = self.is_open();
        let Some(it) = self
            .get(join)
            .filter(|it| it.state == State::Admitted && is_open)
        else {
            return false;
        };
        it.state = State::AcceptedEarly;
        self.tell(join);
        true
    }

    /// Its client hears that it is connected.
    fn tell(&mut self, join: JoinId) {
        let it = self.get(join).expect("it is there");
        let namespace = it.namespace.clone();
        let (sid, pid) = (it.id.clone(), it.pid.clone());
        let (missed, held) = (std::mem::take(&mut it.missed), std::mem::take(&mut it.held));
        if self.is_open() {
            self.ever_connected = true;
            for (offset, args) in missed {
                let namespace = namespace.clone();
                self.say(Said::Missed {
                    namespace,
                    args,
                    offset,
                });
            }
            self.say(Said::Connect {
                namespace,
                sid,
                pid,
            });
            self.told.extend(held);
        }
        self.ask();
    }

    pub(in super::super) fn refuse(
        &mut self,
        join: JoinId,
        message: &str,
        data: Option<&str>,
    ) -> bool {
        let Some(position) = self.sockets.iter().position(|it| it.join == join) else {
            return false;
        };
        match self.sockets[position].state {
            State::Reserved | State::Asked | State::Admitted | State::Abandoned(_) => {}
            State::AcceptedEarly => {
                self.disconnect(join);
                return false;
            }
            State::Connected | State::Leaving => return false,
        }
        let it = self.sockets.remove(position);
        if !matches!(it.state, State::Abandoned(_)) {
            self.say_refusal(&it.namespace, message, data);
        }
        self.told.push_back(Told::Refused(join));
        self.ask();
        true
    }

    pub(in super::super) fn refuse_request(
        &mut self,
        namespace: &str,
        message: &str,
        data: Option<&str>,
    ) {
        self.say_refusal(namespace, message, data);
        self.ask();
    }

    pub(super) fn lose(&mut self, join: JoinId, reason: Reason) {
        if let Some(it) = self.get(join) {
            it.state = State::Leaving;
            it.unstored = false;
            let namespace = it.namespace.clone();
            if reason == Reason::ServerNamespaceDisconnect {
                self.left.insert(namespace);
            }
            self.told.push_back(Told::Disconnected(join, reason));
        }
    }

    pub(in super::super) fn disconnect(&mut self, join: JoinId) -> bool {
        let Some(it) = self.current(join) else {
            return false;
        };
        if it.state == State::Reserved {
            return false;
        }
        if it.state == State::Asked {
            it.is_declined = true;
        } else if it.state == State::Admitted {
            self.refuse(join, REJECTED, None);
        } else {
            let said = Said::Disconnect(it.namespace.clone());
            self.say(said);
            self.lose(join, Reason::ServerNamespaceDisconnect);
        }
        true
    }

    pub(in super::super) fn close(&mut self) {
        let connected = self.sockets.iter().filter(|it| it.is_connected());
        let joins: Vec<JoinId> = connected.map(|it| it.join).collect();
        for join in joins {
            self.disconnect(join);
        }
        self.shut(Reason::ForcedServerClose);
    }

    pub(in super::super) fn supersede(&mut self, namespace: &str, pid: &str) -> bool {
        let socket = self.current_in(namespace);
        let same = socket.is_some_and(|it| it.is_connected() && it.pid.as_deref() == Some(pid));
        if same {
            self.shut(engine::Reason::TransportClose.into());
        }
        same
    }

    pub(in super::super) fn forget(&mut self, join: JoinId) {
        self.sockets
            .retain(|it| it.join != join || it.state != State::Leaving);
    }
}

/// What a socket has.
impl Model {
    pub(in super::super) fn route(&mut self, join: JoinId) -> Route {
        match self.get(join) {
            Some(it) if it.is_connected() => Route::Send,
            Some(it) if it.state == State::Reserved => Route::Gone,
            Some(it) if it.is_unanswered() && !it.is_declined => Route::Hold,
            Some(_) | None => Route::Gone,
        }
    }

    fn reachable(&mut self, join: JoinId) -> Option<&mut Joined> {
        let current = self.current(join);
        current.filter(|it| !it.is_declined && it.state != State::Reserved)
    }

    pub(in super::super) fn hold(&mut self, join: JoinId, packet: Told) {
        self.get(join).expect("it is there").held.push(packet);
    }

    pub(in super::super) fn enter(&mut self, join: JoinId, room: &str) -> Result<bool, JoinError> {
        let most = self.settings.max_rooms;
        let it = self.reachable(join).ok_or(JoinError::Gone)?;
        if it.rooms.contains(room) {
            return Ok(false);
        }
        if room != it.id && it.rooms.iter().filter(|room| **room != it.id).count() >= most {
            return Err(JoinError::TooManyRooms);
        }
        it.rooms.insert(room.to_owned());
        it.unstored = it.state == State::Connected && it.pid.is_some();
        Ok(true)
    }

    pub(in super::super) fn leave(&mut self, join: JoinId, room: &str) -> Option<bool> {
        let it = self.reachable(join)?;
        let left = it.rooms.remove(room);
        it.unstored |= left && it.state == State::Connected && it.pid.is_some();
        Some(left)
    }

    pub(in super::super) fn set_data(&mut self, join: JoinId, data: Option<String>) -> bool {
        let Some(it) = self.reachable(join) else {
            return false;
        };
        it.data = data;
        it.unstored = it.state == State::Connected && it.pid.is_some();
        true
    }

    /// The offset of the newest event.
    pub(in super::super) fn newest(&self) -> Offset {
        Offset(self.stored + 100)
    }

    pub(in super::super) fn store(&mut self, socket: &Socket) {
        let it = self.get(socket.join_id()).expect("it is there");
        assert!(std::mem::take(&mut it.unstored), "it was stored before");
        assert_eq!(socket.since(), it.since);
        self.stored += 1;
    }

    pub(in super::super) fn all_are_stored(&self) {
        assert!(self.sockets.iter().all(|it| !it.unstored));
    }
}
