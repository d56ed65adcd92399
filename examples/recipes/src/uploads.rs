//! Files in chunks. A chunk is a row in the object's SQLite until all are there, and its
//! acknowledgement is the progress; after a lost connection the client goes on from there.
//! The whole file goes to R2.

use dormouse::{Binary, HandlerError, Namespace, Server, Socket};
use serde::Deserialize;
use worker::{Date, SqlStorage};

/// Bytes of a chunk, and of a file: it is in memory as a whole when it is stored.
const CHUNK: usize = 256 << 10;
const LARGEST: u32 = 8 << 20;

/// How many uploads there may be at once, and how long one may take, in milliseconds.
const MOST: u32 = 100;
const LONGEST: f64 = 3_600_000.0;

#[derive(Deserialize)]
struct Upload {
    name: String,
    size: u32,
    /// How much of it is there.
    offset: u32,
}

#[derive(Deserialize)]
struct Chunk {
    bytes: Binary,
}

pub(crate) fn server() -> Server {
    Server::new().namespace("/", |namespace: Namespace| {
        namespace.on("upload", upload).on("chunk", chunk)
    })
}

/// Begins an upload, or goes on with one: the acknowledgement is how much of it is there.
/// Its id is the client's, at random: whoever knows it may go on.
fn upload(socket: Socket, (id, name, size): (String, String, u32)) -> Result<u32, HandlerError> {
    if id.len() != 36 || name.is_empty() || name.len() > 200 || size == 0 || size > LARGEST {
        let rule = format_args!("id: a UUID; name: 1 to 200 bytes; size: 1 to {LARGEST}");
        return Err(HandlerError::new(rule));
    }
    let sql = tables(&socket)?;
    let now = Date::now().as_millis() as f64;
    sql.exec(
        "DELETE FROM uploads WHERE at < ?",
        vec![(now - LONGEST).into()],
    )?;
    sql.exec(
        "DELETE FROM chunks WHERE id NOT IN (SELECT id FROM uploads)",
        None,
    )?;
    let insert = "INSERT OR IGNORE INTO uploads SELECT ?, ?, ?, 0, ? \
                  WHERE (SELECT count(*) FROM uploads) < ?";
    let (size, most) = (f64::from(size), f64::from(MOST));
    let values = vec![
        (&*id).into(),
        name.into(),
        size.into(),
        now.into(),
        most.into(),
    ];
    sql.exec(insert, values)?;
    let upload = find(&sql, &id)?.ok_or_else(|| HandlerError::new("try again later"))?;
    Ok(upload.offset)
}

/// Takes what follows. The acknowledgement is how much is there now: if that was another
/// chunk, the client goes on from there.
async fn chunk(
    socket: Socket,
    (id, offset, Binary(bytes)): (String, u32, Binary),
) -> Result<u32, HandlerError> {
    let sql = tables(&socket)?;
    let upload = find(&sql, &id)?.ok_or_else(|| HandlerError::new("there is no such upload"))?;
    if offset != upload.offset {
        return Ok(upload.offset);
    }
    let end = offset.saturating_add(bytes.len() as u32);
    if bytes.len() > CHUNK || end > upload.size {
        return Err(HandlerError::new("the chunk is too large"));
    }
    let values = vec![(&*id).into(), f64::from(offset).into(), bytes.into()];
    sql.exec("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?)", values)?;
    let values = vec![f64::from(end).into(), (&*id).into()];
    sql.exec("UPDATE uploads SET offset = ? WHERE id = ?", values)?;
    if end == upload.size {
        // Should it fail, an empty chunk at the end tries again.
        store(&socket, &sql, &id, &upload.name).await?;
    }
    let progress = (upload.name, end, upload.size);
    socket.broadcast().emit("progress", progress).await?;
    Ok(end)
}

async fn store(socket: &Socket, sql: &SqlStorage, id: &str, name: &str) -> worker::Result<()> {
    let select = "SELECT bytes FROM chunks WHERE id = ? ORDER BY offset";
    let chunks: Vec<Chunk> = sql.exec(select, vec![id.into()])?.to_array()?;
    let whole: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes.0).collect();
    let files = socket.env().bucket("FILES")?;
    files.put(format!("{id}/{name}"), whole).execute().await?;
    sql.exec("DELETE FROM uploads WHERE id = ?", vec![id.into()])?;
    sql.exec("DELETE FROM chunks WHERE id = ?", vec![id.into()])?;
    Ok(())
}

fn find(sql: &SqlStorage, id: &str) -> worker::Result<Option<Upload>> {
    let select = "SELECT name, size, offset FROM uploads WHERE id = ?";
    let found: Vec<Upload> = sql.exec(select, vec![id.into()])?.to_array()?;
    Ok(found.into_iter().next())
}

fn tables(socket: &Socket) -> worker::Result<SqlStorage> {
    let sql = socket.storage().sql();
    for table in [
        "uploads (id TEXT PRIMARY KEY, name TEXT, size INTEGER, offset INTEGER, at REAL)",
        "chunks (id TEXT, offset INTEGER, bytes BLOB, PRIMARY KEY (id, offset))",
    ] {
        sql.exec(&format!("CREATE TABLE IF NOT EXISTS {table}"), None)?;
    }
    Ok(sql)
}
