//! The server that the others are compared with: one warp route, no body read, answers `ok`.
//! The end-to-end bench starts itself with `--bare-warp` to run it.

use warp::Filter;

pub fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port 0 is free");
        println!("hooks http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let route = warp::path!("hooks" / "browser-use").and(warp::post()).map(|| "ok");
        warp::serve(route).incoming(listener).run().await;
    });
}
