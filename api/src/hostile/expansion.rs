//! Harm done by what a small document stands for: fragments that multiply, pages of pages.

use serde_json::{Value, json};

use super::Hostile;
use crate::guard::Rule;

pub(super) fn corpus() -> Vec<Hostile> {
    let mut all = Vec::new();
    multiply(&mut all);
    circles_and_rows(&mut all);
    repeated(&mut all);
    variables(&mut all);
    depth(&mut all);
    pages(&mut all);
    introspection(&mut all);
    all
}

/// A chain of fragments, each of which spreads the next one twice.
pub(super) fn doubling(fragments: usize, leaf: &str) -> String {
    let chain = (0..fragments).fold(String::new(), |text, n| {
        format!("{text} fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1)
    });
    format!("{{ ...F0 }}{chain} fragment F{fragments} on Query {{ {leaf} }}")
}

fn multiply(all: &mut Vec<Hostile>) {
    let mut add = |name: String, document: String| {
        all.push(Hostile::new(Rule::Selections, name, document));
    };
    for fragments in 15..30 {
        add(format!("{fragments} fragments that spread twice"), doubling(fragments, "a"));
    }
    for times in [3, 5, 10, 50] {
        let chain = (0..20).fold(String::new(), |text, n| {
            format!("{text} fragment F{n} on Q {{ {} }}", format!("...F{} ", n + 1).repeat(times))
        });
        add(
            format!("20 fragments that spread {times} times"),
            format!("{{ ...F0 }}{chain} fragment F20 on Q {{ a }}"),
        );
    }
    for levels in [15, 20] {
        let chain = (0..levels).fold(String::new(), |text, n| {
            format!("{text} fragment F{n} on Q {{ a {{ ...F{0} }} b {{ ...F{0} }} }}", n + 1)
        });
        add(
            format!("{levels} fragments that spread twice under fields"),
            format!("{{ ...F0 }}{chain} fragment F{levels} on Q {{ a }}"),
        );
    }
    let wide =
        format!("{{ {} }} fragment F on Q {{ {} }}", "a { ...F } ".repeat(500), "a ".repeat(500));
    add("500 fields with a fragment of 500".into(), wide);
    let operations = (0..45).fold(String::new(), |text, n| format!("{text} query Q{n} {{ ...F }}"));
    add(
        "45 operations with a fragment of 500".into(),
        format!("{operations} fragment F on Q {{ {} }}", "a ".repeat(500)),
    );
    add(
        "fragments nobody spreads that spread twice".into(),
        doubling(20, "a").replacen("{ ...F0 }", "{ a }", 1),
    );
}

fn circles_and_rows(all: &mut Vec<Hostile>) {
    for length in [1, 2, 3, 5, 10, 29] {
        let circle = |inner: &str| {
            (0..length).fold("{ ...F0 }".to_owned(), |text, n| {
                let spread = inner.replace('*', &format!("...F{}", (n + 1) % length));
                format!("{text} fragment F{n} on Q {{ {spread} }}")
            })
        };
        for (how, inner) in
            [("plain", "*"), ("under fields", "a { * }"), ("in inline fragments", "... on Q { * }")]
        {
            let name = format!("a circle of {length} fragments, {how}");
            all.push(Hostile::new(Rule::FragmentCycle, name, circle(inner)));
        }
    }
    let unused = "{ a } fragment F on Q { ...G } fragment G on Q { ...F }";
    all.push(Hostile::new(Rule::FragmentCycle, "a circle nobody enters", unused));
    for length in [31, 50, 200, 600] {
        let row = (0..length).fold("{ ...F0 }".to_owned(), |text, n| {
            format!("{text} fragment F{n} on Q {{ ...F{} }}", n + 1)
        });
        let document = format!("{row} fragment F{length} on Q {{ a }}");
        let name = format!("a row of {length} fragments");
        all.push(Hostile::new(Rule::FragmentChain, name, document.clone()));
        let backwards: Vec<_> = document.split(" fragment").collect();
        let (first, rest) = backwards.split_first().expect("split gives at least one piece");
        let rest =
            rest.iter().rev().fold(String::new(), |text, piece| format!("{text} fragment{piece}"));
        let name = format!("a row of {length} fragments, last first");
        all.push(Hostile::new(Rule::FragmentChain, name, format!("{first}{rest}")));
    }
}

fn repeated(all: &mut Vec<Hostile>) {
    for count in [501, 1_000, 1_600] {
        let aliases = (0..count).fold(String::new(), |text, n| format!("{text} a{n}: a"));
        all.push(Hostile::new(
            Rule::Aliases,
            format!("{count} aliases"),
            format!("{{ {aliases} }}"),
        ));
        let directives = "@d ".repeat(count);
        for (place, document) in [
            ("a field", format!("{{ a {directives} }}")),
            ("an operation", format!("query {directives} {{ a }}")),
            ("a fragment", format!("{{ ...F }} fragment F on Q {directives} {{ a }}")),
            ("an inline fragment", format!("{{ ... {directives} {{ a }} }}")),
            ("a variable", format!("query($v: Int {directives}) {{ a }}")),
        ] {
            let name = format!("{count} directives on {place}");
            all.push(Hostile::new(Rule::Directives, name, document));
        }
    }
    let spread = |leaf: &str| doubling(10, leaf);
    all.push(Hostile::new(Rule::Aliases, "1,024 aliases by fragments", spread("b: a")));
    all.push(Hostile::new(Rule::Directives, "1,024 directives by fragments", spread("a @d")));
    for count in [51, 200, 600] {
        let operations =
            (0..count).fold(String::new(), |text, n| format!("{text} query Q{n} {{ a }}"));
        all.push(Hostile::new(Rule::Operations, format!("{count} operations"), operations));
    }
}

type Wrap = fn(Value) -> Value;

fn variables(all: &mut Vec<Hostile>) {
    let nest = |depth, wrap: Wrap| (0..depth).fold(json!(1), |value, _| wrap(value));
    for depth in [33, 64, 120] {
        let shapes: [(&str, Wrap); 3] = [
            ("lists", |value| json!([value])),
            ("objects", |value| json!({ "k": value })),
            ("wide lists", |value| json!([1, value, 2])),
        ];
        for (name, wrap) in shapes {
            let hostile = Hostile::new(
                Rule::VariablesNesting,
                format!("{depth} nested {name} in a variable"),
                "query($v: Int) { a(x: $v) }",
            );
            all.push(hostile.with(json!({ "v": nest(depth, wrap) })));
        }
    }
}

fn depth(all: &mut Vec<Hostile>) {
    for depth in [21, 30, 60] {
        let document = format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
        all.push(Hostile::new(Rule::Depth, format!("{depth} fields deep"), document));
        let document =
            format!("{{ a {}{} }}", "... on Q { a ", "{ a ".repeat(depth) + &"}".repeat(depth + 1));
        all.push(Hostile::new(Rule::Depth, format!("{depth} fields deep in a fragment"), document));
    }
    for fragments in [8, 15, 29] {
        let chain = (0..fragments).fold("{ ...F0 }".to_owned(), |text, n| {
            format!("{text} fragment F{n} on Q {{ a {{ b {{ c {{ ...F{} }} }} }} }}", n + 1)
        });
        let document = format!("{chain} fragment F{fragments} on Q {{ a }}");
        all.push(Hostile::new(
            Rule::Depth,
            format!("{fragments} fragments of three fields"),
            document,
        ));
    }
}

fn pages(all: &mut Vec<Hostile>) {
    for argument in ["first", "last"] {
        for asked in ["101", "1000", "2147483647", "18446744073709551615"] {
            let document = format!("{{ a({argument}: {asked}) {{ edges {{ node {{ b }} }} }} }}");
            all.push(Hostile::new(Rule::Page, format!("{argument} {asked}"), document));
        }
        let by_variable = format!("query($n: Int) {{ a({argument}: $n) {{ b }} }}");
        let hostile = Hostile::new(Rule::Page, format!("{argument} by a variable"), by_variable);
        all.push(hostile.with(json!({ "n": 5_000 })));
        let by_default = format!("query($n: Int = 5000) {{ a({argument}: $n) {{ b }} }}");
        all.push(Hostile::new(Rule::Page, format!("{argument} by a default"), by_default));
    }
    for levels in [3, 5, 9] {
        let document = format!(
            "{}b{}",
            "{ a(first: 100) { edges { node ".repeat(levels),
            " } } }".repeat(levels)
        );
        // `{ a(first: 100) { edges { node { a(first: 100) .. b } } } }`
        let document = document.replacen("node b", "node { b }", 1);
        let name = format!("pages of a hundred, {levels} deep");
        if levels * 3 <= 20 {
            all.push(Hostile::new(Rule::Nodes, name, document));
        }
        let unnamed = format!("{}b{}", "{ a { nodes ".repeat(levels), " } }".repeat(levels));
        let unnamed = unnamed.replacen("nodes b", "nodes { b }", 1);
        let name = format!("default pages, {levels} deep");
        all.push(Hostile::new(Rule::Nodes, name, unnamed));
    }
    let wide = format!("{{ {} }}", "a(first: 100) { edges { node { b c d e f } } } ".repeat(150));
    all.push(Hostile::new(Rule::Nodes, "150 pages side by side", wide));
    let spread = format!(
        "{{ {} }} fragment F on Q {{ a(first: 100) {{ edges {{ node {{ b c d }} }} }} }}",
        "...F ".repeat(300)
    );
    all.push(Hostile::new(Rule::Nodes, "300 pages by a fragment", spread));
}

fn introspection(all: &mut Vec<Hostile>) {
    let mut add = |name: &str, document: String| {
        all.push(Hostile::new(Rule::Introspection, name, document));
    };
    let loops = |start: &str, step: &str, times: usize, leaf: &str| {
        let steps = step.matches('{').count() * times;
        format!(
            "{start}{}{leaf}{}",
            step.repeat(times),
            "}".repeat(steps + start.matches('{').count())
        )
    };
    for times in [3, 5, 8] {
        add(
            &format!("types, fields and types of fields {times} times"),
            loops("{ __schema { types {", "fields { type {", times, "name"),
        );
        add(
            &format!("possible types and interfaces {times} times"),
            loops("{ __type(name: \"Node\") {", "possibleTypes { interfaces {", times, "name"),
        );
        add(
            &format!("types of input fields {times} times"),
            loops("{ __schema { types {", "inputFields { type {", times, "name"),
        );
    }
    let side_by_side = (0..30)
        .fold(String::new(), |text, n| format!("{text} t{n}: types {{ fields {{ name }} }}"));
    add("30 times all types side by side", format!("{{ __schema {{ {side_by_side} }} }}"));
    let fragment = "fragment T on __Type { fields { args { type { fields { name } } } } }";
    add("introspection by a fragment", format!("{{ __schema {{ types {{ ...T }} }} }} {fragment}"));
    add(
        "introspection under an alias",
        "{ x: __schema { y: types { z: fields { type { w: fields { type { fields { name } } } } } } } }".into(),
    );
}
