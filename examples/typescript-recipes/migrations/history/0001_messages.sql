CREATE TABLE messages (id INTEGER PRIMARY KEY, room TEXT, name TEXT, text TEXT, at INTEGER);
CREATE INDEX rooms ON messages (room, id);
