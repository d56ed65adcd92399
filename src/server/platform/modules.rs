//! What the runtime's own modules export, where it has them.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

/// Returns what the Worker's main module exports, as `ctx.exports` does: where there
/// is no context, as in the handler of a queue that calls `Io::new`, as well.
#[cfg(not(test))]
pub(crate) fn exports() -> JsValue {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = exports)]
        static EXPORTS: JsValue;
    }
    EXPORTS.with(JsValue::clone)
}

/// A browser has no such module, and would load none of the tests.
#[cfg(test)]
pub(crate) fn exports() -> JsValue {
    JsValue::UNDEFINED
}

/// Returns the class that the platform wants Durable Objects to extend.
#[cfg(not(test))]
pub(crate) fn durable_object() -> JsValue {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = DurableObject)]
        static DURABLE_OBJECT: JsValue;
    }
    DURABLE_OBJECT.with(JsValue::clone)
}

/// A browser has no such class.
#[cfg(test)]
pub(crate) fn durable_object() -> JsValue {
    js_sys::Function::new_no_args("").into()
}

/// Returns the Worker's bindings, also while it starts. `None` where there is no Worker,
/// as in tests.
#[cfg(all(target_arch = "wasm32", not(test)))]
pub(crate) fn bindings() -> Option<JsValue> {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = env)]
        static ENV: JsValue;
    }
    Some(ENV.with(JsValue::clone))
}

#[cfg(not(all(target_arch = "wasm32", not(test))))]
pub(crate) fn bindings() -> Option<JsValue> {
    None
}

/// Returns a module of the runtime's that is not imported: one that is missing would keep
/// the Worker from starting. `None` where there is no such module, or Node's way to ask for
/// it is missing.
pub(crate) fn builtin(name: &str) -> Option<JsValue> {
    #[wasm_bindgen]
    extern "C" {
        type Process;
        #[wasm_bindgen(method, catch, js_name = getBuiltinModule)]
        fn builtin_module(this: &Process, name: &str) -> Result<JsValue, JsValue>;
    }
    let process = Reflect::get(&js_sys::global(), &"process".into()).ok()?;
    let module = process.unchecked_ref::<Process>().builtin_module(name);
    module.ok().filter(JsValue::is_object)
}
