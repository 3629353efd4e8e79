//! Harm done by the text itself, before it means anything: long, deep, broken.

use super::Hostile;
use crate::guard::Rule;

pub(super) fn corpus() -> Vec<Hostile> {
    let mut all = Vec::new();
    long(&mut all);
    many_tokens(&mut all);
    long_tokens(&mut all);
    open_strings(&mut all);
    deep(&mut all);
    broken(&mut all);
    all
}

fn long(all: &mut Vec<Hostile>) {
    let fillings = [
        ("blanks", " "),
        ("commas", ","),
        ("line breaks", "\n"),
        ("comments", "# x\n"),
        ("fields", "a "),
        ("open braces", "{"),
        ("letters", "a"),
        ("non-ASCII", "é"),
        ("byte-order marks", "\u{feff}"),
        ("quotes", "\""),
    ];
    for (name, filling) in fillings {
        let document = filling.repeat(66_000 / filling.len());
        all.push(Hostile::new(Rule::Length, format!("66 KB of {name}"), document));
    }
    let text = format!("{{ a(x: \"{}\") }}", "x".repeat(200_000));
    all.push(Hostile::new(Rule::Length, "a string of 200 KB", text));
    let text = format!("{{ a(x: \"\"\"{}\"\"\") }}", "x\n".repeat(100_000));
    all.push(Hostile::new(Rule::Length, "a block string of 200 KB", text));
}

fn many_tokens(all: &mut Vec<Hostile>) {
    let pieces = [
        ("fields", "a "),
        ("aliases", "a:b "),
        ("spreads", "...F "),
        ("bangs", "!"),
        ("dollars", "$"),
        ("ats", "@d "),
        ("numbers", "1 "),
        ("colons", ":"),
        ("pipes", "|"),
        ("strings", "\"\" "),
        ("empty lists", "[]"),
        ("strange signs", "?"),
        ("block strings", "\"\"\"\"\"\" "),
        ("null bytes", "\0"),
        ("non-ASCII letters", "é"),
    ];
    for (name, piece) in pieces {
        let document = format!("{{ {} }}", piece.repeat(5_001));
        all.push(Hostile::new(Rule::Tokens, format!("5,001 {name}"), document));
    }
    let fields = (0..5_000).fold(String::new(), |text, n| format!("{text}f{n} "));
    all.push(Hostile::new(Rule::Tokens, "5,000 different fields", format!("{{ {fields} }}")));
    let list = format!("{{ a(x: [{}]) }}", "1,".repeat(20_000));
    all.push(Hostile::new(Rule::Tokens, "a list of 20,000 numbers", list));
    let object = (0..2_000).fold(String::new(), |text, n| format!("{text}k{n}:1 "));
    all.push(Hostile::new(
        Rule::Tokens,
        "an object of 2,000 keys",
        format!("{{ a(x: {{{object}}}) }}"),
    ));
}

fn long_tokens(all: &mut Vec<Hostile>) {
    for length in [257, 1_000, 60_000] {
        let (name, digits) = ("n".repeat(length), "9".repeat(length));
        let places = [
            ("a field", format!("{{ {name} }}")),
            ("an alias", format!("{{ {name}: a }}")),
            ("an argument", format!("{{ a({name}: 1) }}")),
            ("a variable", format!("query(${name}: Int) {{ a }}")),
            ("a directive", format!("{{ a @{name} }}")),
            ("a whole number", format!("{{ a(x: {digits}) }}")),
            ("a fraction", format!("{{ a(x: 0.{digits}) }}")),
            ("an exponent", format!("{{ a(x: 1e{digits}) }}")),
        ];
        for (place, document) in places {
            all.push(Hostile::new(
                Rule::TokenLength,
                format!("{place} of {length} bytes"),
                document,
            ));
        }
    }
}

fn open_strings(all: &mut Vec<Hostile>) {
    let lists = "[".repeat(2_000);
    let documents = [
        ("a string without its end", "{ a(x: \"abc) }".to_owned()),
        ("a block string without its end", "{ a(x: \"\"\"abc) }".to_owned()),
        ("lists behind an open block string", format!("{{ a(x: [\"\"\"x\" {lists}")),
        ("lists behind an open block string, by line", format!("{{ a(x: [\"\"\"\n{lists}")),
        ("lists behind a broken line", format!("{{ a(x: [\"x\n{lists}")),
        ("lists behind an escaped line end", format!("{{ a(x: [\"x\\\n{lists}")),
        ("lists behind an escaped block end", format!("{{ a(x: [\"\"\"\\\"\"\"{lists}")),
        ("an escape at the end", "{ a(x: \"\\".to_owned()),
        ("a carriage return in a string", "{ a(x: \"a\rb\") }".to_owned()),
        ("one quote", "\"".to_owned()),
        ("four quotes", "\"\"\"\"".to_owned()),
        ("five quotes", "\"\"\"\"\"".to_owned()),
        ("a quote in a comment's next line", "{ a # x\n\" }".to_owned()),
    ];
    for (name, document) in documents {
        all.push(Hostile::new(Rule::OpenString, name, document));
    }
}

fn deep(all: &mut Vec<Hostile>) {
    let shapes = [
        ("lists", "{ a(x: ", "[", "]"),
        ("objects", "{ a(x: ", "{k:", "}"),
        ("selections", "", "{a", "}"),
        ("arguments", "{ a", "(x:", ")"),
        ("list types", "query($v: ", "[", "]"),
        ("lists as defaults", "query($v: Int = ", "[", "]"),
        ("inline fragments", "{", "...{", "}"),
        ("mixed brackets", "{ a(x: ", "[{k:[", "]}]"),
    ];
    for (name, before, open, close) in shapes {
        for depth in [65, 200, 2_000] {
            let document = format!("{before}{}", open.repeat(depth));
            all.push(Hostile::new(Rule::Nesting, format!("{depth} {name}, left open"), document));
        }
        let document = format!("{before}{} 1 {}", open.repeat(300), close.repeat(300));
        all.push(Hostile::new(Rule::Nesting, format!("300 {name}, closed again"), document));
    }
    let hidden = [
        ("lists behind a comment ended by a carriage return", "{ a # \r"),
        ("lists behind a string with a quote in it", "{ a(x: \"\\\"\", y: "),
        (
            "lists behind a block string with quotes in it",
            "{ a(x: \"\"\" \\\"\"\" \"\" \"\"\", y: ",
        ),
        ("lists behind a string that ends in a backslash", "{ a(x: \"\\\\\", y: "),
        ("lists behind a hash in a string", "{ a(x: \"#\", y: "),
        ("lists behind closing brackets", "}}}}]])) { a(x: "),
    ];
    for (name, before) in hidden {
        let document = format!("{before}{}", "[".repeat(2_000));
        all.push(Hostile::new(Rule::Nesting, name, document));
    }
}

fn broken(all: &mut Vec<Hostile>) {
    let documents = [
        "",
        " ",
        "#",
        "{",
        "}",
        "{}",
        "{ }",
        "query",
        "query {",
        "query Q",
        "mutation",
        "{ a",
        "a }",
        "{ a( }",
        "{ a(x) }",
        "{ a(x:) }",
        "{ a(: 1) }",
        "{ a: }",
        "{ a @ }",
        "{ ... }",
        "{ ..F }",
        "{ a ]",
        "{ a )",
        "query($) { a }",
        "query($v) { a }",
        "query($v: ) { a }",
        "query($v: [Int) { a }",
        "query($v: Int = $w) { a }",
        "fragment on on T { a }",
        "fragment F { a }",
        "fragment F on T",
        "{ a(x: 01) }",
        "{ a(x: 1.) }",
        "{ a(x: .1) }",
        "{ a(x: \"\\q\") }",
        "{ a(x: \"\\u12\") }",
        "subscription { a } }",
        "type T { a: Int }",
        "schema { query: Q }",
        "extend type T { a: Int }",
        "{ a } { b }",
        "query A { a } { b }",
        "query A { a } query A { b }",
        "{ ...F } fragment F on T { a } fragment F on T { a }",
        "\0",
        "\u{feff}",
        "{ a\0 }",
        "{ é }",
        "<script>",
        "' OR 1=1 --",
        "{\"query\":\"{a}\"}",
        "fragment F on T { a }",
    ];
    for document in documents {
        all.push(Hostile::new(Rule::Syntax, format!("no GraphQL: {document:?}"), document));
    }
}
