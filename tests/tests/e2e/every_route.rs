//! Every route of the document, asked for by those who must not see what is there. New routes join by themselves:
//! paths and bodies are made of the document's examples, and of what its own operations make.

use super::harness::document::{Document, Operation};
use super::harness::issuer::{SECRET, from_now, hmac};
use super::harness::{Answer, Api, Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(without_a_good_credential_it_is_401),
        tenant_journey!(without_the_scope_it_is_403),
        tenant_journey!(what_is_in_another_workspace_does_not_exist),
    ]
}

/// "No credential or a bad one: 401."
async fn without_a_good_credential_it_is_401(tenant: &Tenant) {
    let nobody = tenant.api.with_key(None);
    for operation in guarded() {
        let examples = Bound::default();
        ask(&nobody, operation, &examples).send().await.is(401);
        for alternative in operation.told["security"].as_array().unwrap() {
            let schemes = alternative.as_object().unwrap().keys();
            let call = schemes.fold(ask(&nobody, operation, &examples), Asked::with_bad);
            call.send().await.is(401);
        }
    }
}

/// "A good one without the scope: 403."
async fn without_the_scope_it_is_403(tenant: &Tenant) {
    let none = limited(tenant, &[]).await;
    for operation in guarded() {
        let needed = scopes(operation);
        if needed.is_empty() {
            continue;
        }
        ask(&none, operation, &Bound::default()).send().await.is(403);
        let others: Vec<_> = every_scope()
            .into_iter()
            .filter(|scope| !needed.contains(scope))
            .collect();
        let others: Vec<_> = others.iter().map(String::as_str).collect();
        let others = limited(tenant, &others).await;
        ask(&others, operation, &Bound::default()).send().await.is(403);
    }
}

/// "A record of another workspace: 404"; "nothing of one workspace is visible from another".
async fn what_is_in_another_workspace_does_not_exist(tenant: &Tenant) {
    let other = entitled(Tenant::on(&tenant.root, json!({})).await);
    let tenant = &entitled(tenant.clone());
    let made = make_everything(tenant).await;
    assert!(!made.ids.is_empty(), "nothing was made");
    for name in ["wmdaId", "searchId"] {
        assert!(made.numbers.contains_key(name), "there is no {name}");
    }
    // First what only looks, last what makes something, so that nothing of the other one's own is taken for the first one's.
    let mut operations: Vec<_> = guarded().filter(|operation| !is_stream(operation)).collect();
    operations.sort_by_key(|operation| (operation.method != "get", !names_record(*operation)));
    for operation in operations {
        let before = state(tenant, operation, &made).await;
        let answer = ask(&other.api, operation, &made).send().await;
        let success = (200..300).contains(&answer.status);
        let numbers = made.numbers.values().map(i64::to_string).collect::<Vec<_>>();
        for id in made.ids.iter().chain(&numbers).filter(|_| success) {
            assert!(
                !answer.text.contains(id.as_str()),
                "{} shows {id}: {}",
                answer.what(),
                answer.text
            );
        }
        let seen = match operation.method {
            "get" => answer.status == 404 || is_list(&answer, operation),
            _ if names_record(operation) || names_in_body(operation, &made) => answer.status == 404,
            // It makes something of its own, or may not at all.
            _ => true,
        };
        assert!(
            seen,
            "{} answered {} {}",
            answer.what(),
            answer.status,
            answer.text
        );
        assert_eq!(
            state(tenant, operation, &made).await,
            before,
            "{} changed it",
            answer.what()
        );
    }
}

/// With a token that may do everything, beside the key.
fn entitled(tenant: Tenant) -> Tenant {
    let api = tenant.api.and_token(&token(&tenant, &every_scope()));
    Tenant { api, ..tenant }
}

/// A key and a token that may do only this.
async fn limited(tenant: &Tenant, scopes: &[&str]) -> Api {
    let token = token(
        tenant,
        &scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>(),
    );
    tenant.limited(scopes).await.and_token(&token)
}

fn token(tenant: &Tenant, scopes: &[String]) -> String {
    let claims = json!({
        "sub": "walker", "workspace": tenant.workspace, "scope": scopes.join(" "), "exp": from_now(3_600),
    });
    hmac(SECRET.as_bytes(), &claims)
}

/// What was made, by the part of the path that names it, and which ids were made up for it here.
#[derive(Default)]
struct Bound {
    values: BTreeMap<String, String>,
    /// Those numbers that bodies call by the names of parameters.
    numbers: BTreeMap<String, i64>,
    ids: Vec<String>,
}

/// Does all that makes something, and remembers it. An operation may need what a later one makes: so, twice.
async fn make_everything(tenant: &Tenant) -> Bound {
    let mut made = Bound::default();
    for _ in 0..2 {
        for method in ["put", "post", "get"] {
            let ends = |operation: &Operation<'_>| !is_step(operation) && !is_stream(operation);
            for operation in guarded().filter(|operation| operation.method == method && ends(operation)) {
                let answer = ask(&tenant.api, operation, &made).send().await;
                if (200..300).contains(&answer.status) {
                    made.learn(operation, &answer);
                }
            }
        }
    }
    made
}

impl Bound {
    /// From `Location`, members named as a parameter, the id of what was added to a list, and lists.
    fn learn(&mut self, operation: Operation<'_>, answer: &Answer) {
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let location = answer
            .headers
            .get("location")
            .and_then(|value| value.to_str().ok());
        for one in guarded() {
            let Some((stem, parameter)) = last_parameter(one.path) else {
                continue;
            };
            let named = body[parameter]
                .as_str()
                .filter(|_| parameter != "id" && one.path.starts_with(common(operation.path)));
            let added = body["id"]
                .as_str()
                .filter(|_| stem == format!("{}/{{{parameter}}}", operation.path));
            let listed = body["items"][0]["id"].as_str();
            let listed = listed.filter(|_| stem == format!("{}/{{{parameter}}}", operation.path));
            let located = location.and_then(|location| {
                let (parent, last) = location.rsplit_once('/')?;
                fits(stem.rsplit_once('/')?.0, parent).then_some(last)
            });
            if let Some(id) = located.or(named).or(added).or(listed) {
                self.values
                    .entry(stem.to_owned())
                    .or_insert_with(|| id.to_owned());
            }
        }
        for (name, number) in body.as_object().into_iter().flatten() {
            let is_parameter = guarded().any(|one| one.path.contains(&format!("{{{name}}}")));
            if let Some(number) = number.as_i64().filter(|_| is_parameter) {
                self.numbers.entry(name.clone()).or_insert(number);
            }
        }
        let ids = body.as_object().into_iter().flatten();
        let ids = ids.filter(|(name, _)| *name == "id" || name.ends_with("Id"));
        // Natural keys are everybody's; what is made here has a UUID in it.
        let ids = ids.filter_map(|(_, id)| id.as_str()).filter(|id| id.len() >= 32);
        self.ids.extend(ids.map(str::to_owned));
    }
}

/// The start that paths of one workspace's own things share, such as `/sources`.
fn common(path: &str) -> &str {
    let end = path[1..].find('/').map_or(path.len(), |end| end + 1);
    &path[..end]
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(part, given): (&&str, &&str)| part == given || part.starts_with('{');
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

/// Up to and with the last parameter, and its name.
fn last_parameter(path: &str) -> Option<(&str, &str)> {
    let (begin, end) = (path.rfind('{')?, path.rfind('}')?);
    Some((&path[..=end], &path[begin + 1..end]))
}

/// `POST .../{id}/cancel`: something done to a record.
fn is_step(operation: &Operation<'_>) -> bool {
    operation.method == "post"
        && last_parameter(operation.path).is_some_and(|(stem, _)| stem != operation.path)
        && names_record(*operation)
}

/// Its answer has no end; whom it tells of what, its own journeys see.
fn is_stream(operation: &Operation<'_>) -> bool {
    operation.told["responses"]["200"]["content"]["text/event-stream"].is_object()
}

/// Whether it is about a record that has to be there: not one of a list of words, and nothing is made by it.
fn names_record(operation: Operation<'_>) -> bool {
    let Some((stem, parameter)) = last_parameter(operation.path) else {
        return false;
    };
    let told = parameters(operation)
        .into_iter()
        .find(|told| told["name"] == parameter);
    let is_word = told.is_some_and(|told| told["schema"]["enum"].is_array());
    let created = operation.told["responses"]["201"].is_object();
    let adds = operation.method == "put"
        || (operation.method == "post" && created && is_natural(told, stem, operation));
    !is_word && !adds
}

/// Whether its body names a record that was made.
fn names_in_body(operation: Operation<'_>, made: &Bound) -> bool {
    let schema = &operation.told["requestBody"]["content"]["application/json"]["schema"];
    let properties = Document::get().resolve(schema)["properties"].as_object();
    let mut names = properties.into_iter().flat_map(|all| all.keys());
    names.any(|name| made.numbers.contains_key(name))
}

/// Keys that clients choose can be in every workspace.
fn is_natural(told: Option<&Value>, stem: &str, operation: Operation<'_>) -> bool {
    stem == operation.path && told.is_some_and(|told| told["schema"]["pattern"].is_string())
}

/// An empty list, or one of its own things if the path names nobody's; or none, where only the administrator may look.
fn is_list(answer: &Answer, operation: Operation<'_>) -> bool {
    let names_nothing = last_parameter(operation.path).is_none();
    if answer.status == 403 {
        return names_nothing;
    }
    let Ok(body) = serde_json::from_str::<Value>(&answer.text) else {
        return false;
    };
    let empty = body["items"] == json!([]);
    answer.status == 200 && (empty || names_nothing)
}

/// What the first workspace reads at the path, if it can be read.
async fn state(tenant: &Tenant, operation: Operation<'_>, made: &Bound) -> Option<Value> {
    last_parameter(operation.path)?;
    let reading = guarded().find(|one| one.path == operation.path && one.method == "get")?;
    let answer = ask(&tenant.api, reading, made).send().await;
    (answer.status == 200).then(|| answer.json())
}

fn guarded() -> impl Iterator<Item = Operation<'static>> {
    let all = Document::get().operations();
    all.filter(|operation| operation.told["security"] != json!([]))
}

/// All that open it, in whatever combination; none, if any credential will do.
fn scopes(operation: Operation<'_>) -> Vec<String> {
    let alternatives = operation.told["security"].as_array().expect("a way in");
    let schemes = alternatives
        .iter()
        .flat_map(|schemes| schemes.as_object().expect("schemes").values());
    let scopes = schemes.flat_map(|scopes| scopes.as_array().expect("scopes"));
    scopes
        .map(|scope| scope.as_str().expect("a word").to_owned())
        .collect()
}

/// As the document lists them for credentials.
fn every_scope() -> Vec<String> {
    let all = guarded().flat_map(scopes);
    let mut all: Vec<_> = all.collect();
    all.sort();
    all.dedup();
    all
}

fn parameters(operation: Operation<'_>) -> Vec<&Value> {
    let parameters = operation.told["parameters"].as_array();
    parameters.into_iter().flatten().collect()
}

/// A request on its way.
struct Asked {
    api: Api,
    method: Method,
    path: String,
    body: Option<String>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Asked {
    /// A bad value for one of the document's security schemes.
    fn with_bad(mut self, scheme: &String) -> Self {
        let told = Document::get().scheme(scheme);
        let header = match (told["type"].as_str(), told["scheme"].as_str()) {
            (Some("apiKey"), _) => told["name"].as_str().expect("a header"),
            (Some("http"), Some("bearer")) => "Authorization",
            other => panic!("no bad value is known for {scheme}: {other:?}"),
        };
        let value = if header == "Authorization" {
            "Bearer ct_nobody"
        } else {
            "ct_nobody"
        };
        self.headers.push((header, value));
        self
    }

    async fn send(self) -> Answer {
        let mut call = self.api.call(self.method, &self.path);
        if let Some(body) = self.body {
            call = call.json(body);
        }
        let headers = self.headers.into_iter();
        headers
            .fold(call, |call, (name, value)| call.header(name, value))
            .await
    }
}

/// The operation, with what is known, else with examples.
fn ask(api: &Api, operation: Operation<'_>, known: &Bound) -> Asked {
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    for told in parameters(operation) {
        let name = told["name"].as_str().expect("a name");
        let example = told.get("example").or_else(|| told["schema"]["enum"].get(0));
        let example = example.map(|example| {
            example
                .as_str()
                .map_or_else(|| example.to_string(), str::to_owned)
        });
        if told["in"] == "path" {
            let (stem, _) = operation
                .path
                .split_once(&format!("{{{name}}}"))
                .expect("it is in the path");
            let bound = known.values.get(&format!("{stem}{{{name}}}")).cloned();
            let bound = bound.or_else(|| known.numbers.get(name).map(i64::to_string));
            let value = bound.or(example).expect("parameters of paths have examples");
            path = path.replace(&format!("{{{name}}}"), &value);
        } else if told["in"] == "query" && told["required"] == true {
            query.push(format!(
                "{name}={}",
                example.expect("what is required has an example")
            ));
        }
    }
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let content = &operation.told["requestBody"]["content"]["application/json"];
    let body = content.is_object().then(|| {
        let schema = Document::get().resolve(&content["schema"]);
        let examples = [&content["example"], &schema["example"], &schema["examples"][0]];
        let example = examples.into_iter().find(|example| !example.is_null());
        let mut body = example.expect("a body has an example").clone();
        for (name, number) in &known.numbers {
            if let Some(member) = body.get_mut(name) {
                *member = json!(number);
            }
        }
        body.to_string()
    });
    Asked {
        api: api.clone(),
        method: operation.method.to_uppercase().parse().expect("a method"),
        path,
        body,
        headers: Vec::new(),
    }
}
