//! The rules of a run: the embedded pack, and folders whose files replace rules of the same code.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lidr_schema::{
    dynamic::{hint, nearest},
    hex,
};
use sha2::{Digest, Sha256};

use crate::{Problem, Rule, lint, parse};

/// Name and text of every file of the pack, made from `rules/*/*.yml` when the crate is built.
const PACK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// Rules that are loaded, and what is doubtful in them.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// In the order of their codes.
    pub rules: Vec<Rule>,
    /// What is doubtful, but no reason to refuse.
    pub warnings: Vec<Problem>,
}

/// Loads the embedded pack (if `builtin`) and the rule files of some folders; a later rule replaces an earlier one of its code.
///
/// # Errors
/// Every problem of every file: never a silently smaller rule set.
pub fn load(builtin: bool, dirs: &[PathBuf]) -> Result<RuleSet, Vec<Problem>> {
    let mut loading = Loading::default();
    if builtin {
        loading.layer(pack_files());
    }
    for dir in dirs {
        let files = loading.read_dir(dir);
        loading.layer(files);
    }
    loading.unique_ids();
    loading.absorbed();
    if !loading.problems.is_empty() {
        return Err(loading.problems);
    }
    Ok(RuleSet { rules: loading.rules.into_values().collect(), warnings: loading.warnings })
}

fn pack_files() -> Vec<(String, String)> {
    PACK.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The text of the file that a rule stands in.
///
/// # Errors
/// If it cannot be read, or is not what it was when the rule was loaded.
pub fn text(rule: &Rule) -> Result<String, Problem> {
    let wrong = |message: String| Problem { file: rule.file.clone(), line: None, message };
    if let Some(text) = packed(rule) {
        return Ok(text.to_owned());
    }
    let text = fs::read_to_string(&rule.file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    if hash(&text) == rule.sha256 {
        Ok(text)
    } else {
        Err(wrong("it was changed since the rules were loaded".to_owned()))
    }
}

/// Whether a rule is one of the pack's, as it stands there.
#[must_use]
pub fn is_packed(rule: &Rule) -> bool {
    packed(rule).is_some()
}

fn packed(rule: &Rule) -> Option<&'static str> {
    PACK.iter().find(|(name, text)| *name == rule.file && hash(text) == rule.sha256).map(|(_, text)| *text)
}

fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes()))
}

/// The rules of one file.
///
/// # Errors
/// Every problem of the file, with its line.
pub fn parse_file(name: &str, text: &str) -> Result<Vec<Rule>, Vec<Problem>> {
    parse::file(name, text).map(|(rules, _)| rules)
}

#[derive(Default)]
struct Loading {
    rules: BTreeMap<String, Rule>,
    warnings: Vec<Problem>,
    problems: Vec<Problem>,
}

impl Loading {
    /// One source of rules; inside it a code stands once.
    fn layer(&mut self, files: Vec<(String, String)>) {
        let mut here: BTreeMap<String, Rule> = BTreeMap::new();
        for (name, text) in files {
            match parse::file(&name, &text) {
                Ok((rules, warnings)) => {
                    self.warnings.extend(warnings);
                    for rule in rules {
                        if let Some(other) = here.get(&rule.code) {
                            self.problem(&name, format!("code `{}` stands in {} too", rule.code, other.file));
                        }
                        here.insert(rule.code.clone(), rule);
                    }
                }
                Err(problems) => self.problems.extend(problems),
            }
        }
        self.rules.extend(here);
    }

    fn problem(&mut self, file: &str, message: String) {
        self.problems.push(Problem { file: file.to_owned(), line: None, message });
    }

    fn unique_ids(&mut self) {
        let mut seen: BTreeMap<&str, &Rule> = BTreeMap::new();
        let mut twice = Vec::new();
        for rule in self.rules.values() {
            if let Some(other) = rule.id.as_deref().and_then(|id| seen.insert(id, rule)) {
                twice.push((rule.file.clone(), format!("`id` is that of {} too", other.file)));
            }
        }
        twice.into_iter().for_each(|(file, message)| self.problem(&file, message));
    }

    /// What a rule absorbs must be a rule, loaded or of the pack, and have the columns that both must agree in.
    fn absorbed(&mut self) {
        let mut pack = Self::default();
        if self.rules.values().flat_map(|r| &r.absorbs).any(|a| !self.rules.contains_key(&a.code)) {
            pack.layer(pack_files());
        }
        let mut wrong = Vec::new();
        for (rule, absorb) in self.rules.values().flat_map(|r| r.absorbs.iter().map(move |a| (r, a))) {
            let mut say =
                |message: String| wrong.push(Problem { file: rule.file.clone(), line: Some(absorb.line), message });
            let Some(other) = self.rules.get(&absorb.code).or_else(|| pack.rules.get(&absorb.code)) else {
                let near = nearest(&absorb.code, self.rules.keys().chain(pack.rules.keys()).map(String::as_str));
                say(format!("`absorbs`: no rule `{}`{}", absorb.code, hint(&near)));
                continue;
            };
            for column in absorb.by.iter().filter(|c| !lint::returns(other, c)) {
                say(format!("`absorbs`: the results of {} have no column `{column}`", other.code));
            }
        }
        self.problems.extend(wrong);
    }

    /// Every `.yml` and `.yaml` below a folder, in the order of their paths.
    fn read_dir(&mut self, dir: &Path) -> Vec<(String, String)> {
        let mut files = Vec::new();
        self.walk(dir, 0, &mut files);
        files.sort();
        let mut out = Vec::new();
        for path in files {
            match fs::read_to_string(&path) {
                Ok(text) => out.push((path.display().to_string(), text)),
                Err(error) => self.problem(&path.display().to_string(), format!("cannot be read: {error}")),
            }
        }
        out
    }

    fn walk(&mut self, dir: &Path, depth: usize, out: &mut Vec<PathBuf>) {
        if depth > 16 {
            return self
                .problem(&dir.display().to_string(), "folders lie too deep: needed at most 16 levels".to_owned());
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => {
                return self.problem(&dir.display().to_string(), format!("needed a folder of rule files: {error}"));
            }
        };
        for path in entries.flatten().map(|e| e.path()) {
            let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if path.is_dir() {
                self.walk(&path, depth + 1, out);
            } else if ["yml", "yaml"].contains(&ending) {
                out.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "title: T\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\n";

    #[test]
    fn the_embedded_pack_loads_without_a_doubt() {
        let set = load(true, &[]).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        assert!(set.rules.len() >= 12, "{} rules", set.rules.len());
        assert!(set.warnings.is_empty(), "{:?}", set.warnings);
        assert!(set.rules.iter().any(|r| r.plain_sigma), "the pack holds a plain Sigma rule too");
        assert!(text(&set.rules[0]).unwrap().contains(&set.rules[0].title), "its text is at hand");
    }

    #[test]
    fn what_is_absorbed_is_a_rule_with_those_columns() {
        let dir = tempfile::tempdir().unwrap();
        let rule = include_str!("../tasking/LI-01-tap-without-warrant.yml");
        let said = |absorbs: &str| {
            let text: Vec<&str> = rule.lines().map(|l| if l.starts_with("absorbs: ") { absorbs } else { l }).collect();
            fs::write(dir.path().join("a.yml"), text.join("\n")).unwrap();
            let problems = load(false, &[dir.path().to_owned()]).err().unwrap_or_default();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(said("absorbs: [{code: LI-04, by: [task]}]"), "", "a rule of the pack, though the pack is left out");
        assert!(said("absorbs: [{code: LI-99, by: [task]}]").contains("`absorbs`: no rule `LI-99`"));
        let other = said("absorbs: [{code: LI-16, by: [lawful]}]");
        assert!(other.contains("no column `lawful`"), "{other}");
    }

    #[test]
    fn a_folder_overrides_by_code_and_never_loads_half() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("a.yml"), PLAIN).unwrap();
        let rules = load(false, &[dir.path().to_owned(), dir.path().to_owned()]).unwrap().rules;
        assert_eq!((rules.len(), text(&rules[0]).unwrap().as_str()), (1, PLAIN));
        fs::write(dir.path().join("a.yml"), PLAIN.replace("title: T", "title: U")).unwrap();
        assert!(text(&rules[0]).unwrap_err().message.contains("it was changed"));
        fs::write(dir.path().join("deep/b.yaml"), PLAIN.replace("query", "quary")).unwrap();
        let problems = load(false, &[dir.path().to_owned()]).unwrap_err();
        assert!(
            problems[0].to_string().ends_with("b.yaml:4: table `dns` has no field `quary`, did you mean `query`?"),
            "{problems:?}"
        );
        fs::write(dir.path().join("deep/b.yaml"), PLAIN).unwrap();
        assert!(load(false, &[dir.path().to_owned()]).unwrap_err()[0].message.contains("stands in"));
        assert!(load(false, &[dir.path().join("none")]).is_err());
    }
}
