//! The limits of what clients send: those of a session, and those that it shares with
//! others of its address.

use core::time::Duration;

use dormouse_proto::engine::Data;
use dormouse_proto::rate::{Class, Cost, Excess, Intake, Limit, Network, Rates, Shared, Taken};

use super::sessions::SessionEntry;
use super::set::Parts;
use crate::sid::Key;

/// Takes in a message of a session, if its limits allow it.
pub(crate) fn take<'a>(parts: &Parts, key: Key, data: Data<'a>, class: Class) -> Option<Taken<'a>> {
    let now = parts.turn.now();
    with_limits(parts, key, |intake, rates, shared| {
        intake.take(now, data, class, rates, shared)
    })
}

/// Takes in packets of a session that are not messages.
pub(crate) fn charge(parts: &Parts, key: Key, packets: usize, bytes: usize) -> Option<Excess> {
    let now = parts.turn.now();
    let cost = Cost::packets(packets, bytes);
    let charged = with_limits(parts, key, |intake, rates, shared| {
        intake.charge(now, cost, rates, shared)
    });
    charged?.err()
}

/// Lets a message wait that exceeds a limit. Returns `false` if too much waits already.
pub(crate) fn hold(parts: &Parts, key: Key, data: Data<'static>, excess: Excess) -> bool {
    let now = parts.turn.now();
    let hold = |entry: &mut SessionEntry| entry.intake.hold(now, data, excess);
    parts.sessions.with(key, hold) == Some(true)
}

/// Takes in the message that has waited longest, if its limits allow it by now.
pub(crate) fn release(
    parts: &Parts,
    key: Key,
    classify: impl FnOnce(&Data<'_>) -> Class,
) -> Option<Data<'static>> {
    let now = parts.turn.now();
    let released = with_limits(parts, key, |intake, rates, shared| {
        let class = classify(intake.first_held()?);
        intake.release(now, class, rates, shared)
    });
    released.flatten()
}

fn with_limits<T>(
    parts: &Parts,
    key: Key,
    use_them: impl FnOnce(&mut Intake, &Rates, Option<Shared<'_>>) -> T,
) -> Option<T> {
    let options = parts.options()?;
    let now = parts.turn.now();
    let mut networks = parts.networks.borrow_mut();
    parts.sessions.with(key, |entry| {
        let rates = &options.address_rate_limit.0;
        let network = entry.session.network().filter(|_| !rates.is_unlimited());
        let shared = network.and_then(|network| networks.share(now, rates, network));
        use_them(&mut entry.intake, &options.rate_limit.0, shared)
    })
}

/// Counts a new session of an address. An error is the time until there may be one.
pub(crate) fn admit_handshake(parts: &Parts, network: Network) -> Result<(), Duration> {
    let Some(options) = parts.options() else {
        return Ok(());
    };
    let rates = &options.address_rate_limit.0;
    if rates.get(Limit::Handshakes).is_none() {
        return Ok(());
    }
    let now = parts.turn.now();
    let mut networks = parts.networks.borrow_mut();
    networks.handle_handshake(now, rates, network)
}
