//! The update of an item from what was read to what was decided, attribute by attribute.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue;

use super::{Expression, Item, Table, clause, names};
use crate::Error;

impl Table {
    /// Writes the attributes in which `after` differs from `before`, which is empty for a new item, and removes those that
    /// `after` lacks, if `when` holds. Returns whether it held. Attributes in neither of the two stay as they are.
    ///
    /// The call names each attribute that it changes and reads none, so a policy can permit it for some attributes only.
    pub(crate) async fn write_difference(
        &self,
        operation: &'static str,
        key: Item,
        (before, after): (&Item, &Item),
        when: Expression<'_>,
    ) -> Result<bool, Error> {
        let (changes, mut values) = difference(before, after, &key);
        values.extend(when.values.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let response = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(&changes)
            .condition_expression(when.text)
            .set_expression_attribute_names(names(&[&changes, when.text]))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .return_values(ReturnValue::None)
            .send()
            .await;
        match response {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(Error::aws(operation)(error)),
            },
        }
    }
}

/// Returns the names of the attributes, other than those of `key`, in which the items differ, in order.
pub(crate) fn changed<'a>(before: &'a Item, after: &'a Item, key: &Item) -> Vec<&'a str> {
    let all = after.keys().chain(before.keys().filter(|name| !after.contains_key(*name)));
    let differ = all.filter(|name| before.get(*name) != after.get(*name) && !key.contains_key(*name));
    let mut names: Vec<&str> = differ.map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Returns the update expression, and its values.
fn difference(before: &Item, after: &Item, key: &Item) -> (String, Item) {
    let (mut set, mut remove, mut values) = (Vec::new(), Vec::new(), Item::new());
    for name in changed(before, after, key) {
        if let Some(value) = after.get(name) {
            set.push(format!("#{name} = :set_{name}"));
            values.insert(format!(":set_{name}"), value.clone());
        } else {
            remove.push(format!("#{name}"));
        }
    }
    (clause("SET", &set) + &clause("REMOVE", &remove), values)
}

#[cfg(test)]
mod tests {
    use super::super::{key, number, text};
    use super::*;

    fn item<const N: usize>(attributes: [(&str, &str); N]) -> Item {
        key(attributes)
    }

    #[test]
    fn only_what_differs_is_written() {
        let before = item([("org_id", "a"), ("state", "active"), ("tenant", "acme"), ("reason", "none")]);
        let mut after = item([("org_id", "a"), ("state", "closed"), ("tenant", "acme")]);
        after.insert("revision".to_owned(), number(2));
        let (changes, values) = difference(&before, &after, &item([("org_id", "a")]));
        assert_eq!(changes, "SET #revision = :set_revision, #state = :set_state REMOVE #reason ");
        let expected = [(":set_revision", number(2)), (":set_state", text("closed"))];
        assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn a_new_item_is_written_whole() {
        let after = item([("org_id", "a"), ("state", "claimed"), ("tenant", "acme")]);
        let (changes, values) = difference(&Item::new(), &after, &item([("org_id", "a")]));
        assert_eq!((changes.as_str(), values.len()), ("SET #state = :set_state, #tenant = :set_tenant ", 2));
    }
}
