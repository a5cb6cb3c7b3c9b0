//! Requests that are refused by method, headers or size, before the address is checked.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::{ForgeryTest, MALFORMED, XML};
use crate::harness::{request, run};
use crate::messages::message;

const WRONG_TYPE: (u16, &str) = (415, "unsupported_media_type");
const TOO_LARGE: (u16, &str) = (413, "payload_too_large");
const LIMIT: usize = 6 * 1024 * 1024;

#[test]
fn other_methods() {
    run(async {
        let test = ForgeryTest::new().await;
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "post"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let body = message(test.context.org, 1);
            let forged = request(method.clone(), &test.context.address(), &[XML], body);
            test.refuses_request(forged, (405, "method_not_allowed"), method.as_str()).await;
        }
        let head = test.context.send(request(Method::HEAD, &test.context.address(), &[XML], "")).await;
        assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
        test.ends().await;
    });
}

#[test]
fn other_content_types() {
    run(async {
        let test = ForgeryTest::new().await;
        let types: [&[(&str, &str)]; 9] = [
            &[],
            &[("content-type", "")],
            &[("content-type", "application/json")],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "multipart/related; type=\"text/xml\"")],
            &[("content-type", "text/plain; text/xml")],
            &[("content-type", "application/xml-dtd")],
            &[("content-type", "text/xml; charset=utf-16")],
            &[("content-type", "text/xml; charset=utf-8; charset=utf-7")],
        ];
        for headers in types {
            let forged = request(Method::POST, &test.context.address(), headers, message(test.context.org, 1));
            test.refuses_request(forged, WRONG_TYPE, &format!("{headers:?}")).await;
        }
        test.ends().await;
    });
}

#[test]
fn compressed_bodies_are_never_unpacked() {
    run(async {
        let test = ForgeryTest::new().await;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let bomb = [message(test.context.org, 1).into_bytes(), vec![b' '; 64 * 1024 * 1024]].concat();
        gzip.write_all(&bomb).unwrap();
        zlib.write_all(&bomb).unwrap();
        let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
        assert!(gzip.len() < 128 * 1024);

        for (encoding, body) in
            [("gzip", &gzip), ("x-gzip", &gzip), ("identity, gzip", &gzip), ("deflate", &zlib), ("br", &zlib)]
        {
            let headers = [XML, ("content-encoding", encoding)];
            let forged = request(Method::POST, &test.context.address(), &headers, body.clone());
            test.refuses_request(forged, WRONG_TYPE, encoding).await;
        }
        for body in [gzip, zlib] {
            test.refuses(Body::from(body), MALFORMED, "compressed without a Content-Encoding").await;
        }
        test.ends().await;
    });
}

#[test]
fn too_large_whatever_their_content_length() {
    run(async {
        let test = ForgeryTest::new().await;
        let large = || message(test.context.org, 1) + &" ".repeat(LIMIT);
        let length = LIMIT.to_string();
        for lie in ["1", "0", "-1", "none", &length] {
            let headers = [XML, ("content-length", lie)];
            let forged = request(Method::POST, &test.context.address(), &headers, large());
            test.refuses_request(forged, TOO_LARGE, lie).await;
        }
        test.refuses(large(), TOO_LARGE, "no length at all").await;
        let over = (LIMIT + 1).to_string();
        for lie in [over.as_str(), "18446744073709551615"] {
            let headers = [XML, ("content-length", lie)];
            let forged = request(Method::POST, &test.context.address(), &headers, message(test.context.org, 1));
            test.refuses_request(forged, TOO_LARGE, lie).await;
        }
        test.ends().await;
    });
}
