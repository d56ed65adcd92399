//! The Worker's variables, as `[vars]` in `wrangler.toml` and secrets set them: texts, and
//! what TOML has besides, as JSON.

use core::time::Duration;
use std::collections::BTreeMap;

use js_sys::{JSON, Object, Reflect};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

/// The variables that are set, by name.
pub(crate) struct Variables(Vec<(String, JsValue)>);

impl Variables {
    /// Reads the variables of these names. Others are told, since nobody would read them:
    /// a name may be misspelt.
    pub(crate) fn read(
        env: &Env,
        known: impl Iterator<Item = &'static str> + Clone,
    ) -> Result<Self, String> {
        let mut set = Vec::new();
        let bindings: &Object = env.unchecked_ref();
        for name in Object::keys(bindings)
            .iter()
            .filter_map(|name| name.as_string())
        {
            let value = Reflect::get(env, &name.as_str().into()).unwrap_or_default();
            if known.clone().any(|known| known == name) {
                set.push((name, value));
            } else if is_variable(&value) {
                let known: Vec<_> = known.collect();
                return Err(format!(
                    "{name}: is not a variable of the gateway, which has {}",
                    known.join(", ")
                ));
            }
        }
        Ok(Self(set))
    }

    fn value(&self, name: &str) -> Option<&JsValue> {
        let found = self.0.iter().find(|(other, _)| other == name);
        // An empty text is as good as none: `wrangler.toml` shows all variables.
        found
            .map(|(_, value)| value)
            .filter(|value| value.as_string().is_none_or(|text| !text.trim().is_empty()))
    }

    /// Reads a variable, or says what it has to be.
    fn get<T: DeserializeOwned>(&self, name: &str, remedy: &str) -> Result<Option<T>, String> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let json = JSON::stringify(value).map(String::from).unwrap_or_default();
        let read = serde_json::from_str(&json);
        // A text may be what is meant: "10" for 10, as wrangler passes it from its command
        // line.
        let read = read.or_else(|error| match value.as_string() {
            Some(text) => serde_json::from_str(&text).map_err(|_| error),
            None => Err(error),
        });
        read.map(Some).map_err(|_| format!("{name}: {remedy}"))
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name, "must be a text")
    }

    /// Reads a switch, which is off if it is not set.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, String> {
        let flag = self.get(name, "must be true or false")?;
        Ok(flag.unwrap_or_default())
    }

    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let seconds: Option<u32> = self.get(name, "must be a whole number of seconds")?;
        Ok(seconds.map(super::seconds))
    }

    /// Reads a list of texts. A single text is a list of one.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let remedy = "must be a list of texts, such as [\"one\", \"another\"]";
        match self.get(name, remedy) {
            Err(error) => match self.value(name).and_then(JsValue::as_string) {
                Some(text) => Ok(Some(vec![text])),
                None => Err(error),
            },
            list => list,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>, String> {
        self.get(name, "must be a whole number")
    }

    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>, String> {
        self.get(name, "must be a list of whole numbers")
    }

    pub(crate) fn table_of_numbers(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Vec<u32>>>, String> {
        self.get(
            name,
            "must be a table of lists of whole numbers, such as { packets = [50, 200] }",
        )
    }
}

/// Returns whether a binding is a variable or a secret: text or plain JSON.
fn is_variable(value: &JsValue) -> bool {
    if !value.is_object() {
        return !value.is_undefined();
    }
    js_sys::Array::is_array(value)
        || Object::get_prototype_of(value) == Object::get_prototype_of(&Object::new())
}
