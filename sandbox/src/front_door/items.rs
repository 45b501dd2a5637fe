//! Which items a DynamoDB request is about, for the record of calls.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Longer texts of an item that is put are its contents and not its key.
const MAX_KEY_BYTES: usize = 256;

/// The texts by which a request names items: those of its keys, and the short ones of the items that it puts.
pub(super) fn named(body: &[u8]) -> Vec<String> {
    let mut texts = BTreeSet::new();
    if let Ok(request) = serde_json::from_slice(body) {
        collect(&request, &mut texts);
    }
    texts.into_iter().collect()
}

fn collect(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("Key" | "Item", Value::Object(item)) => texts.extend(of_item(item)),
                    ("Keys", Value::Array(keys)) => {
                        texts.extend(keys.iter().filter_map(Value::as_object).flat_map(of_item));
                    }
                    _ => collect(value, texts),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

fn of_item(item: &Map<String, Value>) -> impl Iterator<Item = String> {
    item.values()
        .filter_map(|attribute| attribute["S"].as_str())
        .filter(|text| text.len() <= MAX_KEY_BYTES)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_named_by_keys_and_by_what_is_put() {
        let one = json!({"TableName": "t", "Key": {"id": {"S": "case#1"}},
            "ExpressionAttributeValues": {":a": {"S": "not a key"}}});
        assert_eq!(named(one.to_string().as_bytes()), ["case#1"]);
        let many = json!({"RequestItems": {"t": {"Keys": [{"id": {"S": "b"}}, {"id": {"S": "a"}}]}}});
        assert_eq!(named(many.to_string().as_bytes()), ["a", "b"]);
        let put = json!({"TransactItems": [{"Put": {"Item": {"id": {"S": "c"}, "text": {"S": "x".repeat(300)}}}},
            {"Update": {"Key": {"id": {"S": "d"}}}}]});
        assert_eq!(named(put.to_string().as_bytes()), ["c", "d"]);
        assert!(named(b"no JSON").is_empty());
    }
}
