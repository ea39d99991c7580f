//! The OpenAPI document, and whether answers are as it says.

use super::{Answer, program};
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How the forms of errors are named, for what no operation tells of: those of the dialects, and of `/ops`.
const ERRORS: [(&str, &str); 2] = [
    ("application/json", "Error"),
    ("application/problem+json", "Problem"),
];

pub struct Document {
    whole: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One method of one path.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    pub path: &'a str,
    pub method: &'a str,
    pub told: &'a Value,
}

impl Document {
    /// As the program under test prints it.
    pub fn get() -> &'static Self {
        static DOCUMENT: OnceLock<Document> = OnceLock::new();
        DOCUMENT.get_or_init(|| {
            let output = program::command(&std::env::temp_dir(), &["openapi"])
                .output()
                .expect("the program under test starts");
            Self {
                whole: serde_json::from_slice(&output.stdout).expect("the document is JSON"),
                validators: Mutex::default(),
            }
        })
    }

    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.whole["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods
                .iter()
                .map(move |(method, told)| Operation { path, method, told })
        })
    }

    /// What a reference names, or the value itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
            Some(target) => self.whole.pointer(target).expect("references lead somewhere"),
            None => value,
        }
    }

    pub fn scheme(&self, name: &str) -> &Value {
        &self.whole["components"]["securitySchemes"][name]
    }

    /// Panics if the answer is none that the document tells of.
    #[track_caller]
    pub fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let told = self.template(path);
        let as_get = *method == Method::HEAD;
        let name = if as_get {
            "get".to_owned()
        } else {
            method.as_str().to_lowercase()
        };
        match told.map(|methods| methods.get(&name)) {
            Some(Some(operation)) => self.check_told(operation, as_get, answer),
            Some(None) if *method == Method::OPTIONS => answer.has_no_body(204),
            Some(None) => {
                answer.header("allow");
                self.check_error(&[405], answer);
            }
            None => self.check_error(&[401, 404, 501], answer),
        }
    }

    #[track_caller]
    fn check_told(&self, operation: &Value, as_get: bool, answer: &Answer) {
        let status = answer.status.to_string();
        let response = self.resolve(&operation["responses"][&status]);
        assert!(
            response.is_object(),
            "{} answered {status}, which the document does not tell of: {}",
            answer.what(),
            answer.text
        );
        let Some(content) = response["content"].as_object().filter(|_| !as_get) else {
            return answer.has_no_body(answer.status);
        };
        let kind = media_type(answer);
        let schema = content.get(kind).unwrap_or_else(|| {
            panic!(
                "{} answered {status} as {kind}, and the document tells of {content:?}",
                answer.what()
            )
        });
        if kind.ends_with("json") {
            self.check_body(&schema["schema"], answer);
        }
    }

    #[track_caller]
    fn check_error(&self, statuses: &[u16], answer: &Answer) {
        assert!(
            statuses.contains(&answer.status),
            "{} is in no document and answered {} {}",
            answer.what(),
            answer.status,
            answer.text
        );
        let kind = media_type(answer);
        let form = ERRORS.iter().find(|(of, _)| *of == kind);
        let (_, form) = form.unwrap_or_else(|| panic!("{} answered an error as {kind}", answer.what()));
        if !answer.text.is_empty() {
            let schemas = self.whole["components"]["schemas"].as_object().expect("schemas");
            let forms = schemas.keys().filter(|name| name.ends_with(form));
            let forms: Vec<_> = forms
                .map(|name| json!({"$ref": format!("#/components/schemas/{name}")}))
                .collect();
            self.check_body(&json!({"anyOf": forms}), answer);
        }
    }

    #[track_caller]
    fn check_body(&self, schema: &Value, answer: &Answer) {
        let body = answer.json();
        let validator = self.validator(schema);
        let wrong: Vec<_> = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            wrong.is_empty(),
            "{} answered {} {}, which is not as the document says: {wrong:#?}",
            answer.what(),
            answer.status,
            answer.text
        );
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            let whole = json!({"allOf": [schema], "components": self.whole["components"]});
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&whole).expect("schemas are schemas"))
        });
        Arc::clone(validator)
    }

    /// The methods of the path; of several templates the one with the most literal segments.
    fn template(&self, path: &str) -> Option<&Map<String, Value>> {
        // The patient-status dialect is reached without its prefix, too, and told of with it.
        self.told(path).or_else(|| self.told(&format!("/api/v2{path}")))
    }

    fn told(&self, path: &str) -> Option<&Map<String, Value>> {
        let paths = self.whole["paths"].as_object().expect("paths");
        let fitting = paths
            .iter()
            .filter_map(|(template, methods)| Some((literals(template, path)?, methods)));
        let (_, methods) = fitting.max_by_key(|(literals, _)| *literals)?;
        methods.as_object()
    }
}

/// How many segments are the same, if the others are parameters.
fn literals(template: &str, path: &str) -> Option<usize> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let is_parameter = |part: &str| part.starts_with('{');
    let fits = |(part, given): (&&str, &&str)| part == given || (is_parameter(part) && !given.is_empty());
    let fits = template.len() == path.len() && template.iter().zip(&path).all(fits);
    fits.then(|| template.iter().filter(|part| !is_parameter(part)).count())
}

fn media_type(answer: &Answer) -> &str {
    answer
        .header("content-type")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}

impl Answer {
    #[track_caller]
    fn has_no_body(&self, status: u16) {
        assert_eq!(
            (self.status, self.text.as_str()),
            (status, ""),
            "{} has an answer that the document does not tell of",
            self.what()
        );
    }
}
