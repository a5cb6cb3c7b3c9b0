//! Checks of every page: it is readable at every width and in both color schemes, the browser reports no problem, and the focus is
//! visible.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde_json::Value;

use crate::chromium::{Chromium, Key};

/// The widths of a small phone and of a desktop, in pixels.
const WIDTHS: [u32; 2] = [360, 1280];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Returns the texts whose contrast to their background is below 4.5 (WCAG 2.2, 1.4.3).
const LOW_CONTRAST: &str = r"(() => {
  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) && one.getClientRects().length);
  return texts.map(one => {
    const [front, back] = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    return contrast < 4.5 ? `${one.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}` : null;
  }).filter(Boolean);
})()";

/// Returns the elements that extend beyond the right edge of the window, if the page scrolls sideways.
const TOO_WIDE: &str = r"(() => {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > width + 0.5);
  const scrolls = document.documentElement.scrollWidth > width;
  return scrolls ? [`scrolls: ${document.documentElement.scrollWidth} of ${width}`, ...out.map(one => one.outerHTML.slice(0, 80))] : [];
})()";

/// Returns fields without a label and links and buttons without a text, and whether the page has no language or title, not exactly
/// one `h1`, or a script.
const UNLABELLED: &str = r"(() => {
  const fields = [...document.querySelectorAll('textarea, input:not([type=hidden]), select')];
  const unlabelled = fields.filter(one => !one.labels.length).map(one => one.outerHTML.slice(0, 80));
  const empty = [...document.querySelectorAll('a, button')].filter(one => !one.textContent.trim()).map(one => one.outerHTML);
  if (!document.documentElement.lang) unlabelled.push('no language');
  if (!document.title) unlabelled.push('no title');
  if (document.querySelectorAll('h1').length !== 1) unlabelled.push('not one heading');
  if (document.querySelectorAll('script').length) unlabelled.push('a script');
  return [...unlabelled, ...empty];
})()";

/// Returns whether the element with the focus has a visible outline, and its text.
const FOCUS: &str = r"(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return { shown: one !== document.body && shown, text: one.textContent.trim(), tag: one.tagName };
})()";

/// Checks the page at every width and in both color schemes, and stores screenshots.
pub(crate) async fn check_page(browser: &mut Chromium, name: &str) {
    for width in WIDTHS {
        for scheme in SCHEMES {
            browser.set_display(width, scheme).await;
            let screenshot = browser.screenshot().await;
            fs::write(folder().join(format!("{name}-{width}-{scheme}.png")), screenshot).unwrap();
            let at = format!("{name} at {width}, {scheme}");
            for (what, expression) in
                [("low contrast", LOW_CONTRAST), ("too wide", TOO_WIDE), ("unlabelled", UNLABELLED)]
            {
                let found = browser.evaluate(expression).await;
                assert_eq!(found, Value::Array(Vec::new()), "{at}: {what}");
            }
        }
    }
    let problems = browser.take_problems();
    assert!(problems.is_empty(), "{name}: {problems:#?}");
}

/// Presses Tab until the focus is on an element whose text begins with `text`. Checks that the focus is visible at every step.
pub(crate) async fn tab_to(browser: &mut Chromium, text: &str) {
    let mut passed = Vec::new();
    for _ in 0..40 {
        browser.press(Key::Tab).await;
        let focus = browser.evaluate(FOCUS).await;
        let found = focus["text"].as_str().unwrap().to_owned();
        assert_eq!(focus["shown"], true, "the focus on {focus} is not visible");
        if found.starts_with(text) {
            return;
        }
        passed.push(found);
    }
    panic!("{text:?} cannot be reached with the Tab key, but these can: {passed:?}");
}

/// Returns the folder of the screenshots, below the target folder. Prints it once.
fn folder() -> PathBuf {
    static ONCE: Once = Once::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    ONCE.call_once(|| {
        fs::create_dir_all(&folder).unwrap();
        // Unlike the printing macros, this is shown although the test harness captures output.
        let _ = writeln!(std::io::stderr(), "screenshots of the pages: {}", folder.display());
    });
    folder
}
