//! Calls of which nothing came: why, and what the client is told.

use core::fmt;

/// A call of which nothing came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The circuit is open.
    Open,
    /// As many calls wait as may.
    Busy,
    /// There was no answer within this many milliseconds.
    Late(u128),
    /// There was no connection, or it broke.
    Unreachable(String),
    /// The status of a server that has failed, or of what is in front of it.
    Status(u16),
    /// The address of a redirect.
    Redirect(String),
    /// The answer has more bytes than this.
    TooLarge(usize),
    /// The answer is not what it should be.
    Malformed(String),
    /// The call could not be signed.
    Unsigned(String),
}

impl Failure {
    /// Returns whether the back end is not there, for now. Whatever else goes wrong, a
    /// single client may be able to bring about.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Open | Self::Busy | Self::Late(_) | Self::Unreachable(_) => true,
            Self::Status(status) => matches!(status, 502..=504),
            Self::Redirect(_) | Self::TooLarge(_) | Self::Malformed(_) | Self::Unsigned(_) => false,
        }
    }

    /// Returns whether another attempt may fare better.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Status(_) => self.is_outage(),
            Self::Open
            | Self::Busy
            | Self::Late(_)
            | Self::Redirect(_)
            | Self::TooLarge(_)
            | Self::Malformed(_)
            | Self::Unsigned(_) => false,
        }
    }

    /// Returns what the client is told: whether it may try again.
    pub(super) fn message(&self) -> &'static str {
        match self.is_outage() {
            true => "service unavailable",
            false => "internal error",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("the circuit is open"),
            Self::Busy => f.write_str("as many calls wait as may"),
            Self::Late(millis) => write!(f, "no answer within {millis} ms"),
            Self::Unreachable(error) => write!(f, "not reached: {error}"),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Redirect(address) => write!(
                f,
                "redirected to {address}: redirects are not followed, so give the webhook its \
                 final address"
            ),
            Self::TooLarge(limit) => write!(f, "the answer has more than {limit} bytes"),
            Self::Malformed(error) => write!(f, "the answer is not right: {error}"),
            Self::Unsigned(error) => write!(f, "not signed: {error}"),
        }
    }
}
