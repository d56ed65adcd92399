//! The last hundred messages of each room, and the last ten thousand of all rooms, in
//! the SQLite of the object that holds them.

use dormouse::Socket;
use serde::{Deserialize, Serialize};
use worker::{Date, Result, SqlStorage, SqlStorageValue};

const KEPT: i32 = 100;
/// Rooms cost nothing to make, so there is no end of them.
const KEPT_OF_ALL: u32 = 10_000;

#[derive(Deserialize, Serialize)]
pub(crate) struct Message {
    pub(crate) id: u32,
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) at: f64,
}

pub(crate) struct History(SqlStorage);

impl History {
    pub(crate) fn of(socket: &Socket) -> Self {
        Self(socket.storage().sql())
    }

    /// Stores a message, and deletes the oldest ones.
    pub(crate) fn add(&self, room: String, name: String, text: String) -> Result<Message> {
        self.prepare()?;
        let at = Date::now().as_millis() as f64;
        let values: Vec<SqlStorageValue> = vec![
            room.clone().into(),
            name.clone().into(),
            text.clone().into(),
            at.into(),
        ];
        let insert = "INSERT INTO messages (room, name, text, at) VALUES (?, ?, ?, ?) RETURNING *";
        let message: Message = self.0.exec(insert, values)?.one()?;
        let oldest = "DELETE FROM messages WHERE room = ?1 AND id <= (SELECT id FROM messages \
                      WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.0.exec(oldest, vec![room.into(), KEPT.into()])?;
        let id = f64::from(message.id.saturating_sub(KEPT_OF_ALL));
        let oldest = "DELETE FROM messages WHERE id <= ?";
        self.0.exec(oldest, vec![id.into()])?;
        Ok(message)
    }

    /// Returns the last messages of a room, the oldest first.
    pub(crate) fn last(&self, room: &str) -> Result<Vec<Message>> {
        self.prepare()?;
        let select = "SELECT * FROM messages WHERE room = ? ORDER BY id";
        self.0
            .exec(select, vec![room.to_owned().into()])?
            .to_array()
    }

    fn prepare(&self) -> Result<()> {
        for statement in [
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, \
             room TEXT, name TEXT, text TEXT, at REAL)",
            "CREATE INDEX IF NOT EXISTS messages_of_a_room ON messages (room, id)",
        ] {
            self.0.exec(statement, None)?;
        }
        Ok(())
    }
}
