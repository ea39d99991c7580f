//! Definitions: PUT and GET of profiles, collections and relationship definitions.

use super::definition_shapes::{
    CollectionDraft, CollectionPath, CollectionView, ProfileDraft, ProfilePath, ProfileView,
    RelationshipDefinitionDraft, RelationshipDefinitionPath, RelationshipDefinitionView,
};
use super::error::RegistryError;
use super::path;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::{Api, body};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{DefinitionOrder, PutDefinition};
use caretrack_domain::{
    CollectionType, Definition, Key, NotTaken, Problems, Profile, ProfileType, Refusal, RefusalKind,
    RelationshipDefinition, Scope, Shape,
};
use serde_json::{Map, Value, json};

type Answer = Result<HttpResponse, RegistryError>;
type Members = Map<String, Value>;

/// Put a profile
///
/// It binds later writes only; stored records stay as they are. A `ROOT` profile is the collection of its key.
#[utoipa::path(
    put,
    path = "/sources/{sourceKey}/v1/profiles/{profileKey}",
    operation_id = "putProfile",
    security(("scope" = ["registry:admin"])),
    params(ProfilePath),
    request_body = ProfileDraft,
    responses(
        (status = 200, description = "Replaced", body = ProfileView),
        (status = 201, description = "Created", body = ProfileView),
        (status = 409, description = "The key is that of a relationship definition"),
        (status = 422, description = "Its type cannot be changed, or what it lists as contained is not"),
        (status = 501, description = "A vocabulary binding of strength `required`"),
    ),
)]
pub async fn put_profile(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let read =
        |body: &Members| Profile::read_typed(body).map(|(of, profile)| DefinitionOrder::Profile(of, profile));
    put(
        &api,
        &request,
        payload,
        "profileKey",
        "profile.put",
        read,
        profile,
    )
    .await
}

/// Read the profile of a type
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/profiles/{profileKey}",
    operation_id = "findProfile",
    security(("scope" = ["registry:read"])),
    params(ProfilePath),
    responses((status = 200, description = "The profile", body = ProfileView)),
)]
pub async fn find_profile(api: Data<Api>, request: HttpRequest) -> Answer {
    find(&api, &request, "profileKey", "profile", profile).await
}

/// Put a collection
///
/// A collection of resources is a `ROOT` profile, one of relationships is a relationship definition, of the same key:
/// to put either is to put both. What a relationship definition says of its ends stays.
#[utoipa::path(
    put,
    path = "/sources/{sourceKey}/v1/collections/{collectionKey}",
    operation_id = "putCollection",
    security(("scope" = ["registry:admin"])),
    params(CollectionPath),
    request_body = CollectionDraft,
    responses(
        (status = 200, description = "Replaced", body = CollectionView),
        (status = 201, description = "Created", body = CollectionView),
        (status = 409, description = "The key is that of something else"),
        (status = 422, description = "What it lists as contained is not"),
        (status = 501, description = "A collection of objects, or a vocabulary binding of strength `required`"),
    ),
)]
pub async fn put_collection(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let read = |body: &Members| {
        let (of, profile) = CollectionType::read(body)?;
        Ok(match of {
            CollectionType::Resources => DefinitionOrder::Resources(profile),
            CollectionType::Relationships => DefinitionOrder::Relationships {
                properties: profile.properties,
                description: profile.description,
            },
        })
    };
    put(
        &api,
        &request,
        payload,
        "collectionKey",
        "collection.put",
        read,
        collection,
    )
    .await
}

/// Read a collection
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/collections/{collectionKey}",
    operation_id = "findCollection",
    security(("scope" = ["registry:read"])),
    params(CollectionPath),
    responses((status = 200, description = "The collection", body = CollectionView)),
)]
pub async fn find_collection(api: Data<Api>, request: HttpRequest) -> Answer {
    find(&api, &request, "collectionKey", "collection", collection).await
}

/// Put a relationship definition
#[utoipa::path(
    put,
    path = "/sources/{sourceKey}/v1/relationship-definitions/{relationshipDefinitionKey}",
    operation_id = "putRelationshipDefinition",
    security(("scope" = ["registry:admin"])),
    params(RelationshipDefinitionPath),
    request_body = RelationshipDefinitionDraft,
    responses(
        (status = 200, description = "Replaced", body = RelationshipDefinitionView),
        (status = 201, description = "Created", body = RelationshipDefinitionView),
        (status = 409, description = "The key is that of a profile"),
        (status = 501, description = "A vocabulary binding of strength `required`"),
    ),
)]
pub async fn put_relationship(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let read = |body: &Members| RelationshipDefinition::read(body).map(DefinitionOrder::Relationship);
    let (name, action) = ("relationshipDefinitionKey", "relationship_definition.put");
    put(&api, &request, payload, name, action, read, relationship).await
}

/// Read a relationship definition
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/relationship-definitions/{relationshipDefinitionKey}",
    operation_id = "findRelationshipDefinition",
    security(("scope" = ["registry:read"])),
    params(RelationshipDefinitionPath),
    responses((status = 200, description = "The relationship definition", body = RelationshipDefinitionView)),
)]
pub async fn find_relationship(api: Data<Api>, request: HttpRequest) -> Answer {
    let name = "relationshipDefinitionKey";
    find(&api, &request, name, "relationship definition", relationship).await
}

/// How a definition is shown; not at all, if it is of another kind.
type Show = fn(&Definition) -> Option<Value>;

async fn put(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    name: &str,
    action: &str,
    read: impl FnOnce(&Members) -> Result<DefinitionOrder, NotTaken>,
    show: Show,
) -> Answer {
    let caller = api.caller_with(request, Scope::RegistryAdmin).await?;
    let order = body::read(request, payload, &api.limits)
        .await
        .and_then(|text| read_order(request, name, &text, read));
    let (source, key, order) = match order {
        Ok(order) => order,
        Err(failure) => {
            api.note_refusal(&caller, action, request).await;
            return Err(failure.into());
        }
    };
    let told = tell(request, &caller, |put: &PutDefinition| {
        let mut response = if put.created {
            HttpResponse::Created()
        } else {
            HttpResponse::Ok()
        };
        response.json(show(&put.definition))
    });
    Ok(api.application.put_definition(&told, source, key, order).await?)
}

fn read_order(
    request: &HttpRequest,
    name: &str,
    text: &str,
    read: impl FnOnce(&Members) -> Result<DefinitionOrder, NotTaken>,
) -> Result<(Key, Key, DefinitionOrder), Failure> {
    let mut problems = Problems::default();
    let source = path::key_to_make(request, "sourceKey", &mut problems);
    let key = path::key_to_make(request, name, &mut problems);
    match (source, key, read(&Object::whole_body(text)?)) {
        (Some(source), Some(key), Ok(order)) => return Ok((source, key, order)),
        (_, _, Err(NotTaken::Unsupported)) if problems.is_empty() => return Err(Failure::Excluded),
        (_, _, Err(NotTaken::Refused(refusal))) => problems.extend(refusal.problems),
        (_, _, Ok(_) | Err(NotTaken::Unsupported)) => {}
    }
    Err(Refusal::from(problems).into())
}

async fn find(api: &Api, request: &HttpRequest, name: &str, what: &str, show: Show) -> Answer {
    let caller = api.caller_with(request, Scope::RegistryRead).await?;
    let source = path::key_to_find(request, "sourceKey")?;
    let key = path::key_to_find(request, name)?;
    let definition = api.application.find_definition(&caller, &source, &key).await?;
    let shown = show(&definition).ok_or_else(|| {
        let message = format!("There is no {what} {key} in the source {source}.");
        Refusal::new(RefusalKind::NotFound, message)
    })?;
    Ok(HttpResponse::Ok().json(shown))
}

fn profile(definition: &Definition) -> Option<Value> {
    let (of, profile) = match &definition.shape {
        Shape::Root(profile) => (ProfileType::Root, profile.as_ref()),
        Shape::Contained(profile) => (ProfileType::Contained, Some(profile)),
        Shape::Relationship(_) => return None,
    };
    let head = json!({"key": definition.key.as_str(), "type": of.to_string()});
    Some(joined(head, profile.map_or_else(open, Profile::members)))
}

fn collection(definition: &Definition) -> Option<Value> {
    let (of, profile) = match &definition.shape {
        Shape::Root(profile) => (CollectionType::Resources, profile.as_ref().map(Profile::members)),
        Shape::Relationship(found) => {
            let members = found.as_ref().map(|found| {
                let properties = found
                    .properties
                    .as_ref()
                    .map(|properties| properties.sent().clone());
                let mut members =
                    Members::from_iter([("properties".to_owned(), json!(properties.unwrap_or_default()))]);
                if let Some(description) = &found.description {
                    members.insert("description".to_owned(), description.as_str().into());
                }
                members
            });
            (CollectionType::Relationships, members)
        }
        Shape::Contained(_) => return None,
    };
    let profile = profile.unwrap_or_else(open);
    Some(json!({"key": definition.key.as_str(), "type": of.to_string(), "profile": profile}))
}

fn relationship(definition: &Definition) -> Option<Value> {
    let Shape::Relationship(found) = &definition.shape else {
        return None;
    };
    let members = found.as_ref().map(RelationshipDefinition::members);
    let ends = || {
        Members::from_iter([
            ("from".to_owned(), json!({"profileKey": "*"})),
            ("to".to_owned(), json!({"profileKey": "*"})),
            ("open".to_owned(), true.into()),
        ])
    };
    Some(joined(
        json!({"key": definition.key.as_str()}),
        members.unwrap_or_else(ends),
    ))
}

/// What is shown of a definition that nobody put.
fn open() -> Members {
    Members::from_iter([
        ("properties".to_owned(), json!({})),
        ("open".to_owned(), true.into()),
    ])
}

fn joined(mut head: Value, members: Members) -> Value {
    if let Some(head) = head.as_object_mut() {
        head.extend(members);
    }
    head
}
