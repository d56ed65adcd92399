//! The acknowledgements of an event that many sockets were sent.

use core::fmt;

use super::{ArgsError, EmitError, FromArgs, Missing};
use crate::port::{Answer, Asked};

/// The acknowledgements of a broadcast: what has come of it for each socket.
///
/// Those that answered come first, in the order in which they did.
///
/// ```no_run
/// use dormouse::{AckError, EmitError, Io};
///
/// async fn vote(io: Io) -> Result<(), EmitError> {
///     // The answers, whoever gave them.
///     let votes: Vec<(bool,)> = io.all().emit_with_ack("vote", ()).await?.into_values();
///     // All of them, or an error.
///     let all: Vec<(bool,)> = io.all().emit_with_ack("vote", ()).await?.complete()?;
///     // Who said what, and who did not.
///     for acked in io.all().emit_with_ack::<(bool,)>("vote", ()).await? {
///         match acked.result {
///             Ok((vote,)) => worker::console_log!("{}: {vote}", acked.id),
///             Err(AckError::Late) => io.to(&acked.id).emit("too late", ()).await?,
///             Err(error) => worker::console_log!("{}: {error}", acked.id),
///         }
///     }
/// #   let _ = (votes, all);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acks<T> {
    all: Vec<Acked<T>>,
    missing: Missing,
}

/// What has come of an event for one of the sockets that were sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acked<T> {
    /// The socket's id.
    pub id: String,
    /// Its answer.
    pub result: Result<T, AckError>,
}

/// A socket has not acknowledged an event, or not as it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// It did not answer in time.
    Late,
    /// It was disconnected before it answered.
    Gone,
    /// Its answer cannot be read as the expected type.
    Args(ArgsError),
}

impl<T> Acks<T> {
    /// Returns the answers, without those that are missing or something else.
    pub fn into_values(self) -> Vec<T> {
        let all = self.all.into_iter();
        all.filter_map(|acked| acked.result.ok()).collect()
    }

    /// Returns the answers if every socket has given one.
    ///
    /// # Errors
    ///
    /// The first answer that is missing or something else: [`EmitError::Args`],
    /// [`EmitError::Timeout`], [`EmitError::Gone`]; or [`EmitError::Partial`].
    pub fn complete(self) -> Result<Vec<T>, EmitError> {
        if !self.missing.is_none() {
            return Err(EmitError::Partial(self.missing));
        }
        let results = self.all.into_iter().map(|acked| acked.result);
        Ok(results.collect::<Result<_, _>>()?)
    }

    /// Returns what has come of it for each socket.
    pub fn iter(&self) -> core::slice::Iter<'_, Acked<T>> {
        self.all.iter()
    }

    /// Returns the number of sockets that were asked.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether no socket was asked.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the number of sockets that did not answer in time.
    pub fn late(&self) -> usize {
        self.count(&AckError::Late)
    }

    /// Returns the number of sockets that were disconnected before they answered.
    pub fn gone(&self) -> usize {
        self.count(&AckError::Gone)
    }

    /// Returns the objects that did not say what has come of it for their sockets.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// Returns the same, where these objects are missing.
    pub(super) fn without(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    fn count(&self, error: &AckError) -> usize {
        let all = self.all.iter();
        let failed = all.filter_map(|acked| acked.result.as_ref().err());
        failed.filter(|it| *it == error).count()
    }
}

impl<T> FromIterator<Acked<T>> for Acks<T> {
    fn from_iter<I: IntoIterator<Item = Acked<T>>>(all: I) -> Self {
        Self {
            all: all.into_iter().collect(),
            missing: Missing::default(),
        }
    }
}

impl<T> IntoIterator for Acks<T> {
    type Item = Acked<T>;
    type IntoIter = std::vec::IntoIter<Acked<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Acks<T> {
    type Item = &'a Acked<T>;
    type IntoIter = core::slice::Iter<'a, Acked<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: FromArgs> From<Asked> for Acked<T> {
    fn from(asked: Asked) -> Self {
        let result = match asked.answer {
            Answer::Args(args) => T::from_args(&args, false).map_err(AckError::Args),
            Answer::Late => Err(AckError::Late),
            Answer::Gone => Err(AckError::Gone),
        };
        Self {
            id: asked.id,
            result,
        }
    }
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("not acknowledged in time"),
            Self::Gone => f.write_str("disconnected before it acknowledged"),
            Self::Args(error) => write!(f, "acknowledged with something else: {error}"),
        }
    }
}

impl core::error::Error for AckError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Args(error) => Some(error),
            Self::Late | Self::Gone => None,
        }
    }
}

impl From<AckError> for EmitError {
    fn from(error: AckError) -> Self {
        match error {
            AckError::Late => Self::Timeout,
            AckError::Gone => Self::Gone,
            AckError::Args(error) => Self::Args(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use dormouse_proto::socket::Args;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn acks(answers: impl IntoIterator<Item = Answer>) -> Acks<(i64,)> {
        let all = answers.into_iter().zip(["a", "b", "c", "d"]);
        let asked = all.map(|(answer, id)| Asked {
            id: id.to_owned(),
            answer,
        });
        asked.map(Acked::from).collect()
    }

    fn answer(json: &'static str) -> Answer {
        Answer::Args(Args::new(json, Vec::new()))
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn each_socket_has_a_result_of_its_own() {
        let acks = acks([
            answer("[1,2]"),
            answer("[\"x\"]"),
            Answer::Late,
            Answer::Gone,
        ]);
        assert_eq!((acks.len(), acks.late(), acks.gone()), (4, 1, 1));
        let all: Vec<_> = acks.iter().map(|it| (&*it.id, it.result.is_ok())).collect();
        let expected = [("a", true), ("b", false), ("c", false), ("d", false)];
        assert_eq!(all, expected);
        let [_, other, late, gone] = &acks.all[..] else {
            panic!("there are four");
        };
        assert!(
            matches!(&other.result, Err(AckError::Args(error)) if error.to_string().contains("1"))
        );
        assert_eq!(late.result, Err(AckError::Late));
        assert_eq!(gone.result, Err(AckError::Gone));
        assert_eq!(acks.clone().into_values(), [(1,)]);
        assert!(matches!(acks.complete(), Err(EmitError::Args(_))));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn all_answers_are_there_or_it_is_an_error() {
        let complete = |answers: Vec<Answer>| acks(answers).complete();
        assert_eq!(complete(Vec::new()).unwrap(), []);
        let all = complete(vec![answer("[1]"), answer("[2]")]);
        assert_eq!(all.unwrap(), [(1,), (2,)]);
        let late = complete(vec![answer("[1]"), Answer::Late, Answer::Gone]);
        assert!(matches!(late, Err(EmitError::Timeout)));
        let gone = complete(vec![answer("[1]"), Answer::Gone]);
        assert!(matches!(gone, Err(EmitError::Gone)));
    }
}
