use std::rc::Rc;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::platform::alarms;
use crate::in_browser::settle;
use crate::in_browser::time::Time;
use crate::options::Options;
use crate::platform::now;

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(25);
const NO_TIMER: [u32; 0] = [];

/// An object that sleeps between heartbeats, which are 25 s apart.
fn sleeping() -> Rc<FakeObject> {
    let object = object(Options::default());
    assert!(object.parts.sleeps());
    object
}

/// The same, and it is known that no alarm is set.
fn without_alarm() -> Rc<FakeObject> {
    let object = sleeping();
    object.parts.clock.handle_alarm();
    object
}

/// An object that never sleeps.
fn awake() -> Rc<FakeObject> {
    let mut options = Options::default();
    options.settings.ping_interval = 5 * SECOND;
    let object = object(options);
    assert!(!object.parts.sleeps());
    object
}

fn within(after: Duration, cause: Cause) -> Deadline {
    let at = now() + after;
    Deadline { at, cause }
}

impl FakeObject {
    fn arm(&self, number: u8, after: Duration, cause: Cause) {
        let deadline = within(after, cause);
        self.parts.clock.arm(key(number), [Some(deadline), None]);
    }

    /// In how many seconds the alarm was set to go off, each time.
    fn alarms(&self) -> Vec<u32> {
        let alarms = alarms(&self.parts.state).into_iter();
        alarms.map(|at| at.since(now()).as_secs() as u32).collect()
    }
}

fn seconds(time: &Time) -> Vec<u32> {
    let timers = time.timers().into_iter();
    timers.map(|left| left.as_secs() as u32).collect()
}

/// Which alarms and timers are set for a deadline, in seconds.
fn check(
    object: &FakeObject,
    (after, cause): (u32, Cause),
    (set, timers): (Option<u32>, Option<u32>),
) {
    let time = Time::stop();
    object.arm(1, after * SECOND, cause);
    let found = (object.alarms(), seconds(&time));
    let expect = (set.into_iter().collect(), timers.into_iter().collect());
    assert_eq!(found, expect, "{after} s, {cause:?}");
}

#[wasm_bindgen_test]
fn what_is_soon_has_a_timer_and_everything_else_the_alarm() {
    let alarm = |after| (Some(after), None);
    let timer = |after| (None, Some(after));
    for (deadline, expect) in [
        ((25, Cause::Heartbeat), alarm(25)),
        ((3, Cause::Heartbeat), alarm(3)),
        ((30, Cause::Farewell), alarm(30)),
        ((3, Cause::Farewell), alarm(3)),
        ((10, Cause::Upgrade), timer(10)),
        ((11, Cause::Upgrade), alarm(11)),
        ((0, Cause::Upgrade), timer(0)),
        ((10, Cause::Application), timer(10)),
        ((11, Cause::Application), alarm(11)),
    ] {
        check(&without_alarm(), deadline, expect);
    }
}

#[wasm_bindgen_test]
fn neither_of_two_deadlines_hides_the_other() {
    for (heartbeat, alarm) in [(3, Some(3)), (5, None), (20, None)] {
        let time = Time::stop();
        let object = without_alarm();
        let heartbeat = within(heartbeat * SECOND, Cause::Heartbeat);
        let above = within(5 * SECOND, Cause::Application);
        object
            .parts
            .clock
            .arm(key(1), [Some(heartbeat), Some(above)]);
        let expect = (alarm.into_iter().collect(), vec![5]);
        assert_eq!((object.alarms(), seconds(&time)), expect);
        // The alarm is set when the timer has gone off, if it is not yet.
        time.advance(5 * SECOND);
        assert_eq!(object.take_heard(), "timeout 1");
        assert_eq!(seconds(&time), NO_TIMER);
    }
    let time = Time::stop();
    let object = awake();
    let deadlines = [3, 5].map(|after| Some(within(after * SECOND, Cause::Application)));
    object.parts.clock.arm(key(1), deadlines);
    assert_eq!((object.alarms(), seconds(&time)), (vec![], vec![3]));
}

#[wasm_bindgen_test]
fn the_applications_alarms_share_the_pulse() {
    let _time = Time::stop();
    let object = without_alarm();
    let clock = &object.parts.clock;
    let after = |seconds: u32| now() + seconds * SECOND;
    clock.hold();
    clock.arm_for_application(after(5));
    assert_eq!(object.alarms(), [0; 0]);
    // One of the two, and once.
    clock.rearm(Some(after(1)), Some(after(60)));
    assert_eq!(object.alarms(), [25]);
    clock.arm_for_application(after(30));
    assert_eq!(object.alarms(), [25]);
    clock.arm_for_application(after(10));
    assert_eq!(object.alarms(), [25, 10]);
    clock.handle_alarm();
    clock.rearm(None, Some(after(60)));
    assert_eq!(object.alarms(), [25, 10, 60]);
    assert!(clock.is_settled());
}

#[wasm_bindgen_test]
fn the_applications_alarms_are_none_of_a_timer() {
    let time = Time::stop();
    let object = awake();
    object.parts.clock.handle_alarm();
    object.parts.clock.arm_for_application(now() + 3 * SECOND);
    assert_eq!((object.alarms(), seconds(&time)), (vec![3], vec![]));
}

#[wasm_bindgen_test]
fn an_object_that_never_sleeps_has_timers_alone() {
    for cause in [
        Cause::Heartbeat,
        Cause::Farewell,
        Cause::Upgrade,
        Cause::Application,
    ] {
        for after in [3, 60] {
            check(&awake(), (after, cause), (None, Some(after)));
        }
    }
}

#[wasm_bindgen_test]
fn heartbeats_wait_for_the_pulse_that_comes_anyway() {
    let _time = Time::stop();
    let object = without_alarm();
    object.arm(1, 20 * SECOND, Cause::Heartbeat);
    // Within an interval from now: earlier, and no earlier than the pulse.
    object.arm(2, 3 * SECOND, Cause::Heartbeat);
    object.arm(3, 40 * SECOND, Cause::Heartbeat);
    assert_eq!(object.alarms(), [20]);
    // Nobody waits for a pulse that is later than an interval from now.
    let object = without_alarm();
    object.arm(1, 40 * SECOND, Cause::Heartbeat);
    object.arm(2, 3 * SECOND, Cause::Heartbeat);
    assert_eq!(object.alarms(), [40, 3]);
    // What is no heartbeat does not wait.
    object.arm(3, 2 * SECOND, Cause::Farewell);
    assert_eq!(object.alarms(), [40, 3, 2]);
}

#[wasm_bindgen_test]
async fn an_alarm_that_is_set_already_is_asked_for_once() {
    let _time = Time::stop();
    for (set, expect) in [(None, &[3][..]), (Some(2), &[2]), (Some(4), &[4, 3])] {
        let object = sleeping();
        if let Some(set) = set {
            object.parts.state.set_alarm(now() + set * SECOND);
        }
        object.arm(1, 20 * SECOND, Cause::Farewell);
        object.arm(2, 3 * SECOND, Cause::Farewell);
        object.arm(3, 30 * SECOND, Cause::Heartbeat);
        let asked = set.into_iter().collect::<Vec<_>>();
        assert_eq!(object.alarms(), asked, "nothing is set before the answer");
        settle().await;
        assert_eq!(object.alarms(), expect, "{set:?}");
        let asked = js_sys::Reflect::get(&object.parts.state.own("storage"), &"asked".into());
        assert_eq!(asked.unwrap().as_f64(), Some(1.0));
    }
}

#[wasm_bindgen_test]
async fn heartbeats_are_content_with_the_alarm_of_before() {
    let _time = Time::stop();
    let object = sleeping();
    object.parts.state.set_alarm(now() + 24 * SECOND);
    object.arm(1, 3 * SECOND, Cause::Heartbeat);
    settle().await;
    assert_eq!(object.alarms(), [24]);
}

#[wasm_bindgen_test]
async fn an_alarm_that_goes_off_meanwhile_makes_the_answer_void() {
    let _time = Time::stop();
    let object = sleeping();
    object.parts.state.set_alarm(now() + SECOND);
    object.arm(1, 20 * SECOND, Cause::Farewell);
    object.parts.clock.handle_alarm();
    settle().await;
    assert_eq!(object.alarms(), [1], "everybody is looked at now");
    object.arm(1, 20 * SECOND, Cause::Farewell);
    assert_eq!(object.alarms(), [1, 20]);
}

#[wasm_bindgen_test]
fn the_next_pulse_is_not_before_another_interval_has_passed() {
    let _time = Time::stop();
    for (first, expect) in [(3, 25), (25, 25), (40, 40)] {
        let object = without_alarm();
        object.parts.clock.hold();
        object.arm(1, first * SECOND, Cause::Heartbeat);
        object.arm(2, first * SECOND, Cause::Farewell);
        assert!(object.alarms().is_empty(), "held");
        object.parts.clock.rearm(Some(now() + first * SECOND), None);
        assert_eq!(object.alarms(), [expect], "{first}");
    }
    let object = without_alarm();
    object.parts.clock.hold();
    object.parts.clock.rearm(None, None);
    assert!(object.alarms().is_empty(), "there is nothing to come");
    object.arm(1, 3 * SECOND, Cause::Farewell);
    assert_eq!(object.alarms(), [3], "it is no longer held");
}

#[wasm_bindgen_test]
fn what_concerns_the_whole_object_does_not_wait_for_the_pulse() {
    let time = Time::stop();
    let object = without_alarm();
    object.parts.clock.arm_at(now() + 3 * SECOND);
    assert_eq!((object.alarms(), seconds(&time)), (vec![3], vec![]));
    drop(time);
    let time = Time::stop();
    let object = awake();
    object.parts.clock.rearm(Some(now() + 9 * SECOND), None);
    object.parts.clock.arm_at(now() + 3 * SECOND);
    assert_eq!((object.alarms(), seconds(&time)), (vec![], vec![3]));
}

#[wasm_bindgen_test]
fn a_timer_tells_of_the_sessions_that_are_due() {
    let time = Time::stop();
    let object = without_alarm();
    object.arm(1, 3 * SECOND, Cause::Upgrade);
    object.arm(2, 5 * SECOND, Cause::Upgrade);
    object.arm(3, 3 * SECOND, Cause::Application);
    assert_eq!(seconds(&time), [3], "one for the first of them");
    time.advance(2 * SECOND);
    assert_eq!(object.take_heard(), "");
    time.advance(SECOND);
    assert_eq!(object.take_heard(), "timeout 1; timeout 3");
    assert_eq!(seconds(&time), [2]);
    time.advance(2 * SECOND);
    assert_eq!(object.take_heard(), "timeout 2");
    assert_eq!(seconds(&time), NO_TIMER, "a timer keeps the object awake");
}

#[wasm_bindgen_test]
fn a_deadline_that_is_met_lets_go_of_its_timer() {
    let time = Time::stop();
    let object = without_alarm();
    object.arm(1, 3 * SECOND, Cause::Upgrade);
    object.parts.clock.arm(key(1), [None; 2]);
    assert_eq!(seconds(&time), NO_TIMER);
    // What comes in its place has the alarm.
    object.arm(1, 3 * SECOND, Cause::Upgrade);
    object.arm(1, INTERVAL, Cause::Heartbeat);
    assert_eq!((object.alarms(), seconds(&time)), (vec![25], vec![]));
    time.advance(INTERVAL);
    assert_eq!(object.take_heard(), "");
}

#[wasm_bindgen_test]
fn a_deadline_that_is_put_off_is_told_once() {
    let time = Time::stop();
    let object = without_alarm();
    object.arm(1, 3 * SECOND, Cause::Upgrade);
    object.arm(1, 5 * SECOND, Cause::Upgrade);
    time.advance(4 * SECOND);
    assert_eq!(object.take_heard(), "");
    time.advance(SECOND);
    assert_eq!(object.take_heard(), "timeout 1");
    assert_eq!(seconds(&time), NO_TIMER);
}

#[wasm_bindgen_test]
fn an_object_that_never_sleeps_looks_at_all_at_the_first_deadline() {
    let time = Time::stop();
    let object = awake();
    object.arm(1, 5 * SECOND, Cause::Heartbeat);
    object.arm(2, 3 * SECOND, Cause::Upgrade);
    object.parts.clock.arm(key(3), [None; 2]);
    assert_eq!(seconds(&time), [3]);
    time.advance(3 * SECOND);
    assert_eq!(object.take_heard(), "timeouts");
    assert_eq!(
        seconds(&time),
        NO_TIMER,
        "it is set again when all were looked at"
    );
    object.parts.clock.rearm(Some(now() + 2 * SECOND), None);
    assert_eq!(seconds(&time), [2], "whenever that is");
}

#[wasm_bindgen_test]
fn what_is_unsaved_is_saved_once() {
    let time = Time::stop();
    let object = sleeping();
    let clock = &object.parts.clock;
    clock.save_soon(SECOND);
    clock.save_soon(2 * SECOND);
    time.advance(SECOND / 2);
    assert_eq!(object.take_heard(), "");
    time.advance(SECOND / 2);
    assert_eq!(object.take_heard(), "save all");
    clock.save_soon(SECOND);
    time.advance(SECOND);
    assert_eq!(object.take_heard(), "save all");
    assert_eq!(seconds(&time), NO_TIMER);
}

#[wasm_bindgen_test]
fn what_must_not_wait_is_saved_before_what_must() {
    let time = Time::stop();
    let object = sleeping();
    let clock = &object.parts.clock;
    clock.save_soon(3 * SECOND);
    clock.save_soon(SECOND);
    assert_eq!(seconds(&time), [1], "one timer is enough");
    time.advance(SECOND);
    assert_eq!(object.take_heard(), "save all");
    assert_eq!(seconds(&time), NO_TIMER);
}

#[wasm_bindgen_test]
fn an_object_that_is_gone_is_told_of_nothing() {
    let time = Time::stop();
    let object = without_alarm();
    object.arm(1, 3 * SECOND, Cause::Upgrade);
    object.parts.clock.save_soon(SECOND);
    drop(object);
    assert_eq!(seconds(&time), NO_TIMER, "its timers have gone with it");
}
