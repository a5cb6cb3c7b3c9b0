//! `ferry settings`, with a function whose answers a test chooses. What it checks and stores is tested in `functions/org-admin`.

use std::fs;
use std::sync::{Arc, Mutex};

use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stack::{ORG, Stack, run};

/// A service like Lambda whose only function returns the same response to every import.
struct OrgAdmin {
    url: String,
    imported: Arc<Mutex<Vec<Value>>>,
    _served: JoinSet<()>,
}

impl OrgAdmin {
    async fn answering(answer: Value) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let imported = Arc::new(Mutex::new(Vec::new()));
        let of_function = imported.clone();
        let function = Router::new().fallback(move |request: String| {
            of_function.lock().unwrap().push(serde_json::from_str(&request).unwrap());
            std::future::ready(Json(answer.clone()))
        });
        let mut served = JoinSet::new();
        served.spawn(async move { axum::serve(listener, function).await.unwrap() });
        Self { url, imported, _served: served }
    }

    /// Runs `ferry settings import` and returns its exit code, output and error.
    fn import(&self, stack: &Stack, arguments: &[&str]) -> (Option<i32>, String, String) {
        let arguments = [&["settings", "import", "--org", ORG], arguments].concat();
        let output = stack.ferry_with(&arguments, &[("AWS_ENDPOINT_URL_LAMBDA", &self.url)]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn imported(&self) -> Vec<Value> {
        std::mem::take(&mut self.imported.lock().unwrap())
    }
}

#[test]
fn what_is_exported_is_imported() {
    run(async {
        let stack = Stack::create().await;
        let settings = json!({ "objects": ["Account"], "filters": { "Account": "Name != NULL" }, "poll_minutes": 30 });
        stack.set(settings.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let path = file.to_str().unwrap();

        let printed: Value = serde_json::from_str(&stack.succeed(&["settings", "export", "--org", ORG])).unwrap();
        assert_eq!(printed, settings);
        let said = stack.succeed(&["settings", "export", "--org", ORG, "--to", path]);
        assert!(said.contains(path), "{said}");
        assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(&file).unwrap()).unwrap(), settings);

        let changes = json!([{ "setting": "poll_minutes", "before": null, "after": 30 }]);
        let function = OrgAdmin::answering(json!({ "version": 1, "changes": changes })).await;
        let (code, said, _) = function.import(&stack, &["--from", path]);
        assert_eq!((code, said.contains("poll_minutes: the default -> 30")), (Some(0), true), "{said}");
        assert_eq!(function.imported(), [json!({ "org_id": ORG, "settings": settings, "dry_run": false })]);
        let (code, said, _) = function.import(&stack, &["--from", path, "--dry-run", "--json"]);
        assert_eq!((code, serde_json::from_str::<Value>(&said).unwrap()["changes"].clone()), (Some(0), changes));
        assert_eq!(function.imported()[0]["dry_run"], true);
    });
}

#[test]
fn an_org_without_settings_exports_none() {
    run(async {
        let stack = Stack::create().await;
        assert_eq!(stack.succeed(&["settings", "export", "--org", ORG]).trim(), "{}");
        let (code, _) = stack.fail(&["settings", "export", "--org", "00D5e000000KQ2fEAG"]);
        assert_eq!(code, 2);
    });
}

#[test]
fn settings_that_are_refused_are_told_with_every_defect() {
    run(async {
        let stack = Stack::create().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        fs::write(&file, r#"{"objects": ["Lead"]}"#).unwrap();
        let defects = json!([{ "field": "objects[0]", "detail": "no Lead" }, { "field": "fields", "detail": "none" }]);
        let problem = json!({ "title": "The org does not accept the settings", "defects": defects });
        let function = OrgAdmin::answering(json!({ "problem": problem })).await;
        let (code, _, error) = function.import(&stack, &["--from", file.to_str().unwrap()]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains("objects[0]: no Lead") && error.contains("fields: none"), "{error}");
        assert_eq!(function.imported().len(), 1);

        for invalid in [r#"{"poll_minutes": 0}"#, r#"{"unknown": 1}"#, "not JSON"] {
            fs::write(&file, invalid).unwrap();
            let (code, _, error) = function.import(&stack, &["--from", file.to_str().unwrap()]);
            assert_eq!((code, error.contains("cannot be used")), (Some(2), true), "{error}");
        }
        assert!(function.imported().is_empty(), "a file that is invalid by itself costs no call");
    });
}
