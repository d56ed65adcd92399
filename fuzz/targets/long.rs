//! Long inputs: what they cost shows how it grows. They are made here, because they
//! would be most of the repository.

/// About as many bytes as each of them has.
const LONG: usize = 100_000;

/// An input, the target that it is for, and what it shows.
pub struct Long {
    pub target: &'static str,
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// All of them.
pub fn inputs() -> Vec<Long> {
    let mut all = Vec::new();
    let mut add = |target, name, bytes| {
        all.push(Long {
            target,
            name,
            bytes,
        })
    };
    for (target, first, name, text) in texts() {
        add(target, name, [&[first], text.as_bytes()].concat());
    }
    for (first, name, value) in msgpack_values() {
        add(
            "socket_msgpack",
            name,
            [&[first], &*msgpack_event(&value)].concat(),
        );
    }
    for (name, messages) in decoded() {
        add("socket_decoder", name, decoder_steps(&messages));
    }
    // Choices of every kind, one after the other, without end.
    for (step, name) in [
        (1, "every-step"),
        (7, "every-seventh-step"),
        (101, "every-step-mixed"),
    ] {
        let steps = (0..LONG / 10).map(|index| (index * step % 251) as u8);
        for target in ["engine_session", "socket_client"] {
            add(target, name, steps.clone().collect());
        }
    }
    all
}

/// As often as makes a long text.
fn many(piece: &str) -> String {
    piece.repeat(LONG / piece.len())
}

/// A JSON array with as many of these as make a long text.
fn list(item: &str) -> String {
    let items = many(&format!("{item},"));
    format!("[\"e\",{items}{item}]")
}

/// An array within arrays.
fn deep(depth: usize, inside: &str) -> String {
    format!("{}{inside}{}", "[".repeat(depth), "]".repeat(depth))
}

type Text = (&'static str, u8, &'static str, String);

fn texts() -> Vec<Text> {
    let mut all: Vec<Text> = Vec::new();
    // Engine.IO: the revision, and whether it is text, bytes or a form.
    for (first, name, text) in [
        (0, "v3-message", format!("4{}", many("é"))),
        (2, "v3-base64", format!("b4{}", many("QUJD"))),
        (4, "v3-bytes", format!("\u{4}{}", many("x"))),
        (1, "v4-message", format!("4{}", many("é"))),
        (1, "v4-base64", format!("b{}", many("QUJD"))),
        (1, "v4-base64-broken-lines", format!("b{}", many("QUJD\n"))),
    ] {
        all.push(("engine_packet", first, name, text));
    }
    for (first, name, text) in [
        (0, "v3-many", many("2:4x")),
        (0, "v3-empty", many("1:4")),
        (0, "v3-one", format!("{}:4{}", LONG + 1, "é".repeat(LONG))),
        (0, "v3-longer-than-it-is", format!("999999:4{}", many("é"))),
        (2, "v3-bytes", many("\0\u{2}")),
        (1, "v4-many", many("4x\u{1e}")),
        (1, "v4-empty", many("4\u{1e}")),
        (1, "v4-one", format!("4{}", many("\u{1f994}"))),
        (1, "v4-base64", many("bQUJD\u{1e}")),
        (5, "form", format!("d=4{}", many("%5Cn"))),
        (5, "form-of-many", format!("d=4{}", many("\u{1e}4"))),
    ] {
        all.push(("engine_payload", first, name, text));
    }
    let numbers = list("1");
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    for (name, text) in [
        ("numbers", format!("2{numbers}")),
        ("strings", format!("2{}", list("\"x\""))),
        ("escapes", format!("2[\"{}\"]", many("\\u00e9"))),
        ("half-characters", format!("2[\"{}\"]", many("\\ud800"))),
        ("keys", format!("2{}", list("{\"a\":{}}"))),
        ("placeholders", format!("51-{}", list(placeholder))),
        (
            "escaped-placeholders",
            format!("51-{}", list("{\"_placeh\\u006flder\":true}")),
        ),
        ("lookalikes", format!("2{}", list(placeholder))),
        (
            "numbers-deep-down",
            format!("2[\"e\",{}]", deep(97, &numbers)),
        ),
        ("deep", format!("2[\"e\",{}]", deep(LONG / 2, ""))),
        (
            "deep-objects",
            format!("2[\"e\",{}1{}]", many("{\"a\":"), "}".repeat(LONG / 5)),
        ),
        ("never-closed", format!("2{}", many("["))),
        (
            "attachments-deep",
            format!("51-[\"e\",{}]", deep(LONG / 2, placeholder)),
        ),
        ("digits", format!("2[\"e\",{}]", many("1"))),
        ("space", format!("2[\"e\"{}]", many(" "))),
        ("namespace", format!("2/{},[\"e\"]", many("a"))),
        ("id", format!("2{}[\"e\"]", many("1"))),
        ("count", format!("5{}-[\"e\"]", many("1"))),
        ("query", format!("0/a?{}", many("b=c&"))),
        ("auth", format!("0{{\"a\":{}}}", list("null"))),
    ] {
        all.push(("socket_packet", 0, name, text.clone()));
        all.push(("socket_packet", 1, name, text));
    }
    for (name, text) in [
        ("sent-numbers", numbers.clone()),
        ("sent-numbers-deep-down", deep(97, &numbers)),
        ("sent-deep", deep(LONG / 2, "")),
        ("sent-deep-many", list(&deep(90, ""))),
        ("sent-strings", list("\"\\n\"")),
        ("sent-objects", list("{\"a\":[],\"b\":{}}")),
        ("sent-lookalikes", list(placeholder)),
    ] {
        all.push(("socket_msgpack", 3, name, text));
    }
    all
}

/// Values that a client sends.
fn msgpack_values() -> Vec<(u8, &'static str, Vec<u8>)> {
    let wide = |item: &[u8]| {
        let count = LONG / item.len();
        [
            &[0xdd],
            &(count as u32).to_be_bytes()[..],
            &item.repeat(count),
        ]
        .concat()
    };
    let nested = |value: &[u8]| [&[0x91; 97], value].concat();
    vec![
        (1, "numbers", wide(&[7])),
        (1, "floats", wide(&[0xca, 0x3f, 0x80, 0, 1])),
        (1, "numbers-deep-down", nested(&wide(&[7]))),
        (1, "deep", vec![0x91; LONG]),
        (1, "deep-many", wide(&[&[0x91; 90][..], &[7]].concat())),
        (1, "strings", wide(&[0xa1, b'"'])),
        (
            1,
            "string",
            [&[0xdb], &(LONG as u32).to_be_bytes()[..], &[1; LONG]].concat(),
        ),
        (1, "maps", wide(&[0x81, 0xa1, b'a', 0xc0])),
        (
            1,
            "dates",
            wide(&[0xd7, 0, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0]),
        ),
        (
            1,
            "lists-that-are-not-there",
            wide(&[0xdd, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            1,
            "bytes",
            [&[0xc6], &(LONG as u32).to_be_bytes()[..], &[1; LONG]].concat(),
        ),
    ]
}

/// `{type: 2, data: ["e", value], nsp: "/"}`
fn msgpack_event(value: &[u8]) -> Vec<u8> {
    [b"\x83\xa4type\x02\xa4data\x92\xa1e", value, b"\xa3nsp\xa1/"].concat()
}

/// A message: whether it is binary, and its content.
type Message = (bool, Vec<u8>);

/// Messages, one after another.
fn decoded() -> Vec<(&'static str, Vec<Message>)> {
    let text = |text: String| (false, text.into_bytes());
    let bytes = |len: usize| (true, vec![7; len]);
    let places = "{\"_placeholder\":true,\"num\":0},".repeat(1_000);
    let again = [text("51-[\"e\"]".into()), bytes(1_000)];
    let three = "53-[\"e\"]".to_owned();
    vec![
        (
            "attachments",
            vec![
                text(three.clone()),
                bytes(30_000),
                bytes(30_000),
                bytes(30_000),
            ],
        ),
        (
            "attachments-again-and-again",
            vec![&again; 100].into_iter().flatten().cloned().collect(),
        ),
        (
            "cut-off",
            vec![text(three), bytes(60_000), text("2[\"e\"]".into())],
        ),
        (
            "placeholders",
            vec![text(format!("51-[\"e\",{places}0]")), bytes(30_000)],
        ),
    ]
}

/// The flags of `socket_decoder` for as many bytes as there are, and its steps.
fn decoder_steps(messages: &[Message]) -> Vec<u8> {
    let mut steps = vec![1 | 3 << 1 | 3 << 3];
    for (is_binary, content) in messages {
        steps.extend([u8::from(*is_binary), 0xff]);
        steps.extend((content.len() as u16).to_be_bytes());
        steps.extend(content);
    }
    steps
}
