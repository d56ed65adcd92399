//! Servers with an admin namespace.

use dormouse::{Admin, Parser, Placement, Recovery, Server};

use crate::socket::server;

/// With the pages of the UI, where the Worker has assets, or a test says that it has.
fn with_pages(admin: Admin) -> Admin {
    let has = |env: worker::Env| env.assets("ASSETS").is_ok() || env.var("ADMIN_UI").is_ok();
    match dormouse::env().is_some_and(has) {
        true => admin.ui("/admin-ui"),
        false => admin,
    }
}

/// The servers, each on its path.
pub(crate) fn servers() -> [Server; 6] {
    let all = || Admin::new().development(true);
    [
        server("/admin/").admin(Admin::new()),
        server("/admin-all/").admin(with_pages(all())),
        server("/admin-read-only/")
            .parser(Parser::MSGPACK)
            .admin(all().read_only(true).namespace("/watch")),
        server("/admin-recovery/")
            .recovery(Recovery::default())
            .admin(all().secrets("UNSET_PASSWORD", "ADMIN_PASSWORD")),
        server("/admin-spread/")
            .placement(Placement::spread(8))
            .admin(all()),
        server("/admin-spread-recovery/")
            .placement(Placement::spread(8))
            .recovery(Recovery::default())
            .admin(all()),
    ]
}
