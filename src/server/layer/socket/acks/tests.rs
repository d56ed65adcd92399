use dormouse_proto::socket::JoinId;
use futures::FutureExt as _;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::settle;
use crate::in_browser::time::Time;

const SECOND: Duration = Duration::from_secs(1);

fn spot(number: u8) -> Spot {
    Spot::new([number; 12], JoinId(0))
}

fn args(json: &'static str) -> Args<'static> {
    Args::new(json, Vec::new())
}

/// How many answers there are, how many are late, and how many have gone.
fn counts(waiting: &Waiting<Spot>) -> (usize, usize, usize) {
    let late = waiting.missing().len();
    (waiting.answers.len(), late, waiting.gone.len())
}

#[wasm_bindgen_test]
async fn who_waits_is_told_when_all_have_answered() {
    let acks = PendingAcks::default();
    let expected = Expected::from(&acks, &[spot(1), spot(2)]);
    let id = expected.id.into();
    let mut waiting = Box::pin(expected.wait(SECOND));
    assert!(waiting.as_mut().now_or_never().is_none());
    acks.handle_ack(spot(2), id, args("[2]"));
    acks.handle_ack(spot(3), id, args("[3]"));
    acks.handle_ack(spot(2), id, args("[4]"));
    assert!(waiting.as_mut().now_or_never().is_none(), "one is missing");
    acks.handle_ack(spot(1), id, args("[1]"));
    let waiting = waiting.await;
    let answers = waiting.answers.iter();
    let answers: Vec<_> = answers.map(|(who, args)| (*who, args.json())).collect();
    assert_eq!(answers, [(spot(2), "[2]"), (spot(1), "[1]")]);
    assert_eq!(counts(&waiting), (2, 0, 0));
}

#[wasm_bindgen_test]
async fn who_waits_for_nobody_does_not_wait() {
    let time = Time::stop();
    let acks = PendingAcks::default();
    let waiting = Expected::from(&acks, &[]).wait(SECOND).now_or_never();
    assert_eq!(counts(&waiting.unwrap()), (0, 0, 0));
    // Nor does who has all answers before it begins to wait.
    let expected = Expected::from(&acks, &[spot(1)]);
    acks.handle_ack(spot(1), expected.id.into(), args("[1]"));
    let waiting = expected.wait(SECOND).now_or_never();
    assert_eq!(counts(&waiting.unwrap()), (1, 0, 0));
    assert!(time.timers().is_empty());
}

#[wasm_bindgen_test]
async fn who_has_gone_answers_nothing_any_more() {
    let acks = PendingAcks::default();
    let one = Expected::from(&acks, &[spot(1)]);
    let both = Expected::from(&acks, &[spot(1), spot(2)]);
    acks.handle_gone(spot(1));
    assert_eq!(counts(&one.wait(SECOND).await), (0, 0, 1));
    acks.handle_ack(spot(2), both.id.into(), args("[2]"));
    assert_eq!(counts(&both.wait(SECOND).await), (1, 0, 1));
}

#[wasm_bindgen_test]
async fn who_does_not_answer_in_time_is_late() {
    let time = Time::stop();
    let acks = PendingAcks::default();
    let expected = Expected::from(&acks, &[spot(1), spot(2)]);
    let id = expected.id.into();
    let mut waiting = Box::pin(expected.wait(SECOND));
    assert!(waiting.as_mut().now_or_never().is_none());
    acks.handle_ack(spot(2), id, args("[2]"));
    time.advance(SECOND);
    settle().await;
    let waiting = waiting.now_or_never().unwrap();
    assert_eq!(counts(&waiting), (1, 1, 0));
    assert_eq!(waiting.missing(), [spot(1)]);
    assert!(time.timers().is_empty());
    acks.handle_ack(spot(1), id, args("[1]"));
}

#[wasm_bindgen_test]
fn who_gives_up_is_waited_for_no_longer() {
    let acks = PendingAcks::default();
    let expected = Expected::from(&acks, &[spot(1)]);
    let id = expected.id;
    assert!(!acks.0.borrow().is_complete(id));
    drop(expected);
    assert!(acks.0.borrow().is_complete(id));
}
