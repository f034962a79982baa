//! `lidr report incident`: what a responder hands over, as files have it and as a browser shows and prints it.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    chromium::{Browser, browser},
    lidr::{lidr, ok},
    runs::{NAMES, replayed},
};

/// The report of a folder, beside it.
fn report(dir: &Path) -> PathBuf {
    let page = dir.with_extension("html");
    ok(["report", "incident", "--from", dir.to_str().unwrap(), "--html", page.to_str().unwrap()]);
    page
}

/// A folder with these lines and a summary of little.
fn folder(lines: &str) -> (tempfile::TempDir, PathBuf) {
    let all = tempfile::tempdir().unwrap();
    let dir = all.path().join("out");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("findings.ndjson"), lines).unwrap();
    let summary = json!({ "verb": "replay", "inputs": [], "rows": {}, "rules": { "loaded": 1, "evaluated": 1, "not_evaluated": [] } });
    fs::write(dir.join("summary.json"), summary.to_string()).unwrap();
    (all, dir)
}

#[test]
fn a_report_of_a_night_tells_it_by_what_the_run_wrote() {
    let run = replayed("s3");
    let page = fs::read_to_string(report(&run.out)).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for (uid, finding) in &run.findings {
        assert!(page.contains(uid), "{finding}");
    }
    for words in [
        "<strong>10.20.0.99</strong>",
        "203.0.113.80",
        "Tap without a warrant",
        "All 31 rules judged",
        "lidr replay ",
        "the environment (<code>LIDR_KEY</code>)",
        "of <span class=\"code\">capture.pcap",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(fs::read_to_string(report(&run.out)).unwrap(), page, "made again it is the same");
    let inside = run.s.dir.join("pages");
    fs::create_dir(&inside).unwrap();
    ok(["report", "incident", "--from", run.out.to_str().unwrap(), "--html", inside.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(inside.join("report.html")).unwrap(), page, "into a folder it has a name");
}

#[test]
fn what_is_no_finding_is_refused_with_its_line_and_a_cut_one_is_told() {
    let good = fs::read_to_string(replayed("s4").out.join("findings.ndjson")).unwrap();
    let first = good.lines().next().unwrap();
    let refused = |lines: &str| {
        let (_all, dir) = folder(lines);
        let page = dir.with_extension("html");
        let run = lidr(["report", "incident", "--from", dir.to_str().unwrap(), "--html", page.to_str().unwrap()]);
        assert!(run.status.code() == Some(2) && !page.exists());
        String::from_utf8(run.stderr).unwrap()
    };
    let said = refused(&format!("{first}\nnot JSON\n"));
    assert!(said.contains("findings.ndjson:2: not a finding: expected"), "{said}");
    let said = refused(&format!("{first}\n\n{{\"severity_id\":5}}\n"));
    assert!(said.contains("findings.ndjson:3: not a finding: needed finding_info/uid"), "{said}");
    let none = tempfile::tempdir().unwrap();
    let run = lidr(["report", "incident", "--from", none.path().to_str().unwrap(), "--html", "x.html"]);
    assert!(String::from_utf8(run.stderr).unwrap().contains("no findings.ndjson in it"));
    let (_all, dir) = folder(&format!("{first}\n{}", &first[..first.len() / 2]));
    let page = fs::read_to_string(report(&dir)).unwrap();
    assert!(page.contains("findings.ndjson:2 is cut") && page.contains("lidr made 1 finding ("), "{page}");
}

#[test]
fn a_folder_without_findings_says_what_was_looked_at() {
    let run = replayed("quiet-benign");
    assert!(run.findings.is_empty(), "{:?}", run.findings);
    let page = fs::read_to_string(report(&run.out)).unwrap();
    assert!(page.contains("its rules found nothing"), "{page}");
    let (_all, dir) = folder("");
    let page = fs::read_to_string(report(&dir)).unwrap();
    assert!(page.contains("its rules found nothing") && page.contains("There are no findings"), "{page}");
}

#[test]
fn the_first_sentence_is_whole_whatever_was_found() {
    for name in NAMES {
        let run = replayed(name);
        let page = fs::read_to_string(report(&run.out)).unwrap();
        let lead = page.split("<div class=\"lead\">").nth(1).and_then(|p| p.split("</div>").next()).unwrap();
        assert!(!page.contains(" 0 more") && !lead.contains(" at ."), "{name}: {lead}");
        let open = run.findings.values().filter(|f| f["activity_id"] != 3).count();
        let plural = if open == 1 { "" } else { "s" };
        let said = if open == 0 { " found ".to_owned() } else { format!("lidr made {open} finding{plural} (") };
        assert!(lead.contains(&said), "{name}: {lead}");
        for code in run.findings.values().map(|f| f["finding_info"]["analytic"]["uid"].as_str().unwrap()) {
            assert!(page.contains(&format!("<span class=\"code\">{code}</span>")), "{name}: {code} is not told");
        }
    }
}

/// What a browser makes of the page, at two widths: asked from outside of it, for the page itself has no script.
const PROBE: &str = r#"
const told = {};
let left = 2;
const rect = e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round); };
const light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
const measure = frame => {
  const page = frame.contentDocument, style = e => frame.contentWindow.getComputedStyle(e);
  const inside = (t, r) => t.left >= r.left - 1 && t.right <= r.right + 1 && t.top >= r.top - 1 && t.bottom <= r.bottom + 1;
  const nodes = [...page.querySelectorAll('g.node')].map(g => {
    const box = g.querySelector('rect'), r = box.getBoundingClientRect();
    return { box: rect(box), fits: [...g.querySelectorAll('text')].every(t => inside(t.getBoundingClientRect(), r)) };
  });
  const text = [...page.body.querySelectorAll('*')].filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  const behind = e => { for (; e; e = e.parentElement) { const c = style(e).backgroundColor; if (!/, 0\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  const contrast = e => { const [a, b] = [light(style(e).color), light(behind(e))]; return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); };
  const stops = [...page.querySelectorAll('a[href], [tabindex]')];
  return {
    nodes,
    wide: page.documentElement.scrollWidth,
    unseen: text.filter(e => style(e).display === 'none' || style(e).visibility === 'hidden' || style(e).opacity === '0' || !e.getBoundingClientRect().height).map(e => e.tagName),
    smallest: Math.min(...text.map(e => parseFloat(style(e).fontSize))),
    drawn: Math.min(...[...page.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)),
    contrast: Math.min(...text.map(contrast)),
    stops: stops.length,
    reached: stops.filter(e => { e.focus(); return page.activeElement === e; }).length,
    lost: stops.filter(e => { e.focus(); return style(e).outlineStyle === 'none'; }).length,
    scrolls: [...page.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex !== 0).length,
    title: page.title,
  };
};
for (const width of [360, 1200]) {
  const frame = document.createElement('iframe');
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.onload = () => {
    told[width] = measure(frame);
    if (!--left) document.getElementById('told').textContent = JSON.stringify(told);
  };
  frame.srcdoc = document.getElementById('page').value;
  document.body.append(frame);
}"#;

/// Measures the page without changing it.
fn probed(browser: &Browser, page: &Path) -> Value {
    let text = fs::read_to_string(page).unwrap();
    let shown = text.replace('&', "&amp;").replace('<', "&lt;");
    let outer = page.with_extension("probe.html");
    fs::write(&outer, format!("<!DOCTYPE html><meta charset=\"utf-8\"><body><textarea id=\"page\">\n{shown}</textarea><pre id=\"told\"></pre><script>{PROBE}</script>")).unwrap();
    let (dom, console) = browser.dom(&outer);
    assert_eq!(console, Vec::<String>::new());
    let told = dom.split("<pre id=\"told\">").nth(1).and_then(|t| t.split("</pre>").next()).unwrap();
    serde_json::from_str(&told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        .unwrap_or_else(|e| panic!("{e}: {told}"))
}

#[test]
fn a_browser_draws_the_graph_says_nothing_and_needs_no_mouse() {
    let Some(browser) = browser("a_browser_draws_the_graph_says_nothing_and_needs_no_mouse") else { return };
    for name in ["s3", "s5", "s12"] {
        let page = report(&replayed(name).out);
        let told = probed(&browser, &page);
        for width in ["360", "1200"] {
            let seen = &told[width];
            let number = |field: &str| seen[field].as_f64().unwrap();
            let nodes = seen["nodes"].as_array().unwrap();
            assert!(nodes.len() >= 2 && nodes.iter().all(|n| n["fits"] == true), "{name} {width}: {nodes:#?}");
            assert!(
                number("wide") <= width.parse::<f64>().unwrap(),
                "{name}: the page itself scrolls sideways at {width}: {seen}"
            );
            assert_eq!(seen["unseen"], json!([]), "{name} {width}: text that nobody sees without a mouse");
            assert!(
                number("smallest") >= 10.0 && number("drawn") >= 8.0 && number("contrast") >= 4.5,
                "{name} {width}: {seen}"
            );
            assert!(
                number("stops") > 10.0 && number("stops") == number("reached") && number("lost") == 0.0,
                "{name} {width}: {seen}"
            );
            assert_eq!(number("scrolls"), 0.0, "{name} {width}: what scrolls can be scrolled with keys");
        }
        let boxes: Vec<[usize; 4]> = told["1200"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| serde_json::from_value(n["box"].clone()).unwrap())
            .collect();
        let bottom = boxes.iter().map(|b| b[1] + b[3]).max().unwrap();
        let (picture, console) = browser.picture(&page, (1200, u32::try_from(bottom + 100).unwrap()));
        assert_eq!(console, Vec::<String>::new(), "{name}");
        for [x, y, width, height] in boxes {
            let ink = picture.ink((x, y, width, height));
            assert!(
                (20..500).contains(&ink),
                "{name}: {ink} of 1000 at {x},{y}: a box with a name is neither empty nor full"
            );
        }
        assert_eq!(picture.ink((0, 0, 60, bottom)), 0, "{name}: the margin is empty");
    }
}

#[test]
fn a_long_name_does_not_leave_the_page() {
    let Some(browser) = browser("a_long_name_does_not_leave_the_page") else { return };
    let (name, finding) = ("n".repeat(300), fs::read_to_string(replayed("s3").out.join("findings.ndjson")).unwrap());
    let mut finding: Value = serde_json::from_str(finding.lines().next().unwrap()).unwrap();
    finding["resources"] = ["account", "host", "device", "destination"]
        .map(|kind| json!({ "type": kind, "name": format!("{kind}{name}") }))
        .to_vec()
        .into();
    for field in ["/message", "/finding_info/title", "/unmapped/lidr/triage", "/unmapped/lidr/benign_if"] {
        *finding.pointer_mut(field).unwrap() = json!(name);
    }
    let (_all, dir) = folder(&format!("{finding}\n"));
    let told = probed(&browser, &report(&dir));
    for width in ["360", "1200"] {
        let wide = told[width]["wide"].as_f64().unwrap();
        assert!(wide <= width.parse::<f64>().unwrap(), "the page scrolls sideways at {width}: {told}");
        assert!(told[width]["nodes"].as_array().unwrap().iter().all(|n| n["fits"] == true), "{told}");
    }
}

#[test]
fn it_prints_on_paper() {
    let Some(browser) = browser("it_prints_on_paper") else { return };
    let paper = browser.paper(&report(&replayed("s3").out));
    let read = |program: &str, more: &[&str]| Command::new(program).arg(&paper).args(more).output();
    let (Ok(info), Ok(text)) = (read("pdfinfo", &[]), read("pdftotext", &["-"])) else {
        assert!(std::env::var_os("LIDR_REQUIRE_CHROMIUM").is_none(), "poppler is required");
        println!("\nskipped: it_prints_on_paper: no pdfinfo and pdftotext here");
        return;
    };
    let (info, text) =
        (String::from_utf8_lossy(&info.stdout).into_owned(), String::from_utf8_lossy(&text.stdout).into_owned());
    let pages: usize = info.lines().find_map(|l| l.strip_prefix("Pages:")).and_then(|n| n.trim().parse().ok()).unwrap();
    assert!((3..30).contains(&pages) && info.contains("(A4)"), "{info}");
    for words in [
        "What happened",
        "Timeline",
        "Who touched which intercept system",
        "What lidr could not see",
        "How to repeat it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains(&format!("Page {pages} of {pages}")) && !text.contains("Skip to"), "{text}");
}

/// The check that a console says nothing would be worth nothing if it heard nothing; and what a name smuggles in is not run.
#[test]
fn markup_in_names_is_not_run_and_a_console_that_speaks_is_heard() {
    let Some(browser) = browser("markup_in_names_is_not_run_and_a_console_that_speaks_is_heard") else { return };
    let bad = "<script>console.error('run')</script><img src=x onerror=\"console.error('run')\">";
    let finding = fs::read_to_string(replayed("s3").out.join("findings.ndjson")).unwrap();
    let mut finding: Value = serde_json::from_str(finding.lines().next().unwrap()).unwrap();
    finding["message"] = json!(bad);
    finding["finding_info"]["title"] = json!(bad);
    finding["resources"] = json!([{ "type": "account", "name": bad }, { "type": "host", "name": bad }, { "type": "device", "name": "pe1" }]);
    let (_all, dir) = folder(&format!("{finding}\n"));
    let (dom, console) = browser.dom(&report(&dir));
    assert!(console.is_empty() && !dom.contains("<script") && !dom.contains("<img"), "{console:?}\n{dom}");
    assert!(dom.contains("&lt;script&gt;console.error"), "{dom}");
    let loud = dir.with_extension("loud.html");
    fs::write(&loud, format!("<!DOCTYPE html><body>{bad}")).unwrap();
    assert!(!browser.dom(&loud).1.is_empty());
}
