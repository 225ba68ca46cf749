// The request may wait for its session while the service takes the next one.
use http::{Request, Response};
use http_session::csrf::CsrfService;
use tower::Service;

fn call<S>(service: &mut CsrfService<S>)
where
    S: Service<Request<String>, Response = Response<String>>,
{
    let _response = service.call(Request::new(String::new()));
}

fn main() {}
