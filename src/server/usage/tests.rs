use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

const ALL: [Counted; 9] = [
    Counted::Wake("alarm"),
    Counted::Request,
    Counted::Call,
    Counted::Message,
    Counted::Message,
    Counted::Alarm,
    Counted::Rows {
        written: 2,
        read: 5,
    },
    Counted::AlarmEnd,
    Counted::Wake("message"),
];

fn meter() -> Meter {
    let meter = Meter::new(Some(begin));
    ALL.into_iter().for_each(|what| meter.count(what));
    meter
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_counted_is_told_with_its_price() {
    let usage = meter().usage().unwrap();
    let woken = usage.woken_by().filter(|(_, count)| *count > 0);
    assert!(woken.eq([("message", 1), ("alarm", 1)]));
    assert_eq!(usage.wakes(), 2);
    assert_eq!(
        (usage.requests(), usage.calls(), usage.messages()),
        (1, 1, 2)
    );
    assert_eq!(
        (usage.alarms(), usage.rows_written(), usage.rows_read()),
        (1, 2, 5)
    );
    assert_eq!(usage.nanodollars(), 450 + 2 * 150 + 15 + 2_000 + 5);
}

#[wasm_bindgen_test(unsupported = test)]
fn usage_can_be_kept_and_added_up() {
    let usage = meter().usage().unwrap();
    let json = serde_json::to_string(&usage).unwrap();
    let expect = r#"{"wokenBy":{"handshake":0,"upgrade":0,"poll":0,"post":0,"message":1,"close":0,"call":0,"alarm":1,"panic":0},"requests":1,"calls":1,"messages":2,"alarms":1,"rowsWritten":2,"rowsRead":5}"#;
    assert_eq!(json, expect);
    assert_eq!(serde_json::from_str::<Usage>(&json).unwrap(), usage);
    // Of an earlier version that has counted less.
    assert_eq!(
        serde_json::from_str::<Usage>("{}").unwrap(),
        Usage::default()
    );
    let mut sum = usage;
    sum += usage;
    assert_eq!(sum.rows_read(), 10);
    assert_eq!(sum.since(usage), usage);
}

/// Returns what the table of docs/cost.md says of a million, in billionths of a dollar.
#[cfg(not(target_arch = "wasm32"))]
fn documented(item: &str) -> u64 {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cost.md");
    let text = std::fs::read_to_string(file).unwrap();
    let mut rows = text.lines().filter_map(|row| row.strip_prefix("| "));
    let row = rows.find_map(|row| row.strip_prefix(item)).unwrap();
    let price = row.split('|').nth(1).unwrap().trim();
    if price == "a twentieth of a request" {
        return documented("a request to an object") / 20;
    }
    let dollars = price.strip_suffix(" a million").unwrap();
    let dollars: f64 = dollars.strip_prefix('$').unwrap().parse().unwrap();
    (dollars * 1e9).round() as u64
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn prices_are_those_of_the_documentation() {
    let million = |count: &str| {
        let json = format!("{{\"{count}\": 1000000}}");
        serde_json::from_str::<Usage>(&json).unwrap().nanodollars()
    };
    let request = documented("a request to an object, or its alarm");
    let requests = documented("a request to the Worker") + request;
    assert_eq!(million("requests"), requests);
    assert_eq!((million("calls"), million("alarms")), (request, request));
    let message = documented("an incoming WebSocket message");
    assert_eq!(million("messages"), message);
    let written = documented("a row written or deleted, or an alarm set");
    assert_eq!(million("rowsWritten"), written);
    assert_eq!(million("rowsRead"), documented("a row read"));
}

fn at<const MILLIS: u64>() -> Timestamp {
    Timestamp::from_millis(MILLIS)
}

fn never() -> Timestamp {
    unreachable!("the time is not asked for if there is nothing to tell")
}

#[wasm_bindgen_test(unsupported = test)]
fn the_application_is_told_at_most_once_a_second() {
    let meter = meter();
    assert_eq!(meter.take_due(at::<10>), meter.usage());
    assert_eq!(meter.take_due(never), None);
    meter.count(Counted::Message);
    assert_eq!(meter.take_due(at::<1_009>), None);
    meter.count(Counted::Message);
    let told = meter.take_due(at::<1_010>).unwrap();
    assert_eq!((told.messages(), told.wakes()), (2, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_alarm_is_told_as_a_whole() {
    let meter = Meter::new(Some(begin));
    meter.count(Counted::Alarm);
    assert_eq!(meter.take_due(never), None);
    meter.count(Counted::Rows {
        written: 1,
        read: 0,
    });
    meter.count(Counted::AlarmEnd);
    let told = meter.take_due(at::<10>).unwrap();
    assert_eq!((told.alarms(), told.rows_written()), (1, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn nobody_is_told_of_a_panic_before_something_comes_in() {
    let meter = Meter::new(Some(begin));
    meter.count(Counted::Rows {
        written: 0,
        read: 1,
    });
    meter.count(Counted::Wake("panic"));
    assert_eq!(meter.take_due(never), None);
    meter.count(Counted::Message);
    let told = meter.take_due(at::<10>).unwrap();
    assert_eq!((told.wakes(), told.messages()), (1, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_is_counted_unless_it_is_on() {
    let meter = Meter::new(None);
    ALL.into_iter().for_each(|what| meter.count(what));
    assert_eq!((meter.is_on(), meter.usage()), (false, None));
    let meter = Meter::new(Some(begin));
    meter.stop();
    ALL.into_iter().for_each(|what| meter.count(what));
    assert_eq!((meter.is_on(), meter.take_due(never)), (false, None));
}
