use core::cell::RefCell;

use futures::FutureExt;
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Env;

use super::super::context::Place;
use super::super::encode::Replied;
use super::*;
use crate::api::engine::{self, Client, Message};
use crate::{
    Ack, Args, ArgsError, Auth, DataError, EmitError, EventName, Expired, Handshake, Io, Reason,
    Recovered, Refusal, Socket, State,
};

/// Stands for the kinds of handlers, whose contexts only an object has: takes
/// numbers from a list.
enum OnTest {}

#[derive(Default)]
struct TestContext {
    numbers: Vec<i64>,
    taken: usize,
}

impl Kind for OnTest {
    type Subject = ();
    type Detail<'a> = TestContext;
    type Outcome = Replied;

    fn place<'a>(_context: &'a Context<'_, Self>) -> Place<'a> {
        panic!("it is nowhere")
    }
}

impl Extract<OnTest> for i64 {
    fn extract(context: &mut Context<'_, OnTest>) -> Result<Self, Rejection> {
        let number = context.detail.numbers.get(context.detail.taken).copied();
        context.detail.taken += 1;
        number.ok_or_else(|| Rejection::new("no number"))
    }
}

fn context(numbers: &[i64]) -> Context<'static, OnTest> {
    Context {
        subject: &(),
        detail: TestContext {
            numbers: numbers.to_vec(),
            taken: 0,
        },
    }
}

fn call<S>(handler: impl Handler<OnTest, S>, numbers: &[i64]) -> Result<Call<Replied>, Rejection> {
    Handler::call(&Rc::new(handler), &mut context(numbers))
}

/// Returns the answer of a handler that returns when it is called.
fn done<S>(handler: impl Handler<OnTest, S>, numbers: &[i64]) -> String {
    match call(handler, numbers) {
        Ok(Call::Done(replied)) => replied.args.json().to_owned(),
        Ok(Call::Later(_)) => panic!("it is async"),
        Err(rejection) => rejection.to_string(),
    }
}

/// Returns the answer of an async handler.
fn later<S>(handler: impl Handler<OnTest, S>, numbers: &[i64]) -> String {
    match call(handler, numbers) {
        Ok(Call::Later(future)) => {
            let replied = future.now_or_never().expect("it waits for nothing");
            replied.args.json().to_owned()
        }
        Ok(Call::Done(_)) => panic!("it is not async"),
        Err(rejection) => rejection.to_string(),
    }
}

fn add(a: i64, b: i64) -> i64 {
    a + b
}

async fn add_later(a: i64, b: i64) -> i64 {
    a + b
}

fn nothing() {}

async fn nothing_later() {}

fn checked(a: i64) -> Result<i64, HandlerError> {
    Ok(u8::try_from(a)?.into())
}

async fn checked_later(a: i64) -> Result<i64, HandlerError> {
    checked(a)
}

fn never(_a: i64, _b: i64) {
    panic!("called");
}

async fn never_later(_a: i64) {
    panic!("called");
}

fn boxed(a: i64) -> LocalBoxFuture<'static, i64> {
    Box::pin(async move { a })
}

#[wasm_bindgen_test(unsupported = test)]
fn functions_and_closures_are_handlers() {
    assert_eq!(done(nothing, &[]), "[]");
    assert_eq!(done(add, &[1, 2]), "[3]");
    assert_eq!(done(checked, &[3]), "[3]");
    assert_eq!(done(checked, &[-3]), r#"[{"error":"internal error"}]"#);
    assert_eq!(done(|| (), &[]), "[]");
    assert_eq!(done(|| "a".to_owned(), &[]), r#"["a"]"#);
    assert_eq!(done(|a: i64, b: i64| (a, b), &[1, 2]), "[1,2]");
    assert_eq!(done(|a: i64| vec![a], &[1]), "[[1]]");
    let all =
        |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64| [a, b, c, d, e, f, g, h];
    assert_eq!(done(all, &[1, 2, 3, 4, 5, 6, 7, 8]), "[1,2,3,4,5,6,7,8]");
}

#[wasm_bindgen_test(unsupported = test)]
fn args_are_returned_as_they_came() {
    let came = || {
        let bytes = r#"["e",1,[2],{"_placeholder":true,"num":0}]"#;
        Args::new(
            dormouse_proto::socket::Args::new(bytes, vec![vec![7]]),
            true,
        )
    };
    let expect = r#"[1,[2],{"_placeholder":true,"num":0}]"#;
    let Ok(Call::Done(replied)) = call(came, &[]) else {
        panic!("it returns at once");
    };
    assert_eq!(replied.args.json(), expect);
    assert_eq!(replied.args.attachments(), [vec![7]]);
    assert_eq!(later(async move || came(), &[]), expect);
    assert_eq!(done(move || Ok::<_, EmitError>(came()), &[]), expect);
    assert_eq!(
        done(move || Ok::<_, String>(came().skip(1)), &[]),
        "[[2],{\"_placeholder\":true,\"num\":0}]"
    );
    let failed = || Err::<Args, _>(HandlerError::new("no"));
    assert_eq!(done(failed, &[]), r#"[{"error":"no"}]"#);
    let failed = || Err::<Args, _>(EmitError::Gone);
    assert_eq!(done(failed, &[]), r#"[{"error":"internal error"}]"#);
    let failed = || Err::<Args, _>(("a", 1));
    assert_eq!(done(failed, &[]), r#"[{"error":["a",1]}]"#);
}

#[wasm_bindgen_test(unsupported = test)]
fn async_functions_and_closures_are_handlers() {
    assert_eq!(later(nothing_later, &[]), "[]");
    assert_eq!(later(add_later, &[1, 2]), "[3]");
    assert_eq!(later(checked_later, &[3]), "[3]");
    assert_eq!(
        later(checked_later, &[-3]),
        r#"[{"error":"internal error"}]"#
    );
    assert_eq!(later(async |a: i64| boxed(a).await, &[1]), "[1]");
    assert_eq!(later(async || (), &[]), "[]");
    assert_eq!(later(async || "a", &[]), r#"["a"]"#);
    assert_eq!(later(async |a: i64, b: i64| (a, b), &[1, 2]), "[1,2]");
    assert_eq!(later(|a: i64| async move { a }, &[1]), "[1]");
    let all = async |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64| {
        [a, b, c, d, e, f, g, h]
    };
    assert_eq!(later(all, &[1, 2, 3, 4, 5, 6, 7, 8]), "[1,2,3,4,5,6,7,8]");
}

#[wasm_bindgen_test(unsupported = test)]
fn handlers_may_keep_something() {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (one, other) = (kept.clone(), kept.clone());
    assert_eq!(done(move |a: i64| one.borrow_mut().push(a), &[1]), "[]");
    // Its future borrows what the closure has.
    let push = async move |a: i64| {
        other.borrow_mut().push(a);
        other.borrow().len()
    };
    assert_eq!(later(push, &[2]), "[2]");
    assert_eq!(*kept.borrow(), [1, 2]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_handler_takes_everything_before_it_waits() {
    let handler = Rc::new(async |a: i64, b: i64| a - b);
    let mut context = context(&[5, 3]);
    let call = Handler::<OnTest, _>::call(&handler, &mut context);
    assert_eq!(context.detail.taken, 2);
    drop(context);
    let Ok(Call::Later(future)) = call else {
        panic!("it is async");
    };
    // The handler goes on where the server has forgotten it.
    drop(handler);
    assert_eq!(future.now_or_never().unwrap().args.json(), "[2]");
}

#[wasm_bindgen_test(unsupported = test)]
fn who_cannot_take_something_is_not_called() {
    assert_eq!(done(never, &[1]), "no number");
    assert_eq!(later(never_later, &[]), "no number");
}

/// Compiles if the compiler finds out how this is a handler.
fn fits<K: Kind, S>(_handler: impl Handler<K, S>) {}

#[derive(serde::Deserialize)]
struct Login;

#[wasm_bindgen_test(unsupported = test)]
fn handlers_of_every_kind_need_no_annotations() {
    fits::<OnEvent, _>(async |_: Socket, (_, _): (String, Option<i64>), _: Ack| ());
    fits::<OnEvent, _>(async |_: EventName, args: Args| Ok::<_, HandlerError>(args.len()));
    fits::<OnEvent, _>(|_: State<u8>, _: Io, (value,): (Value,)| value);
    fits::<OnEvent, _>(
        async |(a, b, c, d, e, f, g, h): (u8, u8, u8, u8, u8, u8, u8, u8)| [a, b, c, d, e, f, g, h],
    );
    fits::<BeforeEvent, _>(async |_: Socket, _: EventName, _: Args| ());
    fits::<BeforeEvent, _>(|_: EventName| Err::<(), _>("blocked"));
    fits::<OnConnect, _>(async |_: Socket, _: Handshake, _: Recovered| ());
    fits::<OnConnect, _>(|_: Auth<Login>| Err::<(), _>(Refusal::new("no")));
    fits::<OnConnect, _>(async |_: Auth<Value>| Ok::<(), Refusal>(()));
    fits::<OnDisconnect, _>(async |_: Socket, _: Reason| ());
    fits::<OnDisconnect, _>(|_: Reason| Err::<(), _>("late"));
    fits::<OnExpired, _>(async |_: Expired, _: Io, _: State<u8>| ());
    fits::<OnExpired, _>(|_: Expired| Ok::<(), String>(()));
    fits::<OnOpen, _>(async |_: Client, _: Handshake| ());
    fits::<OnOpen, _>(|_: Handshake, _: Env| Err::<(), _>(engine::Refusal::new("no")));
    fits::<OnMessage, _>(async |client: Client, message: Message| client.send(message).await);
    fits::<OnMessage, _>(|_: Message, _: State<u8>| ());
    fits::<OnClose, _>(async |_: engine::Reason, _: Client| ());
}

#[wasm_bindgen_test(unsupported = test)]
fn handlers_of_every_kind_may_fail_with_any_error_of_ours() {
    fits::<OnEvent, _>(async || Err::<u8, EmitError>(EmitError::Gone));
    fits::<OnEvent, _>(|| Err::<u8, DataError>(DataError::TooLarge));
    fits::<OnEvent, _>(|args: Args| args.parse::<(u8,)>());
    fits::<OnEvent, _>(|| Ok::<u8, ArgsError>(1));
    fits::<OnEvent, _>(|| Err::<(), worker::Error>("no".into()));
    fits::<BeforeEvent, _>(|| Err::<(), EmitError>(EmitError::Gone));
    fits::<OnConnect, _>(async || Err::<(), EmitError>(EmitError::Gone));
    fits::<OnConnect, _>(|| Err::<(), DataError>(DataError::TooLarge));
    fits::<OnConnect, _>(|| Err::<(), worker::Error>("no".into()));
    fits::<OnConnect, _>(|| Err::<(), HandlerError>(HandlerError::new("no")));
    fits::<OnConnect, _>(|| Err::<(), _>("no"));
    fits::<OnConnect, _>(|| Err::<(), _>("no".to_owned()));
    fits::<OnDisconnect, _>(async || Err::<(), EmitError>(EmitError::Gone));
    fits::<OnExpired, _>(async || Err::<(), EmitError>(EmitError::Gone));
    fits::<OnOpen, _>(async || Err::<(), engine::SendError>(engine::SendError::Unknown));
    fits::<OnOpen, _>(|| Err::<(), _>("no"));
    fits::<OnMessage, _>(|| Err::<(), DataError>(DataError::TooLarge));
    fits::<OnClose, _>(|| Err::<(), core::fmt::Error>(core::fmt::Error));
    fits::<OnClose, _>(|| Err::<(), Box<dyn core::error::Error>>("no".into()));
    fits::<OnEvent, _>(|| Err::<(), Box<dyn core::error::Error>>("no".into()));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_met_on_the_way_is_turned_by_question_mark() {
    fits::<OnConnect, _>(async |socket: Socket, env: Env| {
        socket.set_data(&1)?;
        socket.join("lobby").await?;
        env.kv("names")?.get("a").text().await?;
        "1".parse::<u8>()?;
        Ok::<(), Refusal>(())
    });
    fits::<OnEvent, _>(async |socket: Socket, args: Args| {
        let (room,): (String,) = args.parse()?;
        socket.join(&room).await?;
        socket.set_data(&room)?;
        Ok::<_, HandlerError>("1".parse::<u8>()?)
    });
    fits::<OnMessage, _>(async |client: Client| {
        client.send("a").await?;
        Ok::<(), HandlerError>(client.save_session(&1)?)
    });
}

/// An extractor that serves every kind of handler.
struct Anything;

impl<K: Kind> Extract<K> for Anything {
    fn extract(_context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

/// One that serves those that are called for a socket.
struct User;

impl<K: OfSocket> Extract<K> for User {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        let user: Option<String> = context.socket().data()?;
        user.map(|_| Self)
            .ok_or_else(|| Rejection::new("log in first"))
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn one_extractor_serves_many_kinds() {
    assert_eq!(done(|_: Anything, a: i64| a, &[1]), "[1]");
    fits::<OnEvent, _>(async |_: Anything, _: User, (_,): (u8,)| ());
    fits::<BeforeEvent, _>(|_: Anything, _: User| ());
    fits::<OnConnect, _>(|_: Anything, _: User| ());
    fits::<OnDisconnect, _>(|_: Anything, _: User| ());
    fits::<OnExpired, _>(|_: Anything| ());
    fits::<OnOpen, _>(|_: Anything| ());
    fits::<OnMessage, _>(|_: Anything| ());
    fits::<OnClose, _>(|_: Anything| ());
}
