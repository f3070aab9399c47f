// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a routine that returns the disposition of another request, or keeps a request.
// error: lifetime may not live long enough

#![forbid(unsafe_code)]

use d2d::request::{
    Disposition,
    Request, //
};

trait Swap {
    fn swap<'a, 'b>(&self, one: Request<'a>, other: Request<'b>) -> Disposition<'a>;
    fn keep(&self, request: Request<'_>, place: &mut Option<Request<'static>>);
}

impl Swap for () {
    fn swap<'a, 'b>(&self, _one: Request<'a>, other: Request<'b>) -> Disposition<'a> {
        other.pend().0
    }

    fn keep(&self, request: Request<'_>, place: &mut Option<Request<'static>>) {
        *place = Some(request);
    }
}
