//! What every page has to be: readable at every width and in every light, without a complaint, with a focus that is seen.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde_json::Value;

use crate::chromium::{Chromium, Key};

/// As wide as a small phone, and as a desktop.
const WIDTHS: [u32; 2] = [360, 1280];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3).
const PALE: &str = r"(() => {
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

/// Parts that stick out of the window.
const WIDE: &str = r"(() => {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > width + 0.5);
  const scrolls = document.documentElement.scrollWidth > width;
  return scrolls ? [`scrolls: ${document.documentElement.scrollWidth} of ${width}`, ...out.map(one => one.outerHTML.slice(0, 80))] : [];
})()";

/// Fields without a label, pages without a language, a title or a heading.
const NAMELESS: &str = r"(() => {
  const fields = [...document.querySelectorAll('textarea, input:not([type=hidden]), select')];
  const nameless = fields.filter(one => !one.labels.length).map(one => one.outerHTML.slice(0, 80));
  const empty = [...document.querySelectorAll('a, button')].filter(one => !one.textContent.trim()).map(one => one.outerHTML);
  if (!document.documentElement.lang) nameless.push('no language');
  if (!document.title) nameless.push('no title');
  if (document.querySelectorAll('h1').length !== 1) nameless.push('not one heading');
  if (document.querySelectorAll('script').length) nameless.push('a script');
  return [...nameless, ...empty];
})()";

/// Whether what has the focus shows it.
const FOCUS: &str = r"(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return { shown: one !== document.body && shown, text: one.textContent.trim(), tag: one.tagName };
})()";

/// Looks at the page at every width and in every light, keeps the pictures, and says what is wrong.
pub(crate) async fn look(browser: &mut Chromium, name: &str) {
    for width in WIDTHS {
        for scheme in SCHEMES {
            browser.appear(width, scheme).await;
            let picture = browser.picture().await;
            fs::write(folder().join(format!("{name}-{width}-{scheme}.png")), picture).unwrap();
            let at = format!("{name} at {width}, {scheme}");
            for (what, expression) in [("pale", PALE), ("too wide", WIDE), ("nameless", NAMELESS)] {
                let found = browser.evaluate(expression).await;
                assert_eq!(found, Value::Array(Vec::new()), "{at}: {what}");
            }
        }
    }
    let complaints = browser.take_complaints();
    assert!(complaints.is_empty(), "{name}: {complaints:#?}");
}

/// Tabs on until something with this text has the focus. Everything on the way shows that it has it.
pub(crate) async fn tab_to(browser: &mut Chromium, text: &str) {
    let mut passed = Vec::new();
    for _ in 0..40 {
        browser.press(Key::Tab).await;
        let focus = browser.evaluate(FOCUS).await;
        let found = focus["text"].as_str().unwrap().to_owned();
        assert_eq!(focus["shown"], true, "the focus on {focus} is not to be seen");
        if found.starts_with(text) {
            return;
        }
        passed.push(found);
    }
    panic!("{text:?} cannot be reached with the Tab key; what can: {passed:?}");
}

/// Where the pictures are: below the target folder, which is said once.
fn folder() -> PathBuf {
    static ONCE: Once = Once::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    ONCE.call_once(|| {
        fs::create_dir_all(&folder).unwrap();
        // The macros that print are caught by the harness, and this is not.
        let _ = writeln!(std::io::stderr(), "pictures of the pages: {}", folder.display());
    });
    folder
}
