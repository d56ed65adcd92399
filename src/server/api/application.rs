//! What a server has been given, as it is looked up while it runs.

mod check;

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{self, Settings};
use worker::Env;

use super::definition::{Definition, Matcher};
use super::handler::{OnAlarm, OnNewNamespace, OnUsage};
use super::join_request::{self, JoinRequest};
use super::namespace::NamespaceHandlers;
use super::recovery::Recovery;
use super::server_event::ServerEvents;
use super::usage::Tell;
use super::{AlarmHandlers, HandlerFn, Io, States};
use crate::api::error::Failure;

/// The namespaces of a server, and the settings of all of them.
pub(crate) struct Application {
    pub(crate) settings: Settings,
    pub(crate) ack_timeout: Duration,
    /// The headers that are kept rather than others.
    pub(crate) keep_headers: Vec<String>,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) states: States,
    pub(crate) alarms: AlarmHandlers<OnAlarm>,
    pub(super) server_events: ServerEvents,
    pub(crate) transient: Option<Transient>,
    pub(super) definitions: Vec<Definition>,
    pub(crate) on_new_namespace: Option<HandlerFn<OnNewNamespace>>,
    pub(crate) on_usage: Option<Tell<OnUsage, Application>>,
    /// A name or pattern that cannot be served.
    pub(super) wrong: Option<String>,
    /// The method of a handler that was given twice.
    pub(super) duplicate: Option<&'static str>,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            ack_timeout: Duration::from_secs(10),
            keep_headers: Vec::new(),
            recovery: None,
            states: States::default(),
            alarms: AlarmHandlers::default(),
            server_events: ServerEvents::default(),
            transient: None,
            definitions: Vec::new(),
            on_new_namespace: None,
            on_usage: None,
            wrong: None,
            duplicate: None,
        }
    }
}

/// A namespace of whose sockets nothing outlives their connections: what they are sent and
/// what they have said of themselves are not kept.
pub(crate) struct Transient {
    pub(crate) name: String,
    /// Called where such a socket is in memory again, after sleep or a panic.
    pub(crate) resumed: Box<dyn Fn(&Io)>,
}

/// The definition of a namespace.
pub(crate) struct Found {
    pub(crate) definition: socket::Definition,
    pub(crate) handlers: Rc<NamespaceHandlers>,
}

/// The outcome of looking for the definition of a namespace by its name alone.
pub(crate) enum LookUp {
    Found(Found),
    /// There is none.
    Nothing,
    /// The application has to be asked: [`Application::ask`].
    Ask,
}

impl Application {
    pub(crate) fn handlers(&self, definition: u16) -> Option<Rc<NamespaceHandlers>> {
        let definition = self.definitions.get(usize::from(definition))?;
        Some(definition.handlers.clone())
    }

    /// Returns whether any namespace observes what its sockets are sent.
    pub(crate) fn observes_outgoing(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| !definition.handlers.on_any_outgoing.is_empty())
    }

    /// Returns whether any namespace wants to know of sockets that have expired.
    pub(crate) fn tells_of_expired(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| definition.handlers.on_expired.is_some())
    }

    /// Returns whether this is the transient namespace.
    pub(crate) fn is_transient(&self, namespace: &str) -> bool {
        let transient = self.transient.as_ref();
        transient.is_some_and(|transient| transient.name == namespace)
    }

    /// Returns the namespaces that are defined by their own names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.iter().filter_map(|it| match &it.matcher {
            Matcher::Name(name) => Some(&**name),
            Matcher::Pattern(_) | Matcher::Predicate(_) => None,
        })
    }

    /// Returns the value of a placeholder in a namespace's name.
    pub(crate) fn param(&self, namespace: &str, name: &str) -> Option<String> {
        let definition = self.definitions.get(usize::from(self.named(namespace)?))?;
        match &definition.matcher {
            Matcher::Pattern(pattern) => {
                let places = pattern.read(namespace)?;
                let found = places.into_iter().find(|(place, _)| *place == name);
                found.map(|(_, value)| value.to_owned())
            }
            Matcher::Name(_) | Matcher::Predicate(_) => None,
        }
    }

    /// Finds the definition of a namespace: one of its own name comes before all
    /// others, and those in their order.
    pub(crate) fn look_up(&self, namespace: &str) -> LookUp {
        let mut all = self.definitions.iter();
        let own = all.position(|definition| definition.matcher.is_name(namespace));
        let mut all = self.definitions.iter();
        let may_be = |it: &Definition| it.matcher.is_predicate() || it.matcher.fits(namespace);
        match own.or_else(|| all.position(may_be)) {
            Some(index) => match self.found(index) {
                Some((_, true)) => LookUp::Ask,
                Some((found, false)) => LookUp::Found(found),
                None => LookUp::Nothing,
            },
            None => LookUp::Nothing,
        }
    }

    /// Finds the definition of a namespace that has none of its own name, asking the
    /// predicates one after the other. `failed` is told of those that fail, which counts
    /// as a no.
    pub(crate) async fn ask(
        &self,
        request: &JoinRequest,
        env: &Env,
        failed: impl Fn(&Failure),
    ) -> Option<Found> {
        for (index, Definition { matcher, .. }) in self.definitions.iter().enumerate() {
            let is_it = match matcher {
                Matcher::Name(_) | Matcher::Pattern(_) => matcher.fits(request.namespace()),
                Matcher::Predicate(predicate) => {
                    let called = join_request::call(predicate, request, env, &self.states);
                    let answer = called.await;
                    answer.unwrap_or_else(|error| {
                        failed(&error.failure);
                        false
                    })
                }
            };
            if is_it {
                return self.found(index).map(|(found, _)| found);
            }
        }
        None
    }

    /// Returns a definition, and whether it is a predicate's.
    fn found(&self, index: usize) -> Option<(Found, bool)> {
        let definition = self.definitions.get(index)?;
        let found = Found {
            definition: socket::Definition {
                index: u16::try_from(index).ok()?,
                tag: definition.tag,
            },
            handlers: definition.handlers.clone(),
        };
        Some((found, definition.matcher.is_predicate()))
    }

    /// Returns the name or the pattern of a definition, unless it is a predicate's.
    pub(crate) fn template(&self, definition: u16) -> Option<&str> {
        let definition = self.definitions.get(usize::from(definition))?;
        Some(&*definition.name).filter(|name| !name.is_empty())
    }

    /// Returns whether a definition is one of many namespaces.
    pub(crate) fn is_dynamic(&self, definition: u16) -> bool {
        let definition = self.definitions.get(usize::from(definition));
        definition.is_some_and(|it| !matches!(it.matcher, Matcher::Name(_)))
    }

    /// Returns whether any definition is one of many namespaces.
    pub(crate) fn has_dynamic(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|it| !matches!(it.matcher, Matcher::Name(_)))
    }

    /// Returns whether a namespace is defined by its own name.
    pub(crate) fn is_named(&self, namespace: &str) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| definition.matcher.is_name(namespace))
    }

    /// Finds the definition of a socket's namespace again, perhaps in another build
    /// of the application.
    pub(crate) fn define(&self, namespace: &str, tag: u32) -> Option<u16> {
        if tag == 0 {
            return self.named(namespace);
        }
        let mut all = self.definitions.iter();
        let index = all.position(|definition| definition.tag == tag)?;
        u16::try_from(index).ok()
    }

    /// Returns whether a namespace of this name may be defined. Nobody knows it of those
    /// that a predicate decides about.
    pub(crate) fn may_have(&self, namespace: &str) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| match &definition.matcher {
            Matcher::Name(name) => name == namespace,
            Matcher::Pattern(pattern) => pattern.read(namespace).is_some(),
            Matcher::Predicate(_) => true,
        })
    }

    /// Returns the name or the pattern that a namespace is defined by, unless a predicate has
    /// decided about it.
    pub(super) fn template_of(&self, namespace: &str) -> Option<&str> {
        self.template(self.named(namespace)?)
    }

    /// Finds the definition of a namespace by its own name or by a pattern.
    fn named(&self, namespace: &str) -> Option<u16> {
        let mut all = self.definitions.iter();
        let named = all.position(|definition| definition.matcher.is_name(namespace));
        let found = named.or_else(|| {
            let mut all = self.definitions.iter();
            all.position(|definition| definition.matcher.fits(namespace))
        });
        u16::try_from(found?).ok()
    }
}

#[cfg(test)]
mod tests;
