//! Renders the texts of every variant of an error, for a snapshot.
//!
//! Each crate with an error has one snapshot of its texts in `src/error_texts.rs`, so that a change of a text, or a variant
//! without a readable text, shows in review. `INSTA_UPDATE=always cargo test --workspace error_texts` accepts new texts.

use std::fmt::Display;

/// Renders one line for each variant, `pattern: text`, from a sample of it. Does not compile while a variant has no sample.
///
/// ```
/// use std::fmt;
///
/// enum Error {
///     NotFound,
///     TooLarge(usize),
/// }
///
/// impl fmt::Display for Error {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         match self {
///             Self::NotFound => f.write_str("the org does not exist"),
///             Self::TooLarge(bytes) => write!(f, "the item has {bytes} bytes"),
///         }
///     }
/// }
///
/// let texts = error_texts::error_texts!(Error {
///     Error::NotFound => Error::NotFound,
///     Error::TooLarge(_) => Error::TooLarge(7),
/// });
/// assert_eq!(texts, "Error::NotFound: the org does not exist\nError::TooLarge(_): the item has 7 bytes\n");
/// ```
#[macro_export]
macro_rules! error_texts {
    ($error:ty { $($rest:tt)+ }) => {{
        let mut texts = String::new();
        for (variant, sample) in $crate::samples!($error { $($rest)+ }) {
            $crate::push(&mut texts, variant, &sample);
        }
        texts
    }};
}

/// Returns a sample of each variant, with its pattern. Does not compile while a variant has no sample.
#[macro_export]
macro_rules! samples {
    ($error:ty { $($pattern:pat => $sample:expr),+ $(,)? }) => {{
        let _every_variant_has_a_sample = |error: &$error| match error {
            $($pattern => {})+
        };
        vec![$({
            let sample: $error = $sample;
            assert!(matches!(&sample, $pattern), "the sample of {} is another variant", stringify!($pattern));
            (stringify!($pattern), sample)
        }),+]
    }};
}

/// Adds the line of one variant. Panics unless the text is one clause on one line, without a final period.
pub fn push(texts: &mut String, variant: &str, error: &dyn Display) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{variant}: {text:?} is not a clause");
    texts.push_str(variant);
    texts.push_str(": ");
    texts.push_str(&text);
    texts.push('\n');
}
