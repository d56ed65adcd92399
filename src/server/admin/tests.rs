use core::time::Duration;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::App;

fn check(admin: Admin) -> Result<(), String> {
    let server = Server::new().admin(admin);
    let checked = App::from(server.namespace("/", |namespace| namespace)).check();
    checked.map_err(|error| error.to_string())
}

#[wasm_bindgen_test(unsupported = test)]
fn options_that_cannot_be_served_are_named() {
    assert_eq!(check(Admin::new()), Ok(()));
    for seconds in [60, 30 * 86_400] {
        assert_eq!(
            check(Admin::new().session_duration(Duration::from_secs(seconds))),
            Ok(())
        );
    }
    for seconds in [0, 59, 30 * 86_400 + 1] {
        let admin = Admin::new().session_duration(Duration::from_secs(seconds));
        assert!(check(admin).unwrap_err().contains("session_duration"));
    }
    for name in [String::new(), "x".repeat(LONGEST + 1)] {
        assert!(
            check(Admin::new().username(&name))
                .unwrap_err()
                .contains("username")
        );
    }
    assert_eq!(check(Admin::new().username(&"x".repeat(LONGEST))), Ok(()));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_namespace_is_not_the_applications() {
    assert!(
        check(Admin::new().namespace("/"))
            .unwrap_err()
            .contains("defined twice")
    );
    assert_eq!(check(Admin::new().namespace("/other")), Ok(()));
    let server = Server::new().admin(Admin::new());
    let twice = server.admin(Admin::new().namespace("/other"));
    assert!(App::from(twice).check().is_err());
}
