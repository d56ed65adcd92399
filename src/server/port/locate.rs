//! Where the objects are: the one place where an object is looked up.

use wasm_bindgen::{JsCast as _, JsValue};
use worker::Env;
use worker::worker_sys::{DurableObject, DurableObjectNamespace};

/// Finds the Durable Objects by the name of their binding.
///
/// # Errors
///
/// There is no such binding: what whoever deployed the Worker has to do.
pub(crate) fn objects(binding: &str, env: &Env) -> Result<DurableObjectNamespace, String> {
    match js_sys::Reflect::get(env, &JsValue::from_str(binding)) {
        Ok(objects) if !objects.is_undefined() => Ok(objects.unchecked_into()),
        Ok(_) | Err(_) => Err(format!(
            "dormouse: wrangler.toml has no Durable Object binding named {binding}; add \
             `[[durable_objects.bindings]]` with name = \"{binding}\" and class_name = \"Dormouse\"",
        )),
    }
}

/// Finds the object of an id in hexadecimal. The platform refuses ids that it has
/// not given out.
pub(crate) fn by_id(objects: &DurableObjectNamespace, id: &str) -> Option<DurableObject> {
    objects.get(&objects.id_from_string(id).ok()?).ok()
}

/// Finds the object of a name, or makes it; one of its own where there is no name.
///
/// # Errors
///
/// The platform could not.
pub(crate) fn by_name(
    objects: &DurableObjectNamespace,
    name: Option<&str>,
) -> Result<DurableObject, JsValue> {
    let id = match name {
        Some(name) => objects.id_from_name(name)?,
        None => objects.new_unique_id()?,
    };
    objects.get(&id)
}
