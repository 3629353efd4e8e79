//! The schema as its readers see it.

use async_graphql::Request;
use serde_json::{Value, json};

use crate::world::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

#[test]
fn the_checked_in_schema_is_the_schema() {
    let sdl = cx_api::schema::sdl();
    if std::env::var_os("CX_BLESS").is_some() {
        std::fs::write(FILE, &sdl).unwrap();
    }
    let checked_in = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        checked_in == sdl,
        "api/schema.graphql differs; if clients still work with the change, run this test with \
         CX_BLESS=1 and commit the file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_has_a_description() {
    let world = World::new().await;
    let document = "{ __schema { types {
        name kind description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description }
        enumValues(includeDeprecated: true) { name description }
    } } }";
    let answer = world.answer(Request::new(document)).await;
    let mut bare = Vec::new();
    let described = |what: &Value| what["description"].as_str().is_some_and(|d| d.trim().len() > 1);
    for kind in answer["data"]["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        // `ID` is the only scalar of the specification that the engine leaves without a word.
        if name.starts_with("__") || name == "ID" {
            continue;
        }
        if !described(kind) {
            bare.push(name.to_owned());
        }
        for list in ["fields", "inputFields", "enumValues"] {
            for member in kind[list].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", member["name"].as_str().unwrap());
                if !described(member) {
                    bare.push(path.clone());
                }
                for argument in member["args"].as_array().into_iter().flatten() {
                    if !described(argument) {
                        bare.push(format!("{path}({})", argument["name"].as_str().unwrap()));
                    }
                }
            }
        }
    }
    assert_eq!(json!(bare), json!([]));
}
