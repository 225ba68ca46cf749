// A request may still wait for its session when the service gets the next request.
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
