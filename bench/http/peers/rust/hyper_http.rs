// hyper on tokio's one-threaded runtime, with pipeline_flush: the answers to what one read brought in one write.

mod listen;

use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Request, Response};
use std::convert::Infallible;

async fn hello(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("Hello, World!"));
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/plain"));
    Ok(response)
}

// hyper's tasks need not be Send on a runtime of one thread.
#[derive(Clone)]
struct Local;

impl<F: std::future::Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = listen::listen_and_say();
        let mut http = Http::new().with_executor(Local);
        http.http1_only(true).pipeline_flush(true);
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                let connection = http.serve_connection(socket, service_fn(hello));
                tokio::task::spawn_local(async move {
                    let _ = connection.await;
                });
            }
        }
    })
}
