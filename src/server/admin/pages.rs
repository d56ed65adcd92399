//! The pages of the admin UI, from the Worker's static assets.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, Response, ResponseInit};

use crate::api::endpoint::{Service, ServiceRequest};
use crate::log;
use crate::options::{ConfigError, Options};
use crate::platform::{self, ObjectState};
use crate::query;

/// Where the pages are asked for, and where they are.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    /// Without the last slash, as is the next.
    path: String,
    folder: String,
    /// The name of the binding to the assets.
    binding: String,
}

#[wasm_bindgen]
extern "C" {
    /// A binding to assets.
    type Assets;
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Assets, request: &Request) -> Result<Promise, JsValue>;
}

impl Pages {
    pub(super) fn new(path: &str, binding: &str, folder: &str) -> Self {
        Self {
            path: path.trim_end_matches('/').to_owned(),
            folder: folder.trim_end_matches('/').to_owned(),
            binding: binding.to_owned(),
        }
    }

    /// Returns what a path has behind that of the pages: nothing, or more from a slash on.
    fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(&*self.path)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// Returns the assets, if there are any.
    fn assets(&self, bindings: &JsValue) -> Option<Assets> {
        let property = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).ok();
        let assets = property(bindings, &self.binding)?;
        let is_one = property(&assets, "fetch").is_some_and(|it| it.is_function());
        is_one.then(|| assets.unchecked_into())
    }

    fn no_assets(&self) -> String {
        let Self { binding, .. } = self;
        format!(
            "ui finds no assets in the binding `{binding}`: in wrangler.toml, `[assets]` has to \
             have `binding = \"{binding}\"` beside its `directory`"
        )
    }

    fn no_pages(&self) -> String {
        let Self { folder, path, .. } = self;
        format!(
            "`{folder}/index.html` is not among the assets, so the admin UI cannot be served at `{path}/`: \
             `directory`, below `[assets]` in wrangler.toml, is \
             \"node_modules/@socket.io/admin-ui/ui\", or has a copy of the pages in it, in the \
             folder that the option `assets` names"
        )
    }

    async fn find(&self, asked: &ServiceRequest) -> Result<Response, JsValue> {
        let request = &asked.request;
        let (path, _) = query::split(request.url());
        if !matches!(request.method(), "GET" | "HEAD") {
            return answer(405, ("allow", "GET, HEAD"), "Method Not Allowed");
        }
        let rest = self.rest(path).unwrap_or_default();
        if rest.is_empty() {
            // What the pages load is relative to this.
            return answer(308, ("location", &format!("{}/", self.path)), "");
        }
        let Some(assets) = self.assets(&asked.env) else {
            let message = self.no_assets();
            log::misconfigured(&message);
            return answer(500, PLAIN, &message);
        };
        // Of the address, only the path counts.
        let url = format!("https://assets.local{}{rest}", self.folder);
        let inner = Request::new_with_str_and_init(&url, request.raw().unchecked_ref())?;
        let found: Response = JsFuture::from(assets.fetch(&inner)?)
            .await?
            .unchecked_into();
        let to = found.headers().get("location")?;
        if let Some(rest) = to.as_deref().and_then(|to| to.strip_prefix(&*self.folder)) {
            let to = format!("{}{rest}", self.path);
            return answer(found.status(), ("location", &to), "");
        }
        if rest == "/" && found.status() == 404 {
            let message = self.no_pages();
            log::misconfigured(&message);
            return answer(404, PLAIN, &message);
        }
        Ok(found)
    }
}

const PLAIN: (&str, &str) = ("content-type", "text/plain;charset=utf-8");

fn answer(status: u16, (name, value): (&str, &str), body: &str) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set(name, value)?;
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(body), &init)
}

impl Service for Pages {
    fn check(&self, options: &Options) -> Result<(), ConfigError> {
        let wrong = |remedy: String| {
            Err(ConfigError {
                endpoint: options.path.clone(),
                option: "admin",
                remedy,
            })
        };
        let is_path = |path: &str| path.starts_with('/') && !path.contains(['?', '#']);
        if !is_path(&self.path) {
            return wrong("ui takes a path such as \"/admin\", other than \"/\"".to_owned());
        }
        if self.rest(&options.path).is_some() {
            return wrong(format!(
                "ui is at the path of the server, `{}`; give it one of its own",
                options.path
            ));
        }
        if !self.folder.is_empty() && !is_path(&self.folder) {
            return wrong("assets takes a folder such as \"/dist\", or \"/\"".to_owned());
        }
        // Outside of a Worker, as in tests, nothing is known of bindings.
        match platform::bindings() {
            Some(bindings) if self.assets(&bindings).is_none() => wrong(self.no_assets()),
            Some(_) | None => Ok(()),
        }
    }

    fn serves(&self, _server: &str, path: &str) -> bool {
        self.rest(path).is_some()
    }

    fn serve(&self, asked: ServiceRequest) -> JsValue {
        let pages = self.clone();
        platform::promise(Box::pin(async move {
            pages.find(&asked).await.map(JsValue::from)
        }))
    }

    fn is_first(&self, _state: &ObjectState, _once: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::Server;
    use crate::{Admin, App};

    #[wasm_bindgen_test(unsupported = test)]
    fn pages_are_at_a_path_and_below() {
        let pages = Pages::new("/admin/", "ASSETS", "/dist/");
        for (path, expect) in [
            ("/admin", Some("")),
            ("/admin/", Some("/")),
            ("/admin/js/app.js", Some("/js/app.js")),
            ("/administration", None),
            ("/", None),
        ] {
            assert_eq!(pages.rest(path), expect);
            assert_eq!(pages.serves("/socket.io/", path), expect.is_some());
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_path_or_folder_that_is_none_is_refused() {
        let check = |admin: Admin| {
            let server = Server::new()
                .admin(admin)
                .namespace("/", |namespace| namespace);
            let error = App::from(server).check().err()?;
            Some((error.option(), error.remedy().to_owned()))
        };
        for path in ["", "/", "admin", "/admin?a", "/socket.io"] {
            let (option, remedy) = check(Admin::new().ui(path)).unwrap();
            assert_eq!(option, "admin");
            assert!(remedy.starts_with("ui "), "{remedy}");
        }
        let (_, remedy) = check(Admin::new().ui("/admin").assets("ASSETS", "dist")).unwrap();
        assert!(remedy.starts_with("assets "), "{remedy}");
    }
}
