//! The last hundred messages of each room, and the last ten thousand of all rooms, in
//! the SQLite of the object that holds them.

use dormouse::Socket;
use serde::Serialize;
use worker::{Date, Error, Result, SqlStorage, SqlStorageValue};

const KEPT: i32 = 100;
/// Rooms cost nothing to make, so there is no end of them.
const KEPT_OF_ALL: i64 = 10_000;

#[derive(Serialize)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
}

impl Message {
    /// Reads a row. What reads them with serde weighs 9 kB more, gzipped.
    fn read(row: Result<Vec<SqlStorageValue>>) -> Result<Self> {
        use SqlStorageValue::{Integer, String};
        let row = <[_; 5]>::try_from(row?);
        let Ok(
            [
                Integer(id),
                String(room),
                String(name),
                String(text),
                Integer(at),
            ],
        ) = row
        else {
            return Err(Error::from("a row is not a message"));
        };
        Ok(Self {
            id,
            room,
            name,
            text,
            at,
        })
    }
}

pub(crate) struct History(SqlStorage);

impl History {
    pub(crate) fn of(socket: &Socket) -> Self {
        Self(socket.storage().sql())
    }

    /// Stores a message, and deletes the oldest ones.
    pub(crate) fn add(&self, room: String, name: String, text: String) -> Result<Message> {
        self.prepare()?;
        let at = Date::now().as_millis() as i64;
        let values: Vec<SqlStorageValue> = vec![
            room.clone().into(),
            name.clone().into(),
            text.clone().into(),
            at.into(),
        ];
        let insert = "INSERT INTO messages (room, name, text, at) VALUES (?, ?, ?, ?) RETURNING *";
        let row = self.0.exec(insert, values)?.raw().next();
        let message = Message::read(row.unwrap_or_else(|| Ok(Vec::new())))?;
        let oldest = "DELETE FROM messages WHERE room = ?1 AND id <= (SELECT id FROM messages \
                      WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.0.exec(oldest, vec![room.into(), KEPT.into()])?;
        let oldest = "DELETE FROM messages WHERE id <= ?";
        let last = message.id - KEPT_OF_ALL;
        self.0.exec(oldest, vec![last.into()])?;
        Ok(message)
    }

    /// Returns the last messages of a room, the oldest first.
    pub(crate) fn last(&self, room: &str) -> Result<Vec<Message>> {
        self.prepare()?;
        let select = "SELECT * FROM messages WHERE room = ? ORDER BY id";
        let rows = self.0.exec(select, vec![room.to_owned().into()])?.raw();
        rows.map(Message::read).collect()
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
