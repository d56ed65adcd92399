use core::cell::RefCell;

use futures::FutureExt;
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::{Ack, Args, Auth, EventName, Expired, Handshake, Io, Reason, Recovered, Socket, State};

/// Stands for the kinds of handlers, whose contexts only an object has: takes
/// numbers from a list.
enum OnTest {}

#[derive(Default)]
struct TestContext {
    numbers: Vec<i64>,
    taken: usize,
}

impl Kind for OnTest {
    type Context<'a> = TestContext;
    type Outcome = Replied;
}

impl<T: Serialize> Return<OnTest> for T {
    fn into_outcome(self) -> Replied {
        Replied::with(&self)
    }
}

impl Extract<OnTest> for i64 {
    fn extract(context: &mut TestContext) -> Result<Self, Rejection> {
        let number = context.numbers.get(context.taken).copied();
        context.taken += 1;
        number.ok_or_else(|| Rejection::new("no number"))
    }
}

fn call<M>(handler: impl Handler<OnTest, M>, numbers: &[i64]) -> Result<Call<Replied>, Rejection> {
    let mut context = TestContext {
        numbers: numbers.to_vec(),
        taken: 0,
    };
    Handler::call(&Rc::new(handler), &mut context)
}

/// What a function answers that has returned when it is called.
fn done<M>(handler: impl Handler<OnTest, M>, numbers: &[i64]) -> String {
    match call(handler, numbers) {
        Ok(Call::Done(replied)) => replied.args.json().to_owned(),
        Ok(Call::Later(_)) => panic!("it is async"),
        Err(rejection) => rejection.to_string(),
    }
}

/// The same of an async one.
fn later<M>(handler: impl Handler<OnTest, M>, numbers: &[i64]) -> String {
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

fn checked(a: i64) -> Result<i64, Failed> {
    Ok(u8::try_from(a)?.into())
}

async fn checked_later(a: i64) -> Result<i64, Failed> {
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
    assert!(done(checked, &[-3]).starts_with(r#"[{"error":""#));
    assert_eq!(done(|| (), &[]), "[]");
    assert_eq!(done(|| "a".to_owned(), &[]), r#"["a"]"#);
    assert_eq!(done(|a: i64, b: i64| (a, b), &[1, 2]), "[1,2]");
    assert_eq!(done(|a: i64| vec![a], &[1]), "[[1]]");
    let all =
        |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64| [a, b, c, d, e, f, g, h];
    assert_eq!(done(all, &[1, 2, 3, 4, 5, 6, 7, 8]), "[1,2,3,4,5,6,7,8]");
}

#[wasm_bindgen_test(unsupported = test)]
fn async_functions_and_closures_are_handlers() {
    assert_eq!(later(nothing_later, &[]), "[]");
    assert_eq!(later(add_later, &[1, 2]), "[3]");
    assert_eq!(later(checked_later, &[3]), "[3]");
    assert!(later(checked_later, &[-3]).starts_with(r#"[{"error":""#));
    assert_eq!(later(boxed, &[1]), "[1]");
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
    let mut context = TestContext {
        numbers: vec![5, 3],
        taken: 0,
    };
    let call = Handler::<OnTest, _>::call(&handler, &mut context);
    assert_eq!(context.taken, 2);
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
fn fits<K: Kind, M>(_handler: impl Handler<K, M>) {}

#[derive(serde::Deserialize)]
struct Login;

#[wasm_bindgen_test(unsupported = test)]
fn handlers_of_every_kind_need_no_annotations() {
    fits::<OnEvent, _>(async |_: Socket, (_, _): (String, Option<i64>), _: Ack| ());
    fits::<OnEvent, _>(async |_: EventName, args: Args| Ok::<_, Failed>(args.len()));
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
    fits::<OnExpired, _>(async |_: Expired| ());
    fits::<OnExpired, _>(|_: Expired| Ok::<(), String>(()));
}
