//! Socket.IO: events, acknowledgements, namespaces and rooms.
