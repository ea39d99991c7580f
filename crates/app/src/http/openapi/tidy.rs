//! What annotations cannot say, or say too much of.

use serde_json::{Value, json};

/// What its schema says of it stands beside the schema; one in a path is always there.
pub fn parameter(parameter: &mut Value) {
    schema(&mut parameter["schema"], false);
    without_null(&mut parameter["schema"]);
    if let Some(described) = parameter["schema"].as_object_mut() {
        let description = described.remove("description");
        let example = described.get("examples").map(|examples| examples[0].clone());
        described.remove("examples");
        for (name, said) in [("description", description), ("example", example)] {
            if let Some(said) = said {
                parameter[name] = said;
            }
        }
    }
    if parameter["in"] == "path" {
        parameter["required"] = json!(true);
    }
}

/// A body that need not be there is left out, and never null.
pub fn body(body: &mut Value) {
    let contents = body["content"].as_object_mut().into_iter().flatten();
    contents.for_each(|(_, content)| without_null(&mut content["schema"]));
}

/// A member that need not be there is left out, and never null, unless there are `nulls` in its dialect.
pub fn schema(schema: &mut Value, nulls: bool) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    // All names are strings.
    members.remove("propertyNames");
    let required = members.get("required").cloned().unwrap_or_default();
    let is_required = |name: &String| {
        required
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == name))
    };
    for (name, member) in members {
        match name.as_str() {
            "properties" => {
                for (name, property) in member.as_object_mut().into_iter().flatten() {
                    self::schema(property, nulls);
                    if !nulls && !is_required(name) {
                        without_null(property);
                    }
                }
            }
            "allOf" | "anyOf" | "oneOf" => {
                let alternatives = member.as_array_mut().into_iter().flatten();
                alternatives.for_each(|each| self::schema(each, nulls));
            }
            "items" | "additionalProperties" => self::schema(member, nulls),
            _ => {}
        }
    }
}

fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let mut types = types.clone();
        types.retain(|one| one != "null");
        schema["type"] = if let [one] = types.as_slice() {
            one.clone()
        } else {
            types.into()
        };
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let mut rest = alternatives.clone();
        rest.retain(|one| one != &json!({"type": "null"}));
        if let ([only], 2) = (rest.as_slice(), alternatives.len()) {
            *schema = only.clone();
        }
    }
}
