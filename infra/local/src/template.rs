//! Reads `infra/template.yaml` and converts it to JSON, which CloudFormation accepts too.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use saphyr::{LoadableYamlNode as _, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

/// A CloudFormation template, as JSON.
#[derive(Clone, Debug)]
pub struct Template(Map<String, Value>);

impl Template {
    /// Reads a YAML template. Converts short-form functions such as `!Ref` to the long form.
    ///
    /// # Errors
    /// If the file cannot be read or is not a YAML mapping.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("could not parse {} as a template", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut documents = YamlOwned::load_from_str(text)?;
        match (documents.pop().map(to_json).transpose()?, documents.is_empty()) {
            (Some(Value::Object(root)), true) => Ok(Self(root)),
            _ => bail!("expected one document that is a mapping"),
        }
    }

    /// Keeps only resources of these types, and removes outputs, globals and the transform, which could refer to other resources.
    #[must_use]
    pub fn only(mut self, types: &[&str]) -> Self {
        self.0.remove("Outputs");
        self.0.remove("Globals");
        self.0.remove("Transform");
        if let Some(Value::Object(resources)) = self.0.get_mut("Resources") {
            resources.retain(|_, resource| types.iter().any(|wanted| resource["Type"] == *wanted));
        }
        self
    }

    /// Returns the logical id and the properties of every resource of a type.
    pub fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.0.get("Resources").and_then(Value::as_object);
        resources
            .into_iter()
            .flatten()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// Returns the default of a parameter.
    #[must_use]
    pub fn parameter_default(&self, name: &str) -> Option<&str> {
        self.0.get("Parameters")?.get(name)?.get("Default")?.as_str()
    }

    /// Returns the names of the functions' binaries: the last part of each `CodeUri`.
    #[must_use]
    pub fn code_names(&self) -> Vec<String> {
        self.resources("AWS::Serverless::Function").map(|(_, function)| code_name(&function["CodeUri"])).collect()
    }

    /// Replaces every `CodeUri` with the URI that `locate` returns for the binary's name.
    #[must_use]
    pub fn with_code(mut self, locate: impl Fn(&str) -> String) -> Self {
        self.for_each_value("CodeUri", &mut |uri| *uri = Value::String(locate(&code_name(uri))));
        self
    }

    /// Applies `change` to the value of every key of this name, at any depth below `Resources`.
    pub(crate) fn for_each_value(&mut self, key: &str, change: &mut impl FnMut(&mut Value)) {
        if let Some(resources) = self.0.get_mut("Resources") {
            visit(resources, key, change);
        }
    }

    /// Keeps only the resources for which `keep` returns true.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Value) -> bool) {
        if let Some(Value::Object(resources)) = self.0.get_mut("Resources") {
            resources.retain(|_, resource| keep(resource));
        }
    }

    /// Returns the template as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

fn code_name(uri: &Value) -> String {
    let path = uri.as_str().unwrap_or_default().trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn visit(value: &mut Value, key: &str, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                if name == key {
                    change(value);
                }
                visit(value, key, change);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, key, change)),
        _ => {}
    }
}

fn to_json(node: YamlOwned) -> Result<Value> {
    Ok(match node {
        YamlOwned::Value(scalar) => scalar_to_json(scalar),
        YamlOwned::Sequence(items) => items.into_iter().map(to_json).collect::<Result<_>>()?,
        YamlOwned::Mapping(entries) => Value::Object(entries.into_iter().map(entry_to_json).collect::<Result<_>>()?),
        YamlOwned::Tagged(tag, inner) => long_form(&tag.suffix, to_json(*inner)?),
        YamlOwned::Representation(..) | YamlOwned::Alias(_) | YamlOwned::BadValue => {
            bail!("YAML aliases and invalid values are not supported")
        }
    })
}

fn entry_to_json((key, value): (YamlOwned, YamlOwned)) -> Result<(String, Value)> {
    match key {
        YamlOwned::Value(ScalarOwned::String(key)) => Ok((key, to_json(value)?)),
        key => bail!("the key {key:?} is not a string"),
    }
}

fn scalar_to_json(scalar: ScalarOwned) -> Value {
    match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(value) => json!(value),
        ScalarOwned::Integer(value) => json!(value),
        ScalarOwned::FloatingPoint(value) => json!(value.into_inner()),
        ScalarOwned::String(value) => json!(value),
    }
}

/// Converts a short-form function: `!Sub x` to `{"Fn::Sub": x}`. `Ref` and `Condition` have no `Fn::` prefix, and `GetAtt` takes a list.
fn long_form(function: &str, argument: Value) -> Value {
    match (function, argument) {
        ("Ref" | "Condition", argument) => json!({ function: argument }),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap_or((&path, ""));
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        (_, argument) => json!({ format!("Fn::{function}"): argument }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_form_functions_are_converted_to_the_long_form() {
        let template = Template::parse(
            "Resources:\n  Q:\n    Type: T\n    Properties:\n      A: !GetAtt Dead.Arn\n      B: !Ref X\n      C: !If [Yes, !Sub '${X}-y', 7]\n",
        )
        .unwrap();

        let (id, properties) = template.resources("T").next().unwrap();

        assert_eq!(id, "Q");
        let expected = json!({
            "A": {"Fn::GetAtt": ["Dead", "Arn"]},
            "B": {"Ref": "X"},
            "C": {"Fn::If": ["Yes", {"Fn::Sub": "${X}-y"}, 7]},
        });
        assert_eq!(properties, &expected);
    }

    #[test]
    fn only_removes_other_resource_types() {
        let template = Template::parse("Transform: X\nOutputs: {}\nResources:\n  A: {Type: T}\n  B: {Type: U}\n")
            .unwrap()
            .only(&["U"]);

        assert_eq!(template.to_json(), r#"{"Resources":{"B":{"Type":"U"}}}"#);
    }

    #[test]
    fn code_uris_are_replaced_by_binary_name() {
        let source = "Resources:\n  A: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: ../target/lambda/record-read/}}\n";
        let template = Template::parse(source).unwrap();
        assert_eq!(template.code_names(), ["record-read"]);

        let located = template.with_code(|name| format!("s3://b/{name}"));

        let (_, function) = located.resources("AWS::Serverless::Function").next().unwrap();
        assert_eq!(function["CodeUri"], "s3://b/record-read");
    }

    #[test]
    fn a_list_is_not_a_template() {
        assert!(Template::parse("- a\n").is_err());
    }
}
