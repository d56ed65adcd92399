//! Who may enter: whoever has one of two passwords, or has had it a while ago.
//!
//! A session value is signed with the password and says until when it counts. So there is
//! no row for it, and it ends with the password.

use dormouse_proto::Base64;
use dormouse_proto::Timestamp;
use js_sys::{Reflect, Uint8Array};
use serde::Deserialize;
use serde_json::value::RawValue;
use worker::Env;

use super::{Admin, LONGEST, SHORTEST};
use crate::platform::{self, subtle};

/// What somebody says of himself who wants to enter.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "sessionId")]
    session: Option<String>,
}

/// Somebody who may enter.
pub(super) enum Known {
    /// By the password. Can come back with this value.
    Password { session: String },
    /// By such a value.
    Session,
}

impl Login {
    /// Reads the `auth` of a client. Of one that is something else, nothing is known.
    pub(super) fn of(auth: &RawValue) -> Self {
        serde_json::from_str(auth.get()).unwrap_or_default()
    }
}

/// Returns the passwords that are set and long enough.
pub(super) fn passwords(env: &Env, names: &[String; 2]) -> Vec<String> {
    let all = names.iter().filter_map(|name| {
        let value = Reflect::get(env, &name.as_str().into()).ok()?.as_string();
        value.filter(|password| password.len() >= SHORTEST)
    });
    all.collect()
}

/// Returns whether somebody may enter. Whoever does not even try costs no computation.
pub(super) async fn check(admin: &Admin, login: &Login, passwords: &[String]) -> Option<Known> {
    if let Some(session) = &login.session {
        let session = Session::parse(session)?;
        for password in passwords {
            if session.is_signed(admin, password, platform::now()).await {
                return Some(Known::Session);
            }
        }
    }
    let (username, given) = (login.username.as_ref()?, login.password.as_ref()?);
    if *username != admin.username || given.len() > LONGEST {
        return None;
    }
    let mut found = None;
    // All of them are compared, whichever it is.
    for password in passwords {
        if is_same(given, password).await {
            found = Some(password);
        }
    }
    let session = Session::sign(admin, found?, platform::now()).await?;
    Some(Known::Password { session })
}

/// Compares a text with a secret. What is compared in the end are two signatures by a key
/// that nobody knows, in a time that says nothing about either.
async fn is_same(text: &str, secret: &str) -> bool {
    let key: [u8; 32] = platform::random();
    let text = Uint8Array::from(text.as_bytes());
    let secret = Uint8Array::from(secret.as_bytes());
    match subtle::hmac(&key, &text).await {
        Ok(signature) => subtle::is_hmac(&signature, &key, &secret).await == Ok(true),
        Err(_) => false,
    }
}

/// A session value that is not checked yet: `<seconds>.<signature>`, the latter in base64.
#[derive(Debug, PartialEq, Eq)]
struct Session {
    /// Until when it counts, in seconds since 1970.
    until: u64,
    signature: Vec<u8>,
}

impl Session {
    fn parse(value: &str) -> Option<Self> {
        let (until, signature) = value.split_once('.')?;
        let is_number = until.bytes().all(|byte| byte.is_ascii_digit());
        // 32 bytes are 43 characters.
        let is_one = is_number && until.len() <= 12 && signature.len() == 43;
        let signature = is_one.then(|| Base64::UrlSafe.decode(signature))??;
        Some(Self {
            until: until.parse().ok()?,
            signature,
        })
    }

    /// Returns a value that counts from now on.
    async fn sign(admin: &Admin, password: &str, now: Timestamp) -> Option<String> {
        let until = now.as_millis() / 1_000 + admin.session_duration.as_secs();
        let signature = subtle::hmac(password.as_bytes(), &content(admin, until)).await;
        let signature = Base64::UrlSafe.encode(signature.ok()?);
        Some(format!("{until}.{signature}"))
    }

    /// Returns whether it is signed with this password, and counts now.
    async fn is_signed(&self, admin: &Admin, password: &str, now: Timestamp) -> bool {
        let content = content(admin, self.until);
        self.until > now.as_millis() / 1_000
            && subtle::is_hmac(&self.signature, password.as_bytes(), &content).await == Ok(true)
    }
}

/// Returns what is signed. A value is for this user of this namespace.
fn content(admin: &Admin, until: u64) -> Uint8Array {
    let (namespace, username) = (&admin.namespace, &admin.username);
    let content = format!("dormouse admin session\n{until}\n{namespace}\n{username}");
    Uint8Array::from(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn a_login_is_what_the_admin_ui_sends() {
        let read = |json: &str| Login::of(&RawValue::from_string(json.to_owned()).unwrap());
        let login = read(r#"{"username":"a","password":"b"}"#);
        assert_eq!(login.username.as_deref(), Some("a"));
        assert_eq!(login.password.as_deref(), Some("b"));
        let login = read(r#"{"sessionId":"7.x","more":[1]}"#);
        assert_eq!(login.session.as_deref(), Some("7.x"));
        for nothing in [
            "{}",
            "[]",
            "7",
            r#"{"sessionId":null}"#,
            r#"{"username":{"$ne":1},"password":"b"}"#,
        ] {
            assert_eq!(read(nothing), Login::default(), "{nothing}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_session_value_has_a_time_and_32_bytes() {
        let signature = Base64::UrlSafe.encode([7; 32]);
        let read = Session::parse(&format!("1795802400.{signature}")).unwrap();
        assert_eq!((read.until, read.signature), (1_795_802_400, vec![7; 32]));
        for other in [
            String::new(),
            ".".to_owned(),
            "1795802400".to_owned(),
            format!(".{signature}"),
            format!("+7.{signature}"),
            format!("-7.{signature}"),
            format!("1795802400000.{signature}"),
            format!("7.{signature}A"),
            format!("7.{signature}="),
            format!("7.{}", signature.replace('B', "/")),
            format!("7.{}", "é".repeat(21)),
        ] {
            assert_eq!(Session::parse(&other), None, "{other}");
        }
    }

    #[cfg(target_arch = "wasm32")]
    mod with_cryptography {
        use core::time::Duration;

        use super::*;

        const PASSWORD: &str = "correct horse battery";

        fn login(username: &str, password: &str) -> Login {
            Login {
                username: Some(username.to_owned()),
                password: Some(password.to_owned()),
                session: None,
            }
        }

        async fn may(admin: &Admin, login: &Login, passwords: &[&str]) -> bool {
            let passwords: Vec<_> = passwords.iter().map(|it| (*it).to_owned()).collect();
            check(admin, login, &passwords).await.is_some()
        }

        #[wasm_bindgen_test]
        async fn a_password_is_the_whole_of_it() {
            let admin = Admin::new();
            assert!(may(&admin, &login("admin", PASSWORD), &[PASSWORD]).await);
            assert!(
                may(
                    &admin,
                    &login("admin", PASSWORD),
                    &["another one", PASSWORD]
                )
                .await
            );
            for other in [
                "",
                "correct horse batter",
                "correct horse battery ",
                "correct horse battery\0",
                "Correct horse battery",
            ] {
                assert!(
                    !may(&admin, &login("admin", other), &[PASSWORD]).await,
                    "{other}"
                );
            }
            for username in ["", "Admin", "admin "] {
                assert!(!may(&admin, &login(username, PASSWORD), &[PASSWORD]).await);
            }
            assert!(!may(&admin, &login("admin", PASSWORD), &[]).await);
            assert!(!may(&admin, &Login::default(), &[PASSWORD]).await);
            let long = "x".repeat(LONGEST + 1);
            assert!(!may(&admin, &login("admin", &long), &[&long]).await);
        }

        #[wasm_bindgen_test]
        async fn a_session_value_counts_for_a_time_and_a_password() {
            let admin = Admin::new().session_duration(Duration::from_secs(60));
            let now = Timestamp::from_millis(1_795_802_400_999);
            let value = Session::sign(&admin, PASSWORD, now).await.unwrap();
            assert!(value.starts_with("1795802460."));
            let session = Session::parse(&value).unwrap();
            let at = |millis: u64| Timestamp::from_millis(1_795_802_400_000 + millis);
            assert!(session.is_signed(&admin, PASSWORD, at(0)).await);
            assert!(session.is_signed(&admin, PASSWORD, at(59_999)).await);
            assert!(!session.is_signed(&admin, PASSWORD, at(60_000)).await);
            assert!(!session.is_signed(&admin, "another password", at(0)).await);
            for other in [
                Admin::new().username("root"),
                Admin::new().namespace("/other"),
            ] {
                assert!(!session.is_signed(&other, PASSWORD, at(0)).await);
            }
            let later = Session {
                until: session.until + 1,
                ..session
            };
            assert!(!later.is_signed(&admin, PASSWORD, at(0)).await);
        }
    }
}
