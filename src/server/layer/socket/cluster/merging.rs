//! One answer out of those of many objects.

use dormouse_proto::cluster::Missing;
use dormouse_proto::{sort, sort_by_key};

use crate::port::{Page, Remote, Reply};

/// Merges the answers of objects into the first, and says who has given none.
pub(super) fn merge(
    first: Reply,
    others: Vec<Reply>,
    missing: impl IntoIterator<Item = Missing>,
) -> Reply {
    let mut total = Missing::default();
    missing
        .into_iter()
        .for_each(|it| add_missing(&mut total, it));
    let mut merged = first;
    for other in others {
        add(&mut merged, other, &mut total);
    }
    if let Reply::Sockets(sockets) = &mut merged {
        // A client that has moved meanwhile is found where it was, and where it is.
        sort_by_key(sockets, |it| it.id.clone());
        sockets.dedup_by(|a, b| a.id == b.id);
    } else if let Reply::RoomSizes(rooms) = &mut merged {
        sort(rooms);
        rooms.dedup_by(|(name, count), (kept, sum)| {
            let is_same = name == kept;
            *sum += if is_same { *count } else { 0 };
            is_same
        });
    }
    match total == Missing::default() {
        true => merged,
        false => Reply::Partial(Box::new(merged), total),
    }
}

fn add(merged: &mut Reply, other: Reply, missing: &mut Missing) {
    match (merged, other) {
        (Reply::Acks(all), Reply::Acks(more)) => all.extend(more),
        (Reply::Sockets(all), Reply::Sockets(more)) => all.extend(more),
        (Reply::RoomSizes(all), Reply::RoomSizes(more)) => all.extend(more),
        (Reply::Count(all), Reply::Count(more)) => *all += more,
        (merged, Reply::Partial(other, more)) => {
            add_missing(missing, more);
            add(merged, *other, missing);
        }
        // There is nothing in it, or it is of another build.
        (_, _) => {}
    }
}

fn add_missing(total: &mut Missing, more: Missing) {
    total.count = total.count.saturating_add(more.count);
    total.nodes.extend(more.nodes);
    total.hubs.extend(more.hubs);
    total.is_late |= more.is_late;
}

/// Leaves what is on a page of what is merged, if one was asked for.
pub(super) fn cut(reply: Reply, page: Option<Page>) -> Reply {
    let Some(page) = page else {
        return reply;
    };
    let mut reply = reply;
    if let Reply::Sockets(sockets) = &mut reply {
        fill(sockets, &page, Remote::bytes);
    } else if let Reply::RoomSizes(rooms) = &mut reply {
        fill(rooms, &page, |(name, _)| name.len());
    } else if let Reply::Partial(reply, missing) = reply {
        return Reply::Partial(Box::new(cut(*reply, Some(page))), missing);
    }
    reply
}

fn fill<T>(items: &mut Vec<T>, page: &Page, size: impl Fn(&T) -> usize) {
    let (mut count, mut bytes) = (0, 0);
    for item in &*items {
        if page.is_full(count, bytes) {
            break;
        }
        count += 1;
        bytes += size(item);
    }
    items.truncate(count);
}
