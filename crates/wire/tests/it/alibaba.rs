//! The tests of Alibaba Cloud's dialect.

mod arbitrary;
mod calls;
mod capture;
mod captures;
mod credentials;
mod replies;
mod vectors;
