//! Grammar cases: each modifier, each form of condition, and what is refused with its line.
use lidr_schema::TableId;

use super::compile;
use crate::{Expr, Literal, Op, mapping::Fields, problem::Report, yaml};

/// The condition as text, or the first problem.
fn over(table: TableId, text: &str) -> Result<String, String> {
    let doc = yaml::documents(text).map_err(|(line, message)| format!("{line}: {message}"))?.remove(0);
    let mut report = Report::new("r.yml");
    let expr = compile(&doc, table, &Fields::default(), &mut report);
    match expr {
        Some(expr) => Ok(show(&expr)),
        None => {
            Err(report.errors.first().map(ToString::to_string).unwrap_or_else(|| "refused without a word".to_owned()))
        }
    }
}

fn http(text: &str) -> Result<String, String> {
    over(TableId::Http, text)
}

fn one(item: &str) -> String {
    http(&format!("s: {{{item}}}\ncondition: s\n")).unwrap_or_else(|e| e)
}

fn show(expr: &Expr) -> String {
    let join = |parts: &[Expr], word: &str| format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(word));
    match expr {
        Expr::And(parts) => join(parts, " and "),
        Expr::Or(parts) => join(parts, " or "),
        Expr::Not(part) => format!("not {}", show(part)),
        Expr::Test(t) => {
            let value = |v: &Literal| match v {
                Literal::Text(text) => format!("'{text}'"),
                Literal::Int(n) => n.to_string(),
                Literal::Bool(b) => b.to_string(),
                Literal::Cidr(c) => format!("{}-{}", c.first(), c.last()),
            };
            let values: Vec<String> = t.values.iter().map(value).collect();
            let all = if t.all { " all" } else { "" };
            format!("{} {:?}{all} [{}]", t.column, t.op, values.join(" ")).replace(" []", "")
        }
    }
}

#[test]
fn text_is_compared_without_regard_to_case() {
    assert_eq!(one("method: POST"), "method Equal ['post']");
    assert_eq!(one("method: [GET, Post]"), "method Equal ['get' 'post']");
    assert_eq!(one("method|cased: POST"), r"method Regex ['(?s)\APOST\z']");
    assert_eq!(one("path|contains|cased: 'A.b'"), r"path Regex ['(?s)\A.*A\.b.*\z']");
}

#[test]
fn wildcards_and_substrings_become_like_with_its_own_signs_escaped() {
    assert_eq!(one("path: '/a*b?'"), "path Like ['/a%b_']");
    assert_eq!(one("path|contains: '50%_x'"), r"path Like ['%50\%\_x%']");
    assert_eq!(one("path|startswith: /A"), "path Like ['/a%']");
    assert_eq!(one("path|endswith: .Sh"), "path Like ['%.sh']");
    assert_eq!(one(r"path: 'a\*b'"), "path Equal ['a*b']");
    assert_eq!(one(r"path|contains: 'c:\x'"), r"path Like ['%c:\\x%']");
    assert_eq!(one("path|contains|all: [a, b]"), "path Like all ['%a%' '%b%']");
    assert_eq!(one("path: [a, 'b*']"), "(path Equal ['a'] or path Like ['b%'])");
}

#[test]
fn regular_expressions_are_kept_and_checked() {
    assert_eq!(one("path|re: '^/a+$'"), "path Regex ['^/a+$']");
    assert_eq!(one("path|re|i: '^/a'"), "path Regex ['(?i)^/a']");
    assert!(one("path|re: '('").starts_with("r.yml:1: `path|re`: no regular expression"), "{}", one("path|re: '('"));
}

#[test]
fn addresses_and_ranges() {
    assert_eq!(one("src_ip: 10.0.0.1"), "src_ip Cidr [10.0.0.1-10.0.0.1]");
    assert_eq!(
        one("src_ip|cidr: [10.0.0.0/8, '2001:db8::/32']"),
        "src_ip Cidr [10.0.0.0-10.255.255.255 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]"
    );
    assert_eq!(one("src_ip|startswith: '192.168.'"), "src_ip Cidr [192.168.0.0-192.168.255.255]");
    assert_eq!(one("src_ip: '10.*'"), "src_ip Cidr [10.0.0.0-10.255.255.255]");
    assert!(one("src_ip: ten").contains("needed an address or a range"), "{}", one("src_ip: ten"));
    assert!(one("path|cidr: 10.0.0.0/8").contains("needs a column that holds an address"));
}

#[test]
fn numbers_truth_and_absence() {
    assert_eq!(one("status: [200, '404']"), "status Equal [200 404]");
    assert_eq!(one("status|gte: 500"), "status Gte [500]");
    assert_eq!(
        one("status|lt: 500") + &one("status|lte: 5") + &one("status|gt: 5"),
        "status Lt [500]status Lte [5]status Gt [5]"
    );
    assert_eq!(one("has_query: true"), "has_query Equal [true]");
    assert_eq!(one("server: null"), "server Missing");
    assert_eq!(one("server: [null, nginx]"), "(server Missing or server Equal ['nginx'])");
    assert_eq!(one("server|exists: true") + &one("server|exists: false"), "server Existsserver Missing");
    assert_eq!(one("method|neq: GET"), "not method Equal ['get']");
    assert!(one("status: many").contains("needed a whole number, had `many`"));
}

#[test]
fn pseudonyms_can_only_be_there_or_not() {
    let task = |item: &str| over(TableId::Tasking, &format!("s: {{{item}}}\ncondition: s\n"));
    assert_eq!(task("task|exists: true"), Ok("task Exists".to_owned()));
    assert!(task("task: abc").unwrap_err().contains("holds keyed hashes"));
}

#[test]
fn keywords_are_looked_for_in_every_text_column_of_the_table() {
    let text = http("s: [wget]\ncondition: s\n").unwrap();
    assert!(text.contains("path Like ['%wget%'] or") && text.contains("user_agent Like ['%wget%']"), "{text}");
    assert!(!text.contains("sensor") && !text.contains("capture"), "where a row came from is not what it says: {text}");
    let both = http("s:\n  '|all': [wget, curl]\ncondition: s\n").unwrap();
    assert!(both.contains(") and ("), "{both}");
}

#[test]
fn conditions_join_selections() {
    let body = "a1: {method: A}\na2: {method: B}\nb: {method: C}\n_x: {method: D}\n";
    let with = |c: &str| http(&format!("{body}condition: {c}\n")).unwrap_or_else(|e| e);
    let test = |v: &str| format!("method Equal ['{v}']");
    let (a, b, c) = (test("a"), test("b"), test("c"));
    assert_eq!(with("a1 and not b"), format!("({a} and not {c})"));
    assert_eq!(with("a1 or a2 and b"), format!("({a} or ({b} and {c}))"));
    assert_eq!(with("(a1 or a2) and b"), format!("(({a} or {b}) and {c})"));
    assert_eq!(with("1 of a*"), format!("({a} or {b})"));
    assert_eq!(with("all of a*"), format!("({a} and {b})"));
    assert_eq!(with("all of them"), format!("({a} and {b} and {c})"), "names with an underscore are left out");
    assert_eq!(with("any of them"), format!("({a} or {b} or {c})"));
    assert_eq!(with("[a1, b]"), format!("({a} or {c})"), "several conditions: any");
}

#[test]
fn lists_of_maps_are_alternatives() {
    let text = http("s:\n  - {method: A, path: x}\n  - {method: B}\ncondition: s\n").unwrap();
    assert_eq!(text, "((method Equal ['a'] and path Equal ['x']) or method Equal ['b'])");
}

#[test]
fn mistakes_name_their_line_and_the_nearest_word() {
    let said = |text: &str| http(text).unwrap_err();
    assert_eq!(
        said("s:\n  path|contians: x\ncondition: s\n"),
        "r.yml:2: `path|contians`: unknown modifier `contians`, did you mean `contains`?"
    );
    assert_eq!(said("s:\n  pth: x\ncondition: s\n"), "r.yml:2: table `http` has no field `pth`, did you mean `path`?");
    assert_eq!(
        said("sel: {path: x}\ncondition: sell\n"),
        "r.yml:2: `condition` names a selection that is not there: `sell`, did you mean `sel`?"
    );
    assert_eq!(said("sel: {path: x}\ncondition: 1 of f*\n"), "r.yml:2: `condition`: no selection is called `f*`");
    assert!(
        said("sel: {path: x}\ncondition: sel and\n")
            .starts_with("r.yml:2: `condition` cannot be read at column 8: expected")
    );
    assert!(said("sel: {path: x}\n").contains("needed a `condition`"));
    assert!(said("sel: {path|base64offset: x}\ncondition: sel\n").contains("unknown modifier `base64offset`"));
    assert!(said("sel: {path: x}\ntimeframe: 5m\ncondition: sel\n").starts_with("r.yml:2: `timeframe`"));
    assert!(said("sel: {path: x}\ncondition: 2 of them\n").contains("needed `1 of` or `all of`"));
    assert!(said("sel: {}\ncondition: sel\n").contains("a selection is empty"));
}

#[test]
fn depth_is_bounded() {
    let deep = |n: usize| http(&format!("s: {{path: x}}\ncondition: {}s{}\n", "(".repeat(n), ")".repeat(n)));
    assert!(deep(10).is_ok());
    assert!(deep(70).unwrap_err().contains("at most 64"));
    assert!(deep(60_000).unwrap_err().contains("at most 64"));
    assert!(
        http(&format!("s: {{path: x}}\ncondition: {}s\n", "not ".repeat(9_000))).unwrap_err().contains("at most 64")
    );
}

#[test]
fn literals_keep_their_kind() {
    let doc = yaml::documents("s: {path: '1'}\ncondition: s\n").unwrap().remove(0);
    let expr = compile(&doc, TableId::Http, &Fields::default(), &mut Report::new("r.yml")).unwrap();
    let Expr::Test(test) = expr else { panic!("one test: {expr:?}") };
    assert_eq!((test.op, test.values.as_slice()), (Op::Equal, [Literal::Text("1".to_owned())].as_slice()));
}
