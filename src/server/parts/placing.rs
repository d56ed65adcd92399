//! Putting a session into one of many objects: the first that has room.
//!
//! An object that is full answers 503, and the handshake is sent to the next. It waits here
//! meanwhile, and its answer is taken from the object as it is. If the wasm instance ends
//! meanwhile, because another client's handler has panicked, the object that is asked still
//! answers: only the next one is not asked any more.

use core::cell::RefCell;
use std::rc::Rc;

use dormouse_proto::engine::ConnId;
use js_sys::Promise;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Env;
use worker::worker_sys::DurableObjectNamespace;

use crate::parts::{self, HandsOver};
use crate::placement::{Candidates, Seeking};
use crate::platform::{self, Deferred};
use crate::port::locate;

/// The status of an object that is full.
const FULL: u16 = 503;

/// Passes a handshake on to the first of many objects that has room: the promise of its
/// answer, which is that of the last one that was asked if all are full.
pub(crate) fn place(seeking: Seeking<'_>) -> JsValue {
    let candidates = seeking.spread.candidates(seeking.path, seeking.handshake);
    let Seeking {
        objects,
        request,
        cut_off,
        ..
    } = seeking;
    place_in(objects, candidates, request, cut_off)
}

fn place_in(
    objects: DurableObjectNamespace,
    candidates: Candidates,
    request: &Request,
    cut_off: Response,
) -> JsValue {
    let deferred = platform::defer();
    let promise = deferred.promise();
    let waiting = Rc::new(Waiting {
        answer: RefCell::new(Some(deferred)),
        asked: RefCell::new(None),
        cut_off,
    });
    let handover: Rc<dyn HandsOver> = waiting.clone();
    parts::register(Rc::downgrade(&handover));
    let request = Clone::clone(request);
    platform::spawn(Box::pin(async move {
        let answer = match ask(&objects, &candidates, &request, &waiting.asked).await {
            Ok(answer) => answer,
            Err(error) => js_sys::Promise::reject(&error).into(),
        };
        waiting.answer(&answer);
    }));
    promise.into()
}

/// Returns the answer of the first object that has room, or of the last.
async fn ask(
    objects: &DurableObjectNamespace,
    candidates: &Candidates,
    request: &Request,
    asked: &RefCell<Option<Promise>>,
) -> Result<JsValue, JsValue> {
    let mut last: Option<Response> = None;
    for name in &candidates.names {
        if let Some(body) = last.and_then(|full| full.body()) {
            // An object cannot sleep while nobody reads its answer.
            let _ = body.cancel();
        }
        let object = locate::by_name_in(objects, name, candidates.location.as_deref())?;
        // A handshake has no body, so it can be sent again.
        let answer = object.fetch_with_request(request)?;
        asked.replace(Some(answer.clone().unchecked_into()));
        let answer = JsFuture::from(answer).await?;
        let answer: Response = answer.unchecked_into();
        if answer.status() != FULL {
            return Ok(answer.into());
        }
        last = Some(answer);
    }
    Ok(last.into())
}

/// A handshake whose client waits for an object that has room.
struct Waiting {
    /// The promise of its answer, until that is given.
    answer: RefCell<Option<Deferred>>,
    /// The answer of the object that is asked, or was asked last.
    asked: RefCell<Option<Promise>>,
    /// What a client gets if no object has been asked. The runtime takes no response that
    /// was made while it served another request.
    cut_off: Response,
}

impl Waiting {
    fn answer(&self, response: &JsValue) {
        let deferred = self.answer.try_borrow_mut().ok();
        if let Some(deferred) = deferred.and_then(|mut answer| answer.take()) {
            // Resolving a promise does not throw.
            let _ = deferred.resolve().call1(&JsValue::UNDEFINED, response);
        }
    }
}

impl HandsOver for Waiting {
    /// The instance ends, and nobody is there to ask the next object. The answer of this one
    /// needs nobody: a promise that is resolved with another becomes what that becomes.
    fn hand_over(&self, _refused: Option<ConnId>) {
        let asked = self.asked.try_borrow_mut().ok();
        match asked.and_then(|mut asked| asked.take()) {
            Some(answer) => self.answer(&answer),
            None => self.answer(self.cut_off.as_ref()),
        }
    }

    fn make_next(&self, _env: &Env) {}
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use js_sys::{Array, Reflect};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::in_browser::{js, request};

    /// Objects that answer with these statuses, in the order in which they are asked; 0 is a
    /// failure, and `null` no answer. They note in `asked` who was, and where they are to be
    /// created.
    fn objects(statuses: &str) -> DurableObjectNamespace {
        let body = format!(
            "const asked = [];
            const statuses = {statuses};
            const answer = () => {{
                const status = statuses.shift();
                if (status === null) return new Promise(() => {{}});
                return status === 0 ? Promise.reject(new Error('gone')) : Promise.resolve(new Response('', {{ status }}));
            }};
            const get = (id, options) => ({{
                fetch: () => {{
                    asked.push(options ? `${{id}} in ${{options.locationHint}}` : id);
                    return answer();
                }},
            }});
            return {{ asked, get, idFromName: (name) => name }};"
        );
        js(&body, JsValue::UNDEFINED).unchecked_into()
    }

    fn asked(objects: &DurableObjectNamespace) -> Vec<String> {
        let asked: Array = Reflect::get(objects, &"asked".into()).unwrap().into();
        asked.iter().filter_map(|name| name.as_string()).collect()
    }

    fn start(objects: &DurableObjectNamespace, location: Option<&str>) -> Promise {
        let candidates = Candidates {
            names: ["a", "b", "c"].map(str::to_owned).into(),
            location: location.map(str::to_owned),
        };
        let request = request("GET", "https://a.org/io/?EIO=4&transport=polling", &[]);
        let cut_off = Response::new_with_opt_str(Some("cut off")).unwrap();
        place_in(
            objects.clone().unchecked_into(),
            candidates,
            request.raw(),
            cut_off,
        )
        .into()
    }

    #[wasm_bindgen_test]
    async fn the_first_with_room_answers() {
        for (statuses, expect, names) in [
            ("[200]", 200, &["a"][..]),
            ("[503, 200]", 200, &["a", "b"]),
            // A refusal of another kind is one.
            ("[503, 403]", 403, &["a", "b"]),
            ("[503, 503, 503]", 503, &["a", "b", "c"]),
        ] {
            let objects = objects(statuses);
            let answer = JsFuture::from(start(&objects, None)).await.unwrap();
            assert_eq!(answer.unchecked_ref::<Response>().status(), expect);
            assert_eq!(asked(&objects), names);
        }
    }

    #[wasm_bindgen_test]
    async fn objects_are_created_at_their_location() {
        let objects = objects("[503, 200]");
        JsFuture::from(start(&objects, Some("oc"))).await.unwrap();
        assert_eq!(asked(&objects), ["a in oc", "b in oc"]);
    }

    #[wasm_bindgen_test]
    async fn an_object_that_cannot_be_reached_is_told_as_it_is() {
        let objects = objects("[503, 0, 200]");
        assert!(JsFuture::from(start(&objects, None)).await.is_err());
        assert_eq!(asked(&objects), ["a", "b"]);
    }

    #[wasm_bindgen_test]
    async fn a_client_is_answered_if_the_instance_ends() {
        let answer = JsValue::from(Response::new_with_opt_str(Some("of the object")).unwrap());
        let asked = Promise::resolve(&answer);
        for (asked, expect) in [(Some(asked), "of the object"), (None, "cut off")] {
            let deferred = platform::defer();
            let promise = deferred.promise();
            let waiting = Waiting {
                answer: RefCell::new(Some(deferred)),
                asked: RefCell::new(asked),
                cut_off: Response::new_with_opt_str(Some("cut off")).unwrap(),
            };
            waiting.hand_over(None);
            // What comes too late is nobody's.
            waiting.answer(&JsValue::NULL);
            let answer = JsFuture::from(promise).await.unwrap();
            let text = answer.unchecked_ref::<Response>().text().unwrap();
            assert_eq!(JsFuture::from(text).await.unwrap(), expect);
        }
    }
}
