//! Sessions that are restored when they are needed.

use super::persistence::{self, Found, Server};
use super::{Inner, endpoint_at};
use crate::api::app::app;
use crate::parts::Source;
use crate::sid::Key;

impl Source for Inner {
    fn restore(&self, key: Key) -> bool {
        let found = persistence::find(&self.parts, key, |server| self.adopt_found(server));
        found.is_some_and(|found| self.revive(key, found))
    }

    fn restore_all(&self) {
        persistence::find_all(
            &self.parts,
            |server| self.adopt_found(server),
            |key, found| {
                self.revive(key, found);
            },
        );
    }

    fn survey(&self, look: &mut dyn FnMut(Key, &[u8]) -> bool) -> bool {
        for key in self.parts.rows.keys() {
            self.parts.sessions.find(key);
        }
        persistence::survey(&self.parts, |server| self.adopt_found(server), look)
    }
}

impl Inner {
    fn revive(&self, key: Key, found: Found) -> bool {
        let revived = self
            .persistence()
            .is_some_and(|persistence| persistence.revive(key, found));
        if let Some(layer) = self.layer().filter(|_| revived) {
            layer.resume(key);
        }
        revived
    }

    fn adopt_found(&self, server: Server) {
        if self.layer().is_some() {
            return;
        }
        match server {
            Server::Number(number) => {
                self.adopt(app().endpoints.get(usize::from(number)));
            }
            Server::Path(path) => self.adopt(endpoint_at(&path).as_ref()),
        }
    }
}
