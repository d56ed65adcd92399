//! The one place where objects are looked up.

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;
use worker::worker_sys::{DurableObject, DurableObjectNamespace};

use crate::platform;

/// Finds the Durable Objects: the binding of that name, or else the class itself,
/// where wrangler.toml declares it among its `exports`.
///
/// # Errors
///
/// There is neither. The error says how to add one.
pub(crate) fn objects(binding: &str, env: &Env) -> Result<DurableObjectNamespace, String> {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let bound = property(env, binding).filter(|bound| !bound.is_undefined());
    let declared = || {
        let class = property(&platform::exports(), "Dormouse")?;
        // One that is exported but not declared has no objects.
        property(&class, "idFromName")?
            .is_function()
            .then_some(class)
    };
    let objects = bound.or_else(declared).map(JsCast::unchecked_into);
    objects.ok_or_else(|| {
        format!(
            "dormouse: wrangler.toml has no Durable Object binding named {binding}; add \
             `[[durable_objects.bindings]]` with name = \"{binding}\" and class_name = \"Dormouse\" \
             and its migration, or `[exports.Dormouse]` with type = \"durable-object\" and storage = \
             \"sqlite\""
        )
    })
}

/// Finds the object of an id in hexadecimal. The platform refuses ids that it has
/// not issued.
pub(crate) fn by_id(objects: &DurableObjectNamespace, id: &str) -> Option<DurableObject> {
    objects.get(&objects.id_from_string(id).ok()?).ok()
}

/// Returns the id of the object of a name, in hexadecimal.
pub(crate) fn id_of(objects: &DurableObjectNamespace, name: &str) -> Option<String> {
    objects.id_from_name(name).ok()?.to_string().ok()
}

/// Finds the object of a name, or creates it near a place.
///
/// # Errors
///
/// The platform refused.
pub(crate) fn by_name_in(
    objects: &DurableObjectNamespace,
    name: &str,
    location: Option<&str>,
) -> Result<DurableObject, JsValue> {
    let Some(location) = location else {
        return by_name(objects, Some(name));
    };
    let options = Object::new();
    Reflect::set(&options, &"locationHint".into(), &location.into())?;
    objects.get_with_options(&objects.id_from_name(name)?, &options)
}

/// Finds or creates the object of a name. Without a name, creates a new one.
///
/// # Errors
///
/// The platform refused.
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
