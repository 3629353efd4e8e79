//! What is said before a row is taken: of files, and of mappings.

use std::io::Write;

use super::*;
use crate::import::file::check_all;

const SALES: &str = r#"name = "sales"
system = "till"
[file]
format = "csv"
[row]
id = "id"
[time]
column = "at"
formats = ["%Y-%m-%d"]
[customer]
scheme = "crm"
id = { column = "who" }
[[event]]
type = "PurchaseMade"
amount = { column = "amount" }
currency = "EUR"
"#;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Writes these files, and says what is wrong with them.
fn said(files: &[(&str, Option<&[u8]>)]) -> String {
    let directory = TempDir::new().unwrap();
    let mapping = MappingText::parse(SALES.to_owned()).unwrap();
    let path = |(name, bytes): &(&str, Option<&[u8]>)| {
        let path = directory.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        path
    };
    let paths: Vec<PathBuf> = files.iter().map(path).collect();
    check_all(&paths, &mapping).err().map(|error| error.to_string()).unwrap_or_default()
}

const GOOD: &[u8] = b"id,who,at,amount\n1,ada,2020-01-01,5\n";

#[test]
fn every_file_is_looked_at_and_every_problem_said_before_anything_is_taken() {
    let gz = packed(GOOD);
    let cut = &packed(&GOOD.repeat(500))[..60];
    let said = said(&[
        ("good.csv", Some(GOOD)),
        ("missing.csv", None),
        ("renamed.csv.gz", Some(GOOD)),
        ("right.csv.gz", Some(&gz)),
        ("cut.csv.gz", Some(cut)),
        ("other.csv", Some(b"id,who,at,amuont\n1,ada,2020-01-01,5\n")),
        ("semicolons.csv", Some(b"id;who;at;amount\n")),
        ("binary.csv", Some(b"id,w\0ho,at,amount\n")),
        ("empty.csv", Some(b"")),
    ]);
    assert!(said.starts_with("nothing was imported: 7 of 9 files"), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let of = |name: &str| {
        let found = lines.iter().position(|line| line.contains(name)).expect(name);
        let part: Vec<&str> = std::iter::once(lines[found])
            .chain(lines[found + 1..].iter().copied().take_while(|line| line.starts_with("    ")))
            .collect();
        part.join(" ")
    };
    assert!(of("missing.csv").contains("there is no such file"), "{said}");
    assert!(of("renamed.csv.gz").contains("not packed with gzip"), "{said}");
    assert!(!of("cut.csv.gz").contains("no such file"), "{said}");
    assert!(of("other.csv").contains("`amount` (did you mean `amuont`?)"), "{said}");
    assert!(of("semicolons.csv").contains("delimiter = \";\""), "{said}");
    assert!(of("binary.csv").contains("column 2 has U+0000"), "{said}");
    assert!(of("empty.csv").contains("empty"), "{said}");
    assert!(!said.contains("good.csv") && !said.contains("right.csv.gz"), "{said}");
}

#[test]
fn files_that_can_be_read_are_not_spoken_of() {
    let marked = [b"\xef\xbb\xbf", GOOD].concat();
    let twice = [b"\xef\xbb\xbf\xef\xbb\xbf", GOOD].concat();
    let marked_gz = packed(&marked);
    let said = said(&[
        ("plain.csv", Some(GOOD)),
        ("marked.csv", Some(&marked)),
        ("twice.csv", Some(&twice)),
        ("marked.csv.gz", Some(&marked_gz)),
    ]);
    assert_eq!(said, "");
}

#[test]
fn a_directory_is_no_file() {
    let directory = TempDir::new().unwrap();
    let mapping = MappingText::parse(SALES.to_owned()).unwrap();
    let error = check_all(&[directory.path().to_owned()], &mapping).unwrap_err().to_string();
    assert!(error.contains("directory") && error.contains("1 of 1 file "), "{error}");
}

#[test]
fn a_mistyped_name_is_named_with_its_line_and_the_one_that_is_meant() {
    for (right, wrong, line, hints) in [
        ("system =", "sytem =", 2, ["no `sytem`", "`system`"]),
        ("[time]", "[tme]", 7, ["no `tme`", "`time`"]),
        ("formats =", "format =", 9, ["[time] has no `format`", "`formats`"]),
        ("scheme =", "schema =", 11, ["[customer] has no `schema`", "`scheme`"]),
        ("{ column = \"who\" }", "{ colum = \"who\" }", 12, ["`customer.id`", "`column`"]),
        ("[[event]]", "[[events]]", 13, ["no `events`", "`event`"]),
        ("PurchaseMade", "PurchasMade", 14, ["no type of event", "`PurchaseMade`"]),
        ("type =", "typ =", 14, ["no `typ`", "`type`"]),
        ("amount =", "amuont =", 15, ["PurchaseMade has no `amuont`", "`amount`"]),
        ("currency =", "whenn = { a = \"b\" }\ncurrency =", 16, ["no `whenn`", "`when`"]),
        ("currency =", "when = { a = { nott = \"b\" } }\ncurrency =", 16, ["no `nott`", "`not`"]),
        ("currency =", "price = 3\ncurrency =", 16, ["no `price`", "amount, currency, order"]),
    ] {
        assert!(SALES.contains(right), "{right}");
        let error = MappingText::parse(SALES.replacen(right, wrong, 1)).err().unwrap();
        let error = format!("{error:#}");
        assert!(error.contains(&format!("line {line}: ")), "{wrong}: {error}");
        assert!(hints.iter().all(|hint| error.contains(hint)), "{wrong}: {error}");
    }
}

#[test]
fn all_mistyped_names_are_said_at_once() {
    let wrong = SALES.replace("scheme", "schema").replace("currency", "curency");
    let error = MappingText::parse(wrong).err().unwrap().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn names_inside_surveys_and_activities_are_looked_at_too() {
    let survey = "name='m'\nsystem='s'\n[file]\nformat='csv'\n[time]\nconstant='2020'\n[customer]\n\
         anonymous=true\n[[instrument]]\nkey='k'\nname='I'\nlanguage='en'\n[instrument.defaults]\n\
         scal=[1,5]\n[[instrument.question]]\nname='q'\ncolum='a'\n[[event]]\n\
         type='ResponseSubmitted'\ninstrument='k'\n[event.attributes]\nbranch={ columns='b' }\n\
         [activities]\ncolumn='a'\n[activities.events]\n'x'='CaseClose'\n'y'=[{ typ='CaseClosed' }]\n";
    let error = MappingText::parse(survey.to_owned()).err().unwrap().to_string();
    for part in
        ["line 14: [instrument.defaults]", "line 17: ", "line 22: the value `attributes.branch`"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(error.contains("`CaseClosed`?") && error.contains("no `typ`"), "{error}");
}
