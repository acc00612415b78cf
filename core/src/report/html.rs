//! The HTML report: one file with its style inside, no script, nothing fetched from anywhere.

use super::text::escape;
use super::{RunReport, curves, matrices, tables};

const STYLE: &str = include_str!("report.css");

/// The whole document.
pub(super) fn page(report: &RunReport) -> String {
    let title = if report.title.trim().is_empty() { "Run report" } else { report.title.as_str() };
    let title = escape(title);
    let mut out = String::new();
    out.push_str(&header(report, &title));
    out.push_str(&warnings(&report.warnings));
    out.push_str(&tables::headline(&report.phase_rows));
    out.push_str(&section("phases", "Phases", PHASES_TEXT, &tables::phases(&report.phase_rows)));
    if !report.text_figures.is_empty() {
        out.push_str(&section("texts", "Written texts", TEXTS_TEXT, &tables::settings(&report.text_figures)));
    }
    out.push_str(&section("curves", "Curves", "", &curves::charts(report)));
    if !report.omega.is_empty() {
        out.push_str(&section(
            "omega",
            "Where the sparse update sits",
            &omega_text(report),
            &matrices::omega_grid(&report.omega),
        ));
    }
    if !report.heads.is_empty() {
        out.push_str(&section("heads", "Attention heads", HEADS_TEXT, &matrices::head_map(&report.heads)));
    }
    let ledger = if report.ledger.is_empty() {
        "<p class=\"empty\">Nothing was pruned in this run.</p>".to_owned()
    } else {
        tables::ledger(report)
    };
    out.push_str(&section("ledger", "Sparsity ledger", "", &ledger));
    if !report.settings.is_empty() {
        out.push_str(&section("settings", "Settings", "", &tables::settings(&report.settings)));
    }
    if !report.how_to_load.trim().is_empty() {
        let snippet =
            format!("<pre tabindex=\"0\"><code>{}</code></pre>", escape(report.how_to_load.trim_end()));
        out.push_str(&section("load", "Load the result", "", &snippet));
    }
    document(&title, &out)
}

/// A whole page around its content. The title is escaped already.
pub(super) fn document(title: &str, content: &str) -> String {
    // The policy makes "self-contained" something the browser enforces.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{title} · DSEE Studio</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         {content}</main>\n</body>\n</html>\n"
    )
}

const PHASES_TEXT: &str = "The model as it stood after each phase; “UV only” is the tuned model with its sparse \
    entries left out. FLOPs are for one sequence (one multiply-add counts as two), with and without the two attention products.";
const TEXTS_TEXT: &str = "What the final model wrote for every context of the validation data, held against the references. \
    Figures with the same name differ between programs; each equals the one that is named.";
const HEADS_TEXT: &str = "Score of every head by the size of its update. The stronger the colour, the larger the share \
    of the layer’s highest score, because heads compete within their layer. Crossed heads were removed.";

fn header(report: &RunReport, title: &str) -> String {
    let facts = [("Model", &report.base_model), ("Data", &report.dataset), ("Adapter", &report.adapter)];
    let facts = facts.map(|(name, value)| (name, value.as_str()));
    heading("run report", title, &facts)
}

/// What the page is, and the facts that are known. The title is escaped already.
pub(super) fn heading(kind: &str, title: &str, facts: &[(&str, &str)]) -> String {
    let mut out = format!("<header><p class=\"product\">DSEE Studio · {kind}</p><h1>{title}</h1>");
    if facts.iter().any(|(_, value)| !value.is_empty()) {
        out.push_str("<dl class=\"facts\">");
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            out.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)));
        }
        out.push_str("</dl>");
    }
    out.push_str("</header>\n");
    out
}

pub(super) fn warnings(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let items: String = warnings.iter().map(|w| format!("<li>{}</li>", escape(w))).collect();
    let heading = if warnings.len() == 1 { "Please note" } else { "Please note these points" };
    format!("<aside class=\"warnings\" aria-label=\"Warnings\"><h2>{heading}</h2><ul>{items}</ul></aside>\n")
}

pub(super) fn section(id: &str, title: &str, text: &str, content: &str) -> String {
    let text = if text.is_empty() { String::new() } else { format!("<p class=\"lead\">{text}</p>") };
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>{text}\n{content}</section>\n")
}

fn omega_text(report: &RunReport) -> String {
    let total: usize = report.omega.iter().map(|m| m.indices.len()).sum();
    format!(
        "Each outline is a weight matrix, rows are outputs and columns are inputs. Each dot is one of the \
         {total} positions of Ω, the only entries that the sparse update S may change."
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{LossPoint, MetricPoint, OmegaMatrix, Setting, example};
    use super::*;

    /// Walks over all tags and checks that each is closed in order and every id is used once.
    pub(in crate::report) fn check_well_formed(html: &str) -> Result<(), String> {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            let end = rest[start..].find('>').ok_or("a tag without end")? + start;
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
            if tag.starts_with('/') {
                let last = open.pop().ok_or(format!("</{name}> closes nothing"))?;
                if last != name {
                    return Err(format!("</{name}> closes <{last}>"));
                }
            } else if !tag.starts_with('!') && !tag.ends_with('/') {
                open.push(name);
            }
            if !tag.matches('"').count().is_multiple_of(2) {
                return Err(format!("unbalanced quotes in <{tag}>"));
            }
        }
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|s| s.split('"').next()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("id {} is used twice", twice[0]));
        }
        if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
    }

    #[test]
    fn the_checker_finds_faults() {
        assert!(check_well_formed("<p><b>x</b></p><br/>").is_ok());
        for bad in ["<p><b></p></b>", "<p>", "</p>", "<p a=\">\"></p>", "<i id=\"a\"></i><i id=\"a\"></i>"] {
            assert!(check_well_formed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn full_and_empty_reports_are_well_formed_and_self_contained() {
        for report in [example::full(), RunReport::default(), example::unpruned()] {
            let html = page(&report);
            assert_eq!(check_well_formed(&html), Ok(()));
            for forbidden in
                ["<script", "<link", "<img", "src=\"", "href=", "url(", "@import", "http:", "https:"]
            {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
        }
    }

    #[test]
    fn the_numbers_of_the_run_are_on_the_page() {
        let html = page(&example::full());
        for text in ["78.44 %", "147,456", "lavapipe", "all-MiniLM-L6-v2", "20.26 %", "PeftModel", "accuracy"]
        {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn no_string_of_the_user_becomes_markup() {
        let evil = "<script>alert(\"1\")</script>' onload='x";
        let mut report = example::full();
        report.title = evil.into();
        report.base_model = evil.into();
        report.dataset = evil.into();
        report.adapter = evil.into();
        report.how_to_load = evil.into();
        report.warnings = vec![evil.into()];
        report.settings = vec![Setting { name: evil.into(), value: evil.into() }];
        report.phases[0].name = evil.into();
        report.phases.iter_mut().for_each(|p| p.name = evil.into());
        report.phase_rows.iter_mut().for_each(|r| (r.phase, r.metric_name) = (evil.into(), evil.into()));
        report.metrics.iter_mut().for_each(|m| m.name = evil.into());
        report.omega.iter_mut().for_each(|m| m.path = evil.into());
        report.ledger.iter_mut().for_each(|r| r.matrix = evil.into());
        let html = page(&report);
        assert_eq!(check_well_formed(&html), Ok(()));
        assert!(!html.contains("<script") && !html.contains("' onload='"));
    }

    #[test]
    fn odd_values_keep_the_page_whole() {
        let mut report = RunReport { title: "odd".into(), ..RunReport::default() };
        report.losses = vec![
            LossPoint { step: 1, loss: f64::NAN },
            LossPoint { step: 1, loss: f64::INFINITY },
            LossPoint { step: 1, loss: -1.0 },
        ];
        report.metrics = vec![MetricPoint { step: 0, name: "a b".into(), value: f64::NAN, best: true }];
        report.omega = vec![OmegaMatrix { path: "q".into(), ..OmegaMatrix::default() }];
        let html = page(&report);
        assert_eq!(check_well_formed(&html), Ok(()));
        assert!(html.contains("2 logged values are not finite"));
        let drawn = html.split(" d=\"").skip(1).filter_map(|s| s.split('"').next());
        assert!(drawn.into_iter().all(|d| !d.contains("NaN") && !d.contains("inf")));
    }
}
