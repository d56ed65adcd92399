//! The definition of a namespace: by its name, by a pattern, or by a predicate.

use std::rc::Rc;

use super::HandlerFn;
use super::handler::OnJoinRequest;
use super::namespace::NamespaceHandlers;
use super::pattern::Pattern;

pub(super) struct Definition {
    /// As it is written in the application; empty for a predicate.
    pub(super) name: String,
    pub(super) matcher: Matcher,
    pub(super) handlers: Rc<NamespaceHandlers>,
    /// The number that finds a predicate's namespaces again after sleep: the
    /// predicate itself cannot be asked without its client. 0 for all others, which
    /// are found by name.
    pub(super) tag: u32,
}

pub(super) enum Matcher {
    Name(String),
    Pattern(Pattern),
    Predicate(HandlerFn<OnJoinRequest>),
}

impl Matcher {
    /// Reads a name or a pattern, or says what is wrong with it.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if name.contains([',', '?']) {
            return Err(format!(
                "\"{name}\" cannot be joined: in what clients send, a name ends at `,` and at `?`"
            ));
        }
        let matcher = if Pattern::is_one(name) {
            Pattern::parse(name).map(Self::Pattern)
        } else {
            Some(Self::Name(name.to_owned()))
        };
        matcher.filter(|_| name.starts_with('/')).ok_or_else(|| {
            format!(
                "\"{name}\" is not a name; it must start with `/`, and open places are written \
                 `{{name}}`, or `{{*name}}` at the end"
            )
        })
    }

    pub(super) fn is_name(&self, namespace: &str) -> bool {
        match self {
            Self::Name(name) => name == namespace,
            Self::Pattern(_) | Self::Predicate(_) => false,
        }
    }

    pub(super) fn fits(&self, namespace: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.read(namespace).is_some(),
            Self::Name(_) | Self::Predicate(_) => false,
        }
    }

    pub(super) fn is_predicate(&self) -> bool {
        match self {
            Self::Name(_) | Self::Pattern(_) => false,
            Self::Predicate(_) => true,
        }
    }
}

/// Returns a number for a predicate's definition that is the same in another build,
/// unless its events have other names: a socket does not get the handlers of another
/// namespace then. Of predicates with the same events, the order must stay.
pub(super) fn tag(handlers: &NamespaceHandlers, before: &[Definition]) -> u32 {
    // FNV-1a: short, and good enough for a handful of them.
    let mut hash = 0x811c_9dc5_u32;
    for name in handlers.names() {
        for byte in name.bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    // If several have the same names, their order decides.
    while hash == 0 || before.iter().any(|other| other.tag == hash) {
        hash = hash.wrapping_add(1);
    }
    hash
}
