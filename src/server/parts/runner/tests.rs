use core::cell::{Cell, RefCell};

use futures::channel::oneshot;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::settle;
use crate::in_browser::time::Time;
use crate::log::Log;
use crate::options::Options;
use crate::parts::Phase;

const SECOND: Duration = Duration::from_secs(1);

fn made() -> Rc<FakeObject> {
    object(Options {
        log: Log::off(),
        task_limit: 5 * SECOND,
        ..Options::default()
    })
}

fn job() -> Job {
    Job::new(key(1), "message")
}

fn limited(limit: Duration) -> Job {
    Job {
        limit: Some(limit),
        ..job()
    }
}

/// What came of a handler, each time.
type Outcomes<T> = Rc<RefCell<Vec<Option<T>>>>;

fn outcomes<T: 'static>() -> (Outcomes<T>, impl FnOnce(Option<T>) + 'static) {
    let outcomes = Outcomes::default();
    let noting = outcomes.clone();
    (outcomes, move |outcome| noting.borrow_mut().push(outcome))
}

#[wasm_bindgen_test]
fn a_handler_that_returns_at_once_is_finished_within_the_call() {
    let time = Time::stop();
    let object = made();
    for job in [job(), limited(SECOND)] {
        let (outcomes, finish) = outcomes();
        run(&object.parts, job, Box::pin(async { 7 }), finish);
        assert_eq!(*outcomes.borrow(), [Some(7)]);
    }
    assert!(time.timers().is_empty(), "nothing is limited that is over");
}

#[wasm_bindgen_test]
async fn a_handler_that_waits_goes_on_later() {
    let _time = Time::stop();
    let object = made();
    for job in [job(), limited(SECOND)] {
        let (outcomes, finish) = outcomes();
        let (sender, receiver) = oneshot::channel::<u8>();
        let handler = Box::pin(async move { receiver.await.unwrap() });
        run(&object.parts, job, handler, finish);
        settle().await;
        assert!(outcomes.borrow().is_empty());
        sender.send(7).unwrap();
        assert!(
            outcomes.borrow().is_empty(),
            "who wakes it is not kept waiting"
        );
        settle().await;
        assert_eq!(*outcomes.borrow(), [Some(7)]);
    }
}

#[wasm_bindgen_test]
async fn each_step_of_a_handler_is_a_turn() {
    let object = made();
    let (sender, receiver) = oneshot::channel::<()>();
    let inside = object.clone();
    let during = Rc::new(RefCell::new(Vec::new()));
    let noting = during.clone();
    let handler = Box::pin(async move {
        let step = |inside: &FakeObject| {
            inside.parts.turn.mark_dirty(key(1));
            inside.parts.turn.mark_dirty(key(1));
            noting.borrow_mut().push(inside.take_heard());
        };
        step(&inside);
        receiver.await.unwrap();
        step(&inside);
    });
    run(&object.parts, job(), handler, |_| {});
    assert_eq!(object.take_heard(), "finish 1");
    sender.send(()).unwrap();
    settle().await;
    assert_eq!(object.take_heard(), "finish 1");
    assert_eq!(*during.borrow(), ["", ""], "nothing is finished before");
}

#[wasm_bindgen_test]
async fn a_handler_that_takes_too_long_is_dropped() {
    let time = Time::stop();
    let object = made();
    let (outcomes, finish) = outcomes();
    let (sender, receiver) = oneshot::channel::<()>();
    let handler = Box::pin(async move { receiver.await.unwrap_or_default() });
    run(&object.parts, limited(3 * SECOND), handler, finish);
    settle().await;
    time.advance(3 * SECOND - Duration::from_millis(1));
    settle().await;
    assert!(outcomes.borrow().is_empty());
    time.advance(Duration::from_millis(1));
    settle().await;
    assert_eq!(*outcomes.borrow(), [None]);
    assert!(sender.is_canceled());
}

#[wasm_bindgen_test]
async fn a_handler_that_returns_in_time_has_no_limit_any_more() {
    let time = Time::stop();
    let object = made();
    let (outcomes, finish) = outcomes();
    let (sender, receiver) = oneshot::channel::<u8>();
    let handler = Box::pin(async move { receiver.await.unwrap() });
    run(&object.parts, limited(3 * SECOND), handler, finish);
    settle().await;
    sender.send(7).unwrap();
    settle().await;
    assert!(time.timers().is_empty(), "it would keep the object awake");
    time.advance(3 * SECOND);
    settle().await;
    assert_eq!(*outcomes.borrow(), [Some(7)]);
}

#[wasm_bindgen_test]
async fn a_handler_that_must_not_run_now_runs_later() {
    let object = made();
    let (outcomes, finish) = outcomes();
    let is_called = Rc::new(Cell::new(false));
    let calling = is_called.clone();
    let handler = Box::pin(async move { calling.set(true) });
    run_later(&object.parts, job(), handler, finish);
    assert!(!is_called.get());
    settle().await;
    assert!(is_called.get());
    assert_eq!(*outcomes.borrow(), [Some(())]);
}

#[wasm_bindgen_test]
async fn a_future_may_keep_the_first_waker_that_it_is_given() {
    let object = made();
    let (outcomes, finish) = outcomes();
    let first: Rc<RefCell<Option<Waker>>> = Rc::default();
    let is_done = Rc::new(Cell::new(false));
    let (keeping, done) = (first.clone(), is_done.clone());
    let handler = Box::pin(poll_fn(move |context| {
        let mut first = keeping.borrow_mut();
        first.get_or_insert_with(|| context.waker().clone());
        if done.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    run(&object.parts, job(), handler, finish);
    settle().await;
    is_done.set(true);
    first.borrow().as_ref().unwrap().wake_by_ref();
    settle().await;
    assert_eq!(*outcomes.borrow(), [Some(())]);
}

#[wasm_bindgen_test]
async fn a_handler_that_is_woken_before_it_has_a_task_goes_on() {
    let object = made();
    let (outcomes, finish) = outcomes();
    let mut polls = 0;
    let handler = Box::pin(poll_fn(move |context| {
        polls += 1;
        if polls < 3 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(polls)
    }));
    run(&object.parts, job(), handler, finish);
    settle().await;
    assert_eq!(*outcomes.borrow(), [Some(3)]);
}

/// Starts a task of the session of this number, which waits for the receiver; whether
/// it still waits is what the sender knows.
fn spawn_waiting(object: &FakeObject, number: u8) -> oneshot::Sender<()> {
    let (sender, receiver) = oneshot::channel();
    let task = Box::pin(async move { receiver.await.unwrap_or_default() });
    spawn(&object.parts, key(number), task);
    sender
}

#[wasm_bindgen_test]
async fn tasks_end_with_their_session() {
    let _time = Time::stop();
    let object = made();
    object.add_polling(1, Phase::Open);
    object.add_polling(2, Phase::Open);
    let [one, two, other] = [1, 1, 2].map(|number| spawn_waiting(&object, number));
    settle().await;
    assert!(!one.is_canceled() && !two.is_canceled());
    object.parts.tasks.end(key(1));
    settle().await;
    assert!(one.is_canceled() && two.is_canceled());
    assert!(!other.is_canceled());
}

/// Calls a handler that waits for the receiver, and notes how it ended.
fn run_waiting(
    object: &FakeObject,
    job: Job,
    ends: &Rc<RefCell<Vec<Option<u8>>>>,
) -> oneshot::Sender<u8> {
    let (sender, receiver) = oneshot::channel();
    let handler = Box::pin(async move { receiver.await.unwrap_or_default() });
    let ends = ends.clone();
    run(&object.parts, job, handler, move |end| {
        ends.borrow_mut().push(end);
    });
    sender
}

#[wasm_bindgen_test]
async fn handlers_of_a_session_that_was_written_off_are_dropped() {
    let _time = Time::stop();
    let object = made();
    object.add_polling(1, Phase::Open);
    object.add_polling(2, Phase::Open);
    let ends = Rc::default();
    let wait = |job| run_waiting(&object, job, &ends);
    let dropped = wait(Job::droppable(key(1), "event"));
    let goes_on = wait(Job::new(key(1), "disconnect"));
    let other = wait(Job::droppable(key(2), "event"));
    let done = wait(Job::droppable(key(1), "event"));
    done.send(7).unwrap();
    settle().await;
    assert_eq!(*ends.borrow(), [Some(7)]);
    object.parts.sessions.write_off(key(1));
    object.parts.tasks.drop_handlers(key(1));
    settle().await;
    assert_eq!(*ends.borrow(), [Some(7), None]);
    assert!(dropped.is_canceled());
    // What it would still begin goes as soon as it waits.
    let late = wait(Job::droppable(key(1), "event"));
    assert!(late.is_canceled());
    assert_eq!(*ends.borrow(), [Some(7), None, None]);
    goes_on.send(8).unwrap();
    other.send(9).unwrap();
    settle().await;
    assert_eq!(*ends.borrow(), [Some(7), None, None, Some(8), Some(9)]);
}

#[wasm_bindgen_test]
async fn nobody_has_tasks_who_has_no_session() {
    let object = made();
    let task = spawn_waiting(&object, 1);
    assert!(task.is_canceled());
}

#[wasm_bindgen_test]
async fn a_task_that_takes_too_long_is_dropped() {
    let time = Time::stop();
    let object = made();
    object.add_polling(1, Phase::Open);
    let task = spawn_waiting(&object, 1);
    settle().await;
    time.advance(5 * SECOND - Duration::from_millis(1));
    settle().await;
    assert!(!task.is_canceled());
    time.advance(Duration::from_millis(1));
    settle().await;
    assert!(task.is_canceled());
}

#[wasm_bindgen_test]
async fn a_task_that_is_done_leaves_nothing_behind() {
    let time = Time::stop();
    let object = made();
    object.add_polling(1, Phase::Open);
    let task = spawn_waiting(&object, 1);
    settle().await;
    task.send(()).unwrap();
    settle().await;
    assert!(time.timers().is_empty());
    assert_eq!(object.take_heard(), "", "a step that changed nothing");
}

#[wasm_bindgen_test]
fn so_many_messages_are_taken_on() {
    let mut work = Work::default();
    for _ in 0..MAX_MESSAGES {
        assert!(work.take_on(1));
    }
    assert!(!work.take_on(1));
    work.put_down(1);
    assert!(work.take_on(1));
}

#[wasm_bindgen_test]
fn so_many_bytes_are_taken_on() {
    let mut work = Work::default();
    assert!(work.take_on(MAX_LOAD - 1));
    assert!(work.take_on(1));
    assert!(!work.take_on(1));
    work.put_down(MAX_LOAD - 1);
    assert!(work.take_on(MAX_LOAD - 1));
    assert!(!work.take_on(1));
}

#[wasm_bindgen_test]
fn one_message_is_taken_on_whatever_its_size() {
    let mut work = Work::default();
    assert!(work.take_on(2 * MAX_LOAD));
    assert!(!work.take_on(0));
    work.put_down(2 * MAX_LOAD);
    assert!(work.take_on(2 * MAX_LOAD));
}
