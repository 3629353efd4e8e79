//! The schema as its readers see it.

use async_graphql::Request;
use cx_api::errors::Code;
use cx_api::guard::{Limits, Rule};
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

#[test]
fn the_page_about_the_api_names_every_code_rule_and_limit() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/graphql.md");
    let page = std::fs::read_to_string(page).unwrap();
    for code in Code::ALL {
        let row = format!("| `{}` | {} |", code.name(), code.status().as_u16());
        assert!(page.contains(&row), "{row}");
    }
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
    for rule in Rule::ALL {
        let name = format!("`{}`", rule.name());
        assert!(rows.iter().any(|row| row.contains(&name)), "{name}");
    }
    let Limits { document_bytes, tokens, token_bytes, nesting, operations, spreads, .. } =
        Limits::default();
    let Limits { selections, aliases, directives, variables_nesting, depth, nodes, .. } =
        Limits::default();
    let Limits { page: items, introspection_lists, .. } = Limits::default();
    for (rule, limit) in [
        (Rule::Length, document_bytes as u64),
        (Rule::Tokens, tokens as u64),
        (Rule::TokenLength, token_bytes as u64),
        (Rule::Nesting, nesting as u64),
        (Rule::Operations, operations as u64),
        (Rule::FragmentChain, spreads as u64),
        (Rule::Selections, selections),
        (Rule::Aliases, aliases),
        (Rule::Directives, directives),
        (Rule::VariablesNesting, variables_nesting as u64),
        (Rule::Depth, depth as u64),
        (Rule::Nodes, nodes),
        (Rule::Page, items),
        (Rule::Introspection, introspection_lists as u64),
    ] {
        let thousands = limit / 1_000;
        let number = match thousands {
            0 => limit.to_string(),
            _ => format!("{thousands},{:03}", limit % 1_000),
        };
        let row = format!("| `{}` | {number}", rule.name());
        assert!(page.contains(&row), "{row}");
    }
}
