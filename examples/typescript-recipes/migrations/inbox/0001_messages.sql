-- AUTOINCREMENT: otherwise the last one's id would be used again when it is deleted.
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, sender TEXT, receiver TEXT, text TEXT);
CREATE INDEX inboxes ON messages (receiver, id);
