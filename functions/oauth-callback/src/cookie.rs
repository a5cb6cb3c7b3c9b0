//! The cookie that binds a consent to the browser in which it was begun.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use runtime::connect_links::LIFE;
use runtime::one_time::is_well_formed;
use secrecy::{ExposeSecret as _, SecretString};

/// `__Host-`: set over https by this very host, for the whole host, and by nobody else.
const NAME: &str = "__Host-ferry-consent";

/// What the browser presents, if it can be one of ours.
pub(crate) fn presented(headers: &HeaderMap) -> Option<SecretString> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == NAME && is_well_formed(value)).map(|(_, value)| value.into())
}

/// `Set-Cookie` for as long as a consent may take.
pub(crate) fn set(secret: &SecretString) -> Option<HeaderValue> {
    let (secret, life) = (secret.expose_secret(), LIFE.as_secs());
    let cookie = format!("{NAME}={secret}; Max-Age={life}; Path=/; Secure; HttpOnly; SameSite=Lax");
    let mut cookie = HeaderValue::try_from(cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn headers(cookies: &[&str]) -> HeaderMap {
        let values = cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_str(cookie).unwrap()));
        HeaderMap::from_iter(values)
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let other = format!("theme=dark; {NAME}={SECRET}; x=y");
        for cookies in [vec![other.as_str()], vec!["a=b", other.as_str()]] {
            assert_eq!(presented(&headers(&cookies)).unwrap().expose_secret(), SECRET);
        }
    }

    #[test]
    fn what_cannot_be_ours_is_no_cookie() {
        for cookie in [format!("ferry-consent={SECRET}"), format!("{NAME}=short"), String::from(NAME)] {
            assert!(presented(&headers(&[&cookie])).is_none(), "{cookie}");
        }
    }

    #[test]
    fn the_cookie_stays_with_this_host_and_out_of_scripts() {
        let cookie = set(&SECRET.into()).unwrap();
        let expected = format!("{NAME}={SECRET}; Max-Age=900; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(cookie.to_str().unwrap(), expected);
        assert!(!format!("{cookie:?}").contains(SECRET));
    }
}
