//! Requests that are refused by their method, their headers or their size, before anybody looks at their address.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::{MALFORMED, Scene, XML};
use crate::messages::message;
use crate::world::{request, run};

const WRONG_TYPE: (u16, &str) = (415, "unsupported_media_type");
const TOO_LARGE: (u16, &str) = (413, "too_large");
const LIMIT: usize = 6 * 1024 * 1024;

#[test]
fn other_methods() {
    run(async {
        let scene = Scene::set().await;
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "post"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let body = message(scene.world.org, 1);
            let forged = request(method.clone(), &scene.world.address(), &[XML], body);
            scene.refuses_request(forged, (405, "method_not_allowed"), method.as_str()).await;
        }
        let head = scene.world.send(request(Method::HEAD, &scene.world.address(), &[XML], "")).await;
        assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
        scene.ends().await;
    });
}

#[test]
fn other_content_types() {
    run(async {
        let scene = Scene::set().await;
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
            let forged = request(Method::POST, &scene.world.address(), headers, message(scene.world.org, 1));
            scene.refuses_request(forged, WRONG_TYPE, &format!("{headers:?}")).await;
        }
        scene.ends().await;
    });
}

#[test]
fn compressed_bodies_are_never_unpacked() {
    run(async {
        let scene = Scene::set().await;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let bomb = [message(scene.world.org, 1).into_bytes(), vec![b' '; 64 * 1024 * 1024]].concat();
        gzip.write_all(&bomb).unwrap();
        zlib.write_all(&bomb).unwrap();
        let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
        assert!(gzip.len() < 128 * 1024);

        for (encoding, body) in
            [("gzip", &gzip), ("x-gzip", &gzip), ("identity, gzip", &gzip), ("deflate", &zlib), ("br", &zlib)]
        {
            let headers = [XML, ("content-encoding", encoding)];
            let forged = request(Method::POST, &scene.world.address(), &headers, body.clone());
            scene.refuses_request(forged, WRONG_TYPE, encoding).await;
        }
        for body in [gzip, zlib] {
            scene.refuses(Body::from(body), MALFORMED, "compressed, and nobody says so").await;
        }
        scene.ends().await;
    });
}

#[test]
fn too_large_whatever_they_say_of_their_length() {
    run(async {
        let scene = Scene::set().await;
        let large = || message(scene.world.org, 1) + &" ".repeat(LIMIT);
        let length = LIMIT.to_string();
        for lie in ["1", "0", "-1", "none", &length] {
            let headers = [XML, ("content-length", lie)];
            let forged = request(Method::POST, &scene.world.address(), &headers, large());
            scene.refuses_request(forged, TOO_LARGE, lie).await;
        }
        scene.refuses(large(), TOO_LARGE, "no length at all").await;
        let over = (LIMIT + 1).to_string();
        for lie in [over.as_str(), "18446744073709551615"] {
            let headers = [XML, ("content-length", lie)];
            let forged = request(Method::POST, &scene.world.address(), &headers, message(scene.world.org, 1));
            scene.refuses_request(forged, TOO_LARGE, lie).await;
        }
        scene.ends().await;
    });
}
